//! Picking from the watched list: how it spreads, and what happens to instances that fail.

#![allow(clippy::unwrap_used, reason = "these are tests, helpers included")]

mod common;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet};
use std::time::Duration;

use common::proxy::Proxy;
use common::{Admin, SOON, server, view};
use discovery::{Pick, PickError, Picker, Strategy, View};
use tokio::time::timeout;
use zk_server::Server;

const SEED: u64 = 20_261_125;
const PICKS: u32 = 100_000;

/// A server with instances of these hosts, each with the attributes given, and a view of them.
async fn fleet(instances: &[(&str, &str)]) -> (Server, Admin, View) {
    let server = server().await;
    let admin = Admin::connect(&server.connect_string()).await;
    admin.client.create_all("/hs2").await.unwrap();
    for (host, attributes) in instances {
        admin.put(&name(host, attributes), b"h:1").await;
    }
    let view = view(&server.connect_string()).await;
    (server, admin, view)
}

fn name(host: &str, attributes: &str) -> String {
    format!("serverUri={host}:10000;version=1.0{attributes};sequence=0000000001")
}

async fn seven() -> (Server, Admin, View) {
    fleet(&["a", "b", "c", "d", "e", "f", "g"].map(|host| (host, ""))).await
}

fn host(pick: &Pick) -> String {
    pick.name().endpoint().host().to_owned()
}

/// How often each host is picked.
fn count(picker: &mut Picker, picks: u32) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for _ in 0..picks {
        *counts.entry(host(&picker.pick().unwrap())).or_default() += 1;
    }
    counts
}

/// Waits until the view has that many instances.
async fn until(view: &View, count: usize) {
    let mut changes = view.changes();
    let waited = timeout(SOON, async {
        while changes.next().await.snapshot.len() != count {}
    });
    waited.await.unwrap();
}

/// The chi-square of even shares.
fn chi_square(counts: &BTreeMap<String, u32>) -> f64 {
    let expected = f64::from(counts.values().sum::<u32>()) / counts.len() as f64;
    let shares = counts.values();
    shares
        .map(|count| (f64::from(*count) - expected).powi(2) / expected)
        .sum()
}

/// What seven even shares exceed once in a thousand times, and five.
const LIMIT_OF_7: f64 = 22.458;
const LIMIT_OF_5: f64 = 18.467;

#[tokio::test]
async fn a_hundred_thousand_random_picks_spread_evenly() {
    let (_server, _admin, view) = seven().await;
    for strategy in [
        Strategy::Random,
        Strategy::Weighted,
        Strategy::Nearest {
            host: None,
            zone: None,
        },
    ] {
        let counts = count(&mut Picker::with_seed(&view, strategy.clone(), SEED), PICKS);
        let found = chi_square(&counts);
        println!(
            "seed {SEED}, {strategy:?}: {counts:?}, chi-square {found:.3} (limit {LIMIT_OF_7})"
        );
        assert!(counts.len() == 7 && found < LIMIT_OF_7);
    }
}

/// Without a seed too: each thread's own generator. One run in a million fails.
#[tokio::test]
async fn picks_without_a_seed_spread_evenly() {
    const LIMIT: f64 = 38.258;
    let (_server, _admin, view) = seven().await;
    let mut picker = Picker::new(&view, Strategy::Random);
    let found = chi_square(&count(&mut picker, PICKS));
    assert!(found < LIMIT, "{found}");
}

#[tokio::test]
async fn who_is_left_when_some_are_set_aside_shares_evenly() {
    let (_server, _admin, view) = seven().await;
    let mut failed = Picker::new(&view, Strategy::RoundRobin);
    let mut hosts = HashSet::new();
    for _ in 0..2 {
        let pick = failed.pick().unwrap();
        hosts.insert(host(&pick));
        pick.failed("refused");
    }
    tokio::time::pause(); // They stay aside.
    let counts = count(&mut Picker::with_seed(&view, Strategy::Random, SEED), PICKS);
    let found = chi_square(&counts);
    println!(
        "seed {SEED}, two of seven aside: {counts:?}, chi-square {found:.3} (limit {LIMIT_OF_5})"
    );
    assert!(counts.len() == 5 && found < LIMIT_OF_5);
    assert!(counts.keys().all(|host| !hosts.contains(host)));
}

