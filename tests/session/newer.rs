use std::time::Duration;

use tests::backend::Backend;
use tests::on_each_backend;
use tests::zookeeper::unique_name;
use zk_client::{
    Acl, AddWatchMode, Client, ConnectOptions, CreateMode, Error, ErrorCode, EventType, Op,
    OpResult, Perms, ReadOp, ReadResult, Reconfig, ServerVersion, WatchItem, WatcherType,
    ZnodeVersion,
};

on_each_backend!(
    a_multi_does_all_or_nothing_and_names_the_culprit,
    several_reads_in_one_request_succeed_and_fail_alone,
    acls_are_read_and_replaced_at_a_version,
    a_znode_is_created_with_its_stat,
    containers_and_times_to_live_are_the_servers_to_delete,
    descendants_are_counted,
    ephemerals_are_listed_without_the_chroot,
    an_identity_added_later_is_known_to_the_server,
    watches_are_checked_and_removed,
    the_ensembles_configuration_is_read_and_guarded,
    what_a_server_lacks_costs_neither_session_nor_neighbours,
    watches_of_every_kind_share_a_path,
);

const V3_5: ServerVersion = ServerVersion::new(3, 5, 0);
const V3_5_1: ServerVersion = ServerVersion::new(3, 5, 1);
const V3_5_3: ServerVersion = ServerVersion::new(3, 5, 3);
const V3_6: ServerVersion = ServerVersion::new(3, 6, 0);
const V3_7: ServerVersion = ServerVersion::new(3, 7, 0);
const V3_9: ServerVersion = ServerVersion::new(3, 9, 0);

