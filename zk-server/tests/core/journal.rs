use std::time::Duration;

use zk_proto::record::{
    CreateMode, CreateTtlRequest, MultiOp, MultiRequest, Request, SetAclRequest, SetDataRequest,
};
use zk_proto::{Acl, ZnodeVersion, Zxid};
use zk_server::ServerOptions;
use zk_server::core::Core;

use super::lab::{Client, Lab, create};

/// A server whose records are kept, and one that is made of them.
struct Kept {
    lab: Lab,
    snapshot: Vec<Vec<u8>>,
    log: Vec<Vec<u8>>,
}

impl Kept {
    fn new() -> Self {
        let mut lab = Lab::with(options());
        lab.core.keep_log();
        let snapshot = snapshot(&lab.core);
        Self {
            lab,
            snapshot,
            log: Vec::new(),
        }
    }

    fn take(&mut self) {
        let log = &mut self.log;
        self.lab.core.take_log(|record| log.push(record.to_vec()));
    }

    /// Starts again from the records; also checks that it is the same server.
    fn restored(&mut self) -> Lab {
        self.take();
        let mut lab = Lab::with(options());
        lab.now = self.lab.now;
        let last = self.snapshot.len() - 1;
        for (number, record) in self.snapshot.iter().enumerate() {
            assert_eq!(lab.core.load(lab.now, record), Ok(number == last));
        }
        for record in &self.log {
            lab.core.replay(lab.now, record).unwrap();
        }
        lab.core.resume(lab.now);
        assert_eq!(snapshot(&lab.core), snapshot(&self.lab.core));
        lab
    }
}

fn options() -> ServerOptions {
    ServerOptions {
        container_check_interval: Duration::from_secs(1),
        ..ServerOptions::default()
    }
}

fn snapshot(core: &Core) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    core.snapshot(|record| records.push(record.to_vec()));
    records
}

/// Some of everything.
fn live(lab: &mut Lab) -> Client {
    let client = lab.client();
    lab.create(client, "/a").unwrap();
    lab.create(client, "/a/null").unwrap();
    let null = Request::SetData(SetDataRequest {
        path: "/a/null",
        data: None,
        version: ZnodeVersion::ANY,
    });
    lab.call(client, &null);
    lab.create_as(client, "/a/e-", CreateMode::EPHEMERAL_SEQUENTIAL)
        .unwrap();
    let bob = "digest:bob:fyVmFCwVbTJYrznoSu1koqYEYF0=:cdrwa";
    let acl = [bob, "world:anyone:cdrw"].map(|entry| entry.parse().unwrap());
    let set_acl = Request::SetAcl(SetAclRequest {
        path: "/a",
        acl: acl.to_vec().into(),
        version: ZnodeVersion::ANY,
    });
    lab.call(client, &set_acl);
    let container = create("/container", CreateMode::CONTAINER, Acl::OPEN);
    lab.call(client, &Request::CreateContainer(container));
    lab.create(client, "/container/child").unwrap();
    let ttl = Request::CreateTtl(CreateTtlRequest {
        create: create("/ttl", CreateMode::PERSISTENT_WITH_TTL, Acl::OPEN),
        ttl_ms: 5000,
    });
    lab.call(client, &ttl);
    // A multi that is done and one that is not.
    let make = |path| MultiOp::Create(create(path, CreateMode::PERSISTENT, Acl::OPEN));
    for paths in [["/m", "/m/n"], ["/o", "/missing/p"]] {
        let request = Request::Multi(MultiRequest {
            ops: paths.map(make).into(),
        });
        lab.call(client, &request);
    }
    for path in ["/zookeeper/quota/m", "/zookeeper/quota/m/zookeeper_limits"] {
        lab.create(client, path).unwrap();
    }
    lab.create(client, "/zookeeper/quota/m/zookeeper_stats")
        .unwrap();
    lab.set(client, "/m/n", "12345");
    // The last thing is a write that fails.
    assert!(lab.create(client, "/m").is_err());
    client
}

