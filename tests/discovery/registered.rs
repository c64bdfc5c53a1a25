use discovery::zk_client::SessionId;
use discovery::{Endpoint, InstanceData, Registration};
use tests::backend::Backend;
use tests::on_each_backend;
use tests::peers::kazoo_list;

use crate::fixture::{Admin, SHORT, ensemble, instance, own_namespace};

on_each_backend!(
    the_znode_is_as_hive_writes_it,
    missing_levels_of_the_namespace_are_made_and_stay,
    leaving_is_seen_at_once,
);

async fn the_znode_is_as_hive_writes_it(backend: Backend) {
    let servers = backend.connect_string();
    let (ensemble, namespace) = (ensemble(&servers, SHORT), own_namespace("registered"));
    let vendor = instance("h1.example.com:10000", "3.1.0.3.0.1.0-187");
    let address = instance("10.0.0.7:10001", "4.0.1");
    let _first = Registration::register(&ensemble, &namespace, &vendor)
        .await
        .unwrap();
    let _second = Registration::register(&ensemble, &namespace, &address)
        .await
        .unwrap();
    let listed = kazoo_list(&servers, namespace.as_str()).await;
    let listed: Vec<(&str, &str, bool)> = listed
        .iter()
        .map(|znode| (znode.name.as_str(), znode.data.as_str(), znode.ephemeral))
        .collect();
    let expected = [
        (
            "serverUri=10.0.0.7:10001;version=4.0.1;sequence=0000000001",
            "10.0.0.7:10001",
            true,
        ),
        (
            "serverUri=h1.example.com:10000;version=3.1.0.3.0.1.0-187;sequence=0000000000",
            "h1.example.com:10000",
            true,
        ),
    ];
    assert_eq!(listed, expected);
    // What was written is read back as the same instances.
    let listing = discovery::list(&ensemble, &namespace).await.unwrap();
    let data: Vec<&InstanceData> = listing.instances.iter().map(|found| &found.data).collect();
    assert_eq!(data, [&vendor.data, &address.data]);
    let endpoints: Vec<&Endpoint> = listing
        .instances
        .iter()
        .map(|found| found.name.endpoint())
        .collect();
    assert_eq!(endpoints, [&vendor.endpoint, &address.endpoint]);
}

async fn missing_levels_of_the_namespace_are_made_and_stay(backend: Backend) {
    let servers = backend.connect_string();
    let top = own_namespace("levels");
    let namespace = format!("/{top}/prod/hiveserver2").parse().unwrap();
    let instance = instance("h:10000", "1.0");
    let registered =
        Registration::register(&ensemble(&servers, SHORT), &namespace, &instance).await;
    let admin = Admin::connect(&servers, &namespace).await;
    registered.unwrap().deregister().await.unwrap();
    assert!(admin.names().await.is_empty());
    for level in [top.path(), format!("{}/prod", top.path()), namespace.path()] {
        assert_eq!(admin.owner(&level).await, SessionId::NONE, "{level}");
    }
}

async fn leaving_is_seen_at_once(backend: Backend) {
    let servers = backend.connect_string();
    let namespace = own_namespace("leaving");
    let instance = instance("h:10000", "1.0");
    let ensemble = ensemble(&servers, SHORT);
    let first = Registration::register(&ensemble, &namespace, &instance).await;
    let second = Registration::register(&ensemble, &namespace, &instance).await;
    let admin = Admin::connect(&servers, &namespace).await;
    assert_eq!(
        admin.names().await.len(),
        2,
        "one endpoint may be there twice"
    );
    first.unwrap().deregister().await.unwrap();
    assert_eq!(
        admin.names().await,
        ["serverUri=h:10000;version=1.0;sequence=0000000001"]
    );
    second.unwrap().deregister().await.unwrap();
    assert!(admin.names().await.is_empty());
}
