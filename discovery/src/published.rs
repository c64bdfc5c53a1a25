//! The data of an instance's znode.
//!
//! Two forms are in use. Plain `host:port` is what Kyuubi and old Hive write, and Hive with
//! `hive.server2.zookeeper.publish.configs = false`. Since Hive 2.0 the default is `key=value`
//! pairs joined by `;`, in no particular order and without escapes (HIVE-11581). Data without a
//! `=` is the plain form.

use std::fmt;
use std::str::FromStr;

use crate::endpoint::Endpoint;
use crate::error::{DataError, EndpointError};
use crate::jdbc_url::JdbcUrl;

/// The largest data that is read, in bytes. Hive's pairs take some 300.
pub const DATA_BYTES_MAX: usize = 64 * 1024;

const INSTANCE_URI: &str = "hive.server2.instance.uri";
const AUTHENTICATION: &str = "hive.server2.authentication";
const TRANSPORT_MODE: &str = "hive.server2.transport.mode";
const SASL_QOP: &str = "hive.server2.thrift.sasl.qop";
const BIND_HOST: &str = "hive.server2.thrift.bind.host";
pub(crate) const THRIFT_PORT: &str = "hive.server2.thrift.port";
pub(crate) const HTTP_PORT: &str = "hive.server2.thrift.http.port";
const HTTP_PATH: &str = "hive.server2.thrift.http.path";
const PRINCIPAL: &str = "hive.server2.authentication.kerberos.principal";
const USE_SSL: &str = "hive.server2.use.SSL";

/// The data of an instance's znode, in either form.
///
/// ```
/// use discovery::{InstanceData, JdbcUrl};
///
/// let url = JdbcUrl::parse("jdbc:hive2://zk/sales;serviceDiscoveryMode=zooKeeper;ssl=false")?;
/// let data = InstanceData::parse(
///     b"hive.server2.thrift.bind.host=h1;hive.server2.transport.mode=http;\
///       hive.server2.thrift.http.port=10001;hive.server2.thrift.http.path=cliservice;\
///       hive.server2.use.SSL=true",
/// )?;
/// assert_eq!(
///     data.direct_url(&url)?.to_string(),
///     "jdbc:hive2://h1:10001/sales;ssl=false;transportMode=http;httpPath=cliservice",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceData {
    /// `host:port` and nothing else.
    HostPort(Endpoint),
    /// Hive's published configuration.
    Configs(Box<Published>),
}

impl InstanceData {
    /// Reads a znode's data.
    ///
    /// # Errors
    /// When it is neither form, or a pair that is used here has a value without meaning.
    pub fn parse(data: &[u8]) -> Result<Self, DataError> {
        if data.len() > DATA_BYTES_MAX {
            return Err(DataError::TooLong { bytes: data.len() });
        }
        // A znode written by hand may end in a line feed.
        let text = std::str::from_utf8(data)
            .map_err(|_| DataError::NotText)?
            .trim();
        if text.contains('=') {
            Published::parse(text).map(|pairs| Self::Configs(Box::new(pairs)))
        } else {
            text.parse()
                .map(Self::HostPort)
                .map_err(DataError::NotHostPort)
        }
    }

    /// The text to write as a znode's data.
    ///
    /// # Errors
    /// [`DataError::BadValue`] when a published value holds a `;`, for which there is no escape.
    pub fn to_text(&self) -> Result<String, DataError> {
        match self {
            Self::HostPort(endpoint) => Ok(endpoint.to_string()),
            Self::Configs(pairs) => pairs.to_text(),
        }
    }

    /// The URL that connects to this one instance directly: `url` without its ensemble, and with
    /// what the instance publishes where `url` leaves it open.
    ///
    /// Who wins is as in Hive's JDBC driver:
    ///
    /// | published | becomes | when `url` has it too |
    /// |---|---|---|
    /// | `thrift.bind.host`, and the port of the transport | host and port | the published one wins |
    /// | `transport.mode` | `transportMode` | `url` wins |
    /// | `thrift.sasl.qop` | `saslQop` | `url` wins |
    /// | `thrift.http.path` | `httpPath` | `url` wins |
    /// | `use.SSL` | `ssl` | `url` wins |
    /// | `authentication` = `NOSASL` | `auth=noSasl` | the published one wins |
    /// | `authentication.kerberos.principal` | `principal` | `url` wins, and `auth=delegationToken` |
    ///
    /// Two things differ on purpose. Each call begins with `url` as it was given, where the driver
    /// carries what one server published over to the next. And the port is that of the transport
    /// in use: the driver takes whichever port comes first when a server publishes both.
    ///
    /// # Errors
    /// [`DataError::Missing`] when the instance publishes no host or not the port that the
    /// transport needs.
    pub fn direct_url(&self, url: &JdbcUrl) -> Result<JdbcUrl, DataError> {
        match self {
            Self::HostPort(endpoint) => Ok(url.with_endpoint(endpoint.clone())),
            Self::Configs(pairs) => pairs.direct_url(url),
        }
    }
}

