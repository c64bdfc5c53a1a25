//! The server without sockets and clocks: bytes and the time go in, bytes and "close it" come out.
//!
//! A driver does four things, in any order, with one thread at a time:
//!
//! 1. tell what happened: [`Core::connected`], [`Core::received`], [`Core::disconnected`], and [`Core::tick`] once
//!    [`Core::wake_at_ms`] has come;
//! 2. after each of these, ask [`Core::next_ready`] until it says `None`: these connections have something to do;
//! 3. for each of them write what [`Core::take_output`] gives, and read more where [`Core::wants_input`] says so;
//! 4. close the connections that [`Core::is_over`] names once their output is written, and tell
//!    [`Core::disconnected`].
//!
//! ```
//! use zk_server::ServerOptions;
//! use zk_server::core::{Core, Now};
//!
//! let now = Now { monotonic_ms: 0, wall_ms: 1_700_000_000_000 };
//! let mut core = Core::new(ServerOptions::default(), 7, now);
//! let connection = core.connected(now, "127.0.0.1:40000".parse()?);
//! core.received(now, connection, b"ruok");
//! assert_eq!(core.next_ready(), Some(connection));
//! assert_eq!(&core.take_output(now, connection, usize::MAX)[..], b"imok");
//! assert!(core.is_over(connection));
//! # Ok::<(), std::net::AddrParseError>(())
//! ```
//!
//! A server that is to outlive its process is kept as records: see [`Core::keep_log`] and [`Core::load`].
//!
//! Given the same calls with the same arguments, a core gives the same bytes.

mod access;
mod connection;
mod events;
mod handshake;
mod journal;
mod multi;
mod quota;
mod release;
mod request;
mod sessions;
mod tree;
mod watches;
mod words;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use zk_proto::{SessionId, Zxid};

use crate::options::{ServerOptions, millis};
use connection::{Connection, Phase};
pub use journal::RecordError;
use journal::{Journal, SessionPart};
use quota::Quotas;
use release::Release;
use sessions::Sessions;
use tree::{Kind, Stamp, Tree};
use watches::Watches;

/// How many containers and znodes with a time to live are removed at once at most.
const REAPED_MAX: usize = 10_000;

/// What the clocks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds of a clock that never goes back, from any start.
    pub monotonic_ms: u64,
    /// Milliseconds since 1970, for the times in a znode's stat.
    pub wall_ms: i64,
}

/// A connection's number within its core; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// What a connection that is cut on command takes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The next write: it is not applied.
    Request,
    /// The answer to the next write: it is applied.
    Answer,
}

/// The state of one server: see the [module](self) for how to drive it.
pub struct Core {
    options: ServerOptions,
    release: Release,
    read_only: bool,
    tree: Tree,
    quotas: Quotas,
    enforce_quota: bool,
    sessions: Sessions,
    watches: Watches,
    connections: BTreeMap<ConnectionId, Connection>,
    /// Connections that have something to do since the driver last asked.
    ready: BTreeSet<ConnectionId>,
    /// Connections without a session, by when that ends.
    handshakes: BTreeSet<(u64, ConnectionId)>,
    next_connection: u64,
    last_zxid: Zxid,
    next_reap_ms: u64,
    started_ms: u64,
    received: u64,
    sent: u64,
    /// Where somebody keeps it.
    journal: Option<Journal>,
    /// How many records of a snapshot there were.
    loaded: u64,
}

impl Core {
    /// A server with an empty tree. `seed` makes the sessions' passwords.
    #[must_use]
    pub fn new(options: ServerOptions, seed: u64, now: Now) -> Self {
        let release = Release(options.emulate_version);
        let mut sessions = Sessions::new(options.tick_ms(), seed, now.wall_ms);
        sessions.set_read_only(options.read_only, now.monotonic_ms);
        Self {
            release,
            read_only: options.read_only,
            tree: Tree::new(release.has_config()),
            quotas: Quotas::default(),
            enforce_quota: options.enforce_quota && release.has_hard_limits(),
            sessions,
            watches: Watches::new(release.keeps_watch_modes_apart()),
            connections: BTreeMap::new(),
            ready: BTreeSet::new(),
            handshakes: BTreeSet::new(),
            next_connection: 1,
            last_zxid: Zxid(0),
            next_reap_ms: now
                .monotonic_ms
                .saturating_add(millis(options.container_check_interval)),
            started_ms: now.monotonic_ms,
            received: 0,
            sent: 0,
            journal: None,
            loaded: 0,
            options,
        }
    }

    /// A client has connected.
    pub fn connected(&mut self, now: Now, peer: SocketAddr) -> ConnectionId {
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let connection = Connection::new(peer, self.options.output_bytes_max, now);
        self.connections.insert(id, connection);
        self.handshakes
            .insert((self.handshake_deadline_ms(now.monotonic_ms), id));
        id
    }

    /// A client has sent bytes. They wait inside until the client has read enough of its replies: see
    /// [`Self::wants_input`].
    pub fn received(&mut self, now: Now, id: ConnectionId, bytes: &[u8]) {
        if let Some(connection) = self.connections.get_mut(&id)
            && !connection.is_over()
        {
            connection.input.extend_from_slice(bytes);
            self.advance(now, id);
        }
    }

