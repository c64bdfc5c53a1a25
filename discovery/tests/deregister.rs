//! Taking a version off the list: exactly that one, and only once.
#![allow(clippy::unwrap_used, reason = "these are tests, helpers included")]

mod common;

use common::{Admin, deregistered_by_another, ensemble, instance, namespace, path_of, server};
use discovery::{DeregisterError, LookupError, Registration, deregister};
use zk_client::{Acl, CreateMode, Perms};

#[tokio::test]
async fn every_instance_of_exactly_that_version_goes() {
    let server = server().await;
    let servers = server.connect_string();
    let (ensemble, hs2) = (ensemble(&servers), namespace("hs2"));
    let admin = Admin::connect(&servers).await;
    admin.put("leader", b"").await;
    // The text `version=1.0;` is in this name too.
    let tricky = "serverUri=h9:1;version=2.0;xversion=1.0;sequence=0000000001";
    admin.put(tricky, b"h9:1").await;
    let mut registrations = Vec::new();
    for version in ["1.0", "1.0.1", "11.0", "1.0"] {
        let instance = instance("h:10000", version);
        let registered = Registration::register(&ensemble, &hs2, &instance).await;
        registrations.push(registered.unwrap());
    }
    let paths: Vec<_> = registrations.iter().map(path_of).collect();

    let done = deregister(&ensemble, &hs2, "1.0").await.unwrap();
    assert_eq!(done.removed, [paths[0].clone(), paths[3].clone()]);
    assert!(done.survivors.is_empty());
    let mut left = vec![
        "leader".to_owned(),
        paths[1].trim_start_matches("/hs2/").to_owned(),
        paths[2].trim_start_matches("/hs2/").to_owned(),
        tricky.to_owned(),
    ];
    left.sort();
    assert_eq!(admin.children().await, left);
    for index in [0, 3] {
        deregistered_by_another(&mut registrations[index].state()).await;
    }
    assert_eq!(path_of(&registrations[1]), paths[1]);

    let error = deregister(&ensemble, &hs2, "1.0").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no instance of version \"1.0\" is registered in /hs2; there are \"1.0.1\", \"11.0\", \"2.0\""
    );
    assert_eq!(admin.children().await, left);
}

#[tokio::test]
async fn nothing_to_deregister_is_said() {
    let server = server().await;
    let servers = server.connect_string();
    let (ensemble, hs2) = (ensemble(&servers), namespace("hs2"));
    let error = deregister(&ensemble, &hs2, "1.0").await.unwrap_err();
    let DeregisterError::Lookup(LookupError::NoNamespace { .. }) = error else {
        panic!("{error}");
    };
    let admin = Admin::connect(&servers).await;
    admin.client.create_all("/hs2").await.unwrap();
    let error = deregister(&ensemble, &hs2, "1.0").await.unwrap_err();
    assert!(
        error.to_string().ends_with("nothing is registered there"),
        "{error}"
    );
}

#[tokio::test]
async fn a_missing_right_names_the_acl() {
    let server = server().await;
    let servers = server.connect_string();
    let admin = Admin::connect(&servers).await;
    let acl = [Acl::world(Perms::READ | Perms::CREATE)];
    let made = admin
        .client
        .create_with_acl("/hs2", b"", CreateMode::PERSISTENT, &acl);
    made.await.unwrap();
    let name = "serverUri=h:1;version=1.0;sequence=0000000000";
    admin.put(name, b"h:1").await;
    let error = deregister(&ensemble(&servers), &namespace("hs2"), "1.0")
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "not allowed to delete /hs2/{name}: the ACL of /hs2 does not give this client DELETE; connect with the credentials of its owner"
        )
    );
    assert_eq!(admin.children().await, [name]);
}

/// Hive's servers of old create their znode again when somebody deletes it.
#[tokio::test]
async fn what_comes_back_is_reported() {
    let server = server().await;
    let servers = server.connect_string();
    let admin = Admin::connect(&servers).await;
    let name = "serverUri=h:1;version=1.0;sequence=0000000000";
    admin.put(name, b"h:1").await;
    let stubborn = Admin::connect(&servers).await;
    let path = format!("/hs2/{name}");
    let task = tokio::spawn({
        let path = path.clone();
        async move {
            loop {
                let (_, watch) = stubborn.client.exists_and_watch(&path).await.unwrap();
                let _ = stubborn
                    .client
                    .create(&path, b"h:1", CreateMode::PERSISTENT)
                    .await;
                watch.changed().await.unwrap();
            }
        }
    });
    let done = deregister(&ensemble(&servers), &namespace("hs2"), "1.0")
        .await
        .unwrap();
    assert!(done.removed.is_empty(), "{done:?}");
    assert_eq!(done.survivors, [path]);
    task.abort();
}

/// The connection is lost again and again while the instances are deleted.
#[tokio::test]
async fn a_bad_connection_changes_nothing() {
    use common::proxy::Proxy;
    use zk_client::OpCode;

    let server = server().await;
    let proxy = Proxy::start(server.local_addr()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    let mut expected = Vec::new();
    for number in 0..3 {
        let name = format!("serverUri=h{number}:1;version=1.0;sequence=000000000{number}");
        admin.put(&name, b"h:1").await;
        expected.push(format!("/hs2/{name}"));
    }
    for op in [
        OpCode::GET_CHILDREN2,
        OpCode::DELETE,
        OpCode::DELETE,
        OpCode::GET_CHILDREN2,
    ] {
        proxy.lose_answer(op);
    }
    let done = deregister(&ensemble(&proxy.servers()), &namespace("hs2"), "1.0")
        .await
        .unwrap();
    assert!(proxy.has_lost());
    assert_eq!(done.removed, expected);
    assert!(admin.children().await.is_empty());
}