#[tokio::test]
async fn a_seed_repeats_the_choice() {
    let (_server, _admin, view) = seven().await;
    for strategy in [
        Strategy::Random,
        Strategy::RoundRobin,
        Strategy::LeastSessions,
    ] {
        let choice = |seed| {
            let mut picker = Picker::with_seed(&view, strategy.clone(), seed);
            (0..20)
                .map(|_| host(&picker.pick().unwrap()))
                .collect::<String>()
        };
        assert_eq!(choice(1), choice(1));
        let others: HashSet<_> = (0..20).map(choice).collect();
        assert!(others.len() > 3, "{strategy:?}: {others:?}");
    }
}

#[tokio::test]
async fn round_robin_takes_turns() {
    let (_server, admin, view) = fleet(&[("a", ""), ("b", ""), ("c", ""), ("d", "")]).await;
    let mut picker = Picker::with_seed(&view, Strategy::RoundRobin, SEED);
    assert!(count(&mut picker, 400).values().all(|count| *count == 100));
    // One that is set aside leaves its turn to nobody.
    tokio::time::pause();
    picker.pick().unwrap().failed("refused");
    let counts = count(&mut picker, 300);
    assert!(
        counts.len() == 3 && counts.values().all(|count| *count == 100),
        "{counts:?}"
    );
    tokio::time::resume();
    // One that joins has its turn at once.
    admin.put(&name("e", ""), b"h:1").await;
    until(&view, 5).await;
    assert_eq!(count(&mut picker, 5)["e"], 1);
}

#[tokio::test]
async fn weights_hold_within_one_percent() {
    let weights = [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 0), ("f", 10)];
    let attributes = weights.map(|(host, weight)| (host, format!(";weight={weight}")));
    let instances: Vec<_> = attributes
        .iter()
        .map(|(host, text)| (*host, text.as_str()))
        .collect();
    let (_server, _admin, view) = fleet(&instances).await;
    let mut picker = Picker::with_seed(&view, Strategy::Weighted, SEED);
    let holds = |picker: &mut Picker, weights: &[(&str, u32)]| {
        let counts = count(picker, 20 * PICKS);
        println!("seed {SEED}, weights {weights:?}: {counts:?}");
        let sum: u32 = weights.iter().map(|(_, weight)| weight).sum();
        for (host, weight) in weights {
            let expected = f64::from(20 * PICKS) * f64::from(*weight) / f64::from(sum);
            let found = f64::from(counts.get(*host).copied().unwrap_or(0));
            assert!(
                (found - expected).abs() <= expected * 0.01,
                "{host}: {found}"
            );
        }
    };
    holds(&mut picker, &weights);

    // The others keep their shares when the heaviest is set aside, and the one of weight 0 is the last resort.
    tokio::time::pause();
    let fail = |picker: &mut Picker, wanted: &str| loop {
        let pick = picker.pick().unwrap();
        if host(&pick) == wanted {
            return pick.failed("refused");
        }
    };
    fail(&mut picker, "f");
    holds(&mut picker, &weights[..5]);
    for host in ["a", "b", "c", "d"] {
        fail(&mut picker, host);
    }
    assert_eq!(host(&picker.pick().unwrap()), "e");
}

