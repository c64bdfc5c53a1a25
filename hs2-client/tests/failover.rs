//! From a URL with an ensemble in it to a session, past servers that are dead.
#![cfg(feature = "zookeeper")]
#![allow(clippy::unwrap_used)] // Helpers of tests, too, fail loudly.

mod support;

use discovery::{Endpoint, Ensemble, InstanceData, Namespace, NewInstance, Registration};
use hs2_client::{ConnectOptions, Error, SessionOptions, connect};
use std::sync::atomic::Ordering;
use std::time::Duration;
use support::{Login, Reply, Server, ordinary};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// An embedded ZooKeeper with these servers registered, for as long as it lives.
struct Fleet {
    zookeeper: zk_server::Server,
    registrations: Vec<Registration>,
}

impl Fleet {
    async fn new() -> Self {
        let options = zk_server::ServerOptions::default();
        let zookeeper = zk_server::Server::start("127.0.0.1:0", options)
            .await
            .unwrap();
        Self {
            zookeeper,
            registrations: Vec::new(),
        }
    }

    async fn register(&mut self, port: u16, data: Option<&str>) {
        let endpoint = Endpoint::new("127.0.0.1", port).unwrap();
        let text = data.map_or_else(|| endpoint.to_string(), str::to_owned);
        let data = InstanceData::parse(text.as_bytes()).unwrap();
        let instance = NewInstance {
            endpoint,
            version: "4.0.1".into(),
            data,
        };
        let ensemble = Ensemble::new(&self.zookeeper.connect_string()).unwrap();
        let registration =
            Registration::register(&ensemble, &Namespace::default(), &instance).await;
        self.registrations.push(registration.unwrap());
    }

    fn url(&self, more: &str) -> String {
        format!(
            "jdbc:hive2://{}/;serviceDiscoveryMode=zooKeeper{more}",
            self.zookeeper.connect_string()
        )
    }
}

fn options() -> ConnectOptions {
    ConnectOptions {
        login_timeout: Duration::from_millis(300),
        ..Default::default()
    }
}

/// A port where nobody listens.
async fn dead_port() -> u16 {
    tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Takes connections and says nothing.
async fn mute() -> (tokio::net::TcpListener, u16) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn dead_servers_are_passed_over() {
    let mut fleet = Fleet::new().await;
    let (_listener, mute) = mute().await;
    let hangs_up = Server::start(Login::Plain { check: false }, |_, _| Reply::HangUp).await;
    let good = Server::start(Login::Plain { check: false }, ordinary(vec![], false)).await;
    for port in [dead_port().await, mute, hangs_up.port(), good.port()] {
        fleet.register(port, None).await;
    }
    for _ in 0..8 {
        let session = connect(&fleet.url(""), &options(), &SessionOptions::default())
            .await
            .unwrap();
        assert_eq!(session.connection().server(), good.address.to_string());
    }
}

#[tokio::test]
async fn when_none_can_be_used_each_is_named_with_its_reason() {
    let mut fleet = Fleet::new().await;
    let (_listener, mute) = mute().await;
    let dead = dead_port().await;
    for port in [dead, mute] {
        fleet.register(port, None).await;
    }
    let error = connect(&fleet.url(""), &options(), &SessionOptions::default())
        .await
        .unwrap_err();
    let Error::AllFailed(attempts) = &error else {
        panic!("{error}")
    };
    let of = |port: u16| {
        &attempts
            .iter()
            .find(|a| a.server == format!("127.0.0.1:{port}"))
            .unwrap()
            .error
    };
    assert_eq!(attempts.len(), 2);
    assert!(matches!(of(dead), Error::Connect { .. }), "{error}");
    assert!(matches!(of(mute), Error::LoginTimeout { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.starts_with("no server could be used: ") && text.contains("cannot connect to"),
        "{text}"
    );
}

#[tokio::test]
async fn a_refused_login_ends_the_search() {
    let mut fleet = Fleet::new().await;
    let mut servers = Vec::new();
    for _ in 0..3 {
        let server = Server::start(Login::Plain { check: true }, ordinary(vec![], false)).await;
        fleet.register(server.port(), None).await;
        servers.push(server);
    }
    let error = connect(
        &fleet.url(";user=scott;password=no"),
        &options(),
        &SessionOptions::default(),
    )
    .await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::LoginRefused { .. }), "{error}");
    let connections: usize = servers
        .iter()
        .map(|server| server.connections.load(Ordering::Relaxed))
        .sum();
    assert_eq!(connections, 1);
    let url = fleet.url(";user=scott;password=right");
    connect(&url, &options(), &SessionOptions::default())
        .await
        .unwrap();
}

/// The SASL status ERROR is about the server, not about the login.
#[tokio::test]
async fn a_full_server_is_passed_over() {
    let mut fleet = Fleet::new().await;
    let (full, port) = mute().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = full.accept().await {
            let _ = stream.write_all(b"\x04\0\0\0\x04full").await;
            // Until the client has gone, so that it can read the answer.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    fleet.register(port, None).await;
    let url = fleet.url("");
    let error = connect(&url, &options(), &SessionOptions::default()).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, Error::AllFailed(_)) && error.to_string().contains("full"),
        "{error}"
    );
    let server = Server::start(Login::Plain { check: true }, ordinary(vec![], false)).await;
    fleet.register(server.port(), None).await;
    let url = fleet.url(";user=scott;password=right");
    for _ in 0..8 {
        connect(&url, &options(), &SessionOptions::default())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn what_a_server_publishes_is_followed() {
    let mut fleet = Fleet::new().await;
    let server = Server::start(Login::None, ordinary(vec![], false)).await;
    let port = server.port();
    let published = format!(
        "hive.server2.instance.uri=127.0.0.1:{port};hive.server2.authentication=NOSASL;hive.server2.transport.mode=binary;hive.server2.thrift.bind.host=127.0.0.1;hive.server2.thrift.port={port};hive.server2.use.SSL=false"
    );
    fleet.register(port, Some(&published)).await;
    let session = connect(&fleet.url(""), &options(), &SessionOptions::default())
        .await
        .unwrap();
    session.close().await.unwrap();
}

#[tokio::test]
async fn no_servers_and_no_namespace() {
    let fleet = Fleet::new().await;
    let error = connect(&fleet.url(""), &options(), &SessionOptions::default())
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Discovery(_)) && error.to_string().contains("/hiveserver2"),
        "{error}"
    );
    let error = connect("jdbc:hive2://h:x/", &options(), &SessionOptions::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Url(_)), "{error}");
}
