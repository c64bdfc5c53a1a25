//! What a client costs: memory for a request and for a watch, and time where there are many. The bounds are those that
//! zk-client's documentation states; each holds what was measured with a margin.
//!
//! The servers are other processes, so the memory of this one is the client's. Other tests' is not in it where each has
//! a process of its own, as `tests/run` gives them; tests of this file take turns in any case.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tests::backend::Backend;
use tests::proxy::Proxy;
use tests::release::Release;
use tests::wait;
use tests::zookeeper::unique_name;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::time::timeout;
use zk_client::{
    AddWatchMode, Client, ConnectError, ConnectOptions, CreateMode, Error, EventType, SessionState,
};

/// How many requests may be under way, by default.
const MANY: usize = 100_000;
/// What a read under way costs, the caller's future included, for a path of [`PATH_BYTES`].
const BYTES_PER_REQUEST: usize = 1536;
/// What a one-shot watch that stands costs, the caller's half included.
const BYTES_PER_WATCH: usize = 1536;
/// What a request under way costs that leaves a one-shot watch.
const BYTES_PER_WATCHING_REQUEST: usize = 2048;
/// What a persistent watch that stands costs, with an empty queue.
const BYTES_PER_PERSISTENT_WATCH: usize = 4096;
/// How much memory may move by itself: pages that an allocator keeps, a stack that grows.
const NOISE_BYTES: usize = 2 << 20;
const T: Duration = Duration::from_secs(30);

static ALONE: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn a_hundred_thousand_requests_under_way_and_not_one_more() {
    let _alone = ALONE.lock().await;
    let (client, paths) = many(&server().await).await;
    let start = memory();
    for round in 0..3 {
        let before = memory();
        let calls: Vec<_> = paths.iter().map(|path| client.exists(path)).collect();
        let cost = memory().saturating_sub(before);
        let counters = client.counters();
        assert_eq!(counters.in_flight + counters.waiting, MANY);
        let error = client.exists("/").await.unwrap_err();
        assert!(
            matches!(error, Error::TooManyRequests { limit: MANY, .. }),
            "{error}"
        );
        let asked = Instant::now();
        let answers = timeout(T, in_turn(calls)).await.expect("answered");
        assert!(answers.iter().all(|answer| *answer == Ok(None)));
        eprintln!(
            "round {round}: {} B per request under way, answered in {:?}",
            cost / MANY,
            asked.elapsed()
        );
        drop(answers);
        // The allocator keeps some of it, and uses it again: no round adds to it.
        let most = memory() - start;
        eprintln!("round {round}: {} B per request are kept", most / MANY);
        assert!(most < MANY * BYTES_PER_REQUEST + NOISE_BYTES, "{most}");
    }
    client.close().await;
}