    /// A client has gone, or the driver has closed its connection. The session lives on until it expires.
    pub fn disconnected(&mut self, id: ConnectionId) {
        self.leave(id);
        if let Some(connection) = self.connections.remove(&id) {
            self.received += connection.log.received;
            self.sent += connection.log.sent;
        }
        self.ready.remove(&id);
    }

    /// Time has passed: sessions expire, silent connections are closed, empty containers go.
    pub fn tick(&mut self, now: Now) {
        while let Some(session) = self.sessions.next_expired(now.monotonic_ms) {
            tracing::info!(%session, "session expired");
            self.end_session(now, session);
        }
        while let Some((deadline_ms, id)) = self.handshakes.first().copied()
            && deadline_ms <= now.monotonic_ms
        {
            self.complain(id, &"no connect request in time");
            self.abort(id);
        }
        if self.next_reap_ms <= now.monotonic_ms && !self.read_only {
            self.next_reap_ms = now
                .monotonic_ms
                .saturating_add(millis(self.options.container_check_interval).max(1));
            self.reap(now);
        }
    }

    /// When [`Self::tick`] has something to do, by the monotonic clock; `None` when never. Later calls may bring it
    /// forward.
    #[must_use]
    pub fn wake_at_ms(&self) -> Option<u64> {
        let handshake = self.handshakes.first().map(|(deadline_ms, _)| *deadline_ms);
        let reap = (self.tree.has_perishable() && !self.read_only).then_some(self.next_reap_ms);
        [self.sessions.next_deadline_ms(), handshake, reap]
            .into_iter()
            .flatten()
            .min()
    }

    /// A connection that has output, or is over, or wants input again, since this was last asked.
    pub fn next_ready(&mut self) -> Option<ConnectionId> {
        self.ready.pop_first()
    }

    /// Up to `max` bytes that have to go to the client. Taking them makes room for the answers to requests that wait.
    pub fn take_output(&mut self, now: Now, id: ConnectionId, max: usize) -> Bytes {
        let Some(connection) = self.connections.get_mut(&id) else {
            return Bytes::new();
        };
        let bytes = connection.take_output(max);
        if !bytes.is_empty() && !connection.input.is_empty() {
            self.advance(now, id);
        }
        bytes
    }

    /// Whether there is output to take.
    #[must_use]
    pub fn has_output(&self, id: ConnectionId) -> bool {
        self.connections
            .get(&id)
            .is_some_and(|connection| connection.output_len() > 0)
    }

    /// Whether more bytes of the client should be read: not while many replies wait for it to read them.
    #[must_use]
    pub fn wants_input(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_some_and(Connection::is_ready)
    }

    /// Whether the connection is to be closed once its output is written. Also true for one that is not known.
    #[must_use]
    pub fn is_over(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_none_or(Connection::is_over)
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections_count(&self) -> usize {
        self.connections.len()
    }

    /// The living sessions, by number.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.sessions.iter().map(|(id, _)| id)
    }

    /// Ends a session as if its time were up; `false` when there is none of that number.
    pub fn expire_session(&mut self, now: Now, session: SessionId) -> bool {
        let exists = self.sessions.get(session).is_some();
        if exists {
            self.end_session(now, session);
        }
        exists
    }

    /// Cuts every connection, without a word. The sessions live on.
    pub fn drop_connections(&mut self) {
        for id in self.connections.keys().copied().collect::<Vec<_>>() {
            self.abort(id);
        }
    }

    /// Cuts the connection that a session has, without a word; `false` when it has none.
    pub fn drop_connection(&mut self, session: SessionId) -> bool {
        let connection = self.connection_of(session);
        if let Some(id) = connection {
            self.abort(id);
        }
        connection.is_some()
    }

    /// Cuts a session's connection at its next write, before or after it is applied; `false` when there is no such
    /// session. What the client was told before still reaches it.
    pub fn lose_next_write(&mut self, session: SessionId, loss: Loss) -> bool {
        self.sessions.set_loss(session, loss)
    }

    /// The connection that a session has.
    #[must_use]
    pub fn connection_of(&self, session: SessionId) -> Option<ConnectionId> {
        self.sessions.get(session)?.connection
    }

    /// The session that a connection has or had.
    #[must_use]
    pub fn session_of(&self, connection: ConnectionId) -> Option<SessionId> {
        self.connections.get(&connection)?.session
    }

    /// Becomes the read-only server of an ensemble without a quorum, or a writable one again. Either way its
    /// connections are cut. Meanwhile no session but those of read-only clients expires; afterwards these are gone, and
    /// all others have their full timeout.
    pub fn set_read_only(&mut self, now: Now, read_only: bool) {
        if self.read_only != read_only {
            self.read_only = read_only;
            self.drop_connections();
            self.sessions.set_read_only(read_only, now.monotonic_ms);
        }
    }

