//! The Rust clients.

use std::future::Future;

use futures::StreamExt as _;
use zk_client::{ConnectOptions, CreateMode, ZnodeVersion};

use crate::rows::{Peer, Places};

impl Peer for zk_client::Client {
    const EAGER: bool = true;

    async fn connect(places: &Places) -> Self {
        Self::connect(&places.server.to_string()).await.unwrap()
    }

    fn get_data(&self, path: &str) -> impl Future<Output = usize> + Send {
        let call = self.get_data(path);
        async { call.await.unwrap().0.len() }
    }

    async fn list(&self, path: &str) -> (usize, usize) {
        let children = self.get_children(path).await.unwrap();
        let bytes = children.iter().map(|name| name.unwrap().len()).sum();
        (children.len(), bytes)
    }

    async fn first_child(&self, path: &str) -> String {
        let children = self.get_children(path).await.unwrap();
        format!("{path}/{}", children.get(0).unwrap().unwrap())
    }

    async fn create(&self, prefix: &str) -> String {
        self.create(prefix, b"", CreateMode::EPHEMERAL_SEQUENTIAL)
            .await
            .unwrap()
    }

    async fn delete(&self, path: &str) {
        self.delete(path, ZnodeVersion::ANY).await.unwrap();
    }

    async fn watch(&self, path: &str) -> impl Future<Output = ()> + Send {
        let (_, _, watch) = self.get_data_and_watch(path).await.unwrap();
        async { drop(watch.changed().await.unwrap()) }
    }

    async fn close(self) {
        Self::close(&self).await;
    }

    async fn cold(places: &Places) -> (Self, usize) {
        // Not waiting for the session: the list travels right behind the connect request.
        let client = Self::open(&places.server.to_string(), ConnectOptions::default()).unwrap();
        let child = client.first_child(&places.instances()).await;
        let length = Peer::get_data(&client, &child).await;
        (client, length)
    }
}

impl Peer for zookeeper_client::Client {
    const EAGER: bool = true;

    async fn connect(places: &Places) -> Self {
        Self::connect(&places.server.to_string()).await.unwrap()
    }

    fn get_data(&self, path: &str) -> impl Future<Output = usize> + Send {
        let call = self.get_data(path);
        async { call.await.unwrap().0.len() }
    }

    async fn list(&self, path: &str) -> (usize, usize) {
        let (children, _) = self.get_children(path).await.unwrap();
        (children.len(), children.iter().map(String::len).sum())
    }

    async fn first_child(&self, path: &str) -> String {
        let (children, _) = self.get_children(path).await.unwrap();
        format!("{path}/{}", children[0])
    }

    async fn create(&self, prefix: &str) -> String {
        let options = zookeeper_client::CreateMode::EphemeralSequential
            .with_acls(zookeeper_client::Acls::anyone_all());
        let (_, sequence) = self.create(prefix, b"", &options).await.unwrap();
        format!("{prefix}{sequence}")
    }

    async fn delete(&self, path: &str) {
        self.delete(path, None).await.unwrap();
    }

    async fn watch(&self, path: &str) -> impl Future<Output = ()> + Send {
        let (_, _, watch) = self.get_and_watch_data(path).await.unwrap();
        async { drop(watch.changed().await) }
    }

    async fn close(self) {
        drop(self);
        settle().await;
    }
}

impl Peer for tokio_zookeeper::ZooKeeper {
    const EAGER: bool = false;

    async fn connect(places: &Places) -> Self {
        let (client, events) = Self::connect(&places.server).await.unwrap();
        // Events are told to this stream too, without a bound.
        tokio::spawn(events.for_each(|_| std::future::ready(())));
        client
    }

    async fn get_data(&self, path: &str) -> usize {
        self.get_data(path).await.unwrap().unwrap().0.len()
    }

    async fn list(&self, path: &str) -> (usize, usize) {
        let children = self.get_children(path).await.unwrap().unwrap();
        (children.len(), children.iter().map(String::len).sum())
    }

    async fn first_child(&self, path: &str) -> String {
        let children = self.get_children(path).await.unwrap().unwrap();
        format!("{path}/{}", children[0])
    }

    async fn create(&self, prefix: &str) -> String {
        let mode = tokio_zookeeper::CreateMode::EphemeralSequential;
        let acl = tokio_zookeeper::Acl::open_unsafe();
        self.create(prefix, &b""[..], acl, mode)
            .await
            .unwrap()
            .unwrap()
    }

    async fn delete(&self, path: &str) {
        self.delete(path, None).await.unwrap().unwrap();
    }

    async fn watch(&self, path: &str) -> impl Future<Output = ()> + Send {
        let (event, _, _) = self.with_watcher().get_data(path).await.unwrap().unwrap();
        async { drop(event.await.unwrap()) }
    }

    async fn close(self) {
        drop(self);
        settle().await;
    }
}

/// Dropped clients say goodbye in the background; it is not to fall into the next measurement.
async fn settle() {
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
}
