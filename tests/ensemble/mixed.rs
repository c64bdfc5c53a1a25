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

/// While a member from before persistent watches serves it, a client keeps its session, and its watch says what it misses.
#[tokio::test]
async fn a_member_of_3_4_suspends_a_persistent_watch_and_keeps_the_session() {
    let releases = [Release::V3_4, Release::V3_8, Release::V3_9];
    let mut ensemble = Ensemble::options().releases(&releases).start().await;
    let (old, new) = (0, 2);
    // Of the two that the client knows, only the new one lives when it connects.
    ensemble.kill(old).await;
    ensemble.wait_for_leader(SOON).await;
    let addresses = ensemble.addresses();
    let servers = format!("{},{}", addresses[old], addresses[new]);
    let options = || {
        ConnectOptions::new()
            .session_timeout(SOON)
            .connect_timeout(SOON)
            .request_timeout(SOON)
    };
    let client = Client::connect_with(&servers, options()).await.unwrap();
    served(&client).await;
    let created = client.create("/moves", b"", CreateMode::PERSISTENT);
    created.await.unwrap();
    let session = client.session_id();
    let mut watch = client
        .add_watch("/moves", AddWatchMode::PERSISTENT_RECURSIVE)
        .await
        .unwrap();
    ensemble.start_again(old).await;
    ensemble.wait_until_serving(SERVING_DEADLINE).await;

    ensemble.kill(new).await;
    let item = timeout(SOON, watch.next()).await;
    assert_eq!(item.expect("told").unwrap(), WatchItem::Suspended);
    served(&client).await;
    let created = client.create("/moves/unseen", b"", CreateMode::EPHEMERAL);
    created.await.unwrap();
    let error = client.who_am_i().await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("whoAmI needs ZooKeeper 3.7.0, the server is 3.4."),
        "{text}"
    );

    ensemble.start_again(new).await;
    ensemble.wait_until_serving(SERVING_DEADLINE).await;
    ensemble.kill(old).await;
    let item = timeout(SOON, watch.next()).await;
    assert_eq!(item.expect("told").unwrap(), WatchItem::Gap);
    served(&client).await;
    let path = "/moves/seen";
    let created = client.create(path, b"", CreateMode::EPHEMERAL);
    created.await.unwrap();
    assert_eq!(gaps_before(&mut watch, path).await, 0);
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
