use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use tests::ensemble::{Ensemble, SERVING_DEADLINE};
use tests::wait;
use tokio::time::sleep;

use crate::arena::{Arena, SESSION_TIMEOUT};

/// What can happen to an ensemble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    LeaderKilled,
    FollowerPaused,
    LeaderPaused,
    MemberCutOff,
    AllRestarted,
    RollingRestart,
}

const FAULTS: [Fault; 6] = [
    Fault::LeaderKilled,
    Fault::FollowerPaused,
    Fault::LeaderPaused,
    Fault::MemberCutOff,
    Fault::AllRestarted,
    Fault::RollingRestart,
];

/// How soon every client must have an answer once all members serve: it may wait for a member's silence to be noticed,
/// give up its session and open a new one, all on a busy machine.
const ALL_SERVED: Duration = Duration::from_secs(4 * SESSION_TIMEOUT.as_secs());

/// Inflicts all faults in an order that the seed decides, round by round, until the time is up, but one round at least.
/// Returns how often each was inflicted. The ensemble is whole in the end.
pub(crate) async fn inflict(
    ensemble: &mut Ensemble,
    arena: &Arena,
    seed: u64,
    time: Duration,
) -> BTreeMap<Fault, usize> {
    let mut rng = Rng::with_seed(seed);
    let mut counts = BTreeMap::new();
    let mut faults = FAULTS.to_vec();
    if !ensemble.has_network() {
        eprintln!("without containers no member can be cut off: one fault less");
        faults.retain(|fault| *fault != Fault::MemberCutOff);
    }
    let end = arena.now() + time;
    for round in 0.. {
        rng.shuffle(&mut faults);
        for fault in &faults {
            if round > 0 && arena.now() >= end {
                return counts;
            }
            eprintln!("{:?} {fault:?}", arena.now());
            one(ensemble, *fault, &mut rng).await;
            *counts.entry(*fault).or_default() += 1;
            ensemble.wait_until_serving(SERVING_DEADLINE).await;
            let whole = arena.now();
            let served = wait::some(ALL_SERVED, async || {
                arena.silent_since(whole).is_empty().then_some(())
            });
            if served.await.is_none() {
                let silent = arena.silent_since(whole);
                arena.violation(format!("clients {silent:?} are not served within {ALL_SERVED:?} of the end of {fault:?}"));
            }
            eprintln!(
                "{:?} all members serve, all clients are served after {:?}",
                whole,
                arena.now() - whole
            );
            pause(&mut rng, 500..2000).await;
        }
    }
    counts
}

async fn one(ensemble: &mut Ensemble, fault: Fault, rng: &mut Rng) {
    let leader = ensemble.wait_for_leader(SERVING_DEADLINE).await;
    let follower = (leader + rng.usize(1..ensemble.members())) % ensemble.members();
    match fault {
        Fault::LeaderKilled => {
            ensemble.kill(leader).await;
            pause(rng, 0..6000).await;
            ensemble.start_again(leader).await;
        }
        Fault::FollowerPaused | Fault::LeaderPaused => {
            let member = if fault == Fault::LeaderPaused {
                leader
            } else {
                follower
            };
            ensemble.pause(member).await;
            pause(rng, 1000..12_000).await;
            ensemble.unpause(member).await;
        }
        Fault::MemberCutOff => {
            let member = if rng.bool() { leader } else { follower };
            ensemble.cut_off(member).await;
            pause(rng, 1000..12_000).await;
            ensemble.reconnect(member).await;
        }
        Fault::AllRestarted => {
            if rng.bool() {
                ensemble.kill_all().await;
            } else {
                ensemble.stop_all().await;
            }
            // Now and then for longer than sessions live.
            pause(rng, 0..15_000).await;
            ensemble.start_all().await;
        }
        Fault::RollingRestart => ensemble.rolling_restart().await,
    }
}

async fn pause(rng: &mut Rng, milliseconds: std::ops::Range<u64>) {
    sleep(Duration::from_millis(rng.u64(milliseconds))).await;
}
