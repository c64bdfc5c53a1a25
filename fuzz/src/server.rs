//! The core of the embedded server.

use bytes::BytesMut;
use zk_proto::record::ConnectRequest;
use zk_proto::{Encode, SessionId, Zxid, frame};
use zk_server::ServerOptions;
use zk_server::core::{Core, Now};

/// Arbitrary bytes on several connections, some of them behind a session, in frames or not.
pub fn zk_server(input: &[u8]) {
    let mut now = Now {
        monotonic_ms: 0,
        wall_ms: 1_700_000_000_000,
    };
    let options = ServerOptions {
        output_bytes_max: 1 << 20,
        ..ServerOptions::default()
    };
    let mut core = Core::new(options, 7, now);
    let peer = "127.0.0.1:9".parse().expect("an address");
    let mut connections = [core.connected(now, peer), core.connected(now, peer)];
    let mut rest = input;
    while let Some((&[choice, length], behind)) = rest.split_first_chunk() {
        let (bytes, behind) = behind.split_at(usize::from(length).min(behind.len()));
        rest = behind;
        let place = usize::from(choice & 1);
        match choice >> 5 {
            0 => {
                core.disconnected(connections[place]);
                connections[place] = core.connected(now, peer);
            }
            1 => {
                now.monotonic_ms += u64::from(choice) * 50;
                core.tick(now);
            }
            2 => {
                let mut wire = BytesMut::new();
                let request = ConnectRequest {
                    protocol_version: 0,
                    last_zxid_seen: Zxid(0),
                    timeout_ms: 6000,
                    session_id: SessionId::NONE,
                    password: Some(&[0; 16]),
                    read_only: Some(false),
                };
                let _ = frame::encode(&mut wire, 4096, |out| request.encode(out));
                core.received(now, connections[place], &wire);
            }
            3..6 => {
                let mut wire = BytesMut::new();
                let _ = frame::encode(&mut wire, 4096, |out| out.extend_from_slice(bytes));
                core.received(now, connections[place], &wire);
            }
            _ => core.received(now, connections[place], bytes),
        }
        while let Some(ready) = core.next_ready() {
            let _ = core.take_output(now, ready, usize::MAX);
        }
    }
    assert!(core.connections_count() <= connections.len());
}
