//! The session against a peer that is written down frame by frame, on a clock that only the test moves.

mod login;
mod newer;
mod overdue;

use std::borrow::Cow;

use zk_proto::frame;
use zk_proto::record::{
    ConnectRequest, ConnectResponse, CreateMode, CreateRequest, ExistsRequest, GetChildrenRequest,
    GetDataRequest, KeeperState, ReplyHeader, Request, SetWatchesRequest, WatcherEvent,
};
use zk_proto::{Acl, Decode, Encode, OpCode, Reader, Stat};

use super::*;

const T: Duration = Duration::from_secs(9);
/// A server that has everything.
const NEW: ServerVersion = ServerVersion::new(3, 9, 0);

/// The session, its clock, and what it has said so far.
struct Peer {
    session: Session<&'static str>,
    now: Instant,
    completed: Vec<(&'static str, Result<Reply, CallError>)>,
    events: Vec<(WatcherId, EventType, String)>,
    gaps: usize,
    suspensions: usize,
    asks: Vec<u64>,
    probes: Vec<(u64, HostPort)>,
    sasl: Vec<SaslStep>,
    states: Vec<SessionState>,
    connects: usize,
    disconnects: usize,
    input: BytesMut,
}

impl Peer {
    fn new(hosts: u16) -> Self {
        Self::with(hosts, |config| config)
    }

    fn with(hosts: u16, change: impl Fn(Config) -> Config) -> Self {
        let now = Instant::now();
        let config = change(Config {
            hosts: (0..hosts)
                .map(|port| HostPort {
                    host: "zk".into(),
                    port,
                })
                .collect(),
            session_timeout: T,
            attempt_timeout: Duration::from_secs(1),
            max_incoming_bytes: 4096,
            max_outgoing_bytes: 1024,
            max_requests: 8,
            auth: vec![],
            sasl: None,
            read_only: false,
            seed: 1,
        });
        Self {
            session: Session::new(config, now),
            now,
            completed: vec![],
            events: vec![],
            gaps: 0,
            suspensions: 0,
            asks: vec![],
            probes: vec![],
            sasl: vec![],
            states: vec![],
            connects: 0,
            disconnects: 0,
            input: BytesMut::new(),
        }
    }

    fn input(&mut self, input: Input<'_>) {
        self.session.handle_input(self.now, input);
        self.outputs();
    }

