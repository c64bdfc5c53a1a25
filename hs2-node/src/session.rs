//! Open sessions and operations, and what a client may ask for when it opens one.
//!
//! A handle is good on every connection of the node: JDBC fetches one result over several, and impyla comes back with
//! its session after a broken one.

use hs2_proto::tcli::{
    HandleId, OpenSessionReq, OperationHandle, OperationState, ProtocolVersion, SessionHandle,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

use crate::config::Config;
use crate::engine::{EngineSession, SessionOptions};
use crate::error::Failure;
use crate::handle::same_secret;
use crate::operation::Operation;
use crate::quota::SessionTicket;
use crate::service::Client;

/// Open sessions of a node, at most. One costs a few kilobytes, and may outlive its connection.
pub(crate) const SESSIONS_MAX: usize = 10_000;
/// Open operations of a session, at most. Each has a file.
pub(crate) const OPERATIONS_PER_SESSION_MAX: usize = 1000;

/// A session of a client.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) handle: SessionHandle,
    pub(crate) version: ProtocolVersion,
    pub(crate) user: String,
    pub(crate) engine: Arc<dyn EngineSession>,
    closed: watch::Sender<bool>,
    used: Mutex<Instant>,
    /// What it counts as, for its user and address.
    _ticket: SessionTicket,
    /// What the client says of itself.
    client_info: Mutex<BTreeMap<String, String>>,
}

impl Session {
    pub(crate) fn new(
        id: HandleId,
        version: ProtocolVersion,
        user: String,
        engine: Arc<dyn EngineSession>,
        ticket: SessionTicket,
    ) -> Arc<Self> {
        let (closed, used) = (watch::Sender::new(false), Mutex::new(Instant::now()));
        Arc::new(Self {
            handle: SessionHandle { session_id: id },
            version,
            user,
            engine,
            closed,
            used,
            _ticket: ticket,
            client_info: Mutex::default(),
        })
    }

    /// Adds to what the client says of itself; an empty value takes a name away, as in JDBC. Gives all of it as
    /// `name=value`, separated by commas.
    pub(crate) fn tell_client_info<'a>(
        &self,
        pairs: impl Iterator<Item = (&'a str, &'a String)>,
        bytes_max: usize,
    ) -> Result<String, Failure> {
        let mut client_info = lock(&self.client_info);
        let mut next = client_info.clone();
        for (name, value) in pairs {
            if value.is_empty() {
                next.remove(name);
            } else {
                next.insert(name.to_owned(), value.clone());
            }
        }
        let all: Vec<_> = next.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let told = all.join(",");
        if told.len() > bytes_max {
            let message =
                format!("the client info has more than the {bytes_max} bytes that are allowed");
            return Err(Failure::new("22001", message));
        }
        *client_info = next;
        Ok(told)
    }

    /// Waits until the session is closed.
    pub(crate) async fn closed(&self) {
        // The sender is `self`, so that there is no error.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }

    fn touch(&self) {
        *lock(&self.used) = Instant::now();
    }
}

/// Every open session and operation of a node.
#[derive(Debug)]
pub(crate) struct Sessions {
    tables: Mutex<Tables>,
    count: watch::Sender<usize>,
    /// Whether the node waits for the last of them to be closed.
    retiring: AtomicBool,
}

#[derive(Debug, Default)]
struct Tables {
    sessions: HashMap<[u8; 16], Arc<Session>>,
    /// Sessions that are being opened. They count, so that nobody stops the node under them.
    opening: usize,
    /// Whether the node takes no new sessions any more.
    leaving: bool,
    operations: HashMap<[u8; 16], Arc<Operation>>,
}

impl Sessions {
    pub(crate) fn new() -> Self {
        Self {
            tables: Mutex::default(),
            count: watch::Sender::new(0),
            retiring: AtomicBool::new(false),
        }
    }

