//! What not every server knows.

use zk_proto::record::{AddWatchMode, AddWatchRequest, MultiOp, MultiRequest, SetWatches2Request};

use super::*;

const V36: ServerVersion = ServerVersion::new(3, 6, 0);

#[test]
fn the_version_is_asked_before_the_first_newer_request_and_order_is_kept() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    peer.submit("old", &get("/a"));
    assert_eq!(peer.asks, []);
    peer.submit("newer", &Request::WhoAmI);
    peer.submit("behind", &get("/b"));
    assert_eq!(peer.asks.len(), 1);
    assert_eq!(peer.sent(), [(1, OpCode::GET_DATA)]);
    peer.tell(Some(NEW));
    assert_eq!(peer.sent(), [(2, OpCode::WHO_AM_I), (3, OpCode::GET_DATA)]);
    // The answer holds for the connection.
    peer.submit("again", &Request::WhoAmI);
    assert_eq!(peer.sent(), [(4, OpCode::WHO_AM_I)]);
    for xid in 1..=4 {
        peer.reply(xid, 1, ErrorCode::OK);
    }
    assert_eq!(peer.tokens(), ["old", "newer", "behind", "again"]);
    peer.input(Input::Lost("cut".into()));
    peer.connect(5);
    peer.submit("elsewhere", &Request::WhoAmI);
    assert_eq!(peer.asks.len(), 2);
}

#[test]
fn what_the_server_lacks_is_never_sent() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    peer.submit("newer", &Request::WhoAmI);
    peer.submit("behind", &get("/b"));
    peer.tell(Some(V36));
    assert_eq!(peer.sent(), [(1, OpCode::GET_DATA)]);
    let unsupported = CallError::Unsupported {
        needed: ServerVersion::new(3, 7, 0),
        server: Some(V36),
    };
    assert_eq!(peer.completed, [("newer", Err(unsupported))]);
}

#[test]
fn a_multi_is_as_new_as_the_newest_of_its_operations() {
    let multi = |op| Request::Multi(MultiRequest { ops: vec![op] });
    let Request::Create(create) = create("/a") else {
        unreachable!()
    };
    assert_eq!(
        multi(MultiOp::Create(create.clone())).since(),
        ServerVersion::OLDEST
    );
    let container = multi(MultiOp::CreateContainer(create));
    assert_eq!(container.since(), ServerVersion::new(3, 5, 1));
}

#[test]
fn a_server_that_does_not_tell_gets_the_request_alone() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    peer.submit("first", &get("/a"));
    peer.submit("newer", &Request::WhoAmI);
    peer.submit("behind", &get("/b"));
    peer.tell(None);
    assert_eq!(peer.sent(), [(1, OpCode::GET_DATA)]);
    peer.reply(1, 1, ErrorCode::OK);
    assert_eq!(peer.sent(), [(2, OpCode::WHO_AM_I)]);
    peer.submit("behind too", &get("/c"));
    assert_eq!(peer.sent(), []);
    peer.reply(2, 1, ErrorCode::OK);
    assert_eq!(peer.sent(), [(3, OpCode::GET_DATA), (4, OpCode::GET_DATA)]);
    // It knows it, so it need not be alone again.
    peer.submit("again", &Request::WhoAmI);
    assert_eq!(peer.sent(), [(5, OpCode::WHO_AM_I)]);
}

#[test]
fn a_refusal_costs_no_answer_and_is_remembered_for_the_host() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    peer.submit("newer", &Request::WhoAmI);
    peer.submit("behind", &get("/b"));
    peer.tell(None);
    assert_eq!(peer.sent(), [(1, OpCode::WHO_AM_I)]);
    peer.reply(1, -1, ErrorCode::UNIMPLEMENTED);
    let unsupported = || CallError::Unsupported {
        needed: ServerVersion::new(3, 7, 0),
        server: None,
    };
    assert_eq!(peer.completed, [("newer", Err(unsupported()))]);
    assert_eq!(peer.session.state(), &SessionState::Disconnected);
    assert_eq!(peer.dial().session, SessionId(5));
    peer.grant(5);
    assert_eq!(peer.sent(), [(2, OpCode::GET_DATA)]);
    peer.submit("again", &Request::WhoAmI);
    peer.tell(None);
    assert_eq!(peer.sent(), []);
    assert_eq!(peer.completed[1], ("again", Err(unsupported())));
    // What is off, and known, is answered by the server itself.
    let mut peer = Peer::new(1);
    peer.connect(5);
    peer.submit("newer", &Request::WhoAmI);
    peer.tell(None);
    peer.reply(1, 7, ErrorCode::UNIMPLEMENTED);
    assert_eq!(
        peer.completed,
        [("newer", Err(CallError::Server(ErrorCode::UNIMPLEMENTED)))]
    );
    assert_eq!(peer.session.state(), &SessionState::Connected);
}

