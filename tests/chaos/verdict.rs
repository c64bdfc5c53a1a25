use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tests::wait;
use zk_client::{Client, SessionState};

use crate::arena::{Arena, CLIENTS, COUNTERS, SESSION_TIMEOUT, counter};
use crate::faults::Fault;
use crate::ledger::{Creation, Expected, Tally};
use crate::outage::Outages;
use crate::workers::Worked;

/// How soon the ephemeral znodes of a dead session are gone: it may have ended just now by the client's clock, and
/// leaders give every session its full time.
const BURIED: Duration = Duration::from_secs(3 * SESSION_TIMEOUT.as_secs());

/// Compares what is there in the end with what the workers were told. Their last sessions live.
pub(crate) async fn judge(arena: &Arena, worked: &[Worked]) {
    members_agree(arena).await;
    let client = arena.judge(arena.servers()).await;
    client.sync("/").await.unwrap();
    counters(arena, &client, worked).await;
    names(arena, &client, worked, "/names").await;
    names(arena, &client, worked, "/tree").await;
    ephemerals(arena, &client, worked).await;
    client.close().await;
}

/// Whatever clients do, all members have the same znodes in the end. Where they have not, a server has lost transactions,
/// and what else is found is no word about the client.
async fn members_agree(arena: &Arena) {
    for folder in ["/names", "/tree"] {
        let mut seen: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        let servers: Vec<_> = arena.servers().split(',').collect();
        for (member, server) in servers.iter().enumerate() {
            let client = arena.judge(server).await;
            client.sync(folder).await.unwrap();
            for path in list(&client, folder).await.into_values().flatten() {
                seen.entry(path).or_default().insert(member);
            }
            client.close().await;
        }
        seen.retain(|_, members| members.len() < servers.len());
        if let Some((path, members)) = seen.first_key_value() {
            arena.violation(format!(
                "the members of the ensemble disagree about {} znodes in {folder}: {path} is on {members:?} only, a defect of the server",
                seen.len()
            ));
        }
    }
}

/// Every version was answered to one client, or is that of a request without an answer.
async fn counters(arena: &Arena, client: &Client, worked: &[Worked]) {
    for number in 0..COUNTERS {
        let path = counter(number);
        let (data, stat) = client.get_data(&path).await.unwrap();
        if data != stat.version.to_string() {
            arena.violation(format!("{path} of version {} holds {data:?}", stat.version));
        }
        let of_this = |(counter, version): &(usize, i32)| (*counter == number).then_some(*version);
        let answered = worked.iter().flat_map(|worked| &worked.ledger.increments);
        let mut owners: BTreeMap<i32, usize> = BTreeMap::new();
        for version in answered.filter_map(of_this) {
            *owners.entry(version).or_default() += 1;
        }
        let unknown = worked
            .iter()
            .flat_map(|worked| &worked.ledger.unknown_increments);
        let unknown: BTreeSet<_> = unknown.filter_map(of_this).collect();
        for version in 1..=stat.version {
            match owners.get(&version) {
                Some(1) => {}
                Some(count) => arena.violation(format!("{path}: version {version} was answered to {count} clients")),
                None if unknown.contains(&version) => {}
                None => arena.violation(format!("{path}: version {version} is nobody's: a request that was reported as not applied, or sent twice")),
            }
        }
        if let Some((last, _)) = owners.last_key_value()
            && *last > stat.version
        {
            arena.violation(format!(
                "{path}: version {last} was answered, and there are {}",
                stat.version
            ));
        }
    }
}

/// What was answered is there, what was reported as not applied is not, and nothing is there twice.
async fn names(arena: &Arena, client: &Client, worked: &[Worked], folder: &str) {
    let there = list(client, folder).await;
    let creations = worked.iter().flat_map(|worked| &worked.ledger.creations);
    let expected = creations.filter(|(path, _)| path.starts_with(folder));
    compare(arena, expected, &there, |creation| creation.expected);
}

