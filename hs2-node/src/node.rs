//! A running node: its port, its sessions, and its place in ZooKeeper.

use discovery::{DeregisteredBy, RegisterError, Registration, RegistrationState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{interval, timeout};

use crate::auth::Authenticator;
use crate::config::{Config, TransportMode};
use crate::drain::{NewRegistration, register};
use crate::engine::Engine;
use crate::listener::{self, Port, SecurityError};
use crate::operation::Runner;
use crate::service::Service;
use crate::spool::{SpoolDir, SpoolError};

/// A HiveServer2 on a port of this process.
///
/// Dropped, it stops at once. To leave in good order there is [`Node::drain`].
#[derive(Debug)]
pub struct Node {
    /// The first is the one that it is known by; there is always one.
    addresses: Vec<SocketAddr>,
    service: Arc<Service>,
    stop: watch::Sender<bool>,
    ports: Vec<JoinHandle<()>>,
    housekeeping: JoinHandle<()>,
    registration: Option<Registration>,
}

/// Why a node cannot start or register.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The port cannot be had.
    #[error(
        "cannot listen on {address}: {source}; choose another one, port 0 takes any that is free"
    )]
    Listen {
        /// What was asked for.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// The folder for results cannot be had.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The certificate, or the check of passwords, cannot be had.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// The registration's settings name no ensemble, namespace, address or version.
    #[error("cannot register: {0}")]
    Settings(String),
    /// ZooKeeper was not reached, or refused.
    #[error(transparent)]
    Register(Box<RegisterError>),
}

/// How a drained node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every session was closed by its client.
    Clean,
    /// The time was over; so many sessions were cut.
    Cut {
        /// Sessions that were still open.
        sessions: usize,
    },
}

impl Node {
    /// Starts to listen, with `version` as what the node says it is. Clients that know the address are served from
    /// now; to be found there is [`Node::register`].
    ///
    /// # Errors
    /// The ports, the folder for results, or the certificate cannot be had, or the settings choose a check of passwords
    /// that cannot be made.
    pub async fn start(
        config: Config,
        version: &str,
        engine: Arc<dyn Engine>,
    ) -> Result<Self, NodeError> {
        Self::start_with(config, version, engine, None).await
    }

    /// Starts to listen, with a check of passwords of the program's own: it is asked where
    /// `hive.server2.authentication` is CUSTOM.
    ///
    /// # Errors
    /// The ports, the folder for results, the certificate or the check of passwords cannot be had.
    pub async fn start_with(
        config: Config,
        version: &str,
        engine: Arc<dyn Engine>,
        authenticator: Option<Arc<dyn Authenticator>>,
    ) -> Result<Self, NodeError> {
        let scratch = config.scratch_folder();
        let limits = config.spool_limits();
        let open = move || SpoolDir::open_with(&scratch, limits);
        let spool = spawn_blocking(open).await;
        let spool = spool.map_err(|error| NodeError::Settings(error.to_string()))??;
        let listeners = listen(&config).await?;
        let runner = Runner::new(
            spool,
            config.operations_running_max,
            config.operations_waiting_max,
        );
        let service = Arc::new(Service::new(config, version.to_owned(), engine, runner));
        let ports_service = Arc::clone(&service);
        // Certificates, passwords and keytabs are files.
        let port = spawn_blocking(move || Port::new(ports_service, authenticator)).await;
        let port = port.map_err(|error| NodeError::Settings(error.to_string()))??;
        let (stop, stopped) = watch::channel(false);
        let mut addresses = Vec::new();
        let mut ports = Vec::new();
        for (address, listener) in listeners {
            addresses.push(address);
            let serving = listener::serve(listener, Arc::clone(&port), stopped.clone());
            ports.push(tokio::spawn(serving));
        }
        let housekeeping = tokio::spawn(close_idle(Arc::clone(&service)));
        Ok(Self {
            addresses,
            service,
            stop,
            ports,
            housekeeping,
            registration: None,
        })
    }

