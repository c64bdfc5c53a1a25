//! Where ZooKeeper is, and how a question is asked there once.

use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};
use zk_client::{
    Client, ConnectError, ConnectOptions, ConnectString, ConnectStringError, Error, ErrorCode,
    SessionEnd, path,
};

use crate::namespace::Namespace;

/// A ZooKeeper ensemble, and how long to try to reach it.
///
/// ```
/// use std::time::Duration;
/// use discovery::Ensemble;
///
/// let ensemble = Ensemble::new("zk1,zk2:2182/app")?.with_timeout(Duration::from_secs(5));
/// assert_eq!(ensemble.to_string(), "zk1:2181,zk2:2182/app");
/// # Ok::<(), discovery::zk_client::ConnectStringError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ensemble {
    /// In its normal form.
    servers: String,
    chroot: Option<String>,
    options: ConnectOptions,
    timeout: Duration,
}

impl Ensemble {
    /// Takes a connect string, such as `zk1:2181,zk2:2181,zk3:2181/chroot`.
    ///
    /// # Errors
    /// The text names no ensemble.
    pub fn new(servers: &str) -> Result<Self, ConnectStringError> {
        let parsed: ConnectString = servers.parse()?;
        Ok(Self {
            servers: parsed.to_string(),
            chroot: parsed.chroot,
            options: ConnectOptions::default(),
            timeout: Duration::from_secs(15),
        })
    }

    /// How sessions are opened: their timeout, credentials and limits. The connect timeout in it
    /// gives way to [`with_timeout`](Self::with_timeout).
    #[must_use]
    pub fn with_options(mut self, options: ConnectOptions) -> Self {
        self.options = options;
        self
    }

    /// How long one operation may take from its start to its end, connecting included: 15 s by
    /// default, as Hive's `hive.zookeeper.connection.timeout`.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        // Thirty years stand for "never": a clock must reach it.
        self.timeout = timeout.min(Duration::from_secs(30 * 365 * 86_400));
        self
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A session that has to live for long. It is not waited for.
    pub(crate) fn open(&self) -> Result<Client, LookupError> {
        self.open_with(self.options.clone())
    }

    fn open_with(&self, options: ConnectOptions) -> Result<Client, LookupError> {
        let options = options.connect_timeout(self.timeout);
        Client::open(&self.servers, options).map_err(LookupError::Unreachable)
    }

    /// The error for a time that ran out: nobody was reached, or a server did not answer.
    pub(crate) async fn out_of_time(
        &self,
        client: &Client,
        path: &str,
        elapsed: Duration,
    ) -> LookupError {
        match client.connected(Duration::ZERO).await {
            Ok(()) => LookupError::NoAnswer {
                servers: self.servers.clone(),
                path: path.to_owned(),
                elapsed,
            },
            Err(ConnectError::Unreachable { tried, .. }) => {
                LookupError::Unreachable(ConnectError::Unreachable { tried, elapsed })
            }
            Err(error) => LookupError::Unreachable(error),
        }
    }

    /// The error for an answer that is no use.
    pub(crate) fn refused(&self, source: Error) -> LookupError {
        LookupError::ZooKeeper {
            servers: self.servers.clone(),
            source,
        }
    }
}

/// The connect string, every port written out.
impl fmt::Display for Ensemble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.servers)
    }
}

/// Why ZooKeeper could not be asked about a namespace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// No server took the session in time.
    #[error("{}{}", .0, connect_advice(.0))]
    Unreachable(ConnectError),
    /// A server took the session and then did not answer in time.
    #[error(
        "ZooKeeper at {servers} gave no answer about {} within {elapsed:.1?}; try again, or allow more time",
        path.escape_debug()
    )]
    NoAnswer {
        /// The connect string.
        servers: String,
        /// The znode that was asked about.
        path: String,
        /// How long was tried.
        elapsed: Duration,
    },
    /// The namespace does not exist.
    #[error(
        "the namespace {namespace} does not exist in ZooKeeper at {servers}; {}",
        Beside { parent, names: beside }
    )]
    NoNamespace {
        /// The connect string.
        servers: String,
        /// The namespace's path.
        namespace: String,
        /// The lowest znode above it that exists.
        parent: String,
        /// The znodes below `parent`, by name and in order, without ZooKeeper's own.
        beside: Vec<String>,
    },
    /// The connect string ends in a path that does not exist.
    #[error(
        "{chroot}, at the end of the connect string {servers}, does not exist; leave it out or create it"
    )]
    NoChroot {
        /// The connect string.
        servers: String,
        /// Its path.
        chroot: String,
    },
    /// A server refused, or the session ended.
    #[error("ZooKeeper at {servers}: {source}{}", advice(source))]
    ZooKeeper {
        /// The connect string.
        servers: String,
        /// What the server or the client said.
        source: Error,
    },
}

impl LookupError {
    /// What the server answered, where it refused.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::ZooKeeper { source, .. } => source.code(),
            _ => None,
        }
    }

    pub(crate) fn is_no_node(&self) -> bool {
        self.code() == Some(ErrorCode::NO_NODE)
    }
}

