//! Why a text is not what it was taken for.

use std::fmt;

use thiserror::Error;

/// Why a text is no `host:port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// Nothing where a host should be.
    #[error("a host is missing; write host:port")]
    EmptyHost,
    /// No host name is that long.
    #[error(
        "the host name is longer than {} bytes",
        crate::endpoint::HOST_BYTES_MAX
    )]
    HostTooLong,
    /// A character that stands in no host name; write an international name in its ASCII form.
    #[error("{0:?} cannot stand in a host and port; write host:port")]
    BadCharacter(char),
    /// What is in the brackets is no IPv6 address.
    #[error("this is no IPv6 address in brackets; write it as [::1]:10000")]
    BadIpv6,
    /// More than one colon outside brackets.
    #[error("there is more than one ':'; an IPv6 address goes in brackets, as [::1]:10000")]
    ManyColons,
    /// No port after the host, where none is assumed.
    #[error("the port is missing; write host:port")]
    MissingPort,
    /// Not a number from 1 to 65535.
    #[error("the port must be a number from 1 to 65535")]
    BadPort,
    /// `user:password@host`, which Hive's URLs do not have.
    #[error(
        "a user name cannot stand before the host; write it after the database, as ;user=NAME;password=PASSWORD"
    )]
    UserInfo,
}

/// Why a text is no namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NamespaceError {
    /// Nothing, or slashes only.
    #[error("the namespace is empty; Hive's default is hiveserver2")]
    Empty,
    /// Two slashes in a row.
    #[error("the namespace has an empty level; write single slashes between its levels")]
    EmptyLevel,
    /// A level `.` or `..`.
    #[error("a level of the namespace is '.' or '..', which ZooKeeper refuses")]
    Relative,
    /// A character that ZooKeeper refuses in a path.
    #[error("the namespace holds {0:?}, which ZooKeeper refuses in a path")]
    BadCharacter(char),
}

/// Why a child of the namespace is not an instance: nothing that went wrong, only something to
/// pass over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotAnInstance {
    /// The name begins with neither `serverUri=` nor `serviceUri=`: a leader latch, a lock.
    #[error("the name does not begin with serverUri=")]
    Foreign,
    /// What follows `serverUri=` is no `host:port`.
    #[error("its serverUri is not host:port: {0}")]
    Endpoint(#[from] EndpointError),
    /// No `version=` part.
    #[error("the name has no version")]
    NoVersion,
    /// More than one `version=` part.
    #[error("the name has two versions")]
    TwoVersions,
    /// The name does not end in `sequence=<digits>`.
    #[error("the name does not end in its sequence number")]
    NoSequence,
    /// The sequence number is not as ZooKeeper writes it.
    #[error("its sequence number is not the ten digits that ZooKeeper appends")]
    BadSequence,
}

/// Why no instance name can be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// The version is empty.
    #[error("the version to register is empty; give one, such as 4.0.1")]
    EmptyVersion,
    /// The version holds a character that would break the znode's name.
    #[error("the version to register holds {0:?}; leave out ';', '/' and control characters")]
    BadVersion(char),
}

/// Why an instance's data cannot be read, written, or used for a URL.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DataError {
    /// The data is not UTF-8.
    #[error("the instance's data is not UTF-8 text")]
    NotText,
    /// The data is larger than any instance writes.
    #[error(
        "the instance's data has {bytes} bytes, more than the {} that are read",
        crate::published::DATA_BYTES_MAX
    )]
    TooLong {
        /// Its size.
        bytes: usize,
    },
    /// The data has no pairs and is no `host:port` either.
    #[error("the instance's data is neither host:port nor key=value pairs: {0}")]
    NotHostPort(EndpointError),
    /// A pair whose value cannot be read or, with a `;` in it, written.
    #[error("the instance publishes {key} = {value:?}, which has no meaning here")]
    BadValue {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
    },
    /// A pair that a connection needs is not there.
    #[error("the instance publishes no {key}, which this connection needs{}", hint(.key))]
    Missing {
        /// The key.
        key: &'static str,
    },
}

fn hint(key: &str) -> &'static str {
    match key {
        crate::published::HTTP_PORT => "; set transportMode=binary, or let the instance serve HTTP",
        crate::published::THRIFT_PORT => {
            "; set transportMode=http, or let the instance serve the binary transport"
        }
        _ => "",
    }
}

