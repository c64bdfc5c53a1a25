//! Settings by Hive's names.
//!
//! [`SETTINGS`] is the one table of them: name, default, what a value may be. A settings file is lines of
//! `key = value` or Hive's own `hive-site.xml`. A name that is not in the table is a [`Warning`], as such files are
//! shared with other programs; a value without meaning is an error that says where it stands.
//!
//! ```
//! use hs2_node::config::Config;
//! use std::time::Duration;
//!
//! let mut config = Config::default();
//! assert_eq!(config.zookeeper_session_timeout, Duration::from_secs(120));
//! let warnings = config.apply_text("# short\nhive.zookeeper.session.timeout = 5s\nhive.exec.parallel = true\n")?;
//! assert_eq!(config.zookeeper_session_timeout, Duration::from_secs(5));
//! assert_eq!(warnings[0].to_string(), "line 3: hive.exec.parallel is not a setting of this program and has no effect");
//!
//! let error = config.apply_text("hive.server2.thrift.port = many").unwrap_err();
//! assert_eq!(error.to_string(), "line 1: hive.server2.thrift.port = many: expected a port, 0 to 65535");
//! # Ok::<(), hs2_node::config::ConfigError>(())
//! ```

mod file;
mod security;
mod value;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::spool::SpoolLimits;
pub use security::{Authentication, LdapConfig, ProxyUsers, TransportMode};
use value::{boolean, bytes, count, duration, limit, path, port, size, text, word};

/// The settings of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // The table says what each means.
pub struct Config {
    pub bind_host: String,
    pub port: u16,
    pub transport_mode: TransportMode,
    pub http_port: u16,
    pub http_path: String,
    pub http_idle_time: Duration,
    pub http_cookie: bool,
    pub http_cookie_max_age: Duration,
    pub http_cookie_domain: String,
    pub http_cookie_path: String,
    pub http_cookie_http_only: bool,
    pub xsrf_filter: bool,
    pub tls: bool,
    pub keystore: Option<PathBuf>,
    pub authentication: Authentication,
    pub password_file: Option<PathBuf>,
    pub ldap: LdapConfig,
    pub kerberos_principal: String,
    pub kerberos_keytab: Option<PathBuf>,
    pub sasl_qop: String,
    pub proxy_users: ProxyUsers,
    pub connections_max: usize,
    pub sessions_per_user_max: usize,
    pub sessions_per_address_max: usize,
    pub sessions_per_user_address_max: usize,
    pub message_bytes_max: usize,
    pub message_memory: usize,
    pub login_timeout: Duration,
    pub fetch_size_default: u32,
    pub fetch_size_max: u32,
    pub close_session_on_disconnect: bool,
    pub idle_session_timeout: Duration,
    pub idle_operation_timeout: Duration,
    pub session_check_interval: Duration,
    pub long_polling_timeout: Duration,
    pub operations_running_max: usize,
    pub operations_waiting_max: usize,
    pub operation_log: bool,
    pub operation_log_level: String,
    pub query_timeout: Duration,
    pub user_substitution: bool,
    pub table_type_mapping: TableTypeMapping,
    pub graceful_stop_timeout: Duration,
    pub discovery: bool,
    pub zookeeper_quorum: String,
    pub zookeeper_port: u16,
    pub zookeeper_namespace: String,
    pub zookeeper_session_timeout: Duration,
    pub zookeeper_connection_timeout: Duration,
    pub zookeeper_publish_configs: bool,
    pub warehouse: Option<PathBuf>,
    pub scratch: Option<PathBuf>,
    pub results_bytes_max: u64,
    pub result_bytes_max: u64,
    pub statement_bytes_max: u64,
}