#[tokio::test]
async fn a_hundred_thousand_watches_and_a_reconnect() {
    let _alone = ALONE.lock().await;
    let server = server().await;
    let proxy = Proxy::start(server.parse().unwrap()).await;
    let (client, paths) = many(&proxy.connect_string()).await;
    let other = Client::connect(&server).await.unwrap();

    let before = memory();
    let calls = paths.iter().map(|path| client.exists_and_watch(path));
    let calls: Vec<_> = calls.collect();
    let cost = memory() - before;
    eprintln!("{} B per watching request under way", cost / MANY);
    assert!(
        cost < MANY * BYTES_PER_WATCHING_REQUEST + NOISE_BYTES,
        "{cost}"
    );
    let mut watches = Vec::with_capacity(MANY);
    for call in calls {
        watches.push(timeout(T, call).await.expect("answered").unwrap().1);
    }
    assert_eq!(client.counters().watchers, MANY);
    let cost = memory() - before;
    eprintln!("{} B per watch, with what its request left", cost / MANY);
    assert!(cost < MANY * BYTES_PER_WATCH + NOISE_BYTES, "{cost}");

    for round in 0..3 {
        let (connections, rearmed) = (proxy.accepted(), client.counters().watches_rearmed);
        let start = Instant::now();
        proxy.reset_open();
        let mut state = client.state();
        let away = state.wait_for(|state| *state == SessionState::Disconnected);
        timeout(T, away).await.expect("the cut is noticed").unwrap();
        client.connected(T).await.unwrap();
        let again = start.elapsed();
        // The answer comes after all watches are registered again.
        client.exists("/").await.unwrap();
        eprintln!(
            "round {round}: connected again after {again:?}, all watches stand after {:?}, in {} requests",
            start.elapsed(),
            client.counters().watches_rearmed - rearmed
        );
        assert!(start.elapsed() < T);
        // No server took the session and cut it off for what it sent.
        assert_eq!(proxy.accepted(), connections + 1);
        let bytes: usize = paths.iter().map(String::len).sum();
        let requests = usize::try_from(client.counters().watches_rearmed - rearmed).unwrap();
        assert!(requests >= bytes.div_ceil(1 << 20), "{requests}");
    }
    assert_eq!(client.counters().watchers, MANY);
    for number in [MANY - 1, MANY / 2, 0] {
        other
            .create(&paths[number], b"", CreateMode::EPHEMERAL)
            .await
            .unwrap();
        let event = timeout(T, watches.swap_remove(number).changed()).await;
        let event = event.expect("told").unwrap();
        assert_eq!(event.event_type, EventType::NODE_CREATED);
        assert_eq!(event.path, paths[number]);
    }
    let start = Instant::now();
    drop(watches);
    eprintln!("{MANY} watches dropped in {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(client.counters().watchers, 0);
    client.exists("/").await.unwrap();
    client.close().await;
    other.close().await;
}

#[tokio::test]
async fn ten_thousand_persistent_watches() {
    const COUNT: usize = MANY / 10;
    let _alone = ALONE.lock().await;
    let (client, paths) = many(&server().await).await;
    let before = memory();
    let calls = paths[..COUNT]
        .iter()
        .map(|path| client.add_watch(path, AddWatchMode::PERSISTENT));
    let watches = timeout(T, try_join_all(calls)).await.expect("answered");
    let watches = watches.unwrap();
    let cost = memory() - before;
    eprintln!(
        "{} B per persistent watch, with what its request left",
        cost / COUNT
    );
    assert!(
        cost < COUNT * BYTES_PER_PERSISTENT_WATCH + NOISE_BYTES,
        "{cost}"
    );
    let start = Instant::now();
    drop(watches);
    // The server forgets each of them before it answers this.
    client.exists("/").await.unwrap();
    eprintln!("{COUNT} removed in {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(10));
    client.close().await;
}

#[tokio::test]
async fn a_hundred_thousand_futures_are_dropped_at_once() {
    let _alone = ALONE.lock().await;
    let proxy = Proxy::start(server().await.parse().unwrap()).await;
    let (client, paths) = many(&proxy.connect_string()).await;
    // Sent, and answered to nobody.
    let calls: Vec<_> = paths.iter().map(|path| client.exists(path)).collect();
    dropped("that were sent", calls);
    // They keep their places until they are answered.
    assert_eq!(client.counters().in_flight, MANY);
    let answered = async || client.counters().in_flight == 0;
    wait::until("all are answered", T, answered).await;
    // Waiting for a connection, dropped from the front, and from the back.
    proxy.cut();
    let mut state = client.state();
    let away = state.wait_for(|state| *state == SessionState::Disconnected);
    timeout(T, away).await.expect("the cut is noticed").unwrap();
    for backwards in [false, true] {
        let mut calls: Vec<_> = paths
            .iter()
            .map(|path| client.exists_and_watch(path))
            .collect();
        assert_eq!(client.counters().waiting, MANY);
        if backwards {
            calls.reverse();
        }
        dropped("that wait", calls);
        assert_eq!(client.counters().waiting, 0);
        assert_eq!(client.counters().watchers, 0);
    }
    proxy.heal();
    client.connected(T).await.unwrap();
    assert!(client.exists("/").await.unwrap().is_some());
    client.close().await;
}

fn dropped<F>(which: &str, calls: Vec<F>) {
    let start = Instant::now();
    drop(calls);
    eprintln!("{MANY} futures {which} dropped in {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(10));
}

/// Each call has a deadline of its own, and all are told about when it passes.
#[tokio::test]
async fn a_hundred_thousand_deadlines_pass_in_time() {
    let _alone = ALONE.lock().await;
    let proxy = Proxy::start(server().await.parse().unwrap()).await;
    let (client, paths) = many(&proxy.connect_string()).await;
    proxy.blackhole();
    let hasty = client.with_request_timeout(Duration::from_secs(2));
    let start = Instant::now();
    let calls: Vec<_> = paths.iter().map(|path| hasty.exists(path)).collect();
    let answers = timeout(T, in_turn(calls)).await.expect("told");
    eprintln!("{MANY} deadlines have passed after {:?}", start.elapsed());
    let late = |answer: &Result<_, Error>| matches!(answer, Err(Error::Deadline { .. }));
    assert!(answers.iter().all(late));
    assert!(start.elapsed() < Duration::from_secs(8));
    proxy.heal();
    // They keep their places until they are answered.
    let answered = async || client.counters().in_flight == 0;
    wait::until("all are answered", T, answered).await;
    assert!(client.exists("/").await.unwrap().is_some());
    client.close().await;
}

/// A promise of two gigabytes costs the connection, and nothing else.
#[tokio::test]
async fn a_promise_of_two_gigabytes_costs_nothing() {
    let _alone = ALONE.lock().await;
    let promise = 0x7fff_ffff_u32.to_be_bytes();
    for taken in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let mut accepted = 0;
            while let Ok((mut socket, _)) = listener.accept().await {
                accepted += 1;
                let mut request = [0; 49];
                socket.read_exact(&mut request).await.unwrap();
                // Takes the first session, then promises; or promises at once.
                if taken && accepted == 1 {
                    socket.write_all(&session_taken()).await.unwrap();
                }
                socket.write_all(&promise).await.unwrap();
                // It goes on until nobody listens any more.
                while socket.write_all(&[0; 64 * 1024]).await.is_ok() {}
            }
        });
        let before = memory();
        let client = Client::open(&address.to_string(), ConnectOptions::new()).unwrap();
        if taken {
            let error = client.exists("/").await.unwrap_err();
            assert!(matches!(error, Error::ConnectionLoss { .. }), "{error}");
        }
        let mut state = client.state();
        state.wait_for(|state| !state.is_connected()).await.unwrap();
        let error = client.connected(Duration::from_secs(2)).await.unwrap_err();
        let ConnectError::Unreachable { tried, .. } = &error else {
            panic!("{error}")
        };
        let expected = "a frame of 2147483647 bytes is over the limit of 4194304 (jute.maxbuffer)";
        assert_eq!(tried[0].failure.as_deref(), Some(expected));
        assert!(client.counters().connect_attempts > 1);
        let cost = memory().saturating_sub(before);
        assert!(cost < NOISE_BYTES, "{cost} bytes");
        drop(client);
        serving.abort();
    }
}