    /// Serves what has come on a connection, as far as its output has room.
    fn advance(&mut self, now: Now, id: ConnectionId) {
        self.ready.insert(id);
        while let Some(connection) = self.connections.get_mut(&id)
            && connection.is_ready()
        {
            match connection.phase {
                Phase::Fresh => match connection.input.first_chunk::<4>().copied() {
                    None => return,
                    Some(word) => match self.answer_word(now, word) {
                        Some(text) => self.finish_with_text(id, &text),
                        None => self.set_phase(id, Phase::Handshake),
                    },
                },
                Phase::Handshake => match connection.next_frame(self.options.frame_bytes_max) {
                    Ok(None) => return,
                    Ok(Some(payload)) => self.handshake(now, id, &payload),
                    Err(error) => {
                        self.complain(id, &error);
                        self.abort(id);
                    }
                },
                Phase::Open => match connection.next_frame(self.options.frame_bytes_max) {
                    Ok(None) => return,
                    Ok(Some(payload)) => self.request(now, id, &payload),
                    Err(error) => {
                        self.complain(id, &error);
                        self.finish(id);
                    }
                },
                Phase::Closing | Phase::Aborted => break,
            }
        }
        // A reply that found no room has cut the connection.
        if self.is_over(id) {
            self.leave(id);
        }
    }

    fn set_phase(&mut self, id: ConnectionId, phase: Phase) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.phase = phase;
        }
    }

    fn finish_with_text(&mut self, id: ConnectionId, text: &str) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.push_text(text);
        }
        self.finish(id);
    }

    /// Tells the log why a connection is about to be closed: its peer is not told.
    fn complain(&self, id: ConnectionId, reason: &dyn fmt::Display) {
        if let Some(connection) = self.connections.get(&id) {
            tracing::warn!(peer = %connection.peer, %reason, "connection closed");
        }
    }

    /// Closes a connection behind what it has to be told.
    fn finish(&mut self, id: ConnectionId) {
        self.leave(id);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.input.clear();
            if connection.phase != Phase::Aborted {
                connection.phase = Phase::Closing;
            }
        }
        self.ready.insert(id);
    }

    /// Closes a connection at once.
    fn abort(&mut self, id: ConnectionId) {
        self.leave(id);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.abort();
        }
        self.ready.insert(id);
    }

    /// Takes a connection out of all books but the one of connections.
    fn leave(&mut self, id: ConnectionId) {
        self.watches.disconnect(id);
        self.end_handshake(id);
        if let Some(session) = self.connections.get(&id).and_then(|c| c.session) {
            self.sessions.detach(session, id);
        }
    }

    fn end_handshake(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get(&id) {
            let deadline_ms = self.handshake_deadline_ms(connection.log.opened_ms);
            self.handshakes.remove(&(deadline_ms, id));
        }
    }

    fn handshake_deadline_ms(&self, opened_ms: u64) -> u64 {
        opened_ms.saturating_add(millis(self.options.handshake_timeout))
    }

    /// The next transaction. A write that fails takes one too.
    const fn begin(&mut self, now: Now) -> Stamp {
        self.last_zxid = Zxid(self.last_zxid.0 + 1);
        Stamp {
            zxid: self.last_zxid,
            wall_ms: now.wall_ms,
        }
    }

    /// Ends a session: its ephemerals go in one transaction, with their events; then its connection is closed.
    fn end_session(&mut self, now: Now, id: SessionId) {
        let Some(session) = self.sessions.remove(id) else {
            return;
        };
        if !session.is_local {
            let stamp = self.begin(now);
            let paths: Vec<_> = self.tree.ephemerals(id).cloned().collect();
            let changes: Vec<_> = paths
                .iter()
                .filter_map(|path| self.tree.delete(path, stamp))
                .collect();
            self.log(stamp, SessionPart::Ended { id }, &changes);
            self.publish(&changes, stamp.zxid);
        }
        if let Some(connection) = session.connection {
            self.finish(connection);
        }
    }

    /// Removes containers that are empty again and znodes whose time to live is over.
    fn reap(&mut self, now: Now) {
        let is_due = |znode: &tree::Znode| {
            znode.children.is_empty()
                && match znode.kind {
                    Kind::Container => znode.creates > 0,
                    Kind::Ttl(ttl_ms) => now.wall_ms.saturating_sub(znode.mtime_ms) > ttl_ms,
                    Kind::Persistent | Kind::Ephemeral(_) => false,
                }
        };
        let due: Vec<_> = self
            .tree
            .perishable()
            .filter(|(_, znode)| is_due(znode))
            .map(|(path, _)| std::sync::Arc::clone(path))
            .take(REAPED_MAX)
            .collect();
        for path in due {
            let stamp = self.begin(now);
            let change = self.tree.delete(&path, stamp);
            self.commit(change.as_slice(), stamp);
        }
    }
}

/// Counts, not contents.
impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("last_zxid", &self.last_zxid)
            .field("znodes", &self.tree.len())
            .field("sessions", &self.sessions.len())
            .field("connections", &self.connections.len())
            .finish_non_exhaustive()
    }
}
