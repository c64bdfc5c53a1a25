//! The core of the client's session, fed with arbitrary bytes.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use zk_client::HostPort;
use zk_client::session::{Config, Input, Output, Session};
use zk_proto::record::{ConnectResponse, GetDataRequest, Request};
use zk_proto::{Encode, SessionId, frame};

/// Arbitrary bytes at arbitrary moments: every call is answered once, nothing panics.
pub fn zk_session(input: &[u8]) {
    let mut now = Instant::now();
    let mut session: Session<u32> = Session::new(config(), now);
    let (mut asked, mut answered) = (0_u32, 0_u32);
    let mut received = BytesMut::new();
    for piece in input.chunks(17) {
        let Some((&choice, bytes)) = piece.split_first() else {
            return;
        };
        match choice % 8 {
            0 => session.handle_input(now, Input::Connected),
            1 => session.handle_input(now, Input::Lost("fuzz".into())),
            2 => {
                now += Duration::from_millis(u64::from(choice) * 40);
                session.handle_input(now, Input::Timeout);
            }
            3 => {
                let request = Request::GetData(GetDataRequest {
                    path: "/a",
                    watch: false,
                });
                session.submit(now, &request, None, None, asked);
                asked += 1;
            }
            4 => {
                greet(&mut received, 6000, false);
                session.handle_input(now, Input::Received(&mut received));
            }
            5 => {
                let _ = frame::encode(&mut received, 4096, |out| out.extend_from_slice(bytes));
                session.handle_input(now, Input::Received(&mut received));
            }
            _ => {
                received.extend_from_slice(bytes);
                session.handle_input(now, Input::Received(&mut received));
            }
        }
        session.outgoing().clear();
        while let Some(output) = session.poll_output() {
            match output {
                Output::Completed(..) => answered += 1,
                Output::Connect(_) | Output::Disconnect => received.clear(),
                _ => {}
            }
        }
    }
    session.abandon();
    while let Some(output) = session.poll_output() {
        answered += u32::from(matches!(output, Output::Completed(..)));
    }
    assert_eq!(asked, answered);
}

pub(crate) fn config() -> Config {
    let host = |host: &str| HostPort {
        host: host.into(),
        port: 1,
    };
    Config {
        hosts: vec![host("a"), host("b")],
        session_timeout: Duration::from_secs(6),
        attempt_timeout: Duration::from_secs(1),
        max_incoming_bytes: 4096,
        max_outgoing_bytes: 4096,
        max_requests: 64,
        auth: vec![],
        sasl: None,
        read_only: false,
        seed: 1,
    }
}

/// A server's answer to a connect request.
pub(crate) fn greet(received: &mut BytesMut, timeout_ms: i32, read_only: bool) {
    let response = ConnectResponse {
        protocol_version: 0,
        timeout_ms,
        session_id: SessionId(7),
        password: Some(&[1; 16]),
        read_only: Some(read_only),
    };
    let _ = frame::encode(received, 4096, |out| response.encode(out));
}
