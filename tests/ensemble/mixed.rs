use std::collections::BTreeSet;
use std::time::Duration;

use tests::ensemble::{Ensemble, SERVING_DEADLINE};
use tests::release::Release;
use tokio::time::timeout;
use zk_client::{
    AddWatchMode, Client, ConnectOptions, CreateMode, EventType, PersistentWatch, SessionState,
    WatchItem,
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

    let options = || ConnectOptions::new().session_timeout(SOON);
    let other = Client::connect_with(&ensemble.connect_string(), options().request_timeout(SOON));
    let other = other.await.unwrap();
    other.create("/moves", b"", CreateMode::PERSISTENT).await.unwrap();
    let client = Client::connect_with(&ensemble.connect_string(), options().request_timeout(SOON));
    let client = client.await.unwrap();
    let session = client.session_id();
    let mut watch = client
        .add_watch("/moves", AddWatchMode::PERSISTENT_RECURSIVE)
        .await
        .unwrap();

    // Each member is away once, so the client was served by at least two releases.
    let mut moves = 0;
    for member in 0..ensemble.members() {
        let mut state = client.state();
        state.mark_unchanged();
        ensemble.kill(member).await;
        ensemble.wait_for_leader(SOON).await;
        client.sync("/moves").await.unwrap();
        let moved = state.has_changed().unwrap();
        moves += u32::from(moved);
        let path = format!("/moves/{member}");
        retry_create(&other, &path).await;
        let told = created_or_gap(&mut watch, &path).await;
        assert!(told, "{path} was neither told of nor covered by a gap");
        assert!(client.exists(&path).await.unwrap().is_some());
        ensemble.start_again(member).await;
        ensemble.wait_until_serving(SERVING_DEADLINE).await;
    }
    assert!(moves > 0, "the client never moved");
    assert_eq!(client.session_id(), session);
    assert_eq!(*client.state().borrow(), SessionState::Connected);
}