#[test]
fn a_question_that_outlives_its_connection_answers_nothing() {
    let mut peer = Peer::new(2);
    peer.connect(5);
    peer.submit("newer", &Request::WhoAmI);
    peer.input(Input::Lost("cut".into()));
    peer.connect(5);
    assert_eq!(peer.asks.len(), 2);
    let (ask, version) = (peer.asks[0], Some(NEW));
    peer.input(Input::Version { ask, version });
    assert_eq!(peer.sent(), []);
    peer.tell(Some(NEW));
    assert_eq!(peer.sent(), [(1, OpCode::WHO_AM_I)]);
}

#[test]
fn closing_waits_for_what_waits_for_the_version() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    peer.submit("newer", &Request::WhoAmI);
    peer.input(Input::Close);
    assert_eq!(peer.sent(), []);
    peer.tell(Some(NEW));
    assert_eq!(
        peer.sent(),
        [(1, OpCode::WHO_AM_I), (2, OpCode::CLOSE_SESSION)]
    );
}

fn add(path: &str, mode: AddWatchMode) -> Request<'_> {
    Request::AddWatch(AddWatchRequest { path, mode })
}

/// A peer of this version with a recursive watcher, number 1, on `/ns`.
fn watching(version: ServerVersion) -> Peer {
    let mut peer = Peer::new(2);
    peer.connect(5);
    let wish = (WatchKind::PersistentRecursive, "/ns".into(), WatcherId(1));
    let request = add("/ns", AddWatchMode::PERSISTENT_RECURSIVE);
    peer.watch("add", &request, Some(wish));
    peer.tell(Some(version));
    peer.reply(1, 1, ErrorCode::OK);
    peer.sent();
    peer.completed.clear();
    peer
}

#[test]
fn an_older_member_suspends_persistent_watches_and_keeps_the_session() {
    let mut peer = watching(NEW);
    peer.input(Input::Lost("cut".into()));
    peer.connect(5);
    peer.tell(Some(ServerVersion::new(3, 4, 14)));
    assert_eq!((peer.suspensions, peer.gaps), (1, 0));
    assert_eq!(peer.sent(), []);
    peer.submit("goes on", &get("/a"));
    peer.reply(2, 2, ErrorCode::OK);
    assert_eq!(peer.tokens(), ["goes on"]);
    // Its removal needs no server.
    peer.session.remove_watcher(peer.now, WatcherId(9));
    peer.input(Input::Lost("upgraded".into()));
    peer.connect(5);
    peer.tell(Some(NEW));
    assert_eq!(peer.sent(), [(-8, OpCode::SET_WATCHES2)]);
    peer.reply(-8, 2, ErrorCode::OK);
    assert_eq!((peer.suspensions, peer.gaps), (1, 1));
}

#[test]
fn a_silent_member_is_asked_alone_whether_it_knows_persistent_watches() {
    let mut peer = watching(NEW);
    peer.input(Input::Lost("cut".into()));
    peer.submit("waits", &get("/a"));
    peer.connect(5);
    // What every server knows does not wait for the question.
    assert_eq!(peer.sent(), [(2, OpCode::GET_DATA)]);
    peer.tell(None);
    peer.submit("behind", &get("/b"));
    assert_eq!(peer.sent(), []);
    peer.reply(2, 2, ErrorCode::OK);
    assert_eq!(peer.sent(), [(-8, OpCode::SET_WATCHES2)], "an empty one");
    peer.reply(-8, -1, ErrorCode::UNIMPLEMENTED);
    assert_eq!(peer.session.state(), &SessionState::Disconnected);
    assert_eq!(peer.tokens(), ["waits"]);
    // Round the list: the other one knows it.
    peer.connect(5);
    assert_eq!(peer.sent(), [(3, OpCode::GET_DATA)]);
    peer.tell(None);
    peer.reply(3, 3, ErrorCode::OK);
    assert_eq!(peer.sent(), [(-8, OpCode::SET_WATCHES2)]);
    peer.reply(-8, 3, ErrorCode::OK);
    let payload = FrameDecoder::new(4096)
        .decode(peer.session.outgoing())
        .unwrap()
        .unwrap();
    let mut reader = Reader::new(&payload);
    zk_proto::record::RequestHeader::decode(&mut reader).unwrap();
    let request = SetWatches2Request::decode(&mut reader).unwrap();
    assert_eq!(request.persistent_recursive, ["/ns"]);
    peer.reply(-8, 3, ErrorCode::OK);
    assert_eq!(peer.gaps, 1);
    // And back at the first one, nothing is tried again.
    peer.input(Input::Lost("cut".into()));
    peer.connect(5);
    peer.tell(None);
    assert_eq!(peer.sent(), []);
    assert_eq!(peer.suspensions, 1);
}

