//! The handle: cheap to clone, one method a request.

mod call;
mod children;
mod create;
mod data;
pub(crate) mod protected;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use zk_proto::{ConnectString, SessionId, Zxid};

use crate::driver::{self, Shared};
use crate::error::{ConnectError, SessionEnd};
use crate::options::ConnectOptions;
use crate::session::{Config, Input, Session, SessionState};
pub use watch::{PersistentWatch, Watch, WatchItem, WatchedEvent};

/// A ZooKeeper session. Clones share it; the last one dropped closes it.
#[derive(Debug, Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    /// Empty, or a path such as `/app`.
    chroot: String,
    request_timeout: Duration,
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
            auth: options.auth,
            seed: options.seed.unwrap_or_else(|| fastrand::u64(..)),
            hosts,
        };
        let shared = Arc::new(Shared::new(Session::new(config, driver::now())));
        tokio::spawn(driver::run(Arc::clone(&shared)));
        let handle = Handle {
            shared,
            chroot: chroot.unwrap_or_default(),
            request_timeout: options.request_timeout,
        };
        Ok(Self {
            handle: Arc::new(handle),
        })
    }

    /// Waits until a server serves the session.
    ///
    /// # Errors
    /// That took longer than `limit`, or the session has ended.
    pub async fn connected(&self, limit: Duration) -> Result<(), ConnectError> {
        let start = driver::now();
        let mut state = self.handle.shared.state();
        let standing = state
            .wait_for(|state| matches!(state, SessionState::Connected | SessionState::Ended(_)));
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
