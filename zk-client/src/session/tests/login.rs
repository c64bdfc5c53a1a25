//! Credentials, SASL, and servers that are cut off from their ensemble.

use zk_proto::record::{SaslRequest, SaslResponse};

use super::*;

#[test]
fn an_identity_can_be_added_and_is_proven_again_at_every_connect() {
    let mut peer = Peer::new(1);
    peer.session.add_auth(peer.now, "digest", b"a:b", "before");
    peer.connect(5);
    assert_eq!(peer.sent(), [(-4, OpCode::AUTH)]);
    peer.reply(-4, 0, ErrorCode::OK);
    peer.session.add_auth(peer.now, "digest", b"c:d", "later");
    peer.session.add_auth(peer.now, "digest", b"a:b", "again");
    assert_eq!(peer.sent(), [(-4, OpCode::AUTH), (-4, OpCode::AUTH)]);
    peer.reply(-4, 0, ErrorCode::OK);
    assert_eq!(peer.tokens(), ["before", "later"]);
    peer.input(Input::Lost("cut".into()));
    peer.connect(5);
    // Two identities, however often they were given; the one without an answer gets it now.
    assert_eq!(peer.sent(), [(-4, OpCode::AUTH), (-4, OpCode::AUTH)]);
    peer.reply(-4, 0, ErrorCode::OK);
    peer.reply(-4, 0, ErrorCode::OK);
    assert_eq!(peer.tokens(), ["before", "later", "again"]);
    peer.session.add_auth(peer.now, "bogus", b"", "refused");
    peer.sent();
    peer.reply(-4, 0, ErrorCode::AUTH_FAILED);
    let end = SessionEnd::AuthFailed("bogus".into());
    assert_eq!(
        peer.completed[3],
        ("refused", Err(CallError::Ended(end, Outcome::NotApplied)))
    );
}

fn with_sasl() -> Peer {
    Peer::with(1, |config| Config {
        sasl: Some("TEST"),
        auth: vec![("digest".into(), b"u:p".to_vec())],
        ..config
    })
}

fn sasl_reply(peer: &mut Peer, xid: i32, err: ErrorCode, token: Option<&[u8]>) {
    peer.frame(&|out| {
        ReplyHeader {
            xid: Xid(xid),
            zxid: Zxid(0),
            err,
        }
        .encode(out);
        SaslResponse { token }.encode(out);
    });
}

#[test]
fn nothing_but_tokens_travels_before_the_sasl_login_is_done() {
    let mut peer = with_sasl();
    peer.submit("read", &get("/a"));
    peer.connect(5);
    assert_eq!(peer.sent(), []);
    assert!(matches!(peer.sasl[..], [SaslStep::Begin(_)]));
    peer.input(Input::Sasl(SaslAnswer::Send(vec![])));
    let payload = FrameDecoder::new(4096)
        .decode(peer.session.outgoing())
        .unwrap()
        .unwrap();
    let mut reader = Reader::new(&payload);
    let header = zk_proto::record::RequestHeader::decode(&mut reader).unwrap();
    assert_eq!((header.xid, header.opcode), (Xid(1), OpCode::SASL));
    let request = SaslRequest::decode(&mut reader).unwrap();
    assert_eq!(request.token, Some(&b""[..]), "empty, not null");
    sasl_reply(&mut peer, 1, ErrorCode::OK, Some(b"prove it"));
    assert_eq!(
        peer.sasl[1],
        SaslStep::Challenge(Bytes::from_static(b"prove it"))
    );
    peer.submit("write", &create("/b"));
    peer.input(Input::Sasl(SaslAnswer::Send(b"proof".to_vec())));
    assert_eq!(peer.sent(), [(2, OpCode::SASL)]);
    sasl_reply(&mut peer, 2, ErrorCode::OK, None);
    assert_eq!(peer.session.state(), &SessionState::Connecting);
    peer.input(Input::Sasl(SaslAnswer::Done));
    assert_eq!(peer.session.state(), &SessionState::Connected);
    assert_eq!(
        peer.sent(),
        [
            (-4, OpCode::AUTH),
            (3, OpCode::GET_DATA),
            (4, OpCode::CREATE)
        ]
    );
}

#[test]
fn a_refused_sasl_login_ends_the_session_and_says_why() {
    let mut peer = with_sasl();
    peer.connect(5);
    peer.input(Input::Sasl(SaslAnswer::Send(vec![1])));
    sasl_reply(&mut peer, 1, ErrorCode::AUTH_FAILED, None);
    let SessionState::Ended(SessionEnd::AuthFailed(reason)) = peer.session.state() else {
        panic!("{:?}", peer.session.state())
    };
    assert_eq!(reason, "sasl TEST: the server answered AuthFailed (-115)");
}

