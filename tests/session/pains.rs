//! Where ZooKeeper's users hurt, and the tests that show that it does not hurt here:
//!
//! 1. Names are never looked up again: `names::a_pod_that_moves_is_found_at_its_new_address`,
//!    `names::one_dead_address_of_a_name_harms_nobody`, `names::a_look_that_fails_costs_that_attempt_only`.
//! 2. One name that does not resolve kills the connect: `session_end::a_name_that_does_not_resolve_harms_nobody`.
//! 3. Watches are not registered again: `proxy::a_cut_connection_keeps_session_and_one_shot_watches`,
//!    `proxy::a_change_that_was_missed_is_told_after_the_cut`, `proxy::a_recursive_watch_tells_of_the_gap_and_goes_on`.
//! 4. Endless connection loss without an end: `session_end::a_session_that_was_away_too_long_has_expired_or_is_given_up`,
//!    `proxy::a_deadline_passes_without_a_server`.
//! 5. More watches than fit a packet, a reconnect loop: [`more_watches_than_fit_a_packet_survive_a_cut`],
//!    `bounds::a_hundred_thousand_watches_and_a_reconnect`.
//! 6. Packet limits and huge lists: [`a_list_larger_than_a_servers_packet_limit_is_read`],
//!    [`a_list_over_the_clients_own_limit_costs_one_call_and_not_the_session`].
//! 7. Watchers leak, or lock up: [`dropped_watches_are_gone_from_the_server`],
//!    [`watches_are_dropped_and_made_while_events_pour_in`].
//! 8. Orphans after a lost answer to create: `protected`, and `recipes::a_dropped_wait_leaves_no_orphan_even_without_a_connection`.
//! 9. A registration is not made again, or an old one is, after expiry: the suite `discovery`, `order_or_accident`; and
//!    `recipes::a_lock_is_lost_with_its_session_and_another_gets_it`.
//! 10. The IO task panics: [`a_waker_that_panics_leaves_nobody_waiting`],
//!     [`a_server_that_talks_nonsense_is_left_for_another`], `proxy::a_client_reconnects_as_often_as_it_is_cut`.
//! 11. No TLS, no SASL: the suites of zk-client's features.
//! 12. Test servers need Java: every test `…::embedded`.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures::future::try_join_all;
use tests::backend::Backend;
use tests::on_each_backend;
use tests::proxy::Proxy;
use tests::wait;
use tests::zookeeper::unique_name;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use zk_client::{
    AddWatchMode, Client, ConnectOptions, CreateMode, Error, EventType, ServerVersion,
    SessionState, ZnodeVersion,
};

on_each_backend!(
    more_watches_than_fit_a_packet_survive_a_cut,
    a_list_larger_than_a_servers_packet_limit_is_read,
    a_list_over_the_clients_own_limit_costs_one_call_and_not_the_session,
    dropped_watches_are_gone_from_the_server,
    watches_are_dropped_and_made_while_events_pour_in,
    a_waker_that_panics_leaves_nobody_waiting,
    a_server_that_talks_nonsense_is_left_for_another,
);

const T: Duration = Duration::from_secs(10);

/// What servers take at most, `jute.maxbuffer`.
const PACKET_BYTES_MAX: usize = 0xf_ffff;