/// How the metadata calls name kinds of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableTypeMapping {
    /// `TABLE` and `VIEW`.
    Classic,
    /// `MANAGED_TABLE`, `EXTERNAL_TABLE`, `VIRTUAL_VIEW`.
    Hive,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Hive's name.
    pub key: &'static str,
    /// The value when none is given, as a settings file would write it; empty means what `meaning` says.
    pub default: &'static str,
    /// What a value may be.
    pub expects: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// Takes a value; `None` when it is not what is expected.
    apply: fn(&mut Config, &str) -> Option<()>,
}

const DURATION_MS: &str = "a time such as 5s, 120000ms, 2m, 7d, or milliseconds";
const DURATION_S: &str = "a time such as 20s, 500ms, 2m, or seconds";
const BOOLEAN: &str = "true or false";
const COUNT: &str = "a number from 1 up";
const SIZE: &str = "bytes, or a size such as 512mb or 20gb";
const LIMIT: &str = "a number; 0 means no limit";

/// Every setting, in the order of the documentation.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    Setting { key: "hive.server2.thrift.bind.host", default: "127.0.0.1", expects: "a host name or address",
        meaning: "where to listen; Hive's default is all addresses",
        apply: |c, v| text(v, &mut c.bind_host) },
    Setting { key: "hive.server2.thrift.port", default: "10000", expects: "a port, 0 to 65535",
        meaning: "where to listen; 0 takes a free port",
        apply: |c, v| port(v, &mut c.port) },
    Setting { key: "hive.server2.transport.mode", default: "binary", expects: "binary, http or all",
        meaning: "how clients speak Thrift; every port takes what this says",
        apply: |c, v| TransportMode::read(v, &mut c.transport_mode) },
    Setting { key: "hive.server2.thrift.http.port", default: "10001", expects: "a port, 0 to 65535",
        meaning: "where to listen in the mode http, and also in the mode all unless it is hive.server2.thrift.port",
        apply: |c, v| port(v, &mut c.http_port) },
    Setting { key: "hive.server2.thrift.http.path", default: "cliservice", expects: "a path",
        meaning: "the path of HTTP requests, with or without a slash behind it",
        apply: |c, v| text(v, &mut c.http_path) },
    Setting { key: "hive.server2.thrift.http.max.idle.time", default: "1800s", expects: DURATION_MS,
        meaning: "an HTTP connection without a request for so long is closed, its sessions are not; 0 means never",
        apply: |c, v| duration(v, "ms", &mut c.http_idle_time) },
    Setting { key: "hive.server2.thrift.http.cookie.auth.enabled", default: "true", expects: BOOLEAN,
        meaning: "whether an HTTP client that has logged in gets a cookie that stands for the login",
        apply: |c, v| boolean(v, &mut c.http_cookie) },
    Setting { key: "hive.server2.thrift.http.cookie.max.age", default: "86400s", expects: DURATION_S,
        meaning: "how long such a cookie is good",
        apply: |c, v| duration(v, "s", &mut c.http_cookie_max_age) },
    Setting { key: "hive.server2.thrift.http.cookie.domain", default: "", expects: "a domain",
        meaning: "the cookie's domain; empty means the host that was asked",
        apply: |c, v| text(v, &mut c.http_cookie_domain) },
    Setting { key: "hive.server2.thrift.http.cookie.path", default: "", expects: "a path",
        meaning: "the cookie's path; empty means the one that was asked",
        apply: |c, v| text(v, &mut c.http_cookie_path) },
    Setting { key: "hive.server2.thrift.http.cookie.is.httponly", default: "true", expects: BOOLEAN,
        meaning: "whether scripts of a browser may not read the cookie; Secure it is where there is TLS",
        apply: |c, v| boolean(v, &mut c.http_cookie_http_only) },
    Setting { key: "hive.server2.xsrf.filter.enabled", default: "false", expects: BOOLEAN,
        meaning: "whether an HTTP request must have the header X-XSRF-HEADER",
        apply: |c, v| boolean(v, &mut c.xsrf_filter) },
    Setting { key: "hive.server2.use.SSL", default: "false", expects: BOOLEAN,
        meaning: "whether clients connect by TLS, and not without it",
        apply: |c, v| boolean(v, &mut c.tls) },
    Setting { key: "hive.server2.keystore.path", default: "", expects: "a file",
        meaning: "the node's private key and its certificate chain, both in PEM",
        apply: |c, v| path(v, &mut c.keystore) },
    Setting { key: "hive.server2.authentication", default: "NONE",
        expects: "NONE, NOSASL, FILE, LDAP, KERBEROS or CUSTOM",
        meaning: "who may log in; with NONE and NOSASL anybody, by SASL PLAIN with any password or by a plain socket",
        apply: |c, v| Authentication::read(v, &mut c.authentication) },
    Setting { key: "hive.server2.authentication.file", default: "", expects: "a file",
        meaning: "the users of FILE, lines of user:hash as `htpasswd -B` makes them; read anew for each login",
        apply: |c, v| path(v, &mut c.password_file) },
    Setting { key: "hive.server2.authentication.ldap.url", default: "", expects: "ldap://host:389 or ldaps://host:636",
        meaning: "the servers of LDAP, with spaces between them; the next one is asked where one does not answer",
        apply: |c, v| text(v, &mut c.ldap.url) },
    Setting { key: "hive.server2.authentication.ldap.baseDN", default: "", expects: "a distinguished name",
        meaning: "below it are the users, as guidKey=USER,baseDN where no pattern is given",
        apply: |c, v| text(v, &mut c.ldap.base_dn) },
    Setting { key: "hive.server2.authentication.ldap.guidKey", default: "uid", expects: "an attribute",
        meaning: "the attribute that has a user's login",
        apply: |c, v| text(v, &mut c.ldap.guid_key) },
    Setting { key: "hive.server2.authentication.ldap.Domain", default: "", expects: "a domain",
        meaning: "users log in as USER@Domain, as Active Directory wants it",
        apply: |c, v| text(v, &mut c.ldap.domain) },
    Setting { key: "hive.server2.authentication.ldap.userDNPattern", default: "", expects: "names with %s in them",
        meaning: "the names that a user may have, as in uid=%s,ou=people,dc=example:cn=%s,ou=robots,dc=example",
        apply: |c, v| text(v, &mut c.ldap.user_dn_pattern) },
    Setting { key: "hive.server2.authentication.ldap.userFilter", default: "", expects: "logins with commas between them",
        meaning: "only these users may log in",
        apply: |c, v| text(v, &mut c.ldap.user_filter) },
    Setting { key: "hive.server2.authentication.ldap.groupFilter", default: "", expects: "names with commas between them",
        meaning: "only members of one of these groups may log in",
        apply: |c, v| text(v, &mut c.ldap.group_filter) },
    Setting { key: "hive.server2.authentication.ldap.groupClassKey", default: "groupOfNames", expects: "an object class",
        meaning: "what a group is",
        apply: |c, v| text(v, &mut c.ldap.group_class_key) },
    Setting { key: "hive.server2.authentication.ldap.groupMembershipKey", default: "member", expects: "an attribute",
        meaning: "the attribute of a group that names its members",
        apply: |c, v| text(v, &mut c.ldap.group_membership_key) },
    Setting { key: "hive.server2.authentication.ldap.binddn", default: "", expects: "a distinguished name",
        meaning: "who looks for groups; empty means the user who logs in",
        apply: |c, v| text(v, &mut c.ldap.bind_dn) },
    Setting { key: "hive.server2.authentication.ldap.bindpw", default: "", expects: "a password",
        meaning: "the password of binddn",
        apply: |c, v| text(v, &mut c.ldap.bind_password) },
    Setting { key: "hive.server2.authentication.kerberos.principal", default: "", expects: "a principal",
        meaning: "the node's own, as in hive/_HOST@REALM: _HOST is hive.server2.thrift.bind.host where that is a name, else \
                  the machine's name. Users are the principals of the default realm, by the first part of their names",
        apply: |c, v| text(v, &mut c.kerberos_principal) },
    Setting { key: "hive.server2.authentication.kerberos.keytab", default: "", expects: "a file",
        meaning: "has the principal's keys; read anew for each login. Empty means KRB5_KTNAME, or what krb5.conf names",
        apply: |c, v| path(v, &mut c.kerberos_keytab) },
    Setting { key: "hive.server2.thrift.sasl.qop", default: "auth", expects: "auth, auth-int or auth-conf",
        meaning: "what Kerberos does beyond the login: nothing. KERBEROS with auth-int or auth-conf is refused, TLS does it",
        apply: |c, v| qop(v, &mut c.sasl_qop) },
    Setting { key: "hive.server2.thrift.max.worker.threads", default: "500", expects: COUNT,
        meaning: "open connections; one more is refused with a reason",
        apply: |c, v| count(v, &mut c.connections_max) },
    Setting { key: "hive.server2.limit.connections.per.user", default: "0", expects: LIMIT,
        meaning: "open sessions of a user; one more is refused with a reason",
        apply: |c, v| limit(v, &mut c.sessions_per_user_max) },
    Setting { key: "hive.server2.limit.connections.per.ipaddress", default: "0", expects: LIMIT,
        meaning: "open connections of an address, and its open sessions",
        apply: |c, v| limit(v, &mut c.sessions_per_address_max) },
    Setting { key: "hive.server2.limit.connections.per.user.ipaddress", default: "0", expects: LIMIT,
        meaning: "open sessions of a user from one address",
        apply: |c, v| limit(v, &mut c.sessions_per_user_address_max) },
    Setting { key: "hive.server2.thrift.max.message.size", default: "104857600", expects: "bytes, from 1024 to 2147483647",
        meaning: "largest message of a client",
        apply: |c, v| bytes(v, &mut c.message_bytes_max) },
    Setting { key: "hs2.node.message.memory", default: "268435456", expects: "bytes, from 1024 to 2147483647",
        meaning: "what the large messages of all clients together may take while they are read",
        apply: |c, v| bytes(v, &mut c.message_memory) },
    Setting { key: "hive.server2.thrift.login.timeout", default: "20s", expects: DURATION_S,
        meaning: "time from the connection to the end of the login",
        apply: |c, v| duration(v, "s", &mut c.login_timeout) },
    Setting { key: "hive.server2.thrift.resultset.default.fetch.size", default: "1000", expects: COUNT,
        meaning: "rows of a fetch that the client is told when it names no number",
        apply: |c, v| count(v, &mut c.fetch_size_default) },
    Setting { key: "hive.server2.thrift.resultset.max.fetch.size", default: "10000", expects: COUNT,
        meaning: "rows of a fetch, at most",
        apply: |c, v| count(v, &mut c.fetch_size_max) },
    Setting { key: "hive.server2.close.session.on.disconnect", default: "true", expects: BOOLEAN,
        meaning: "whether a session ends with the connection that opened it",
        apply: |c, v| boolean(v, &mut c.close_session_on_disconnect) },
    Setting { key: "hive.server2.idle.session.timeout", default: "7d", expects: DURATION_MS,
        meaning: "a session, or a connection, that does nothing for so long is closed; 0 means never",
        apply: |c, v| duration(v, "ms", &mut c.idle_session_timeout) },
    Setting { key: "hive.server2.idle.operation.timeout", default: "5d", expects: DURATION_MS,
        meaning: "a finished operation that nobody asks about for so long is closed; 0 means never",
        apply: |c, v| duration(v, "ms", &mut c.idle_operation_timeout) },
    Setting { key: "hive.server2.session.check.interval", default: "15m", expects: DURATION_MS,
        meaning: "how often to look for idle sessions and operations; at least every 30 s",
        apply: |c, v| duration(v, "ms", &mut c.session_check_interval) },
    Setting { key: "hive.server2.long.polling.timeout", default: "500ms", expects: DURATION_MS,
        meaning: "how long a question after a running operation waits for a change; Hive's default of 5s delays a \
                  cancel by as much",
        apply: |c, v| duration(v, "ms", &mut c.long_polling_timeout) },
    Setting { key: "hive.server2.async.exec.threads", default: "100", expects: COUNT,
        meaning: "statements that run at the same time",
        apply: |c, v| count(v, &mut c.operations_running_max) },
    Setting { key: "hive.server2.async.exec.wait.queue.size", default: "1000", expects: COUNT,
        meaning: "statements that wait until one of those has ended; one more is refused. Hive's default is 100; here one \
                  that waits costs a few kilobytes",
        apply: |c, v| count(v, &mut c.operations_waiting_max) },
    Setting { key: "hive.server2.logging.operation.enabled", default: "true", expects: BOOLEAN,
        meaning: "whether clients can read a log of their operations",
        apply: |c, v| boolean(v, &mut c.operation_log) },
    Setting { key: "hive.server2.logging.operation.level", default: "EXECUTION",
        expects: "NONE, EXECUTION, PERFORMANCE or VERBOSE",
        meaning: "how much that log tells; from PERFORMANCE on also what each stage of a query read",
        apply: |c, v| word(v, &["NONE", "EXECUTION", "PERFORMANCE", "VERBOSE"], &mut c.operation_log_level) },
    Setting { key: "hive.query.timeout.seconds", default: "0s", expects: DURATION_S,
        meaning: "a statement that takes longer is stopped; 0 means never; a statement's own timeout counts if it is \
                  shorter",
        apply: |c, v| duration(v, "s", &mut c.query_timeout) },
    Setting { key: "hive.server2.allow.user.substitution", default: "true", expects: BOOLEAN,
        meaning: "whether a client may open a session for another user (hive.server2.proxy.user, or doAs by HTTP); \
                  where passwords are checked, only users with a setting hadoop.proxyuser.NAME.users (a list or *) may",
        apply: |c, v| boolean(v, &mut c.user_substitution) },
    Setting { key: "hive.server2.table.type.mapping", default: "CLASSIC", expects: "CLASSIC or HIVE",
        meaning: "the words of the metadata calls for kinds of tables: TABLE and VIEW, or Hive's own",
        apply: |c, v| table_type_mapping(v, &mut c.table_type_mapping) },
    Setting { key: "hive.server2.graceful.stop.timeout", default: "1800s", expects: DURATION_S,
        meaning: "how long a node that leaves waits for open sessions",
        apply: |c, v| duration(v, "s", &mut c.graceful_stop_timeout) },
    Setting { key: "hive.server2.support.dynamic.service.discovery", default: "false", expects: BOOLEAN,
        meaning: "whether to register in ZooKeeper",
        apply: |c, v| boolean(v, &mut c.discovery) },
    Setting { key: "hive.zookeeper.quorum", default: "", expects: "hosts as in host1:2181,host2:2181",
        meaning: "the ZooKeeper ensemble to register in",
        apply: |c, v| text(v, &mut c.zookeeper_quorum) },
    Setting { key: "hive.zookeeper.client.port", default: "2181", expects: "a port, 0 to 65535",
        meaning: "the port of the ensemble's hosts that are given without one",
        apply: |c, v| port(v, &mut c.zookeeper_port) },
    Setting { key: "hive.server2.zookeeper.namespace", default: "hiveserver2", expects: "a znode's path",
        meaning: "where to register",
        apply: |c, v| text(v, &mut c.zookeeper_namespace) },
    Setting { key: "hive.zookeeper.session.timeout", default: "120000ms", expects: DURATION_MS,
        meaning: "how long a dead node stays on the list; the ensemble has limits of its own",
        apply: |c, v| duration(v, "ms", &mut c.zookeeper_session_timeout) },
    Setting { key: "hive.zookeeper.connection.timeout", default: "15s", expects: DURATION_MS,
        meaning: "how long the first registration may take",
        apply: |c, v| duration(v, "ms", &mut c.zookeeper_connection_timeout) },
    Setting { key: "hive.server2.zookeeper.publish.configs", default: "false", expects: BOOLEAN,
        meaning: "whether the znode holds Hive's key=value pairs instead of host:port",
        apply: |c, v| boolean(v, &mut c.zookeeper_publish_configs) },
    Setting { key: "hive.metastore.warehouse.dir", default: "", expects: "a folder",
        meaning: "where tables are; empty means .hs2-node/warehouse in the home folder",
        apply: |c, v| path(v, &mut c.warehouse) },
    Setting { key: "hive.exec.scratchdir", default: "", expects: "a folder",
        meaning: "where results are kept until they are fetched; empty means .hs2-node/results in the home folder",
        apply: |c, v| path(v, &mut c.scratch) },
    Setting { key: "hs2.node.results.size.max", default: "0", expects: SIZE,
        meaning: "bytes that all results there may take; the query that goes beyond fails, and small ones still find an \
                  eighth of it. 0 means as much as the disk has, but for a twentieth of it",
        apply: |c, v| size(v, &mut c.results_bytes_max) },
    Setting { key: "hs2.node.result.size.max", default: "0", expects: SIZE,
        meaning: "bytes that one result there may take; 0 means no bound of its own",
        apply: |c, v| size(v, &mut c.result_bytes_max) },
    Setting { key: "hs2.node.statement.size.max", default: "4mb", expects: SIZE,
        meaning: "bytes of a statement, at most: what it takes to compile one is hundreds of times its text",
        apply: |c, v| size(v, &mut c.statement_bytes_max) },
];

