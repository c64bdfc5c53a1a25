use std::borrow::Cow;

use zk_proto::record::{
    CreateMode, CreateRequest, CreateTtlRequest, DeleteRequest, GetAllChildrenNumberRequest,
    GetAllChildrenNumberResponse, GetChildren2Response, GetChildrenRequest, GetDataRequest,
    GetDataResponse, ReconfigRequest, Request, SaslRequest, SaslResponse, SetDataRequest,
    SetDataResponse, SyncRequest, SyncResponse,
};
use zk_proto::{Acl, ErrorCode, Stat, ZnodeVersion, Zxid};

use super::lab::{Lab, create};

#[test]
fn a_new_server_has_four_znodes_with_the_stats_of_a_real_one() {
    let mut lab = Lab::new();
    let client = lab.client();
    for (path, cversion, aversion, num_children) in [
        ("/", -1, 0, 1),
        ("/zookeeper", -2, 0, 2),
        ("/zookeeper/quota", 0, 0, 0),
        ("/zookeeper/config", 0, -1, 0),
    ] {
        assert_eq!(
            lab.stat(client, path).unwrap(),
            Stat {
                cversion,
                aversion,
                num_children,
                ..Stat::default()
            },
            "{path}"
        );
    }
    let request = GetAllChildrenNumberRequest { path: "/" };
    let reply = lab.call(client, &Request::GetAllChildrenNumber(request));
    assert_eq!(reply.body::<GetAllChildrenNumberResponse>().total, 3);
}

#[test]
fn a_stat_tells_what_was_done() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.create(client, "/a").unwrap();
    let born_ms = lab.now.wall_ms;
    lab.pass(std::time::Duration::from_secs(1));
    lab.create(client, "/a/b").unwrap();
    lab.create(client, "/a/b/c").unwrap();
    lab.create(client, "/a/d").unwrap();
    assert_eq!(lab.delete(client, "/a/d"), ErrorCode::OK);
    assert_eq!(lab.set(client, "/a", "x"), ErrorCode::OK);
    assert_eq!(lab.set(client, "/a", "xyz"), ErrorCode::OK);
    assert_eq!(
        lab.stat(client, "/a").unwrap(),
        Stat {
            czxid: Zxid(2),
            mzxid: Zxid(8),
            ctime_ms: born_ms,
            mtime_ms: born_ms + 1000,
            version: 2,
            // Two creations, one deletion; the grandchild counts for its own parent.
            cversion: 3,
            data_length: 3,
            num_children: 1,
            pzxid: Zxid(6),
            ..Stat::default()
        }
    );
}

#[test]
fn null_data_stays_null() {
    let mut lab = Lab::new();
    let client = lab.client();
    let request = CreateRequest {
        data: None,
        ..create("/n", CreateMode::PERSISTENT, Acl::OPEN)
    };
    lab.call(client, &Request::Create(request));
    assert_eq!(lab.data(client, "/n"), None);
    assert_eq!(lab.set(client, "/n", ""), ErrorCode::OK);
    assert_eq!(lab.data(client, "/n"), Some(String::new()));
}

#[test]
fn creations_fail_with_the_code_of_the_first_fault() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.create(client, "/dir").unwrap();
    lab.create_as(client, "/e", CreateMode::EPHEMERAL).unwrap();
    lab.create(client, "/e2").unwrap();
    let bad = ErrorCode::BAD_ARGUMENTS;
    for (path, expected) in [
        ("/", ErrorCode::NODE_EXISTS),
        ("/dir", ErrorCode::NODE_EXISTS),
        ("", bad),
        ("dir", bad),
        ("/dir/", bad),
        ("/dir/..", bad),
        ("/dir/a\u{1}", bad),
        ("/dir/a\0", bad),
        // The parent is looked for before the name is looked at.
        ("/nodir//x", ErrorCode::NO_NODE),
        ("dir/x", ErrorCode::NO_NODE),
        ("/nodir/x", ErrorCode::NO_NODE),
        ("/e/x", ErrorCode::NO_CHILDREN_FOR_EPHEMERALS),
    ] {
        assert_eq!(lab.create(client, path), Err(expected), "{path:?}");
    }
}

#[test]
fn the_opcode_and_the_mode_decide_the_kind() {
    let mut lab = Lab::new();
    let client = lab.client();
    for mode in [5, 6, 7, -1] {
        let result = lab.create_as(client, "/x", CreateMode(mode));
        assert_eq!(result, Err(ErrorCode::BAD_ARGUMENTS), "{mode}");
    }
    // The container's mode without the container's opcode.
    lab.create_as(client, "/c", CreateMode::CONTAINER).unwrap();
    let ttl = |mode, ttl_ms| {
        Request::CreateTtl(CreateTtlRequest {
            create: create("/t", mode, Acl::OPEN),
            ttl_ms,
        })
    };
    for (mode, ttl_ms) in [
        (CreateMode::PERSISTENT, 1000),
        (CreateMode::PERSISTENT, -1),
        (CreateMode::PERSISTENT_WITH_TTL, 0),
        (CreateMode::PERSISTENT_WITH_TTL, -1),
        (CreateMode::PERSISTENT_WITH_TTL, 1 << 40),
    ] {
        let code = lab.call(client, &ttl(mode, ttl_ms)).code();
        assert_eq!(code, ErrorCode::BAD_ARGUMENTS, "{mode:?} {ttl_ms}");
    }
    let reply = lab.call(client, &ttl(CreateMode::PERSISTENT_WITH_TTL, (1 << 40) - 1));
    let response: zk_proto::record::Create2Response<'_> = reply.body();
    assert_eq!(response.stat.ephemeral_owner.0, 0);
}