/// The pairs that Hive publishes about a server. What a server leaves out is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// `hive.server2.instance.uri`, Hive 3.0 and later: the same as in the instance's name.
    pub instance_uri: Option<Endpoint>,
    /// `hive.server2.thrift.bind.host`: the host to connect to.
    pub bind_host: Option<String>,
    /// `hive.server2.transport.mode`.
    pub transport_mode: Option<TransportMode>,
    /// `hive.server2.thrift.port`: the port of the binary transport.
    pub thrift_port: Option<u16>,
    /// `hive.server2.thrift.http.port`: the port of the HTTP transport.
    pub http_port: Option<u16>,
    /// `hive.server2.thrift.http.path`, without its leading slash as Hive writes it.
    pub http_path: Option<String>,
    /// `hive.server2.thrift.sasl.qop`: `auth`, `auth-int` or `auth-conf`.
    pub sasl_qop: Option<String>,
    /// `hive.server2.authentication`: `NONE`, `NOSASL`, `LDAP`, `KERBEROS` and others; in Hive 4 it
    /// may be a list with commas.
    pub authentication: Option<String>,
    /// `hive.server2.authentication.kerberos.principal`; `_HOST` in it stands for the host's name.
    pub principal: Option<String>,
    /// `hive.server2.use.SSL`.
    pub use_ssl: Option<bool>,
    /// Every other pair, in the order it was read.
    pub other: Vec<(String, String)>,
}

/// How a server speaks Thrift: `hive.server2.transport.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransportMode {
    /// Thrift on a plain or SASL socket.
    Binary,
    /// Thrift in HTTP requests.
    Http,
    /// Both, each on its port (Hive 4).
    All,
}

impl TransportMode {
    /// Hive's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Http => "http",
            Self::All => "all",
        }
    }
}

impl fmt::Display for TransportMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Published {
    /// What the server says about authentication is `NOSASL`: no SASL layer at all.
    #[must_use]
    pub fn is_nosasl(&self) -> bool {
        let authentication = self.authentication.as_deref();
        authentication.is_some_and(|auth| auth.eq_ignore_ascii_case("NOSASL"))
    }

    fn parse(text: &str) -> Result<Self, DataError> {
        let mut pairs = Self::default();
        for (key, value) in text.split(';').filter_map(|part| part.split_once('=')) {
            let text = || Some(value.to_owned());
            match key {
                INSTANCE_URI => pairs.instance_uri = Some(read(INSTANCE_URI, value)?),
                BIND_HOST => pairs.bind_host = text(),
                TRANSPORT_MODE => pairs.transport_mode = Some(read_mode(value)?),
                THRIFT_PORT => pairs.thrift_port = Some(read_port(THRIFT_PORT, value)?),
                HTTP_PORT => pairs.http_port = Some(read_port(HTTP_PORT, value)?),
                HTTP_PATH => pairs.http_path = text(),
                SASL_QOP => pairs.sasl_qop = text(),
                AUTHENTICATION => pairs.authentication = text(),
                PRINCIPAL => pairs.principal = text(),
                USE_SSL => pairs.use_ssl = Some(read_bool(value)?),
                _ => pairs.other.push((key.to_owned(), value.to_owned())),
            }
        }
        Ok(pairs)
    }

    /// The pairs in the order in which Hive's usually come.
    fn to_text(&self) -> Result<String, DataError> {
        let known = [
            (
                INSTANCE_URI,
                self.instance_uri.as_ref().map(Endpoint::to_string),
            ),
            (AUTHENTICATION, self.authentication.clone()),
            (
                TRANSPORT_MODE,
                self.transport_mode.map(|mode| mode.to_string()),
            ),
            (SASL_QOP, self.sasl_qop.clone()),
            (BIND_HOST, self.bind_host.clone()),
            (THRIFT_PORT, self.thrift_port.map(|port| port.to_string())),
            (HTTP_PORT, self.http_port.map(|port| port.to_string())),
            (HTTP_PATH, self.http_path.clone()),
            (PRINCIPAL, self.principal.clone()),
            (USE_SSL, self.use_ssl.map(|ssl| ssl.to_string())),
        ];
        let mut parts = Vec::with_capacity(known.len() + self.other.len());
        for (key, value) in known {
            let Some(value) = value else { continue };
            if value.contains(';') {
                return Err(DataError::BadValue { key, value });
            }
            parts.push(format!("{key}={value}"));
        }
        for (key, value) in &self.other {
            if key.contains([';', '=']) || value.contains(';') {
                let (key, value) = ("a further pair", format!("{key}={value}"));
                return Err(DataError::BadValue { key, value });
            }
            parts.push(format!("{key}={value}"));
        }
        Ok(parts.join(";"))
    }