/// Whether the same call may succeed later, on this session or, when it is about to end, the next.
pub(crate) fn is_passing(error: &Error) -> bool {
    error.is_transient() || error.code() == Some(ErrorCode::SESSION_EXPIRED)
}

fn connect_advice(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::SessionEnded(SessionEnd::AuthFailed(_)) => "; correct the credentials",
        _ => "; check the connect string, and that ZooKeeper runs there",
    }
}

fn advice(error: &Error) -> &'static str {
    match (error.code(), error.session_end()) {
        (Some(ErrorCode::NO_AUTH), _) => {
            "; the ACL there does not give this client the right: connect with other credentials"
        }
        (_, Some(SessionEnd::AuthFailed(_))) => "; correct the credentials",
        _ => "",
    }
}

/// Names of znodes, as many as a line has room for.
struct Beside<'a> {
    parent: &'a str,
    names: &'a [String],
}

impl fmt::Display for Beside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 10;
        let parent = self.parent;
        if self.names.is_empty() {
            return write!(
                f,
                "nothing is below {parent} yet: start a server that registers there"
            );
        }
        write!(f, "below {parent} there is ")?;
        for (index, name) in self.names.iter().take(SHOWN_MAX).enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{}", name.escape_debug())?;
        }
        match self.names.len().saturating_sub(SHOWN_MAX) {
            0 => f.write_str(": give the right one"),
            more => write!(f, " and {more} more: give the right one"),
        }
    }
}

/// One operation: a session opened for it, and the time it has.
///
/// What is asked here may be asked again (reads, and deletes of names that never come back), so a
/// lost connection or session costs time and nothing else.
#[derive(Debug)]
pub(crate) struct Lookup {
    ensemble: Ensemble,
    client: Client,
    started: Instant,
}

/// The pause before a question is repeated on another connection.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

impl Lookup {
    /// Opens a session. What is asked next leaves right behind the connect request.
    pub(crate) fn open(ensemble: &Ensemble) -> Result<Self, LookupError> {
        Ok(Self {
            client: Self::session(ensemble)?,
            ensemble: ensemble.clone(),
            started: Instant::now(),
        })
    }

    fn session(ensemble: &Ensemble) -> Result<Client, LookupError> {
        ensemble.open_with(ensemble.options.clone().request_timeout(ensemble.timeout))
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn ensemble(&self) -> &Ensemble {
        &self.ensemble
    }

    /// Gives the next questions the whole time again.
    pub(crate) fn restart(&mut self) {
        self.started = Instant::now();
    }

    /// Asks until there is an answer or the time is over.
    pub(crate) async fn ask<T, F>(
        &mut self,
        path: &str,
        question: impl Fn(&Client) -> F,
    ) -> Result<T, LookupError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let first = question(&self.client);
        self.answer(path, first, question).await
    }

    /// As [`ask`](Self::ask), for a question that is on its way already.
    pub(crate) async fn answer<T, F>(
        &mut self,
        path: &str,
        first: F,
        again: impl Fn(&Client) -> F,
    ) -> Result<T, LookupError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let deadline = self.started + self.ensemble.timeout;
        let mut answer = first;
        loop {
            let error = match timeout_at(deadline.into(), answer).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => error,
                Err(_) => return Err(self.out_of_time(path).await),
            };
            match error.session_end() {
                Some(SessionEnd::Expired(_) | SessionEnd::GivenUp { .. }) => {
                    self.client = Self::session(&self.ensemble)?;
                }
                _ if is_passing(&error) => {}
                _ => return Err(self.ensemble.refused(error)),
            }
            if Instant::now() >= deadline {
                return Err(self.out_of_time(path).await);
            }
            sleep(RETRY_PAUSE).await;
            answer = again(&self.client);
        }
    }

    /// Closes the session and waits for that, two seconds at most: for programs about to end.
    pub(crate) async fn close(self) {
        self.client.close().await;
    }

    async fn out_of_time(&self, path: &str) -> LookupError {
        let elapsed = self.started.elapsed();
        self.ensemble.out_of_time(&self.client, path, elapsed).await
    }

    /// The error for a namespace that does not exist: it says what there is instead.
    pub(crate) async fn no_namespace(&mut self, namespace: &Namespace) -> LookupError {
        let namespace = namespace.path();
        let mut upper = namespace.as_str();
        while let Some(parent) = path::parent(upper) {
            upper = parent;
            match self.ask(parent, |client| client.get_children(parent)).await {
                Ok(children) => {
                    let mut beside = children.to_vec();
                    if parent == "/" {
                        beside.retain(|name| name != "zookeeper");
                    }
                    beside.sort();
                    return LookupError::NoNamespace {
                        servers: self.ensemble.servers.clone(),
                        parent: parent.to_owned(),
                        namespace,
                        beside,
                    };
                }
                Err(error) if error.is_no_node() => {}
                Err(error) => return error,
            }
        }
        LookupError::NoChroot {
            servers: self.ensemble.servers.clone(),
            chroot: self.ensemble.chroot.clone().unwrap_or_default(),
        }
    }
}
