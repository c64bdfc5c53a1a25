//! What a session promises its user, and the books by which the promises are checked, one for each session.
//!
//! * Every call is answered once, in the order of the calls; one that was withdrawn is never sent.
//! * What is told of a connection are the server's answers, unchanged, in its order.
//! * "Not applied" was not and never will be; nothing that changes the tree is executed more often than it was asked.
//! * A one-shot watcher is told once, not before its cause, and before any answer that shows the change.
//! * A persistent watcher hears every event in order, or of a gap, and then of everything behind the gap.
//! * A watcher that was dropped hears nothing.
//! * The connect request names the session, its password and the last transaction that the user was shown.
//! * Credentials are there before any request.
//! * A silent server is left after 2/3 of the timeout; a server that listens hears something each third of it.
//! * Attempts to connect keep to the back-off.
//! * The session ends for a reason, once, and fails all that is pending with it; until then it comes back.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use zk_client::session::{CallError, Reply, SessionState, WatchKind, WatcherId};
use zk_client::{EventType, Outcome, SessionEnd};
use zk_proto::four_letter::ServerVersion;
use zk_proto::record::{ConnectRequest, ConnectResponse, PASSWORD_BYTES, ReplyHeader};
use zk_proto::{Decode, ErrorCode, OpCode, Reader, SessionId, Xid, Zxid};

use crate::ensemble::{Answer, changes_tree};
use crate::history::{Change, History, hits};

/// The clock's tick.
const MOMENT: Duration = Duration::from_millis(1);

/// What one session has been asked and has told.
pub(crate) struct Book {
    pub(crate) asked: BTreeMap<u64, Asked>,
    last_answered: u64,
    /// Calls whose deadline has passed; a server may answer them still.
    overdue: Vec<Bytes>,
    one_shots: BTreeMap<WatcherId, OneShot>,
    streams: BTreeMap<WatcherId, Stream>,
    state: SessionState,
    /// Connections that took the session, so far.
    attached: u64,
    shown: Zxid,
    password: [u8; PASSWORD_BYTES],
    attempts: Attempts,
    max_requests: usize,
}

/// A call under way.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) opcode: OpCode,
    /// The first version that knows it.
    pub(crate) since: ServerVersion,
    /// What names the request: see `key_of`.
    pub(crate) key: Bytes,
    /// The request behind its header.
    pub(crate) record: Bytes,
    pub(crate) watch: Option<(WatchKind, String, WatcherId)>,
    pub(crate) deadline: Option<Instant>,
    /// Nobody waits for the answer any more.
    pub(crate) is_abandoned: bool,
}

/// The writes of one client, whatever its session: how often each may be executed, and was.
#[derive(Debug, Default)]
pub(crate) struct Writes(HashMap<Bytes, Write>);

#[derive(Debug, Default)]
struct Write {
    may: u32,
    executed: u32,
}

/// A one-shot watcher that waits.
#[derive(Debug)]
struct OneShot {
    kind: WatchKind,
    path: String,
    since: Zxid,
    attached: u64,
    /// The first change that it has to be told of.
    due: Option<Change>,
}

/// A persistent watcher.
#[derive(Debug)]
struct Stream {
    kind: WatchKind,
    path: String,
    /// Where in the history it has to hear on.
    next: usize,
    /// Not set while the connection is away, until it is told of the gap.
    stands: bool,
}

#[derive(Debug, Default)]
struct Attempts {
    /// How many failed since the last success.
    failed: u64,
    last_ms: u64,
    begun: bool,
}

/// What an answer means to the world.
pub(crate) enum Told {
    /// The server answered: done.
    Done(Bytes),
    Refused,
    NotApplied,
    Unknown,
}

impl Told {
    fn lost(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::NotApplied => Self::NotApplied,
            _ => Self::Unknown,
        }
    }
}

impl Writes {
    /// A write is asked for.
    pub(crate) fn asked(&mut self, key: &Bytes) {
        self.0.entry(key.clone()).or_default().may += 1;
    }

    /// It was not applied, as was told: it must never be.
    pub(crate) fn not_applied(&mut self, key: &Bytes) {
        let write = self.0.get_mut(key).expect("a write that was asked for");
        write.may -= 1;
        write.check(key);
    }

    /// A server executes it.
    pub(crate) fn executed(&mut self, key: &Bytes) {
        let write = self
            .0
            .get_mut(key)
            .expect("servers execute what was asked for");
        write.executed += 1;
        write.check(key);
    }
}

