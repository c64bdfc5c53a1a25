use std::time::Duration;

use bytes::BytesMut;
use zk_proto::frame;
use zk_proto::record::{
    ConnectRequest, ConnectResponse, CreateMode, CreateResponse, ExistsRequest, Request,
};
use zk_proto::{Acl, Decode, Encode, ErrorCode, Reader, SessionId, Xid, Zxid};

use super::lab::{Lab, Said, create, texts};

const EPHEMERAL: CreateMode = CreateMode::EPHEMERAL;

#[test]
fn a_silent_session_expires_within_one_tick_behind_its_timeout() {
    let mut lab = Lab::new();
    let watcher = lab.client_with_timeout(40_000).0;
    let (silent, timeout_ms) = lab.client_with_timeout(4000);
    assert_eq!(timeout_ms, 4000);
    lab.create_as(silent, "/e", EPHEMERAL).unwrap();
    lab.watch(watcher, "/e");
    // Started at 0.5 s: 4.5 s, rounded up to the next tick, is 6 s.
    lab.pass(Duration::from_millis(5499));
    assert!(!lab.core.is_over(silent.connection));
    lab.pass(Duration::from_millis(1));
    assert!(lab.core.is_over(silent.connection));
    assert!(
        lab.output(silent.connection).is_empty(),
        "closed without a frame"
    );
    assert_eq!(texts(&lab.events(watcher)), ["deleted /e"]);
    assert_eq!(lab.reattach(silent), None);
}

#[test]
fn pings_keep_a_session_and_answer_with_their_own_xid() {
    let mut lab = Lab::new();
    let (client, _) = lab.client_with_timeout(4000);
    for _ in 0..10 {
        lab.pass(Duration::from_millis(3900));
        assert_eq!(lab.call(client, &Request::Ping).header.xid, Xid::PING);
    }
    assert_eq!(lab.core.sessions().count(), 1);
}

#[test]
fn the_loss_of_a_connection_does_not_end_a_session() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.create_as(client, "/e", EPHEMERAL).unwrap();
    lab.core.disconnected(client.connection);
    lab.pass(Duration::from_secs(8));
    let client = lab.reattach(client).expect("the session lives");
    assert_eq!(
        lab.stat(client, "/e").unwrap().ephemeral_owner,
        client.session
    );
    lab.core.disconnected(client.connection);
    lab.pass(Duration::from_secs(12));
    assert_eq!(lab.reattach(client), None);
}

#[test]
fn a_session_that_moves_closes_its_old_connection_without_a_word() {
    let mut lab = Lab::new();
    let old = lab.client();
    let new = lab.reattach(old).unwrap();
    assert!(lab.core.is_over(old.connection));
    assert!(lab.output(old.connection).is_empty());
    // The end of the old one does not touch the new one.
    lab.core.disconnected(old.connection);
    assert!(lab.create(new, "/a").is_ok());
}

#[test]
fn a_wrong_password_is_an_expired_session_and_still_closes_the_living_connection() {
    let mut lab = Lab::new();
    let client = lab.client();
    let connection = lab.dial();
    let payload = lab.handshake(connection, client.session, &[1; 16], 10_000);
    let response = ConnectResponse::decode(&mut Reader::new(&payload)).unwrap();
    assert_eq!(response, ConnectResponse::EXPIRED);
    assert!(lab.core.is_over(connection));
    assert!(lab.core.is_over(client.connection));
    assert!(lab.reattach(client).is_some(), "the session itself lives");
}

#[test]
fn timeouts_are_kept_between_two_and_twenty_ticks_and_negotiated_anew() {
    let mut lab = Lab::new();
    for (wanted, given) in [
        (0, 4000),
        (-5, 4000),
        (3999, 4000),
        (9000, 9000),
        (i32::MAX, 40_000),
    ] {
        assert_eq!(lab.client_with_timeout(wanted).1, given);
    }
    let client = lab.client();
    let connection = lab.dial();
    let payload = lab.handshake(connection, client.session, &client.password, 30_000);
    let response = ConnectResponse::decode(&mut Reader::new(&payload)).unwrap();
    assert_eq!(response.timeout_ms, 30_000);
}