impl Default for Config {
    fn default() -> Self {
        let mut config = Self {
            bind_host: String::new(),
            port: 0,
            transport_mode: TransportMode::Binary,
            http_port: 0,
            http_path: String::new(),
            http_idle_time: Duration::ZERO,
            http_cookie: false,
            http_cookie_max_age: Duration::ZERO,
            http_cookie_domain: String::new(),
            http_cookie_path: String::new(),
            http_cookie_http_only: false,
            xsrf_filter: false,
            tls: false,
            keystore: None,
            authentication: Authentication::None,
            password_file: None,
            ldap: LdapConfig::default(),
            kerberos_principal: String::new(),
            kerberos_keytab: None,
            sasl_qop: String::new(),
            proxy_users: ProxyUsers::default(),
            connections_max: 0,
            sessions_per_user_max: 0,
            sessions_per_address_max: 0,
            sessions_per_user_address_max: 0,
            message_bytes_max: 0,
            message_memory: 0,
            login_timeout: Duration::ZERO,
            fetch_size_default: 0,
            fetch_size_max: 0,
            close_session_on_disconnect: false,
            idle_session_timeout: Duration::ZERO,
            idle_operation_timeout: Duration::ZERO,
            session_check_interval: Duration::ZERO,
            long_polling_timeout: Duration::ZERO,
            operations_running_max: 0,
            operations_waiting_max: 0,
            operation_log: false,
            operation_log_level: String::new(),
            query_timeout: Duration::ZERO,
            user_substitution: false,
            table_type_mapping: TableTypeMapping::Classic,
            graceful_stop_timeout: Duration::ZERO,
            discovery: false,
            zookeeper_quorum: String::new(),
            zookeeper_port: 0,
            zookeeper_namespace: String::new(),
            zookeeper_session_timeout: Duration::ZERO,
            zookeeper_connection_timeout: Duration::ZERO,
            zookeeper_publish_configs: false,
            warehouse: None,
            scratch: None,
            results_bytes_max: 0,
            result_bytes_max: 0,
            statement_bytes_max: 0,
        };
        for setting in SETTINGS {
            let applied = (setting.apply)(&mut config, setting.default);
            debug_assert!(
                applied.is_some(),
                "the default of {} has no meaning",
                setting.key
            );
        }
        config
    }
}

