//! What else may come to the port.

use hs2_client::{Auth, ConnectOptions, SessionOptions, connect};
use hs2_proto::tcli::ProtocolVersion;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::raw::Raw;
use super::{Fixture, soon, until};

/// Sends bytes and reads until the node ends the connection.
async fn answer_to(fixture: &Fixture, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(fixture.node.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end as well.
    let _ = soon(stream.read_to_end(&mut answer)).await;
    answer
}

#[tokio::test]
async fn other_protocols_get_words_they_understand() {
    let fixture = Fixture::start().await;
    let answer = answer_to(&fixture, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(
        String::from_utf8(answer)
            .unwrap()
            .starts_with("HTTP/1.1 400 Bad Request\r\n")
    );
    let answer = answer_to(&fixture, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03").await;
    assert_eq!(answer, [0x15, 3, 1, 0, 2, 2, 40], "a fatal TLS alert");
    let answer = answer_to(&fixture, b"\x09hello").await;
    assert_eq!(answer, b"\x04\0\0\0\x10Invalid status 9");
}

#[tokio::test]
async fn logins_that_cannot_be_are_refused_with_javas_words() {
    let fixture = Fixture::start().await;
    for (bytes, expected) in [
        (
            &b"\x01\0\0\0\x06GSSAPI\x02\0\0\0\0"[..],
            &b"\x03\0\0\0\x21Unsupported mechanism type GSSAPI"[..],
        ),
        (
            b"\x01\0\0\0\x05PLAIN\x05\0\0\0\x02\0a",
            b"\x03\0\0\0\x1aError validating the login",
        ),
        (
            b"\x01\0\0\0\x05PLAIN\x05\0\0\0\x02\0\0",
            b"\x03\0\0\0\x1aError validating the login",
        ),
        (
            b"\x01\0\0\0\x05PLAIN\x05\0\0\0\x0bking\0scott\0x",
            b"\x03\0\0\0\x1aError validating the login",
        ),
        (
            b"\x01\x7f\xff\xff\xff",
            b"\x04\0\0\0\x29Invalid payload header length: 2147483647",
        ),
    ] {
        let answer = answer_to(&fixture, bytes).await;
        assert_eq!(answer, expected, "{}", String::from_utf8_lossy(&answer));
    }
    // Any password will do, none too; the response may be marked OK or COMPLETE.
    for bytes in [
        &b"\x01\0\0\0\x05PLAIN\x02\0\0\0\x07\0scott\0"[..],
        b"\x01\0\0\0\x05PLAIN\x05\0\0\0\x08\0scott\0x",
    ] {
        let mut stream = TcpStream::connect(fixture.node.address()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = [0; 5];
        soon(stream.read_exact(&mut answer)).await.unwrap();
        assert_eq!(answer, [5, 0, 0, 0, 0]);
    }
}

#[tokio::test]
async fn garbage_and_lengths_that_lie_end_their_connection_alone() {
    let fixture = Fixture::with("hive.server2.thrift.max.message.size = 65536").await;
    let session = fixture.session().await;
    let login = &b"\x01\0\0\0\x05PLAIN\x05\0\0\0\x08\0scott\0x"[..];
    let signed_in = |rest: &[u8]| [login, rest].concat();
    for bytes in [
        // Thrift that is none, and a name and a frame of 2 GiB.
        b"\x80\x01\0\x01\xff\xff\xff\xffxxxx".to_vec(),
        b"\x80\x02\0\x01\0\0\0\x01x".to_vec(),
        b"\x80\x01\0\x01\x7f\xff\xff\xffxxxx".to_vec(),
        b"\x80\x01\0\x01\0\0\0\x01f\0\0\0\x01\x0b\0\x01\x7f\xff\xff\xffx".to_vec(),
        b"\0\0\0\x01f\x01\0\0\0\x01\x0f\0\x01\x0c\x7f\xff\xff\xff".to_vec(),
        signed_in(b"\x7f\xff\xff\xff"),
        signed_in(b"\xff\xff\xff\xff"),
        signed_in(b"\0\x01\0\x01xxxx"),
        signed_in(b"\0\0\0\x08notthrif"),
        // Structs within structs, without end.
        [
            &b"\x80\x01\0\x01\0\0\0\x01f\0\0\0\x01"[..],
            &b"\x0c\0\x01".repeat(10_000),
        ]
        .concat(),
    ] {
        let answer = answer_to(&fixture, &bytes).await;
        let expected: &[u8] = if bytes.starts_with(login) {
            &[5, 0, 0, 0, 0]
        } else {
            &[]
        };
        assert_eq!(answer, expected, "{bytes:02x?}");
    }
    assert!(session.query("rows 1").await.is_ok(), "the node serves on");
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_after_the_login_timeout() {
    let fixture = Fixture::with("hive.server2.thrift.login.timeout = 300ms").await;
    let asked = Instant::now();
    // Nothing, half a login, and half a call of a client that does not log in.
    for bytes in [
        &b""[..],
        b"\x01\0\0\0\x05PLA",
        b"\x80\x01\0\x01\0\0\0\x0bOpen",
    ] {
        assert_eq!(answer_to(&fixture, bytes).await, b"");
    }
    assert!(asked.elapsed() >= Duration::from_millis(900), "not before");
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let fixture = Fixture::with("hive.server2.thrift.max.worker.threads = 1").await;
    let (first, _session) = Raw::open(fixture.node.address()).await;
    for auth in [
        Auth::default(),
        Auth::NoSasl {
            user: "x".to_owned(),
        },
    ] {
        let options = ConnectOptions {
            auth,
            ..ConnectOptions::default()
        };
        let error = soon(connect(
            &fixture.url(),
            &options,
            &SessionOptions::default(),
        ))
        .await
        .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("this node has 1 open connections, which is its limit"),
            "{error}"
        );
    }
    drop(first);
    until("there is room again", || fixture.sessions() == 0).await;
    let mut session = connect(
        &fixture.url(),
        &ConnectOptions::default(),
        &SessionOptions::default(),
    )
    .await;
    let deadline = Instant::now() + super::PATIENCE;
    while session.is_err() && Instant::now() < deadline {
        session = connect(
            &fixture.url(),
            &ConnectOptions::default(),
            &SessionOptions::default(),
        )
        .await;
    }
    session.unwrap();
}

#[tokio::test]
async fn a_session_ends_with_the_connection_that_opened_it_and_with_no_other() {
    let fixture = Fixture::start().await;
    let (opener, session) = Raw::open(fixture.node.address()).await;
    let mut other = Raw::connect(fixture.node.address()).await;
    let operation = other.query(session, "gated 1").await;
    assert_eq!(other.fetch(operation, 1).await.results.unwrap().rows, 1);
    drop(other);
    let mut third = Raw::connect(fixture.node.address()).await;
    assert!(
        third
            .execute(session, "rows 1", true)
            .await
            .status
            .is_success(),
        "the opener is still there"
    );
    drop(opener);
    until("the session is closed", || fixture.sessions() == 0).await;
    until("its statements have stopped", || {
        fixture.engine.streams() == 0
    })
    .await;
    let refused = third.execute(session, "rows 1", true).await.status;
    assert_eq!(refused.sql_state.as_deref(), Some("08003"));
    assert_eq!(fixture.result_files().len(), 0);
}

#[tokio::test]
async fn an_idle_connection_stays_as_long_as_another_one_uses_its_session() {
    let settings =
        "hive.server2.idle.session.timeout = 200ms\nhive.server2.session.check.interval = 100ms";
    let fixture = Fixture::with(settings).await;
    let (mut opener, session) = Raw::open(fixture.node.address()).await;
    let mut other = Raw::connect(fixture.node.address()).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(800) {
        other.query(session, "rows 1").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let used = opener.execute(session, "rows 1", true).await;
    assert!(used.status.is_success(), "{:?}", used.status);
    // When nobody uses the session any more, both end.
    assert_eq!(opener.message().await, None);
    assert_eq!(fixture.sessions(), 0);
}

#[tokio::test]
async fn a_statement_goes_with_its_client_or_outlives_it_as_configured() {
    for (outlives, setting) in [(false, "true"), (true, "false")] {
        let settings = format!(
            "hive.server2.close.session.on.disconnect = {setting}\nhive.server2.thrift.max.worker.threads = 1"
        );
        let fixture = Fixture::with(&settings).await;
        let (mut raw, session) = Raw::open(fixture.node.address()).await;
        raw.send(&super::raw::execute(session, "ddl", false)).await;
        until("it runs", || fixture.engine.streams() == 1).await;
        drop(raw);
        // There is one place: who gets it comes after the end of the other connection.
        let mut second = Raw::connect(fixture.node.address()).await;
        let deadline = Instant::now() + super::PATIENCE;
        let opening = hs2_proto::tcli::OpenSessionReq {
            client_protocol: ProtocolVersion::V10,
            username: None,
            password: None,
            configuration: None,
        };
        while second.try_call(&opening).await.is_err() {
            assert!(Instant::now() < deadline, "there is a place again");
            second = Raw::connect(fixture.node.address()).await;
        }
        if outlives {
            assert_eq!(fixture.engine.streams(), 1, "it is still at work");
            fixture.engine.open_gate();
            until("it ends by itself", || fixture.engine.streams() == 0).await;
            assert_eq!(fixture.engine.gates(), 0, "through the gate");
        } else {
            until("it was stopped", || fixture.engine.streams() == 0).await;
        }
    }
}

#[tokio::test]
async fn a_message_may_come_in_pieces_and_a_client_may_close_its_side_early() {
    let fixture = Fixture::start().await;
    let mut raw = Raw::connect(fixture.node.address()).await;
    let mut out = Vec::new();
    let request = hs2_proto::tcli::OpenSessionReq {
        client_protocol: ProtocolVersion::V6,
        username: None,
        password: None,
        configuration: None,
    };
    hs2_proto::tcli::write_call(&mut out, 1, &request);
    for byte in out {
        raw.stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    raw.stream.shutdown().await.unwrap();
    assert!(
        raw.message().await.is_some(),
        "the answer under way is sent"
    );
    assert!(raw.message().await.is_none());
}
