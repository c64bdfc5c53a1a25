use std::time::{Duration, Instant};

use tests::ensemble::{Ensemble, SERVING_DEADLINE};
use tests::wait;

/// Longer than an election takes, also on a busy machine.
const ELECTED: Duration = Duration::from_secs(60);

#[tokio::test]
async fn members_elect_a_leader_after_each_fault_and_come_back() {
    let mut ensemble = Ensemble::start().await;
    eprintln!("{ensemble}");
    let mut start = Instant::now();
    let mut told = |what: &str| {
        eprintln!("{what} after {:?}", start.elapsed());
        start = Instant::now();
    };

    let first = ensemble.wait_for_leader(ELECTED).await;
    ensemble.kill(first).await;
    let second = other_leader(&ensemble, first).await;
    told("leader killed, another");
    ensemble.start_again(first).await;
    ensemble.wait_until_serving(SERVING_DEADLINE).await;
    told("started again, all serve");

    ensemble.pause(second).await;
    let third = other_leader(&ensemble, second).await;
    told("leader paused, another");
    ensemble.unpause(second).await;
    ensemble.wait_until_serving(SERVING_DEADLINE).await;
    told("unpaused, all serve");

    if ensemble.has_network() {
        ensemble.cut_off(third).await;
        other_leader(&ensemble, third).await;
        told("leader cut off, another");
        ensemble.reconnect(third).await;
        ensemble.wait_until_serving(SERVING_DEADLINE).await;
        told("reconnected, all serve");
    }

    ensemble.stop_all().await;
    assert_eq!(ensemble.leader().await, None);
    told("all stopped");
    ensemble.start_all().await;
    told("all started, all serve");
    ensemble.rolling_restart().await;
    told("rolling restart");
}

async fn other_leader(ensemble: &Ensemble, former: usize) -> usize {
    let other = wait::some(ELECTED, async || {
        ensemble.leader().await.filter(|leader| *leader != former)
    });
    other.await.expect("another leader")
}