impl Config {
    /// Sets one value by its name. `Ok(false)` when there is no such setting.
    ///
    /// # Errors
    /// The text says what the setting expects.
    pub fn set(&mut self, key: &str, value: &str) -> Result<bool, &'static str> {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
            return Ok(self.proxy_users.set(key, value));
        };
        // An empty value means the default, as in Hive.
        let value = if value.is_empty() {
            setting.default
        } else {
            value
        };
        (setting.apply)(self, value)
            .map(|()| true)
            .ok_or(setting.expects)
    }

    /// The port that the node is known by: the one of HTTP in the mode `http`, else the one of the binary transport.
    pub const fn set_port(&mut self, port: u16) {
        match self.transport_mode {
            TransportMode::Http => self.http_port = port,
            TransportMode::Binary | TransportMode::All => self.port = port,
        }
    }

    /// The folder for results: as set, or `.hs2-node/results` in the home folder.
    #[must_use]
    pub fn scratch_folder(&self) -> PathBuf {
        self.scratch.clone().unwrap_or_else(|| in_home("results"))
    }

    /// What the environment must hold, and does not, before Kerberos finds its keytab: the system's library takes it from
    /// there only, and a process cannot change its own environment safely.
    #[must_use]
    pub fn missing_environment(&self) -> Option<(&'static str, &Path)> {
        let keytab = self.kerberos_keytab.as_deref()?;
        let set = std::env::var_os(KEYTAB).unwrap_or_default();
        let file = Path::new(&set);
        let file = file.to_str().and_then(|name| name.strip_prefix("FILE:"));
        let is_there = file.map_or(Path::new(&set), Path::new) == keytab;
        let wanted = self.authentication == Authentication::Kerberos && !is_there;
        wanted.then_some((KEYTAB, keytab))
    }

    /// How much results may take.
    pub(crate) fn spool_limits(&self) -> SpoolLimits {
        let limit = |bytes: u64| (bytes > 0).then_some(bytes);
        SpoolLimits {
            node_bytes: limit(self.results_bytes_max),
            result_bytes: limit(self.result_bytes_max),
        }
    }

    /// The folder of the tables: as set, or `.hs2-node/warehouse` in the home folder.
    #[must_use]
    pub fn warehouse_folder(&self) -> PathBuf {
        self.warehouse
            .clone()
            .unwrap_or_else(|| in_home("warehouse"))
    }

    /// Sets what a settings file says.
    ///
    /// # Errors
    /// The file cannot be read, or holds what is no setting, or a value without meaning.
    pub fn apply_file(&mut self, file: &Path) -> Result<Vec<Warning>, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|source| ConfigError::Read {
            file: file.into(),
            source,
        })?;
        self.apply_text(&text).map_err(|error| ConfigError::InFile {
            file: file.into(),
            error: Box::new(error),
        })
    }

    /// Sets what the text of a settings file says: `key = value` lines, or XML when it begins with `<`.
    ///
    /// # Errors
    /// It holds what is no setting, or a value without meaning. Settings before it are set already.
    pub fn apply_text(&mut self, text: &str) -> Result<Vec<Warning>, ConfigError> {
        let mut warnings = Vec::new();
        for file::Entry { line, key, value } in file::entries(text)? {
            match self.set(&key, &value) {
                Ok(true) => {}
                Ok(false) => warnings.push(Warning { line, key }),
                Err(expects) => {
                    return Err(ConfigError::Value {
                        line,
                        key,
                        value,
                        expects,
                    });
                }
            }
        }
        Ok(warnings)
    }
}