    /// How many sessions are open, as it changes.
    pub(crate) fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    /// A place for one more session.
    pub(crate) fn reserve(&self) -> Result<Place<'_>, Failure> {
        self.change(|tables| {
            if tables.leaving {
                let message =
                    "this node is leaving and takes no new sessions: connect to another one";
                return Err(Failure::new("08004", message));
            }
            if tables.sessions.len() + tables.opening >= SESSIONS_MAX {
                let message = format!(
                    "this node has {SESSIONS_MAX} open sessions, which is its limit: close some, or try another node"
                );
                return Err(Failure::new("08004", message));
            }
            tables.opening += 1;
            Ok(Place(self))
        })
    }

    /// Notes that the node waits until nobody uses it any more.
    pub(crate) fn retire(&self) {
        self.retiring.store(true, Ordering::Relaxed);
    }

    /// Whether the node waits until nobody uses it any more.
    pub(crate) fn is_retiring(&self) -> bool {
        self.retiring.load(Ordering::Relaxed)
    }

    /// Gives out no places any more.
    pub(crate) fn leave(&self) {
        self.change(|tables| tables.leaving = true);
    }

    /// The session of a handle, which is in use from now.
    pub(crate) fn session(&self, handle: &SessionHandle) -> Result<Arc<Session>, Failure> {
        let id = handle.session_id;
        let session = lock(&self.tables).sessions.get(&id.guid).cloned();
        let session =
            session.filter(|session| same_secret(&session.handle.session_id.secret, &id.secret));
        session
            .inspect(|session| session.touch())
            .ok_or_else(|| Failure::no_session(id))
    }

    /// Whether a session is open.
    pub(crate) fn is_open(&self, guid: &[u8; 16]) -> bool {
        lock(&self.tables).sessions.contains_key(guid)
    }

    /// Closes a session and its operations. Says whether it was open.
    pub(crate) fn close(&self, guid: &[u8; 16]) -> bool {
        let (session, operations) = self.change(|tables| {
            let operations = tables
                .operations
                .extract_if(|_, operation| operation.session == *guid);
            let operations: Vec<_> = operations.map(|(_, operation)| operation).collect();
            (tables.sessions.remove(guid), operations)
        });
        for operation in operations {
            operation.close();
        }
        if let Some(session) = &session {
            session.closed.send_replace(true);
            tracing::info!(session = %session.handle.session_id, user = session.user, "session closed");
        }
        session.is_some()
    }

    /// Closes all of them.
    pub(crate) fn close_all(&self) {
        let all: Vec<_> = lock(&self.tables).sessions.keys().copied().collect();
        for guid in all {
            self.close(&guid);
        }
    }

    /// Says whether one more operation would be too many for a session.
    pub(crate) fn check_room_for_operation(&self, session: &Session) -> Result<(), Failure> {
        let guid = session.handle.session_id.guid;
        let open = lock(&self.tables)
            .operations
            .values()
            .filter(|operation| operation.session == guid)
            .count();
        if open < OPERATIONS_PER_SESSION_MAX {
            return Ok(());
        }
        let message = format!(
            "the session has {OPERATIONS_PER_SESSION_MAX} open operations, which is the limit: close some"
        );
        Err(Failure::new("53300", message))
    }

    /// Adds an operation to its session; when that is closed by now, so is the operation.
    pub(crate) fn add(&self, operation: &Arc<Operation>) -> Result<(), Failure> {
        let mut tables = lock(&self.tables);
        if tables.sessions.contains_key(&operation.session) {
            tables
                .operations
                .insert(operation.id().guid, Arc::clone(operation));
            Ok(())
        } else {
            drop(tables);
            operation.close();
            Err(Failure::closed())
        }
    }

    /// The operation of a handle, which is in use from now, and so is its session.
    pub(crate) fn operation(&self, handle: &OperationHandle) -> Result<Arc<Operation>, Failure> {
        let id = handle.operation_id;
        let tables = lock(&self.tables);
        let operation = tables
            .operations
            .get(&id.guid)
            .filter(|found| same_secret(&found.id().secret, &id.secret));
        let operation = operation.ok_or_else(|| Failure::no_operation(handle))?;
        operation.touch();
        if let Some(session) = tables.sessions.get(&operation.session) {
            session.touch();
        }
        Ok(Arc::clone(operation))
    }

    /// Closes an operation.
    pub(crate) fn close_operation(&self, handle: &OperationHandle) -> Result<(), Failure> {
        let operation = self.operation(handle)?;
        self.discard(&operation);
        Ok(())
    }

    /// Closes an operation, whether or not its session is still open.
    pub(crate) fn discard(&self, operation: &Operation) {
        lock(&self.tables).operations.remove(&operation.id().guid);
        operation.close();
    }

    /// Lets go of the pages of results that nobody has fetched from for so long, so that a client which stops in the
    /// middle costs no memory.
    pub(crate) fn release_pages(&self, idle: Duration) {
        let operations: Vec<_> = lock(&self.tables).operations.values().cloned().collect();
        for operation in operations
            .iter()
            .filter(|operation| operation.idle() >= idle)
        {
            operation.release_page();
        }
    }

    /// Closes what nobody has used for too long. A session whose operation still runs is in use.
    pub(crate) fn close_idle(&self, session_timeout: Duration, operation_timeout: Duration) {
        let over = |idle: Duration, limit: Duration| !limit.is_zero() && idle > limit;
        let (sessions, operations) = {
            let mut tables = lock(&self.tables);
            let idle = |operation: &Operation| {
                let status = operation.status();
                // Closed ones are those that nobody knows.
                status.state == OperationState::CLOSED
                    || (!status.active && over(operation.idle(), operation_timeout))
            };
            let operations: Vec<_> = tables
                .operations
                .extract_if(|_, operation| idle(operation))
                .collect();
            let active = |guid: &[u8; 16]| {
                tables
                    .operations
                    .values()
                    .any(|op| op.session == *guid && op.status().active)
            };
            let idle = |session: &Session| over(lock(&session.used).elapsed(), session_timeout);
            let sessions = tables
                .sessions
                .iter()
                .filter(|(guid, session)| idle(session) && !active(guid));
            (
                sessions.map(|(guid, _)| *guid).collect::<Vec<_>>(),
                operations,
            )
        };
        for (_, operation) in operations {
            if operation.close() {
                tracing::info!(operation = %operation.id(), "idle operation closed");
            }
        }
        for guid in sessions {
            self.close(&guid);
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Tables) -> T) -> T {
        let mut tables = lock(&self.tables);
        let changed = change(&mut tables);
        self.count
            .send_replace(tables.sessions.len() + tables.opening);
        changed
    }
}

