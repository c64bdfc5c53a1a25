//! An instance on the list: how it gets there, stays, and leaves.
#![allow(clippy::unwrap_used, reason = "these are tests, helpers included")]

mod common;

use std::time::{Duration, Instant};

use common::proxy::Proxy;
use common::{
    Admin, SOON, deregistered_by_another, ensemble, instance, namespace, path_of, register, server,
    state, try_register,
};
use discovery::{
    DeregisteredBy, Ensemble, LookupError, RegisterError, Registration, RegistrationState,
};
use zk_client::{Acl, Client, ConnectOptions, CreateMode, ErrorCode, OpCode, Perms, ZnodeVersion};
use zk_server::{Server, ServerOptions};

fn is_registered(state: &RegistrationState) -> bool {
    matches!(state, RegistrationState::Registered { .. })
}

#[tokio::test]
async fn the_znode_is_as_hive_writes_it() {
    let server = server().await;
    let servers = server.connect_string();
    let instance = instance("h1.example.com:10000", "3.1.0.3.0.1.0-187");
    let (ensemble, namespace) = (ensemble(&servers), namespace("/prod/hs2"));
    let registered = Registration::register(&ensemble, &namespace, &instance);
    let registration = registered.await.unwrap();
    let path = path_of(&registration);
    assert_eq!(
        path,
        "/prod/hs2/serverUri=h1.example.com:10000;version=3.1.0.3.0.1.0-187;sequence=0000000000"
    );
    let admin = Admin::connect(&servers).await;
    let (data, stat) = admin.client.get_data(&path).await.unwrap();
    assert_eq!(data, "h1.example.com:10000");
    assert!(server.sessions().contains(&stat.ephemeral_owner));
    let above = admin.client.exists("/prod").await.unwrap().unwrap();
    assert_eq!(above.ephemeral_owner.0, 0, "the namespace is persistent");
}

