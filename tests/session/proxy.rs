use std::net::SocketAddr;
use std::time::Duration;

use tests::backend::Backend;
use tests::on_each_backend;
use tests::proxy::Proxy;
use tests::wait;
use tests::zookeeper::unique_name;
use tokio::time::timeout;
use zk_client::{
    AddWatchMode, Client, ConnectOptions, CreateMode, Error, EventType, Outcome, ServerVersion,
    SessionState, WatchItem, ZnodeVersion,
};

on_each_backend!(
    a_cut_connection_keeps_session_and_one_shot_watches,
    a_change_that_was_missed_is_told_after_the_cut,
    a_lost_answer_says_that_the_request_may_have_been_applied,
    what_is_asked_during_the_cut_is_done_after_it,
    a_half_open_connection_is_noticed_and_left,
    a_recursive_watch_tells_of_the_gap_and_goes_on,
    a_client_reconnects_as_often_as_it_is_cut,
    a_deadline_passes_without_a_server,
);

const T: Duration = Duration::from_secs(6);

async fn a_cut_connection_keeps_session_and_one_shot_watches(backend: Backend) {
    let Cut {
        proxy,
        client,
        root,
        other,
    } = Cut::new(&backend).await;
    let session = client.session_id();
    let (_, _, data) = client.get_data_and_watch(&root).await.unwrap();
    let missing = format!("{root}/missing");
    let (_, created) = client.exists_and_watch(&missing).await.unwrap();
    let ephemeral = format!("{root}/mine");
    client
        .create(&ephemeral, b"", CreateMode::EPHEMERAL)
        .await
        .unwrap();
    proxy.cut();
    disconnected(&client).await;
    proxy.heal();
    client.connected(T).await.unwrap();
    assert_eq!(client.session_id(), session);
    assert!(client.exists(&ephemeral).await.unwrap().is_some());
    // Nothing changed while the client was away: both watches wait on.
    other
        .set_data(&root, b"now", ZnodeVersion::ANY)
        .await
        .unwrap();
    other
        .create(&missing, b"", CreateMode::EPHEMERAL)
        .await
        .unwrap();
    let changed = timeout(T, data.changed()).await.expect("told").unwrap();
    assert_eq!(changed.event_type, EventType::NODE_DATA_CHANGED);
    let changed = timeout(T, created.changed()).await.expect("told").unwrap();
    assert_eq!(changed.event_type, EventType::NODE_CREATED);
}

async fn a_change_that_was_missed_is_told_after_the_cut(backend: Backend) {
    let Cut {
        proxy,
        client,
        root,
        other,
    } = Cut::new(&backend).await;
    let (_, _, data) = client.get_data_and_watch(&root).await.unwrap();
    let (_, children) = client.get_children_and_watch(&root).await.unwrap();
    proxy.cut();
    disconnected(&client).await;
    other
        .set_data(&root, b"missed", ZnodeVersion::ANY)
        .await
        .unwrap();
    other
        .create(&format!("{root}/missed"), b"", CreateMode::EPHEMERAL)
        .await
        .unwrap();
    proxy.heal();
    let changed = timeout(T, data.changed()).await.expect("told").unwrap();
    assert_eq!(changed.event_type, EventType::NODE_DATA_CHANGED);
    let changed = timeout(T, children.changed()).await.expect("told").unwrap();
    assert_eq!(changed.event_type, EventType::NODE_CHILDREN_CHANGED);
}

async fn a_lost_answer_says_that_the_request_may_have_been_applied(backend: Backend) {
    let Cut {
        proxy,
        client,
        root,
        other,
    } = Cut::new(&backend).await;
    // The request passes, its answer does not.
    let path = format!("{root}/sent");
    let created = {
        let (_, watch) = other.exists_and_watch(&path).await.unwrap();
        proxy.set_delay(Duration::from_millis(300));
        let create = tokio::spawn(client.create(&path, b"", CreateMode::PERSISTENT));
        timeout(T, watch.changed())
            .await
            .expect("the server has done it")
            .unwrap();
        proxy.cut();
        create.await.unwrap()
    };
    let error = created.unwrap_err();
    assert!(matches!(&error, Error::ConnectionLoss { .. }), "{error}");
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert!(
        error.to_string().contains("may have been applied"),
        "{error}"
    );
    // A read that is lost changes nothing, and says so.
    proxy.set_delay(Duration::ZERO);
    proxy.heal();
    client.connected(T).await.unwrap();
    assert!(client.exists(&path).await.unwrap().is_some());
}