    fn outputs(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Connect(_) => self.connects += 1,
                Output::Disconnect => self.disconnects += 1,
                Output::Completed(token, result) => self.completed.push((token, result)),
                Output::Event(watcher, event, path) => self.events.push((watcher, event, path)),
                Output::Gap(_) => self.gaps += 1,
                Output::Suspended(_) => self.suspensions += 1,
                Output::AskVersion(ask) => self.asks.push(ask),
                Output::ProbeWritable(probe, host) => self.probes.push((probe, host)),
                Output::Sasl(step) => self.sasl.push(step),
                Output::State(state) => self.states.push(state),
            }
        }
    }

    /// Lets time pass, waking the session whenever it asks for it.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.input(Input::Timeout);
        }
        self.now = end;
    }

    fn submit(&mut self, token: &'static str, request: &Request<'_>) -> CallId {
        self.watch(token, request, None)
    }

    fn watch(
        &mut self,
        token: &'static str,
        request: &Request<'_>,
        watch: Option<(WatchKind, String, WatcherId)>,
    ) -> CallId {
        self.submit_until(token, request, watch, None)
    }

    fn submit_until(
        &mut self,
        token: &'static str,
        request: &Request<'_>,
        watch: Option<(WatchKind, String, WatcherId)>,
        deadline: Option<Instant>,
    ) -> CallId {
        let call = self
            .session
            .submit(self.now, request, watch, deadline, token);
        self.outputs();
        call
    }

    /// Answers the question for the version that was asked last.
    fn tell(&mut self, version: Option<ServerVersion>) {
        let ask = *self.asks.last().expect("the version was asked for");
        self.input(Input::Version { ask, version });
    }

    /// Dials until the connect request is out, and returns it.
    fn dial(&mut self) -> ConnectRequestSeen {
        let before = self.connects;
        while self.connects == before {
            let due = self
                .session
                .poll_timeout()
                .expect("the session wants to connect");
            self.now = self.now.max(due);
            self.input(Input::Timeout);
        }
        self.input(Input::Connected);
        let payload = FrameDecoder::new(4096)
            .decode(self.session.outgoing())
            .unwrap()
            .unwrap();
        let request = ConnectRequest::decode(&mut Reader::new(&payload)).unwrap();
        ConnectRequestSeen {
            session: request.session_id,
            last_zxid: request.last_zxid_seen,
        }
    }

    fn grant(&mut self, id: i64) {
        let response = ConnectResponse {
            protocol_version: 0,
            timeout_ms: i32::try_from(T.as_millis()).unwrap(),
            session_id: SessionId(id),
            password: Some(&[7; 16]),
            read_only: Some(false),
        };
        self.frame(&|out| response.encode(out));
    }

    fn connect(&mut self, id: i64) {
        self.dial();
        self.grant(id);
    }

    fn frame(&mut self, write: &dyn Fn(&mut BytesMut)) {
        let mut wire = std::mem::take(&mut self.input);
        frame::encode(&mut wire, 4096, write).unwrap();
        self.input(Input::Received(&mut wire));
        self.input = wire;
    }

    fn reply(&mut self, xid: i32, zxid: i64, err: ErrorCode) {
        self.frame(&|out| {
            ReplyHeader {
                xid: Xid(xid),
                zxid: Zxid(zxid),
                err,
            }
            .encode(out)
        });
    }

    fn notify(&mut self, event_type: EventType, path: &str) {
        self.frame(&|out| {
            ReplyHeader {
                xid: Xid::NOTIFICATION,
                zxid: Zxid(-1),
                err: ErrorCode::OK,
            }
            .encode(out);
            WatcherEvent {
                event_type,
                state: KeeperState::SYNC_CONNECTED,
                path,
            }
            .encode(out);
        });
    }

    /// What the session has put on the wire: xids and opcodes.
    fn sent(&mut self) -> Vec<(i32, OpCode)> {
        let decoder = FrameDecoder::new(1 << 20);
        let mut seen = vec![];
        while let Some(payload) = decoder.decode(self.session.outgoing()).unwrap() {
            let header =
                zk_proto::record::RequestHeader::decode(&mut Reader::new(&payload)).unwrap();
            seen.push((header.xid.0, header.opcode));
        }
        seen
    }

    fn tokens(&self) -> Vec<&'static str> {
        self.completed.iter().map(|(token, _)| *token).collect()
    }
}

struct ConnectRequestSeen {
    session: SessionId,
    last_zxid: Zxid,
}

fn get(path: &str) -> Request<'_> {
    Request::GetData(GetDataRequest { path, watch: false })
}

fn create(path: &str) -> Request<'_> {
    let acl = Cow::Borrowed(Acl::OPEN);
    Request::Create(CreateRequest {
        path,
        data: None,
        acl,
        mode: CreateMode::EPHEMERAL,
    })
}

#[test]
fn reads_travel_right_behind_the_connect_request_of_a_new_session() {
    let mut peer = Peer::new(1);
    peer.submit("a", &get("/a"));
    peer.submit("b", &get("/b"));
    peer.submit("write", &create("/c"));
    peer.submit("later", &get("/d"));
    peer.dial();
    // The write waits for the session, and what was asked after it stays behind it.
    assert_eq!(peer.sent(), [(1, OpCode::GET_DATA), (2, OpCode::GET_DATA)]);
    peer.grant(5);
    assert_eq!(peer.sent(), [(3, OpCode::CREATE), (4, OpCode::GET_DATA)]);
    for xid in 1..=4 {
        peer.reply(xid, 1, ErrorCode::OK);
    }
    assert_eq!(peer.tokens(), ["a", "b", "write", "later"]);
}

#[test]
fn reads_that_went_ahead_are_sent_again_when_that_server_gives_no_session() {
    let mut peer = Peer::new(2);
    peer.submit("a", &get("/a"));
    peer.dial();
    peer.input(Input::Lost("reset".into()));
    assert!(peer.completed.is_empty());
    peer.dial();
    assert_eq!(peer.sent(), [(2, OpCode::GET_DATA)]);
    peer.grant(5);
    peer.reply(2, 1, ErrorCode::OK);
    assert_eq!(peer.tokens(), ["a"]);
}

