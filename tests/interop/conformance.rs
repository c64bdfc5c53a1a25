//! What each client can see of a node is what it would see of Hive: types, metadata, errors, logs, cancellation.
//! The values are tables in the scripts of `tests/peers`.

use hs2_client::{ConnectOptions, Event, SessionOptions, connect};
use tests::node::Node;
use tests::peers::python;

use crate::fixture::{WATCHED, WATCHED_TABLE};

/// Hive's JDBC driver, and with it beeline, DBeaver and whatever else stands on it.
#[tokio::test]
async fn jdbc_sees_hive() {
    let node = Node::options().start().await;
    let url = format!("jdbc:hive2://{}/default", node.address());
    let _ = python("jdbc_conformance.py", &[&url]).await.success();
}

#[tokio::test]
async fn pyhive_sees_hive() {
    python_sees_hive("pyhive").await;
}

#[tokio::test]
async fn impyla_sees_hive() {
    python_sees_hive("impyla").await;
}

async fn python_sees_hive(client: &str) {
    let node = Node::options().start().await;
    let (host, port) = (node.address().ip(), node.address().port());
    let arguments = [client, &host.to_string(), &port.to_string()];
    let _ = python("python_conformance.py", &arguments).await.success();
}

/// Hue's way of using handles from anywhere, every version of the protocol, and calls that clients make seldom.
#[tokio::test]
async fn thrift_calls_are_answered_as_by_hive() {
    let node = Node::options().start().await;
    let (host, port) = (node.address().ip(), node.address().port());
    let arguments = [&*host.to_string(), &port.to_string()];
    let _ = python("thrift_calls.py", &arguments).await.success();
}

#[tokio::test]
async fn our_client_watches_a_statement() {
    let node = Node::options().start().await;
    let url = format!("jdbc:hive2://{}/default", node.address());
    let options = (ConnectOptions::default(), SessionOptions::default());
    let session = connect(&url, &options.0, &options.1).await.unwrap();
    let made = session.execute(WATCHED_TABLE).await.unwrap();
    made.wait().await.unwrap();

    let (mut shares, mut lines) = (vec![], vec![]);
    let watched = session.execute(WATCHED).await.unwrap();
    let end = watched.watch(|event| match event {
        Event::Progress(progress) => shares.push(progress.progressed_percentage),
        Event::Log(line) => lines.push(line.to_owned()),
    });
    end.await.unwrap();
    assert!(
        shares.is_sorted() && shares.first() < shares.last(),
        "{shares:?}"
    );
    assert!(
        lines.iter().any(|line| line.contains("Compiling command")),
        "{lines:?}"
    );
    session.close().await.unwrap();
}
