//! The URLs of Hive's JDBC driver, as people already have them in their settings.

mod escape;
mod grammar;
mod parameters;
mod parse;
mod redact;
mod warning;

use std::fmt;

use crate::endpoint::{Endpoint, one_host_port};
use crate::error::{UrlError, UrlProblem};
use crate::namespace::Namespace;
use escape::Part;
pub(crate) use grammar::Fault;
pub use parameters::{MASK, Variables};
pub use warning::Warning;

/// How each URL begins.
pub const URL_PREFIX: &str = "jdbc:hive2://";
/// The longest URL that is read, in bytes.
pub const URL_BYTES_MAX: usize = 16 * 1024;
/// The port of a HiveServer2 when the URL names none.
pub const HIVESERVER2_PORT: u16 = 10000;
/// The port of a ZooKeeper server when the URL names none.
pub const ZOOKEEPER_PORT: u16 = 2181;

/// A `jdbc:hive2://` URL, taken apart.
///
/// ```text
/// jdbc:hive2://<host>[:<port>][,…][/<database>][;<session variables>][?<confs>][#<variables>]
/// ```
///
/// Each list is `name=value` pairs joined by `;`. The rules are those of the driver (2.3 to
/// 4), with these exceptions, each where the driver harms its users:
///
/// - A pair is split at its **first** `=`, so that passwords and base64 values pass; the driver
///   splits at the last one.
/// - The hosts end at the first `/`, `;`, `?` or `#`; the driver looks for a `/` anywhere, even in
///   a value after `?`, and loses what stands before it.
/// - A port left out is 10000, or 2181 in an ensemble; the driver fails without one.
/// - Host names may have underscores.
/// - An unknown `serviceDiscoveryMode` is an error; the driver would speak Thrift to ZooKeeper.
/// - The driver's parameters are recognised in any case, with a [`Warning`].
///
/// Like the driver, this decodes `%XX` **before** it splits the pairs: `%3B` separates as `;`
/// does, and a `;` cannot be part of a value. `%23` and `%3F` do stand for `#` and `?`. A ZooKeeper
/// chroot cannot be written into a URL, since everything after the `/` is the database; write its
/// levels into `zooKeeperNamespace`.
///
/// [`Display`](fmt::Display) and `Debug` mask passwords, tokens and the like.
///
/// ```
/// use discovery::{Discovery, JdbcUrl};
///
/// let url = JdbcUrl::parse(
///     "jdbc:hive2://zk1,zk2:2182/sales;serviceDiscoveryMode=zooKeeper;user=me;password=a=b#day=1",
/// )?;
/// let Discovery::ZooKeeper { connect_string, namespace, .. } = url.discovery() else {
///     panic!("the URL names an ensemble");
/// };
/// assert_eq!(connect_string, "zk1:2181,zk2:2182");
/// assert_eq!(namespace.path(), "/hiveserver2");
/// assert_eq!(url.database(), "sales");
/// assert_eq!(url.password(), Some("a=b"));
/// assert_eq!(url.hive_vars().get("day"), Some("1"));
/// assert!(url.to_string().contains("password=***"));
/// # Ok::<(), discovery::UrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct JdbcUrl {
    hosts: Vec<Endpoint>,
    database: String,
    session_vars: Variables,
    hive_confs: Variables,
    hive_vars: Variables,
    discovery: Discovery,
    warnings: Vec<Warning>,
}

/// How the server is found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Discovery {
    /// The URL's first host is the server.
    None,
    /// The URL's hosts are a ZooKeeper ensemble in which servers register.
    ZooKeeper {
        /// The ensemble: `host:port` joined by commas, each port written out.
        connect_string: String,
        /// `zooKeeperNamespace`, or the default.
        namespace: Namespace,
        /// `zooKeeperSSLEnable`: the ensemble is to be spoken to over TLS. Its key stores are in
        /// [`JdbcUrl::session_vars`] as the URL gives them.
        tls: bool,
    },
}

