use std::time::Duration;

use tests::backend::Backend;
use tests::on_each_backend;
use tests::zookeeper::unique_name;
use tokio::time::timeout;
use zk_client::{
    AddWatchMode, Client, CreateMode, Error, EventType, OpCode, Outcome, PersistentWatch,
    ServerVersion, WatchItem, WatchedEvent, ZnodeVersion,
};

const PERSISTENT_WATCHES: ServerVersion = ServerVersion::new(3, 6, 0);

on_each_backend!(
    a_one_shot_watch_tells_of_the_next_change,
    a_watch_on_a_missing_znode_tells_of_its_creation,
    a_recursive_watch_names_every_change_below,
    a_persistent_watch_goes_on,
    a_dropped_watch_is_forgotten,
    an_event_comes_before_the_answer_that_could_show_it,
);

async fn a_one_shot_watch_tells_of_the_next_change(backend: Backend) {
    let (client, root) = client(&backend).await;
    let (_, _, data) = client.get_data_and_watch(&root).await.unwrap();
    let (_, children) = client.get_children_and_watch(&root).await.unwrap();
    let path = format!("{root}/a");
    client
        .create(&path, b"", CreateMode::EPHEMERAL)
        .await
        .unwrap();
    assert_eq!(
        told(children.changed()).await,
        event(EventType::NODE_CHILDREN_CHANGED, &root)
    );
    client
        .set_data(&root, b"new", ZnodeVersion::ANY)
        .await
        .unwrap();
    assert_eq!(
        told(data.changed()).await,
        event(EventType::NODE_DATA_CHANGED, &root)
    );
    let (_, stat) = client.exists_and_watch(&path).await.unwrap();
    client.delete(&path, ZnodeVersion::ANY).await.unwrap();
    assert_eq!(
        told(stat.changed()).await,
        event(EventType::NODE_DELETED, &path)
    );
    client.close().await;
}

async fn a_watch_on_a_missing_znode_tells_of_its_creation(backend: Backend) {
    let (client, root) = client(&backend).await;
    let path = format!("{root}/later");
    let (stat, watch) = client.exists_and_watch(&path).await.unwrap();
    assert_eq!(stat, None);
    client
        .create(&path, b"", CreateMode::EPHEMERAL)
        .await
        .unwrap();
    assert_eq!(
        told(watch.changed()).await,
        event(EventType::NODE_CREATED, &path)
    );
    client.close().await;
}

async fn a_recursive_watch_names_every_change_below(backend: Backend) {
    let (client, root) = client(&backend).await;
    if !backend.has(PERSISTENT_WATCHES) {
        return refused(&backend, &client, &root, AddWatchMode::PERSISTENT_RECURSIVE).await;
    }
    let mut watch = client
        .add_watch(&root, AddWatchMode::PERSISTENT_RECURSIVE)
        .await
        .unwrap();
    let other = Client::connect(&backend.connect_string()).await.unwrap();
    let (a, below) = (format!("{root}/a"), format!("{root}/a/b"));
    other.create(&a, b"", CreateMode::PERSISTENT).await.unwrap();
    other
        .create(&below, b"", CreateMode::EPHEMERAL)
        .await
        .unwrap();
    other.set_data(&a, b"x", ZnodeVersion::ANY).await.unwrap();
    other.close().await;
    for expected in [
        event(EventType::NODE_CREATED, &a),
        event(EventType::NODE_CREATED, &below),
        event(EventType::NODE_DATA_CHANGED, &a),
        event(EventType::NODE_DELETED, &below),
    ] {
        assert_eq!(next(&mut watch).await, WatchItem::Event(expected));
    }
    client.close().await;
}

async fn a_persistent_watch_goes_on(backend: Backend) {
    let (client, root) = client(&backend).await;
    if !backend.has(PERSISTENT_WATCHES) {
        return refused(&backend, &client, &root, AddWatchMode::PERSISTENT).await;
    }
    let mut watch = client
        .add_watch(&root, AddWatchMode::PERSISTENT)
        .await
        .unwrap();
    for _ in 0..3 {
        client
            .set_data(&root, b"", ZnodeVersion::ANY)
            .await
            .unwrap();
        assert_eq!(
            next(&mut watch).await,
            WatchItem::Event(event(EventType::NODE_DATA_CHANGED, &root))
        );
    }
    // An ephemeral one would be gone, and told of, before the session has ended.
    client
        .create(&format!("{root}/a"), b"", CreateMode::PERSISTENT)
        .await
        .unwrap();
    assert_eq!(
        next(&mut watch).await,
        WatchItem::Event(event(EventType::NODE_CHILDREN_CHANGED, &root))
    );
    client.close().await;
    assert!(watch.next().await.is_err());
}

async fn a_dropped_watch_is_forgotten(backend: Backend) {
    let (client, root) = client(&backend).await;
    drop(client.get_data_and_watch(&root).await.unwrap());
    if backend.has(PERSISTENT_WATCHES) {
        let watch = client.add_watch(&root, AddWatchMode::PERSISTENT).await;
        drop(watch.unwrap());
    }
    let (_, _, kept) = client.get_data_and_watch(&root).await.unwrap();
    client
        .set_data(&root, b"", ZnodeVersion::ANY)
        .await
        .unwrap();
    assert_eq!(
        told(kept.changed()).await,
        event(EventType::NODE_DATA_CHANGED, &root)
    );
    client.close().await;
}

async fn an_event_comes_before_the_answer_that_could_show_it(backend: Backend) {
    let (client, root) = client(&backend).await;
    for _ in 0..50 {
        let (_, _, watch) = client.get_data_and_watch(&root).await.unwrap();
        client
            .set_data(&root, b"", ZnodeVersion::ANY)
            .await
            .unwrap();
        // The answer is here, so the event is: no waiting.
        let changed = timeout(Duration::ZERO, watch.changed())
            .await
            .expect("the event came first");
        assert_eq!(changed.unwrap(), event(EventType::NODE_DATA_CHANGED, &root));
    }
    client.close().await;
}

/// A server that lacks the request is not asked: the error names the version that has it, and the session lives on.
async fn refused(backend: &Backend, client: &Client, root: &str, mode: AddWatchMode) {
    let error = client.add_watch(root, mode).await.unwrap_err();
    let expected = Error::Unsupported {
        op: OpCode::ADD_WATCH,
        needed: PERSISTENT_WATCHES,
        server: Some(backend.version()),
    };
    assert_eq!((error.outcome(), error), (Outcome::NotApplied, expected));
    assert!(client.exists(root).await.unwrap().is_some());
}

async fn told(
    changed: impl Future<Output = Result<WatchedEvent, zk_client::SessionEnd>>,
) -> WatchedEvent {
    timeout(Duration::from_secs(10), changed)
        .await
        .expect("an event within 10 s")
        .unwrap()
}

async fn next(watch: &mut PersistentWatch) -> WatchItem {
    timeout(Duration::from_secs(10), watch.next())
        .await
        .expect("an event within 10 s")
        .unwrap()
}

fn event(event_type: EventType, path: &str) -> WatchedEvent {
    WatchedEvent {
        event_type,
        path: path.to_owned(),
    }
}

async fn client(backend: &Backend) -> (Client, String) {
    let client = Client::connect(&backend.connect_string()).await.unwrap();
    let root = format!("/{}", unique_name("watches"));
    client
        .create(&root, b"", CreateMode::PERSISTENT)
        .await
        .unwrap();
    (client, root)
}
