//! The session core against the embedded server's core, on one clock and a network that a seed decides: bytes are cut
//! anywhere, delayed, swallowed; connections break at any moment and half of them; servers are down, silent, behind;
//! what an old connection had under way is executed before, between or after what the next one brings; sessions expire.
//!
//! A failing seed is printed; `SIMULATION_SEED=n cargo test -p zk-client --test simulation` replays it alone and says
//! what happens. `SIMULATION_FIRST=n` and `SIMULATION_SEEDS=n` choose others than the usual ones.
//!
//! [`invariants`] is the list of what must hold, [`world`] decides what happens, [`ensemble`] knows what the servers
//! really did.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod client;
mod ensemble;
mod history;
mod invariants;
mod link;
mod world;

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use world::World;

const SEEDS: u64 = 20_000;

#[test]
fn the_session_keeps_its_promises_on_any_network() {
    if let Some(seed) = number("SIMULATION_SEED") {
        return World::new(seed, true).run();
    }
    let first = number("SIMULATION_FIRST").unwrap_or(0);
    let end = first + number("SIMULATION_SEEDS").unwrap_or(SEEDS);
    let (next, failed) = (AtomicU64::new(first), AtomicU64::new(u64::MAX));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while failed.load(Ordering::Relaxed) == u64::MAX {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    if catch_unwind(|| World::new(seed, false).run()).is_err() {
                        failed.fetch_min(seed, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    assert!(
        failed == u64::MAX,
        "seed {failed} fails: replay it with SIMULATION_SEED={failed}"
    );
}

fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {value}")),
    )
}