/// The last byte of the request that was sent last: the flag of a watch, or the low byte of a mode.
fn last_byte(peer: &mut Peer) -> u8 {
    let bytes = peer.session.outgoing().split();
    *bytes.last().unwrap()
}

#[test]
fn a_one_shot_watch_does_not_take_the_place_of_a_persistent_one() {
    let mut peer = watching(V36);
    let watched = |path| Request::GetData(GetDataRequest { path, watch: true });
    let wish = |path: &str, id| Some((WatchKind::Data, path.to_owned(), WatcherId(id)));
    peer.watch("beside", &watched("/ns"), wish("/ns", 2));
    assert_eq!(last_byte(&mut peer), 0);
    peer.watch("elsewhere", &watched("/other"), wish("/other", 3));
    assert_eq!(last_byte(&mut peer), 1);
    peer.reply(2, 2, ErrorCode::OK);
    peer.reply(3, 2, ErrorCode::OK);
    peer.notify(EventType::NODE_DATA_CHANGED, "/ns");
    let told = |id| {
        (
            WatcherId(id),
            EventType::NODE_DATA_CHANGED,
            "/ns".to_owned(),
        )
    };
    assert_eq!(peer.events, [told(1), told(2)]);
    // Until the persistent one stands again, a one-shot watch needs its own.
    peer.input(Input::Lost("cut".into()));
    peer.connect(5);
    peer.sent();
    peer.watch("before", &watched("/ns"), wish("/ns", 4));
    assert_eq!(last_byte(&mut peer), 1);
}

#[test]
fn before_3_9_one_recursive_watch_serves_all_watchers_of_its_path() {
    let mut peer = watching(V36);
    let persistent = Some((WatchKind::Persistent, "/ns".into(), WatcherId(2)));
    peer.watch(
        "persistent",
        &add("/ns", AddWatchMode::PERSISTENT),
        persistent,
    );
    assert_eq!(last_byte(&mut peer), 1, "asked for as recursive");
    peer.reply(2, 2, ErrorCode::OK);
    let children = Request::GetChildren2(GetChildrenRequest {
        path: "/ns",
        watch: true,
    });
    let child = Some((WatchKind::Child, "/ns".into(), WatcherId(3)));
    peer.watch("child", &children, child);
    peer.reply(3, 2, ErrorCode::OK);
    peer.notify(EventType::NODE_CREATED, "/ns/a");
    let changed = |id| {
        (
            WatcherId(id),
            EventType::NODE_CHILDREN_CHANGED,
            "/ns".to_owned(),
        )
    };
    let created = (WatcherId(1), EventType::NODE_CREATED, "/ns/a".to_owned());
    assert_eq!(peer.events, [created, changed(2), changed(3)]);
    peer.events.clear();
    // The server's own word finds the one-shot watcher told.
    peer.notify(EventType::NODE_CREATED, "/ns/a/b");
    assert_eq!(peer.events.len(), 1);

    let mut peer = watching(NEW);
    let persistent = Some((WatchKind::Persistent, "/ns".into(), WatcherId(2)));
    peer.watch(
        "persistent",
        &add("/ns", AddWatchMode::PERSISTENT),
        persistent,
    );
    assert_eq!(last_byte(&mut peer), 0);
    peer.reply(2, 2, ErrorCode::OK);
    peer.notify(EventType::NODE_CREATED, "/ns/a");
    assert_eq!(peer.events.len(), 1, "the server will say it itself");
}
