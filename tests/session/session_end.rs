use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tests::backend::Backend;
use tests::on_each_backend;
use tests::proxy::Proxy;
use tests::zookeeper::unique_name;
use tokio::time::timeout;
use zk_client::{
    Client, ConnectError, ConnectOptions, CreateMode, Error, Outcome, SessionEnd, SessionState,
};

on_each_backend!(
    a_closed_session_fails_every_later_call,
    a_session_that_was_away_too_long_has_expired_or_is_given_up,
    a_dropped_client_closes_its_session,
);

async fn a_closed_session_fails_every_later_call(backend: Backend) {
    let client = Client::connect(&backend.connect_string()).await.unwrap();
    let clone = client.clone();
    client.close().await;
    assert_eq!(
        *clone.state().borrow(),
        SessionState::Ended(SessionEnd::Closed)
    );
    let error = clone.exists("/").await.unwrap_err();
    assert_eq!(
        (error.session_end(), error.outcome()),
        (Some(&SessionEnd::Closed), Outcome::NotApplied)
    );
}

/// Cut off for longer than the session timeout, the client knows by itself that the session is over; what waits fails.
async fn a_session_that_was_away_too_long_has_expired_or_is_given_up(backend: Backend) {
    let proxy = Proxy::start(address(&backend)).await;
    let options = ConnectOptions::new().session_timeout(Duration::from_millis(1500));
    let client = Client::connect_with(&proxy.connect_string(), options)
        .await
        .unwrap();
    let path = format!("/{}", unique_name("away"));
    client
        .create(&path, b"", CreateMode::EPHEMERAL)
        .await
        .unwrap();
    proxy.cut();
    let mut state = client.state();
    let ended = state.wait_for(|state| matches!(state, SessionState::Ended(_)));
    let ended = timeout(Duration::from_secs(20), ended)
        .await
        .expect("the session ends")
        .unwrap()
        .clone();
    let SessionState::Ended(SessionEnd::GivenUp { session, .. }) = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(session, client.session_id());
    assert!(matches!(
        client.exists(&path).await,
        Err(Error::SessionEnded { .. })
    ));
    // The server forgets it too, within its own time.
    let other = Client::connect(&backend.connect_string()).await.unwrap();
    let (stat, watch) = other.exists_and_watch(&path).await.unwrap();
    if stat.is_some() {
        timeout(Duration::from_secs(20), watch.changed())
            .await
            .expect("the ephemeral znode goes")
            .unwrap();
    }
    other.close().await;
}

async fn a_dropped_client_closes_its_session(backend: Backend) {
    let client = Client::connect(&backend.connect_string()).await.unwrap();
    let path = format!("/{}", unique_name("dropped"));
    client
        .create(&path, b"", CreateMode::EPHEMERAL)
        .await
        .unwrap();
    let other = Client::connect(&backend.connect_string()).await.unwrap();
    other.sync(&path).await.unwrap();
    let (stat, watch) = other.exists_and_watch(&path).await.unwrap();
    assert!(stat.is_some());
    drop(client);
    // Far sooner than its timeout of 30 s.
    timeout(Duration::from_secs(5), watch.changed())
        .await
        .expect("the session is closed")
        .unwrap();
    other.close().await;
}

#[tokio::test]
async fn an_unreachable_ensemble_is_named_with_what_was_met_and_how_long() {
    // Bound and dropped: nobody listens there.
    let free = || {
        std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
    };
    let (first, second) = (free(), free());
    let options = ConnectOptions::new().connect_timeout(Duration::from_millis(800));
    let start = Instant::now();
    let servers = format!("{first},{second},no-such-host.invalid");
    let error = Client::connect_with(&servers, options).await.unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(5));
    let ConnectError::Unreachable { tried, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(tried.len(), 3);
    let text = error.to_string();
    assert!(
        text.contains(&first.to_string()) && text.contains("refused"),
        "{text}"
    );
    assert!(
        text.contains("within 0.8 s") && text.contains("no-such-host.invalid:2181: "),
        "{text}"
    );
}

#[tokio::test]
async fn a_name_that_does_not_resolve_harms_nobody() {
    let backend = Backend::embedded().await;
    for seed in 0..8 {
        let servers = format!("no-such-host.invalid,{}", backend.connect_string());
        let client = Client::connect_with(&servers, ConnectOptions::new().seed(seed))
            .await
            .unwrap();
        client.close().await;
    }
}

#[tokio::test]
async fn a_server_that_never_answers_costs_its_share_of_the_time_only() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let backend = Backend::embedded().await;
    for seed in 0..4 {
        let servers = format!(
            "{},{}",
            silent.local_addr().unwrap(),
            backend.connect_string()
        );
        let options = ConnectOptions::new()
            .connect_timeout(Duration::from_secs(4))
            .seed(seed);
        let client = Client::connect_with(&servers, options).await.unwrap();
        client.close().await;
    }
}

fn address(backend: &Backend) -> SocketAddr {
    backend.connect_string().parse().unwrap()
}
