use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use tests::backend::Backend;
use tests::on_each_backend;
use tests::proxy::Proxy;
use tests::wait;
use tests::zookeeper::unique_name;
use tokio::time::timeout;
use zk_client::{Acl, Client, ConnectOptions, CreateMode, Error, Outcome, Perms, path};

use crate::cutter::{Cut, Cutter};

on_each_backend!(
    no_lost_answer_makes_two_znodes_or_none,
    a_dropped_create_leaves_no_znode,
    a_create_in_doubt_at_its_deadline_leaves_no_znode,
    a_session_that_ends_in_doubt_says_so,
    a_refusal_is_the_servers_own_and_final,
    a_parent_that_cannot_be_read_leaves_the_create_in_doubt,
);

const T: Duration = Duration::from_secs(6);

/// 200 creates, each cut off at one of three places, by four clients at a time.
async fn no_lost_answer_makes_two_znodes_or_none(backend: Backend) {
    const ROUNDS: usize = 50;
    let other = Client::connect(&backend.connect_string()).await.unwrap();
    let root = format!("/{}", unique_name("protected"));
    other
        .create(&root, b"", CreateMode::PERSISTENT)
        .await
        .unwrap();
    let modes = [
        CreateMode::PERSISTENT,
        CreateMode::EPHEMERAL,
        CreateMode::PERSISTENT_SEQUENTIAL,
        CreateMode::EPHEMERAL_SEQUENTIAL,
    ];
    let clients = modes.map(|mode| {
        let (backend, root) = (&backend, &root);
        async move {
            let (cutter, client) = cut_client(backend).await;
            let mut paths = Vec::new();
            for round in 0..ROUNDS {
                cutter.arm([Cut::Answer, Cut::Between, Cut::Request][round % 3]);
                let wanted = format!("{root}/{mode:?}-{round}-");
                let path = client
                    .create_protected(&wanted, b"x", mode, Acl::OPEN)
                    .await
                    .unwrap();
                let name = path::name(&path).get("_c_".len() + 36 + 1..).unwrap();
                assert!(name.starts_with(path::name(&wanted)), "{path}");
                paths.push(path);
            }
            // Once a round, or a ping was cut in its place.
            assert!(cutter.cuts() >= ROUNDS as u64, "{} cuts", cutter.cuts());
            (client, paths)
        }
    });
    let made = futures::future::join_all(clients).await;
    let paths: BTreeSet<_> = made.iter().flat_map(|(_, paths)| paths.clone()).collect();
    assert_eq!(paths.len(), modes.len() * ROUNDS);
    assert_eq!(listed(&other, &root).await, paths);
}

async fn a_dropped_create_leaves_no_znode(backend: Backend) {
    let InDoubt {
        proxy,
        client,
        other,
        root,
    } = InDoubt::new(&backend, T, T).await;
    let wanted = format!("{root}/job-");
    let (_, applied) = other.get_children_and_watch(&root).await.unwrap();
    {
        let mode = CreateMode::PERSISTENT_SEQUENTIAL;
        let mut create = pin!(client.create_protected(&wanted, b"", mode, Acl::OPEN));
        assert!(timeout(Duration::ZERO, create.as_mut()).await.is_err());
        timeout(T, applied.changed())
            .await
            .expect("the server has done it")
            .unwrap();
        proxy.cut();
        assert_eq!(listed(&other, &root).await.len(), 1);
    }
    proxy.heal();
    let empty = async || listed(&other, &root).await.is_empty();
    wait::until("the znode is deleted", T, empty).await;
    client.close().await;
}

