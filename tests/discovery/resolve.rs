use std::collections::BTreeMap;

use discovery::zk_client::CreateMode;
use discovery::{Candidates, Registration};
use tests::backend::Backend;
use tests::on_each_backend;

use crate::fixture::{Admin, SHORT, ensemble, instance, own_namespace};

on_each_backend!(
    seeds_spread_evenly_over_the_instances,
    candidates_are_each_drawn_once,
);

const INSTANCES: usize = 3;

async fn seeds_spread_evenly_over_the_instances(backend: Backend) {
    let servers = backend.connect_string();
    let (ensemble, namespace) = (ensemble(&servers, SHORT), own_namespace("resolve"));
    let _fleet = fleet(&servers, &namespace).await;
    // What is no instance must neither be drawn nor weigh the draw.
    let admin = Admin::connect(&servers, &namespace).await;
    let latch = format!("{}/leader", namespace.path());
    let created = admin.client.create(&latch, b"", CreateMode::EPHEMERAL);
    created.await.unwrap();

    let seeds = 1..=1000;
    let mut drawn: BTreeMap<String, u32> = BTreeMap::new();
    for seed in seeds.clone() {
        let found = discovery::resolve(&ensemble, &namespace, Some(seed)).await;
        let found = found.unwrap().data;
        *drawn.entry(found.to_text().unwrap()).or_default() += 1;
    }
    let again = discovery::resolve(&ensemble, &namespace, Some(1))
        .await
        .unwrap();
    let once_more = discovery::resolve(&ensemble, &namespace, Some(1))
        .await
        .unwrap();
    assert_eq!(again, once_more, "a seed makes the choice repeatable");

    assert_eq!(drawn.len(), INSTANCES, "{drawn:?}");
    let expected = 1000.0 / 3.0;
    let statistic: f64 = drawn
        .values()
        .map(|&count| (f64::from(count) - expected).powi(2) / expected)
        .sum();
    // The distribution with two degrees of freedom has this simple tail.
    let p = (-statistic / 2.0).exp();
    eprintln!("seeds {seeds:?} drew {drawn:?}: chi-square {statistic:.3}, p = {p:.4}");
    assert!(p > 0.001, "{drawn:?}: chi-square {statistic:.3}, p = {p}");
}

async fn candidates_are_each_drawn_once(backend: Backend) {
    let servers = backend.connect_string();
    let (ensemble, namespace) = (ensemble(&servers, SHORT), own_namespace("candidates"));
    let mut fleet = fleet(&servers, &namespace).await;
    let listed = Candidates::list(&ensemble, &namespace, Some(7)).await;
    let mut candidates = listed.unwrap();
    let first = candidates.next().await.unwrap().expect("an instance");
    // One that leaves after the list was read is passed over.
    let mut ports = vec![first.name.endpoint().port()];
    let left = (10_000..)
        .zip(0..INSTANCES)
        .find(|(port, _)| *port != ports[0]);
    let (gone, index) = left.expect("three instances");
    fleet.remove(index).deregister().await.unwrap();
    while let Some(instance) = candidates.next().await.unwrap() {
        ports.push(instance.name.endpoint().port());
    }
    ports.sort_unstable();
    let expected: Vec<u16> = (10_000..10_003).filter(|port| *port != gone).collect();
    assert_eq!(ports, expected);
}

/// Instances `h:10000` and up, registered in this order.
async fn fleet(servers: &str, namespace: &discovery::Namespace) -> Vec<Registration> {
    let mut fleet = Vec::new();
    for (port, _) in (10_000..).zip(0..INSTANCES) {
        let instance = instance(&format!("h:{port}"), "1.0");
        let ensemble = ensemble(servers, SHORT);
        let registration = Registration::register(&ensemble, namespace, &instance).await;
        fleet.push(registration.unwrap());
    }
    fleet
}