/// A client that sent all its watches at once would be cut off for it, over and over.
async fn more_watches_than_fit_a_packet_survive_a_cut(backend: Backend) {
    let proxy = Proxy::start(address(&backend)).await;
    let options = ConnectOptions::new().session_timeout(T);
    let client = Client::connect_with(&proxy.connect_string(), options)
        .await
        .unwrap();
    let other = Client::connect(&backend.connect_string()).await.unwrap();
    let root = root(&other).await;
    let paths: Vec<_> = (0..2000)
        .map(|number| format!("{root}/{number:05}-{}", "x".repeat(700)))
        .collect();
    assert!(paths.iter().map(String::len).sum::<usize>() > PACKET_BYTES_MAX);
    let watches = paths.iter().map(|path| client.exists_and_watch(path));
    let mut watches = try_join_all(watches).await.unwrap();
    let connections = proxy.accepted();
    proxy.reset_open();
    away(&client).await;
    client.connected(T).await.unwrap();
    // The answer comes after all watches are registered again.
    client.exists(&root).await.unwrap();
    for number in [0, 1000, 1999] {
        other
            .create(&paths[number], b"", CreateMode::EPHEMERAL)
            .await
            .unwrap();
    }
    for number in [1999, 1000, 0] {
        let (_, watch) = watches.swap_remove(number);
        let event = timeout(T, watch.changed()).await.expect("told").unwrap();
        assert_eq!(event.event_type, EventType::NODE_CREATED);
        assert_eq!(event.path, paths[number]);
    }
    assert_eq!(proxy.accepted(), connections + 1);
    client.close().await;
    other.close().await;
}

/// Servers do not limit what they send: a list can be larger than any request.
async fn a_list_larger_than_a_servers_packet_limit_is_read(backend: Backend) {
    let client = Client::connect(&backend.connect_string()).await.unwrap();
    let root = root(&client).await;
    let names = many_children(&client, &root).await;
    let children = client.get_children(&root).await.unwrap();
    let mut listed = children.to_vec();
    listed.sort();
    assert_eq!(listed, names);
    client.close().await;
}

async fn a_list_over_the_clients_own_limit_costs_one_call_and_not_the_session(backend: Backend) {
    let other = Client::connect(&backend.connect_string()).await.unwrap();
    let root = root(&other).await;
    many_children(&other, &root).await;
    let proxy = Proxy::start(address(&backend)).await;
    let options = ConnectOptions::new()
        .session_timeout(T)
        .max_incoming_bytes(PACKET_BYTES_MAX);
    let client = Client::connect_with(&proxy.connect_string(), options)
        .await
        .unwrap();
    let session = client.session_id();
    let connections = proxy.accepted();
    let error = client.get_children(&root).await.unwrap_err();
    assert!(matches!(error, Error::ConnectionLoss { .. }), "{error}");
    client.connected(T).await.unwrap();
    assert!(client.exists(&root).await.unwrap().is_some());
    assert_eq!(client.session_id(), session);
    // The list was not asked for again behind the caller's back.
    assert_eq!(proxy.accepted(), connections + 1);
    client.close().await;
    other.close().await;
}

async fn dropped_watches_are_gone_from_the_server(backend: Backend) {
    let client = Client::connect(&backend.connect_string()).await.unwrap();
    let root = root(&client).await;
    let paths: Vec<_> = (0..20).map(|number| format!("{root}/{number}")).collect();
    if !backend.has(ServerVersion::new(3, 6, 0)) {
        // One-shot watches are all it has. Those that nobody waits for go with their znode.
        let watches = paths.iter().map(|path| client.exists_and_watch(path));
        drop(try_join_all(watches).await.unwrap());
        for path in &paths {
            client
                .create(path, b"", CreateMode::EPHEMERAL)
                .await
                .unwrap();
        }
        assert_eq!(watched(&backend, &root).await, 0);
        return;
    }
    for mode in [AddWatchMode::PERSISTENT, AddWatchMode::PERSISTENT_RECURSIVE] {
        let watches = paths.iter().map(|path| client.add_watch(path, mode));
        let watches = try_join_all(watches).await.unwrap();
        assert_eq!(watched(&backend, &root).await, paths.len());
        drop(watches);
        let gone = async || watched(&backend, &root).await == 0;
        wait::until("the server has forgotten them", T, gone).await;
    }
    client.close().await;
}

async fn watches_are_dropped_and_made_while_events_pour_in(backend: Backend) {
    let client = Client::connect(&backend.connect_string()).await.unwrap();
    let other = Client::connect(&backend.connect_string()).await.unwrap();
    let root = root(&client).await;
    let writes = async {
        for _ in 0..300 {
            other.set_data(&root, b"", ZnodeVersion::ANY).await.unwrap();
        }
    };
    let watches = (0..4).map(|_| async {
        for round in 0..100 {
            let (_, _, watch) = client.get_data_and_watch(&root).await.unwrap();
            if round % 2 == 0 {
                drop(watch);
                continue;
            }
            // Every other one is waited for, if only for a moment.
            let _ = timeout(Duration::from_millis(5), watch.changed()).await;
        }
    });
    let all = futures::future::join(writes, futures::future::join_all(watches));
    timeout(3 * T, all).await.expect("nothing locks up");
    client.close().await;
    other.close().await;
}

