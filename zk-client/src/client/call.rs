//! What all calls have in common: the request leaves at once, the answer is awaited with a deadline.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;
use zk_proto::record::Request;
use zk_proto::{DecodeError, ErrorCode, OpCode};

use super::Client;
use crate::driver::{self, Shared, Sink, Token};
use crate::error::{Error, Outcome};
use crate::session::{CallError, Reply, SessionState, WatchKind, WatcherId, is_read};

impl Client {
    /// The server's path of a caller's path.
    pub(super) fn full<'a>(&self, path: &'a str) -> Cow<'a, str> {
        match self.handle.chroot.as_str() {
            "" => Cow::Borrowed(path),
            chroot if path == "/" => Cow::Owned(chroot.to_owned()),
            chroot => Cow::Owned(format!("{chroot}{path}")),
        }
    }

    /// The caller's path of a server's path.
    pub(super) fn stripped(&self, path: &str) -> String {
        strip(&self.handle.chroot, path)
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
        let op = request.opcode();
        let path = path.to_owned();
        let after = self.handle.request_timeout;
        let deadline = driver::now() + after;
        let mut call = Call::start(&self.handle.shared, request, watch);
        async move {
            let answer = tokio::time::timeout_at(deadline.into(), &mut call.answer).await;
            match answer {
                Ok(Ok(Ok(reply))) => {
                    decode(&reply.body).map_err(|source| Error::Answer { op, path, source })
                }
                Ok(Ok(Err(error))) => Err(named(op, path, error)),
                // The driver answers every request before it goes.
                Ok(Err(_)) => Err(named(op, path, CallError::Lost(Outcome::Unknown))),
                Err(_) => {
                    let outcome = if call.withdraw() || is_read(op) {
                        Outcome::NotApplied
                    } else {
                        Outcome::Unknown
                    };
                    Err(Error::Deadline {
                        op,
                        path,
                        after,
                        outcome,
                    })
                }
            }
        }
    }
}

/// A request under way. Dropped, it is withdrawn if it has not left.
struct Call {
    shared: Arc<Shared>,
    id: u64,
    answer: oneshot::Receiver<Result<Reply, CallError>>,
}

impl Call {
    fn start(
        shared: &Arc<Shared>,
        request: &Request<'_>,
        watch: Option<(WatchKind, String, WatcherId, Sink)>,
    ) -> Self {
        let (reply, answer) = oneshot::channel();
        let mut guard = shared.lock();
        let inner = &mut *guard;
        let id = inner.take_id();
        let watch = watch.map(|(kind, path, watcher, sink)| {
            inner.watchers.insert(watcher, sink);
            (kind, path, watcher)
        });
        inner
            .session
            .submit(driver::now(), request, watch, Token { call: id, reply });
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

    /// Takes the request back; true when nothing of it has left.
    fn withdraw(&self) -> bool {
        let mut inner = self.shared.lock();
        let waits = inner.session.is_waiting(|token| token.call == self.id);
        if waits {
            inner.session.withdraw(|token| token.call == self.id);
        }
        waits
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.answer.is_terminated() {
            self.withdraw();
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

fn named(op: OpCode, path: String, error: CallError) -> Error {
    match error {
        CallError::Server(code) => Error::Server { op, path, code },
        CallError::Lost(outcome) => Error::ConnectionLoss { op, path, outcome },
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
