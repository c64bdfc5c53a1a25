//! Being on the list: a znode that lives as long as the instance wants, and no longer.
//!
//! ```text
//!                 session opened          no znode of ours
//!        ┌─► Open ──────────────► Look ◄──────────────────► Create
//!        │                         │   created, or who knows   │
//!        │               found     ▼        created            │
//!        │    ┌─────────────────► Hold ◄───────────────────────┘
//!        │    │ data changed,   │  │  (Registered)
//!        │    └─────────────────┘  │ znode gone
//!        │                         ▼
//!        └── session over ────── Judge ── the same session answers ──► Over (Deregistered by Other)
//!         (from every state)
//! ```
//!
//! # Why a deleted znode is never created again, and a lost one always
//! Deleting an instance's znode is how an administrator takes it off the list: an order. A session
//! that expired is an accident: the process was paused, or the network was away. Hive 3 and Kyuubi
//! mix them up, so that deregistering has no effect after a reconnect (HIVE-24713, HIVE-25846,
//! kyuubi#7556).
//!
//! The event alone does not tell them apart: expiry deletes the znode too, and the dying connection
//! may still deliver that. So the same session is asked something (`sync`, which the leader answers
//! only for a living session). An answer makes it an order; the end of the session an accident.
//!
//! # Never two znodes, never none
//! When the answer to `create` is lost, nobody knows the new znode's number. So before each
//! `create`, the children with this instance's endpoint and version are looked at: one that the
//! current session owns is ours already. One that an earlier session of ours owns is deleted:
//! a session that was given up by the client's clock may live on at the server, which restarts the
//! clocks of all sessions when it restarts itself.
//!
//! A znode that is created again gets a new number; Hive keeps the old one.

mod state;
mod task;

use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use zk_client::{Client, Error, ErrorCode};

use crate::endpoint::Endpoint;
use crate::ensemble::{Ensemble, LookupError};
use crate::error::{DataError, NameError};
use crate::instance::InstanceName;
use crate::namespace::Namespace;
use crate::published::InstanceData;
pub use state::DeregisteredBy;
use task::{Leave, Task};

/// An instance to register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInstance {
    /// Where it listens, in its znode's name. Clients must reach it: no wildcard, no loopback.
    pub endpoint: Endpoint,
    /// Its version, in its znode's name. It is what [`deregister`](crate::deregister()) goes by.
    pub version: String,
    /// Its znode's data, which must agree with the endpoint: some clients read the one, some the
    /// other.
    pub data: InstanceData,
}

/// Where a registration stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistrationState {
    /// Not on the list; trying.
    Registering {
        /// What ZooKeeper last refused, while it does.
        failure: Option<RegisterError>,
    },
    /// On the list. It stays in this state while the connection is away, for as long as the session
    /// may live.
    Registered {
        /// The znode.
        path: String,
    },
    /// Off the list for good. New clients come no more; the instance drains.
    Deregistered {
        /// Who did it.
        by: DeregisteredBy,
    },
}

/// Why an instance cannot register.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// No znode can have that name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The data cannot be written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// ZooKeeper was not reached, or it did not answer.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// ZooKeeper refused.
    #[error("cannot register in {namespace}: {source}{}", advice(source))]
    Refused {
        /// The namespace's path.
        namespace: String,
        /// What it said.
        source: Error,
    },
}

fn advice(source: &Error) -> &'static str {
    match source.code() {
        Some(ErrorCode::NO_AUTH) => {
            "; the ACLs there must give this server CREATE and READ: connect with other credentials"
        }
        Some(ErrorCode::NO_NODE) => "; create the path at the end of the connect string first",
        Some(ErrorCode::NO_CHILDREN_FOR_EPHEMERALS) => {
            "; the namespace is itself an ephemeral znode: choose another"
        }
        _ => "",
    }
}

/// An instance on the list, kept there by a task of its own over any number of sessions.
///
/// Dropped, its session is closed in the background, so that the znode goes at once.
#[derive(Debug)]
pub struct Registration {
    state: watch::Receiver<RegistrationState>,
    leave: oneshot::Sender<Leave>,
    timeout: Duration,
}