#[test]
fn nothing_goes_ahead_on_an_old_session_or_behind_credentials() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    peer.input(Input::Lost("cut".into()));
    peer.submit("a", &get("/a"));
    peer.dial();
    assert_eq!(peer.sent(), []);

    let mut peer = Peer::with(1, |config| Config {
        auth: vec![("digest".into(), b"u:p".to_vec())],
        ..config
    });
    peer.submit("a", &get("/a"));
    peer.dial();
    assert_eq!(peer.sent(), []);
    peer.grant(5);
    assert_eq!(peer.sent(), [(-4, OpCode::AUTH), (1, OpCode::GET_DATA)]);
    // The answer to auth may come first or last; only its own xid counts.
    peer.reply(1, 1, ErrorCode::OK);
    peer.reply(-4, 0, ErrorCode::OK);
    assert_eq!(peer.tokens(), ["a"]);
}

#[test]
fn refused_credentials_end_the_session() {
    let mut peer = Peer::with(1, |config| Config {
        auth: vec![("bogus".into(), vec![])],
        ..config
    });
    peer.connect(5);
    peer.submit("a", &create("/a"));
    peer.reply(-4, 0, ErrorCode::AUTH_FAILED);
    let end = SessionEnd::AuthFailed("bogus".into());
    assert_eq!(peer.session.state(), &SessionState::Ended(end.clone()));
    assert_eq!(
        peer.completed,
        [("a", Err(CallError::Ended(end, Outcome::Unknown)))]
    );
    assert_eq!(peer.session.poll_timeout(), None);
}

#[test]
fn a_cut_fails_what_was_sent_and_keeps_what_was_not() {
    let mut peer = Peer::new(2);
    peer.connect(5);
    peer.submit("write", &create("/a"));
    peer.submit("read", &get("/b"));
    peer.sent();
    peer.input(Input::Lost("cut".into()));
    let lost = |outcome| Err(CallError::Lost(outcome));
    assert_eq!(
        peer.completed,
        [
            ("write", lost(Outcome::Unknown)),
            ("read", lost(Outcome::NotApplied))
        ]
    );
    peer.submit("waits", &create("/c"));
    assert_eq!(peer.completed.len(), 2);
    let request = peer.dial();
    assert_eq!(request.session, SessionId(5));
    peer.grant(5);
    assert_eq!(peer.sent(), [(3, OpCode::CREATE)]);
    let states = [
        SessionState::Connected,
        SessionState::Disconnected,
        SessionState::Connected,
    ];
    assert_eq!(peer.states, states);
}

#[test]
fn the_next_server_is_told_what_was_seen() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    peer.submit("a", &get("/a"));
    peer.reply(1, 77, ErrorCode::NO_NODE);
    peer.notify(EventType::NODE_CREATED, "/nobody-waits");
    peer.input(Input::Lost("cut".into()));
    assert_eq!(peer.dial().last_zxid, Zxid(77));
}

#[test]
fn watches_are_registered_again_before_anything_else() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    let data = |id, path: &str| Some((WatchKind::Data, path.to_owned(), WatcherId(id)));
    peer.watch("data", &get("/a"), data(1, "/a"));
    let missing = Request::Exists(ExistsRequest {
        path: "/m",
        watch: true,
    });
    peer.watch("exist", &missing, data(2, "/m"));
    let children = Request::GetChildren2(GetChildrenRequest {
        path: "/c",
        watch: true,
    });
    peer.watch(
        "child",
        &children,
        Some((WatchKind::Child, "/c".into(), WatcherId(3))),
    );
    peer.watch("refused", &get("/no"), data(4, "/no"));
    peer.reply(1, 10, ErrorCode::OK);
    peer.reply(2, 10, ErrorCode::NO_NODE);
    peer.reply(3, 11, ErrorCode::OK);
    peer.reply(4, 12, ErrorCode::NO_AUTH);
    peer.sent();
    peer.input(Input::Lost("cut".into()));
    peer.submit("read", &get("/x"));
    peer.dial();
    peer.grant(5);
    let payload = FrameDecoder::new(4096)
        .decode(peer.session.outgoing())
        .unwrap()
        .unwrap();
    let mut reader = Reader::new(&payload);
    let header = zk_proto::record::RequestHeader::decode(&mut reader).unwrap();
    assert_eq!(
        (header.xid, header.opcode),
        (Xid::SET_WATCHES, OpCode::SET_WATCHES)
    );
    let expected = SetWatchesRequest {
        relative_zxid: Zxid(12),
        data: vec!["/a"],
        exist: vec!["/m"],
        child: vec!["/c"],
    };
    assert_eq!(SetWatchesRequest::decode(&mut reader).unwrap(), expected);
    assert_eq!(peer.sent(), [(5, OpCode::GET_DATA)]);
    peer.notify(EventType::NODE_DATA_CHANGED, "/a");
    peer.reply(-8, 20, ErrorCode::OK);
    assert_eq!(
        peer.events,
        [(WatcherId(1), EventType::NODE_DATA_CHANGED, "/a".into())]
    );
    assert_eq!(peer.gaps, 0);
}