/// A place that was given out. Dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Place<'a>(&'a Sessions);

impl Place<'_> {
    /// A session takes the place.
    pub(crate) fn open(self, session: Arc<Session>) {
        self.0.change(|tables| {
            tables
                .sessions
                .insert(session.handle.session_id.guid, session);
        });
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.change(|tables| tables.opening -= 1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these; if it did, each table would still be whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The setting by which a client says how many rows it fetches at a time.
pub(crate) const FETCH_SIZE: &str = "hive.server2.thrift.resultset.default.fetch.size";
const PROXY_USER: &str = "hive.server2.proxy.user";

/// What a client asks for when it opens a session.
#[derive(Debug)]
pub(crate) struct SessionRequest {
    pub(crate) options: SessionOptions,
    /// Rows of a fetch, as the response tells the client.
    pub(crate) fetch_size: u32,
}

impl SessionRequest {
    /// Reads a request. The client is who has logged in; without a login, the request says who it is. For whom else it
    /// acts, the request or the connection says, if it may.
    ///
    /// The keys of its configuration, as Hive reads them: `set:hiveconf:k` and plain `k` are settings,
    /// `set:hivevar:k` variables, `use:database` the first database. What else a SET command could set (`set:system:`,
    /// `set:env:`, `set:metaconf:`) has no meaning here and is logged. Names that nobody knows are accepted.
    pub(crate) fn read(
        request: &OpenSessionReq,
        client: &Client,
        config: &Config,
    ) -> Result<Self, Failure> {
        let named = request.username.as_deref().filter(|name| !name.is_empty());
        let user = client
            .identity
            .as_deref()
            .or(named)
            .unwrap_or("anonymous")
            .to_owned();
        let mut options = SessionOptions {
            user,
            ..SessionOptions::default()
        };
        for (key, value) in request.configuration.iter().flat_map(|pairs| pairs.iter()) {
            match key.split_once(':') {
                Some(("use", _)) => {
                    options.database = Some(unquoted(value)).filter(|name| !name.is_empty())
                }
                Some(("set", rest)) => match rest.split_once(':') {
                    Some(("hiveconf", key)) => {
                        drop(options.conf.insert(key.to_owned(), value.clone()))
                    }
                    Some(("hivevar", key)) => {
                        drop(options.vars.insert(key.to_owned(), value.clone()))
                    }
                    _ => tracing::debug!(key, "a setting of the session has no meaning here"),
                },
                _ => drop(options.conf.insert(key.to_owned(), value.clone())),
            }
        }
        let proxied = options.conf.get(PROXY_USER).or(client.do_as.as_ref());
        if let Some(proxied) = proxied.filter(|name| !name.is_empty()) {
            check_proxy(&options.user, proxied, config)?;
            options.user = proxied.clone();
        }
        let asked = options
            .conf
            .get(FETCH_SIZE)
            .and_then(|size| size.parse().ok())
            .filter(|size| *size > 0);
        let fetch_size = asked
            .unwrap_or(config.fetch_size_default)
            .min(config.fetch_size_max);
        Ok(Self {
            options,
            fetch_size,
        })
    }
}

/// Says whether a user may open a session for another one. Where nobody proves who they are, nobody needs to ask.
fn check_proxy(user: &str, proxied: &str, config: &Config) -> Result<(), Failure> {
    // Hive's words.
    if !config.user_substitution {
        let text = "Proxy user substitution is not allowed";
        return Err(Failure::new("08S01", text));
    }
    if config.authentication.believes_everybody()
        || user == proxied
        || config.proxy_users.allow(user, proxied)
    {
        return Ok(());
    }
    let text = format!(
        "Failed to validate proxy privilege of {user} for {proxied}: set hadoop.proxyuser.{user}.users"
    );
    Err(Failure::new("08S01", text))
}

/// A name without the backquotes around it.
fn unquoted(name: &str) -> String {
    let name = name.trim();
    match name
        .strip_prefix('`')
        .and_then(|name| name.strip_suffix('`'))
    {
        Some(inner) => inner.replace("``", "`"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(identity: Option<&str>) -> Client {
        let peer = "127.0.0.1:1".parse().unwrap();
        Client::new(peer, identity.map(str::to_owned))
    }

    fn read(pairs: &[(&str, &str)], identity: Option<&str>) -> SessionRequest {
        try_read(pairs, &client(identity), &Config::default()).unwrap()
    }

    fn try_read(
        pairs: &[(&str, &str)],
        client: &Client,
        config: &Config,
    ) -> Result<SessionRequest, Failure> {
        let request = OpenSessionReq {
            client_protocol: ProtocolVersion::V10,
            username: Some("os-login".to_owned()),
            password: None,
            configuration: Some(pairs.iter().map(|(key, value)| (*key, *value)).collect()),
        };
        SessionRequest::read(&request, client, config)
    }

    #[test]
    fn every_form_of_key() {
        let request = read(
            &[
                ("set:hiveconf:hive.exec.parallel", "true"),
                ("set:hivevar:day", "monday"),
                ("use:database", "`Sales`"),
                ("mapreduce.job.name", "x=y"),
                ("set:system:user.name", "z"),
                ("set:nothing", "z"),
            ],
            Some("scott"),
        );
        let options = request.options;
        assert_eq!(
            (options.user.as_str(), options.database.as_deref()),
            ("scott", Some("Sales"))
        );
        let pairs = |map: BTreeMap<String, String>| map.into_iter().collect::<Vec<_>>();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            pairs(options.conf),
            [
                pair("hive.exec.parallel", "true"),
                pair("mapreduce.job.name", "x=y")
            ]
        );
        assert_eq!(pairs(options.vars), [pair("day", "monday")]);
        assert_eq!(request.fetch_size, 1000);
    }

    #[test]
    fn the_login_wins_over_the_request_and_a_proxied_user_over_both() {
        assert_eq!(read(&[], None).options.user, "os-login");
        assert_eq!(read(&[], Some("scott")).options.user, "scott");
        assert_eq!(
            read(&[("hive.server2.proxy.user", "king")], Some("scott"))
                .options
                .user,
            "king"
        );
        let request = OpenSessionReq {
            client_protocol: ProtocolVersion::V6,
            username: None,
            password: None,
            configuration: None,
        };
        let anonymous = SessionRequest::read(&request, &client(None), &Config::default());
        assert_eq!(anonymous.unwrap().options.user, "anonymous");
    }

    #[test]
    fn who_may_act_for_others_the_settings_say() {
        let mut config = Config::default();
        let said = |config: &Config, user: &str, pairs: &[(&str, &str)], do_as: Option<&str>| {
            let mut client = client(Some(user));
            client.do_as = do_as.map(str::to_owned);
            let read = try_read(pairs, &client, config);
            read.map_or_else(|failure| failure.message, |request| request.options.user)
        };
        let king = [(PROXY_USER, "king")];
        assert_eq!(said(&config, "scott", &[], Some("king")), "king");
        config
            .apply_text("hive.server2.authentication = LDAP\nhadoop.proxyuser.hue.users = king")
            .unwrap();
        assert_eq!(said(&config, "hue", &king, None), "king");
        assert_eq!(said(&config, "hue", &[], Some("king")), "king");
        assert_eq!(said(&config, "scott", &[], Some("scott")), "scott");
        for (user, pairs, do_as) in [
            ("hue", &[][..], Some("scott")),
            ("scott", &king[..], None),
            ("scott", &king[..], Some("scott")),
        ] {
            let refused = said(&config, user, pairs, do_as);
            let beginning = format!("Failed to validate proxy privilege of {user} for ");
            assert!(refused.starts_with(&beginning), "{refused}");
        }
        config
            .apply_text("hive.server2.allow.user.substitution = false")
            .unwrap();
        let refused = said(&config, "hue", &king, None);
        assert_eq!(refused, "Proxy user substitution is not allowed");
    }

    #[test]
    fn the_fetch_size_is_the_clients_within_the_nodes_limit() {
        for (asked, given) in [("50", 50), ("0", 1000), ("x", 1000), ("1000000", 10_000)] {
            let request = read(
                &[(
                    "set:hiveconf:hive.server2.thrift.resultset.default.fetch.size",
                    asked,
                )],
                None,
            );
            assert_eq!(request.fetch_size, given, "{asked}");
        }
    }
}