impl Registration {
    /// Registers an instance, and waits until it is on the list. The namespace is created where it
    /// is missing, all its levels open to everyone.
    ///
    /// ```
    /// use discovery::{Endpoint, Ensemble, InstanceData, Namespace, NewInstance, Registration};
    /// use discovery::RegistrationState;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = zk_server::Server::start("127.0.0.1:0", zk_server::ServerOptions::default()).await?;
    /// # let servers = server.connect_string();
    ///
    /// let ensemble = Ensemble::new(&servers)?; // "zk1:2181,zk2:2181,zk3:2181"
    /// let endpoint = Endpoint::new("h1", 10000)?;
    /// let instance = NewInstance {
    ///     data: InstanceData::HostPort(endpoint.clone()),
    ///     endpoint,
    ///     version: "4.0.1".into(),
    /// };
    /// let registration = Registration::register(&ensemble, &Namespace::default(), &instance).await?;
    /// let path = "/hiveserver2/serverUri=h1:10000;version=4.0.1;sequence=0000000000".into();
    /// assert_eq!(*registration.state().borrow(), RegistrationState::Registered { path });
    /// registration.deregister().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// See [`RegisterError`]. It takes no longer than [`Ensemble::with_timeout`]; afterwards nothing
    /// is left running. To keep trying, use [`start`](Self::start).
    ///
    /// # Cancel safety
    /// Dropped before its end, nothing is left running, and a znode that was created goes at once.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn register(
        ensemble: &Ensemble,
        namespace: &Namespace,
        instance: &NewInstance,
    ) -> Result<Self, RegisterError> {
        let started = Instant::now();
        let (registration, client) = Self::spawn(ensemble, namespace, instance)?;
        let mut state = registration.state.clone();
        let settled =
            state.wait_for(|state| *state != RegistrationState::Registering { failure: None });
        if let Ok(Ok(state)) = timeout(ensemble.timeout(), settled).await {
            if let RegistrationState::Registering {
                failure: Some(failure),
            } = &*state
            {
                return Err(failure.clone());
            }
        } else {
            let (path, elapsed) = (namespace.path(), started.elapsed());
            return Err(ensemble.out_of_time(&client, &path, elapsed).await.into());
        }
        Ok(registration)
    }

    /// Begins to register an instance and does not wait: it goes on until it succeeds, whatever
    /// ZooKeeper says. [`state`](Self::state) tells.
    ///
    /// # Errors
    /// [`RegisterError::Name`] and [`RegisterError::Data`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(
        ensemble: &Ensemble,
        namespace: &Namespace,
        instance: &NewInstance,
    ) -> Result<Self, RegisterError> {
        Ok(Self::spawn(ensemble, namespace, instance)?.0)
    }

    fn spawn(
        ensemble: &Ensemble,
        namespace: &Namespace,
        instance: &NewInstance,
    ) -> Result<(Self, Client), RegisterError> {
        let prefix = InstanceName::prefix(&instance.endpoint, &instance.version)?;
        let data = instance.data.to_text()?;
        let client = ensemble.open()?;
        let (leave, asked) = oneshot::channel();
        let (task, state) = Task::new(ensemble, namespace, prefix, data, client.clone());
        tokio::spawn(task.run(asked));
        let registration = Self {
            state,
            leave,
            timeout: ensemble.timeout(),
        };
        Ok((registration, client))
    }

    /// Where the registration stands, as it changes. Changes that come close together may be seen
    /// as one.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<RegistrationState> {
        self.state.clone()
    }

    /// Takes the instance off the list: deletes its znode, which others see before this returns,
    /// and closes the session. It is no error if somebody else has done so before.
    ///
    /// # Errors
    /// ZooKeeper was not reached within [`Ensemble::with_timeout`], or refused. The znode then goes
    /// with its session, after the session timeout.
    ///
    /// # Cancel safety
    /// The instance is taken off the list all the same.
    pub async fn deregister(self) -> Result<(), LookupError> {
        let (done, result) = oneshot::channel();
        let deadline = Instant::now() + self.timeout;
        if self.leave.send(Leave { deadline, done }).is_err() {
            return Ok(());
        }
        // No result: the znode was deleted by somebody else meanwhile, or the runtime has ended and
        // the session with it.
        result.await.unwrap_or(Ok(()))
    }
}
