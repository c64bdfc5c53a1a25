//! How long an HTTP connection may keep the node waiting.
//!
//! ```text
//!   idle ── a byte ──► head ── all of it ──► busy ── answered, and all of it sent ──► idle
//!    │ max.idle.time    │ login.timeout        a body and an answer that stand still: STALL_MAX
//!    ▼                  ▼
//!   closed             closed
//! ```

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::listener::STALL_MAX;
use crate::listener::stream::Stream;

/// Where a connection is, shared by what moves its bytes and what answers its requests.
#[derive(Debug, Clone)]
pub(super) struct Phase(Arc<Mutex<State>>);

#[derive(Debug, Clone, Copy)]
enum State {
    /// Nothing is asked, until then. `None` is forever.
    Idle(Option<Instant>),
    /// A request has begun, and must be whole by then.
    Head(Instant),
    /// A request is being answered.
    Busy,
    /// Its answer is on its way; then the connection stays for so long. Zero is forever.
    Answered(Duration),
}

impl Phase {
    /// A connection whose first request must be there by then.
    pub(super) fn new(first: Instant) -> Self {
        Self(Arc::new(Mutex::new(State::Head(first))))
    }

    pub(super) fn busy(&self) {
        self.set(State::Busy);
    }

    /// The answer is ready. Once it is sent, the connection stays for so long; zero is forever.
    pub(super) fn answered(&self, stays: Duration) {
        self.set(State::Answered(stays));
    }

    fn get(&self) -> State {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

/// A connection that ends when its client is too slow.
#[derive(Debug)]
pub(super) struct Patient {
    stream: Stream,
    phase: Phase,
    /// How long a request's head may take once it has begun.
    head: Duration,
    reading: Timer,
    writing: Timer,
}

impl Patient {
    pub(super) const fn new(stream: Stream, phase: Phase, head: Duration) -> Self {
        Self {
            stream,
            phase,
            head,
            reading: Timer(None),
            writing: Timer(None),
        }
    }

    /// Starts or goes on with the clock of a write that cannot go on.
    fn stalled<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing.0 = None;
            return written;
        }
        let at = match &self.writing.0 {
            Some(sleep) => sleep.deadline(),
            None => Instant::now() + STALL_MAX,
        };
        if self.writing.over(at, cx) {
            let text = format!("it did not read its answer for {} s", STALL_MAX.as_secs());
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)));
        }
        Poll::Pending
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buf) {
            if matches!(this.phase.get(), State::Idle(_)) && buf.filled().len() > before {
                this.phase.set(State::Head(Instant::now() + this.head));
            }
            return Poll::Ready(read);
        }
        let (at, text) = match this.phase.get() {
            State::Idle(Some(until)) => (until, "nothing came for too long"),
            State::Head(until) => (until, "its request did not come in time"),
            State::Idle(None) | State::Busy | State::Answered(_) => {
                this.reading.0 = None;
                return Poll::Pending;
            }
        };
        if this.reading.over(at, cx) {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)));
        }
        Poll::Pending
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.stalled(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.stalled(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        if flushed.is_ready()
            && let State::Answered(stays) = this.phase.get()
        {
            let until = Instant::now().checked_add(stays);
            let until = until.filter(|_| !stays.is_zero());
            this.phase.set(State::Idle(until));
            // Nobody reads before something comes, so the clock starts here.
            if let Some(until) = until
                && this.reading.over(until, cx)
            {
                cx.waker().wake_by_ref();
            }
        }
        this.stalled(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.stalled(cx, shut)
    }
}

/// A clock that is there only while it runs.
#[derive(Debug)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Whether it is later than that; if not, the task is woken then.
    fn over(&mut self, at: Instant, cx: &mut Context<'_>) -> bool {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx).is_ready()
    }
}