impl Write {
    fn check(&self, key: &Bytes) {
        assert!(
            self.executed <= self.may,
            "executed {} times, asked for and not disowned {} times: {key:?}",
            self.executed,
            self.may
        );
    }
}

impl Book {
    pub(crate) fn new(max_requests: usize) -> Self {
        Self {
            asked: BTreeMap::new(),
            last_answered: 0,
            overdue: vec![],
            one_shots: BTreeMap::new(),
            streams: BTreeMap::new(),
            state: SessionState::Connecting,
            attached: 0,
            shown: Zxid(0),
            password: [0; PASSWORD_BYTES],
            attempts: Attempts::default(),
            max_requests,
        }
    }

    /// A call is about to be made. `writes` are the client's.
    pub(crate) fn asks(&mut self, writes: &mut Writes, token: u64, asked: Asked) {
        if changes_tree(asked.opcode) {
            writes.asked(&asked.key);
        }
        self.asked.insert(token, asked);
    }

    /// A call was made. Whatever is over the bound was refused by now.
    pub(crate) fn is_asked(&self) {
        assert!(
            self.asked.len() <= self.max_requests,
            "{} requests are unanswered where {} may be",
            self.asked.len(),
            self.max_requests
        );
    }

    /// A call was withdrawn before it left: it is not applied and never answered.
    pub(crate) fn withdrawn(&mut self, writes: &mut Writes, token: u64) -> Asked {
        let asked = self.asked.remove(&token).expect("a call under way");
        if changes_tree(asked.opcode) {
            writes.not_applied(&asked.key);
        }
        asked
    }

    /// A call is answered. `answers` are the server's on the connection that stands; `at_once` is set within the call
    /// itself, when what is refused may overtake what is under way.
    pub(crate) fn answered(
        &mut self,
        writes: &mut Writes,
        history: &History,
        answers: Option<&mut VecDeque<Answer>>,
        (token, result): (u64, &Result<Reply, CallError>),
        at_once: bool,
        (now, version): (Instant, Option<ServerVersion>),
    ) -> (Asked, Told) {
        let asked = self
            .asked
            .remove(&token)
            .expect("every call is answered once");
        let refused = matches!(
            result,
            Err(CallError::Deadline(_) | CallError::Unsupported { .. })
        );
        if !at_once && !refused && !asked.is_abandoned {
            assert!(
                token > self.last_answered,
                "answers come in the order of the calls"
            );
            self.last_answered = token;
        }
        let told = match result {
            Ok(_) | Err(CallError::Server(_)) => {
                let answer = self.next_answer(answers, &asked, result);
                let told = match result {
                    Ok(reply) => {
                        assert_eq!(
                            (reply.zxid, &reply.body),
                            (answer.zxid, &answer.body),
                            "{asked:?}"
                        );
                        assert_eq!(answer.err, ErrorCode::OK);
                        Told::Done(reply.body.clone())
                    }
                    Err(CallError::Server(code)) => {
                        assert_eq!(*code, answer.err, "{asked:?}");
                        Told::Refused
                    }
                    Err(_) => unreachable!(),
                };
                assert_ne!(
                    answer.err,
                    ErrorCode::NO_AUTH,
                    "credentials go before requests: {asked:?}"
                );
                if answer.zxid.0 > 0 {
                    self.shows(history, answer.zxid);
                }
                self.watched(history, &asked, &answer);
                told
            }
            Err(CallError::Lost(outcome) | CallError::Ended(_, outcome)) => Told::lost(outcome),
            Err(CallError::Deadline(outcome)) => {
                self.overdue.push(asked.key.clone());
                assert!(asked.deadline.is_some_and(|at| now >= at), "not yet due");
                Told::lost(outcome)
            }
            Err(CallError::Unsupported { needed, .. }) => {
                assert_eq!(*needed, asked.since);
                assert!(
                    version.is_some_and(|version| version < asked.since),
                    "{version:?} knows {asked:?}"
                );
                Told::NotApplied
            }
            Err(CallError::TooMany(max)) => {
                assert!(
                    at_once && self.asked.len() + 16 >= *max,
                    "refused with room left"
                );
                Told::NotApplied
            }
            Err(other) => panic!("{other:?} for {asked:?}"),
        };
        if changes_tree(asked.opcode) {
            if let Told::NotApplied = told {
                writes.not_applied(&asked.key);
            }
        } else {
            assert!(
                !matches!(told, Told::Unknown) || !is_read(asked.opcode),
                "a read changes nothing: {asked:?}"
            );
        }
        (asked, told)
    }

