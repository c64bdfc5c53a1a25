use futures::future::try_join_all;
use tests::backend::Backend;
use tests::on_each_backend;
use tests::zookeeper::unique_name;
use zk_client::{
    Acl, Client, ConnectOptions, CreateMode, ErrorCode, Outcome, Perms, SessionId, ZnodeVersion,
};

on_each_backend!(
    znodes_are_created_read_changed_and_deleted,
    errors_are_the_servers_own,
    sequential_names_count_up,
    ephemeral_znodes_belong_to_the_session,
    a_chroot_is_invisible,
    hundreds_of_requests_in_flight_are_answered_in_order,
    acls_are_kept_and_enforced,
    a_list_of_many_children_is_whole,
    missing_parents_are_created,
);

async fn znodes_are_created_read_changed_and_deleted(backend: Backend) {
    let (client, root) = client(&backend).await;
    let path = format!("{root}/a");
    assert_eq!(
        client
            .create(&path, b"one", CreateMode::PERSISTENT)
            .await
            .unwrap(),
        path
    );
    let (data, stat) = client.get_data(&path).await.unwrap();
    assert_eq!(
        (&data[..], stat.version, stat.data_length),
        (&b"one"[..], 0, 3)
    );
    assert_eq!(stat.ephemeral_owner, SessionId::NONE);
    let changed = client
        .set_data(&path, b"two", ZnodeVersion(0))
        .await
        .unwrap();
    assert_eq!(changed.version, 1);
    assert_eq!(client.exists(&path).await.unwrap(), Some(changed));
    let (children, parent) = client.get_children_with_stat(&root).await.unwrap();
    assert_eq!(
        (children.to_vec(), parent.num_children),
        (vec!["a".to_owned()], 1)
    );
    client.sync(&path).await.unwrap();
    client.delete(&path, ZnodeVersion(1)).await.unwrap();
    assert_eq!(client.exists(&path).await.unwrap(), None);
    client.close().await;
}

async fn errors_are_the_servers_own(backend: Backend) {
    let (client, root) = client(&backend).await;
    let missing = format!("{root}/missing");
    let error = client.get_data(&missing).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("getData {missing}: the server answered NoNode (-101)")
    );
    assert!(error.is_no_node() && error.outcome() == Outcome::NotApplied);
    let exists = client
        .create(&root, b"", CreateMode::PERSISTENT)
        .await
        .unwrap_err();
    assert!(exists.is_node_exists());
    let version = client
        .set_data(&root, b"", ZnodeVersion(7))
        .await
        .unwrap_err();
    assert_eq!(version.code(), Some(ErrorCode::BAD_VERSION));
    client
        .create(&format!("{root}/child"), b"", CreateMode::EPHEMERAL)
        .await
        .unwrap();
    let full = client.delete(&root, ZnodeVersion::ANY).await.unwrap_err();
    assert_eq!(full.code(), Some(ErrorCode::NOT_EMPTY));
    let below = client
        .create(&format!("{root}/child/x"), b"", CreateMode::PERSISTENT)
        .await
        .unwrap_err();
    assert_eq!(below.code(), Some(ErrorCode::NO_CHILDREN_FOR_EPHEMERALS));
    let malformed = client.get_data("no-slash").await.unwrap_err();
    assert!(
        malformed.to_string().contains("must start with `/`"),
        "{malformed}"
    );
    let large = client
        .set_data(&root, &vec![0; 2 << 20], ZnodeVersion::ANY)
        .await
        .unwrap_err();
    assert!(
        large.to_string().contains("over the limit of 1048575"),
        "{large}"
    );
    client.close().await;
}

async fn sequential_names_count_up(backend: Backend) {
    let (client, root) = client(&backend).await;
    let prefix = format!("{root}/n-");
    let creates = (0..20).map(|_| client.create(&prefix, b"", CreateMode::EPHEMERAL_SEQUENTIAL));
    let paths = try_join_all(creates).await.unwrap();
    let expected: Vec<_> = (0..20)
        .map(|number| format!("{prefix}{number:010}"))
        .collect();
    // Asked in one flight and answered in the order of the calls.
    assert_eq!(paths, expected);
    client.close().await;
}

