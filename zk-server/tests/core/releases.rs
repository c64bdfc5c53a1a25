use zk_proto::record::{
    AddWatchMode, AddWatchRequest, CheckRequest, CreateMode, ExistsRequest, GetDataRequest,
    MultiOp, MultiRequest, MultiResponse, MultiResult, RemoveWatchesRequest, Request,
    SetWatches2Request, SetWatchesRequest, WatcherType,
};
use zk_proto::{Acl, ErrorCode, Perms, ZnodeVersion, Zxid};
use zk_server::{ServerOptions, ServerVersion};

use super::lab::{Client, Lab, create, texts};

fn lab(minor: u32, patch: u32) -> (Lab, Client) {
    let mut lab = Lab::with(ServerOptions {
        emulate_version: ServerVersion::new(3, minor, patch),
        ..ServerOptions::default()
    });
    let client = lab.client();
    (lab, client)
}

fn add_watch(mode: AddWatchMode) -> Request<'static> {
    Request::AddWatch(AddWatchRequest { path: "/a", mode })
}

fn remove(watcher_type: WatcherType) -> Request<'static> {
    Request::RemoveWatches(RemoveWatchesRequest {
        path: "/a",
        watcher_type,
    })
}

#[test]
fn srvr_tells_the_release() {
    let (mut lab, _) = lab(6, 3);
    assert!(lab.word(b"srvr").starts_with("Zookeeper version: 3.6.3-"));
    assert!(lab.word(b"mntr").starts_with("zk_version\t3.6.3-"));
}

#[test]
fn what_came_later_is_unknown_and_costs_the_connection_but_not_the_session() {
    let create2 = || Request::Create2(create("/a", CreateMode::PERSISTENT, Acl::OPEN));
    let set_watches2 = || {
        Request::SetWatches2(SetWatches2Request {
            one_shot: SetWatchesRequest {
                relative_zxid: Zxid(0),
                data: Vec::new(),
                exist: Vec::new(),
                child: Vec::new(),
            },
            persistent: vec!["/a"],
            persistent_recursive: Vec::new(),
        })
    };
    for (minor, request, known) in [
        (4, create2(), false),
        (5, create2(), true),
        (5, set_watches2(), false),
        (6, set_watches2(), true),
        (5, add_watch(AddWatchMode::PERSISTENT), false),
        (6, add_watch(AddWatchMode::PERSISTENT), true),
        (6, Request::WhoAmI, false),
        (7, Request::WhoAmI, true),
    ] {
        let (mut lab, client) = lab(minor, 0);
        let reply = lab.call(client, &request);
        assert_eq!(
            reply.code() == ErrorCode::OK,
            known,
            "3.{minor} {request:?}"
        );
        assert_eq!(lab.core.is_over(client.connection), !known);
        if !known {
            assert_eq!(reply.code(), ErrorCode::UNIMPLEMENTED);
            assert_eq!(reply.header.zxid, Zxid(-1));
            assert!(lab.reattach(client).is_some());
        }
    }
}

#[test]
fn notifications_are_numbered_since_3_9() {
    for (minor, numbered) in [(8, false), (9, true)] {
        let (mut lab, client) = lab(minor, 0);
        lab.create(client, "/a").unwrap();
        lab.watch(client, "/a");
        lab.set(client, "/a", "x");
        let zxid = lab.events(client)[0].zxid;
        assert_eq!(zxid, if numbered { Zxid(3) } else { Zxid(-1) });
    }
}

#[test]
fn before_3_9_the_last_mode_of_watch_replaces_the_others() {
    for (minor, changes_seen) in [(6, 1), (8, 1), (9, 2)] {
        let (mut lab, client) = lab(minor, 0);
        lab.create(client, "/a").unwrap();
        lab.call(client, &add_watch(AddWatchMode::PERSISTENT));
        // This makes it a one-shot watch.
        let get = Request::GetData(GetDataRequest {
            path: "/a",
            watch: true,
        });
        lab.call(client, &get);
        lab.set(client, "/a", "1");
        lab.set(client, "/a", "2");
        assert_eq!(lab.events(client).len(), changes_seen, "3.{minor}");
        // The half of the persistent one that is a child watch goes on.
        lab.create(client, "/a/b").unwrap();
        assert_eq!(texts(&lab.events(client)), ["children /a"]);
    }
}

