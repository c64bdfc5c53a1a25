//! The watched list, on the events of a persistent watch and without them.

#![allow(clippy::unwrap_used, reason = "these are tests, helpers included")]

mod common;

use std::time::Duration;

use common::proxy::Proxy;
use common::{Admin, SOON, ensemble, namespace, register, view, view_with_data};
use discovery::{Changes, LookupError, Picker, Snapshot, Strategy, View};
use tokio::time::timeout;
use zk_client::{Acl, CreateMode, OpCode, Perms, ServerVersion};
use zk_server::Server;

/// A server that has persistent watches, or one from before them.
async fn server(is_old: bool) -> Server {
    let mut options = common::options();
    if is_old {
        options.emulate_version = ServerVersion::new(3, 4, 14);
    }
    Server::start("127.0.0.1:0", options).await.unwrap()
}

/// Waits for a list.
async fn until(view: &View, what: &str, is_it: impl Fn(&Snapshot) -> bool) {
    let mut changes = view.changes();
    let waited = timeout(SOON, async {
        while !is_it(&changes.next().await.snapshot) {}
    });
    assert!(waited.await.is_ok(), "{what}: {:?}", view.snapshot());
}

/// Waits until the view is live and has exactly these hosts.
async fn hosts(view: &View, wanted: &[&str]) {
    let is_it = |snapshot: &Snapshot| {
        let hosts = snapshot.instances().map(|name| name.endpoint().host());
        snapshot.is_live() && hosts.eq(wanted.iter().copied())
    };
    until(view, &format!("{wanted:?}"), is_it).await;
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
    let view = view(&proxy.servers()).await;
    assert!(view.snapshot().is_empty() && view.snapshot().is_live());
    admin.put("leader", b"").await;
    until(&view, "leader", |list| list.foreign() == 1).await;
    put(&admin, "a").await;
    hosts(&view, &["a"]).await;
    put(&admin, "b").await;
    hosts(&view, &["a", "b"]).await;
    delete(&admin, "a").await;
    hosts(&view, &["b"]).await;
    let registration = register(&server.connect_string()).await;
    hosts(&view, &["b", "h"]).await;
    registration.deregister().await.unwrap();
    hosts(&view, &["b"]).await;
    delete(&admin, "b").await;
    admin.delete("/hs2/leader").await;
    admin.delete("/hs2").await;
    hosts(&view, &[]).await;
    put(&admin, "c").await;
    hosts(&view, &["c"]).await;
    // A change costs an event where there are events, and else the list.
    proxy.lose_answer(OpCode::GET_CHILDREN2);
    put(&admin, "d").await;
    hosts(&view, &["c", "d"]).await;
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

/// What changes while the connection is away is seen when it is back, for less and for more than
/// the session timeout.
async fn absences_are_made_up_for(is_old: bool) {
    let server = server(is_old).await;
    let proxy = Proxy::start(server.local_addr()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    put(&admin, "a").await;
    let view = view(&proxy.servers()).await;
    hosts(&view, &["a"]).await;
    for (absence, gone, new) in [(0, "a", "b"), (3, "b", "c")] {
        proxy.cut();
        until(&view, "away", |list| !list.is_live()).await;
        let last = view.snapshot();
        assert_eq!(last.len(), 1, "the last list stays");
        let age = last.age();
        while view.snapshot().age() <= age {
            tokio::task::yield_now().await;
        }
        delete(&admin, gone).await;
        put(&admin, new).await;
        tokio::time::sleep(Duration::from_secs(absence)).await;
        proxy.heal();
        hosts(&view, &[new]).await;
        assert_eq!(view.snapshot().age(), Duration::ZERO);
    }
    delete(&admin, "c").await;
    hosts(&view, &[]).await;
}

#[tokio::test]
async fn absences_are_made_up_for_by_events() {
    absences_are_made_up_for(false).await;
}

#[tokio::test]
async fn absences_are_made_up_for_by_lists() {
    absences_are_made_up_for(true).await;
}

/// The next change in which somebody came or went: who, and who.
async fn who(changes: &mut Changes) -> (String, String) {
    let next = timeout(SOON, async {
        loop {
            let change = changes.next().await;
            if !change.joined.is_empty() || !change.left.is_empty() {
                return [change.joined, change.left].map(|names| {
                    let hosts = names.iter().map(|name| name.endpoint().host());
                    hosts.collect::<String>()
                });
            }
        }
    });
    next.await.unwrap().into()
}

#[tokio::test]
async fn changes_tell_who_joined_and_who_left() {
    let server = server(false).await;
    let proxy = Proxy::start(server.local_addr()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    put(&admin, "a").await;
    let view = view(&proxy.servers()).await;
    let mut changes = view.changes();
    assert_eq!(who(&mut changes).await, ("a".into(), String::new()));
    put(&admin, "b").await;
    assert_eq!(who(&mut changes).await, ("b".into(), String::new()));
    delete(&admin, "a").await;
    assert_eq!(who(&mut changes).await, (String::new(), "a".into()));
    // While the connection is away nobody leaves; what happened comes as one change.
    proxy.cut();
    let away = timeout(SOON, changes.next()).await.unwrap();
    assert!(!away.snapshot.is_live() && away.left.is_empty());
    put(&admin, "c").await;
    put(&admin, "d").await;
    delete(&admin, "b").await;
    proxy.heal();
    assert_eq!(who(&mut changes).await, ("cd".into(), "b".into()));
    let mut late = view.changes();
    assert_eq!(who(&mut late).await, ("cd".into(), String::new()));
}

fn published(view: &View) -> Vec<Option<String>> {
    let mut picker = Picker::new(view, Strategy::RoundRobin);
    let picks = (0..view.snapshot().len()).map(|_| picker.pick().unwrap());
    let mut picks: Vec<_> = picks.collect();
    picks.sort_by(|a, b| a.name().cmp(b.name()));
    let data = picks
        .iter()
        .map(|pick| Some(pick.data()?.to_text().unwrap()));
    data.collect()
}

async fn data_is_read_and_followed(is_old: bool) {
    let server = server(is_old).await;
    let proxy = Proxy::start(server.local_addr()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    put(&admin, "a").await;
    put(&admin, "b").await;
    let view = view_with_data(&proxy.servers()).await;
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(published(&view), [some("h:1"), some("h:1")]);
    put(&admin, "c").await;
    hosts(&view, &["a", "b", "c"]).await;
    assert_eq!(published(&view)[2], some("h:1"));
    let names_only = common::view(&server.connect_string()).await;
    assert_eq!(published(&names_only), [None, None, None]);

    let set = async |host: &str, text: &str| {
        let any = zk_client::ZnodeVersion::ANY;
        let set = admin
            .client
            .set_data(&format!("/hs2/{}", name(host)), text.as_bytes(), any);
        set.await.unwrap();
    };
    if !is_old {
        set("a", "h:2").await;
        until(&view, "new data", |_| published(&view)[0] == some("h:2")).await;
    }
    // What changes while the connection is away is read when it is back; until then all is still there.
    proxy.cut();
    until(&view, "away", |list| !list.is_live()).await;
    set("b", "h:3").await;
    assert_eq!(published(&view)[1], some("h:1"));
    proxy.heal();
    until(&view, "back", Snapshot::is_live).await;
    assert_eq!(published(&view)[1], some("h:3"));
}

#[tokio::test]
async fn data_is_read_and_followed_by_events() {
    data_is_read_and_followed(false).await;
}

#[tokio::test]
async fn data_is_read_and_followed_by_lists() {
    data_is_read_and_followed(true).await;
}

/// Data that is none and data that may not be read take nothing from the others.
#[tokio::test]
async fn unreadable_data_sets_its_instance_aside() {
    let server = server(false).await;
    let servers = server.connect_string();
    let admin = Admin::connect(&servers).await;
    put(&admin, "a").await;
    admin.put(&name("b"), b"\xff").await;
    let acl = [Acl::world(Perms::CREATE)];
    let secret = format!("/hs2/{}", name("c"));
    let mode = CreateMode::PERSISTENT;
    let made = admin.client.create_with_acl(&secret, b"h:1", mode, &acl);
    made.await.unwrap();
    let view = view_with_data(&servers).await;
    assert_eq!(view.snapshot().len(), 3);
    let mut picker = Picker::new(&view, Strategy::RoundRobin);
    let pick = picker.pick().unwrap();
    assert_eq!(pick.name().endpoint().host(), "a");
    pick.failed("tried");
    let text = picker.pick().unwrap_err().to_string();
    assert!(
        text.contains("b:1: the instance's data is not UTF-8 text"),
        "{text}"
    );
    assert!(
        text.contains("a:1: tried") && text.contains("c:1: "),
        "{text}"
    );
}

#[tokio::test]
async fn clones_share_one_session_which_ends_with_the_last() {
    let server = server(false).await;
    let admin = Admin::connect(&server.connect_string()).await;
    let view = view(&server.connect_string()).await;
    let clone = view.clone();
    assert_eq!(server.sessions().len(), 2);
    drop(view);
    put(&admin, "a").await;
    hosts(&clone, &["a"]).await;
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