    fn direct_url(&self, url: &JdbcUrl) -> Result<JdbcUrl, DataError> {
        let given = |name| url.session_vars().get(name);
        let http = match given("transportMode") {
            Some(mode) => mode.eq_ignore_ascii_case("http"),
            None => self.transport_mode == Some(TransportMode::Http),
        };
        let mut direct = url.with_endpoint(self.endpoint(http)?);
        // A server of mode `all` leaves the choice to the client, whose default is binary.
        let mode = self
            .transport_mode
            .filter(|mode| *mode != TransportMode::All);
        direct.set_default("transportMode", mode.map(TransportMode::as_str));
        direct.set_default("saslQop", self.sasl_qop.as_deref());
        direct.set_default("httpPath", self.http_path.as_deref());
        let ssl = self.use_ssl.map(|ssl| if ssl { "true" } else { "false" });
        direct.set_default("ssl", ssl);
        if given("auth") != Some("delegationToken") {
            direct.set_default("principal", self.principal.as_deref());
        }
        if self.is_nosasl() {
            direct.set("auth", "noSasl");
        }
        Ok(direct)
    }

    /// Where to connect for the transport in use.
    fn endpoint(&self, http: bool) -> Result<Endpoint, DataError> {
        let uri = self.instance_uri.as_ref();
        let host = self.bind_host.as_deref().or(uri.map(Endpoint::host));
        let host = host.ok_or(DataError::Missing { key: BIND_HOST })?;
        let (key, port) = if http {
            (HTTP_PORT, self.http_port)
        } else {
            (THRIFT_PORT, self.thrift_port)
        };
        let port = port.ok_or(DataError::Missing { key })?;
        Endpoint::new(host, port).map_err(|_| bad(BIND_HOST, host))
    }
}

impl FromStr for TransportMode {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        read_mode(text)
    }
}

fn bad(key: &'static str, value: &str) -> DataError {
    DataError::BadValue {
        key,
        value: value.to_owned(),
    }
}

fn read(key: &'static str, value: &str) -> Result<Endpoint, DataError> {
    value.parse().map_err(|_: EndpointError| bad(key, value))
}

fn read_port(key: &'static str, value: &str) -> Result<u16, DataError> {
    let port = value.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| bad(key, value))
}

fn read_mode(value: &str) -> Result<TransportMode, DataError> {
    [
        TransportMode::Binary,
        TransportMode::Http,
        TransportMode::All,
    ]
    .into_iter()
    .find(|mode| value.eq_ignore_ascii_case(mode.as_str()))
    .ok_or_else(|| bad(TRANSPORT_MODE, value))
}