#[test]
fn persistent_watches_are_removed_by_their_type_since_3_9() {
    let (mut old, client) = lab(8, 0);
    old.call(client, &add_watch(AddWatchMode::PERSISTENT));
    for kind in [WatcherType::PERSISTENT, WatcherType::PERSISTENT_RECURSIVE] {
        let code = old.call(client, &remove(kind)).code();
        assert_eq!(code, ErrorCode::MARSHALLING_ERROR);
    }
    // A half of it.
    assert_eq!(
        old.call(client, &remove(WatcherType::DATA)).code(),
        ErrorCode::OK
    );
    old.create(client, "/a").unwrap();
    old.create(client, "/a/b").unwrap();
    assert_eq!(texts(&old.events(client)), ["children /a"]);

    let (mut new, client) = lab(9, 0);
    new.call(client, &add_watch(AddWatchMode::PERSISTENT));
    let code = new.call(client, &remove(WatcherType::DATA)).code();
    assert_eq!(code, ErrorCode::NO_WATCHER);
    let code = new.call(client, &remove(WatcherType::PERSISTENT)).code();
    assert_eq!(code, ErrorCode::OK);
}

#[test]
fn create2_in_a_multi_is_answered_as_one_since_3_9_and_unknown_before_3_5() {
    let request = Request::Multi(MultiRequest {
        ops: vec![MultiOp::Create2(create(
            "/a",
            CreateMode::PERSISTENT,
            Acl::OPEN,
        ))],
    });
    let (mut oldest, client) = lab(4, 14);
    let reply = oldest.call(client, &request);
    assert_eq!(reply.code(), ErrorCode::MARSHALLING_ERROR);
    for (minor, with_stat) in [(8, false), (9, true)] {
        let (mut lab, client) = lab(minor, 0);
        let reply = lab.call(client, &request);
        let results = reply.body::<MultiResponse<'_>>().results;
        match &results[..] {
            [MultiResult::Create { path }] => assert_eq!((*path, with_stat), ("/a", false)),
            [MultiResult::Create2(made)] => assert_eq!((made.path, with_stat), ("/a", true)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn existence_is_a_secret_since_3_9_2() {
    for (minor, patch, secret) in [(8, 0, false), (8, 4, true), (9, 1, false), (9, 2, true)] {
        let (mut lab, client) = lab(minor, patch);
        let hidden = [Acl::world(Perms(Perms::ALL.0 & !Perms::READ.0))];
        lab.call(
            client,
            &Request::Create(create("/a", CreateMode::PERSISTENT, &hidden)),
        );
        let exists = Request::Exists(ExistsRequest {
            path: "/a",
            watch: true,
        });
        let code = lab.call(client, &exists).code();
        assert_eq!(code == ErrorCode::NO_AUTH, secret);
        lab.call(client, &add_watch(AddWatchMode::PERSISTENT));
        lab.set(client, "/a", "x");
        assert_eq!(lab.events(client).is_empty(), secret, "3.{minor}.{patch}");
    }
}

#[test]
fn a_check_alone_is_unknown_since_3_9_3() {
    let check = |version| {
        Request::Check(CheckRequest {
            path: "/a",
            version: ZnodeVersion(version),
        })
    };
    let (mut old, client) = lab(8, 0);
    old.create(client, "/a").unwrap();
    let reply = old.call(client, &check(0));
    assert_eq!((reply.code(), reply.body_len()), (ErrorCode::OK, 0));
    assert_eq!(old.call(client, &check(1)).code(), ErrorCode::BAD_VERSION);

    let (mut new, client) = lab(9, 5);
    assert_eq!(new.call(client, &check(0)).code(), ErrorCode::UNIMPLEMENTED);
    assert!(new.core.is_over(client.connection));
}

#[test]
fn before_3_5_there_is_no_config() {
    let (mut oldest, client) = lab(4, 14);
    assert!(oldest.stat(client, "/zookeeper/config").is_none());
    assert!(oldest.word(b"srvr").contains("Node count: 4\n"));
}
