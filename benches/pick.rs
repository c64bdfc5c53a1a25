//! Picking from the watched list, beside what any choice of a shared thing costs; and how long a change takes to reach
//! the list, beside a bare watch.
//!
//! Against the embedded server, or a real one: `ZOOKEEPER=127.0.0.1:2181 cargo bench -p benches --bench pick`.
#![allow(missing_docs, clippy::unwrap_used)]

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::ZooKeeper;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use discovery::{Changes, Ensemble, Namespace, Picker, Strategy, View};
use tokio::runtime::Runtime;
use zk_client::{AddWatchMode, Client, CreateMode, PersistentWatch, WatchItem, ZnodeVersion};

const SIZES: [usize; 3] = [10, 1_000, 10_000];

/// A namespace that grows from size to size.
struct Fleet {
    runtime: Runtime,
    zookeeper: ZooKeeper,
    client: Client,
    namespace: Namespace,
    size: usize,
}

impl Fleet {
    fn new(name: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let zookeeper = runtime.block_on(ZooKeeper::from_environment()).unwrap();
        let namespace: Namespace = format!("bench-{name}-{}", std::process::id())
            .parse()
            .unwrap();
        let client = runtime.block_on(async {
            let client = Client::connect(&zookeeper.address.to_string())
                .await
                .unwrap();
            client.create_all(&namespace.path()).await.unwrap();
            client
        });
        Self {
            runtime,
            zookeeper,
            client,
            namespace,
            size: 0,
        }
    }

    fn grow(&mut self, size: usize) {
        let paths: Vec<_> = (self.size..size).map(|number| self.path(number)).collect();
        self.size = size;
        self.runtime.block_on(async {
            for paths in paths.chunks(500) {
                let created: Vec<_> = paths
                    .iter()
                    .map(|path| self.client.create(path, b"", CreateMode::EPHEMERAL))
                    .collect();
                for one in created {
                    one.await.unwrap();
                }
            }
        });
    }

    fn path(&self, number: usize) -> String {
        let (weight, zone) = (number % 5, number % 3);
        format!(
            "{}/serverUri=hs2-{number}.example.com:10000;version=4.0.1;weight={weight};zone={zone};sequence={number:010}",
            self.namespace.path()
        )
    }

    fn view(&self) -> View {
        let ensemble = Ensemble::new(&self.zookeeper.address.to_string()).unwrap();
        self.runtime
            .block_on(View::open(&ensemble, &self.namespace))
            .unwrap()
    }
}

fn picks(c: &mut Criterion) {
    let mut fleet = Fleet::new("pick");
    for size in SIZES {
        fleet.grow(size);
        let view = fleet.view();
        assert_eq!(view.snapshot().len(), size);
        let mut group = c.benchmark_group(format!("pick and let go, {size} instances"));
        let list: Vec<_> = (0..size)
            .map(|number| Arc::new(fleet.path(number)))
            .collect();
        group.bench_function("a random Arc of a Vec, cloned and dropped (floor)", |b| {
            b.iter(|| list.get(fastrand::usize(..size)).cloned());
        });
        let (host, zone) = (None, Some("1".to_owned()));
        for strategy in [
            Strategy::Random,
            Strategy::RoundRobin,
            Strategy::Weighted,
            Strategy::LeastSessions,
            Strategy::Nearest { host, zone },
        ] {
            let name = format!("{strategy:?}");
            let name = name.split(' ').next().unwrap_or_default();
            let mut picker = Picker::new(&view, strategy);
            group.bench_function(name, |b| b.iter(|| picker.pick().unwrap()));
        }
        group.bench_function("View::snapshot", |b| b.iter(|| view.snapshot()));
        group.finish();
    }
    fleet.runtime.block_on(fleet.client.close());
}

/// Somebody who waits until the namespace has changed.
trait Watcher {
    fn change(&mut self) -> impl Future<Output = ()> + Send;
}

impl Watcher for PersistentWatch {
    async fn change(&mut self) {
        assert!(matches!(self.next().await, Ok(WatchItem::Event(_))));
    }
}

impl Watcher for Changes {
    async fn change(&mut self) {
        self.next().await;
    }
}

/// What clients without persistent watches do: watch the children, and read them again at each change.
struct Lists {
    client: Client,
    path: String,
    watch: Option<zk_client::Watch>,
}

impl Watcher for Lists {
    async fn change(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.changed().await.unwrap();
        }
        let listed = self.client.get_children_and_watch(&self.path).await;
        self.watch = Some(listed.unwrap().1);
    }
}

/// The time from asking for a new znode until the watcher knows of it.
async fn changes(client: &Client, path: &str, watcher: &mut impl Watcher, count: u64) -> Duration {
    let mut sum = Duration::ZERO;
    for _ in 0..count {
        let start = Instant::now();
        let created = client.create(path, b"", CreateMode::EPHEMERAL);
        watcher.change().await;
        sum += start.elapsed();
        created.await.unwrap();
        client.delete(path, ZnodeVersion::ANY).await.unwrap();
        watcher.change().await;
    }
    sum
}

fn latency(c: &mut Criterion) {
    let mut fleet = Fleet::new("change");
    for size in SIZES {
        fleet.grow(size);
        let (runtime, namespace, client) = (&fleet.runtime, fleet.namespace.path(), &fleet.client);
        let path = fleet.path(size);
        let servers = fleet.zookeeper.address.to_string();
        let connect = || runtime.block_on(Client::connect(&servers)).unwrap();
        let kind = fleet.zookeeper.kind;
        let mut group = c.benchmark_group(format!("a change until it is known, {kind}"));

        let watching = connect();
        let mode = AddWatchMode::PERSISTENT_RECURSIVE;
        let mut watch = runtime
            .block_on(watching.add_watch(&namespace, mode))
            .unwrap();
        group.bench_function(
            BenchmarkId::new("bare recursive watch (floor)", size),
            |b| {
                b.iter_custom(|count| runtime.block_on(changes(client, &path, &mut watch, count)));
            },
        );
        drop(watch);
        runtime.block_on(watching.close());

        let view = fleet.view();
        let mut seen = view.changes();
        runtime.block_on(seen.change());
        group.bench_function(BenchmarkId::new("View", size), |b| {
            b.iter_custom(|count| runtime.block_on(changes(client, &path, &mut seen, count)));
        });
        drop((view, seen));

        let watching = connect();
        let mut lists = Lists {
            client: watching.clone(),
            path: namespace.clone(),
            watch: None,
        };
        runtime.block_on(lists.change());
        group.bench_function(
            BenchmarkId::new("child watch, and the list again", size),
            |b| {
                b.iter_custom(|count| runtime.block_on(changes(client, &path, &mut lists, count)));
            },
        );
        runtime.block_on(watching.close());
        group.finish();
    }
    fleet.runtime.block_on(fleet.client.close());
}

criterion_group!(benches, picks, latency);
criterion_main!(benches);
