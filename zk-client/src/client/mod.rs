//! The handle: cheap to clone, one method a request.

mod acl;
mod call;
mod children;
mod create;
mod data;
mod inspect;
mod multi;
pub(crate) mod protected;
mod reconfig;
mod watch;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use zk_proto::{ConnectString, OpCode, SessionId, Zxid};

use crate::driver::{self, Shared};
use crate::error::{ConnectError, Error, Outcome, SessionEnd};
use crate::options::ConnectOptions;
use crate::session::{CallError, Config, Counters, Input, Session, SessionState};
pub use inspect::Identity;
pub use multi::{Op, OpResult, ReadOp, ReadResult};
pub use reconfig::Reconfig;
pub use watch::{PersistentWatch, Watch, WatchItem, WatchedEvent};

/// A ZooKeeper session. Clones share it; the last one dropped closes it.
#[derive(Debug, Clone)]
pub struct Client {
    handle: Arc<Handle>,
    request_timeout: Duration,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    /// Empty, or a path such as `/app`.
    chroot: String,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared
            .lock()
            .session
            .handle_input(driver::now(), Input::Close);
        self.shared.wake();
    }
}

impl Client {
    /// Connects to an ensemble, such as `zk1:2181,zk2:2181,zk3:2181/chroot`, with the default options, and waits until
    /// a server has given a session.
    ///
    /// # Errors
    /// The connect string is malformed, or no server gave a session within 15 s.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn connect(servers: &str) -> Result<Self, ConnectError> {
        Self::connect_with(servers, ConnectOptions::default()).await
    }

    /// Connects with options, and waits until a server has given a session.
    ///
    /// # Errors
    /// The connect string is malformed, the credentials were refused, or no server gave a session within
    /// [`ConnectOptions::connect_timeout`]: the error names every server and what it met.
    ///
    /// # Cancel safety
    /// Dropped before its end, it leaves no task behind, and a session that a server has given is closed.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn connect_with(
        servers: &str,
        options: ConnectOptions,
    ) -> Result<Self, ConnectError> {
        let limit = options.connect_timeout;
        let client = Self::open(servers, options)?;
        client.connected(limit).await?;
        Ok(client)
    }

    /// Opens a session without waiting for it. Reads that are asked at once travel right behind the connect request,
    /// which saves a round trip; other requests follow when the session stands.
    ///
    /// # Errors
    /// The connect string is malformed.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn open(servers: &str, options: ConnectOptions) -> Result<Self, ConnectError> {
        let ConnectString { hosts, chroot } = servers.parse()?;
        let count = u32::try_from(hosts.len()).unwrap_or(u32::MAX).max(1);
        let config = Config {
            session_timeout: options.session_timeout,
            attempt_timeout: (options.connect_timeout / count).clamp(ATTEMPT_MIN, ATTEMPT_MAX),
            max_incoming_bytes: options.max_incoming_bytes,
            max_outgoing_bytes: options.max_outgoing_bytes,
            max_requests: options.max_requests,
            auth: options.auth.clone(),
            sasl: options.mechanism(),
            read_only: options.read_only,
            seed: options.seed.unwrap_or_else(|| fastrand::u64(..)),
            hosts,
        };
        let shared = Arc::new(Shared::new(Session::new(config, driver::now()), &options));
        let driver = driver::run(Arc::clone(&shared));
        if options.dedicated_thread {
            driver::on_a_thread(driver)?;
        } else {
            tokio::spawn(driver);
        }
        let handle = Handle {
            shared,
            chroot: chroot.unwrap_or_default(),
        };
        Ok(Self {
            handle: Arc::new(handle),
            request_timeout: options.request_timeout,
        })
    }

    /// The same session with another deadline for the calls made through this handle
    /// ([`ConnectOptions::request_timeout`]).
    #[must_use]
    pub fn with_request_timeout(&self, timeout: Duration) -> Self {
        Self {
            handle: Arc::clone(&self.handle),
            request_timeout: timeout.min(crate::options::FOREVER),
        }
    }

    /// Waits until a server serves the session.
    ///
    /// # Errors
    /// That took longer than `limit`, or the session has ended.
    pub async fn connected(&self, limit: Duration) -> Result<(), ConnectError> {
        let start = driver::now();
        let mut state = self.handle.shared.state();
        let standing =
            state.wait_for(|state| state.is_connected() || matches!(state, SessionState::Ended(_)));
        match timeout(limit, standing).await {
            Ok(Ok(state)) => match &*state {
                SessionState::Ended(end) => Err(end.clone().into()),
                _ => Ok(()),
            },
            Ok(Err(_)) => Err(SessionEnd::Closed.into()),
            Err(_) => {
                let tried = self.handle.shared.lock().session.attempts().to_vec();
                Err(ConnectError::Unreachable {
                    tried,
                    elapsed: driver::now() - start,
                })
            }
        }
    }

    /// The session's states as they change. It ends with [`SessionState::Ended`].
    #[must_use]
    pub fn state(&self) -> tokio::sync::watch::Receiver<SessionState> {
        self.handle.shared.state()
    }

    /// The session's number; [`SessionId::NONE`] before a server has given one.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.handle.shared.lock().session.id()
    }

    /// The negotiated session timeout; the wished one before a server has answered.
    #[must_use]
    pub fn session_timeout(&self) -> Duration {
        self.handle.shared.lock().session.timeout()
    }

    /// The last transaction that this session has seen.
    #[must_use]
    pub fn last_zxid(&self) -> Zxid {
        self.handle.shared.lock().session.last_zxid()
    }

    /// What the session has done so far, and how much is under way, in numbers for an exporter of metrics.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.handle.shared.lock().session.counters()
    }

    /// Proves one more identity, such as `("digest", b"user:password")`, now and at every later connect. Returns when the
    /// server has taken it; requests made after the call are done under it.
    ///
    /// # Errors
    /// Refused credentials end the session, as they do when they are given at connect.
    ///
    /// # Cancel safety
    /// The identity stays with the session even if the future is dropped. The future has no deadline of its own: without
    /// a connection it waits for the next one.
    pub fn add_auth(
        &self,
        scheme: &str,
        credentials: &[u8],
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let (token, answer) = oneshot::channel();
        let shared = &self.handle.shared;
        let mut inner = shared.lock();
        inner
            .session
            .add_auth(driver::now(), scheme, credentials, token);
        if matches!(inner.session.state(), SessionState::Ended(_)) {
            while shared.deliver(&mut inner).is_some() {}
        }
        drop(inner);
        shared.wake();
        let (scheme, after) = (scheme.to_owned(), self.request_timeout);
        async move {
            match answer.await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(call::named(OpCode::AUTH, scheme, error, after)),
                Err(_) => {
                    let lost = CallError::Lost(Outcome::Unknown);
                    Err(call::named(OpCode::AUTH, scheme, lost, after))
                }
            }
        }
    }

    /// Closes the session: its ephemeral znodes go at once. Requests made before are answered first. Waits for the
    /// server's answer, two seconds at most. Every later call of any clone fails.
    ///
    /// # Cancel safety
    /// The session is closed even if the future is dropped.
    pub async fn close(&self) {
        let mut state = self.handle.shared.state();
        self.handle
            .shared
            .lock()
            .session
            .handle_input(driver::now(), Input::Close);
        self.handle.shared.wake();
        // The driver ends the session in any case: by the answer, the end of the connection, or its deadline.
        let _ = state
            .wait_for(|state| matches!(state, SessionState::Ended(_)))
            .await;
    }
}

/// Bounds of the time that one server may take to accept a connection and the session.
const ATTEMPT_MIN: Duration = Duration::from_millis(200);
const ATTEMPT_MAX: Duration = Duration::from_secs(5);
