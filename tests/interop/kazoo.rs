use serde_json::Value;
use tests::backend::Backend;
use tests::fleet::Fleet;
use tests::peers::{beeline, kazoo_list, python};
use tests::release::Release;
use tests::zookeeper::{SharedZooKeeper, unique_name};

use crate::fixture::Pair;

#[tokio::test]
async fn both_znodes_are_in_hives_format() {
    let pair = Pair::start().await;
    let listed = kazoo_list(pair.fleet.connect_string(), pair.fleet.namespace()).await;
    let mut expected = [
        (&pair.first, "1.0", "0000000000"),
        (&pair.second, "2.0", "0000000001"),
    ]
    .map(|(node, version, sequence)| {
        let address = node.address().to_string();
        let name = format!("serverUri={address};version={version};sequence={sequence}");
        (name, address, true)
    });
    expected.sort();
    let listed: Vec<_> = listed
        .into_iter()
        .map(|znode| (znode.name, znode.data, znode.ephemeral))
        .collect();
    assert_eq!(listed, expected);
}

/// Hive's pairs, as `hive.server2.zookeeper.publish.configs` has them, and what its driver makes of them.
#[tokio::test]
async fn published_pairs_are_hives() {
    let zookeeper = SharedZooKeeper::get().await;
    let fleet = Fleet::new(zookeeper.connect_string()).await;
    let node = fleet.node("4.0.1");
    let node = node.set("hive.server2.zookeeper.publish.configs", "true");
    let node = node.start().await;
    let listed = kazoo_list(fleet.connect_string(), fleet.namespace()).await;
    let mut pairs: Vec<&str> = listed[0].data.split(';').collect();
    pairs.sort_unstable();
    let (host, port) = (node.address().ip(), node.address().port());
    let expected = [
        "hive.server2.authentication=NONE".to_owned(),
        format!("hive.server2.instance.uri={host}:{port}"),
        format!("hive.server2.thrift.bind.host={host}"),
        format!("hive.server2.thrift.port={port}"),
        "hive.server2.thrift.sasl.qop=auth".to_owned(),
        "hive.server2.transport.mode=binary".to_owned(),
        "hive.server2.use.SSL=false".to_owned(),
    ];
    assert_eq!(pairs, expected);
    let output = beeline(&fleet.url(), "SELECT 1 AS one").await.success();
    assert_eq!(output.stdout, "one\n1\n", "{output}");
}

/// Znodes, ACLs, transactions, watches and recipes.
#[tokio::test]
async fn kazoo_sees_the_same_on_the_embedded_zookeeper_and_on_real_ones() {
    let root = format!("/{}", unique_name("kazoo"));
    let mut seen = Vec::new();
    for backend in [
        Backend::embedded().await,
        Backend::real(Release::V3_8).await,
        Backend::real(Release::V3_9).await,
    ] {
        let output = python("kazoo_session.py", &[&backend.connect_string(), &root]).await;
        seen.push(serde_json::from_str::<Value>(&output.success().stdout).unwrap());
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    let led = &seen[0]["recipes"]["led"];
    assert_eq!(*led, Value::from(vec!["me"]), "{}", seen[0]);
}
