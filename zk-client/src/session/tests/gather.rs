//! Reads that gather behind those that the server has yet to answer.

use super::*;

/// A session with this many reads that the server has got and not answered.
fn behind(written: usize) -> Peer {
    let mut peer = Peer::with(1, |config| Config {
        max_requests: 1000,
        ..config
    });
    peer.connect(5);
    for _ in 0..written {
        peer.submit("early", &get("/a"));
    }
    assert_eq!(peer.sent().len(), written);
    peer
}

#[test]
fn reads_gather_while_the_server_has_several_times_as_many_to_answer() {
    let mut peer = behind(40);
    assert!(!peer.session.may_gather(), "there is nothing to write");
    let mut gathered = 0;
    while gathered == 0 || peer.session.may_gather() {
        peer.submit("late", &get("/b"));
        gathered += 1;
    }
    assert_eq!(gathered, 14);
    assert_eq!(peer.sent().len(), gathered);
    // Written, they are the server's too.
    peer.submit("late", &get("/b"));
    assert!(peer.session.may_gather());
}

#[test]
fn answers_end_the_gathering() {
    let mut peer = behind(40);
    peer.submit("late", &get("/b"));
    for xid in 1..=8 {
        assert!(peer.session.may_gather());
        peer.reply(xid, 1, ErrorCode::OK);
    }
    peer.reply(9, 1, ErrorCode::OK);
    assert!(!peer.session.may_gather(), "31 are left to the server");
    assert_eq!(peer.sent(), [(41, OpCode::GET_DATA)]);
}

#[test]
fn nothing_else_waits_for_company() {
    let mut peer = behind(40);
    peer.submit("late", &get("/b"));
    peer.submit("write", &create("/c"));
    assert!(!peer.session.may_gather());
    peer.submit("later", &get("/b"));
    assert!(!peer.session.may_gather(), "nor what stands behind it");
    assert_eq!(peer.sent().len(), 3);

    peer.submit("late", &get("/b"));
    assert!(peer.session.may_gather());
    peer.input(Input::Close);
    assert!(!peer.session.may_gather());

    let mut peer = behind(40);
    peer.pass(T / 3 - Duration::from_millis(1));
    peer.reply(1, 1, ErrorCode::OK);
    peer.pass(Duration::from_millis(2));
    assert_eq!(peer.sent(), [(-2, OpCode::PING)]);
}

#[test]
fn a_new_connection_begins_with_nothing_gathered() {
    let mut peer = behind(40);
    peer.submit("late", &get("/b"));
    peer.input(Input::Lost("cut".into()));
    assert!(!peer.session.may_gather());
    assert_eq!(peer.completed.len(), 41);
    peer.connect(5);
    peer.submit("first", &get("/b"));
    assert!(!peer.session.may_gather());
}