/// What the server answers, or, where it is too old, the error that says so.
fn unless_old<R: std::fmt::Debug>(
    backend: &Backend,
    needed: ServerVersion,
    result: Result<R, Error>,
) -> Option<R> {
    if backend.has(needed) {
        return Some(result.unwrap());
    }
    let error = result.unwrap_err();
    let Error::Unsupported {
        needed: told,
        server,
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!((told, server), (needed, Some(backend.version())));
    let text = error.to_string();
    assert!(
        text.contains(&format!("needs ZooKeeper {needed}")),
        "{text}"
    );
    None
}

async fn a_multi_does_all_or_nothing_and_names_the_culprit(backend: Backend) {
    let (client, root) = client(&backend).await;
    let (a, b) = (format!("{root}/a"), format!("{root}/b-"));
    let results = client
        .multi(&[
            Op::create(&a, b"1", CreateMode::PERSISTENT),
            Op::set_data(&a, b"2", ZnodeVersion(0)),
            Op::check(&a, ZnodeVersion(1)),
            Op::create(&b, b"", CreateMode::EPHEMERAL_SEQUENTIAL),
            Op::delete(&a, ZnodeVersion(1)),
        ])
        .await
        .unwrap();
    let [
        OpResult::Created { path, .. },
        OpResult::DataSet(stat),
        OpResult::Checked,
        OpResult::Created { path: numbered, .. },
        OpResult::Deleted,
    ] = &results[..]
    else {
        panic!("{results:?}")
    };
    assert_eq!((path, stat.version), (&a, 1));
    assert_eq!(*numbered, format!("{b}0000000001"));
    assert_eq!(client.exists(&a).await.unwrap(), None);

    let error = client
        .multi(&[
            Op::create(&a, b"", CreateMode::PERSISTENT),
            Op::delete(&format!("{root}/missing"), ZnodeVersion::ANY),
            Op::delete(&a, ZnodeVersion::ANY),
        ])
        .await
        .unwrap_err();
    let text = format!(
        "multi: operation 1 (delete {root}/missing): the server answered NoNode (-101); none was applied"
    );
    assert_eq!(error.to_string(), text);
    assert_eq!(client.exists(&a).await.unwrap(), None);
    assert_eq!(client.multi(&[]).await.unwrap(), []);

    client.check(&root, ZnodeVersion(0)).await.unwrap();
    let wrong = client.check(&root, ZnodeVersion(7)).await.unwrap_err();
    assert_eq!(wrong.code(), Some(ErrorCode::BAD_VERSION));
    client.close().await;
}

async fn several_reads_in_one_request_succeed_and_fail_alone(backend: Backend) {
    let (client, root) = client(&backend).await;
    let (child, missing) = (format!("{root}/child"), format!("{root}/missing"));
    client
        .create(&child, b"data", CreateMode::EPHEMERAL)
        .await
        .unwrap();
    let reads = [
        ReadOp::Data(&child),
        ReadOp::Data(&missing),
        ReadOp::Children(&root),
    ];
    let result = client.multi_read(&reads).await;
    if let Some(results) = unless_old(&backend, V3_6, result) {
        let Ok(ReadResult::Data(data, stat)) = &results[0] else {
            panic!("{results:?}")
        };
        assert_eq!((&data[..], stat.data_length), (&b"data"[..], 4));
        assert_eq!(results[1], Err(ErrorCode::NO_NODE));
        let Ok(ReadResult::Children(children)) = &results[2] else {
            panic!("{results:?}")
        };
        assert_eq!(children.to_vec(), ["child"]);
    }
    client.close().await;
}

async fn acls_are_read_and_replaced_at_a_version(backend: Backend) {
    let (client, root) = client(&backend).await;
    let (acl, stat) = client.get_acl(&root).await.unwrap();
    assert_eq!((&acl[..], stat.aversion), (Acl::OPEN, 0));
    let read_only = [Acl::world(Perms::READ | Perms::ADMIN)];
    let changed = client
        .set_acl(&root, &read_only, ZnodeVersion(0))
        .await
        .unwrap();
    assert_eq!(changed.aversion, 1);
    assert_eq!(client.get_acl(&root).await.unwrap().0, read_only);
    let stale = client.set_acl(&root, Acl::OPEN, ZnodeVersion(0)).await;
    assert_eq!(stale.unwrap_err().code(), Some(ErrorCode::BAD_VERSION));
    let refused = client.set_data(&root, b"", ZnodeVersion::ANY).await;
    assert_eq!(refused.unwrap_err().code(), Some(ErrorCode::NO_AUTH));
    client.close().await;
}

async fn a_znode_is_created_with_its_stat(backend: Backend) {
    let (client, root) = client(&backend).await;
    let path = format!("{root}/n-");
    let mode = CreateMode::EPHEMERAL_SEQUENTIAL;
    let result = client
        .create_with_stat(&path, b"abc", mode, Acl::OPEN)
        .await;
    if let Some((created, stat)) = unless_old(&backend, V3_5, result) {
        assert_eq!(created, format!("{path}0000000000"));
        assert_eq!(stat.ephemeral_owner, client.session_id());
        assert_eq!(client.exists(&created).await.unwrap(), Some(stat));
    }
    client.close().await;
}

async fn containers_and_times_to_live_are_the_servers_to_delete(backend: Backend) {
    let (client, root) = client(&backend).await;
    let container = format!("{root}/container");
    let created = client.create(&container, b"", CreateMode::CONTAINER).await;
    if unless_old(&backend, V3_5_1, created).is_some() {
        let child = format!("{container}/child");
        client
            .create(&child, b"", CreateMode::PERSISTENT)
            .await
            .unwrap();
        client.delete(&child, ZnodeVersion::ANY).await.unwrap();
        let results = client
            .multi(&[Op::create(
                &format!("{root}/second"),
                b"",
                CreateMode::CONTAINER,
            )])
            .await
            .unwrap();
        assert!(matches!(
            &results[..],
            [OpResult::Created { stat: Some(_), .. }]
        ));
    }
    let path = format!("{root}/leased");
    let (mode, ttl) = (CreateMode::PERSISTENT_WITH_TTL, Duration::from_millis(300));
    let created = client
        .create_with_ttl(&path, b"", mode, Acl::OPEN, ttl)
        .await;
    if let Some((created, stat)) = unless_old(&backend, V3_5_3, created) {
        assert_eq!((created, stat.data_length), (path.clone(), 0));
        let (_, gone) = client.exists_and_watch(&path).await.unwrap();
        let (stat, emptied) = client.exists_and_watch(&container).await.unwrap();
        assert!(stat.is_some());
        // Servers look at their containers every second here.
        for watch in [gone, emptied] {
            let event = tokio::time::timeout(Duration::from_secs(20), watch.changed());
            let event = event.await.expect("the server deletes it").unwrap();
            assert_eq!(event.event_type, EventType::NODE_DELETED);
        }
        let mode = CreateMode::PERSISTENT;
        let wrong = client
            .create_with_ttl(&path, b"", mode, Acl::OPEN, ttl)
            .await;
        assert_eq!(wrong.unwrap_err().code(), Some(ErrorCode::BAD_ARGUMENTS));
    }
    client.close().await;
}

async fn descendants_are_counted(backend: Backend) {
    let (client, root) = client(&backend).await;
    client.create_all(&format!("{root}/x/y/z")).await.unwrap();
    let result = client.get_all_children_number(&root).await;
    if let Some(count) = unless_old(&backend, V3_6, result) {
        assert_eq!(count, 3);
    }
    client.close().await;
}

async fn ephemerals_are_listed_without_the_chroot(backend: Backend) {
    let (outer, root) = client(&backend).await;
    let servers = format!("{}{root}", backend.connect_string());
    let inner = Client::connect(&servers).await.unwrap();
    for path in ["/apple", "/apple-pie", "/pear"] {
        let created = inner.create(path, b"", CreateMode::EPHEMERAL).await;
        created.unwrap();
    }
    let result = inner.get_ephemerals("/app").await;
    if let Some(mut paths) = unless_old(&backend, V3_6, result) {
        paths.sort();
        assert_eq!(paths, ["/apple", "/apple-pie"]);
        assert_eq!(inner.get_ephemerals("/").await.unwrap().len(), 3);
    }
    inner.close().await;
    outer.close().await;
}

async fn an_identity_added_later_is_known_to_the_server(backend: Backend) {
    let (client, root) = client(&backend).await;
    let path = format!("{root}/bobs");
    // Asked in one flight: what follows the identity is done under it.
    let proven = client.add_auth("digest", b"bob:secret");
    let mode = CreateMode::EPHEMERAL;
    let created = client.create_with_acl(&path, b"", mode, Acl::CREATOR_ALL);
    proven.await.unwrap();
    created.await.unwrap();
    let (acl, _) = client.get_acl(&path).await.unwrap();
    assert_eq!((&*acl[0].scheme, acl.len()), ("digest", 1));
    assert!(acl[0].id.starts_with("bob:"), "{acl:?}");
    if let Some(identities) = unless_old(&backend, V3_7, client.who_am_i().await) {
        let mut schemes: Vec<_> = identities.iter().map(|id| &*id.scheme).collect();
        schemes.sort_unstable();
        assert_eq!(schemes, ["digest", "ip"]);
        assert!(
            identities.iter().any(|id| id.user == "bob"),
            "{identities:?}"
        );
    }
    client.close().await;
}

async fn watches_are_checked_and_removed(backend: Backend) {
    let (client, root) = client(&backend).await;
    let (_, _, data) = client.get_data_and_watch(&root).await.unwrap();
    let (_, children) = client.get_children_and_watch(&root).await.unwrap();
    let checked = client.check_watches(&root, WatcherType::CHILDREN).await;
    if unless_old(&backend, V3_5, checked) == Some(true) {
        data.remove().await.unwrap();
        // The other watch of the path keeps both: the server would remove them together.
        assert!(
            client
                .check_watches(&root, WatcherType::CHILDREN)
                .await
                .unwrap()
        );
        children.remove().await.unwrap();
        assert!(!client.check_watches(&root, WatcherType::ANY).await.unwrap());
    } else {
        assert!(!backend.has(V3_5), "the watch stands");
        drop(data);
        let removed = children.remove().await;
        unless_old(&backend, V3_5, removed);
    }
    let mode = AddWatchMode::PERSISTENT_RECURSIVE;
    let watch = client.add_watch(&root, mode).await;
    if let Some(watch) = unless_old(&backend, V3_6, watch) {
        let standing = client.check_watches(&root, WatcherType::ANY).await;
        assert!(standing.unwrap());
        let by_kind = client.check_watches(&root, WatcherType::PERSISTENT_RECURSIVE);
        if let Some(standing) = unless_old(&backend, V3_9, by_kind.await) {
            assert!(standing);
        }
        watch.remove().await.unwrap();
        assert!(!client.check_watches(&root, WatcherType::ANY).await.unwrap());
    }
    client.close().await;
}

async fn the_ensembles_configuration_is_read_and_guarded(backend: Backend) {
    // The chroot does not hide it.
    let (outer, root) = client(&backend).await;
    let servers = format!("{}{root}", backend.connect_string());
    let client = Client::connect(&servers).await.unwrap();
    match client.get_config_and_watch().await {
        Ok((_, stat, _)) => assert_eq!(stat.ephemeral_owner, zk_client::SessionId::NONE),
        Err(error) => assert!(error.is_no_node() && !backend.has(V3_5), "{error}"),
    }
    let change = Reconfig::Incremental {
        joining: "",
        leaving: "3",
    };
    let refused = client.reconfig(change, None).await.unwrap_err();
    if backend.has(V3_5) {
        let code = refused.code();
        let guards = [ErrorCode::RECONFIG_DISABLED, ErrorCode::UNIMPLEMENTED];
        assert!(code.is_some_and(|code| guards.contains(&code)), "{refused}");
    } else {
        assert!(matches!(refused, Error::Unsupported { .. }), "{refused}");
    }
    client.sync("/").await.unwrap();
    client.close().await;
    outer.close().await;
}

async fn what_a_server_lacks_costs_neither_session_nor_neighbours(backend: Backend) {
    let (client, root) = client(&backend).await;
    let session = client.session_id();
    let path = format!("{root}/n-");
    let before = client.create(&path, b"", CreateMode::EPHEMERAL_SEQUENTIAL);
    let newer = client.who_am_i();
    let behind = client.create(&path, b"", CreateMode::EPHEMERAL_SEQUENTIAL);
    assert_eq!(before.await.unwrap(), format!("{path}0000000000"));
    unless_old(&backend, V3_7, newer.await);
    assert_eq!(behind.await.unwrap(), format!("{path}0000000001"));
    assert_eq!(client.session_id(), session);
    assert_eq!(client.counters().connects, 1, "no connection was lost");
    client.close().await;
}

/// Servers before 3.9 keep one watch of a connection for a path; the client serves all watchers from it.
async fn watches_of_every_kind_share_a_path(backend: Backend) {
    let (client, root) = client(&backend).await;
    let (_, children) = client.get_children_and_watch(&root).await.unwrap();
    let recursive = AddWatchMode::PERSISTENT_RECURSIVE;
    let recursive = client.add_watch(&root, recursive).await;
    let Some(mut recursive) = unless_old(&backend, V3_6, recursive) else {
        return client.close().await;
    };
    let persistent = client.add_watch(&root, AddWatchMode::PERSISTENT).await;
    let mut persistent = persistent.unwrap();
    let (_, _, data) = client.get_data_and_watch(&root).await.unwrap();

    let other = Client::connect(&backend.connect_string()).await.unwrap();
    let child = format!("{root}/child");
    let any = ZnodeVersion::ANY;
    other
        .create(&child, b"", CreateMode::PERSISTENT)
        .await
        .unwrap();
    other.set_data(&root, b"1", any).await.unwrap();
    other.set_data(&root, b"2", any).await.unwrap();
    other.delete(&child, any).await.unwrap();
    // Its own writes come last, and their events before their answers.
    let last = format!("{root}/last");
    client
        .create(&last, b"", CreateMode::EPHEMERAL)
        .await
        .unwrap();

    let soon = Duration::from_secs(10);
    let event = tokio::time::timeout(soon, children.changed()).await;
    let event = event.expect("told").unwrap();
    assert_eq!(
        (event.event_type, &event.path),
        (EventType::NODE_CHILDREN_CHANGED, &root)
    );
    let event = tokio::time::timeout(soon, data.changed()).await;
    assert_eq!(
        event.expect("told").unwrap().event_type,
        EventType::NODE_DATA_CHANGED
    );
    let seen = async |watch: &mut zk_client::PersistentWatch, count: usize| {
        let mut events = Vec::new();
        while events.len() < count {
            let item = tokio::time::timeout(soon, watch.next()).await;
            let WatchItem::Event(event) = item.expect("told").unwrap() else {
                panic!("no gap")
            };
            events.push((event.event_type, event.path));
        }
        events
    };
    let children_changed = (EventType::NODE_CHILDREN_CHANGED, root.clone());
    let data_changed = (EventType::NODE_DATA_CHANGED, root.clone());
    assert_eq!(
        seen(&mut persistent, 5).await,
        [
            children_changed.clone(),
            data_changed.clone(),
            data_changed.clone(),
            children_changed.clone(),
            children_changed
        ]
    );
    assert_eq!(
        seen(&mut recursive, 5).await,
        [
            (EventType::NODE_CREATED, child.clone()),
            data_changed.clone(),
            data_changed,
            (EventType::NODE_DELETED, child),
            (EventType::NODE_CREATED, last)
        ]
    );
    other.close().await;
    client.close().await;
}

/// A server that does not tell its version is asked nothing blind: the request goes alone.
#[tokio::test]
async fn a_silent_server_is_tried_and_its_refusal_remembered() {
    for (version, has_it) in [((3, 9, 5), true), ((3, 4, 14), false)] {
        let (major, minor, patch) = version;
        let options = zk_server::ServerOptions {
            emulate_version: ServerVersion::new(major, minor, patch),
            four_letter_words: Some(Vec::new()),
            ..Default::default()
        };
        let server = zk_server::Server::start("127.0.0.1:0", options)
            .await
            .unwrap();
        let servers = server.connect_string();
        let options = ConnectOptions::new().request_timeout(Duration::from_secs(30));
        let client = Client::connect_with(&servers, options).await.unwrap();
        let session = client.session_id();
        let writes: Vec<_> = (0..20)
            .map(|_| client.create("/n-", b"", CreateMode::EPHEMERAL_SEQUENTIAL))
            .collect();
        let newer = client.who_am_i();
        let behind = client.create("/n-", b"", CreateMode::EPHEMERAL_SEQUENTIAL);
        for write in writes {
            write.await.unwrap();
        }
        match newer.await {
            Ok(identities) => assert!(has_it && !identities.is_empty()),
            Err(Error::Unsupported { server: None, .. }) => assert!(!has_it),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(behind.await.unwrap(), "/n-0000000020");
        let again = client.who_am_i().await;
        assert_eq!(again.is_ok(), has_it);
        assert_eq!(client.session_id(), session);
        let connects = if has_it { 1 } else { 2 };
        assert_eq!(client.counters().connects, connects, "refused once");
        client.close().await;
    }
}

/// A client, and a znode of the test's own.
async fn client(backend: &Backend) -> (Client, String) {
    let client = Client::connect(&backend.connect_string()).await.unwrap();
    let root = format!("/{}", unique_name("newer"));
    client
        .create(&root, b"", CreateMode::PERSISTENT)
        .await
        .unwrap();
    (client, root)
}
