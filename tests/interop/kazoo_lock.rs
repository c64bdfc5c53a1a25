use std::time::Duration;

use tests::backend::Backend;
use tests::on_each_backend;
use tests::peers::python;
use tests::wait;
use tests::zookeeper::unique_name;
use zk_client::recipes::Lock;
use zk_client::{Client, CreateMode, ZnodeVersion};

on_each_backend!(a_lock_excludes_kazoos, kazoo_finds_the_lock_held_and_free,);

const ROUNDS: u32 = 30;
const SOON: Duration = Duration::from_secs(30);

async fn a_lock_excludes_kazoos(backend: Backend) {
    let contest = Contest::new(&backend).await;
    let rounds = ROUNDS.to_string();
    let arguments = contest.arguments(&rounds);
    let kazoo = python("kazoo_lock.py", &arguments);
    let ours = async {
        let lock = Lock::new(&contest.client, &contest.path);
        let first = lock.lock().await.unwrap();
        wait::until("kazoo waits for the lock", SOON, async || {
            let queue = contest.client.get_children(&contest.path).await.unwrap();
            queue.len() == 2
        })
        .await;
        first.release().await.unwrap();
        for _ in 0..ROUNDS {
            let held = lock.lock().await.unwrap();
            let (number, _) = contest.client.get_data(&contest.counter).await.unwrap();
            let number: u32 = std::str::from_utf8(&number).unwrap().parse().unwrap();
            let next = (number + 1).to_string();
            contest
                .client
                .set_data(&contest.counter, next.as_bytes(), ZnodeVersion::ANY)
                .await
                .unwrap();
            held.release().await.unwrap();
        }
    };
    let (output, ()) = tokio::join!(kazoo, ours);
    let _ = output.success();
    let (number, _) = contest.client.get_data(&contest.counter).await.unwrap();
    assert_eq!(&number[..], (2 * ROUNDS).to_string().as_bytes());
    contest.client.close().await;
}

async fn kazoo_finds_the_lock_held_and_free(backend: Backend) {
    let contest = Contest::new(&backend).await;
    let free = async || {
        let output = python("kazoo_lock.py", &contest.arguments("0")).await;
        output.success().stdout.trim() == "true"
    };
    let held = Lock::new(&contest.client, &contest.path)
        .lock()
        .await
        .unwrap();
    assert!(!free().await);
    held.release().await.unwrap();
    assert!(free().await);
    contest.client.close().await;
}

/// A lock's path, and a number that is changed under the lock only.
struct Contest {
    client: Client,
    hosts: String,
    path: String,
    counter: String,
}

impl Contest {
    async fn new(backend: &Backend) -> Self {
        let hosts = backend.connect_string();
        let client = Client::connect(&hosts).await.unwrap();
        let counter = format!("/{}", unique_name("counter"));
        client
            .create(&counter, b"0", CreateMode::PERSISTENT)
            .await
            .unwrap();
        Self {
            client,
            hosts,
            path: format!("/{}", unique_name("kazoo-lock")),
            counter,
        }
    }

    fn arguments<'a>(&'a self, rounds: &'a str) -> [&'a str; 4] {
        [&self.hosts, &self.path, &self.counter, rounds]
    }
}