impl JdbcUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// When the text is no URL that can be connected to; the error has the position.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        checked_len(text)?;
        parse::url(text).map_err(|fault| UrlError::new(text, fault))
    }

    /// Reads what a person gives as the target: a URL, or a plain `host:port` (port 10000 when
    /// left out), which means the server itself.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and when the text is more than one `host:port`.
    pub fn parse_target(text: &str) -> Result<Self, UrlError> {
        checked_len(text)?;
        if text
            .get(..5)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("jdbc:"))
        {
            return Self::parse(text);
        }
        one_host_port(text)
            .map(|host| Self::direct(host.or_port(HIVESERVER2_PORT)))
            .map_err(|fault| {
                let offset = text.len() - fault.at.len();
                let more = fault.at.starts_with([',', '/', ';', '?', '#']) && offset > 0;
                let problem = if more {
                    UrlProblem::PlainTarget
                } else {
                    fault.why.into()
                };
                UrlError::new(text, Fault { offset, problem })
            })
    }

    /// The URL of one server, with nothing but its address.
    #[must_use]
    pub fn direct(endpoint: Endpoint) -> Self {
        Self {
            hosts: vec![endpoint],
            database: DEFAULT_DATABASE.to_owned(),
            session_vars: Variables::default(),
            hive_confs: Variables::default(),
            hive_vars: Variables::default(),
            discovery: Discovery::None,
            warnings: Vec::new(),
        }
    }

    /// The same URL to this one server directly: without an ensemble and the variables about it.
    #[must_use]
    pub fn with_endpoint(&self, endpoint: Endpoint) -> Self {
        let mut direct = self.clone();
        direct.hosts = vec![endpoint];
        direct
            .session_vars
            .retain(|name| !parameters::is_about_discovery(name));
        direct.discovery = Discovery::None;
        direct.warnings.clear();
        direct
    }

    /// Adds the properties that a program passes beside the URL. As in the driver, the URL comes
    /// first: `user` and `password` count only when the URL has no `user`; `auth` always counts;
    /// `hiveconf:<name>` and `hivevar:<name>` are set; any other is ignored.
    ///
    /// A value set here may hold what a URL cannot, such as a `;`.
    #[must_use]
    pub fn with_properties<'a>(
        mut self,
        properties: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let has_user = self.user().is_some();
        for (name, value) in properties {
            if let Some(name) = name.strip_prefix("hiveconf:") {
                self.hive_confs.set(name, value);
            } else if let Some(name) = name.strip_prefix("hivevar:") {
                self.hive_vars.set(name, value);
            } else if name == "auth" || (!has_user && matches!(name, "user" | "password")) {
                self.session_vars.set(name, value);
            }
        }
        self
    }

    /// The hosts in the order given, at least one: servers, or the ensemble. Ports left out are
    /// filled in. Without discovery only the first is used, as in the driver.
    #[must_use]
    pub fn hosts(&self) -> &[Endpoint] {
        &self.hosts
    }

    /// How the server is found.
    #[must_use]
    pub fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    /// The database, `default` when the URL names none. It may hold slashes.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The session variables, those about discovery included. The driver's own have the driver's
    /// spelling; others are kept as written.
    #[must_use]
    pub fn session_vars(&self) -> &Variables {
        &self.session_vars
    }

    /// The pairs after `?`: Hive settings for the session.
    #[must_use]
    pub fn hive_confs(&self) -> &Variables {
        &self.hive_confs
    }

    /// The pairs after `#`: variables for substitution.
    #[must_use]
    pub fn hive_vars(&self) -> &Variables {
        &self.hive_vars
    }

    /// The session variable `user`.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.session_vars.get("user")
    }

    /// The session variable `password`.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.session_vars.get("password")
    }

    /// What the URL can be used with, but probably means otherwise.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The URL with its secrets, for a program to use and never to print.
    ///
    /// Reading it gives this URL again, unless a value set by
    /// [`with_properties`](Self::with_properties) holds a `;`.
    #[must_use]
    pub fn to_text_with_secrets(&self) -> String {
        self.text(|_, value| value)
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.session_vars.set(name, value);
    }

    /// Sets a session variable that the URL does not have.
    pub(crate) fn set_default(&mut self, name: &str, value: Option<&str>) {
        if let (None, Some(value)) = (self.session_vars.get(name), value) {
            self.session_vars.set(name, value);
        }
    }

    fn text(&self, show: impl for<'a> Fn(&str, &'a str) -> &'a str) -> String {
        let mut text = String::from(URL_PREFIX);
        text.push_str(&join(&self.hosts));
        text.push('/');
        if self.database != DEFAULT_DATABASE {
            escape::encode(&self.database, Part::Path, &mut text);
        }
        let lists = [
            (&self.session_vars, Part::Path, ';'),
            (&self.hive_confs, Part::HiveConfs, '?'),
            (&self.hive_vars, Part::HiveVars, '#'),
        ];
        for (variables, part, mark) in lists {
            for (index, (name, value)) in variables.iter().enumerate() {
                text.push(if index == 0 { mark } else { ';' });
                escape::encode(name, part, &mut text);
                text.push('=');
                escape::encode(show(name, value), part, &mut text);
            }
        }
        text
    }
}

/// The URL with its secrets masked.
impl fmt::Display for JdbcUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(parameters::masked))
    }
}

impl fmt::Debug for JdbcUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JdbcUrl").field(&self.to_string()).finish()
    }
}

const DEFAULT_DATABASE: &str = "default";

fn checked_len(text: &str) -> Result<(), UrlError> {
    if text.len() <= URL_BYTES_MAX {
        return Ok(());
    }
    let problem = UrlProblem::TooLong { bytes: text.len() };
    // Nothing of such a text is worth showing.
    Err(UrlError::new("", Fault { offset: 0, problem }))
}

fn join(hosts: &[Endpoint]) -> String {
    let hosts: Vec<String> = hosts.iter().map(Endpoint::to_string).collect();
    hosts.join(",")
}

#[cfg(test)]
mod tests;