#[test]
fn a_client_without_the_read_only_byte_is_answered_without_it() {
    let mut lab = Lab::new();
    let connection = lab.dial();
    lab.send_connect(
        connection,
        &ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid(0),
            timeout_ms: 10_000,
            session_id: SessionId::NONE,
            password: None,
            read_only: None,
        },
    );
    assert_eq!(lab.frames(connection)[0].len(), 36);
    lab.client();
}

#[test]
fn a_client_that_has_seen_more_than_the_server_is_turned_away_without_an_answer() {
    let mut lab = Lab::new();
    let connection = lab.dial();
    lab.send_connect(
        connection,
        &ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid(1),
            timeout_ms: 10_000,
            session_id: SessionId::NONE,
            password: Some(&[0; 16]),
            read_only: Some(false),
        },
    );
    assert!(lab.core.is_over(connection));
    assert!(lab.output(connection).is_empty());
    assert_eq!(lab.core.sessions().count(), 0);
}

#[test]
fn requests_right_behind_the_connect_request_are_served_in_order() {
    let mut lab = Lab::new();
    let connection = lab.dial();
    let mut wire = connect_request(SessionId::NONE);
    for (xid, path) in [(1, "/a"), (2, "/a/b")] {
        let request = Request::Create(create(path, CreateMode::PERSISTENT, Acl::OPEN));
        frame::encode_request(&mut wire, Xid(xid), &request, usize::MAX).unwrap();
    }
    lab.send_bytes(connection, &wire);
    let frames = lab.frames(connection);
    assert_eq!(frames.len(), 3);
    assert_eq!(frames[0].len(), 37);
    assert_eq!(&frames[1][..4], [0, 0, 0, 1]);
    assert_eq!(&frames[2][..4], [0, 0, 0, 2]);
}

#[test]
fn requests_behind_a_refused_session_are_dropped() {
    let mut lab = Lab::new();
    let client = lab.client();
    let connection = lab.dial();
    let mut wire = connect_request(SessionId(0x1234));
    let request = Request::Create(create("/a", CreateMode::PERSISTENT, Acl::OPEN));
    frame::encode_request(&mut wire, Xid(1), &request, usize::MAX).unwrap();
    lab.send_bytes(connection, &wire);
    assert_eq!(lab.frames(connection).len(), 1);
    assert_eq!(lab.stat(client, "/a"), None);
}

#[test]
fn a_closed_session_takes_its_ephemerals_in_one_transaction_and_answers_last() {
    let mut lab = Lab::new();
    let watcher = lab.client();
    let client = lab.client();
    lab.create(watcher, "/p").unwrap();
    for path in ["/p/a", "/p/b"] {
        lab.create_as(client, path, EPHEMERAL).unwrap();
        lab.watch(watcher, path);
    }
    lab.watch(client, "/p/a");
    lab.watch_children(watcher, "/p");
    let xid = lab.send(client, &Request::CloseSession);
    // What comes behind it is not served.
    lab.send(
        client,
        &Request::Exists(ExistsRequest {
            path: "/p",
            watch: false,
        }),
    );
    let events = lab.events(watcher);
    assert_eq!(
        texts(&events),
        ["deleted /p/a", "children /p", "deleted /p/b"]
    );
    assert!(events.iter().all(|event| event.zxid == events[0].zxid));
    match &lab.said(client)[..] {
        [Said::Event(event), Said::Reply(reply)] => {
            assert_eq!(event.path, "/p/a");
            assert_eq!(reply.header.xid, xid);
            assert_eq!(reply.header.zxid, events[0].zxid);
        }
        other => panic!("{other:?}"),
    }
    assert!(lab.core.is_over(client.connection));
    assert_eq!(lab.reattach(client), None);
    assert_eq!(lab.stat(watcher, "/p").unwrap().num_children, 0);
}

#[test]
fn sessions_and_failed_writes_take_transaction_numbers_and_reads_none() {
    let mut lab = Lab::new();
    let client = lab.client();
    let zxid = |lab: &mut Lab| lab.call(client, &Request::Ping).header.zxid;
    assert_eq!(zxid(&mut lab), Zxid(1));
    lab.create(client, "/a").unwrap();
    assert_eq!(zxid(&mut lab), Zxid(2));
    assert_eq!(lab.create(client, "/a"), Err(ErrorCode::NODE_EXISTS));
    assert_eq!(zxid(&mut lab), Zxid(3));
    lab.stat(client, "/a");
    assert_eq!(zxid(&mut lab), Zxid(3));
    let other = lab.client();
    assert_eq!(zxid(&mut lab), Zxid(4));
    lab.call(other, &Request::CloseSession);
    assert_eq!(zxid(&mut lab), Zxid(5));
}