#[test]
fn a_server_is_the_same_after_it_was_stored_and_goes_on_as_it() {
    let mut kept = Kept::new();
    let client = live(&mut kept.lab);
    let mut again = kept.restored();
    let zxid = again.word(b"srvr");
    assert!(zxid.contains(&format!("Zxid: {}\n", last_zxid(&mut kept.lab))));
    // Its clients come back with their sessions, passwords and ephemerals.
    let client = again.reattach(client).unwrap();
    assert!(again.stat(client, "/a/e-0000000001").is_some());
    let stats = again.data(client, "/zookeeper/quota/m/zookeeper_stats");
    assert_eq!(stats.unwrap(), "count=2,bytes=5");
    again.set(client, "/m/n", "123");
    let stats = again.data(client, "/zookeeper/quota/m/zookeeper_stats");
    assert_eq!(stats.unwrap(), "count=2,bytes=3");
    // The next session is a new one.
    assert!(again.client().session.0 > client.session.0);
}

fn last_zxid(lab: &mut Lab) -> Zxid {
    let srvr = lab.word(b"srvr");
    zk_proto::four_letter::parse_srvr(&srvr)
        .unwrap()
        .zxid
        .unwrap()
}

#[test]
fn clocks_start_again_and_then_run() {
    let mut kept = Kept::new();
    let client = live(&mut kept.lab);
    kept.lab.pass(Duration::from_secs(4));
    let mut again = kept.restored();
    // Ten seconds of timeout, from now on.
    again.pass(Duration::from_secs(9));
    let other = again.client();
    assert!(again.stat(other, "/a/e-0000000001").is_some());
    // The time to live goes by the wall clock, whoever is running.
    assert!(again.stat(other, "/ttl").is_none());
    again.pass(Duration::from_secs(3));
    assert!(again.reattach(client).is_none());
    let other = again.client();
    assert!(again.stat(other, "/a/e-0000000001").is_none());
    again.delete(other, "/container/child");
    again.pass(Duration::from_secs(1));
    assert!(again.stat(other, "/container").is_none());
}

#[test]
fn expiries_and_reaping_are_kept_too() {
    let mut kept = Kept::new();
    live(&mut kept.lab);
    kept.restored();
    kept.lab.pass(Duration::from_secs(60));
    let mut again = kept.restored();
    let client = again.client();
    assert!(again.stat(client, "/a/e-0000000001").is_none());
    assert!(again.stat(client, "/ttl").is_none());
}

/// Whatever is between the snapshot and the end: each beginning of the log makes the server of that time.
#[test]
fn every_beginning_of_the_log_is_a_state_that_was() {
    let mut kept = Kept::new();
    let mut states = vec![snapshot(&kept.lab.core)];
    live(&mut kept.lab);
    kept.take();
    for end in 0..kept.log.len() {
        let mut lab = Lab::with(options());
        for record in &kept.snapshot {
            lab.core.load(lab.now, record).unwrap();
        }
        for record in &kept.log[..=end] {
            lab.core.replay(lab.now, record).unwrap();
        }
        states.push(snapshot(&lab.core));
    }
    for pair in states.windows(2) {
        assert_ne!(pair[0], pair[1]);
    }
    assert_eq!(states.last(), Some(&snapshot(&kept.lab.core)));
}

#[test]
fn records_that_make_no_sense_are_refused() {
    let mut kept = Kept::new();
    live(&mut kept.lab);
    kept.take();
    let records = [snapshot(&kept.lab.core), kept.log.clone()].concat();
    // Broken anywhere, a record is refused or means something else, and nothing else happens.
    for record in &records {
        for position in 0..record.len() {
            let mut bad = record.clone();
            bad[position] ^= 0x81;
            for bad in [&bad[..], &record[..position]] {
                let mut lab = Lab::with(options());
                for good in &kept.snapshot {
                    lab.core.load(lab.now, good).unwrap();
                }
                // Either of the two may take it.
                let _ = lab.core.replay(lab.now, bad);
                let _ = lab.core.load(lab.now, bad);
            }
        }
    }
    let mut lab = Lab::with(options());
    for good in &kept.snapshot {
        lab.core.load(lab.now, good).unwrap();
    }
    let first = &kept.log[0];
    lab.core.replay(lab.now, first).unwrap();
    let later = &kept.log[1];
    lab.core.replay(lab.now, later).unwrap();
    let error = lab.core.replay(lab.now, first).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the record is of an earlier transaction than the one before it"
    );
}
