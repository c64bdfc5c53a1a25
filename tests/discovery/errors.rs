use std::net::TcpListener;
use std::time::{Duration, Instant};

use discovery::zk_client::CreateMode;
use discovery::{Ensemble, Namespace};
use tests::backend::Backend;
use tests::on_each_backend;

use crate::fixture::{Admin, SHORT, ensemble, own_namespace};

on_each_backend!(
    a_missing_namespace_names_those_beside_it,
    a_namespace_without_servers_says_so,
    a_missing_chroot_is_named,
);

async fn a_missing_namespace_names_those_beside_it(backend: Backend) {
    let servers = backend.connect_string();
    let top = own_namespace("beside");
    let admin = Admin::connect(&servers, &top).await;
    for name in ["sales", "hiveserver2"] {
        let path = format!("{}/{name}", top.path());
        admin.client.create_all(&path).await.unwrap();
    }
    let missing = format!("{top}/hive");
    let told = format!(
        "the namespace /{missing} does not exist in ZooKeeper at {servers}; below {} there is hiveserver2, sales: give the right one",
        top.path()
    );
    let missing: Namespace = missing.parse().unwrap();
    let ensemble = ensemble(&servers, SHORT);
    let resolved = discovery::resolve(&ensemble, &missing, None).await;
    assert_eq!(resolved.unwrap_err().to_string(), told);
    let listed = discovery::list(&ensemble, &missing).await;
    assert_eq!(listed.unwrap_err().to_string(), told);
    let removed = discovery::deregister(&ensemble, &missing, "1.0").await;
    assert_eq!(removed.unwrap_err().to_string(), told);
}

async fn a_namespace_without_servers_says_so(backend: Backend) {
    let servers = backend.connect_string();
    let namespace = own_namespace("empty");
    let admin = Admin::connect(&servers, &namespace).await;
    admin.client.create_all(&namespace.path()).await.unwrap();
    let ensemble = ensemble(&servers, SHORT);
    let told = async || {
        let resolved = discovery::resolve(&ensemble, &namespace, None).await;
        resolved.unwrap_err().to_string()
    };
    let path = namespace.path();
    assert_eq!(
        told().await,
        format!(
            "no server is registered in the namespace {path} of ZooKeeper at {servers}; start one, or wait until it has registered"
        )
    );
    let latch = format!("{path}/leader");
    let created = admin.client.create(&latch, b"", CreateMode::EPHEMERAL);
    created.await.unwrap();
    assert!(
        told().await.contains("(its one child is something else)"),
        "{}",
        told().await
    );
}

async fn a_missing_chroot_is_named(backend: Backend) {
    let chroot = own_namespace("chroot").path();
    let servers = format!("{}{chroot}", backend.connect_string());
    let resolved =
        discovery::resolve(&ensemble(&servers, SHORT), &Namespace::default(), None).await;
    let text = resolved.unwrap_err().to_string();
    assert!(
        text.starts_with(&chroot) && text.contains("does not exist; leave it out or create it"),
        "{text}"
    );
}

#[tokio::test]
async fn an_unreachable_ensemble_is_named_with_the_time_spent() {
    // Bound and dropped: nobody listens there. The third accepts and stays silent.
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let (first, second) = (free().unwrap(), free().unwrap());
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let third = silent.local_addr().unwrap();
    let limit = Duration::from_millis(900);
    let ensemble = Ensemble::new(&format!("{first},{second},{third}"));
    let ensemble = ensemble.unwrap().with_timeout(limit);
    let namespace = Namespace::default();

    let start = Instant::now();
    let resolved = discovery::resolve(&ensemble, &namespace, None).await;
    let text = resolved.unwrap_err().to_string();
    assert!(start.elapsed() < limit * 5, "{:?}", start.elapsed());
    for part in [
        format!("{first}: "),
        format!("{second}: "),
        format!("{third}: "),
        "within 0.9".to_owned(),
        "check the connect string, and that ZooKeeper runs there".to_owned(),
    ] {
        assert!(text.contains(&part), "no {part:?} in {text}");
    }
    assert!(!text.contains('\n'), "one line: {text}");

    let listed = discovery::list(&ensemble, &namespace).await;
    assert!(listed.unwrap_err().to_string().contains(&first.to_string()));
    let removed = discovery::deregister(&ensemble, &namespace, "1.0").await;
    assert!(
        removed
            .unwrap_err()
            .to_string()
            .contains(&first.to_string())
    );
}
