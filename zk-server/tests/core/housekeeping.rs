use std::time::Duration;

use zk_proto::record::{CreateMode, CreateTtlRequest, Request};
use zk_proto::{Acl, ErrorCode};
use zk_server::ServerOptions;

use super::lab::{Client, Lab, create, texts};

fn lab() -> (Lab, Client) {
    let mut lab = Lab::with(ServerOptions {
        container_check_interval: Duration::from_secs(1),
        ..ServerOptions::default()
    });
    let client = lab.client_with_timeout(40_000).0;
    (lab, client)
}

#[test]
fn a_container_goes_when_its_last_child_has_gone() {
    let (mut lab, client) = lab();
    for path in ["/used", "/unused"] {
        let request = Request::CreateContainer(create(path, CreateMode::CONTAINER, Acl::OPEN));
        assert_eq!(lab.call(client, &request).code(), ErrorCode::OK);
    }
    lab.create(client, "/used/child").unwrap();
    lab.pass(Duration::from_secs(5));
    assert!(lab.stat(client, "/used").is_some());
    lab.delete(client, "/used/child");
    lab.watch(client, "/used");
    lab.pass(Duration::from_secs(1));
    assert_eq!(texts(&lab.events(client)), ["deleted /used"]);
    // One that never had a child stays.
    lab.pass(Duration::from_secs(20));
    assert!(lab.stat(client, "/unused").is_some());
}

#[test]
fn a_time_to_live_starts_again_with_every_change_of_data() {
    let (mut lab, client) = lab();
    let request = Request::CreateTtl(CreateTtlRequest {
        create: create("/t", CreateMode::PERSISTENT_WITH_TTL, Acl::OPEN),
        ttl_ms: 3000,
    });
    assert_eq!(lab.call(client, &request).code(), ErrorCode::OK);
    lab.pass(Duration::from_secs(2));
    lab.set(client, "/t", "x");
    lab.pass(Duration::from_secs(2));
    // Children keep it alive whatever its age; their coming and going does not renew it.
    lab.create(client, "/t/child").unwrap();
    lab.pass(Duration::from_secs(10));
    assert!(lab.stat(client, "/t").is_some());
    lab.delete(client, "/t/child");
    lab.watch(client, "/t");
    lab.pass(Duration::from_secs(1));
    assert_eq!(texts(&lab.events(client)), ["deleted /t"]);
}

#[test]
fn quota_statistics_follow_the_tree_without_a_trace() {
    let (mut lab, client) = lab();
    let stats = "/zookeeper/quota/p/zookeeper_stats";
    lab.create(client, "/p").unwrap();
    lab.create(client, "/p/a").unwrap();
    lab.create(client, "/zookeeper/quota/p").unwrap();
    lab.create(client, "/zookeeper/quota/p/zookeeper_limits")
        .unwrap();
    lab.create(client, stats).unwrap();
    let count = |lab: &mut Lab| lab.data(client, stats).unwrap();
    assert_eq!(count(&mut lab), "count=2,bytes=0");
    let version = lab.stat(client, stats).unwrap().version;
    lab.set(client, "/p/a", "12345");
    lab.create(client, "/p/a/b").unwrap();
    assert_eq!(count(&mut lab), "count=3,bytes=5");
    lab.create(client, "/elsewhere").unwrap();
    lab.delete(client, "/p/a/b");
    assert_eq!(count(&mut lab), "count=2,bytes=5");
    assert_eq!(lab.stat(client, stats).unwrap().version, version);
    lab.delete(client, "/zookeeper/quota/p/zookeeper_limits");
    lab.delete(client, "/p/a");
    assert_eq!(count(&mut lab), "count=2,bytes=5");
}
