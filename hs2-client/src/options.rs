//! How to connect, and what a session begins with.

#[cfg(feature = "tls")]
use crate::transport::Tls;
use arrow_schema::TimeUnit;
use hs2_proto::tcli::ProtocolVersion;
use std::fmt;
use std::time::Duration;

/// How the client says who it is. `Debug` hides passwords.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Auth {
    /// SASL PLAIN: what servers with authentication NONE, LDAP, PAM and CUSTOM want. Where user or password is empty,
    /// `anonymous` is sent, as Hive's driver does: real servers refuse empty ones even where they check nothing.
    Plain {
        /// Who logs in.
        user: String,
        /// The password.
        password: String,
    },
    /// No SASL layer: what servers with authentication NOSASL want.
    NoSasl {
        /// Sent with OpenSession, unchecked.
        user: String,
    },
    /// SASL GSSAPI: what servers with authentication KERBEROS want. The user is the one of the environment's tickets:
    /// `kinit`'s cache (`KRB5CCNAME`), or a keytab (`KRB5_CLIENT_KTNAME`), from which tickets are fetched as needed.
    #[cfg(feature = "gssapi")]
    Kerberos {
        /// The server's principal, such as `hive/_HOST@EXAMPLE.COM`: `_HOST` is the host that is connected to.
        principal: String,
    },
}

impl Auth {
    /// Who it is; empty for nobody in particular, and for whoever the Kerberos tickets are of.
    #[must_use]
    pub fn user(&self) -> &str {
        match self {
            Self::Plain { user, .. } | Self::NoSasl { user } => user,
            #[cfg(feature = "gssapi")]
            Self::Kerberos { .. } => "",
        }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self::Plain {
            user: String::new(),
            password: String::new(),
        }
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain { user, .. } => f
                .debug_struct("Plain")
                .field("user", user)
                .finish_non_exhaustive(),
            Self::NoSasl { user } => f.debug_struct("NoSasl").field("user", user).finish(),
            #[cfg(feature = "gssapi")]
            Self::Kerberos { principal } => f
                .debug_struct("Kerberos")
                .field("principal", principal)
                .finish(),
        }
    }
}

/// Hive's name of the user to act for, in URLs and in OpenSession.
pub(crate) const PROXY_USER: &str = "hive.server2.proxy.user";

/// What a server expects in the place of an empty user or password.
pub(crate) const ANONYMOUS: &str = "anonymous";

/// Limits and credentials of a connection.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// How the client says who it is.
    pub auth: Auth,
    /// Speaks TLS and trusts whom this says; `None` speaks none.
    #[cfg(feature = "tls")]
    pub tls: Option<Tls>,
    /// Speaks HTTP to this path, which is `cliservice` on most servers; `None` speaks the binary transport.
    #[cfg(feature = "http")]
    pub http_path: Option<String>,
    /// Until the TCP connection stands: 10 s by default.
    pub connect_timeout: Duration,
    /// Until the server has taken the login: 20 s by default, as Hive's own limit. The servers of a Kerberos realm get as
    /// long before.
    pub login_timeout: Duration,
    /// Until a call is answered: 5 minutes by default. Statements run beside their calls and may take longer; a
    /// server may take long to compile one, or to find a first row.
    pub call_timeout: Duration,
    /// Largest answer taken: 1 GiB by default.
    pub frame_bytes_max: usize,
}

#[cfg(feature = "http")]
impl ConnectOptions {
    /// Whether TLS is spoken.
    pub(crate) const fn is_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            auth: Auth::default(),
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "http")]
            http_path: None,
            connect_timeout: Duration::from_secs(10),
            login_timeout: Duration::from_secs(20),
            call_timeout: Duration::from_secs(300),
            frame_bytes_max: 1 << 30,
        }
    }
}

/// What a session begins with.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// The database to begin in; `None` leaves the choice to the server.
    pub database: Option<String>,
    /// Settings, as `SET name=value` makes them.
    pub confs: Vec<(String, String)>,
    /// Variables for `${name}` in statements.
    pub vars: Vec<(String, String)>,
    /// The user to act for, where the server lets the one who logs in do that (`hive.server2.proxy.user`).
    pub proxy_user: Option<String>,
    /// Rows asked for at a time: 10,000 by default, which is also Hive's limit. A server may give fewer.
    pub fetch_rows: i64,
    /// How large an answer with rows should be at most: 32 MiB by default. Where the rows are so wide that
    /// [`fetch_rows`](Self::fetch_rows) of them are more, fewer are asked for from the second answer on.
    pub fetch_bytes: usize,
    /// What timestamps and intervals of days count in. Microseconds, the default, hold every year that Hive has and
    /// all digits of Spark, and drop digits below; nanoseconds keep all nine digits of Hive, and a time outside of
    /// the years 1677 to 2262 is an error.
    pub timestamp_unit: TimeUnit,
    /// The newest protocol version to speak. A server may choose a lower one.
    pub protocol_version: ProtocolVersion,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            database: None,
            confs: Vec::new(),
            vars: Vec::new(),
            proxy_user: None,
            fetch_rows: 10_000,
            fetch_bytes: 32 << 20,
            timestamp_unit: TimeUnit::Microsecond,
            protocol_version: ProtocolVersion::LATEST,
        }
    }
}

impl SessionOptions {
    /// The configuration of OpenSession, in the order and with the prefixes of Hive's driver.
    pub(crate) fn configuration(&self) -> Vec<(String, String)> {
        let confs = self
            .confs
            .iter()
            .map(|(name, value)| (format!("set:hiveconf:{name}"), value.clone()));
        let vars = self
            .vars
            .iter()
            .map(|(name, value)| (format!("set:hivevar:{name}"), value.clone()));
        let database = self
            .database
            .iter()
            .map(|database| ("use:database".to_owned(), database.clone()));
        // Servers look for it under its plain name only.
        let proxy_user = self
            .proxy_user
            .iter()
            .map(|user| (PROXY_USER.to_owned(), user.clone()));
        confs
            .chain(vars)
            .chain(database)
            .chain(proxy_user)
            .collect()
    }
}