#[test]
fn a_registration_that_was_cut_short_goes_by_the_older_transaction() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    peer.watch(
        "data",
        &get("/a"),
        Some((WatchKind::Data, "/a".into(), WatcherId(1))),
    );
    peer.reply(1, 10, ErrorCode::OK);
    peer.sent();
    peer.input(Input::Lost("cut".into()));
    peer.dial();
    peer.grant(5);
    // The registration and a read are on the wire; the server's answers never come.
    peer.submit("read", &get("/x"));
    peer.input(Input::Lost("cut again".into()));
    peer.dial();
    peer.grant(5);
    let payload = FrameDecoder::new(4096)
        .decode(peer.session.outgoing())
        .unwrap()
        .unwrap();
    let mut reader = Reader::new(&payload);
    zk_proto::record::RequestHeader::decode(&mut reader).unwrap();
    assert_eq!(
        SetWatchesRequest::decode(&mut reader)
            .unwrap()
            .relative_zxid,
        Zxid(10)
    );
}

#[test]
fn persistent_watchers_are_told_of_the_gap() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    let request = Request::AddWatch(zk_proto::record::AddWatchRequest {
        path: "/ns",
        mode: zk_proto::record::AddWatchMode::PERSISTENT_RECURSIVE,
    });
    peer.watch(
        "add",
        &request,
        Some((WatchKind::PersistentRecursive, "/ns".into(), WatcherId(1))),
    );
    peer.tell(Some(NEW));
    peer.reply(1, 3, ErrorCode::OK);
    for name in ["/ns/a", "/ns/b"] {
        peer.notify(EventType::NODE_CREATED, name);
    }
    assert_eq!(peer.events.len(), 2);
    peer.sent();
    peer.input(Input::Lost("cut".into()));
    peer.dial();
    peer.grant(5);
    peer.tell(Some(NEW));
    assert_eq!(peer.sent(), [(-8, OpCode::SET_WATCHES2)]);
    assert_eq!(peer.gaps, 0);
    peer.reply(-8, 9, ErrorCode::OK);
    assert_eq!(peer.gaps, 1);
    peer.session.remove_watcher(peer.now, WatcherId(1));
    assert_eq!(peer.sent(), [(2, OpCode::REMOVE_WATCHES)]);
}

#[test]
fn an_answer_nobody_asked_for_costs_the_connection_and_not_the_session() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    peer.submit("a", &get("/a"));
    peer.reply(9, 1, ErrorCode::OK);
    assert_eq!(
        peer.completed,
        [("a", Err(CallError::Lost(Outcome::NotApplied)))]
    );
    assert_eq!(peer.disconnects, 1);
    assert_eq!(peer.session.state(), &SessionState::Disconnected);
    assert_eq!(peer.dial().session, SessionId(5));
}

#[test]
fn a_frame_over_the_limit_costs_the_connection() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    peer.input(Input::Received(&mut BytesMut::from(
        &[0x7f, 0xff, 0xff, 0xff][..],
    )));
    assert_eq!(
        (peer.disconnects, peer.session.state()),
        (1, &SessionState::Disconnected)
    );
}

#[test]
fn an_idle_session_pings_and_a_silent_server_is_left() {
    let mut peer = Peer::new(2);
    peer.connect(5);
    peer.pass(T / 3);
    assert_eq!(peer.sent(), [(-2, OpCode::PING)]);
    peer.reply(-2, 1, ErrorCode::OK);
    // From here on the server is silent: a ping each third of the timeout, and at two thirds the end.
    peer.pass(T / 3);
    assert_eq!(peer.sent(), [(-2, OpCode::PING)]);
    assert_eq!(peer.session.state(), &SessionState::Connected);
    peer.pass(T / 3);
    assert_eq!(peer.session.state(), &SessionState::Disconnected);
}

#[test]
fn any_byte_counts_as_life() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    peer.submit("large", &get("/large"));
    let mut wire = BytesMut::new();
    frame::encode(&mut wire, 4096, |out| {
        ReplyHeader {
            xid: Xid(1),
            zxid: Zxid(1),
            err: ErrorCode::OK,
        }
        .encode(out);
        Stat::default().encode(out);
    })
    .unwrap();
    // One byte each third of the timeout, for 28 times the timeout.
    let mut input = BytesMut::new();
    for byte in &wire[..] {
        peer.pass(T / 3);
        input.extend_from_slice(&[*byte]);
        let mut received = std::mem::take(&mut input);
        peer.input(Input::Received(&mut received));
        input = received;
    }
    assert_eq!(peer.tokens(), ["large"]);
    assert_eq!(peer.session.state(), &SessionState::Connected);
}