async fn a_create_in_doubt_at_its_deadline_leaves_no_znode(backend: Backend) {
    let limit = Duration::from_secs(1);
    let InDoubt {
        proxy,
        client,
        other,
        root,
    } = InDoubt::new(&backend, T, limit).await;
    let wanted = format!("{root}/job-");
    let (_, applied) = other.get_children_and_watch(&root).await.unwrap();
    let mode = CreateMode::PERSISTENT_SEQUENTIAL;
    let create = client.create_protected(&wanted, b"", mode, Acl::OPEN);
    let cut = async {
        timeout(T, applied.changed())
            .await
            .expect("the server has done it")
            .unwrap();
        proxy.cut();
    };
    let (created, ()) = tokio::join!(create, cut);
    let error = created.unwrap_err();
    let Error::Deadline { path, outcome, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(*outcome, Outcome::Unknown);
    assert!(path.starts_with(&format!("{root}/_c_")), "{path}");
    assert_eq!(listed(&other, &root).await.len(), 1);
    proxy.set_delay(Duration::ZERO);
    proxy.heal();
    let empty = async || listed(&other, &root).await.is_empty();
    wait::until("the znode is deleted", T, empty).await;
    client.close().await;
}

async fn a_session_that_ends_in_doubt_says_so(backend: Backend) {
    let short = Duration::from_millis(1500);
    let InDoubt {
        proxy,
        client,
        other,
        root,
    } = InDoubt::new(&backend, short, 5 * T).await;
    let wanted = format!("{root}/job-");
    let (_, applied) = other.get_children_and_watch(&root).await.unwrap();
    let mode = CreateMode::PERSISTENT_SEQUENTIAL;
    let create = client.create_protected(&wanted, b"", mode, Acl::OPEN);
    let cut = async {
        timeout(T, applied.changed())
            .await
            .expect("the server has done it")
            .unwrap();
        proxy.cut();
    };
    let (created, ()) = tokio::join!(create, cut);
    let error = created.unwrap_err();
    let Error::SessionEnded { path, outcome, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(*outcome, Outcome::Unknown);
    // What may be left is named but for its digits.
    let left = listed(&other, &root).await;
    assert!(left.iter().all(|znode| znode.starts_with(path)), "{error}");
    assert_eq!(left.len(), 1);
}

async fn a_refusal_is_the_servers_own_and_final(backend: Backend) {
    let client = Client::connect(&backend.connect_string()).await.unwrap();
    let missing = format!("/{}/job-", unique_name("missing"));
    let mode = CreateMode::EPHEMERAL_SEQUENTIAL;
    let error = client
        .create_protected(&missing, b"", mode, Acl::OPEN)
        .await
        .unwrap_err();
    assert!(error.is_no_node(), "{error}");
    assert_eq!(error.outcome(), Outcome::NotApplied);
    let malformed = client.create_protected("job", b"", mode, Acl::OPEN).await;
    assert!(matches!(malformed, Err(Error::Path(_))));
    client.close().await;
}

/// Where a listing of the parent is forbidden, a lost answer stays in doubt, and the error says so.
async fn a_parent_that_cannot_be_read_leaves_the_create_in_doubt(backend: Backend) {
    let (cutter, client) = cut_client(&backend).await;
    let other = Client::connect(&backend.connect_string()).await.unwrap();
    let root = format!("/{}", unique_name("unreadable"));
    let acl = [Acl::world(Perms::CREATE)];
    other
        .create_with_acl(&root, b"", CreateMode::PERSISTENT, &acl)
        .await
        .unwrap();
    cutter.arm(Cut::Answer);
    let mode = CreateMode::EPHEMERAL_SEQUENTIAL;
    let path = format!("{root}/job-");
    let error = client
        .create_protected(&path, b"", mode, Acl::OPEN)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ConnectionLoss { .. }), "{error}");
    assert_eq!(error.outcome(), Outcome::Unknown);
    client.close().await;
}

/// A client behind a proxy that delays, so that an answer can be cut off after the server has done what was asked.
struct InDoubt {
    proxy: Proxy,
    client: Client,
    other: Client,
    root: String,
}

impl InDoubt {
    async fn new(backend: &Backend, session_timeout: Duration, request_timeout: Duration) -> Self {
        let proxy = Proxy::start(address(backend)).await;
        let options = ConnectOptions::new()
            .session_timeout(session_timeout)
            .request_timeout(request_timeout);
        let client = Client::connect_with(&proxy.connect_string(), options)
            .await
            .unwrap();
        let other = Client::connect(&backend.connect_string()).await.unwrap();
        let root = format!("/{}", unique_name("doubt"));
        other
            .create(&root, b"", CreateMode::PERSISTENT)
            .await
            .unwrap();
        proxy.set_delay(Duration::from_millis(300));
        Self {
            proxy,
            client,
            other,
            root,
        }
    }
}

async fn cut_client(backend: &Backend) -> (Cutter, Client) {
    let cutter = Cutter::start(address(backend)).await;
    let options = ConnectOptions::new().session_timeout(T);
    let client = Client::connect_with(&cutter.connect_string(), options)
        .await
        .unwrap();
    (cutter, client)
}

/// The paths of a znode's children, as every server knows them by now.
async fn listed(client: &Client, root: &str) -> BTreeSet<String> {
    client.sync(root).await.unwrap();
    let children = client.get_children(root).await.unwrap();
    let names = children.to_vec();
    names.iter().map(|name| path::join(root, name)).collect()
}

fn address(backend: &Backend) -> SocketAddr {
    backend.connect_string().parse().unwrap()
}