/// A program's own waker is called by the task that owns the socket. If it panics there, the session is over, and
/// whoever waits is told so.
async fn a_waker_that_panics_leaves_nobody_waiting(backend: Backend) {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker of the test's own");
        }
    }
    let client = Client::connect(&backend.connect_string()).await.unwrap();
    let mut poisoned = pin!(client.exists("/"));
    let waker = Waker::from(Arc::new(Panics));
    assert!(
        poisoned
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    let (_, watch) = match timeout(T, client.exists_and_watch("/"))
        .await
        .expect("told")
    {
        Ok(watched) => watched,
        Err(error) => {
            assert!(matches!(error, Error::SessionEnded { .. }), "{error}");
            return;
        }
    };
    // If the session outlives it, all the better: then it serves.
    let told = timeout(T, client.exists("/")).await.expect("told");
    if told.is_err() {
        timeout(T, watch.changed())
            .await
            .expect("told")
            .unwrap_err();
    }
}

async fn a_server_that_talks_nonsense_is_left_for_another(backend: Backend) {
    let nonsense = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nonsense.local_addr().unwrap();
    let talking = tokio::spawn(async move {
        let mut answers = [
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            &[0xff; 64],
            &[0, 0, 0, 0],
            &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0],
        ]
        .into_iter()
        .cycle();
        while let Ok((mut socket, _)) = nonsense.accept().await {
            let _ = socket.write_all(answers.next().unwrap()).await;
        }
    });
    for seed in 0..8 {
        let servers = format!("{address},{}", backend.connect_string());
        let options = ConnectOptions::new().seed(seed);
        let client = Client::connect_with(&servers, options).await.unwrap();
        assert!(client.exists("/").await.unwrap().is_some());
        client.close().await;
    }
    talking.abort();
}

/// Creates children whose list is larger than a packet that servers take; their names in order.
async fn many_children(client: &Client, root: &str) -> Vec<String> {
    let names: Vec<_> = (0..6000)
        .map(|number| format!("{number:05}-{}", "x".repeat(194)))
        .collect();
    assert!(names.iter().map(String::len).sum::<usize>() > PACKET_BYTES_MAX);
    // Ephemeral, so that nothing of it is left in a server that is shared.
    let creates = names
        .iter()
        .map(|name| client.create(&format!("{root}/{name}"), b"", CreateMode::EPHEMERAL));
    try_join_all(creates).await.unwrap();
    names
}

/// How many znodes below a root are watched, as the server tells.
async fn watched(backend: &Backend, root: &str) -> usize {
    let ask = async |word: &str| {
        let mut socket = TcpStream::connect(address(backend)).await.unwrap();
        socket.write_all(word.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    };
    if matches!(backend, Backend::Real(_)) {
        let answer = ask("wchp").await;
        return answer.lines().filter(|line| line.starts_with(root)).count();
    }
    // The embedded server is this test's own.
    let answer = ask("wchs").await;
    let total = answer
        .lines()
        .find_map(|line| line.strip_prefix("Total watches:"));
    total.expect("a total").trim().parse().unwrap()
}

async fn root(client: &Client) -> String {
    let root = format!("/{}", unique_name("pains"));
    client
        .create(&root, b"", CreateMode::PERSISTENT)
        .await
        .unwrap();
    root
}

async fn away(client: &Client) {
    let mut state = client.state();
    let away = state.wait_for(|state| *state != SessionState::Connected);
    timeout(T, away).await.expect("the cut is noticed").unwrap();
}

fn address(backend: &Backend) -> SocketAddr {
    backend.connect_string().parse().unwrap()
}
