use tests::fleet::Fleet;
use tests::peers::{Auth, HeldSession};
use tests::zookeeper::SharedZooKeeper;

use crate::fixture::{SOON, about, assert_serves};

#[tokio::test]
async fn a_version_leaves_the_list_at_once_and_ends_with_its_last_session() {
    let zookeeper = SharedZooKeeper::get().await;
    let fleet = Fleet::new(zookeeper.connect_string()).await;
    let mut busy = fleet.node("1.0").start().await;
    let mut idle = fleet.node("1.0").start().await;
    let mut patch = fleet.node("1.0.1").start().await;
    let mut other = fleet.node("11.0").start().await;
    let mut session = HeldSession::open(busy.address(), Auth::Plain).await;
    assert_eq!(session.query("SELECT 1").await.unwrap(), "[[1]]");

    let done = about(&fleet, &["deregister", "1.0"]).await.success();
    for gone in [&busy, &idle] {
        assert!(done.stdout.contains(gone.instance()), "{done}");
    }
    let mut stay = [patch.instance(), other.instance()];
    stay.sort_unstable();
    assert_eq!(fleet.listed().await, stay);
    let list = about(&fleet, &["list", "--format", "json"]).await.success();
    for node in [&patch, &other] {
        assert!(list.stdout.contains(&node.address().to_string()), "{list}");
    }
    for node in [&busy, &idle] {
        assert!(!list.stdout.contains(&node.address().to_string()), "{list}");
    }

    // Nobody holds the one; the other serves its client to the end.
    assert_eq!(idle.exit_code(SOON).await, Some(0));
    for number in 0..5 {
        let answer = session.query(&format!("SELECT {number}")).await;
        assert_eq!(answer.unwrap(), format!("[[{number}]]"));
    }
    assert!(busy.is_running());
    session.close().await;
    assert_eq!(busy.exit_code(SOON).await, Some(0));

    let again = about(&fleet, &["deregister", "1.0"]).await.exit(1);
    assert!(
        again
            .stderr
            .contains("no instance of version \"1.0\" is registered"),
        "{again}"
    );
    assert_eq!(again.stderr.trim().lines().count(), 1, "{again}");
    assert_eq!(fleet.listed().await, stay);
    for node in [&mut patch, &mut other] {
        assert!(node.is_running());
        assert_serves(node.address()).await;
    }
}
