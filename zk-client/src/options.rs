//! How a client connects.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use zk_proto::{HostPort, frame};

/// Longer than anybody waits, and short enough for a clock to reach it.
pub(crate) const FOREVER: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Finds the addresses of a server.
#[derive(Clone)]
pub(crate) struct Resolver(Arc<dyn Fn(HostPort) -> LookUp + Send + Sync>);

type LookUp = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

impl Resolver {
    pub(crate) fn look_up(&self, host: HostPort) -> LookUp {
        (self.0)(host)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// What a client is opened with. The defaults suit a service in a data centre.
#[derive(Clone)]
pub struct ConnectOptions {
    pub(crate) session_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) max_incoming_bytes: usize,
    pub(crate) max_outgoing_bytes: usize,
    pub(crate) max_requests: usize,
    pub(crate) auth: Vec<(String, Vec<u8>)>,
    pub(crate) read_only: bool,
    pub(crate) dedicated_thread: bool,
    pub(crate) resolver: Option<Resolver>,
    pub(crate) seed: Option<u64>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::tls::TlsOptions>,
    #[cfg(feature = "__sasl")]
    pub(crate) sasl: Option<crate::sasl::SaslOptions>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            session_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(15),
            request_timeout: Duration::from_secs(15),
            max_incoming_bytes: 4 * 1024 * 1024,
            max_outgoing_bytes: frame::DEFAULT_MAX_BYTES,
            max_requests: 100_000,
            auth: Vec::new(),
            read_only: false,
            dedicated_thread: false,
            resolver: None,
            seed: None,
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "__sasl")]
            sasl: None,
        }
    }
}

impl ConnectOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The session timeout to ask for, 30 s by default. The server clamps it, usually to 4 to 40 s.
    #[must_use]
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.session_timeout = timeout.min(FOREVER);
        self
    }

    /// How long [`Client::connect`](crate::Client::connect) tries all servers, 15 s by default.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout.min(FOREVER);
        self
    }

    /// How long a call waits for its answer, 15 s by default, time without a connection included.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout.min(FOREVER);
        self
    }

    /// The largest frame to accept, in bytes, 4 MiB by default. A larger one costs the connection.
    #[must_use]
    pub fn max_incoming_bytes(mut self, bytes: usize) -> Self {
        self.max_incoming_bytes = bytes;
        self
    }

    /// The largest frame to send, in bytes; the servers' own limit (`jute.maxbuffer`, 1048575) by default.
    #[must_use]
    pub fn max_outgoing_bytes(mut self, bytes: usize) -> Self {
        self.max_outgoing_bytes = bytes;
        self
    }

    /// How many requests may wait for an answer at once, 100,000 by default. One more is refused.
    #[must_use]
    pub fn max_requests(mut self, count: usize) -> Self {
        self.max_requests = count;
        self
    }

    /// Proves an identity at every connect, such as `("digest", "user:password")`.
    #[must_use]
    pub fn auth(mut self, scheme: impl Into<String>, credentials: impl Into<Vec<u8>>) -> Self {
        self.auth.push((scheme.into(), credentials.into()));
        self
    }

    /// Whether a server that is cut off from its ensemble, and allows it (`readonlymode.enabled`), may serve the session
    /// meanwhile. Not by default. The state is then [`SessionState::ConnectedReadOnly`](crate::SessionState): reads are
    /// answered from what that server knows, writes with `NotReadOnly`; a server that takes writes is looked for.
    ///
    /// What such a server gives depends on it: 3.4 goes on with sessions of the ensemble, later releases refuse those in
    /// read-only mode, and some give a new session only with `localSessionsEnabled`. The client tries them all the same.
    #[must_use]
    pub const fn read_only(mut self, allowed: bool) -> Self {
        self.read_only = allowed;
        self
    }

    /// Keeps the session on a thread of its own instead of a task of the caller's runtime, so that tasks which block that
    /// runtime cannot starve its pings. Not by default: every answer then crosses from one thread to another.
    #[must_use]
    pub const fn dedicated_thread(mut self, wanted: bool) -> Self {
        self.dedicated_thread = wanted;
        self
    }

    /// Looks up the addresses of a server by this function instead of the system's resolver, at every attempt to connect
    /// to it. All addresses are tried, in a random order.
    ///
    /// ```
    /// # use zk_client::{ConnectOptions, HostPort};
    /// let options = ConnectOptions::new().resolver(|server: HostPort| async move {
    ///     Ok(vec![([127, 0, 0, 1], server.port).into()])
    /// });
    /// ```
    #[must_use]
    pub fn resolver<F, L>(mut self, look_up: F) -> Self
    where
        F: Fn(HostPort) -> L + Send + Sync + 'static,
        L: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        self.resolver = Some(Resolver(Arc::new(move |host| Box::pin(look_up(host)))));
        self
    }

    /// Speaks TLS to every server; the connect string then names their `secureClientPort`.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: crate::tls::TlsOptions) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Proves an identity by SASL at every connect, before anything else is asked.
    #[cfg(feature = "__sasl")]
    #[must_use]
    pub fn sasl(mut self, sasl: crate::sasl::SaslOptions) -> Self {
        self.sasl = Some(sasl);
        self
    }

    /// The name of the SASL mechanism, where there is one to be used.
    #[cfg_attr(
        not(feature = "__sasl"),
        expect(clippy::unused_self, reason = "there is none")
    )]
    pub(crate) fn mechanism(&self) -> Option<&'static str> {
        #[cfg(feature = "__sasl")]
        return self.sasl.as_ref().map(crate::sasl::SaslOptions::mechanism);
        #[cfg(not(feature = "__sasl"))]
        None
    }

    /// Fixes the order in which servers are tried and the jitter of retries, for tests.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

/// Hides the credentials.
impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schemes: Vec<_> = self.auth.iter().map(|(scheme, _)| scheme).collect();
        f.debug_struct("ConnectOptions")
            .field("session_timeout", &self.session_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("auth", &schemes)
            .finish_non_exhaustive()
    }
}
