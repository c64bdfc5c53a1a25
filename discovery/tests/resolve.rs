//! Finding an instance, and saying clearly why there is none.
#![allow(clippy::unwrap_used, reason = "these are tests, helpers included")]

mod common;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use common::{Admin, SOON, ensemble, instance, namespace, path_of, register, server};
use discovery::{
    Candidates, DataError, InstanceData, JdbcUrl, LookupError, Namespace, Registration,
    ResolveError, list, resolve,
};
use zk_client::SessionId;

fn hs2() -> Namespace {
    namespace("hs2")
}

#[tokio::test]
async fn a_registered_instance_is_found_as_it_is() {
    let server = server().await;
    let servers = server.connect_string();
    let registration = register(&servers).await;
    let admin = Admin::connect(&servers).await;
    let found = resolve(&ensemble(&servers), &hs2(), None).await.unwrap();
    let path = path_of(&registration);
    assert_eq!(found.path, path);
    assert_eq!(found.session, admin.owner(&path).await);
    assert_eq!(
        (found.name.endpoint().to_string(), found.name.version()),
        ("h:10000".to_owned(), "1.0")
    );
    let stat = admin.client.exists(&path).await.unwrap().unwrap();
    assert_eq!(found.registered_at_ms, stat.ctime_ms);
}

/// Hive's drivers never read the name: where it and the data differ, the data counts.
#[tokio::test]
async fn the_data_decides_where_to_connect() {
    let server = server().await;
    let servers = server.connect_string();
    let admin = Admin::connect(&servers).await;
    let data = b"hive.server2.thrift.bind.host=h2;hive.server2.thrift.port=10001;hive.server2.authentication=NOSASL";
    admin
        .put("serverUri=h1:10000;version=4.0.1;sequence=0000000000", data)
        .await;
    let found = resolve(&ensemble(&servers), &hs2(), None).await.unwrap();
    assert!(matches!(found.data, InstanceData::Configs(_)));
    assert_eq!(found.session, None, "put there by hand");
    let url = JdbcUrl::parse("jdbc:hive2://zk/db;serviceDiscoveryMode=zooKeeper").unwrap();
    let direct = found.data.direct_url(&url).unwrap();
    assert_eq!(direct.to_string(), "jdbc:hive2://h2:10001/db;auth=noSasl");
}

#[tokio::test]
async fn a_thousand_resolutions_spread_evenly() {
    const SEED: u64 = 20_240_229;
    /// The chi-square value that three even shares exceed once in a thousand times.
    const LIMIT: f64 = 13.816;
    let server = server().await;
    let servers = server.connect_string();
    let admin = Admin::connect(&servers).await;
    admin.put("leader", b"").await;
    let mut counts = HashMap::new();
    for number in 0..3 {
        let name = format!("serverUri=h{number}:10000;version=1.0;sequence=000000000{number}");
        admin
            .put(&name, format!("h{number}:10000").as_bytes())
            .await;
        counts.insert(format!("h{number}"), 0_u32);
    }
    let ensemble = ensemble(&servers);
    for seed in SEED..SEED + 1000 {
        let found = resolve(&ensemble, &hs2(), Some(seed)).await.unwrap();
        *counts.get_mut(found.name.endpoint().host()).unwrap() += 1;
    }
    let expected = 1000.0 / 3.0;
    let share = |count: &u32| (f64::from(*count) - expected).powi(2) / expected;
    let chi_square: f64 = counts.values().map(share).sum();
    println!("seeds from {SEED}: {counts:?}, chi-square {chi_square:.3} (limit {LIMIT})");
    assert!(chi_square < LIMIT);
}

