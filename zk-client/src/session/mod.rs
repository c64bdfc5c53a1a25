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
//!             Connect(host)             connected            ConnectResponse
//!   Waiting ───────────────► Dialing ─────────────► Handshake ──────────────► Connected
//!      ▲                        │ failed               │ lost, refused            │ lost, silent for 2/3 T
//!      └────────────────────────┴──────────────────────┴──────────────────────────┘
//!
//!   any ── timeOut 0 in ConnectResponse ──► Ended(Expired)         any ── auth refused ──► Ended(AuthFailed)
//!   any but Connected ── 4/3 T unheard ───► Ended(GivenUp)         any ── close ─────────► Ended(Closed)
//! ```
//!
//! # What is kept of a request
//! A request is *waiting* (no connection yet), *sent*, or answered. When the connection is lost, every sent request is
//! completed with [`CallError::Lost`]; those that wait go to the next connection in their order. Behind the connect
//! request of a *new* session go the reads that wait: servers answer them in order, which saves a round trip, and a
//! read can be repeated if that connection fails. Nothing is sent ahead on an old session, nor behind credentials.

mod hosts;
mod watches;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use zk_proto::frame::{self, FrameDecoder, FrameError, LENGTH_BYTES};
use zk_proto::record::{
    AuthRequest, ConnectRequest, ConnectResponse, EventType, PASSWORD_BYTES, RemoveWatchesRequest,
    ReplyHeader, Request, WatcherEvent, WatcherType,
};
use zk_proto::{Decode, Encode, ErrorCode, HostPort, OpCode, Reader, SessionId, Xid, Zxid};

use crate::error::{Attempt, Outcome, SessionEnd};
use hosts::Hosts;
use watches::WatchBook;
pub use watches::{WatchKind, WatcherId};

/// Bytes of paths in one `setWatches`, as the Java client cuts them.
const REARM_BYTES_MAX: usize = 128 * 1024;
/// The least time that a server gets to accept a connection and the session.
const ATTEMPT_MIN: Duration = Duration::from_millis(200);
/// How long the server's answer to the end of the session is waited for.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a session is made with.
#[derive(Debug, Clone)]
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
    /// Feeds the order of the servers and the jitter of pauses.
    pub seed: u64,
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
    /// A request is answered.
    Completed(T, Result<Reply, CallError>),
    /// A watcher is told of an event.
    Event(WatcherId, EventType, String),
    /// Persistent watchers may have missed events: the connection was away. Their watches stand again.
    Gap(Vec<WatcherId>),
    /// The session's state is another.
    State(SessionState),
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
    /// The session is over.
    Ended(SessionEnd, Outcome),
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
    /// The connection is lost; other servers are tried. Ephemeral znodes stay for the session timeout.
    Disconnected,
    /// It is over.
    Ended(SessionEnd),
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
    /// Whether watches are being registered again.
    rearming: bool,

    id: SessionId,
    password: [u8; PASSWORD_BYTES],
    /// The negotiated timeout; the wished one before that.
    timeout: Duration,
    last_zxid: Zxid,
    /// What the server has to compare watched znodes with; moves on only when every watch stands again.
    watch_zxid: Zxid,

    next_xid: Xid,
    waiting: VecDeque<Waiting<T>>,
    sent: VecDeque<Sent<T>>,
    watches: WatchBook,

    decoder: FrameDecoder,
    out: BytesMut,
    outputs: VecDeque<Output<T>>,
    last_heard: Instant,
    last_written: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No connection; the next attempt starts at this time.
    Waiting { until: Instant },
    /// A connection is being made.
    Dialing { deadline: Instant },
    /// The connect request is on its way.
    Handshake { deadline: Instant },
    /// The session is served.
    Connected,
    /// It is over.
    Ended,
}

#[derive(Debug)]
struct Waiting<T> {
    /// The frame, its xid not yet known.
    frame: Bytes,
    opcode: OpCode,
    watch: Option<(WatchKind, String, WatcherId)>,
    token: T,
}

#[derive(Debug)]
struct Sent<T> {
    xid: Xid,
    opcode: OpCode,
    kind: SentKind<T>,
}

