//! One connection: bytes that have come, bytes that have to go.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use zk_proto::frame::{self, FrameDecoder};
use zk_proto::record::{ConnectResponse, EventType, KeeperState, ReplyHeader, WatcherEvent};
use zk_proto::{Encode, ErrorCode, OpCode, SessionId, Xid, Zxid};

use super::Now;
use super::access::Identity;

/// With so many bytes waiting for the client, its further requests wait too.
pub(super) const OUTPUT_HIGH_WATER: usize = 1 << 20;

/// The most identities that a connection can prove; one more fails its authentication.
pub(super) const IDENTITIES_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    pub(super) phase: Phase,
    /// The session that it serves or has served.
    pub(super) session: Option<SessionId>,
    pub(super) identities: Arc<[Identity]>,
    pub(super) input: BytesMut,
    output: BytesMut,
    output_bytes_max: usize,
    pub(super) log: Log,
}

/// ```text
/// Fresh ── four bytes that are no word ──► Handshake ── connect request ──► Open
///   │                                         │                              │ closeSession, expiry,
///   └── a four-letter word ──► Closing ◄──────┴── expired, broken ───────────┘ broken frame
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Fewer than four bytes have come.
    Fresh,
    /// A connect request is expected.
    Handshake,
    /// The session is served.
    Open,
    /// What is in the output goes; then the connection is closed.
    Closing,
    /// Closed at once, whatever is in the output.
    Aborted,
}

/// What `cons` tells about a connection.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) opened_ms: u64,
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) last_opcode: Option<OpCode>,
    pub(super) last_xid: Xid,
    pub(super) last_zxid: Zxid,
    pub(super) last_response_ms: u64,
}

impl Connection {
    pub(super) fn new(peer: SocketAddr, output_bytes_max: usize, now: Now) -> Self {
        Self {
            peer,
            phase: Phase::Fresh,
            session: None,
            identities: [Identity::of_peer(peer.ip())].into(),
            input: BytesMut::new(),
            output: BytesMut::new(),
            output_bytes_max,
            log: Log {
                opened_ms: now.monotonic_ms,
                received: 0,
                sent: 0,
                last_opcode: None,
                last_xid: Xid(0),
                last_zxid: Zxid(0),
                last_response_ms: 0,
            },
        }
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Closing | Phase::Aborted)
    }

    pub(super) fn output_len(&self) -> usize {
        self.output.len()
    }

    /// Whether its next request can be served.
    pub(super) fn is_ready(&self) -> bool {
        !self.is_over() && self.output.len() < OUTPUT_HIGH_WATER
    }

    /// The next whole frame.
    ///
    /// # Errors
    /// The length is not one that a frame can have.
    pub(super) fn next_frame(
        &mut self,
        frame_bytes_max: usize,
    ) -> Result<Option<Bytes>, frame::FrameError> {
        let frame = FrameDecoder::new(frame_bytes_max).decode(&mut self.input)?;
        self.log.received += u64::from(frame.is_some());
        Ok(frame)
    }

    /// Takes up to `max` bytes of what has to go.
    pub(super) fn take_output(&mut self, max: usize) -> Bytes {
        let count = self.output.len().min(max);
        self.output.split_to(count).freeze()
    }

    pub(super) fn push_reply(&mut self, header: ReplyHeader, body: &[u8], now: Now) {
        self.push(|out| {
            header.encode(out);
            out.extend_from_slice(body);
        });
        self.log.last_zxid = header.zxid;
        self.log.last_response_ms = now.monotonic_ms;
    }

    pub(super) fn push_event(&mut self, event: EventType, path: &str, zxid: Zxid) {
        self.push(|out| {
            ReplyHeader {
                xid: Xid::NOTIFICATION,
                zxid,
                err: ErrorCode::OK,
            }
            .encode(out);
            WatcherEvent {
                event_type: event,
                state: KeeperState::SYNC_CONNECTED,
                path,
            }
            .encode(out);
        });
    }

    pub(super) fn push_connect_response(&mut self, response: &ConnectResponse<'_>) {
        self.push(|out| response.encode(out));
    }

    pub(super) fn push_text(&mut self, text: &str) {
        self.output.extend_from_slice(text.as_bytes());
        self.log.sent += 1;
    }

    /// A frame more; a client that lets too many bytes wait is cut off.
    fn push(&mut self, write: impl FnOnce(&mut BytesMut)) {
        if self.is_over() {
            return;
        }
        let room = self.output_bytes_max.saturating_sub(self.output.len());
        match frame::encode(&mut self.output, room, write) {
            Ok(()) => self.log.sent += 1,
            Err(error) => {
                tracing::warn!(peer = %self.peer, %error, "client does not read: connection cut");
                self.abort();
            }
        }
    }

    /// Gives up what has to go.
    pub(super) fn abort(&mut self) {
        self.phase = Phase::Aborted;
        self.input = BytesMut::new();
        self.output = BytesMut::new();
    }
}
