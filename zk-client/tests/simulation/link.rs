//! The network: what lies between a client and one server.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use zk_server::core::ConnectionId;

/// What lies between a client and the servers. Times are milliseconds of the world.
pub(crate) enum Link {
    None,
    /// A connection is being made; it stands, or fails, at this time.
    Dialing {
        at: u64,
        front: usize,
        fails: bool,
    },
    Up(Up),
}

/// A connection as its client sees it.
pub(crate) struct Up {
    pub(crate) front: usize,
    pub(crate) connection: ConnectionId,
    pub(crate) to_server: Pipe,
    pub(crate) to_client: Pipe,
    /// The beginning of a frame.
    pub(crate) received: BytesMut,
    /// Whether the client has sent its connect request.
    pub(crate) asked: bool,
    /// Whether it has the answer.
    pub(crate) greeted: bool,
    /// When it breaks, if that is decided already.
    pub(crate) breaks_at: Option<u64>,
}

/// A connection that its client has left: the server still reads what was under way.
pub(crate) struct Ghost {
    pub(crate) client: usize,
    pub(crate) connection: ConnectionId,
    pub(crate) to_server: Pipe,
}

/// One direction of a connection: segments and when they arrive. An empty one is the end.
#[derive(Default)]
pub(crate) struct Pipe {
    segments: VecDeque<(u64, Bytes)>,
    /// Nothing arrives any more, and nobody is told.
    pub(crate) swallows: bool,
    /// What was sent arrives, what is sent from now on does not.
    pub(crate) is_dying: bool,
}

impl Pipe {
    pub(crate) fn new(swallows: bool) -> Self {
        Self {
            swallows,
            ..Self::default()
        }
    }

    /// Bytes on their way, cut anywhere. `slow` more milliseconds go by before they arrive.
    pub(crate) fn send(
        &mut self,
        rng: &mut Rng,
        now: u64,
        mut bytes: Bytes,
        trouble: bool,
        slow: u64,
    ) {
        if self.is_dying {
            return;
        }
        while !bytes.is_empty() {
            let whole = rng.u8(..) < 160;
            let count = if whole {
                bytes.len()
            } else {
                rng.usize(1..=bytes.len())
            };
            let delay = if trouble && rng.u8(..) < 6 {
                rng.u64(0..1500)
            } else {
                rng.u64(0..12)
            };
            self.push(now + delay + slow, bytes.split_to(count));
        }
    }

    /// The end of the stream, behind all that was sent.
    pub(crate) fn end(&mut self, at: u64) {
        self.push(at, Bytes::new());
    }

    /// In order: never before what was sent earlier.
    fn push(&mut self, at: u64, bytes: Bytes) {
        let last = self.segments.back().map_or(0, |(due, _)| *due);
        self.segments.push_back((last.max(at), bytes));
    }

    /// When the next segment arrives.
    pub(crate) fn due(&self) -> Option<u64> {
        let (due, _) = self.segments.front().filter(|_| !self.swallows)?;
        Some(*due)
    }

    /// The segment that has arrived by `now`.
    pub(crate) fn take(&mut self, now: u64) -> Option<Bytes> {
        self.due().filter(|due| *due <= now)?;
        self.segments.pop_front().map(|(_, bytes)| bytes)
    }

    /// Everything under way; of a pipe that swallows, nothing.
    pub(crate) fn rest(&mut self) -> impl Iterator<Item = Bytes> {
        if self.swallows {
            self.segments.clear();
        }
        self.segments.drain(..).map(|(_, bytes)| bytes)
    }

    pub(crate) fn len(&self) -> usize {
        self.segments.len()
    }

    /// Drops what lies behind the first `count` segments.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.segments.truncate(count);
    }
}