#[derive(Debug)]
enum SentKind<T> {
    User {
        token: T,
        watch: Option<(WatchKind, String, WatcherId)>,
        /// The frame, kept while it may have to be sent again: a read that went ahead of the session's answer.
        ahead: Option<Bytes>,
        /// The path of a persistent watch that nobody wants any more.
        unwanted: Option<String>,
    },
    /// A `setWatches`; the last one completes the registration of all.
    SetWatches { last: bool },
    /// A request of the session's own, whose answer nobody needs.
    Own,
    /// The end of the session.
    Close,
}

impl<T> Session<T> {
    /// A session that has not begun. It wants its first connection at `now`.
    #[must_use]
    pub fn new(config: Config, now: Instant) -> Self {
        let mut rng = Rng::with_seed(config.seed);
        Self {
            hosts: Hosts::new(config.hosts.clone(), &mut rng),
            decoder: FrameDecoder::new(config.max_incoming_bytes),
            timeout: config.session_timeout,
            config,
            rng,
            phase: Phase::Waiting { until: now },
            state: SessionState::Connecting,
            close_by: None,
            rearming: false,
            id: SessionId::NONE,
            password: [0; PASSWORD_BYTES],
            last_zxid: Zxid(0),
            watch_zxid: Zxid(0),
            next_xid: Xid(1),
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            watches: WatchBook::default(),
            out: BytesMut::new(),
            outputs: VecDeque::new(),
            last_heard: now,
            last_written: now,
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
            Phase::Dialing { deadline } | Phase::Handshake { deadline } => {
                (deadline, self.give_up_at())
            }
            Phase::Connected => (
                (self.last_heard + self.read_timeout())
                    .min(self.last_written + self.ping_interval()),
                None,
            ),
            Phase::Ended => return None,
        };
        [give_up, self.close_by]
            .into_iter()
            .flatten()
            .chain([next])
            .min()
    }

    /// Gives the session a request. The answer comes as [`Output::Completed`] with `token`. A watch stands from the
    /// answer on, if the answer allows it.
    pub fn submit(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        watch: Option<(WatchKind, String, WatcherId)>,
        token: T,
    ) {
        if let SessionState::Ended(end) = &self.state {
            let error = CallError::Ended(end.clone(), Outcome::NotApplied);
            return self.complete(token, Err(error));
        }
        if self.close_by.is_some() {
            return self.complete(
                token,
                Err(CallError::Ended(SessionEnd::Closed, Outcome::NotApplied)),
            );
        }
        if self.waiting.len() + self.sent.len() >= self.config.max_requests {
            return self.complete(token, Err(CallError::TooMany(self.config.max_requests)));
        }
        let opcode = request.opcode();
        let max = self.config.max_outgoing_bytes;
        if self.phase == Phase::Connected && self.waiting.is_empty() {
            let xid = self.take_xid();
            if let Err(error) = frame::encode_request(&mut self.out, xid, request, max) {
                return self.complete(token, Err(CallError::TooLarge(error)));
            }
            self.last_written = now;
            self.sent.push_back(Sent {
                xid,
                opcode,
                kind: SentKind::User {
                    token,
                    watch,
                    ahead: None,
                    unwanted: None,
                },
            });
            return;
        }
        let mut frame = BytesMut::new();
        if let Err(error) = frame::encode_request(&mut frame, Xid(0), request, max) {
            return self.complete(token, Err(CallError::TooLarge(error)));
        }
        self.waiting.push_back(Waiting {
            frame: frame.freeze(),
            opcode,
            watch,
            token,
        });
    }

    /// Withdraws the requests that wait for a connection and whose token `is_gone`: they will not be sent.
    pub fn withdraw(&mut self, is_gone: impl Fn(&T) -> bool) {
        self.waiting.retain(|waiting| !is_gone(&waiting.token));
    }

    /// Whether the request with this token still waits for a connection, so that nothing of it has left.
    pub fn is_waiting(&self, is_it: impl Fn(&T) -> bool) -> bool {
        self.waiting.iter().any(|waiting| is_it(&waiting.token))
    }