#[tokio::test]
async fn a_seed_repeats_the_choice() {
    let server = server().await;
    let servers = server.connect_string();
    let admin = Admin::connect(&servers).await;
    for number in 0..9 {
        let name = format!("serverUri=h{number}:10000;version=1.0;sequence=000000000{number}");
        admin.put(&name, b"h:1").await;
    }
    let ensemble = ensemble(&servers);
    let mut firsts = Vec::new();
    for seed in 0..20 {
        let first = resolve(&ensemble, &hs2(), Some(seed)).await.unwrap();
        let second = resolve(&ensemble, &hs2(), Some(seed)).await.unwrap();
        assert_eq!(first, second);
        firsts.push(first.path);
    }
    firsts.sort();
    firsts.dedup();
    assert!(firsts.len() > 3, "other seeds choose otherwise: {firsts:?}");
}

#[tokio::test]
async fn candidates_come_once_each_and_those_that_have_left_not_at_all() {
    let server = server().await;
    let servers = server.connect_string();
    let admin = Admin::connect(&servers).await;
    admin.put("leader", b"").await;
    for number in 0..5 {
        let name = format!("serverUri=h{number}:1;version=1.0;sequence=000000000{number}");
        admin.put(&name, format!("h{number}:1").as_bytes()).await;
    }
    let mut candidates = Candidates::list(&ensemble(&servers), &hs2(), None)
        .await
        .unwrap();
    let first = candidates.next().await.unwrap().unwrap();
    let mut hosts = vec![first.name.endpoint().host().to_owned()];
    let left = (0..5).find(|number| hosts[0] != format!("h{number}"));
    let left = left.unwrap();
    admin
        .delete(&format!(
            "/hs2/serverUri=h{left}:1;version=1.0;sequence=000000000{left}"
        ))
        .await;
    while let Some(next) = candidates.next().await.unwrap() {
        hosts.push(next.name.endpoint().host().to_owned());
    }
    hosts.sort();
    let expected: Vec<_> = (0..5)
        .filter(|number| *number != left)
        .map(|number| format!("h{number}"))
        .collect();
    assert_eq!(hosts, expected);
    assert_eq!(candidates.next().await, Ok(None));
}

/// The list outlives the session that read it.
#[tokio::test]
async fn candidates_go_on_after_their_session_has_expired() {
    let server = server().await;
    let servers = server.connect_string();
    let admin = Admin::connect(&servers).await;
    for number in 0..3 {
        let name = format!("serverUri=h{number}:1;version=1.0;sequence=000000000{number}");
        admin.put(&name, b"h:1").await;
    }
    let mut candidates = Candidates::list(&ensemble(&servers), &hs2(), None)
        .await
        .unwrap();
    for _ in 0..3 {
        let other = |id: &SessionId| *id != admin.client.session_id();
        for session in server.sessions().into_iter().filter(other) {
            server.expire_session(session);
        }
        assert!(candidates.next().await.unwrap().is_some());
    }
    assert_eq!(candidates.next().await, Ok(None));
}

#[tokio::test]
async fn unreadable_data_is_named_and_does_not_hide_the_others() {
    let server = server().await;
    let servers = server.connect_string();
    let admin = Admin::connect(&servers).await;
    let bad = "serverUri=h0:1;version=1.0;sequence=0000000000";
    admin.put(bad, b"\xff").await;
    let error = resolve(&ensemble(&servers), &hs2(), None)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("/hs2/{bad}: the instance's data is not UTF-8 text")
    );
    admin
        .put("serverUri=h1:1;version=1.0;sequence=0000000001", b"h1:1")
        .await;
    let mut candidates = Candidates::list(&ensemble(&servers), &hs2(), None)
        .await
        .unwrap();
    let drawn = [candidates.next().await, candidates.next().await];
    assert_eq!(drawn.iter().filter(|drawn| drawn.is_ok()).count(), 1);
    assert_eq!(candidates.next().await, Ok(None));
}

