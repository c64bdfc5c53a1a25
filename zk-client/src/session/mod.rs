//! The session: a state machine without IO.
//!
//! A [`Session`] is told what happens ([`Input`], [`submit`](Session::submit)) together with the time, and says what to
//! do ([`Output`], [`outgoing`](Session::outgoing), [`poll_timeout`](Session::poll_timeout)). It owns no socket, no
//! timer and no task, so that the driver of this crate, a simulation and a fuzzer run the same code.
//!
//! The contract: after every input, write all of `outgoing()` to the connection, then take outputs until there is none,
//! and come back with [`Input::Timeout`] when `poll_timeout()` has passed.
//!
//! ```text
//!             Connect(host)             connected            ConnectResponse       (tokens)
//!   Waiting ───────────────► Dialing ─────────────► Handshake ──────────────► Sasl ─────────► Connected
//!      ▲                        │ failed               │ lost, refused          │ lost           │ lost, silent for 2/3 T
//!      └────────────────────────┴──────────────────────┴────────────────────────┴────────────────┘
//!
//!   any ── timeOut 0 in ConnectResponse ──► Ended(Expired)         any ── auth refused ──► Ended(AuthFailed)
//!   any but Connected ── 4/3 T unheard ───► Ended(GivenUp)         any ── close ─────────► Ended(Closed)
//! ```
//!
//! Without SASL the session is connected as soon as the server has accepted it.
//!
//! # What is kept of a request
//! A request is *waiting* (no connection yet), *sent*, or answered. When the connection is lost, every sent request is
//! completed with [`CallError::Lost`]; those that wait go to the next connection in their order. Behind the connect
//! request of a *new* session go the reads that wait: servers answer them in order, which saves a round trip, and a
//! read can be repeated if that connection fails. Nothing is sent ahead on an old session, nor behind credentials.
//!
//! # Newer than 3.4
//! A server closes the connection over an opcode that it does not know, and the answers ahead of it may be lost with it.
//! So before the first request that not every server since 3.4 understands, [`Output::AskVersion`] has the driver ask;
//! requests behind it wait, in order. A server that does not tell gets the request alone, with nothing else in flight,
//! and its refusal is remembered for its host. Persistent watches are registered again (`setWatches2`) by the same rule;
//! where the server is too old for them, [`Output::Suspended`] says so and the session goes on.

mod calls;
mod connection;
mod counters;
mod gate;
mod hosts;
mod rearm;
mod watches;
mod writable;

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use zk_proto::four_letter::ServerVersion;
use zk_proto::frame::{FrameDecoder, FrameError};
use zk_proto::record::{EventType, PASSWORD_BYTES};
use zk_proto::{ErrorCode, HostPort, SessionId, Xid, Zxid};

use crate::error::{Attempt, Outcome, SessionEnd};
pub use calls::CallId;
use calls::{Sent, Waiting};
use connection::Phase;
pub use counters::Counters;
use gate::Gate;
use hosts::Hosts;
use rearm::Rearm;
use watches::WatchBook;
pub use watches::{WatchKind, WatcherId};
use writable::Search;

/// What a session is made with.
#[derive(Clone)]
pub struct Config {
    /// The servers, in any order; they are shuffled.
    pub hosts: Vec<HostPort>,
    /// The session timeout to ask for.
    pub session_timeout: Duration,
    /// How long one server may take to accept a connection and the session.
    pub attempt_timeout: Duration,
    /// The largest payload to accept, in bytes.
    pub max_incoming_bytes: usize,
    /// The largest payload to send, in bytes.
    pub max_outgoing_bytes: usize,
    /// How many requests may be unanswered.
    pub max_requests: usize,
    /// Schemes and credentials, sent at every connect.
    pub auth: Vec<(String, Vec<u8>)>,
    /// The SASL mechanism's name, for errors, where the driver has one to run behind every connect.
    pub sasl: Option<&'static str>,
    /// Whether a server that is cut off from its ensemble may serve the session read-only.
    pub read_only: bool,
    /// Feeds the order of the servers and the jitter of pauses.
    pub seed: u64,
}

/// Hides the credentials.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schemes: Vec<_> = self.auth.iter().map(|(scheme, _)| scheme).collect();
        f.debug_struct("Config")
            .field("hosts", &self.hosts)
            .field("session_timeout", &self.session_timeout)
            .field("auth", &schemes)
            .finish_non_exhaustive()
    }
}