/// Sessions begin at random, ten times as many at once as there are instances on average, and last a random time; on
/// one instance they last ten times as long. In turn it would get a seventh of them. What keeps the same number of
/// sessions everywhere is a tenth of what another gets: one in 61.
#[tokio::test]
async fn a_slow_instance_gets_its_fair_small_share() {
    let (_server, _admin, view) = seven().await;
    let run = |strategy: Strategy| {
        let mut picker = Picker::with_seed(&view, strategy, SEED);
        let mut random = fastrand::Rng::with_seed(SEED);
        let mut exponential = move |mean: f64| -mean * (1.0 - random.f64()).ln();
        let mut held: BTreeMap<u32, Pick> = BTreeMap::new();
        let mut ends = BinaryHeap::new();
        let (mut now, mut slow, mut slow_held_max) = (0.0, 0_u32, 0);
        for session in 0..PICKS {
            now += exponential(1.0 / 70.0);
            while let Some(Reverse((end, ended))) = ends.pop() {
                if end as f64 > now * 1e9 {
                    ends.push(Reverse((end, ended)));
                    break;
                }
                held.remove(&ended);
            }
            let pick = picker.pick().unwrap();
            let is_slow = host(&pick) == "d";
            slow += u32::from(is_slow);
            let length = exponential(if is_slow { 10.0 } else { 1.0 });
            ends.push(Reverse((((now + length) * 1e9) as u64, session)));
            held.insert(session, pick);
            if session % 100 == 0 {
                let on_slow = held.values().filter(|pick| host(pick) == "d").count();
                slow_held_max = slow_held_max.max(on_slow);
            }
        }
        (f64::from(slow) / f64::from(PICKS), slow_held_max)
    };
    let (random, random_held) = run(Strategy::Random);
    let (least, least_held) = run(Strategy::LeastSessions);
    println!(
        "seed {SEED}: the slow one got {:.2} % (1.64 % is even load), {least_held} sessions at once at most; at random {:.2} %, {random_held}",
        least * 100.0,
        random * 100.0
    );
    assert!(least > 0.75 / 61.0 && least < 1.5 / 61.0, "{least}");
    assert!(least_held * 3 < random_held);
}

#[tokio::test]
async fn fewer_sessions_come_first() {
    let (_server, _admin, view) = fleet(&[("a", ""), ("b", "")]).await;
    let mut picker = Picker::with_seed(&view, Strategy::LeastSessions, SEED);
    let first = picker.pick().unwrap();
    for _ in 0..100 {
        // Of two the idle one is found, but for eight draws in a row that miss it.
        assert_ne!(host(&picker.pick().unwrap()), host(&first));
    }
    // Other pickers of the view know of the session.
    let mut other = Picker::with_seed(&view.clone(), Strategy::LeastSessions, SEED + 1);
    assert_ne!(host(&other.pick().unwrap()), host(&first));
}

#[tokio::test]
async fn the_nearest_come_first() {
    let (_server, _admin, view) = fleet(&[
        ("h1", ";zone=east"),
        ("h2", ";zone=east"),
        ("h3", ";zone=east"),
        ("h4", ";zone=west"),
        ("h5", ""),
    ])
    .await;
    let near = |host: &str, zone: &str| {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let (host, zone) = (some(host), some(zone));
        Picker::with_seed(&view, Strategy::Nearest { host, zone }, SEED)
    };
    let hosts = |picker: &mut Picker| count(picker, 200).into_keys().collect::<Vec<_>>();
    assert_eq!(hosts(&mut near("H1", "east")), ["h1"]);
    assert_eq!(hosts(&mut near("elsewhere", "east")), ["h1", "h2", "h3"]);
    assert_eq!(hosts(&mut near("", "west")), ["h4"]);
    assert_eq!(
        hosts(&mut near("", "north")),
        ["h1", "h2", "h3", "h4", "h5"]
    );
    tokio::time::pause();
    let mut picker = near("h1", "east");
    picker.pick().unwrap().failed("refused");
    assert_eq!(hosts(&mut picker), ["h2", "h3"], "its zone next");
    for _ in 0..2 {
        picker.pick().unwrap().failed("refused");
    }
    assert_eq!(hosts(&mut picker), ["h4", "h5"], "then the others");
}

/// Tells the picker that every instance has failed.
fn fail_all(picker: &mut Picker) -> PickError {
    loop {
        match picker.pick() {
            Ok(pick) => {
                let why = format!("{} refused", host(&pick));
                pick.failed(why);
            }
            Err(error) => return error,
        }
    }
}

