use std::collections::BTreeSet;

use tests::peers::beeline;
use tests::process::Process;

use crate::fixture::Pair;

const QUERY: &str = "SELECT id, concat('row ', cast(id AS string)) AS name, id = 1 AS one FROM range(3) ORDER BY id";
const ROWS: &str = "id\tname\tone\n0\trow 0\tfalse\n1\trow 1\ttrue\n2\trow 2\tfalse\n";

/// Curator, inside Hive's driver, lists the namespace of the real ZooKeeper.
#[tokio::test]
async fn it_finds_a_node_through_zookeeper() {
    let pair = Pair::start().await;
    let output = beeline(&pair.fleet.url(), QUERY).await.success();
    assert_eq!(output.stdout, ROWS, "{output}");
}

#[tokio::test]
async fn it_connects_to_each_node_by_host_and_port() {
    let pair = Pair::start().await;
    for node in [&pair.first, &pair.second] {
        let url = format!("jdbc:hive2://{}/default", node.address());
        let output = beeline(&url, QUERY).await.success();
        assert_eq!(output.stdout, ROWS, "{output}");
    }
}

/// Here Curator talks to the embedded ZooKeeper.
#[tokio::test]
async fn it_takes_the_url_that_quickstart_prints() {
    let quickstart = Process::start(&["quickstart", "--serve"]);
    let url = quickstart
        .line_with("jdbc:hive2://")
        .await
        .split_whitespace()
        .find(|word| word.starts_with("jdbc:hive2://"))
        .unwrap()
        .trim_matches(['"', '\''])
        .to_owned();
    assert!(url.contains("serviceDiscoveryMode=zooKeeper"), "{url}");
    let output = beeline(&url, QUERY).await.success();
    assert_eq!(output.stdout, ROWS, "{output}");
    let tables = beeline(&url, "SHOW TABLES").await.success();
    let tables: BTreeSet<&str> = tables.stdout.lines().skip(1).collect();
    assert!(!tables.is_empty(), "quickstart has sample data");
}