#[tokio::test]
async fn the_list_has_everything_in_order() {
    let server = server().await;
    let servers = server.connect_string();
    let admin = Admin::connect(&servers).await;
    admin.put("leader", b"").await;
    admin
        .put("serverUri=bad:1;version=1.0;sequence=0000000001", b"?")
        .await;
    let mut registrations = Vec::new();
    for number in 0..3 {
        let instance = instance(&format!("h{number}:10000"), &format!("{number}.0"));
        let registered = Registration::register(&ensemble(&servers), &hs2(), &instance).await;
        registrations.push(registered.unwrap());
    }
    let listing = list(&ensemble(&servers), &hs2()).await.unwrap();
    let paths: Vec<_> = listing
        .instances
        .iter()
        .map(|one| one.path.clone())
        .collect();
    let expected: Vec<_> = registrations.iter().map(path_of).collect();
    assert_eq!(paths, expected);
    assert!(listing.instances.iter().all(|one| one.session.is_some()));
    assert_eq!(listing.others, ["leader"]);
    assert_eq!(listing.unreadable.len(), 1);
    assert!(matches!(listing.unreadable[0].1, DataError::NotHostPort(_)));
}

#[tokio::test]
async fn a_long_list_is_read_whole() {
    let server = server().await;
    let servers = server.connect_string();
    let admin = Admin::connect(&servers).await;
    admin.client.create_all("/hs2").await.unwrap();
    let names = (0..700).map(|n| format!("/hs2/serverUri=h{n}:1;version=1;sequence={n:010}"));
    let mode = zk_client::CreateMode::PERSISTENT;
    let made: Vec<_> = names
        .map(|path| admin.client.create(&path, b"h:1", mode))
        .collect();
    for one in made {
        one.await.unwrap();
    }
    let listing = list(&ensemble(&servers), &hs2()).await.unwrap();
    let numbers = listing
        .instances
        .iter()
        .map(|one| one.name.sequence().get());
    assert!(numbers.eq(0..700));
}

#[tokio::test]
async fn a_missing_namespace_names_those_beside_it() {
    let server = server().await;
    let servers = server.connect_string();
    let admin = Admin::connect(&servers).await;
    let ask = |text: &str| {
        let (ensemble, namespace) = (ensemble(&servers), namespace(text));
        async move {
            resolve(&ensemble, &namespace, None)
                .await
                .unwrap_err()
                .to_string()
        }
    };
    assert_eq!(
        ask("hs2").await,
        format!(
            "the namespace /hs2 does not exist in ZooKeeper at {servers}; nothing is below / yet: start a server that registers there"
        )
    );
    for path in ["/hiveserver2", "/kyuubi", "/prod/hs2-a", "/prod/hs2-b"] {
        admin.client.create_all(path).await.unwrap();
    }
    assert_eq!(
        ask("hs2").await,
        format!(
            "the namespace /hs2 does not exist in ZooKeeper at {servers}; below / there is hiveserver2, kyuubi, prod: give the right one"
        )
    );
    assert_eq!(
        ask("prod/hs2").await,
        format!(
            "the namespace /prod/hs2 does not exist in ZooKeeper at {servers}; below /prod there is hs2-a, hs2-b: give the right one"
        )
    );
    // Where its parent is missing too, the lowest level that exists is shown.
    let deep = ask("prod/x/y").await;
    assert!(deep.contains("below /prod there is hs2-a, hs2-b"), "{deep}");

    let nowhere = ensemble(&format!("{servers}/nowhere"));
    let error = resolve(&nowhere, &hs2(), None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "/nowhere, at the end of the connect string {servers}/nowhere, does not exist; leave it out or create it"
        )
    );
    let below = ensemble(&format!("{servers}/prod"));
    admin.put("leader", b"").await;
    let error = list(&below, &hs2()).await.unwrap_err();
    assert!(
        matches!(error, LookupError::NoNamespace { beside, .. } if beside == ["hs2-a", "hs2-b"])
    );
}