    /// Forgets a watcher. The server's watch of a persistent one is removed unless others wait at its path; a one-shot watch
    /// that nobody waits for any more fires unheard.
    pub fn remove_watcher(&mut self, now: Instant, watcher: WatcherId) {
        if self.watches.contains(watcher) {
            if let Some(watched) = self.watches.remove(watcher) {
                self.unwatch(now, watched);
            }
            return;
        }
        // Its answer is not here yet: nothing is to be booked when it comes.
        let is_it = |watch: &Option<(WatchKind, String, WatcherId)>| {
            watch.as_ref().is_some_and(|(_, _, own)| *own == watcher)
        };
        for waiting in &mut self.waiting {
            if is_it(&waiting.watch) {
                waiting.watch = None;
            }
        }
        for sent in &mut self.sent {
            if let SentKind::User {
                watch, unwanted, ..
            } = &mut sent.kind
                && is_it(watch)
                && let Some((kind, watched, _)) = watch.take()
                && kind.is_persistent()
            {
                *unwanted = Some(watched);
            }
        }
    }

    /// Has the server forget a persistent watch, unless somebody still waits for events of its path: the server removes
    /// all watches of a path together. It then goes with the last of them, or fires unheard.
    fn unwatch(&mut self, now: Instant, watched: String) {
        let under_way = self.sent.iter().any(|sent| match &sent.kind {
            SentKind::User {
                watch: Some((_, path, _)),
                ..
            } => *path == watched,
            _ => false,
        });
        if self.phase != Phase::Connected
            || self.close_by.is_some()
            || under_way
            || self.watches.has_path(&watched)
        {
            return;
        }
        let request = RemoveWatchesRequest {
            path: &watched,
            watcher_type: WatcherType::ANY,
        };
        self.send_own(now, &Request::RemoveWatches(request), SentKind::Own);
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
            Input::Close => self.close(now),
        }
    }

    /// Ends the session on this side, at once and without a word to the server.
    pub fn abandon(&mut self) {
        self.outputs.push_back(Output::Disconnect);
        self.end(SessionEnd::Closed);
    }

    fn connected(&mut self, now: Instant) {
        let Phase::Dialing { deadline } = self.phase else {
            return;
        };
        self.phase = Phase::Handshake { deadline };
        self.out.clear();
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout_ms: i32::try_from(self.config.session_timeout.as_millis()).unwrap_or(i32::MAX),
            session_id: self.id,
            password: Some(&self.password),
            read_only: Some(false),
        };
        // 45 bytes fit any limit.
        let _ = frame::encode(&mut self.out, usize::MAX, |out| request.encode(out));
        self.last_written = now;
        if self.id == SessionId::NONE && self.config.auth.is_empty() {
            while self
                .waiting
                .front()
                .is_some_and(|waiting| is_read(waiting.opcode))
            {
                self.send_first_waiting(true);
            }
        }
    }

    fn received(&mut self, now: Instant, bytes: &mut BytesMut) {
        self.last_heard = now;
        loop {
            if !matches!(self.phase, Phase::Handshake { .. } | Phase::Connected) {
                bytes.clear();
                return;
            }
            let payload = match self.decoder.decode(bytes) {
                Ok(Some(payload)) => payload,
                Ok(None) => return,
                Err(error) => return self.drop_connection(now, error.to_string()),
            };
            let taken = match self.phase {
                Phase::Handshake { .. } => self.handshake(now, &payload),
                _ => self.reply(now, &payload),
            };
            if let Err(reason) = taken {
                return self.drop_connection(now, reason);
            }
        }
    }

    fn handshake(&mut self, now: Instant, payload: &Bytes) -> Result<(), String> {
        let response = ConnectResponse::decode(&mut Reader::new(payload))
            .map_err(|error| error.to_string())?;
        if response.timeout_ms <= 0 {
            if self.id == SessionId::NONE {
                return Err("the server refused a new session".to_owned());
            }
            self.outputs.push_back(Output::Disconnect);
            self.end(SessionEnd::Expired(self.id));
            return Ok(());
        }
        self.id = response.session_id;
        if let Some(password) = response
            .password
            .and_then(|password| password.first_chunk())
        {
            self.password = *password;
        }
        self.timeout = Duration::from_millis(u64::from(response.timeout_ms.unsigned_abs()));
        self.hosts.connected();
        self.phase = Phase::Connected;
        for sent in &mut self.sent {
            if let SentKind::User { ahead, .. } = &mut sent.kind {
                *ahead = None;
            }
        }
        self.authenticate(now);
        self.rearm(now);
        while !self.waiting.is_empty() {
            self.send_first_waiting(false);
        }
        if self.close_by.is_some() {
            self.send_close(now);
        }
        self.last_written = now;
        self.set_state(SessionState::Connected);
        Ok(())
    }

    fn authenticate(&mut self, now: Instant) {
        for (scheme, credentials) in &self.config.auth {
            let request = Request::Auth(AuthRequest {
                scheme,
                auth: Some(credentials),
            });
            // Too large for a frame: the server could not take it either.
            if frame::encode_request(
                &mut self.out,
                Xid::AUTH,
                &request,
                self.config.max_outgoing_bytes,
            )
            .is_ok()
            {
                self.last_written = now;
            }
        }
    }

    fn rearm(&mut self, now: Instant) {
        let batches = self.watches.rearm(self.watch_zxid, REARM_BYTES_MAX);
        let count = batches.len();
        self.rearming = count > 0;
        for (index, batch) in batches.into_iter().enumerate() {
            let request = if batch.persistent.is_empty() && batch.persistent_recursive.is_empty() {
                Request::SetWatches(batch.one_shot)
            } else {
                Request::SetWatches2(batch)
            };
            let opcode = request.opcode();
            if frame::encode_request(&mut self.out, Xid::SET_WATCHES, &request, usize::MAX).is_ok()
            {
                self.last_written = now;
                let kind = SentKind::SetWatches {
                    last: index + 1 == count,
                };
                self.sent.push_back(Sent {
                    xid: Xid::SET_WATCHES,
                    opcode,
                    kind,
                });
            }
        }
    }

    fn reply(&mut self, now: Instant, payload: &Bytes) -> Result<(), String> {
        let mut reader = Reader::new(payload);
        let header = ReplyHeader::decode(&mut reader).map_err(|error| error.to_string())?;
        match header.xid {
            Xid::NOTIFICATION => {
                let event = WatcherEvent::decode(&mut reader).map_err(|error| error.to_string())?;
                for watcher in self.watches.fire(event.event_type, event.path) {
                    self.outputs.push_back(Output::Event(
                        watcher,
                        event.event_type,
                        event.path.to_owned(),
                    ));
                }
                return Ok(());
            }
            Xid::PING => {
                self.hosts.succeeded();
                return Ok(());
            }
            Xid::AUTH => {
                if header.err != ErrorCode::OK {
                    let schemes: Vec<_> = self
                        .config
                        .auth
                        .iter()
                        .map(|(scheme, _)| scheme.as_str())
                        .collect();
                    let end = SessionEnd::AuthFailed(schemes.join(", "));
                    self.outputs.push_back(Output::Disconnect);
                    self.end(end);
                }
                return Ok(());
            }
            _ => {}
        }
        let body = reader.offset();
        let Some(sent) = self.sent.pop_front() else {
            return Err(format!(
                "an answer with xid {} that nothing asked for",
                header.xid.0
            ));
        };
        if sent.xid != header.xid {
            let reason = format!(
                "an answer with xid {} where {} ({}) is due",
                header.xid.0, sent.xid.0, sent.opcode
            );
            self.sent.push_front(sent);
            return Err(reason);
        }
        if header.err != ErrorCode::UNIMPLEMENTED {
            self.hosts.succeeded();
        }
        if header.zxid.0 > 0 {
            self.last_zxid = header.zxid;
        }
        match sent.kind {
            SentKind::User {
                token,
                watch,
                unwanted,
                ..
            } => {
                self.register(sent.opcode, header.err, watch);
                if let Some(watched) = unwanted.filter(|_| header.err == ErrorCode::OK) {
                    self.unwatch(now, watched);
                }
                let result = if header.err == ErrorCode::OK {
                    Ok(Reply {
                        zxid: header.zxid,
                        body: payload.slice(body..),
                    })
                } else if header.err == ErrorCode::SESSION_MOVED {
                    self.complete(token, Err(CallError::Lost(Outcome::NotApplied)));
                    return Err("the session has moved to another server".to_owned());
                } else {
                    Err(CallError::Server(header.err))
                };
                self.complete(token, result);
            }
            SentKind::SetWatches { last } => {
                if header.err != ErrorCode::OK {
                    return Err(format!(
                        "the server refused to register watches again: {}",
                        header.err
                    ));
                }
                if last {
                    self.rearming = false;
                    let persistent = self.watches.persistent();
                    if !persistent.is_empty() {
                        self.outputs.push_back(Output::Gap(persistent));
                    }
                }
            }
            SentKind::Own => {}
            SentKind::Close => {
                self.outputs.push_back(Output::Disconnect);
                self.end(SessionEnd::Closed);
            }
        }
        Ok(())
    }

    /// A watch stands from the reply that answers it on. `exists` of a missing znode waits for its creation.
    fn register(
        &mut self,
        opcode: OpCode,
        err: ErrorCode,
        watch: Option<(WatchKind, String, WatcherId)>,
    ) {
        let Some((kind, watched, watcher)) = watch else {
            return;
        };
        let kind = match (opcode, err) {
            (_, ErrorCode::OK) => kind,
            (OpCode::EXISTS, ErrorCode::NO_NODE) => WatchKind::Exist,
            _ => return,
        };
        self.watches.add(watched, kind, watcher);
    }

    fn lost(&mut self, now: Instant, reason: String) {
        match self.phase {
            Phase::Handshake { .. } | Phase::Connected => {
                if self.close_by.is_some() {
                    // The server may have read the close before the connection went; if not, the session times out.
                    return self.end(SessionEnd::Closed);
                }
                self.try_next(now, reason);
            }
            Phase::Dialing { .. } => self.try_next(now, reason),
            Phase::Waiting { .. } | Phase::Ended => {}
        }
    }

    fn drop_connection(&mut self, now: Instant, reason: String) {
        self.outputs.push_back(Output::Disconnect);
        self.lost(now, reason);
    }

    fn try_next(&mut self, now: Instant, reason: String) {
        let was_connected = self.phase == Phase::Connected;
        self.out.clear();
        let mut again = VecDeque::new();
        for sent in std::mem::take(&mut self.sent) {
            match sent.kind {
                SentKind::User {
                    token,
                    watch,
                    ahead: Some(frame),
                    ..
                } => {
                    again.push_back(Waiting {
                        frame,
                        opcode: sent.opcode,
                        watch,
                        token,
                    });
                }
                SentKind::User { token, .. } => {
                    let outcome = if is_read(sent.opcode) {
                        Outcome::NotApplied
                    } else {
                        Outcome::Unknown
                    };
                    self.complete(token, Err(CallError::Lost(outcome)));
                }
                SentKind::SetWatches { .. } | SentKind::Own | SentKind::Close => {}
            }
        }
        again.append(&mut self.waiting);
        self.waiting = again;
        let pause = self.hosts.failed(reason, &mut self.rng);
        self.phase = Phase::Waiting { until: now + pause };
        if was_connected {
            self.set_state(SessionState::Disconnected);
        }
    }

    fn timed_out(&mut self, now: Instant) {
        if self.close_by.is_some_and(|at| now >= at) {
            return self.abandon();
        }
        if let Some(at) = self.give_up_at()
            && now >= at
            && !matches!(self.phase, Phase::Connected | Phase::Ended)
        {
            let end = SessionEnd::GivenUp {
                session: self.id,
                silence: now - self.last_heard,
            };
            self.outputs.push_back(Output::Disconnect);
            return self.end(end);
        }
        match self.phase {
            Phase::Waiting { until } if now >= until => {
                self.phase = Phase::Dialing {
                    deadline: now + self.attempt_timeout(),
                };
                self.outputs
                    .push_back(Output::Connect(self.hosts.current()));
            }
            Phase::Dialing { deadline } if now >= deadline => {
                self.outputs.push_back(Output::Disconnect);
                self.try_next(
                    now,
                    format!("no connection within {:?}", self.attempt_timeout()),
                );
            }
            Phase::Handshake { deadline } if now >= deadline => {
                let reason = format!(
                    "no answer to the connect request within {:?}",
                    self.attempt_timeout()
                );
                self.drop_connection(now, reason);
            }
            Phase::Connected => {
                if now >= self.last_heard + self.read_timeout() {
                    let reason = format!("the server was silent for {:?}", now - self.last_heard);
                    return self.drop_connection(now, reason);
                }
                if now >= self.last_written + self.ping_interval() {
                    let _ =
                        frame::encode_request(&mut self.out, Xid::PING, &Request::Ping, usize::MAX);
                    self.last_written = now;
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, now: Instant) {
        if self.close_by.is_some() {
            return;
        }
        self.close_by = Some(now + CLOSE_TIMEOUT);
        match self.phase {
            Phase::Connected => self.send_close(now),
            // The session is closed once the answer to the connect request is in.
            Phase::Handshake { .. } | Phase::Ended => {}
            // No server to tell: an old session times out there.
            Phase::Waiting { .. } | Phase::Dialing { .. } => self.abandon(),
        }
    }

    fn send_close(&mut self, now: Instant) {
        self.send_own(now, &Request::CloseSession, SentKind::Close);
    }

    fn send_own(&mut self, now: Instant, request: &Request<'_>, kind: SentKind<T>) {
        let xid = self.take_xid();
        if frame::encode_request(&mut self.out, xid, request, usize::MAX).is_ok() {
            self.last_written = now;
            self.sent.push_back(Sent {
                xid,
                opcode: request.opcode(),
                kind,
            });
        }
    }

    fn send_first_waiting(&mut self, ahead: bool) {
        let Some(Waiting {
            frame,
            opcode,
            watch,
            token,
        }) = self.waiting.pop_front()
        else {
            return;
        };
        let xid = self.take_xid();
        let at = self.out.len() + LENGTH_BYTES;
        self.out.extend_from_slice(&frame);
        if let Some(field) = self.out.get_mut(at..at + 4) {
            field.copy_from_slice(&xid.0.to_be_bytes());
        }
        let ahead = ahead.then_some(frame);
        self.sent.push_back(Sent {
            xid,
            opcode,
            kind: SentKind::User {
                token,
                watch,
                ahead,
                unwanted: None,
            },
        });
    }

    /// Ends the session and completes everything that was asked of it.
    fn end(&mut self, end: SessionEnd) {
        if self.phase == Phase::Ended {
            return;
        }
        self.phase = Phase::Ended;
        for sent in std::mem::take(&mut self.sent) {
            if let SentKind::User { token, .. } = sent.kind {
                let outcome = if is_read(sent.opcode) {
                    Outcome::NotApplied
                } else {
                    Outcome::Unknown
                };
                self.complete(token, Err(CallError::Ended(end.clone(), outcome)));
            }
        }
        for waiting in std::mem::take(&mut self.waiting) {
            self.complete(
                waiting.token,
                Err(CallError::Ended(end.clone(), Outcome::NotApplied)),
            );
        }
        self.watches = WatchBook::default();
        self.set_state(SessionState::Ended(end));
    }

    fn set_state(&mut self, state: SessionState) {
        if state != self.state {
            // Where registration was cut short, the watches that do not stand yet go by the older transaction.
            if state == SessionState::Disconnected && !self.rearming {
                self.watch_zxid = self.last_zxid;
            }
            self.state = state.clone();
            self.outputs.push_back(Output::State(state));
        }
    }

    fn complete(&mut self, token: T, result: Result<Reply, CallError>) {
        self.outputs.push_back(Output::Completed(token, result));
    }

    const fn take_xid(&mut self) -> Xid {
        let xid = self.next_xid;
        self.next_xid = xid.next();
        xid
    }

    /// How long one server may take: its share of the time that a session has left, so that the others are tried too.
    fn attempt_timeout(&self) -> Duration {
        if self.id == SessionId::NONE {
            return self.config.attempt_timeout;
        }
        let servers = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX);
        let share = (self.timeout / servers).max(ATTEMPT_MIN);
        self.config.attempt_timeout.min(share)
    }

    /// Silence after which a connection is taken for dead: 2/3 of the session timeout.
    fn read_timeout(&self) -> Duration {
        self.timeout * 2 / 3
    }

    /// Idle time after which a ping is sent: a third of the session timeout, and 10 s at most.
    fn ping_interval(&self) -> Duration {
        (self.timeout / 3).min(Duration::from_secs(10))
    }

    /// When a session without a connection is given up: after 4/3 of its timeout without a word from any server.
    fn give_up_at(&self) -> Option<Instant> {
        (self.id != SessionId::NONE).then(|| self.last_heard + self.timeout * 4 / 3)
    }
}

/// Whether a request changes nothing, so that it may be sent again.
pub(crate) const fn is_read(opcode: OpCode) -> bool {
    matches!(
        opcode,
        OpCode::EXISTS
            | OpCode::GET_DATA
            | OpCode::GET_ACL
            | OpCode::GET_CHILDREN
            | OpCode::GET_CHILDREN2
            | OpCode::SYNC
    )
}

#[cfg(test)]
mod tests;
