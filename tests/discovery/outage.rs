use std::time::Duration;

use discovery::RegistrationState;
use discovery::zk_client::Client;
use tests::zookeeper::ZooKeeper;

use crate::fixture::{Listed, SHORT, state};

/// A session timeout that no restart of ZooKeeper comes near.
const LONG: Duration = Duration::from_secs(60);

/// Sessions live in ZooKeeper's data: who comes back in time keeps its znode.
#[tokio::test]
async fn a_restart_within_the_session_timeout_leaves_the_same_znode() {
    let mut zookeeper = ZooKeeper::start().await;
    let servers = zookeeper.connect_string();
    let listed = Listed::register(&servers, &servers, LONG).await;
    let path = listed.path();
    let owner = listed.admin.owner(&path).await;
    zookeeper.restart().await;
    assert_eq!(listed.admin.paths().await, [path.as_str()]);
    assert_eq!(listed.admin.owner(&path).await, owner);
    // The instance has come back too, and holds its watch: it still obeys.
    listed.obeys_deletion().await;
}

/// The same when it dies instead of stopping.
#[tokio::test]
async fn a_crash_within_the_session_timeout_leaves_the_same_znode() {
    let mut zookeeper = ZooKeeper::start().await;
    let servers = zookeeper.connect_string();
    let listed = Listed::register(&servers, &servers, LONG).await;
    let path = listed.path();
    zookeeper.kill().await;
    zookeeper.start_again().await;
    assert_eq!(listed.admin.paths().await, [path.as_str()]);
    listed.obeys_deletion().await;
}

/// By its own clock the instance gives its session up; the server, back again, gives the same session its whole
/// time anew, and its znode with it. Both must not stand on the list.
#[tokio::test]
async fn an_outage_beyond_the_session_timeout_leaves_one_znode() {
    let mut zookeeper = ZooKeeper::start().await;
    let servers = zookeeper.connect_string();
    let mut listed = Listed::register(&servers, &servers, SHORT).await;
    let path = listed.path();
    zookeeper.stop().await;
    let given_up =
        |state: &RegistrationState| matches!(state, RegistrationState::Registering { .. });
    state(&mut listed.registration.state(), given_up).await;
    zookeeper.start_again().await;
    let again = listed.registered_again(&path).await;
    // The administrator's own session may have ended meanwhile.
    listed.admin.client = Client::connect(&servers).await.unwrap();
    listed.admin.list_stays(&again, SHORT * 3).await;
    listed.obeys_deletion().await;
}