    /// Where it listens: the address that it is known by. In the mode `all` there may be another port, for which see
    /// [`Node::addresses`].
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
        self.addresses.first().copied().unwrap_or(unspecified)
    }

    /// Every address where it listens.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How many sessions are open, as it changes.
    #[must_use]
    pub fn sessions(&self) -> watch::Receiver<usize> {
        self.service.sessions.count()
    }

    /// Registers in the ensemble of its settings (`hive.zookeeper.quorum`), and says under which path. It stays
    /// registered over lost connections and expired sessions, until [`Node::drain`], or until somebody deletes the
    /// znode, which is an order to drain: see [`Node::removed`].
    ///
    /// # Errors
    /// The settings name no ensemble, or it was not reached in time, or refused.
    pub async fn register(&mut self) -> Result<String, NodeError> {
        let NewRegistration {
            ensemble,
            namespace,
            instance,
        } = register(&self.service.config, &self.service.version, self.address())?;
        let registration = Registration::register(&ensemble, &namespace, &instance).await;
        let registration = registration.map_err(|error| NodeError::Register(Box::new(error)))?;
        let mut state = registration.state();
        let registered = state
            .wait_for(|state| {
                matches!(
                    state,
                    RegistrationState::Registered { .. } | RegistrationState::Deregistered { .. }
                )
            })
            .await;
        let path = match registered.as_deref() {
            Ok(RegistrationState::Registered { path }) => path.clone(),
            // Deleted as soon as it was there.
            _ => namespace.path(),
        };
        drop(registered);
        tracing::info!(path, "registered");
        self.registration = Some(registration);
        Ok(path)
    }

    /// Waits until somebody has deleted the node's znode and its last session is closed; forever if it never
    /// registered. Until then connections and sessions by address are taken as before, as in Hive: who deletes a
    /// znode takes the node off the list and no more.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn removed(&self) {
        let Some(registration) = &self.registration else {
            return std::future::pending().await;
        };
        let mut state = registration.state();
        let other = |state: &RegistrationState| {
            *state
                == RegistrationState::Deregistered {
                    by: DeregisteredBy::Other,
                }
        };
        if state.wait_for(other).await.is_err() {
            return std::future::pending().await;
        }
        tracing::warn!("the znode was deleted: this node stops when its last session is closed");
        self.service.sessions.retire();
        no_session_left(self.sessions()).await;
    }

    /// Leaves in good order: takes itself off the list, opens no sessions any more, waits until those that are open
    /// are closed by their clients, but no longer than `hive.server2.graceful.stop.timeout`, and stops.
    ///
    /// # Cancel safety
    /// Dropped before its end, the node stops at once.
    pub async fn drain(mut self) -> Drained {
        self.service.leave();
        let registration = self.registration.take();
        let patience = self.service.config.graceful_stop_timeout;
        tracing::info!(?patience, "taking no new sessions");
        let empty = timeout(patience, no_session_left(self.sessions()));
        // A ZooKeeper that does not answer takes time too, and open sessions need not wait for it.
        let (empty, ()) = tokio::join!(async { empty.await.is_ok() }, deregister(registration));
        let left = *self.sessions().borrow();
        self.stop().await;
        if empty {
            Drained::Clean
        } else {
            Drained::Cut { sessions: left }
        }
    }

    /// Stops at once: sessions are cut, their statements stopped, result files removed.
    ///
    /// # Cancel safety
    /// The node stops all the same.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        self.service.leave();
        self.service.sessions.close_all();
        for port in std::mem::take(&mut self.ports) {
            // A panic there is logged by the runtime; the node ends all the same.
            let _ = port.await;
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.housekeeping.abort();
        self.service.sessions.close_all();
    }
}

/// The ports of the settings, the one that the node is known by first.
async fn listen(config: &Config) -> Result<Vec<(SocketAddr, TcpListener)>, NodeError> {
    let mut ports = match config.transport_mode {
        TransportMode::Binary => vec![config.port],
        TransportMode::Http => vec![config.http_port],
        TransportMode::All => vec![config.port, config.http_port],
    };
    ports.dedup();
    let mut listeners = Vec::new();
    for port in ports {
        let failed = |source| NodeError::Listen {
            address: format!("{}:{port}", config.bind_host),
            source,
        };
        let listener = TcpListener::bind((config.bind_host.as_str(), port)).await;
        let listener = listener.map_err(failed)?;
        listeners.push((listener.local_addr().map_err(failed)?, listener));
    }
    Ok(listeners)
}

/// Waits until no session is open, and tells the log from time to time how many are.
async fn no_session_left(mut sessions: watch::Receiver<usize>) {
    let mut told = 0;
    loop {
        let left = *sessions.borrow_and_update();
        if left != told && left > 0 {
            tracing::info!(sessions = left, "waiting for open sessions");
            told = left;
        }
        let none = sessions.wait_for(|sessions| *sessions == 0);
        // The sender lives in the service, so that an error is an end as well.
        if timeout(TELL_EVERY, none).await.is_ok() {
            return;
        }
    }
}

async fn deregister(registration: Option<Registration>) {
    let Some(registration) = registration else {
        return;
    };
    match registration.deregister().await {
        Ok(()) => tracing::info!("deregistered"),
        // The znode goes with its session; clients that still come are told to go elsewhere.
        Err(error) => tracing::warn!(%error, "not deregistered"),
    }
}

/// How often the log says for how many sessions a node waits that leaves.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// A result that is not fetched from for so long gives back its memory.
const PAGE_IDLE_MAX: Duration = Duration::from_secs(30);

/// Looks for what is idle from time to time.
async fn close_idle(service: Arc<Service>) {
    let every = service.config.session_check_interval;
    let mut ticks = interval(every.clamp(Duration::from_millis(100), PAGE_IDLE_MAX));
    loop {
        ticks.tick().await;
        service.sessions.release_pages(PAGE_IDLE_MAX);
        let config = &service.config;
        let (mut session, operation) = (config.idle_session_timeout, config.idle_operation_timeout);
        if service.sessions.is_retiring() {
            // A client that has vanished without a word should not keep the node for days.
            let patience = config.graceful_stop_timeout.max(Duration::from_secs(1));
            let never = session.is_zero();
            session = if never {
                patience
            } else {
                session.min(patience)
            };
        }
        service.sessions.close_idle(session, operation);
    }
}