/// The name of the environment's keytab.
const KEYTAB: &str = "KRB5_KTNAME";

/// In small letters.
fn qop(value: &str, to: &mut String) -> Option<()> {
    let qop = value.to_ascii_lowercase();
    matches!(qop.as_str(), "auth" | "auth-int" | "auth-conf").then(|| *to = qop)
}

fn table_type_mapping(value: &str, to: &mut TableTypeMapping) -> Option<()> {
    *to = match value.to_ascii_uppercase().as_str() {
        "CLASSIC" => TableTypeMapping::Classic,
        "HIVE" => TableTypeMapping::Hive,
        _ => return None,
    };
    Some(())
}

/// A folder of this program in the home folder, or in the current one where there is no home.
fn in_home(name: &str) -> PathBuf {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    home.map(PathBuf::from)
        .unwrap_or_default()
        .join(".hs2-node")
        .join(name)
}

/// A name that is no setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where it stands, from 1.
    pub line: u32,
    /// The name.
    pub key: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "line {}: {} is not a setting of this program and has no effect",
            self.line, self.key
        )
    }
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the settings file {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Something in a file.
    #[error("{}, {error}", file.display())]
    InFile {
        /// The file.
        file: PathBuf,
        /// What is wrong in it.
        error: Box<Self>,
    },
    /// A line is no setting.
    #[error("line {line}: {problem}")]
    Line {
        /// The line, from 1.
        line: u32,
        /// What is wrong.
        problem: String,
    },
    /// A value has no meaning.
    #[error("line {line}: {key} = {value}: expected {expects}")]
    Value {
        /// The line, from 1.
        line: u32,
        /// The setting.
        key: String,
        /// Its value.
        value: String,
        /// What a value may be.
        expects: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_has_a_meaning_and_every_name_is_there_once() {
        let mut config = Config::default();
        let mut keys = Vec::new();
        for setting in SETTINGS {
            assert_eq!(
                config.set(setting.key, setting.default),
                Ok(true),
                "{}",
                setting.key
            );
            keys.push(setting.key);
        }
        assert_eq!(config, Config::default());
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), SETTINGS.len());
        assert_eq!(config.message_bytes_max, 100 << 20);
        assert_eq!((config.port, config.zookeeper_port), (10000, 2181));
    }

    #[test]
    fn wrong_values_name_line_key_and_what_is_expected() {
        for (text, expected) in [
            (
                "\n\nhive.server2.thrift.port=70000",
                "line 3: hive.server2.thrift.port = 70000: expected a port, 0 to 65535",
            ),
            (
                "hive.server2.thrift.login.timeout = soon",
                "line 1: hive.server2.thrift.login.timeout = soon: expected a time such as 20s, 500ms, 2m, or seconds",
            ),
            (
                "hive.server2.authentication = PAM",
                "line 1: hive.server2.authentication = PAM: expected NONE, NOSASL, FILE, LDAP, KERBEROS or CUSTOM",
            ),
            (
                "hive.server2.async.exec.threads = 0",
                "line 1: hive.server2.async.exec.threads = 0: expected a number from 1 up",
            ),
            (
                "hive.server2.close.session.on.disconnect = yes",
                "line 1: hive.server2.close.session.on.disconnect = yes: expected true or false",
            ),
            ("what is this", "line 1: expected `key = value`"),
        ] {
            assert_eq!(
                Config::default().apply_text(text).unwrap_err().to_string(),
                expected
            );
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Config::default()
            .apply_file(Path::new("/nonexistent/hs2.conf"))
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot read the settings file /nonexistent/hs2.conf: "),
            "{error}"
        );
    }

    #[test]
    fn properties_and_xml_mean_the_same() {
        let mut lines = Config::default();
        lines
            .apply_text("hive.server2.thrift.port : 1\nhive.zookeeper.quorum=\"a:1,b\" # here\n")
            .unwrap();
        let mut xml = Config::default();
        xml.apply_text(
            "<?xml version=\"1.0\"?>\n<!-- settings -->\n<configuration>\n<property>\n<name>hive.server2.thrift.port</name>\n \
             <value> 1 </value><description>x</description></property>\
             <property><name>hive.zookeeper.quorum</name><value>a:1,b</value></property></configuration>",
        )
        .unwrap();
        assert_eq!(lines, xml);
        assert_eq!((lines.port, lines.zookeeper_quorum.as_str()), (1, "a:1,b"));
    }
}