async fn ephemeral_znodes_belong_to_the_session(backend: Backend) {
    let (client, root) = client(&backend).await;
    let path = format!("{root}/e");
    let other = Client::connect(&backend.connect_string()).await.unwrap();
    other
        .create(&path, b"", CreateMode::EPHEMERAL)
        .await
        .unwrap();
    client.sync(&path).await.unwrap();
    assert_eq!(
        client.exists(&path).await.unwrap().unwrap().ephemeral_owner,
        other.session_id()
    );
    other.close().await;
    client.sync(&path).await.unwrap();
    assert_eq!(client.exists(&path).await.unwrap(), None);
    client.close().await;
}

async fn a_chroot_is_invisible(backend: Backend) {
    let (outer, root) = client(&backend).await;
    let inner = Client::connect(&format!("{}{root}", backend.connect_string()))
        .await
        .unwrap();
    assert_eq!(
        inner
            .create("/a-", b"x", CreateMode::PERSISTENT_SEQUENTIAL)
            .await
            .unwrap(),
        "/a-0000000000"
    );
    let (_, watch) = inner.get_children_and_watch("/").await.unwrap();
    outer
        .delete(&format!("{root}/a-0000000000"), ZnodeVersion::ANY)
        .await
        .unwrap();
    assert_eq!(watch.changed().await.unwrap().path, "/");
    inner.close().await;
    outer.close().await;
}

async fn hundreds_of_requests_in_flight_are_answered_in_order(backend: Backend) {
    let (client, root) = client(&backend).await;
    let path = format!("{root}/counter");
    client
        .create(&path, b"0", CreateMode::PERSISTENT)
        .await
        .unwrap();
    let writes = (0..300).map(|version| {
        client.set_data(&path, version.to_string().as_bytes(), ZnodeVersion(version))
    });
    let stats = try_join_all(writes).await.unwrap();
    assert!(stats.iter().map(|stat| stat.version).eq(1..=300));
    client.close().await;
}

async fn acls_are_kept_and_enforced(backend: Backend) {
    let (open, root) = client(&backend).await;
    let options = ConnectOptions::new().auth("digest", "bob:secret");
    let bob = Client::connect_with(&backend.connect_string(), options)
        .await
        .unwrap();
    let path = format!("{root}/bobs");
    let acl = [Acl::CREATOR_ALL[0].clone(), Acl::world(Perms::READ)];
    bob.create_with_acl(&path, b"mine", CreateMode::PERSISTENT, &acl)
        .await
        .unwrap();
    open.sync(&path).await.unwrap();
    assert_eq!(&open.get_data(&path).await.unwrap().0[..], b"mine");
    let refused = open
        .set_data(&path, b"theirs", ZnodeVersion::ANY)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::NO_AUTH));
    bob.set_data(&path, b"still mine", ZnodeVersion::ANY)
        .await
        .unwrap();
    bob.close().await;
    open.close().await;
}

async fn a_list_of_many_children_is_whole(backend: Backend) {
    let (client, root) = client(&backend).await;
    let names: Vec<_> = (0..2000)
        .map(|number| format!("child-{number:05}-{}", "x".repeat(40)))
        .collect();
    let creates = names
        .iter()
        .map(|name| client.create(&format!("{root}/{name}"), b"", CreateMode::EPHEMERAL));
    try_join_all(creates).await.unwrap();
    let mut listed = client.get_children(&root).await.unwrap().to_vec();
    listed.sort();
    assert_eq!(listed, names);
    client.close().await;
}

async fn missing_parents_are_created(backend: Backend) {
    let (client, root) = client(&backend).await;
    let deep = format!("{root}/x/y/z");
    client.create_all(&deep).await.unwrap();
    client.create_all(&deep).await.unwrap();
    assert!(client.exists(&deep).await.unwrap().is_some());
    client.close().await;
}

/// A client, and a znode of the test's own.
async fn client(backend: &Backend) -> (Client, String) {
    let client = Client::connect(&backend.connect_string()).await.unwrap();
    let root = format!("/{}", unique_name("operations"));
    client
        .create(&root, b"", CreateMode::PERSISTENT)
        .await
        .unwrap();
    (client, root)
}