async fn what_is_asked_during_the_cut_is_done_after_it(backend: Backend) {
    let Cut {
        proxy,
        client,
        root,
        ..
    } = Cut::new(&backend).await;
    proxy.cut();
    disconnected(&client).await;
    let path = format!("{root}/later");
    let create = client.create(&path, b"", CreateMode::PERSISTENT);
    let read = client.get_data(&path);
    proxy.heal();
    assert_eq!(create.await.unwrap(), path);
    read.await.unwrap();
}

async fn a_half_open_connection_is_noticed_and_left(backend: Backend) {
    let Cut {
        proxy,
        client,
        root,
        ..
    } = Cut::new(&backend).await;
    proxy.blackhole();
    let lost = client.get_data(&root).await.unwrap_err();
    assert_eq!(lost.outcome(), Outcome::NotApplied, "{lost}");
    assert!(
        matches!(*client.state().borrow(), SessionState::Disconnected),
        "left within the session timeout"
    );
    proxy.heal();
    proxy.reset_open();
    client.connected(T).await.unwrap();
    client.get_data(&root).await.unwrap();
}

async fn a_recursive_watch_tells_of_the_gap_and_goes_on(backend: Backend) {
    let Cut {
        proxy,
        client,
        root,
        other,
    } = Cut::new(&backend).await;
    // The version is asked at the proxy's address too.
    let watch = client
        .add_watch(&root, AddWatchMode::PERSISTENT_RECURSIVE)
        .await;
    let needed = ServerVersion::new(3, 6, 0);
    if !backend.has(needed) {
        assert!(matches!(watch, Err(Error::Unsupported { needed: told, .. }) if told == needed));
        return;
    }
    let mut watch = watch.unwrap();
    for round in 0..3 {
        proxy.cut();
        disconnected(&client).await;
        proxy.heal();
        let gap = timeout(T, watch.next())
            .await
            .expect("told of the gap")
            .unwrap();
        assert_eq!(gap, WatchItem::Gap);
        let path = format!("{root}/after-{round}");
        other
            .create(&path, b"", CreateMode::EPHEMERAL)
            .await
            .unwrap();
        let item = timeout(T, watch.next()).await.expect("an event").unwrap();
        let WatchItem::Event(event) = item else {
            panic!("{item:?}")
        };
        assert_eq!(
            (event.event_type, event.path),
            (EventType::NODE_CREATED, path)
        );
    }
}

async fn a_client_reconnects_as_often_as_it_is_cut(backend: Backend) {
    let Cut {
        proxy,
        client,
        root,
        ..
    } = Cut::new(&backend).await;
    let session = client.session_id();
    for _ in 0..20 {
        proxy.reset_open();
        // Lost or answered, never hanging; the next one is served.
        let _ = client.get_data(&root).await;
        wait::until("served again", T, async || {
            client.get_data(&root).await.is_ok()
        })
        .await;
    }
    assert_eq!(client.session_id(), session);
}

async fn a_deadline_passes_without_a_server(backend: Backend) {
    let proxy = Proxy::start(address(&backend)).await;
    let options = ConnectOptions::new()
        .session_timeout(T)
        .request_timeout(Duration::from_millis(400));
    let client = Client::connect_with(&proxy.connect_string(), options)
        .await
        .unwrap();
    proxy.cut();
    disconnected(&client).await;
    let path = format!("/{}", unique_name("deadline"));
    let error = client
        .create(&path, b"", CreateMode::EPHEMERAL)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Deadline {
                outcome: Outcome::NotApplied,
                ..
            }
        ),
        "{error}"
    );
    proxy.heal();
    client.connected(T).await.unwrap();
    // It was withdrawn: it is not done later behind the caller's back.
    client.sync("/").await.unwrap();
    assert_eq!(client.exists(&path).await.unwrap(), None);
}

/// A client behind a proxy, a znode of the test's own, and a client that is not cut.
struct Cut {
    proxy: Proxy,
    client: Client,
    root: String,
    other: Client,
}

impl Cut {
    async fn new(backend: &Backend) -> Self {
        let proxy = Proxy::start(address(backend)).await;
        let options = ConnectOptions::new().session_timeout(T);
        let client = Client::connect_with(&proxy.connect_string(), options)
            .await
            .unwrap();
        let other = Client::connect(&backend.connect_string()).await.unwrap();
        let root = format!("/{}", unique_name("proxy"));
        client
            .create(&root, b"", CreateMode::PERSISTENT)
            .await
            .unwrap();
        Self {
            proxy,
            client,
            root,
            other,
        }
    }
}

async fn disconnected(client: &Client) {
    let mut state = client.state();
    let gone = state.wait_for(|state| *state == SessionState::Disconnected);
    timeout(T, gone).await.expect("the cut is noticed").unwrap();
}

fn address(backend: &Backend) -> SocketAddr {
    backend.connect_string().parse().unwrap()
}