/// The same for ephemeral znodes; those of a session that has ended go with it.
async fn ephemerals(arena: &Arena, client: &Client, worked: &[Worked]) {
    let mut dead = BTreeSet::new();
    for worked in worked {
        dead.extend(&worked.ledger.ended);
        if matches!(*worked.client.state().borrow(), SessionState::Ended(_)) {
            dead.insert(worked.client.session_id());
        }
    }
    let creations: Vec<_> = worked
        .iter()
        .flat_map(|worked| &worked.ledger.creations)
        .filter(|(_, creation)| creation.owner.is_some())
        .collect();
    let is_dead = |creation: &Creation| creation.owner.is_some_and(|owner| dead.contains(&owner));
    let mut there = BTreeMap::new();
    // Sessions that ended by the client's clock go when the server's clock says so.
    let _buried = wait::some(BURIED, async || {
        there = list(client, "/ephemerals").await;
        let left = creations
            .iter()
            .any(|(path, creation)| is_dead(creation) && there.contains_key(*path));
        (!left).then_some(())
    })
    .await;
    compare(arena, creations.iter().copied(), &there, |creation| {
        if is_dead(creation) {
            Expected::Gone
        } else {
            creation.expected
        }
    });
    for (path, creation) in creations {
        if is_dead(creation) || creation.expected != Expected::There {
            continue;
        }
        if let Some(stat) = client.exists(path).await.unwrap()
            && Some(stat.ephemeral_owner) != creation.owner
        {
            arena.violation(format!(
                "{path} belongs to {}, not to {:?}",
                stat.ephemeral_owner, creation.owner
            ));
        }
    }
}

fn compare<'a>(
    arena: &Arena,
    creations: impl Iterator<Item = (&'a String, &'a Creation)>,
    there: &BTreeMap<String, Vec<String>>,
    expected: impl Fn(&Creation) -> Expected,
) {
    let mut asked = BTreeSet::new();
    for (path, creation) in creations {
        asked.insert(path);
        let found = there.get(path).map_or(&[][..], Vec::as_slice);
        let as_expected = match (expected(creation), found) {
            (Expected::There, [one]) => creation.path.as_ref() == Some(one),
            (Expected::Gone, []) | (Expected::Either, [] | [_]) => true,
            _ => false,
        };
        if !as_expected {
            arena.violation(format!("{path}: {found:?} is there after {creation:?}"));
        }
    }
    for (path, found) in there {
        if !asked.contains(path) {
            arena.violation(format!("{found:?} is there, and nobody asked for it"));
        }
    }
}

/// The znodes of a folder by the path that was asked for: behind a `-` a server has put a number.
async fn list(client: &Client, folder: &str) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let children = client.get_children(folder).await.unwrap();
    for name in children.to_vec() {
        let path = format!("{folder}/{name}");
        let asked = path.find('-').map_or(path.as_str(), |end| &path[..=end]);
        found
            .entry(asked.to_owned())
            .or_default()
            .push(path.clone());
    }
    found
}

/// What was done, in a few lines.
pub(crate) fn report(
    worked: &[Worked],
    lasted: Duration,
    faults: &BTreeMap<Fault, usize>,
    gaps: usize,
    outages: &Outages,
) -> String {
    let mut tally = Tally::default();
    for worked in worked {
        tally.add(&worked.ledger.tally);
    }
    let seconds = lasted.as_secs_f64();
    format!(
        "{CLIENTS} clients for {seconds:.0} s: {} requests answered ({:.0}/s), {} refused ({}), {} lost with an unknown outcome, {} lost and not applied; {} one-shot watches fired, {gaps} gaps in recursive watches, {} sessions closed, {} lost\nfaults: {faults:?}\n{outages}",
        tally.answered,
        tally.answered as f64 / seconds,
        tally.refused.values().sum::<u64>(),
        tally.refusals(),
        tally.lost_unknown,
        tally.lost_not_applied,
        tally.watches_fired,
        tally.sessions_closed,
        tally.sessions_lost,
    )
}