/// What has happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The connection asked for by [`Output::Connect`] stands.
    Connected,
    /// It could not be made, for this reason.
    ConnectFailed(String),
    /// Bytes have come. They are taken as far as they make whole frames.
    Received(&'a mut BytesMut),
    /// The connection has ended, for this reason.
    Lost(String),
    /// Time has passed.
    Timeout,
    /// The answer to [`Output::AskVersion`]: the server's version, or `None` when it does not tell.
    Version {
        /// The question's number.
        ask: u64,
        /// The answer.
        version: Option<ServerVersion>,
    },
    /// The answer to [`Output::ProbeWritable`].
    Probed {
        /// The question's number.
        probe: u64,
        /// Whether that server takes writes.
        writable: bool,
    },
    /// The answer to [`Output::Sasl`].
    Sasl(SaslAnswer),
    /// The user wants to close the session.
    Close,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Output<T> {
    /// Make a connection to this server, and answer with [`Input::Connected`] or [`Input::ConnectFailed`].
    Connect(HostPort),
    /// Write what is outgoing, as far as the connection takes it at once, and close the connection.
    Disconnect,
    /// Ask the server that is connected for its version (`srvr`, on a connection of its own) and answer with
    /// [`Input::Version`], soon: requests wait for it.
    AskVersion(u64),
    /// Ask this server whether it takes writes (`isro`) and answer with [`Input::Probed`].
    ProbeWritable(u64, HostPort),
    /// Take the mechanism's next step and answer with [`Input::Sasl`].
    Sasl(SaslStep),
    /// A request is answered.
    Completed(T, Result<Reply, CallError>),
    /// A watcher is told of an event.
    Event(WatcherId, EventType, String),
    /// Persistent watchers may have missed events: the connection was away. Their watches stand again.
    Gap(Vec<WatcherId>),
    /// Persistent watchers hear nothing for now: the server that has taken over the session is too old for their
    /// watches. A gap will say when they stand again.
    Suspended(Vec<WatcherId>),
    /// The session's state is another.
    State(SessionState),
}

/// What the SASL mechanism gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaslStep {
    /// A connection to this server stands: begin anew.
    Begin(HostPort),
    /// The server's token. A null one reads as empty.
    Challenge(Bytes),
}

/// What the SASL mechanism gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaslAnswer {
    /// A token for the server. An empty one is sent too.
    Send(Vec<u8>),
    /// The server has proven what it must: go on with the session.
    Done,
    /// The exchange cannot succeed. It ends the session, as refused credentials do.
    Failed(String),
}

/// An answer without an error. The record is behind the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The transaction of a write; for a read, the last one that the server had seen.
    pub zxid: Zxid,
    /// The payload's part behind the header.
    pub body: Bytes,
}

/// A request that has no answer to give.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// The server answered with a code.
    Server(ErrorCode),
    /// The connection was lost.
    Lost(Outcome),
    /// The deadline passed.
    Deadline(Outcome),
    /// The session is over.
    Ended(SessionEnd, Outcome),
    /// The server is too old for the request, or has refused it unread. It was not applied.
    Unsupported {
        /// The first version that knows the request.
        needed: ServerVersion,
        /// The server's version, where it tells.
        server: Option<ServerVersion>,
    },
    /// The request does not fit a frame.
    TooLarge(FrameError),
    /// Too many requests are unanswered.
    TooMany(usize),
}

/// Where a session stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionState {
    /// It has not begun.
    Connecting,
    /// A server serves it.
    Connected,
    /// A server that is cut off from its ensemble serves it: reads are answered from what that server knows, writes are
    /// refused with [`ErrorCode::NOT_READ_ONLY`]. A server that takes writes is being looked for.
    ConnectedReadOnly,
    /// The connection is lost; other servers are tried. Ephemeral znodes stay for the session timeout.
    Disconnected,
    /// It is over.
    Ended(SessionEnd),
}

impl SessionState {
    /// Whether a server serves the session.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        matches!(self, Self::Connected | Self::ConnectedReadOnly)
    }
}

/// A ZooKeeper session. `T` is what the user gives with a request and gets back with its answer.
#[derive(Debug)]
pub struct Session<T> {
    config: Config,
    rng: Rng,
    hosts: Hosts,
    phase: Phase,
    state: SessionState,
    /// Set once the user has closed: when the server's answer is no longer waited for.
    close_by: Option<Instant>,

    id: SessionId,
    password: [u8; PASSWORD_BYTES],
    /// Whether the session's number is one that the ensemble knows; a read-only server makes up its own.
    id_is_real: bool,
    /// The negotiated timeout; the wished one before that.
    timeout: Duration,
    last_zxid: Zxid,

    next_xid: Xid,
    next_call: u64,
    waiting: VecDeque<Waiting<T>>,
    /// How many of `waiting` were withdrawn.
    withdrawn: usize,
    sent: VecDeque<Sent<T>>,
    last_sent: CallId,
    /// A request that must be alone is in flight.
    exclusive: bool,
    /// When the next call may be overdue.
    sweep_at: Option<Instant>,
    gate: Gate,
    /// Who waits for the answer to which credentials, by their place in the configuration.
    auth_callers: Vec<(usize, T)>,
    /// The credentials that were sent on this connection and have no answer yet.
    auth_sent: VecDeque<usize>,