fn read_bool(value: &str) -> Result<bool, DataError> {
    match value {
        _ if value.eq_ignore_ascii_case("true") => Ok(true),
        _ if value.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(bad(USE_SSL, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Hive 3.1 writes it.
    const HIVE: &str = "hive.server2.instance.uri=h1:10000;hive.server2.authentication=NONE;hive.server2.transport.mode=binary;hive.server2.thrift.sasl.qop=auth;hive.server2.thrift.bind.host=h1;hive.server2.thrift.port=10000;hive.server2.use.SSL=false";
    const ALL: &str = "hive.server2.thrift.bind.host=h2;hive.server2.transport.mode=all;hive.server2.thrift.http.port=10001;hive.server2.thrift.port=10000;hive.server2.thrift.http.path=cliservice";

    fn direct(url: &str, data: &str) -> Result<String, DataError> {
        let url = JdbcUrl::parse(&format!(
            "jdbc:hive2://zk/db;serviceDiscoveryMode=zooKeeper;zooKeeperNamespace=ns{url}"
        ))
        .unwrap();
        InstanceData::parse(data.as_bytes())?
            .direct_url(&url)
            .map(|direct| direct.to_string())
    }

    #[test]
    fn both_forms_are_read_and_written_back() {
        for text in ["h:10000", "[::1]:10000", HIVE] {
            let data = InstanceData::parse(text.as_bytes()).unwrap();
            assert_eq!(data.to_text().as_deref(), Ok(text));
        }
        let InstanceData::Configs(pairs) = InstanceData::parse(HIVE.as_bytes()).unwrap() else {
            panic!("pairs expected");
        };
        assert_eq!(pairs.bind_host.as_deref(), Some("h1"));
        assert_eq!(pairs.thrift_port, Some(10000));
        assert_eq!(pairs.transport_mode, Some(TransportMode::Binary));
        assert_eq!(pairs.use_ssl, Some(false));
    }

    #[test]
    fn order_and_unknown_pairs_do_not_matter() {
        let mut parts: Vec<&str> = HIVE.split(';').collect();
        parts.reverse();
        parts.push("some.weight=3");
        let reversed = InstanceData::parse(parts.join(";").as_bytes()).unwrap();
        let InstanceData::Configs(mut pairs) = reversed else {
            panic!("pairs expected");
        };
        assert_eq!(pairs.other, [("some.weight".to_owned(), "3".to_owned())]);
        pairs.other.clear();
        assert_eq!(
            InstanceData::Configs(pairs),
            InstanceData::parse(HIVE.as_bytes()).unwrap()
        );
    }

    #[test]
    fn data_without_meaning_is_an_error() {
        let read = |data: &[u8]| InstanceData::parse(data);
        assert_eq!(read(b"\xff"), Err(DataError::NotText));
        assert_eq!(
            read(b""),
            Err(DataError::NotHostPort(EndpointError::EmptyHost))
        );
        assert_eq!(
            read(b"10.0.0.1"),
            Err(DataError::NotHostPort(EndpointError::MissingPort))
        );
        assert_eq!(
            read(b"hive.server2.thrift.port=0"),
            Err(bad(THRIFT_PORT, "0"))
        );
        assert_eq!(
            read(b"hive.server2.use.SSL=maybe"),
            Err(bad(USE_SSL, "maybe"))
        );
        let long = vec![b'a'; DATA_BYTES_MAX + 1];
        assert_eq!(read(&long), Err(DataError::TooLong { bytes: long.len() }));
    }

    #[test]
    fn a_value_that_cannot_be_written_is_refused() {
        let pairs = Published {
            http_path: Some("a;b".to_owned()),
            ..Published::default()
        };
        assert_eq!(
            InstanceData::Configs(Box::new(pairs)).to_text(),
            Err(bad(HTTP_PATH, "a;b"))
        );
    }

    #[test]
    fn the_instance_fills_in_what_the_url_leaves_open() {
        assert_eq!(
            direct("", HIVE).as_deref(),
            Ok("jdbc:hive2://h1:10000/db;transportMode=binary;saslQop=auth;ssl=false")
        );
        assert_eq!(
            direct(";ssl=true;saslQop=auth-conf;transportMode=binary", HIVE).as_deref(),
            Ok("jdbc:hive2://h1:10000/db;ssl=true;saslQop=auth-conf;transportMode=binary")
        );
        assert_eq!(
            direct(";ssl=true", "h:10000").as_deref(),
            Ok("jdbc:hive2://h:10000/db;ssl=true")
        );
    }

    #[test]
    fn the_port_is_that_of_the_transport_in_use() {
        assert_eq!(
            direct("", ALL).as_deref(),
            Ok("jdbc:hive2://h2:10000/db;httpPath=cliservice")
        );
        assert_eq!(
            direct(";transportMode=http;httpPath=x", ALL).as_deref(),
            Ok("jdbc:hive2://h2:10001/db;transportMode=http;httpPath=x")
        );
        assert_eq!(
            direct(";transportMode=http", HIVE),
            Err(DataError::Missing { key: HTTP_PORT })
        );
        assert_eq!(
            direct("", "hive.server2.thrift.port=10000"),
            Err(DataError::Missing { key: BIND_HOST })
        );
    }

    #[test]
    fn authentication_as_in_the_driver() {
        let nosasl = "hive.server2.thrift.bind.host=h;hive.server2.thrift.port=1;hive.server2.authentication=nosasl";
        assert_eq!(
            direct(";auth=jwt", nosasl).as_deref(),
            Ok("jdbc:hive2://h:1/db;auth=noSasl")
        );
        let kerberos = "hive.server2.thrift.bind.host=h;hive.server2.thrift.port=1;hive.server2.authentication=KERBEROS;hive.server2.authentication.kerberos.principal=hive/_HOST@R";
        assert_eq!(
            direct("", kerberos).as_deref(),
            Ok("jdbc:hive2://h:1/db;principal=hive/_HOST@R")
        );
        assert_eq!(
            direct(";principal=other", kerberos).as_deref(),
            Ok("jdbc:hive2://h:1/db;principal=other")
        );
        assert_eq!(
            direct(";auth=delegationToken", kerberos).as_deref(),
            Ok("jdbc:hive2://h:1/db;auth=delegationToken")
        );
    }

    #[test]
    fn one_instance_does_not_leak_into_the_next() {
        let url = JdbcUrl::parse("jdbc:hive2://zk/;serviceDiscoveryMode=zooKeeper").unwrap();
        let before = url.clone();
        let first = InstanceData::parse(HIVE.as_bytes()).unwrap();
        let _ = first.direct_url(&url).unwrap();
        assert_eq!(url, before);
        let second = InstanceData::parse(b"h9:10000").unwrap();
        assert!(second.direct_url(&url).unwrap().session_vars().is_empty());
    }
}