    /// The server's answer that belongs to what is told of a call. Those ahead of it were for the session itself, or came
    /// too late.
    fn next_answer(
        &mut self,
        answers: Option<&mut VecDeque<Answer>>,
        asked: &Asked,
        told: &Result<Reply, CallError>,
    ) -> Answer {
        let answers = answers.expect("an answer of a server comes on a connection");
        loop {
            let answer = answers
                .pop_front()
                .unwrap_or_else(|| panic!("no server has answered {asked:?}"));
            let fits = match told {
                Ok(reply) => {
                    answer.err == ErrorCode::OK
                        && (reply.zxid, &reply.body) == (answer.zxid, &answer.body)
                }
                Err(CallError::Server(code)) => answer.err == *code,
                Err(_) => false,
            };
            if fits && answer.key == asked.key {
                return answer;
            }
            let overdue = self.overdue.iter().position(|key| *key == answer.key);
            match overdue {
                Some(at) => drop(self.overdue.swap_remove(at)),
                None => assert!(
                    is_own(&answer.key),
                    "the server's next answer is to {:?}, not to {asked:?}",
                    answer.key
                ),
            }
        }
    }

    /// The user is shown the tree as of a transaction: what it waits for and happened before, it has heard of.
    fn shows(&mut self, history: &History, zxid: Zxid) {
        assert!(
            zxid >= self.shown,
            "the tree goes back from {:?} to {zxid:?}",
            self.shown
        );
        self.shown = zxid;
        for (watcher, watch) in &self.one_shots {
            if let Some(due) = &watch.due {
                assert!(
                    due.zxid > zxid,
                    "{watcher:?} ({watch:?}) was not told before {zxid:?} was shown"
                );
            }
        }
        for (watcher, stream) in &mut self.streams {
            if stream.stands
                && let Some(missing) = stream.peek(history)
            {
                assert!(
                    missing.zxid > zxid,
                    "{watcher:?} ({stream:?}) was not told of {missing:?} before {zxid:?}"
                );
            }
        }
    }

    /// A watch stands from its answer on, if the answer allows it.
    fn watched(&mut self, history: &History, asked: &Asked, answer: &Answer) {
        let Some((kind, path, watcher)) = asked.watch.clone() else {
            return;
        };
        let kind = match (asked.opcode, answer.err) {
            (_, ErrorCode::OK) => kind,
            (OpCode::EXISTS, ErrorCode::NO_NODE) => WatchKind::Exist,
            _ => return,
        };
        if kind.is_persistent() {
            let stream = Stream {
                kind,
                path,
                next: answer.position,
                stands: true,
            };
            self.streams.insert(watcher, stream);
        } else {
            let due = history.first_since(answer.zxid, kind, &path).cloned();
            let watch = OneShot {
                kind,
                path,
                since: answer.zxid,
                attached: self.attached,
                due,
            };
            self.one_shots.insert(watcher, watch);
        }
    }

    /// Something has happened to the tree.
    pub(crate) fn changed(&mut self, change: &Change) {
        for watch in self.one_shots.values_mut() {
            if watch.due.is_none()
                && change.zxid > watch.since
                && hits(watch.kind, &watch.path, change)
            {
                watch.due = Some(change.clone());
            }
        }
    }

    /// The server has the watches again. A znode that came and went meanwhile is one that nobody can tell of.
    pub(crate) fn rearmed(&mut self, missing: &[String]) {
        for watch in self.one_shots.values_mut() {
            if watch.kind == WatchKind::Exist && missing.contains(&watch.path) {
                watch.due = None;
            }
        }
    }

    /// A watcher is told of an event.
    pub(crate) fn told_of_event(
        &mut self,
        history: &History,
        watcher: WatcherId,
        event: EventType,
        path: &str,
    ) {
        if let Some(watch) = self.one_shots.remove(&watcher) {
            let due = watch.due.as_ref();
            let due = due.unwrap_or_else(|| {
                panic!("{watcher:?} ({watch:?}) is told of {event:?} without a cause")
            });
            assert_eq!(path, watch.path);
            // What was missed is told by how the znode is now.
            assert!(
                event == due.event || self.attached > watch.attached,
                "{event:?} told, {due:?} due"
            );
            return;
        }
        let stream = self.streams.get_mut(&watcher).unwrap_or_else(|| {
            panic!("{watcher:?} is told of {event:?} {path}, but has had its event, or was dropped, or does not stand")
        });
        assert!(
            stream.stands,
            "{watcher:?} ({stream:?}) is told of {event:?} {path} before its gap"
        );
        let due = stream
            .peek(history)
            .unwrap_or_else(|| panic!("{watcher:?} ({stream:?}): {event:?} without a cause"));
        assert_eq!(
            (event, path),
            (due.event, &*due.path),
            "{watcher:?} ({stream:?}): next in order"
        );
        stream.next += 1;
    }