#[test]
fn a_session_without_servers_is_given_up_by_the_clients_own_clock() {
    let mut peer = Peer::new(3);
    peer.connect(5);
    let start = peer.now;
    peer.input(Input::Lost("cut".into()));
    peer.submit("waits", &create("/a"));
    while !matches!(peer.session.state(), SessionState::Ended(_)) {
        let due = peer.session.poll_timeout().unwrap();
        peer.now = peer.now.max(due);
        peer.input(Input::Timeout);
        if peer.connects > 0 {
            peer.input(Input::ConnectFailed("refused".into()));
        }
        assert!(peer.now <= start + T * 2, "it must end");
    }
    let end = SessionEnd::GivenUp {
        session: SessionId(5),
        silence: T * 4 / 3,
    };
    assert_eq!(
        peer.completed,
        [(
            "waits",
            Err(CallError::Ended(end.clone(), Outcome::NotApplied))
        )]
    );
    assert_eq!(peer.states.last(), Some(&SessionState::Ended(end)));
    peer.submit("late", &get("/a"));
    assert_eq!(peer.tokens(), ["waits", "late"]);
}

#[test]
fn a_server_that_takes_the_connection_and_says_nothing_is_left_in_time() {
    let mut peer = Peer::new(2);
    peer.dial();
    peer.pass(Duration::from_secs(1));
    assert_eq!(peer.disconnects, 1);
    peer.connect(5);
    assert_eq!(peer.session.state(), &SessionState::Connected);
    let silent = peer
        .session
        .attempts()
        .iter()
        .filter(|attempt| attempt.failure.is_some())
        .count();
    assert_eq!(silent, 1);
}

#[test]
fn an_expired_session_ends_everything_at_once() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    peer.input(Input::Lost("cut".into()));
    peer.submit("waits", &create("/a"));
    peer.dial();
    peer.frame(&|out| ConnectResponse::EXPIRED.encode(out));
    let end = SessionEnd::Expired(SessionId(5));
    assert_eq!(
        peer.completed,
        [(
            "waits",
            Err(CallError::Ended(end.clone(), Outcome::NotApplied))
        )]
    );
    assert_eq!(peer.session.state(), &SessionState::Ended(end));
}

#[test]
fn closing_answers_what_was_asked_before_and_nothing_after() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    peer.submit("before", &get("/a"));
    peer.input(Input::Close);
    peer.submit("after", &get("/b"));
    assert_eq!(
        peer.sent(),
        [(1, OpCode::GET_DATA), (2, OpCode::CLOSE_SESSION)]
    );
    peer.reply(1, 1, ErrorCode::OK);
    peer.reply(2, 2, ErrorCode::OK);
    assert_eq!(peer.tokens(), ["after", "before"]);
    assert!(peer.completed[0].1.is_err() && peer.completed[1].1.is_ok());
    assert_eq!(
        peer.session.state(),
        &SessionState::Ended(SessionEnd::Closed)
    );
}

#[test]
fn closing_does_not_wait_for_a_dead_server() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    peer.input(Input::Close);
    peer.pass(Duration::from_secs(2));
    assert_eq!(
        peer.session.state(),
        &SessionState::Ended(SessionEnd::Closed)
    );
    // A session that no server has given yet is closed when the answer comes.
    let mut peer = Peer::new(1);
    peer.dial();
    peer.input(Input::Close);
    peer.grant(5);
    assert_eq!(peer.sent(), [(1, OpCode::CLOSE_SESSION)]);
}

#[test]
fn requests_are_bounded_in_size_and_number() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    let path = format!("/{}", "x".repeat(2000));
    peer.submit("large", &get(&path));
    assert!(matches!(peer.completed[0].1, Err(CallError::TooLarge(_))));
    for _ in 0..8 {
        peer.submit("fits", &get("/a"));
    }
    peer.submit("ninth", &get("/a"));
    assert_eq!(peer.completed[1], ("ninth", Err(CallError::TooMany(8))));
    // The refused request took the first xid.
    peer.reply(2, 1, ErrorCode::OK);
    peer.submit("again", &get("/a"));
    assert_eq!(peer.sent().len(), 9);
}