#[tokio::test]
async fn who_has_failed_is_set_aside_and_tried_again() {
    let (_server, admin, view) = fleet(&[("a", ""), ("b", ""), ("c", "")]).await;
    tokio::time::pause();
    let mut picker = Picker::new(&view, Strategy::Random);
    let error = fail_all(&mut picker);
    let text = error.to_string();
    for host in ["a", "b", "c"] {
        let part = format!("{host}:10000: {host} refused (tried again in ");
        assert!(text.contains(&part), "{text}");
    }
    let wait = error.retry_in().unwrap();
    assert!(
        wait > Duration::from_millis(400) && wait <= Duration::from_secs(1),
        "{wait:?}"
    );

    // Then one is tried again, by one; when it is well it stays.
    tokio::time::advance(wait + Duration::from_millis(1)).await;
    let pick = picker.pick().unwrap();
    let well = host(&pick);
    let others = (0..9)
        .map_while(|_| picker.pick().ok())
        .map(|pick| host(&pick));
    assert!(
        others.collect::<Vec<_>>().iter().all(|host| *host != well),
        "on trial"
    );
    pick.succeeded();
    assert!(count(&mut picker, 99).contains_key(&well));

    // What comes back under a new number begins anew; so does what has left and come back.
    fail_all(&mut picker);
    tokio::time::resume();
    for host in ["a", "b", "c"] {
        admin.delete(&format!("/hs2/{}", name(host, ""))).await;
    }
    until(&view, 0).await;
    admin.put(&name("a", ""), b"h:1").await;
    until(&view, 1).await;
    assert_eq!(host(&picker.pick().unwrap()), "a");
}