#[test]
fn a_connection_without_a_session_is_closed_after_ten_seconds() {
    let mut lab = Lab::new();
    let silent = lab.dial();
    let slow = lab.dial();
    lab.send_bytes(slow, &[0, 0, 0, 45, 0]);
    let client = lab.client_with_timeout(40_000).0;
    lab.pass(Duration::from_millis(9999));
    assert!(!lab.core.is_over(silent));
    lab.pass(Duration::from_millis(1));
    assert!(lab.core.is_over(silent));
    assert!(lab.core.is_over(slow));
    assert!(!lab.core.is_over(client.connection));
}

#[test]
fn a_session_can_be_ended_on_command() {
    let mut lab = Lab::new();
    let watcher = lab.client();
    let client = lab.client();
    lab.create_as(client, "/e", EPHEMERAL).unwrap();
    lab.watch(watcher, "/e");
    assert!(lab.core.expire_session(lab.now, client.session));
    assert!(!lab.core.expire_session(lab.now, client.session));
    assert!(lab.core.is_over(client.connection));
    assert_eq!(texts(&lab.events(watcher)), ["deleted /e"]);
}

#[test]
fn dropped_connections_say_nothing_and_their_sessions_live() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.send(client, &Request::Ping);
    lab.core.drop_connections();
    assert!(lab.core.is_over(client.connection));
    assert!(lab.output(client.connection).is_empty());
    assert!(lab.reattach(client).is_some());
}

#[test]
fn an_expired_session_hears_of_its_own_ephemeral_before_the_end() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.create_as(client, "/e", EPHEMERAL).unwrap();
    lab.watch(client, "/e");
    lab.core.expire_session(lab.now, client.session);
    assert_eq!(texts(&lab.events(client)), ["deleted /e"]);
    assert!(lab.core.is_over(client.connection));
}

#[test]
fn ephemerals_of_a_session_are_listed_by_prefix() {
    let mut lab = Lab::new();
    let client = lab.client();
    let other = lab.client();
    for path in ["/a1", "/a2", "/b"] {
        lab.create_as(client, path, EPHEMERAL).unwrap();
    }
    lab.create_as(other, "/a3", EPHEMERAL).unwrap();
    for (prefix, expected) in [
        (None, 3),
        (Some(""), 3),
        (Some("/"), 3),
        (Some("/a"), 2),
        (Some("/c"), 0),
    ] {
        let request = Request::GetEphemerals(zk_proto::record::GetEphemeralsRequest { prefix });
        let reply = lab.call(client, &request);
        let response: zk_proto::record::GetEphemeralsResponse = reply.body();
        assert_eq!(response.paths.len(), expected, "{prefix:?}");
    }
}

#[test]
fn sequential_ephemerals_take_the_parents_count_of_creations() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.create(client, "/p").unwrap();
    for name in ["a", "b", "c"] {
        lab.create(client, &format!("/p/{name}")).unwrap();
    }
    lab.delete(client, "/p/a");
    assert_eq!(lab.create(client, "/p/b"), Err(ErrorCode::NODE_EXISTS));
    let mode = CreateMode::EPHEMERAL_SEQUENTIAL;
    let reply = lab.call(client, &Request::Create(create("/p/n-", mode, Acl::OPEN)));
    assert_eq!(reply.body::<CreateResponse<'_>>().path, "/p/n-0000000003");
    assert_eq!(
        lab.create_as(client, "/p/", CreateMode::PERSISTENT_SEQUENTIAL),
        Ok("/p/0000000004".to_owned())
    );
}

fn connect_request(session_id: SessionId) -> BytesMut {
    let mut wire = BytesMut::new();
    frame::encode(&mut wire, usize::MAX, |out| {
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid(0),
            timeout_ms: 10_000,
            session_id,
            password: Some(&[0; 16]),
            read_only: Some(false),
        }
        .encode(out);
    })
    .unwrap();
    wire
}
