//! What all calls have in common: the request leaves at once, the answer is awaited with a deadline.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::coop::unconstrained;
use zk_proto::record::Request;
use zk_proto::{DecodeError, ErrorCode, OpCode};

use super::Client;
use crate::driver::{self, Shared, Sink};
use crate::error::{Error, Outcome};
use crate::session::{CallError, CallId, Reply, SessionState, WatchKind, WatcherId};

impl Client {
    /// The server's path of a caller's path.
    pub(super) fn full<'a>(&self, path: &'a str) -> Cow<'a, str> {
        match self.handle.chroot.as_str() {
            "" => Cow::Borrowed(path),
            chroot if path == "/" => Cow::Owned(chroot.to_owned()),
            chroot => Cow::Owned(format!("{chroot}{path}")),
        }
    }

    pub(super) fn chroot(&self) -> &str {
        &self.handle.chroot
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// Sends a request and returns the future of its answer. `path` is the caller's, for errors.
    pub(super) fn call<R, D>(
        &self,
        path: &str,
        request: &Request<'_>,
        watch: Option<(WatchKind, String, WatcherId, Sink)>,
        decode: D,
    ) -> impl Future<Output = Result<R, Error>> + Send + use<R, D>
    where
        D: FnOnce(&Bytes) -> Result<R, DecodeError> + Send,
    {
        let timeout = self.request_timeout;
        send(&self.handle.shared, timeout, path, request, watch, decode)
    }
}

/// Sends a request of a session, see [`Client::call`].
pub(super) fn send<R, D>(
    shared: &Arc<Shared>,
    timeout: Duration,
    path: &str,
    request: &Request<'_>,
    watch: Option<(WatchKind, String, WatcherId, Sink)>,
    decode: D,
) -> impl Future<Output = Result<R, Error>> + Send + use<R, D>
where
    D: FnOnce(&Bytes) -> Result<R, DecodeError> + Send,
{
    let op = request.opcode();
    let path = path.to_owned();
    let mut call = Call::start(shared, request, watch, timeout);
    async move {
        // Tokio has a task yield after a number of answers that are there, and asks those behind them again and again:
        // with very many awaited together, that is most of the work. A call makes no work that would starve others.
        match unconstrained(&mut call.answer).await {
            Ok(Ok(reply)) => {
                decode(&reply.body).map_err(|source| Error::Answer { op, path, source })
            }
            Ok(Err(error)) => Err(named(op, path, error, timeout)),
            // The driver answers every request before it goes.
            Err(_) => Err(named(op, path, CallError::Lost(Outcome::Unknown), timeout)),
        }
    }
}

/// A request under way. Dropped, it is withdrawn if it has not left.
struct Call {
    shared: Arc<Shared>,
    id: CallId,
    answer: oneshot::Receiver<Result<Reply, CallError>>,
}

impl Call {
    fn start(
        shared: &Arc<Shared>,
        request: &Request<'_>,
        watch: Option<(WatchKind, String, WatcherId, Sink)>,
        timeout: Duration,
    ) -> Self {
        let (reply, answer) = oneshot::channel();
        let now = driver::now();
        let mut guard = shared.lock();
        let inner = &mut *guard;
        let watch = watch.map(|(kind, path, watcher, sink)| {
            inner.watchers.insert(watcher, sink);
            (kind, path, watcher)
        });
        let deadline = Some(now + timeout);
        let id = inner.session.submit(now, request, watch, deadline, reply);
        if matches!(inner.session.state(), SessionState::Ended(_)) {
            // The driver has gone: the refusal is delivered here.
            while shared.deliver(inner).is_some() {}
        }
        drop(guard);
        shared.wake();
        Self {
            shared: Arc::clone(shared),
            id,
            answer,
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.answer.is_terminated() {
            self.shared.lock().session.withdraw(self.id);
        }
    }
}

/// The caller's path of a server's path.
pub(super) fn strip(chroot: &str, path: &str) -> String {
    match path.strip_prefix(chroot) {
        Some("") => "/".to_owned(),
        Some(rest) if rest.starts_with('/') => rest.to_owned(),
        _ => path.to_owned(),
    }
}

/// The caller's error. `after` is the call's deadline.
pub(super) fn named(op: OpCode, path: String, error: CallError, after: Duration) -> Error {
    match error {
        CallError::Server(code) => Error::Server { op, path, code },
        CallError::Lost(outcome) => Error::ConnectionLoss { op, path, outcome },
        CallError::Deadline(outcome) => Error::Deadline {
            op,
            path,
            after,
            outcome,
        },
        CallError::Unsupported { needed, server } => Error::Unsupported { op, needed, server },
        CallError::Ended(end, outcome) => Error::SessionEnded {
            op,
            path,
            end,
            outcome,
        },
        CallError::TooLarge(source) => Error::TooLarge { op, path, source },
        CallError::TooMany(limit) => Error::TooManyRequests { op, path, limit },
    }
}

/// Reads "does not exist" as `None`.
pub(super) fn optional<R>(result: Result<R, Error>) -> Result<Option<R>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Server {
            code: ErrorCode::NO_NODE,
            ..
        }) => Ok(None),
        Err(error) => Err(error),
    }
}
