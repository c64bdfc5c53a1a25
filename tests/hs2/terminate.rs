use tests::fleet::Fleet;
use tests::node::Node;
use tests::zookeeper::SharedZooKeeper;

use crate::fixture::{SOON, rows, session};

#[tokio::test]
async fn a_node_that_is_asked_to_leave_drains() {
    let zookeeper = SharedZooKeeper::get().await;
    let fleet = Fleet::new(zookeeper.connect_string()).await;
    let mut node = fleet.node("1.0").start().await;
    let session = session(node.address()).await;
    let mut running = session.query("SELECT id FROM range(100000)").await.unwrap();
    let first = running.next().await.unwrap().unwrap();

    node.terminate();
    fleet
        .wait_listed("the node is off the list", SOON, |names| names.is_empty())
        .await;
    // The result that was begun is read to its end, and the session takes more.
    let mut count = first.num_rows();
    while let Some(batch) = running.next().await.unwrap() {
        count += batch.num_rows();
    }
    assert_eq!(count, 100_000);
    assert_eq!(rows(&session, "SELECT 1").await, 1);
    assert!(node.is_running());
    drop(running);
    session.close().await.unwrap();
    assert_eq!(node.exit_code(SOON).await, Some(0));
}

#[tokio::test]
async fn a_node_that_nobody_uses_leaves_at_once() {
    let zookeeper = SharedZooKeeper::get().await;
    let fleet = Fleet::new(zookeeper.connect_string()).await;
    let mut listed = fleet.node("1.0").start().await;
    let mut unlisted = Node::options().start().await;
    for node in [&mut listed, &mut unlisted] {
        node.terminate();
        assert_eq!(node.exit_code(SOON).await, Some(0));
    }
    // Deleted, not left to the session timeout of two minutes.
    assert!(fleet.listed().await.is_empty());
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut node = Node::options().start().await;
    let session = session(node.address()).await;
    node.terminate();
    node.log_line("waiting for open sessions sessions=1", SOON)
        .await;
    assert!(node.is_running());
    node.terminate();
    assert_eq!(node.exit_code(SOON).await, Some(1));
    assert!(session.query("SELECT 1").await.is_err());
}
