//! Finding a HiveServer2 instance, cold and on an open session, beside a raw socket that does the least there is.
//!
//! Against the embedded server, or a real one: `ZOOKEEPER=127.0.0.1:2181 cargo bench -p benches --bench resolve`.
#![allow(missing_docs, clippy::unwrap_used)]

use benches::{Raw, ZooKeeper, raw_resolve};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use discovery::{Endpoint, Ensemble, InstanceName, Namespace};
use tokio::runtime::Runtime;
use zk_client::{Client, CreateMode};

const IN_FLIGHT: u64 = 256;

fn resolution(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let zookeeper = runtime.block_on(ZooKeeper::from_environment()).unwrap();
    let servers = zookeeper.address.to_string();
    let namespace: Namespace = format!("bench-{}", std::process::id()).parse().unwrap();
    let fleet = runtime.block_on(async {
        let client = Client::connect(&servers).await.unwrap();
        client.create_all(&namespace.path()).await.unwrap();
        for number in 1..=3 {
            let endpoint = Endpoint::new(&format!("hs2-{number}.example.com"), 10000).unwrap();
            let prefix = InstanceName::prefix(&endpoint, "4.0.1").unwrap();
            let path = format!("{}/{prefix}", namespace.path());
            client
                .create(
                    &path,
                    endpoint.to_string().as_bytes(),
                    CreateMode::EPHEMERAL_SEQUENTIAL,
                )
                .await
                .unwrap();
        }
        client
    });

    let mut group = c.benchmark_group(format!(
        "cold resolution of 3 instances, {}",
        zookeeper.kind
    ));
    let path = namespace.path();
    group.bench_function("raw socket, list behind connect (floor)", |b| {
        b.to_async(&runtime).iter(|| async {
            raw_resolve(zookeeper.address, &path, Raw::Pipelined)
                .await
                .unwrap()
        });
    });
    group.bench_function("raw socket, waiting for the session", |b| {
        b.to_async(&runtime).iter(|| async {
            raw_resolve(zookeeper.address, &path, Raw::Waiting)
                .await
                .unwrap()
        });
    });
    let ensemble = Ensemble::new(&servers).unwrap();
    group.bench_function("discovery::resolve", |b| {
        b.to_async(&runtime).iter(|| async {
            discovery::resolve(&ensemble, &namespace, None)
                .await
                .unwrap()
        });
    });
    group.finish();

    let mut group = c.benchmark_group(format!("open session, {}", zookeeper.kind));
    let child = runtime.block_on(async {
        let children = fleet.get_children(&path).await.unwrap();
        format!("{path}/{}", children.get(0).unwrap().unwrap())
    });
    group.bench_function("list and read one (warm resolution)", |b| {
        b.to_async(&runtime).iter(|| async {
            let children = fleet.get_children(&path).await.unwrap();
            let name = children.get(0).unwrap().unwrap();
            fleet.get_data(&format!("{path}/{name}")).await.unwrap()
        });
    });
    group.bench_function("getData", |b| {
        b.to_async(&runtime)
            .iter(|| async { fleet.get_data(&child).await.unwrap() });
    });
    group.throughput(Throughput::Elements(IN_FLIGHT));
    group.bench_function("getData, 256 in flight", |b| {
        b.to_async(&runtime).iter(|| async {
            let calls: Vec<_> = (0..IN_FLIGHT).map(|_| fleet.get_data(&child)).collect();
            for call in calls {
                call.await.unwrap();
            }
        });
    });
    group.finish();
    runtime.block_on(fleet.close());
}

criterion_group!(benches, resolution);
criterion_main!(benches);
