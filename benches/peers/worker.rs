//! A client's own process: it does the rounds that the parent asks for, so that its CPU time is its own.

use std::io::BufRead as _;

use tokio::runtime::Runtime;

use crate::raw::{self, Kind};
use crate::rows::{self, Cost, Places, Row, say};

/// The Rust clients, by their name on the command line.
pub(crate) const CLIENTS: [&str; 5] = [
    "raw",
    "raw-blocking",
    "zk-client",
    "zookeeper-client",
    "tokio-zookeeper",
];

/// Reads `ROW COUNT` a line, and answers `done WALL_NS CPU_NS`.
pub(crate) fn work(client: &str, places: &Places, threads: usize) {
    let runtime = runtime(threads);
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("the parent writes text");
        let mut words = line.split(' ');
        let row = words.next().and_then(Row::parse).expect("a row");
        let count = words.next().and_then(|word| word.parse().ok());
        let cost = round(&runtime, client, row, places, count.expect("a count"));
        say(&format!("done {} {}", cost.wall_ns, cost.cpu_ns));
    }
}

fn round(runtime: &Runtime, client: &str, row: Row, places: &Places, count: usize) -> Cost {
    let (client, places) = (client.to_owned(), places.clone());
    // A task like those of a program: the future of `block_on` is woken by a detour.
    let task = runtime.spawn(async move {
        let places = &places;
        match client.as_str() {
            "raw" => raw::run(Kind::Async, row, places, count).await.unwrap(),
            "raw-blocking" => raw::run(Kind::Blocking, row, places, count).await.unwrap(),
            "zk-client" => rows::run::<zk_client::Client>(row, places, count).await,
            "zookeeper-client" => rows::run::<zookeeper_client::Client>(row, places, count).await,
            "tokio-zookeeper" => rows::run::<tokio_zookeeper::ZooKeeper>(row, places, count).await,
            _ => panic!("no client {client}"),
        }
    });
    runtime.block_on(task).expect("its panic is this process's")
}

/// One thread suffices to any of them and is the cheapest; more show what waking each other costs.
pub(crate) fn runtime(threads: usize) -> Runtime {
    let mut builder = if threads > 1 {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(threads);
        builder
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    builder.enable_all().build().expect("a runtime")
}