    /// A persistent watcher is told that events may be missing. `rearmed_at` says where in the history the connection
    /// had registered it again, with all others: the gap is told behind the last of them.
    pub(crate) fn told_of_gap(
        &mut self,
        watcher: WatcherId,
        rearmed_at: impl FnOnce(WatchKind, &str) -> Option<usize>,
    ) {
        let stream = self
            .streams
            .get_mut(&watcher)
            .expect("a gap of a watch that stands");
        assert!(
            !stream.stands,
            "{watcher:?} ({stream:?}): a gap without a cut"
        );
        let at = rearmed_at(stream.kind, &stream.path)
            .expect("the gap is told when the watch stands again");
        stream.next = stream.next.max(at);
        stream.stands = true;
    }

    /// Persistent watchers are told that the server is too old for them.
    pub(crate) fn suspended(&self, watchers: &[WatcherId], version: Option<ServerVersion>) {
        assert!(!knows_persistent(version), "suspended by {version:?}");
        for watcher in watchers {
            assert!(!self.streams[watcher].stands, "{watcher:?} stands");
        }
    }

    /// The user has dropped a watcher; it hears no more. A call that would register it is under way still, perhaps.
    pub(crate) fn drop_watcher(&mut self, watcher: WatcherId) {
        self.one_shots.remove(&watcher);
        self.streams.remove(&watcher);
        for asked in self.asked.values_mut() {
            if asked
                .watch
                .as_ref()
                .is_some_and(|(_, _, own)| *own == watcher)
            {
                asked.watch = None;
            }
        }
    }

    /// Watchers that could be dropped.
    pub(crate) fn watchers(&self) -> Vec<WatcherId> {
        let asked = self.asked.values().filter_map(|asked| asked.watch.as_ref());
        let asked = asked.map(|(_, _, watcher)| *watcher);
        self.one_shots
            .keys()
            .chain(self.streams.keys())
            .copied()
            .chain(asked)
            .collect()
    }

    /// The connection is lost.
    pub(crate) fn lost(&mut self) {
        self.overdue.clear();
        for stream in self.streams.values_mut() {
            stream.stands = false;
        }
    }

    /// The session asks a server to take it.
    pub(crate) fn connects(&self, session: SessionId, request: &ConnectRequest<'_>) {
        assert_eq!(request.session_id, session);
        assert!(
            request.last_zxid_seen >= self.shown,
            "{request:?}: {:?} was shown",
            self.shown
        );
        assert_eq!(request.password, Some(&self.password[..]));
    }

    /// A server has answered that.
    pub(crate) fn greeted(&mut self, payload: &Bytes) {
        let response =
            ConnectResponse::decode(&mut Reader::new(payload)).expect("a connect response");
        if response.timeout_ms > 0 {
            self.password
                .copy_from_slice(response.password.expect("a password"));
        }
    }

    /// A server says something more. Once it has answered a request, the next failure is a first one.
    pub(crate) fn hears(&mut self, now_ms: u64, payload: &Bytes) {
        let header = ReplyHeader::decode(&mut Reader::new(payload)).expect("a reply");
        if ![Xid::NOTIFICATION, Xid::AUTH].contains(&header.xid)
            && header.err != ErrorCode::UNIMPLEMENTED
        {
            self.attempts.failed = 1;
            self.attempts.last_ms = now_ms;
        }
    }

    /// The session wants a connection. Rounds of failures are followed by pauses that double.
    pub(crate) fn dials(&mut self, now_ms: u64, servers: u64) {
        let Attempts {
            failed,
            last_ms,
            begun,
        } = self.attempts;
        if begun && failed > 0 && failed.is_multiple_of(servers) {
            let round = (failed / servers - 1).min(10);
            let pause_ms = (100 << round).min(2000) / 2;
            assert!(
                now_ms >= last_ms + pause_ms,
                "attempt {failed} comes {} ms after the last one",
                now_ms - last_ms
            );
        }
        self.attempts = Attempts {
            failed: failed + 1,
            last_ms: now_ms,
            begun: true,
        };
        assert!(
            !self.is_over(),
            "a session that is over wants no connection"
        );
    }

