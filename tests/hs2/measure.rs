//! Figures, not tests: nothing here is run unless it is asked for, and nothing fails because it took long.
//!
//! ```sh
//! cargo build --release -p hs2-node
//! HS2_NODE_BIN=$PWD/target/release/hs2-node cargo test -p tests --test hs2 measure -- --ignored --nocapture --test-threads 1
//! ```

use std::time::{Duration, Instant};

use futures::future::join_all;
use tests::node::Node;
use tests::process::Process;
use tests::zookeeper::SharedZooKeeper;
use tokio::time::sleep;

use crate::fixture::{numbered_rows, rows, session};
use hs2_client::{ConnectOptions, SessionOptions, connect};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement of a minute"]
async fn measure_five_gigabytes() {
    // 8 bytes and 4 + 20.
    const ROWS: i64 = 160_000_000;
    let node = Node::options().start().await;
    let session = session(node.address()).await;
    let before = node.peak_rss_bytes();
    let begun = Instant::now();
    let mut stream = session.query(numbered_rows(ROWS)).await.unwrap();
    let mut count = stream.next().await.unwrap().unwrap().num_rows();
    let first = begun.elapsed();
    while let Some(batch) = stream.next().await.unwrap() {
        count += batch.num_rows();
    }
    let all = begun.elapsed();
    assert_eq!(i64::try_from(count), Ok(ROWS));
    let bytes = ROWS as f64 * 32.0;
    eprintln!(
        "{:.2} GB of result: first rows after {} ms, all after {:.1} s ({:.0} MB/s, {:.2}M rows/s); \
         peak resident memory of the node {} MiB, {} MiB before",
        bytes / 1e9,
        first.as_millis(),
        all.as_secs_f64(),
        bytes / 1e6 / all.as_secs_f64(),
        ROWS as f64 / 1e6 / all.as_secs_f64(),
        node.peak_rss_bytes() >> 20,
        before >> 20,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn measure_five_hundred_sessions() {
    const SESSIONS: usize = 500;
    let node = Node::options().start().await;
    let address = node.address();
    let sessions = join_all((0..SESSIONS).map(|_| session(address))).await;
    for (what, sql) in [
        ("one row", "SELECT 1"),
        (
            "one row, sorted",
            "SELECT id FROM range(1000) ORDER BY id DESC LIMIT 1",
        ),
    ] {
        let begun = Instant::now();
        let mut times = join_all(sessions.iter().map(|session| async {
            let begun = Instant::now();
            assert_eq!(rows(session, sql).await, 1);
            begun.elapsed()
        }))
        .await;
        let all = begun.elapsed();
        times.sort();
        eprintln!(
            "{SESSIONS} sessions with a query each at once ({what}): none failed, p50 {} ms, p99 {} ms, all {} ms; \
             peak resident memory {} MiB",
            times[SESSIONS / 2].as_millis(),
            times[SESSIONS * 99 / 100].as_millis(),
            all.as_millis(),
            node.peak_rss_bytes() >> 20
        );
    }
    // One after another, beside 499 that are open.
    let mut times = Vec::new();
    for session in &sessions {
        let begun = Instant::now();
        assert_eq!(rows(session, "SELECT 1").await, 1);
        times.push(begun.elapsed());
    }
    times.sort();
    eprintln!(
        "one after another: p50 {:.1} ms, p99 {:.1} ms",
        times[SESSIONS / 2].as_secs_f64() * 1e3,
        times[SESSIONS * 99 / 100].as_secs_f64() * 1e3
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn measure_start_and_idle_memory() {
    let zookeeper = SharedZooKeeper::get().await;
    let mut answered = Vec::new();
    let mut resident = Vec::new();
    for run in 0..5 {
        let address = tests::free_address().to_string();
        let namespace = format!("measure-{}-{run}", std::process::id());
        let begun = Instant::now();
        let connect_string = zookeeper.connect_string();
        let node = Process::start(&[
            "serve",
            "--bind",
            &address,
            "--zookeeper",
            connect_string,
            "--namespace",
            &namespace,
        ]);
        let (options, open) = (ConnectOptions::default(), SessionOptions::default());
        let session = loop {
            match connect(&address, &options, &open).await {
                Ok(session) => break session,
                Err(_) => sleep(Duration::from_millis(1)).await,
            }
        };
        assert_eq!(rows(&session, "SELECT 1").await, 1);
        answered.push(begun.elapsed());
        node.line_after("registered ").await;
        session.close().await.unwrap();
        sleep(Duration::from_secs(5)).await;
        resident.push(node.rss_bytes());
    }
    answered.sort();
    resident.sort();
    let ms = |time: &Duration| format!("{:.0}", time.as_secs_f64() * 1e3);
    let mib = |bytes: &u64| format!("{:.1}", *bytes as f64 / f64::from(1 << 20));
    eprintln!(
        "from the start of the process to the first query's answer: {} ms; resident 5 s after it, registered: {} MiB",
        answered.iter().map(ms).collect::<Vec<_>>().join(", "),
        resident.iter().map(mib).collect::<Vec<_>>().join(", "),
    );
}