#[tokio::test]
async fn a_namespace_without_servers_says_so() {
    let server = server().await;
    let servers = server.connect_string();
    let admin = Admin::connect(&servers).await;
    admin.client.create_all("/hs2").await.unwrap();
    let ask = || async {
        let error = resolve(&ensemble(&servers), &hs2(), None)
            .await
            .unwrap_err();
        assert!(matches!(error, ResolveError::NoInstances { .. }), "{error}");
        error.to_string()
    };
    let text = |others: &str| {
        format!(
            "no server is registered in the namespace /hs2 of ZooKeeper at {servers}{others}; start one, or wait until it has registered"
        )
    };
    assert_eq!(ask().await, text(""));
    admin.put("leader", b"").await;
    assert_eq!(ask().await, text(" (its one child is something else)"));
    admin.put("lock", b"").await;
    assert_eq!(ask().await, text(" (its 2 children are something else)"));
    assert!(
        list(&ensemble(&servers), &hs2())
            .await
            .unwrap()
            .instances
            .is_empty()
    );
}

/// One server refuses connections, one accepts them and says nothing, one has no name.
#[tokio::test]
async fn an_unreachable_ensemble_is_named_in_time() {
    let closed = server().await;
    let refusing = closed.connect_string();
    closed.shutdown().await;
    let silent = server().await;
    silent.pause(true);
    let servers = format!(
        "{refusing},{},no-such-host.invalid",
        silent.connect_string()
    );
    let limit = Duration::from_millis(1500);
    let start = Instant::now();
    let error = resolve(&ensemble(&servers).with_timeout(limit), &hs2(), None)
        .await
        .unwrap_err();
    let elapsed = start.elapsed();
    assert!(
        elapsed >= limit && elapsed < limit + SOON / 5,
        "{elapsed:?}"
    );
    let text = error.to_string();
    let parts = [
        &refusing,
        &silent.connect_string(),
        "no-such-host.invalid:2181",
        "1.5",
    ];
    assert!(parts.iter().all(|part| text.contains(*part)), "{text}");
    assert!(!text.contains('\n'), "{text}");
}

#[tokio::test]
async fn a_server_that_falls_silent_is_not_waited_for_longer() {
    let server = server().await;
    let servers = server.connect_string();
    let admin = Admin::connect(&servers).await;
    admin
        .put("serverUri=h:1;version=1;sequence=0000000000", b"h:1")
        .await;
    let limit = Duration::from_millis(300);
    let ensemble = ensemble(&servers).with_timeout(limit);
    let mut candidates = Candidates::list(&ensemble, &hs2(), None).await.unwrap();
    server.pause(true);
    let start = Instant::now();
    let error = candidates.next().await.unwrap_err();
    assert!(start.elapsed() < limit + SOON / 5);
    let expected = format!("ZooKeeper at {servers} gave no answer about /hs2/serverUri=h:1;");
    assert!(error.to_string().starts_with(&expected), "{error}");
}

/// One dead member of the ensemble costs nothing but its refusal.
#[tokio::test]
async fn one_living_server_is_enough() {
    let closed = server().await;
    let refusing = closed.connect_string();
    closed.shutdown().await;
    let server = server().await;
    let registration = register(&server.connect_string()).await;
    let servers = format!("{refusing},{}", server.connect_string());
    for _ in 0..4 {
        let found = resolve(&ensemble(&servers), &hs2(), None).await.unwrap();
        assert_eq!(found.path, path_of(&registration));
    }
}

/// Resolving leaves no session behind.
#[tokio::test]
async fn the_session_is_closed() {
    let server = server().await;
    let servers = server.connect_string();
    let registration = register(&servers).await;
    for _ in 0..5 {
        resolve(&ensemble(&servers), &hs2(), None).await.unwrap();
    }
    list(&ensemble(&servers), &hs2()).await.unwrap();
    let deadline = Instant::now() + SOON;
    while server.sessions().len() > 1 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(registration);
}
