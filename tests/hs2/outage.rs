use std::time::Duration;

use tests::fleet::Fleet;
use tests::node::Node;
use tests::proxy::Proxy;
use tests::zookeeper::{SharedZooKeeper, ZooKeeper};

use crate::fixture::{SESSION_TIMEOUT, SHORT, SOON, assert_serves};

#[tokio::test]
async fn a_restart_of_zookeeper_within_the_session_timeout_changes_nothing() {
    let mut zookeeper = ZooKeeper::start().await;
    let fleet = Fleet::new(&zookeeper.connect_string()).await;
    let node = fleet.node("1.0").set(SESSION_TIMEOUT, "60s").start().await;
    let owner = fleet.owner(node.instance()).await;
    zookeeper.restart().await;
    assert_eq!(fleet.listed().await, [node.instance()]);
    assert_eq!(fleet.owner(node.instance()).await, owner);
    assert_serves(node.address()).await;
    obeys_deletion(&fleet, node, None).await;
}

#[tokio::test]
async fn a_node_cut_off_from_zookeeper_serves_on_and_registers_again_by_itself() {
    let zookeeper = SharedZooKeeper::get().await;
    let proxy = Proxy::start(zookeeper.address()).await;
    let fleet = Fleet::new(zookeeper.connect_string()).await;
    let node = fleet.node_through(&proxy.connect_string(), "1.0");
    let node = node
        .set(SESSION_TIMEOUT, &milliseconds(SHORT))
        .start()
        .await;
    proxy.cut();
    fleet
        .wait_listed("its session ends", SOON, |names| names.is_empty())
        .await;
    assert_serves(node.address()).await;
    proxy.heal();
    let again = registered_again(&fleet, &node).await;
    fleet.list_stays(&again, SHORT * 2).await;
    obeys_deletion(&fleet, node, Some(&again)).await;
}

/// ZooKeeper gives the sessions of the time before their whole time anew when it is back.
#[tokio::test]
async fn an_outage_of_zookeeper_beyond_the_session_timeout_leaves_the_node_listed_once() {
    let mut zookeeper = ZooKeeper::start().await;
    let fleet = Fleet::new(&zookeeper.connect_string()).await;
    let node = fleet.node("1.0").set(SESSION_TIMEOUT, &milliseconds(SHORT));
    let node = node
        .environment("RUST_LOG", "discovery=info,warn")
        .start()
        .await;
    zookeeper.stop().await;
    // By its own clock the node gives its session up.
    node.log_line("registering again", SOON).await;
    assert_serves(node.address()).await;
    zookeeper.start_again().await;
    let again = registered_again(&fleet, &node).await;
    fleet.list_stays(&again, SHORT * 3).await;
    obeys_deletion(&fleet, node, Some(&again)).await;
}

/// Waits until the node stands on the list, once and with a new znode; returns its name.
async fn registered_again(fleet: &Fleet, node: &Node) -> String {
    let address = format!("serverUri={};version=1.0;", node.address());
    let listed = fleet.wait_listed("it registers again", SOON, |names| {
        names.len() == 1 && names[0].starts_with(&address) && names[0] != node.instance()
    });
    listed.await.remove(0)
}

/// Somebody deletes the node's znode: it ends, and never comes back.
async fn obeys_deletion(fleet: &Fleet, mut node: Node, instance: Option<&str>) {
    let instance = instance.unwrap_or(node.instance()).to_owned();
    fleet.delete(&instance).await;
    assert_eq!(node.exit_code(SOON).await, Some(0));
    assert!(fleet.listed().await.is_empty());
}

fn milliseconds(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}
