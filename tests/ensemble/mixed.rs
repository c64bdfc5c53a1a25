use std::collections::BTreeSet;
use std::time::Duration;

use tests::ensemble::{Ensemble, SERVING_DEADLINE};
use tests::release::Release;
use tests::wait;
use tokio::time::timeout;
use zk_client::{
    AddWatchMode, Client, ConnectOptions, CreateMode, EventType, PersistentWatch, WatchItem,
    WatchedEvent,
};

/// Longer than an election takes, also on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A client that moves from member to member keeps its session and its watch, whatever release serves it next.
#[tokio::test]
async fn a_persistent_watch_moves_between_members_of_different_releases() {
    let releases = [Release::V3_6, Release::V3_8, Release::V3_9];
    let mut ensemble = Ensemble::options().releases(&releases).start().await;
    let versions: BTreeSet<_> = ensemble.versions().await.into_iter().collect();
    assert_eq!(versions.len(), 3, "{versions:?}");

    let (client, other) = (connect(&ensemble).await, connect(&ensemble).await);
    let created = client.create("/moves", b"", CreateMode::PERSISTENT);
    created.await.unwrap();
    let session = client.session_id();
    let mut watch = client
        .add_watch("/moves", AddWatchMode::PERSISTENT_RECURSIVE)
        .await
        .unwrap();

    // Each member is away once, so the client has to move at least once, and is told so.
    let mut gaps = 0;
    for member in 0..ensemble.members() {
        ensemble.kill(member).await;
        ensemble.wait_for_leader(SOON).await;
        served(&client).await;
        served(&other).await;
        let path = format!("/moves/{member}");
        let created = other.create(&path, b"", CreateMode::EPHEMERAL);
        created.await.unwrap();
        gaps += gaps_before(&mut watch, &path).await;
        ensemble.start_again(member).await;
        ensemble.wait_until_serving(SERVING_DEADLINE).await;
    }
    assert!(gaps > 0, "the client never moved");
    assert_eq!(client.session_id(), session);
}

/// How many gaps the watch tells of before the creation of this znode.
async fn gaps_before(watch: &mut PersistentWatch, path: &str) -> usize {
    let mut gaps = 0;
    loop {
        let item = timeout(SOON, watch.next()).await;
        match item.expect("told of the creation").unwrap() {
            WatchItem::Event(WatchedEvent {
                event_type: EventType::NODE_CREATED,
                path: created,
            }) if created == path => return gaps,
            WatchItem::Gap => gaps += 1,
            other => panic!("{other:?} instead of the creation of {path}"),
        }
    }
}

async fn connect(ensemble: &Ensemble) -> Client {
    let options = ConnectOptions::new()
        .session_timeout(SOON)
        .request_timeout(SOON);
    Client::connect_with(&ensemble.connect_string(), options)
        .await
        .unwrap()
}

/// A server with a quorum answers this client.
async fn served(client: &Client) {
    wait::until("the client is served", SOON, async || {
        client.sync("/").await.is_ok()
    })
    .await;
}
