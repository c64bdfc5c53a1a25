//! Pain 1: servers move to other addresses while their names stay.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tests::backend::Backend;
use tests::on_each_backend;
use tests::proxy::Proxy;
use tests::zookeeper::unique_name;
use tokio::net::TcpStream;
use tokio::time::timeout;
use zk_client::{
    Client, ConnectError, ConnectOptions, CreateMode, HostPort, SessionEnd, SessionState,
};

on_each_backend!(a_pod_that_moves_is_found_at_its_new_address);

const T: Duration = Duration::from_secs(6);

/// The name stays, the address behind it changes: where the old one is dead, only another look finds the server.
async fn a_pod_that_moves_is_found_at_its_new_address(backend: Backend) {
    let address: SocketAddr = backend.connect_string().parse().unwrap();
    let places = [Proxy::start(address).await, Proxy::start(address).await];
    let names = Names::default();
    names.set(&[places[0].address()]);
    let options = names.options().session_timeout(T);
    let client = Client::connect_with("zookeeper-0.zookeeper.svc", options)
        .await
        .unwrap();
    let session = client.session_id();
    let path = format!("/{}", unique_name("moves"));
    client
        .create(&path, b"", CreateMode::EPHEMERAL)
        .await
        .unwrap();
    for round in 1..=4 {
        let (from, to) = (&places[(round - 1) % 2], &places[round % 2]);
        let looks = names.looks();
        names.set(&[to.address()]);
        to.heal();
        from.cut();
        let mut state = client.state();
        let away = state.wait_for(|state| *state == SessionState::Disconnected);
        timeout(T, away).await.expect("the cut is noticed").unwrap();
        client.connected(T).await.unwrap();
        assert!(client.exists(&path).await.unwrap().is_some());
        assert_eq!((client.session_id(), to.open()), (session, 1));
        assert!(names.looks() > looks, "round {round}");
    }
    client.close().await;
}

#[tokio::test]
async fn one_dead_address_of_a_name_harms_nobody() {
    let backend = Backend::embedded().await;
    let names = Names::default();
    names.set(&[dead(), dead(), backend.connect_string().parse().unwrap()]);
    // All are tried, in a random order: that the one that lives comes first every time is a matter of 3^16.
    for _ in 0..16 {
        let client = Client::connect_with("zookeeper", names.options())
            .await
            .unwrap();
        assert_eq!(client.counters().connect_attempts, 1);
        client.close().await;
    }
    assert_eq!(names.looks(), 16);
}

/// An address that swallows what is sent to it costs a moment, not the attempt: the next one is tried beside it.
#[tokio::test]
async fn a_silent_address_of_a_name_costs_a_moment() {
    let backend = Backend::embedded().await;
    // Its queue is full and nobody accepts: further connects get no answer.
    let full = tokio::net::TcpSocket::new_v4().unwrap();
    full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = full.listen(1).unwrap();
    let silent = full.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(connected) = timeout(Duration::from_millis(300), TcpStream::connect(silent)).await
    {
        queued.push(connected.unwrap());
        assert!(queued.len() < 100, "a queue of one is never full");
    }
    let names = Names::default();
    names.set(&[silent, silent, backend.connect_string().parse().unwrap()]);
    for _ in 0..8 {
        let client = Client::connect_with("zookeeper", names.options())
            .await
            .unwrap();
        assert_eq!(client.counters().connect_attempts, 1);
        client.close().await;
    }
}

#[tokio::test]
async fn a_look_that_fails_costs_that_attempt_only() {
    let backend = Backend::embedded().await;
    let address: SocketAddr = backend.connect_string().parse().unwrap();
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&looks);
    let options = ConnectOptions::new().resolver(move |_| {
        let look = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            match look {
                0 => Err(io::Error::other("the name server restarts")),
                1 => Ok(Vec::new()),
                _ => Ok(vec![address]),
            }
        }
    });
    let client = Client::connect_with("zookeeper", options).await.unwrap();
    assert_eq!(looks.load(Ordering::SeqCst), 3);
    assert_eq!(client.counters().connect_attempts, 3);
    client.close().await;
}

/// The name server that does not answer for one name has that server's share of the time, not all of it.
#[tokio::test]
async fn a_look_without_an_end_costs_that_attempt_only() {
    let backend = Backend::embedded().await;
    let address: SocketAddr = backend.connect_string().parse().unwrap();
    let resolve = move |host: HostPort| async move {
        match host.host.as_str() {
            "silent" => pending().await,
            _ => Ok(vec![address]),
        }
    };
    for seed in 0..4 {
        let options = ConnectOptions::new()
            .resolver(resolve)
            .connect_timeout(Duration::from_secs(4))
            .seed(seed);
        let client = Client::connect_with("silent,zookeeper", options)
            .await
            .unwrap();
        client.close().await;
    }
}

#[tokio::test]
async fn what_the_look_met_is_in_the_error() {
    let options = ConnectOptions::new()
        .connect_timeout(Duration::from_millis(500))
        .resolver(|_| async { Err(io::Error::other("no such pod")) });
    let error = Client::connect_with("zookeeper-0:2181", options)
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    let expected = "zookeeper-0:2181: the name does not resolve: no such pod";
    assert!(error.to_string().contains(expected), "{error}");
}

/// A session whose server can be found no more is given up in time: looks that fail are not life.
#[tokio::test]
async fn a_name_that_is_gone_ends_the_session_in_time() {
    let backend = Backend::embedded().await;
    let proxy = Proxy::start(backend.connect_string().parse().unwrap()).await;
    let names = Names::default();
    names.set(&[proxy.address()]);
    let options = names.options().session_timeout(Duration::from_secs(1));
    let client = Client::connect_with("zookeeper", options).await.unwrap();
    names.set(&[]);
    proxy.cut();
    let mut state = client.state();
    let ended = state.wait_for(|state| matches!(state, SessionState::Ended(_)));
    let ended = timeout(T, ended).await.expect("an end").unwrap().clone();
    let SessionState::Ended(SessionEnd::GivenUp { .. }) = ended else {
        panic!("{ended:?}")
    };
}

/// What a name server knows of one name, and how often it was asked.
#[derive(Debug, Clone, Default)]
struct Names(Arc<(Mutex<Vec<SocketAddr>>, AtomicUsize)>);

impl Names {
    fn set(&self, addresses: &[SocketAddr]) {
        *self.0.0.lock().unwrap() = addresses.to_vec();
    }

    fn looks(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }

    fn options(&self) -> ConnectOptions {
        let names = self.clone();
        ConnectOptions::new().resolver(move |_| {
            names.0.1.fetch_add(1, Ordering::SeqCst);
            let addresses = names.0.0.lock().unwrap().clone();
            async move { Ok(addresses) }
        })
    }
}

/// Bound and dropped: nobody listens there.
fn dead() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
