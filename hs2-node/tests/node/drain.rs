//! Leaving.

use hs2_client::{ConnectOptions, SessionOptions, connect};
use hs2_node::Drained;
use std::time::Duration;
use zk_server::{Server, ServerOptions};

use super::{Fixture, soon, until};
use discovery::{Ensemble, Namespace};

async fn registered(server: &Server, more: &str) -> (Fixture, String) {
    let settings = format!(
        "hive.zookeeper.quorum = {}\n{more}",
        server.connect_string()
    );
    let mut fixture = Fixture::with(&settings).await;
    let path = soon(fixture.node.register()).await.unwrap();
    (fixture, path)
}

async fn server() -> (Server, Ensemble) {
    let server = Server::start("127.0.0.1:0", ServerOptions::default())
        .await
        .unwrap();
    let ensemble = Ensemble::new(&server.connect_string()).unwrap();
    (server, ensemble)
}

async fn listed(ensemble: &Ensemble) -> Vec<String> {
    let listing = soon(discovery::list(ensemble, &Namespace::default()))
        .await
        .unwrap();
    listing
        .instances
        .into_iter()
        .map(|instance| instance.path)
        .collect()
}

#[tokio::test]
async fn a_draining_node_leaves_the_list_refuses_sessions_and_waits_for_those_it_has() {
    let (server, ensemble) = server().await;
    let (fixture, path) = registered(&server, "").await;
    assert_eq!(listed(&ensemble).await, [path]);
    let session = fixture.session().await;
    let url = fixture.url();
    let draining = tokio::spawn(fixture.node.drain());
    let refused = loop {
        // Whether the order has arrived is seen by the refusal.
        match soon(connect(
            &url,
            &ConnectOptions::default(),
            &SessionOptions::default(),
        ))
        .await
        {
            Ok(session) => drop(session.close().await),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.sql_state(), Some("08004"), "{refused}");
    while !listed(&ensemble).await.is_empty() {}
    assert!(
        session.query("rows 3").await.is_ok(),
        "the open session goes on"
    );
    assert!(!draining.is_finished());
    session.close().await.unwrap();
    assert_eq!(soon(draining).await.unwrap(), Drained::Clean);
    assert!(
        connect(&url, &ConnectOptions::default(), &SessionOptions::default())
            .await
            .is_err()
    );
    server.shutdown().await;
}

#[tokio::test]
async fn the_wait_for_open_sessions_has_an_end() {
    let fixture = Fixture::with("hive.server2.graceful.stop.timeout = 200ms").await;
    let session = fixture.session().await;
    let running = session.execute("gated 5").await.unwrap();
    assert_eq!(
        soon(fixture.node.drain()).await,
        Drained::Cut { sessions: 1 }
    );
    until("the engine has stopped", || fixture.engine.streams() == 0).await;
    assert!(soon(running.status()).await.is_err());
}

#[tokio::test]
async fn a_node_whose_znode_is_deleted_goes_on_until_its_last_session_is_closed() {
    let (server, ensemble) = server().await;
    let (fixture, path) = registered(&server, "").await;
    let session = fixture.session().await;
    let done = soon(discovery::deregister(
        &ensemble,
        &Namespace::default(),
        "1.0",
    ))
    .await
    .unwrap();
    assert_eq!(done.removed, [path]);
    assert_eq!(listed(&ensemble).await, [""; 0]);
    let removed = tokio::time::timeout(Duration::from_millis(200), fixture.node.removed()).await;
    assert!(removed.is_err(), "there is a session");
    let second = fixture.session().await;
    assert!(
        second.query("rows 3").await.is_ok(),
        "who knows the address is still served"
    );
    session.close().await.unwrap();
    second.close().await.unwrap();
    soon(fixture.node.removed()).await;
    fixture.node.stop().await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_deleted_znode_ends_a_node_without_sessions_at_once() {
    let (server, ensemble) = server().await;
    let (fixture, _) = registered(&server, "hive.server2.zookeeper.publish.configs = true").await;
    let _ = soon(discovery::deregister(
        &ensemble,
        &Namespace::default(),
        "1.0",
    ))
    .await
    .unwrap();
    soon(fixture.node.removed()).await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_client_that_has_vanished_does_not_keep_a_node_that_was_taken_off_the_list() {
    let (server, ensemble) = server().await;
    let more = "hive.server2.graceful.stop.timeout = 1s\nhive.server2.session.check.interval = 100ms\n\
                hive.server2.close.session.on.disconnect = false";
    let (fixture, _) = registered(&server, more).await;
    let gone = super::raw::Raw::open(fixture.node.address()).await;
    drop(gone);
    assert_eq!(fixture.sessions(), 1);
    let _ = soon(discovery::deregister(
        &ensemble,
        &Namespace::default(),
        "1.0",
    ))
    .await
    .unwrap();
    soon(fixture.node.removed()).await;
    assert_eq!(fixture.sessions(), 0);
    server.shutdown().await;
}
