//! The embedded server's core fed with arbitrary bytes on several connections.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zk_server::ServerOptions;
use zk_server::core::{Core, Now};

fuzz_target!(|input: &[u8]| {
    let mut now = Now { monotonic_ms: 0, wall_ms: 1_700_000_000_000 };
    let mut core = Core::new(ServerOptions::default(), 7, now);
    let peer = "127.0.0.1:9".parse().expect("an address");
    let mut connections = [core.connected(now, peer), core.connected(now, peer)];
    for piece in input.chunks(61) {
        let (&choice, bytes) = piece.split_first().expect("chunks are not empty");
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
            _ => core.received(now, connections[place], bytes),
        }
        while let Some(ready) = core.next_ready() {
            let _ = core.take_output(now, ready, usize::MAX);
        }
    }
});
