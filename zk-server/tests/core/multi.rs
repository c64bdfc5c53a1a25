use zk_proto::record::{
    CheckRequest, CreateMode, CreateTtlRequest, DeleteRequest, GetChildrenRequest, GetDataRequest,
    MultiOp, MultiRequest, MultiResponse, MultiResult, Request, SetDataRequest,
};
use zk_proto::{Acl, ErrorCode, ZnodeVersion, Zxid};

use super::lab::{Client, Lab, Reply, create};

#[test]
fn later_operations_see_earlier_ones_and_all_share_one_zxid() {
    let mut lab = Lab::new();
    let client = lab.client();
    let sequential = || MultiOp::Create(new("/a/n-", CreateMode::PERSISTENT_SEQUENTIAL));
    let reply = multi(
        &mut lab,
        client,
        vec![
            MultiOp::Create(new("/a", CreateMode::PERSISTENT)),
            set("/a", 0),
            check("/a", 1),
            sequential(),
            sequential(),
            delete("/a/n-0000000000"),
        ],
    );
    let response: MultiResponse<'_> = reply.body();
    match &response.results[..] {
        [
            MultiResult::Create { path: "/a" },
            MultiResult::SetData { stat },
            MultiResult::Check,
            MultiResult::Create { path: first },
            MultiResult::Create { path: second },
            MultiResult::Delete,
        ] => {
            assert_eq!((stat.czxid, stat.mzxid), (Zxid(2), Zxid(2)));
            assert_eq!((*first, *second), ("/a/n-0000000000", "/a/n-0000000001"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(lab.call(client, &Request::Ping).header.zxid, Zxid(2));
}

#[test]
fn a_failure_leaves_the_tree_as_it_was() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.create(client, "/a").unwrap();
    lab.create(client, "/a/old").unwrap();
    lab.create_as(client, "/a/e", CreateMode::EPHEMERAL)
        .unwrap();
    let before: Vec<_> = ["/", "/a", "/a/old", "/a/e"]
        .map(|path| (path, lab.stat(client, path)))
        .into();
    let reply = multi(
        &mut lab,
        client,
        vec![
            set("/a", -1),
            set("/a", -1),
            delete("/a/old"),
            delete("/a/e"),
            MultiOp::Create(new("/a/e", CreateMode::PERSISTENT)),
            MultiOp::Create(new("/a/e/f", CreateMode::EPHEMERAL_SEQUENTIAL)),
            MultiOp::CreateContainer(new("/c", CreateMode::CONTAINER)),
            delete("/missing"),
            set("/a", -1),
        ],
    );
    assert_eq!(reply.code(), ErrorCode::OK, "the header does not tell");
    let response: MultiResponse<'_> = reply.body();
    let mut codes = vec![MultiResult::Error(ErrorCode::OK); 7];
    codes.push(MultiResult::Error(ErrorCode::NO_NODE));
    codes.push(MultiResult::Error(ErrorCode::RUNTIME_INCONSISTENCY));
    assert_eq!(response.results, codes);
    for (path, stat) in before {
        assert_eq!(lab.stat(client, path), stat, "{path}");
    }
    assert_eq!(lab.stat(client, "/c"), None);
    assert_eq!(lab.data(client, "/a"), Some(String::new()));
    // The books are as before, too: the ephemeral still goes with its session.
    lab.core.expire_session(lab.now, client.session);
    let client = lab.client();
    assert_eq!(lab.stat(client, "/a/e"), None);
    assert!(lab.stat(client, "/a/old").is_some());
}

#[test]
fn containers_and_times_to_live_answer_with_their_stat() {
    let mut lab = Lab::new();
    let client = lab.client();
    let reply = multi(
        &mut lab,
        client,
        vec![
            MultiOp::CreateContainer(new("/c", CreateMode::CONTAINER)),
            MultiOp::CreateTtl(CreateTtlRequest {
                create: new("/t", CreateMode::PERSISTENT_WITH_TTL),
                ttl_ms: 1000,
            }),
            MultiOp::Create2(new("/p", CreateMode::PERSISTENT)),
        ],
    );
    let response: MultiResponse<'_> = reply.body();
    let mut paths = Vec::new();
    for result in &response.results {
        match result {
            MultiResult::Create2(created) => paths.push(created.path),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(paths, ["/c", "/t", "/p"]);
}

#[test]
fn a_mode_makes_a_container_here_and_a_wrong_one_breaks_the_whole() {
    let mut lab = Lab::new();
    let client = lab.client();
    let ops = vec![MultiOp::Create(new("/c", CreateMode::CONTAINER))];
    let reply = multi(&mut lab, client, ops);
    let response: MultiResponse<'_> = reply.body();
    assert!(matches!(response.results[..], [MultiResult::Create2(_)]));
    for mode in [-1, 5, 6, 7] {
        let ops = vec![delete("/c"), MultiOp::Create(new("/x", CreateMode(mode)))];
        let reply = multi(&mut lab, client, ops);
        assert_eq!(reply.code(), ErrorCode::MARSHALLING_ERROR, "{mode}");
    }
    assert!(lab.stat(client, "/c").is_some());
}

#[test]
fn an_empty_multi_is_legal() {
    let mut lab = Lab::new();
    let client = lab.client();
    let reply = multi(&mut lab, client, vec![]);
    assert_eq!(reply.header.zxid, Zxid(2));
    assert_eq!(reply.body::<MultiResponse<'_>>().results, []);
}

#[test]
fn reads_and_writes_do_not_mix() {
    let mut lab = Lab::new();
    let client = lab.client();
    let code = multi(&mut lab, client, vec![get("/")]).code();
    assert_eq!(code, ErrorCode::MARSHALLING_ERROR);
    let ops = vec![get("/"), delete("/x")];
    let reply = lab.call(client, &Request::MultiRead(MultiRequest { ops }));
    assert_eq!(reply.code(), ErrorCode::MARSHALLING_ERROR);
    // Real servers send the end of an empty list behind this error.
    assert_eq!(reply.body_anyway::<MultiResponse<'_>>().results, []);
}

#[test]
fn each_read_of_a_multi_read_stands_for_itself() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.create(client, "/a").unwrap();
    let ops = vec![
        // The real server passes over the wish to watch.
        MultiOp::GetData(GetDataRequest {
            path: "/a",
            watch: true,
        }),
        get("/missing"),
        MultiOp::GetChildren(GetChildrenRequest {
            path: "/",
            watch: false,
        }),
    ];
    let reply = lab.call(client, &Request::MultiRead(MultiRequest { ops }));
    let response: MultiResponse<'_> = reply.body();
    match &response.results[..] {
        [
            MultiResult::GetData(read),
            MultiResult::Error(ErrorCode::NO_NODE),
            MultiResult::GetChildren(children),
        ] => {
            assert_eq!(read.data, Some(&b""[..]));
            assert_eq!(children.to_vec(), ["a", "zookeeper"]);
        }
        other => panic!("{other:?}"),
    }
    lab.set(client, "/a", "x");
    assert_eq!(lab.events(client), []);
}

fn multi(lab: &mut Lab, client: Client, ops: Vec<MultiOp<'_>>) -> Reply {
    lab.call(client, &Request::Multi(MultiRequest { ops }))
}

fn new(path: &str, mode: CreateMode) -> zk_proto::record::CreateRequest<'_> {
    create(path, mode, Acl::OPEN)
}

fn set(path: &str, version: i32) -> MultiOp<'_> {
    MultiOp::SetData(SetDataRequest {
        path,
        data: Some(b"new"),
        version: ZnodeVersion(version),
    })
}

fn check(path: &str, version: i32) -> MultiOp<'_> {
    MultiOp::Check(CheckRequest {
        path,
        version: ZnodeVersion(version),
    })
}

fn delete(path: &str) -> MultiOp<'_> {
    MultiOp::Delete(DeleteRequest {
        path,
        version: ZnodeVersion::ANY,
    })
}

fn get(path: &str) -> MultiOp<'_> {
    MultiOp::GetData(GetDataRequest { path, watch: false })
}