#[test]
fn deletions_fail_with_the_code_of_the_first_fault() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.create(client, "/a").unwrap();
    lab.create(client, "/a/b").unwrap();
    for (path, expected) in [
        ("/", ErrorCode::BAD_ARGUMENTS),
        ("/zookeeper", ErrorCode::BAD_ARGUMENTS),
        ("/zookeeper/quota", ErrorCode::BAD_ARGUMENTS),
        ("/zookeeper/config", ErrorCode::BAD_ARGUMENTS),
        ("x", ErrorCode::BAD_ARGUMENTS),
        ("/x/y", ErrorCode::NO_NODE),
        ("/x", ErrorCode::NO_NODE),
        ("/a", ErrorCode::NOT_EMPTY),
    ] {
        assert_eq!(lab.delete(client, path), expected, "{path:?}");
    }
    let version = |lab: &mut Lab, path, version| {
        let version = ZnodeVersion(version);
        lab.call(client, &Request::Delete(DeleteRequest { path, version }))
            .code()
    };
    // The version is looked at before the children; -1 alone means any.
    assert_eq!(version(&mut lab, "/a", 7), ErrorCode::BAD_VERSION);
    assert_eq!(version(&mut lab, "/a/b", -2), ErrorCode::BAD_VERSION);
    assert_eq!(version(&mut lab, "/a/b", 0), ErrorCode::OK);
    assert_eq!(version(&mut lab, "/a", -1), ErrorCode::OK);
}

#[test]
fn data_is_set_at_its_version_only() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.create(client, "/a").unwrap();
    let set = |lab: &mut Lab, path: &'static str, version| {
        let request = Request::SetData(SetDataRequest {
            path,
            data: Some(b"x"),
            version: ZnodeVersion(version),
        });
        lab.call(client, &request)
    };
    assert_eq!(set(&mut lab, "/a", 1).code(), ErrorCode::BAD_VERSION);
    let reply = set(&mut lab, "/a", 0);
    let stat = reply.body::<SetDataResponse>().stat;
    assert_eq!((stat.version, stat.mzxid), (1, reply.header.zxid));
    assert_eq!(set(&mut lab, "/x", -1).code(), ErrorCode::NO_NODE);
    assert_eq!(set(&mut lab, "/a/", -1).code(), ErrorCode::BAD_ARGUMENTS);
    assert_eq!(
        set(&mut lab, "/zookeeper/config", -1).code(),
        ErrorCode::NO_AUTH
    );
    assert_eq!(set(&mut lab, "/zookeeper", -1).code(), ErrorCode::OK);
}

#[test]
fn a_path_that_is_none_is_simply_not_found_by_reads() {
    let mut lab = Lab::new();
    let client = lab.client();
    for path in ["/a/", "a", "//", "/a\0"] {
        let request = Request::GetData(GetDataRequest { path, watch: false });
        assert_eq!(lab.call(client, &request).code(), ErrorCode::NO_NODE);
    }
    let request = Request::Exists(zk_proto::record::ExistsRequest {
        path: "/a\0",
        watch: false,
    });
    assert_eq!(lab.call(client, &request).code(), ErrorCode::BAD_ARGUMENTS);
}

#[test]
fn children_are_listed_by_name_with_the_parents_stat() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.create(client, "/a").unwrap();
    for name in ["x", "y"] {
        lab.create(client, &format!("/a/{name}")).unwrap();
    }
    let request = GetChildrenRequest {
        path: "/a",
        watch: false,
    };
    let reply = lab.call(client, &Request::GetChildren2(request));
    let response: GetChildren2Response = reply.body();
    assert_eq!(response.children.to_vec(), ["x", "y"]);
    assert_eq!(response.stat.num_children, 2);
}

#[test]
fn the_small_requests_are_answered() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.create(client, "/a").unwrap();

    let reply = lab.call(client, &Request::Sync(SyncRequest { path: "/x" }));
    assert_eq!(reply.body::<SyncResponse<'_>>().path, "/x");

    let reply = lab.call(client, &Request::Sasl(SaslRequest { token: Some(b"") }));
    assert_eq!(reply.header.zxid, Zxid(0));
    assert_eq!(reply.body::<SaslResponse<'_>>().token, None);

    let request = Request::Reconfig(ReconfigRequest {
        joining: None,
        leaving: Some("1"),
        new_members: None,
        current_config: -1,
    });
    let code = lab.call(client, &request).code();
    assert_eq!(code, ErrorCode::RECONFIG_DISABLED);

    let request = Request::GetData(GetDataRequest {
        path: "/zookeeper/config",
        watch: false,
    });
    let reply = lab.call(client, &request);
    assert_eq!(reply.body::<GetDataResponse<'_>>().data, Some(&b""[..]));
}

#[test]
fn a_create_with_an_acl_of_nobody_is_refused() {
    let mut lab = Lab::new();
    let client = lab.client();
    let request = CreateRequest {
        acl: Cow::Borrowed(&[]),
        ..create("/a", CreateMode::PERSISTENT, Acl::OPEN)
    };
    let code = lab.call(client, &Request::Create(request)).code();
    assert_eq!(code, ErrorCode::INVALID_ACL);
}
