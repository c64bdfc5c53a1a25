use std::time::Duration;

use tests::fleet::Fleet;
use tests::process::hs2_node;
use tests::zookeeper::SharedZooKeeper;

use crate::fixture::{SESSION_TIMEOUT, SOON, rows, session_by};

/// Long enough for many clients to come while the dead node is still listed.
const TIMEOUT: Duration = Duration::from_secs(12);

#[tokio::test]
async fn clients_get_another_node_and_the_list_forgets_the_dead_one() {
    let zookeeper = SharedZooKeeper::get().await;
    let fleet = Fleet::new(zookeeper.connect_string()).await;
    let start = async |version| {
        let timeout = format!("{}s", TIMEOUT.as_secs());
        let node = fleet.node(version).set(SESSION_TIMEOUT, &timeout);
        node.start().await
    };
    let mut dead = start("1.0").await;
    let alive = start("2.0").await;
    let session = session_by(&dead.address().to_string()).await;
    dead.kill();
    assert_eq!(dead.exit_code(SOON).await, None);
    assert!(session.query("SELECT 1").await.is_err());

    // Half of them draw the dead node first.
    for _ in 0..24 {
        let session = session_by(&fleet.url()).await;
        assert_eq!(session.connection().server(), alive.address().to_string());
        assert_eq!(rows(&session, "SELECT 1").await, 1);
        session.close().await.unwrap();
    }
    for _ in 0..4 {
        let (url, sql) = (fleet.url(), "SELECT 1 AS one");
        let answer = hs2_node(&["sql", &url, "-e", sql, "--format", "csv"]).await;
        assert_eq!(answer.success().stdout, "one\n1\n");
    }
    let listed = fleet.listed().await;
    assert!(
        listed.iter().any(|name| name == dead.instance()),
        "it left before the clients came: {listed:?}"
    );
    let alone = fleet.wait_listed("the dead node is forgotten", TIMEOUT * 3, |names| {
        names == [alive.instance()]
    });
    alone.await;
}

/// Frozen, a node takes connections and says nothing.
#[tokio::test]
async fn clients_pass_over_a_node_that_hangs() {
    let zookeeper = SharedZooKeeper::get().await;
    let fleet = Fleet::new(zookeeper.connect_string()).await;
    let frozen = fleet.node("1.0").set(SESSION_TIMEOUT, "60s").start().await;
    let alive = fleet.node("2.0").start().await;
    frozen.freeze();
    let options = hs2_client::ConnectOptions {
        login_timeout: Duration::from_secs(1),
        ..Default::default()
    };
    for _ in 0..6 {
        let session = hs2_client::connect(&fleet.url(), &options, &Default::default()).await;
        let session = session.unwrap();
        assert_eq!(session.connection().server(), alive.address().to_string());
    }
    frozen.thaw();
}