#[test]
fn what_waits_can_be_withdrawn() {
    let mut peer = Peer::new(1);
    let gone = peer.submit("gone", &create("/a"));
    peer.submit("stays", &create("/b"));
    assert!(peer.session.withdraw(gone));
    assert!(!peer.session.withdraw(gone));
    peer.connect(5);
    assert_eq!(peer.sent(), [(1, OpCode::CREATE)]);
    peer.reply(1, 1, ErrorCode::OK);
    assert_eq!(peer.tokens(), ["stays"]);
}

#[test]
fn a_watch_whose_caller_has_gone_is_not_booked() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    peer.watch(
        "gone",
        &get("/a"),
        Some((WatchKind::Data, "/a".into(), WatcherId(1))),
    );
    let add = Request::AddWatch(zk_proto::record::AddWatchRequest {
        path: "/p",
        mode: zk_proto::record::AddWatchMode::PERSISTENT,
    });
    peer.watch(
        "gone too",
        &add,
        Some((WatchKind::Persistent, "/p".into(), WatcherId(2))),
    );
    peer.tell(Some(NEW));
    peer.session.remove_watcher(peer.now, WatcherId(1));
    peer.session.remove_watcher(peer.now, WatcherId(2));
    peer.sent();
    peer.reply(1, 1, ErrorCode::OK);
    peer.reply(2, 1, ErrorCode::OK);
    // The server's persistent watch goes; its one-shot watch fires unheard.
    assert_eq!(peer.sent(), [(3, OpCode::REMOVE_WATCHES)]);
    peer.notify(EventType::NODE_DATA_CHANGED, "/a");
    peer.notify(EventType::NODE_DATA_CHANGED, "/p");
    assert_eq!(peer.events, []);
}

#[test]
fn watches_that_others_wait_for_are_not_removed_with_a_persistent_one() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    let add = Request::AddWatch(zk_proto::record::AddWatchRequest {
        path: "/a",
        mode: zk_proto::record::AddWatchMode::PERSISTENT,
    });
    let persistent = |id| Some((WatchKind::Persistent, "/a".to_owned(), WatcherId(id)));
    peer.watch("persistent", &add, persistent(1));
    peer.tell(Some(NEW));
    peer.watch(
        "one-shot",
        &get("/a"),
        Some((WatchKind::Data, "/a".into(), WatcherId(2))),
    );
    peer.reply(1, 1, ErrorCode::OK);
    peer.reply(2, 1, ErrorCode::OK);
    peer.sent();
    peer.session.remove_watcher(peer.now, WatcherId(1));
    assert_eq!(peer.sent(), [], "a one-shot watcher waits");
    peer.notify(EventType::NODE_DATA_CHANGED, "/a");
    assert_eq!(peer.events.len(), 1);
    // It was the last one: the next event finds nobody, and the server is told.
    peer.notify(EventType::NODE_DATA_CHANGED, "/a");
    assert_eq!(peer.events.len(), 1);
    assert_eq!(peer.sent(), [(3, OpCode::REMOVE_WATCHES)]);
    peer.reply(3, 1, ErrorCode::OK);

    peer.watch("again", &add, persistent(3));
    peer.reply(4, 2, ErrorCode::OK);
    peer.watch("under way", &add, persistent(4));
    peer.sent();
    peer.session.remove_watcher(peer.now, WatcherId(3));
    assert_eq!(peer.sent(), [], "another watch of the path is under way");
}

#[test]
fn a_server_that_takes_sessions_and_answers_nothing_is_not_tried_without_a_pause() {
    let mut peer = Peer::new(2);
    peer.connect(5);
    let start = peer.now;
    for _ in 0..20 {
        peer.input(Input::Lost("closed".into()));
        peer.connect(5);
    }
    assert!(
        peer.now - start > Duration::from_secs(1),
        "{:?}",
        peer.now - start
    );
}

#[test]
fn a_silent_server_leaves_time_for_the_others() {
    // A session of 9 s and three servers: each gets 3 s at most, although a first connection may take longer.
    let mut peer = Peer::with(3, |config| Config {
        attempt_timeout: Duration::from_secs(60),
        ..config
    });
    peer.connect(5);
    peer.input(Input::Lost("cut".into()));
    peer.dial();
    let tried = peer.connects;
    peer.pass(T / 3);
    assert_eq!(peer.connects, tried + 1, "the next one is tried");
}
