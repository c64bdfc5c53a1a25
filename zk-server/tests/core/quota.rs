use zk_proto::record::{
    CreateMode, DeleteRequest, MultiOp, MultiRequest, MultiResponse, MultiResult, Request,
    SetDataRequest,
};
use zk_proto::{Acl, ErrorCode, ZnodeVersion};
use zk_server::{ServerOptions, ServerVersion};

use super::lab::{Client, Lab, create};

const STATS: &str = "/zookeeper/quota/p/zookeeper_stats";

/// `/p` with a quota: itself and two more znodes, ten bytes.
fn lab(options: ServerOptions) -> (Lab, Client) {
    let mut lab = Lab::with(options);
    let client = lab.client();
    lab.create(client, "/p").unwrap();
    lab.create(client, "/zookeeper/quota/p").unwrap();
    let limits = "/zookeeper/quota/p/zookeeper_limits";
    lab.create(client, limits).unwrap();
    let hard = "count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=3";
    lab.set(client, limits, hard);
    lab.create(client, STATS).unwrap();
    (lab, client)
}

fn enforced() -> ServerOptions {
    ServerOptions {
        enforce_quota: true,
        ..ServerOptions::default()
    }
}

#[test]
fn what_would_exceed_a_hard_limit_is_refused() {
    let (mut lab, client) = lab(enforced());
    lab.create(client, "/p/a").unwrap();
    lab.create(client, "/p/a/b").unwrap();
    let refused = lab.create(client, "/p/c").unwrap_err();
    assert_eq!(refused, ErrorCode::QUOTA_EXCEEDED);
    assert_eq!(lab.set(client, "/p/a", "123456789"), ErrorCode::OK);
    assert_eq!(lab.set(client, "/p/a/b", "12"), ErrorCode::QUOTA_EXCEEDED);
    assert_eq!(lab.set(client, "/p/a/b", "1"), ErrorCode::OK);
    // Nothing of what was refused is counted.
    assert_eq!(lab.data(client, STATS).unwrap(), "count=3,bytes=10");
    // What does not grow, and what is elsewhere, is free.
    assert_eq!(lab.set(client, "/p/a", "987654321"), ErrorCode::OK);
    lab.create(client, "/elsewhere").unwrap();
    lab.delete(client, "/p/a/b");
    lab.create(client, "/p/c").unwrap();
}

#[test]
fn the_quota_is_looked_at_before_the_version() {
    let (mut lab, client) = lab(enforced());
    let request = Request::SetData(SetDataRequest {
        path: "/p",
        data: Some(&[0; 11]),
        version: ZnodeVersion(77),
    });
    assert_eq!(lab.call(client, &request).code(), ErrorCode::QUOTA_EXCEEDED);
}

/// Each operation is judged by what was there before the multi, as by real servers.
#[test]
fn a_multi_is_judged_by_what_was_before_it() {
    let (mut lab, client) = lab(enforced());
    let ops = ["/p/a", "/p/b", "/p/c"]
        .map(|path| MultiOp::Create(create(path, CreateMode::PERSISTENT, Acl::OPEN)));
    let request = Request::Multi(MultiRequest { ops: ops.into() });
    assert_eq!(lab.call(client, &request).code(), ErrorCode::OK);
    assert_eq!(lab.data(client, STATS).unwrap(), "count=4,bytes=0");
    let delete = MultiOp::Delete(DeleteRequest {
        path: "/p/a",
        version: ZnodeVersion::ANY,
    });
    let more = MultiOp::Create(create("/p/d", CreateMode::PERSISTENT, Acl::OPEN));
    let request = Request::Multi(MultiRequest {
        ops: vec![delete, more],
    });
    let reply = lab.call(client, &request);
    assert_eq!(
        reply.body::<MultiResponse<'_>>().results,
        [
            MultiResult::Error(ErrorCode::OK),
            MultiResult::Error(ErrorCode::QUOTA_EXCEEDED)
        ]
    );
    assert_eq!(lab.data(client, STATS).unwrap(), "count=4,bytes=0");
}

#[test]
fn nothing_is_enforced_unless_it_is_asked_for_and_the_release_could() {
    let older = ServerOptions {
        emulate_version: ServerVersion::new(3, 6, 3),
        ..enforced()
    };
    for options in [ServerOptions::default(), older] {
        let (mut lab, client) = lab(options);
        for path in ["/p/a", "/p/b", "/p/c"] {
            lab.create(client, path).unwrap();
        }
        assert_eq!(lab.data(client, STATS).unwrap(), "count=4,bytes=0");
    }
}

#[test]
fn limits_that_are_none_refuse_what_they_are_for() {
    let (mut lab, client) = lab(enforced());
    lab.set(client, "/zookeeper/quota/p/zookeeper_limits", "nonsense");
    let refused = lab.create(client, "/p/a").unwrap_err();
    assert_eq!(refused, ErrorCode::MARSHALLING_ERROR);
    lab.create(client, "/elsewhere").unwrap();
    // Statistics that are none stay as they are.
    lab.set(client, "/zookeeper/quota/p/zookeeper_limits", "");
    lab.set(client, STATS, "nonsense");
    assert_eq!(lab.delete(client, "/p"), ErrorCode::OK);
    assert_eq!(lab.data(client, STATS).unwrap(), "nonsense");
}
