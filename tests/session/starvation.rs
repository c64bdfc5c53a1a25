//! A program that blocks its runtime: the session's pings go on where they can, and where they cannot the end is told.

use std::time::Duration;

use tests::backend::Backend;
use tests::release::Release;
use tests::zookeeper::unique_name;
use tokio::time::timeout;
use zk_client::{Client, ConnectOptions, CreateMode, Error, SessionEnd, SessionState};

/// The shortest that the servers of the tests give.
const SESSION_TIMEOUT: Duration = Duration::from_secs(1);
/// A server expires a session up to a tick late.
const BLOCKED: Duration = Duration::from_secs(3);
const T: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_thread_of_its_own_outlives_a_blocked_runtime_v3_4() {
    let backend = Backend::real(Release::V3_4).await;
    a_thread_of_its_own_outlives_a_blocked_runtime(&backend).await;
}

#[tokio::test]
async fn a_thread_of_its_own_outlives_a_blocked_runtime_v3_9() {
    let backend = Backend::real(Release::V3_9).await;
    a_thread_of_its_own_outlives_a_blocked_runtime(&backend).await;
}

#[tokio::test]
async fn a_thread_of_its_own_outlives_a_blocked_runtime_embedded() {
    // The server's runtime is another one: it is the client's that is blocked.
    let runtime = elsewhere();
    let backend = runtime.spawn(Backend::embedded()).await.unwrap();
    a_thread_of_its_own_outlives_a_blocked_runtime(&backend).await;
    runtime.shutdown_background();
}

async fn a_thread_of_its_own_outlives_a_blocked_runtime(backend: &Backend) {
    let servers = backend.connect_string();
    let options = options().dedicated_thread(true);
    let held = Held::by(Client::connect_with(&servers, options).await.unwrap()).await;
    let (state, pings) = (held.client.state(), held.client.counters().pings);
    // All of the runtime: this is its only thread.
    std::thread::sleep(BLOCKED);
    assert!(!state.has_changed().unwrap(), "{:?}", *state.borrow());
    let counters = held.client.counters();
    assert!(counters.pings >= pings + 4, "{counters:?}");
    assert_eq!(counters.connects, 1);
    held.is_held().await;
    held.client.close().await;
}

/// What the others would lose without it: the test blocks for long enough.
#[tokio::test]
async fn without_a_thread_of_its_own_a_blocked_runtime_costs_the_session() {
    let servers = Backend::real(Release::V3_9).await.connect_string();
    let client = Client::connect_with(&servers, options()).await.unwrap();
    std::thread::sleep(BLOCKED);
    let mut state = client.state();
    let ended = state.wait_for(|state| matches!(state, SessionState::Ended(_)));
    let ended = timeout(T, ended).await.expect("told").unwrap().clone();
    // By the client's own clock, or by the server's word, whichever comes first.
    let lost = matches!(
        ended,
        SessionState::Ended(SessionEnd::GivenUp { .. } | SessionEnd::Expired(_))
    );
    assert!(lost, "{ended:?}");
    let error = client.exists("/").await.unwrap_err();
    assert!(matches!(error, Error::SessionEnded { .. }), "{error}");
}

/// Tasks that compute, and let others have a turn now and then, starve nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_tasks_that_take_turns_starve_no_session() {
    let servers = Backend::real(Release::V3_8).await.connect_string();
    let held = Held::by(Client::connect_with(&servers, options()).await.unwrap()).await;
    let state = held.client.state();
    let busy = (0..4).map(|_| {
        tokio::spawn(async {
            let end = std::time::Instant::now() + BLOCKED;
            while std::time::Instant::now() < end {
                std::thread::sleep(Duration::from_millis(20));
                tokio::task::yield_now().await;
            }
        })
    });
    futures::future::try_join_all(busy).await.unwrap();
    assert!(!state.has_changed().unwrap(), "{:?}", *state.borrow());
    let counters = held.client.counters();
    assert!(
        counters.connects == 1 && counters.pings >= 4,
        "{counters:?}"
    );
    held.is_held().await;
    held.client.close().await;
}

/// The thread ends with the session, whatever becomes of the runtime that opened it.
#[tokio::test]
async fn the_thread_serves_clients_of_any_runtime_and_ends_with_the_session() {
    let servers = Backend::real(Release::V3_8).await.connect_string();
    let before = session_threads();
    let runtime = elsewhere();
    let connecting = async move {
        let options = options().dedicated_thread(true);
        Client::connect_with(&servers, options).await.unwrap()
    };
    let client = runtime.spawn(connecting).await.unwrap();
    runtime.shutdown_background();
    assert!(client.exists("/").await.unwrap().is_some());
    assert_eq!(session_threads(), before + 1);
    client.close().await;
    let ended = async || session_threads() == before;
    tests::wait::until("the thread has ended", T, ended).await;
}

/// An ephemeral znode of a client.
struct Held {
    client: Client,
    path: String,
}

impl Held {
    async fn by(client: Client) -> Self {
        let path = format!("/{}", unique_name("held"));
        client
            .create(&path, b"", CreateMode::EPHEMERAL)
            .await
            .unwrap();
        Self { client, path }
    }

    async fn is_held(&self) {
        let stat = self.client.exists(&self.path).await.unwrap().unwrap();
        assert_eq!(stat.ephemeral_owner, self.client.session_id());
    }
}

fn options() -> ConnectOptions {
    ConnectOptions::new().session_timeout(SESSION_TIMEOUT)
}

fn elsewhere() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// How many threads of this process serve a session. The kernel keeps 15 letters of a name.
fn session_threads() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let names = threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok());
    names
        .filter(|name| name.trim() == "zookeeper-sessi")
        .count()
}
