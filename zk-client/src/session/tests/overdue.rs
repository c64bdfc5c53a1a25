//! Deadlines, callers that have gone, and how much that costs.

use super::*;

#[test]
fn a_call_is_answered_by_its_deadline_and_its_place_in_line_stays() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    let soon = Some(peer.now + Duration::from_secs(1));
    let later = Some(peer.now + Duration::from_secs(2));
    peer.submit_until("write", &create("/a"), None, soon);
    peer.submit_until("read", &get("/a"), None, soon);
    peer.submit_until("patient", &get("/a"), None, later);
    peer.pass(Duration::from_millis(999));
    assert_eq!(peer.completed, []);
    peer.pass(Duration::from_millis(1));
    let deadline = |outcome| Err(CallError::Deadline(outcome));
    assert_eq!(
        peer.completed,
        [
            ("write", deadline(Outcome::Unknown)),
            ("read", deadline(Outcome::NotApplied))
        ]
    );
    // Their answers come after all, and are nobody's.
    for xid in 1..=3 {
        peer.reply(xid, 1, ErrorCode::OK);
    }
    assert_eq!(peer.tokens(), ["write", "read", "patient"]);
    assert!(peer.completed[2].1.is_ok());
    peer.pass(Duration::from_secs(2));
    assert_eq!(peer.completed.len(), 3);
}

#[test]
fn without_a_connection_a_call_waits_until_its_deadline_and_is_never_sent() {
    let mut peer = Peer::new(1);
    peer.submit_until(
        "write",
        &create("/a"),
        None,
        Some(peer.now + Duration::from_millis(500)),
    );
    peer.dial();
    peer.pass(Duration::from_millis(500));
    assert_eq!(
        peer.completed,
        [("write", Err(CallError::Deadline(Outcome::NotApplied)))]
    );
    peer.grant(5);
    assert_eq!(peer.sent(), []);
}

#[test]
fn a_read_that_went_ahead_and_is_overdue_is_not_sent_again() {
    let mut peer = Peer::new(1);
    peer.submit_until(
        "overdue",
        &get("/a"),
        None,
        Some(peer.now + Duration::from_millis(500)),
    );
    let gone = peer.submit("gone", &get("/b"));
    peer.submit("stays", &get("/c"));
    peer.dial();
    assert_eq!(peer.sent().len(), 3);
    assert!(!peer.session.withdraw(gone), "it has left");
    peer.pass(Duration::from_millis(500));
    peer.input(Input::Lost("cut".into()));
    peer.dial();
    assert_eq!(peer.sent(), [(4, OpCode::GET_DATA)]);
    assert_eq!(peer.tokens(), ["overdue", "gone"]);
}

#[test]
fn callers_that_come_and_go_without_a_connection_leave_nothing_behind() {
    let mut peer = Peer::with(1, |config| Config {
        max_requests: 1000,
        ..config
    });
    for _ in 0..10_000 {
        let call = peer.submit("gone", &create("/a"));
        assert!(peer.session.withdraw(call));
    }
    assert!(peer.session.waiting.len() <= 1);
    // A hundred thousand at once, withdrawn in the worst order, cost no time that grows with their square.
    let mut peer = Peer::with(1, |config| Config {
        max_requests: 100_000,
        ..config
    });
    let calls: Vec<_> = (0..100_000)
        .map(|_| peer.submit("gone", &create("/a")))
        .collect();
    for call in calls {
        assert!(peer.session.withdraw(call));
    }
    assert_eq!(peer.session.waiting.len(), 0);
    assert_eq!(peer.session.counters().waiting, 0);
}

#[test]
fn counters_tell_what_was_done() {
    let mut peer = Peer::new(1);
    peer.connect(5);
    peer.submit("a", &get("/a"));
    peer.submit("b", &get("/b"));
    assert_eq!(peer.session.counters().in_flight, 2);
    peer.reply(1, 1, ErrorCode::NO_NODE);
    peer.input(Input::Lost("cut".into()));
    peer.connect(5);
    let counters = peer.session.counters();
    assert_eq!((counters.requests, counters.replies), (2, 1));
    assert_eq!((counters.unanswered, counters.in_flight), (1, 0));
    assert_eq!((counters.connect_attempts, counters.connects), (2, 2));
    // Two grants of 41 bytes, one reply of 20.
    assert_eq!(counters.bytes_received, 2 * 41 + 20);
}