    watches: WatchBook,
    rearm: Rearm,
    search: Option<Search>,
    probes: u64,

    decoder: FrameDecoder,
    out: BytesMut,
    outputs: VecDeque<Output<T>>,
    last_heard: Instant,
    last_written: Instant,
    counters: Counters,
}

impl<T> Session<T> {
    /// A session that has not begun. It wants its first connection at `now`.
    #[must_use]
    pub fn new(config: Config, now: Instant) -> Self {
        let mut rng = Rng::with_seed(config.seed);
        let hosts = Hosts::new(config.hosts.clone(), &mut rng);
        Self {
            gate: Gate::new(hosts.len()),
            hosts,
            decoder: FrameDecoder::new(config.max_incoming_bytes),
            timeout: config.session_timeout,
            config,
            rng,
            phase: Phase::Waiting { until: now },
            state: SessionState::Connecting,
            close_by: None,
            id: SessionId::NONE,
            password: [0; PASSWORD_BYTES],
            id_is_real: false,
            last_zxid: Zxid(0),
            next_xid: Xid(1),
            next_call: 0,
            waiting: VecDeque::new(),
            withdrawn: 0,
            sent: VecDeque::new(),
            last_sent: CallId(0),
            exclusive: false,
            sweep_at: None,
            auth_callers: Vec::new(),
            auth_sent: VecDeque::new(),
            watches: WatchBook::default(),
            rearm: Rearm::default(),
            search: None,
            probes: 0,
            out: BytesMut::new(),
            outputs: VecDeque::new(),
            last_heard: now,
            last_written: now,
            counters: Counters::default(),
        }
    }

    /// The session's number; [`SessionId::NONE`] before a server has given one.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// The negotiated session timeout; the wished one before a server has answered.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The last transaction that was seen.
    #[must_use]
    pub const fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// Where the session stands.
    #[must_use]
    pub const fn state(&self) -> &SessionState {
        &self.state
    }

    /// Every server and what the last attempt to reach it met.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        self.hosts.attempts()
    }

    /// The server that is tried or serves.
    #[must_use]
    pub fn current_host(&self) -> HostPort {
        self.hosts.current()
    }

    /// What the session has done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            in_flight: self.sent.len(),
            waiting: self.waiting.len() - self.withdrawn,
            watchers: self.watches.len(),
            ..self.counters
        }
    }

    /// Bytes for the connection. Take them from the front as they are written.
    pub const fn outgoing(&mut self) -> &mut BytesMut {
        &mut self.out
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output<T>> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timeout`] is due; `None` once the session is over.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let (next, give_up) = match self.phase {
            Phase::Waiting { until } => (until, self.give_up_at()),
            Phase::Dialing { deadline }
            | Phase::Handshake { deadline }
            | Phase::Sasl { deadline, .. } => (deadline, self.give_up_at()),
            Phase::Connected => (
                (self.last_heard + self.read_timeout())
                    .min(self.last_written + self.ping_interval()),
                None,
            ),
            Phase::Ended => return None,
        };
        let search = self.search.as_ref().map(Search::due);
        [give_up, self.close_by, self.sweep_at, search]
            .into_iter()
            .flatten()
            .chain([next])
            .min()
    }

    /// Takes in what has happened at `now`.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Connected => self.connected(now),
            Input::ConnectFailed(reason) => {
                if let Phase::Dialing { .. } = self.phase {
                    self.try_next(now, reason);
                }
            }
            Input::Received(bytes) => self.received(now, bytes),
            Input::Lost(reason) => self.lost(now, reason),
            Input::Timeout => self.timed_out(now),
            Input::Version { ask, version } => {
                if self.gate.told(self.hosts.index(), ask, version) {
                    self.flush(now);
                }
            }
            Input::Probed { probe, writable } => self.probed(now, probe, writable),
            Input::Sasl(answer) => self.sasl_answer(now, answer),
            Input::Close => self.close(now),
        }
    }

    /// Ends the session on this side, at once and without a word to the server.
    pub fn abandon(&mut self) {
        self.outputs.push_back(Output::Disconnect);
        self.end(SessionEnd::Closed);
    }

    fn complete(&mut self, token: T, result: Result<Reply, CallError>) {
        if let Err(CallError::Lost(_) | CallError::Deadline(_) | CallError::Ended(..)) = result {
            self.counters.unanswered += 1;
        }
        self.outputs.push_back(Output::Completed(token, result));
    }

    const fn take_xid(&mut self) -> Xid {
        let xid = self.next_xid;
        self.next_xid = xid.next();
        xid
    }
}

#[cfg(test)]
mod tests;
