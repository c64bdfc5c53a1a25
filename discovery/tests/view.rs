//! The watched list, on the events of a persistent watch and without them.

#![allow(clippy::unwrap_used, reason = "these are tests, helpers included")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::proxy::Proxy;
use common::{Admin, SOON, ensemble, namespace, register};
use discovery::{LookupError, Snapshot, View};
use tokio::time::timeout;
use zk_client::{Acl, CreateMode, OpCode, Perms, ServerVersion};
use zk_server::Server;

async fn open(servers: &str) -> View {
    View::open(&ensemble(servers), &namespace("hs2"))
        .await
        .unwrap()
}

/// A server that has persistent watches, or one from before them.
async fn server(is_old: bool) -> Server {
    let mut options = common::options();
    if is_old {
        options.emulate_version = ServerVersion::new(3, 4, 14);
    }
    Server::start("127.0.0.1:0", options).await.unwrap()
}

/// Waits until the view is live and has exactly these hosts.
async fn hosts(view: &mut View, wanted: &[&str]) {
    let is_it = |snapshot: &Snapshot| {
        let instances = snapshot.instances.iter();
        snapshot.is_live
            && instances
                .map(|name| name.endpoint().host())
                .eq(wanted.iter().copied())
    };
    let waited = timeout(SOON, async {
        let mut snapshot = view.snapshot();
        while !is_it(&snapshot) {
            snapshot = view.changed().await;
        }
    });
    assert!(waited.await.is_ok(), "{wanted:?}: {:?}", view.snapshot());
}

fn name(host: &str) -> String {
    format!("serverUri={host}:1;version=1.0;sequence=0000000001")
}

async fn put(admin: &Admin, host: &str) {
    admin.put(&name(host), b"h:1").await;
}

async fn delete(admin: &Admin, host: &str) {
    admin.delete(&format!("/hs2/{}", name(host))).await;
}

async fn instances_come_and_go(is_old: bool) {
    let server = server(is_old).await;
    let proxy = Proxy::start(server.local_addr()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    let mut view = open(&proxy.servers()).await;
    assert_eq!(*view.snapshot(), live(&[]));
    admin.put("leader", b"").await;
    put(&admin, "a").await;
    hosts(&mut view, &["a"]).await;
    put(&admin, "b").await;
    hosts(&mut view, &["a", "b"]).await;
    delete(&admin, "a").await;
    hosts(&mut view, &["b"]).await;
    let registration = register(&server.connect_string()).await;
    hosts(&mut view, &["b", "h"]).await;
    registration.deregister().await.unwrap();
    hosts(&mut view, &["b"]).await;
    delete(&admin, "b").await;
    admin.delete("/hs2/leader").await;
    admin.delete("/hs2").await;
    hosts(&mut view, &[]).await;
    put(&admin, "c").await;
    hosts(&mut view, &["c"]).await;
    // A change costs an event where there are events, and else the list.
    proxy.lose_answer(OpCode::GET_CHILDREN2);
    put(&admin, "d").await;
    hosts(&mut view, &["c", "d"]).await;
    assert_eq!(proxy.has_lost(), is_old);
}

#[tokio::test]
async fn instances_come_and_go_by_events() {
    instances_come_and_go(false).await;
}

#[tokio::test]
async fn instances_come_and_go_by_lists() {
    instances_come_and_go(true).await;
}

fn live(names: &[Arc<discovery::InstanceName>]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    snapshot.instances = names.to_vec();
    snapshot.is_live = true;
    snapshot
}

/// What changes while the connection is away is seen when it is back, for less and for more than
/// the session timeout.
async fn absences_are_made_up_for(is_old: bool) {
    let server = server(is_old).await;
    let proxy = Proxy::start(server.local_addr()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    put(&admin, "a").await;
    let mut view = open(&proxy.servers()).await;
    hosts(&mut view, &["a"]).await;
    for (absence, gone, new) in [(0, "a", "b"), (3, "b", "c")] {
        proxy.cut();
        let away = timeout(SOON, async { while view.changed().await.is_live {} });
        away.await.unwrap();
        assert_eq!(view.snapshot().instances.len(), 1, "the last list stays");
        delete(&admin, gone).await;
        put(&admin, new).await;
        tokio::time::sleep(Duration::from_secs(absence)).await;
        proxy.heal();
        hosts(&mut view, &[new]).await;
    }
    delete(&admin, "c").await;
    hosts(&mut view, &[]).await;
}

#[tokio::test]
async fn absences_are_made_up_for_by_events() {
    absences_are_made_up_for(false).await;
}

#[tokio::test]
async fn absences_are_made_up_for_by_lists() {
    absences_are_made_up_for(true).await;
}

#[tokio::test]
async fn clones_share_one_session_which_ends_with_the_last() {
    let server = server(false).await;
    let admin = Admin::connect(&server.connect_string()).await;
    let view = open(&server.connect_string()).await;
    let clone = view.clone();
    assert_eq!(server.sessions().len(), 2);
    drop(view);
    put(&admin, "a").await;
    hosts(&mut clone.clone(), &["a"]).await;
    drop(clone);
    let closed = timeout(SOON, async {
        while server.sessions().len() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    closed.await.unwrap();
}

#[tokio::test]
async fn a_view_that_cannot_begin_says_why() {
    let server = server(false).await;
    let servers = server.connect_string();
    let admin = Admin::connect(&servers).await;
    let acl = [Acl::world(Perms::CREATE)];
    let mode = CreateMode::PERSISTENT;
    let made = admin.client.create_with_acl("/hs2", b"", mode, &acl);
    made.await.unwrap();
    let error = View::open(&ensemble(&servers), &namespace("hs2")).await;
    let text = error.unwrap_err().to_string();
    assert!(text.contains("connect with other credentials"), "{text}");

    server.shutdown().await;
    let away = ensemble(&servers).with_timeout(Duration::from_millis(300));
    let error = View::open(&away, &namespace("hs2")).await.unwrap_err();
    assert!(matches!(error, LookupError::Unreachable(_)), "{error}");
}