/// A frame of 37 bytes: no protocol version, a timeout of 10 s, session 0x1234, its password, not read-only.
fn session_taken() -> Vec<u8> {
    let password = [7; 16];
    [
        &37_u32.to_be_bytes()[..],
        &0_u32.to_be_bytes(),
        &10_000_u32.to_be_bytes(),
        &0x1234_u64.to_be_bytes(),
        &16_u32.to_be_bytes(),
        &password,
        &[0],
    ]
    .concat()
}

/// The answers, awaited one after another.
async fn in_turn<R>(calls: Vec<impl Future<Output = R>>) -> Vec<R> {
    let mut answers = Vec::with_capacity(calls.len());
    for call in calls {
        answers.push(call.await);
    }
    answers
}

/// A client, and the paths of as many znodes that do not exist as it may have requests under way.
async fn many(servers: &str) -> (Client, Vec<String>) {
    let options = ConnectOptions::new()
        .session_timeout(T)
        .request_timeout(2 * T);
    let client = Client::connect_with(servers, options).await.unwrap();
    let root = unique_name("bounds");
    let paths = (0..MANY).map(|number| format!("/{root:.<25}-{number:05}"));
    let paths: Vec<_> = paths.collect();
    assert!(paths.iter().all(|path| path.len() == PATH_BYTES));
    (client, paths)
}

const PATH_BYTES: usize = 32;

async fn server() -> String {
    Backend::real(Release::V3_8).await.connect_string()
}

/// What this process has in memory, in bytes.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kib.parse::<usize>().unwrap() * 1024
}