/// What is wrong with a URL, apart from where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UrlProblem {
    /// It does not begin with `jdbc:hive2://`.
    #[error("a URL begins with jdbc:hive2:// (lower case); write jdbc:hive2://host:port/database")]
    Prefix,
    /// It is longer than any URL in use.
    #[error(
        "the URL has {bytes} bytes, more than the {} allowed",
        crate::jdbc_url::URL_BYTES_MAX
    )]
    TooLong {
        /// Its size.
        bytes: usize,
    },
    /// No host: Hive's embedded mode, which runs the server inside the client.
    #[error(
        "no host is given, and the embedded mode is not supported; name a host, or a ZooKeeper ensemble with serviceDiscoveryMode=zooKeeper"
    )]
    Embedded,
    /// A host or port that cannot be read.
    #[error(transparent)]
    Host(#[from] EndpointError),
    /// Session variables without the slash before the database.
    #[error(
        "a '/' is missing between the hosts and the session variables; write host:port/;name=value"
    )]
    MissingSlash,
    /// A character that no URL holds unescaped.
    #[error("{0:?} cannot stand in a URL; write its UTF-8 bytes as %XX")]
    IllegalCharacter(char),
    /// A `%` that two hexadecimal digits do not follow.
    #[error("'%' must be followed by two hexadecimal digits; write %25 for the sign itself")]
    BadEscape,
    /// Escapes that do not decode to UTF-8.
    #[error("the escaped bytes are not UTF-8; escape the UTF-8 bytes of the character")]
    EscapeNotUtf8,
    /// A session variable given twice.
    #[error("the session variable {0:?} is given twice; leave one out")]
    Repeated(String),
    /// `serviceDiscoveryMode=zooKeeperHA`.
    #[error(
        "serviceDiscoveryMode zooKeeperHA is not supported yet; use zooKeeper where the servers register that way too"
    )]
    ActivePassive,
    /// Any other `serviceDiscoveryMode`.
    #[error(
        "this serviceDiscoveryMode is not known; write zooKeeper, or none for a direct connection"
    )]
    DiscoveryMode,
    /// A `zooKeeperNamespace` that cannot be one.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// A plain target that is more than one `host:port`.
    #[error(
        "a plain target is one host:port; write jdbc:hive2://HOSTS/;serviceDiscoveryMode=zooKeeper for an ensemble, jdbc:hive2://host:port/database for a database"
    )]
    PlainTarget,
}

/// A URL that cannot be used: what is wrong with it, and where.
///
/// [`Display`](fmt::Display) is one line; [`pointed`](Self::pointed) adds the URL and a caret. The
/// error holds the text with its secrets masked, never the URL itself.
#[derive(Clone, PartialEq, Eq)]
pub struct UrlError {
    pub(crate) problem: UrlProblem,
    pub(crate) offset: usize,
    /// The text up to the offset, masked.
    pub(crate) before: String,
    /// The text from the offset on, masked.
    pub(crate) after: String,
}

/// How much of a URL an error shows before and after the position, in characters.
const SHOWN_BEFORE: usize = 64;
const SHOWN_AFTER: usize = 32;

impl UrlError {
    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> &UrlProblem {
        &self.problem
    }

    /// Where, as a byte offset in the text as it was given; its length when something is missing
    /// at the end.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Two lines: the part of the URL around the position, and a caret below the position with
    /// what is wrong and what to do. Secrets are masked.
    ///
    /// ```
    /// # use discovery::JdbcUrl;
    /// let error = JdbcUrl::parse("jdbc:hive2://h:10000;user=me").unwrap_err();
    /// assert!(error.pointed().starts_with(
    ///     "jdbc:hive2://h:10000;user=me\n                    ^ a '/' is missing"
    /// ));
    /// ```
    #[must_use]
    pub fn pointed(&self) -> String {
        let skipped = self.before.chars().count().saturating_sub(SHOWN_BEFORE);
        let mut line = String::from(if skipped > 0 { "..." } else { "" });
        line.extend(self.before.chars().skip(skipped));
        let caret = line.chars().count();
        line.push_str(&start(&self.after, SHOWN_AFTER));
        format!("{line}\n{:caret$}^ {}", "", self.problem)
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let UrlProblem::TooLong { .. } = self.problem {
            return write!(f, "malformed URL: {}", self.problem);
        }
        write!(f, "malformed URL at byte {}", self.offset)?;
        if self.after.is_empty() {
            write!(f, " (its end)")?;
        } else {
            write!(f, " (before `{}`)", start(&self.after, SHOWN_AFTER))?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl fmt::Debug for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UrlError")
            .field("problem", &self.problem)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for UrlError {}

fn start(text: &str, chars_max: usize) -> String {
    let mut shown: String = text.chars().take(chars_max).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    shown
}