/// A client that walks on meets each once, however long that takes, and says in the end why each failed.
#[tokio::test]
async fn a_client_that_has_tried_all_says_why_each_failed() {
    let (_server, _admin, view) = fleet(&[("a", ""), ("b", ""), ("c", ""), ("d", "")]).await;
    for strategy in [
        Strategy::Random,
        Strategy::RoundRobin,
        Strategy::Weighted,
        Strategy::LeastSessions,
        Strategy::Nearest {
            host: Some("b".to_owned()),
            zone: None,
        },
    ] {
        tokio::time::pause();
        let mut picker = Picker::new(&view, strategy);
        let mut walk = picker.walk();
        let mut tried = Vec::new();
        let error = loop {
            match walk.next() {
                Ok(pick) => {
                    tried.push(host(&pick));
                    // Longer than anything is set aside.
                    tokio::time::advance(Duration::from_secs(60)).await;
                    let why = format!("{} hangs", host(&pick));
                    walk.failed(pick, why);
                }
                Err(error) => break error,
            }
        };
        tokio::time::resume();
        tried.sort();
        assert_eq!(tried, ["a", "b", "c", "d"], "{picker:?}");
        let text = error.to_string();
        assert!(
            tried
                .iter()
                .all(|host| text.contains(&format!("{host}:10000: {host} hangs"))),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_walk_tells_of_those_that_have_left_meanwhile() {
    let (_server, admin, view) = fleet(&[("a", ""), ("b", "")]).await;
    let mut picker = Picker::new(&view, Strategy::Random);
    let mut walk = picker.walk();
    let pick = walk.next().unwrap();
    let gone = host(&pick);
    walk.failed(pick, "has gone");
    for host in ["a", "b"] {
        admin.delete(&format!("/hs2/{}", name(host, ""))).await;
    }
    until(&view, 0).await;
    let text = walk.next().unwrap_err().to_string();
    assert!(text.contains(&format!("{gone}:10000: has gone")), "{text}");
    assert!(matches!(
        picker.walk().next(),
        Err(PickError::NoInstances { .. })
    ));
}

/// One that was set aside is better than none: it may be back.
#[tokio::test]
async fn a_walk_ends_with_those_set_aside() {
    let (_server, _admin, view) = fleet(&[("a", ""), ("b", ""), ("c", "")]).await;
    tokio::time::pause();
    let mut picker = Picker::new(&view, Strategy::Random);
    let aside = picker.pick().unwrap();
    let last = host(&aside);
    aside.failed("refused");
    let mut walk = picker.walk();
    for _ in 0..2 {
        let pick = walk.next().unwrap();
        assert_ne!(host(&pick), last);
        walk.failed(pick, "refused");
    }
    let pick = walk.next().unwrap();
    assert_eq!(host(&pick), last);
    pick.succeeded();
    assert_eq!(host(&picker.pick().unwrap()), last);
}

#[tokio::test]
async fn an_empty_list_says_what_there_is_and_how_old_that_is() {
    let server = server().await;
    let proxy = Proxy::start(server.local_addr()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    admin.put("leader", b"").await;
    let view = view(&proxy.servers()).await;
    let mut picker = Picker::new(&view, Strategy::Random);
    let error = picker.pick().unwrap_err();
    assert!(matches!(error, PickError::NoInstances { foreign: 1, .. }));
    assert_eq!(error.retry_in(), None);
    let text = error.to_string();
    let expected = format!(
        "no server is registered in the namespace /hs2 of ZooKeeper at {} (its one child is something else); start one, or wait until it has registered",
        proxy.servers()
    );
    assert_eq!(text, expected);
    proxy.cut();
    let mut changes = view.changes();
    let away = timeout(SOON, async {
        while changes.next().await.snapshot.is_live() {}
    });
    away.await.unwrap();
    let text = picker.pick().unwrap_err().to_string();
    assert!(text.contains(" old: ZooKeeper is away)"), "{text}");
}

/// Picks go on from the last list while ZooKeeper is away, and from the new one when it is back.
#[tokio::test]
async fn picks_go_on_without_zookeeper() {
    let server = server().await;
    let proxy = Proxy::start(server.local_addr()).await;
    let admin = Admin::connect(&server.connect_string()).await;
    admin.put(&name("a", ""), b"h:1").await;
    let view = view(&proxy.servers()).await;
    let strategies = [
        Strategy::Random,
        Strategy::RoundRobin,
        Strategy::Weighted,
        Strategy::LeastSessions,
        Strategy::Nearest {
            host: None,
            zone: None,
        },
    ];
    let mut pickers = strategies.map(|strategy| Picker::new(&view, strategy));
    proxy.cut();
    admin.delete(&format!("/hs2/{}", name("a", ""))).await;
    admin.put(&name("b", ""), b"h:1").await;
    for picker in &mut pickers {
        assert_eq!(host(&picker.pick().unwrap()), "a");
    }
    proxy.heal();
    let mut changes = view.changes();
    let back = timeout(SOON, async {
        while changes
            .next()
            .await
            .joined
            .iter()
            .all(|name| name.endpoint().host() != "b")
        {}
    });
    back.await.unwrap();
    for picker in &mut pickers {
        assert_eq!(host(&picker.pick().unwrap()), "b");
    }
}

/// Threads that pick while the list changes get instances that are on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_pick_while_the_list_changes() {
    let (_server, admin, view) = fleet(&[("a", ""), ("b", "")]).await;
    let mut picker = Picker::new(&view, Strategy::LeastSessions);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (mut picker, is_over) = (picker.clone(), &is_over);
                scope.spawn(move || {
                    loop {
                        let host = host(&picker.pick().unwrap());
                        assert!(["a", "b", "c"].contains(&host.as_str()), "{host}");
                        if is_over.load(std::sync::atomic::Ordering::Relaxed) {
                            break;
                        }
                    }
                })
            })
            .collect();
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                for _ in 0..50 {
                    admin.put(&name("c", ""), b"h:1").await;
                    until(&view, 3).await;
                    admin.delete(&format!("/hs2/{}", name("c", ""))).await;
                    until(&view, 2).await;
                }
            });
        });
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        for thread in threads {
            thread.join().unwrap();
        }
    });
    assert!(count(&mut picker, 100).into_keys().eq(["a", "b"]));
}