#[test]
fn a_sasl_login_that_does_not_come_on_costs_the_connection_only() {
    let mut peer = with_sasl();
    peer.connect(5);
    peer.input(Input::Sasl(SaslAnswer::Send(vec![1])));
    peer.pass(Duration::from_secs(1));
    assert_eq!(peer.disconnects, 1);
    // The mechanism's late word belongs to no connection.
    peer.input(Input::Sasl(SaslAnswer::Done));
    assert_eq!(peer.session.state(), &SessionState::Connecting);
    assert_eq!(peer.dial().session, SessionId(5));
}

#[test]
fn a_server_that_demands_sasl_ends_the_session() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    peer.submit("write", &create("/a"));
    peer.reply(1, 0, ErrorCode::SESSION_CLOSED_REQUIRE_SASL_AUTH);
    let SessionState::Ended(SessionEnd::AuthFailed(reason)) = peer.session.state() else {
        panic!("{:?}", peer.session.state())
    };
    assert!(reason.contains("requires"), "{reason}");
    assert_eq!(peer.tokens(), ["write"]);
}

fn grant_read_only(peer: &mut Peer, id: i64) {
    let response = ConnectResponse {
        protocol_version: 0,
        timeout_ms: i32::try_from(T.as_millis()).unwrap(),
        session_id: SessionId(id),
        password: Some(&[7; 16]),
        read_only: Some(true),
    };
    peer.frame(&|out| response.encode(out));
}

fn read_only(hosts: u16) -> Peer {
    Peer::with(hosts, |config| Config {
        read_only: true,
        ..config
    })
}

#[test]
fn served_read_only_a_session_looks_for_a_server_that_takes_writes() {
    let mut peer = read_only(3);
    peer.dial();
    grant_read_only(&mut peer, 9);
    assert_eq!(peer.session.state(), &SessionState::ConnectedReadOnly);
    let serving = peer.session.current_host();
    peer.pass(Duration::from_millis(100));
    let [(first, host)] = &peer.probes[..] else {
        panic!("{:?}", peer.probes)
    };
    assert_ne!(*host, serving);
    let first = *first;
    peer.input(Input::Probed {
        probe: first,
        writable: false,
    });
    peer.pass(Duration::from_millis(200));
    assert_eq!(peer.probes.len(), 2);
    let (second, host) = peer.probes[1].clone();
    // A late answer to an old question says nothing.
    peer.input(Input::Probed {
        probe: first,
        writable: true,
    });
    assert_eq!(peer.disconnects, 0);
    peer.input(Input::Probed {
        probe: second,
        writable: true,
    });
    assert_eq!(peer.disconnects, 1);
    assert_eq!(peer.session.state(), &SessionState::Disconnected);
    // The number that a read-only server made up is nobody else's.
    assert_eq!(peer.dial().session, SessionId::NONE);
    assert_eq!(peer.session.current_host(), host);
    peer.grant(5);
    assert_eq!(peer.session.state(), &SessionState::Connected);
    peer.pass(Duration::from_secs(2));
    assert_eq!(peer.probes.len(), 2, "the search is over");
}

#[test]
fn a_session_of_the_ensemble_goes_on_through_a_read_only_server() {
    let mut peer = read_only(2);
    peer.connect(5);
    peer.input(Input::Lost("cut".into()));
    assert_eq!(peer.dial().session, SessionId(5));
    grant_read_only(&mut peer, 5);
    assert_eq!(peer.session.state(), &SessionState::ConnectedReadOnly);
    peer.submit("write", &create("/a"));
    peer.reply(1, 1, ErrorCode::NOT_READ_ONLY);
    assert_eq!(
        peer.completed,
        [("write", Err(CallError::Server(ErrorCode::NOT_READ_ONLY)))]
    );
    peer.input(Input::Lost("cut".into()));
    assert_eq!(peer.dial().session, SessionId(5));
}

#[test]
fn an_answer_to_a_probe_that_never_comes_holds_nothing_up() {
    let mut peer = read_only(3);
    peer.dial();
    grant_read_only(&mut peer, 9);
    for _ in 0..8 {
        peer.pass(Duration::from_secs(1));
        peer.reply(-2, 1, ErrorCode::OK);
    }
    assert!(peer.probes.len() >= 2, "{:?}", peer.probes);
}

#[test]
fn a_refusal_of_a_session_is_called_so_and_another_server_is_tried() {
    let mut peer = read_only(2);
    peer.dial();
    // What 3.8.0 answers when it is cut off and keeps no local sessions.
    peer.reply(0, 0, ErrorCode::NOT_READ_ONLY);
    assert_eq!(peer.disconnects, 1);
    let mut failures = peer.session.attempts().iter();
    let failure = failures.find_map(|attempt| attempt.failure.clone());
    assert_eq!(
        failure.as_deref(),
        Some("the server refused a session: NotReadOnly (-119)")
    );
    peer.connect(5);
    assert_eq!(peer.session.state(), &SessionState::Connected);
}