    /// The session's state is another. `silence_ms` is for how long no server was heard, `exists` whether the servers
    /// still have the session.
    pub(crate) fn turns(
        &mut self,
        state: &SessionState,
        timeout_ms: u64,
        silence_ms: u64,
        exists: bool,
    ) {
        let legal = match (&self.state, state) {
            (SessionState::Connecting | SessionState::Disconnected, SessionState::Connected)
            | (SessionState::Connected, SessionState::Disconnected) => true,
            (SessionState::Ended(_), _) => false,
            (_, SessionState::Ended(end)) => {
                match end {
                    SessionEnd::Expired(_) => assert!(!exists, "expired, but the servers have it"),
                    SessionEnd::GivenUp { .. } => {
                        assert!(silence_ms >= timeout_ms * 4 / 3, "given up too early")
                    }
                    _ => {}
                }
                true
            }
            _ => false,
        };
        assert!(legal, "from {:?} to {state:?}", self.state);
        if *state == SessionState::Connected {
            self.attached += 1;
        }
        self.state = state.clone();
        if self.is_over() {
            self.one_shots.clear();
            self.streams.clear();
        }
    }

    pub(crate) const fn is_over(&self) -> bool {
        matches!(self.state, SessionState::Ended(_))
    }

    /// Between two events, whatever they were.
    pub(crate) fn rests(
        &self,
        now: Instant,
        now_ms: u64,
        timeout_ms: u64,
        heard_ms: u64,
        written_ms: u64,
    ) {
        if self.is_over() {
            assert!(
                self.asked.is_empty(),
                "the end of the session fails every call"
            );
        }
        for asked in self.asked.values() {
            assert!(
                asked.deadline.is_none_or(|at| now < at + MOMENT),
                "overdue: {asked:?}"
            );
        }
        if self.state == SessionState::Connected {
            assert!(
                now_ms <= heard_ms + timeout_ms * 2 / 3 + 1,
                "a silent server is left"
            );
            assert!(
                now_ms <= written_ms + timeout_ms / 3 + 1,
                "a server that listens hears something"
            );
        }
    }

    /// The network has been well for long enough.
    pub(crate) fn settles(&self) {
        assert!(
            self.asked.is_empty(),
            "calls were never answered: {:?}",
            self.asked
        );
        assert!(
            self.is_over() || self.state == SessionState::Connected,
            "the session is {:?} on a network that is well",
            self.state
        );
    }

    /// All is said and done.
    pub(crate) fn rests_for_good(&mut self, history: &History, version: Option<ServerVersion>) {
        self.settles();
        for (watcher, watch) in &self.one_shots {
            assert!(
                watch.due.is_none(),
                "{watcher:?} ({watch:?}) was never told"
            );
        }
        for (watcher, stream) in &mut self.streams {
            if !stream.stands && !knows_persistent(version) {
                continue;
            }
            assert!(
                stream.stands,
                "{watcher:?} ({stream:?}) was never told of its gap"
            );
            let missing = stream.peek(history).cloned();
            assert!(
                missing.is_none(),
                "{watcher:?} ({stream:?}) was never told of {missing:?}"
            );
        }
    }
}

impl Stream {
    /// The next change that it has to hear of.
    fn peek<'a>(&mut self, history: &'a History) -> Option<&'a Change> {
        let rest = history.changes.get(self.next..)?;
        match rest
            .iter()
            .position(|change| hits(self.kind, &self.path, change))
        {
            Some(at) => {
                self.next += at;
                rest.get(at)
            }
            None => {
                self.next = history.len();
                None
            }
        }
    }
}

fn knows_persistent(version: Option<ServerVersion>) -> bool {
    version.is_some_and(|version| version >= OpCode::SET_WATCHES2.since())
}

/// Requests that a session makes by itself.
fn is_own(key: &Bytes) -> bool {
    let opcode = key
        .first_chunk()
        .map(|bytes| OpCode(i32::from_be_bytes(*bytes)));
    matches!(opcode, Some(OpCode::REMOVE_WATCHES | OpCode::CLOSE_SESSION))
}

fn is_read(opcode: OpCode) -> bool {
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