#[tokio::test]
async fn a_deleted_znode_is_an_order() {
    let server = server().await;
    let registration = register(&server.connect_string()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    admin.delete(&path_of(&registration)).await;
    deregistered_by_another(&mut registration.state()).await;
    // With its session the registration has no way left to come back.
    let deadline = Instant::now() + SOON;
    while server.sessions() != [admin.client.session_id()] {
        assert!(Instant::now() < deadline, "{:?}", server.sessions());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(admin.children().await.is_empty());
    registration.deregister().await.unwrap();
}

#[tokio::test]
async fn a_changed_znode_is_watched_on() {
    let server = server().await;
    let registration = register(&server.connect_string()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    let path = path_of(&registration);
    for _ in 0..3 {
        let any = ZnodeVersion::ANY;
        admin.client.set_data(&path, b"other", any).await.unwrap();
    }
    assert_eq!(path_of(&registration), path);
    admin.delete(&path).await;
    deregistered_by_another(&mut registration.state()).await;
}

/// An expiring session may read the deletion of its own znode as its last frame, or not.
#[tokio::test]
async fn an_expired_session_is_an_accident() {
    let server = server().await;
    let registration = register(&server.connect_string()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    let mut states = registration.state();
    let mut path = path_of(&registration);
    for _ in 0..10 {
        let owner = admin.owner(&path).await.unwrap();
        assert!(server.expire_session(owner));
        let again = |state: &RegistrationState| matches!(state, RegistrationState::Registered { path: new } if *new != path);
        state(&mut states, again).await;
        path = path_of(&registration);
        assert_eq!(admin.children().await, [path.trim_start_matches("/hs2/")]);
    }
    admin.delete(&path).await;
    deregistered_by_another(&mut states).await;
    assert!(admin.children().await.is_empty());
}

/// A dying connection may tell of the deletion, and even answer that the znode is gone.
#[tokio::test]
async fn the_last_words_of_an_expired_session_are_no_order() {
    let server = server().await;
    let proxy = Proxy::start(server.local_addr()).await;
    let registration = register(&proxy.servers()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    let path = path_of(&registration);
    let mut states = registration.state();
    let owner = admin.owner(&path).await.unwrap();
    proxy.die(&path);
    let deadline = Instant::now() + SOON;
    while !proxy.is_dead() {
        assert!(Instant::now() < deadline, "the registration asks");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(server.expire_session(owner));
    proxy.heal();
    let again = |state: &RegistrationState| is_registered(state) && *state != registered(&path);
    state(&mut states, again).await;
    assert_eq!(admin.children().await.len(), 1);
    admin.delete(&path_of(&registration)).await;
    deregistered_by_another(&mut states).await;
}

#[tokio::test]
async fn a_cut_connection_keeps_the_znode_and_its_watch() {
    let server = server().await;
    let proxy = Proxy::start(server.local_addr()).await;
    let registration = register(&proxy.servers()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    let path = path_of(&registration);
    let owner = admin.owner(&path).await;
    for connections in 2..5 {
        proxy.cut();
        proxy.heal();
        let deadline = Instant::now() + SOON;
        while proxy.accepted() < connections {
            assert!(Instant::now() < deadline, "the client comes back");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    // Longer than the session timeout: without a connection the znode would go.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(path_of(&registration), path);
    assert_eq!(admin.owner(&path).await, owner);
    assert_eq!(admin.children().await.len(), 1);
    admin.delete(&path).await;
    deregistered_by_another(&mut registration.state()).await;
}

#[tokio::test]
async fn a_deletion_while_the_connection_was_away_is_an_order() {
    let server = server().await;
    let proxy = Proxy::start(server.local_addr()).await;
    let registration = register(&proxy.servers()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    proxy.cut();
    admin.delete(&path_of(&registration)).await;
    proxy.heal();
    deregistered_by_another(&mut registration.state()).await;
    assert!(admin.children().await.is_empty());
}

#[tokio::test]
async fn a_znode_that_somebody_has_replaced_is_an_order_too() {
    let server = server().await;
    let proxy = Proxy::start(server.local_addr()).await;
    let registration = register(&proxy.servers()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    let path = path_of(&registration);
    proxy.cut();
    admin.delete(&path).await;
    let mode = CreateMode::PERSISTENT;
    admin.client.create(&path, b"h:10000", mode).await.unwrap();
    proxy.heal();
    deregistered_by_another(&mut registration.state()).await;
    assert_eq!(admin.children().await.len(), 1, "it is not ours to delete");
}

/// The session times out on both sides.
#[tokio::test]
async fn a_long_partition_ends_with_one_znode() {
    let server = server().await;
    let proxy = Proxy::start(server.local_addr()).await;
    let registration = register(&proxy.servers()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    let path = path_of(&registration);
    let mut states = registration.state();
    proxy.cut();
    admin.count(0).await;
    proxy.heal();
    let again = |state: &RegistrationState| is_registered(state) && *state != registered(&path);
    state(&mut states, again).await;
    assert_eq!(admin.children().await.len(), 1);
    admin.delete(&path_of(&registration)).await;
    deregistered_by_another(&mut states).await;
}

fn registered(path: &str) -> RegistrationState {
    let path = path.to_owned();
    RegistrationState::Registered { path }
}

/// A server that keeps sessions long beyond their timeout, as one does that was restarted.
async fn forgiving_server() -> Server {
    let options = ServerOptions {
        tick: Duration::from_secs(600),
        session_timeout_min: Some(Duration::from_millis(300)),
        ..ServerOptions::default()
    };
    Server::start("127.0.0.1:0", options).await.unwrap()
}

/// Only the client's clock ends the session; the server keeps it, and its znode.
#[tokio::test]
async fn a_session_given_up_leaves_no_second_znode() {
    let server = forgiving_server().await;
    let proxy = Proxy::start(server.local_addr()).await;
    let registration = register(&proxy.servers()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    let path = path_of(&registration);
    let mut states = registration.state();
    proxy.cut();
    let again = |state: &RegistrationState| *state != registered(&path);
    state(&mut states, again).await;
    assert_eq!(admin.children().await.len(), 1, "the server keeps it");
    proxy.heal();
    state(&mut states, is_registered).await;
    let path = path_of(&registration);
    assert_eq!(admin.children().await, [path.trim_start_matches("/hs2/")]);
    admin.delete(&path).await;
    deregistered_by_another(&mut states).await;
}

/// The znode of a session given up goes also when the instance wants to leave just then.
#[tokio::test]
async fn leaving_takes_the_znode_of_a_session_given_up_along() {
    let server = forgiving_server().await;
    let proxy = Proxy::start(server.local_addr()).await;
    let registration = register(&proxy.servers()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    proxy.cut();
    state(&mut registration.state(), |state| !is_registered(state)).await;
    let leaving = tokio::spawn(registration.deregister());
    proxy.heal();
    leaving.await.unwrap().unwrap();
    assert!(admin.children().await.is_empty());
}

#[tokio::test]
async fn a_lost_answer_to_create_makes_neither_two_znodes_nor_none() {
    let server = server().await;
    let proxy = Proxy::start(server.local_addr()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    admin.put("leader", b"").await;
    for _ in 0..3 {
        proxy.lose_answer(OpCode::CREATE);
        let registration = register(&proxy.servers()).await;
        assert!(proxy.has_lost());
        let path = path_of(&registration);
        let children = admin.children().await;
        assert_eq!(children, ["leader", path.trim_start_matches("/hs2/")]);
        registration.deregister().await.unwrap();
        assert_eq!(admin.children().await, ["leader"]);
    }
}

#[tokio::test]
async fn leaving_is_seen_at_once() {
    let server = server().await;
    let registration = register(&server.connect_string()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    let mut states = registration.state();
    registration.deregister().await.unwrap();
    assert!(admin.children().await.is_empty());
    let by = DeregisteredBy::Us;
    let over = |state: &RegistrationState| *state == RegistrationState::Deregistered { by };
    state(&mut states, over).await;
}

#[tokio::test]
async fn leaving_survives_a_lost_connection() {
    let server = server().await;
    let proxy = Proxy::start(server.local_addr()).await;
    let registration = register(&proxy.servers()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    proxy.lose_answer(OpCode::DELETE);
    registration.deregister().await.unwrap();
    assert!(proxy.has_lost());
    assert!(admin.children().await.is_empty());
}

#[tokio::test]
async fn a_dropped_registration_leaves_long_before_its_timeout() {
    let server = forgiving_server().await;
    let registration = register(&server.connect_string()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    admin.count(1).await;
    drop(registration);
    admin.count(0).await;
}

#[tokio::test]
async fn several_instances_with_one_endpoint_leave_each_other_alone() {
    let server = server().await;
    let servers = server.connect_string();
    let first = register(&servers).await;
    let second = register(&servers).await;
    let admin = Admin::connect(&servers).await;
    assert_eq!(admin.children().await.len(), 2);
    first.deregister().await.unwrap();
    let path = path_of(&second);
    assert_eq!(admin.children().await, [path.trim_start_matches("/hs2/")]);
}

#[tokio::test]
async fn zookeeper_away_at_the_start() {
    let server = server().await;
    let address = server.local_addr();
    server.shutdown().await;
    let limit = Duration::from_millis(700);
    let away = ensemble(&address.to_string()).with_timeout(limit);
    let start = Instant::now();
    let error = try_register(&away).await.unwrap_err();
    assert!(start.elapsed() < limit + Duration::from_secs(2));
    let text = error.to_string();
    let parts = [&address.to_string(), "0.7", "check the connect string"];
    assert!(parts.iter().all(|part| text.contains(*part)), "{text}");

    // Started without waiting, it registers when ZooKeeper comes.
    let instance = instance("h:10000", "1.0");
    let registration = Registration::start(&away, &namespace("hs2"), &instance).unwrap();
    assert!(!is_registered(&registration.state().borrow()));
    let server = Server::start(address, ServerOptions::default())
        .await
        .unwrap();
    state(&mut registration.state(), is_registered).await;
    assert_eq!(server.sessions().len(), 1, "nothing of the first attempt");
}

#[tokio::test]
async fn a_refusal_is_told_at_once() {
    let server = server().await;
    let servers = server.connect_string();
    let admin = Admin::connect(&servers).await;
    let read_only = [Acl::world(Perms::READ)];
    let made = admin
        .client
        .create_with_acl("/hs2", b"", CreateMode::PERSISTENT, &read_only);
    made.await.unwrap();
    let error = try_register(&ensemble(&servers)).await.unwrap_err();
    let RegisterError::Refused {
        namespace: path,
        source,
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(
        (path.as_str(), source.code()),
        ("/hs2", Some(ErrorCode::NO_AUTH))
    );
    assert!(
        error.to_string().contains("must give this server CREATE"),
        "{error}"
    );

    let nowhere = format!("{servers}/nowhere");
    let error = try_register(&ensemble(&nowhere)).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("create the path at the end of the connect string"),
        "{error}"
    );

    let options = ConnectOptions::new().auth("no-such-scheme", "x");
    let stranger = ensemble(&servers).with_options(options);
    let error = try_register(&stranger).await.unwrap_err();
    assert!(
        error.to_string().ends_with("correct the credentials"),
        "{error}"
    );
    assert!(admin.children().await.is_empty());
}

#[tokio::test]
async fn leaving_without_zookeeper_ends_in_time() {
    let server = server().await;
    let servers = server.connect_string();
    let limit = Duration::from_secs(2);
    let ensemble = Ensemble::new(&servers).unwrap().with_timeout(limit);
    let registration = try_register(&ensemble).await.unwrap();
    server.shutdown().await;
    let start = Instant::now();
    let error = registration.deregister().await.unwrap_err();
    assert!(matches!(error, LookupError::Unreachable(_)), "{error}");
    assert!(error.to_string().contains(&servers), "{error}");
    assert!(start.elapsed() < limit + Duration::from_secs(3));
}

/// A registration that is not waited for any more leaves nothing behind.
#[tokio::test]
async fn a_cancelled_register_leaves_nothing() {
    let server = server().await;
    let servers = server.connect_string();
    let client = Client::connect(&servers).await.unwrap();
    client.create_all("/hs2").await.unwrap();
    let admin = Admin { client };
    for millis in 0..10 {
        let attempt = tokio::time::timeout(Duration::from_millis(millis), register(&servers));
        drop(attempt.await);
    }
    admin.count(0).await;
}
