use zk_proto::record::{
    AddWatchMode, AddWatchRequest, AddWatchResponse, CreateMode, GetDataRequest, MultiOp,
    MultiRequest, RemoveWatchesRequest, Request, SetDataRequest, SetWatches2Request,
    SetWatchesRequest, WatcherType,
};
use zk_proto::{Acl, ErrorCode, ZnodeVersion, Zxid};

use super::lab::{Client, Lab, Said, create, texts};

#[test]
fn an_exists_watch_sees_creation_change_and_deletion_once_each() {
    let mut lab = Lab::new();
    let (watcher, writer) = (lab.client(), lab.client());
    lab.watch(watcher, "/a");
    lab.create(writer, "/a").unwrap();
    lab.set(writer, "/a", "unseen");
    assert_eq!(texts(&lab.events(watcher)), ["created /a"]);
    lab.watch(watcher, "/a");
    lab.set(writer, "/a", "1");
    lab.set(writer, "/a", "2");
    assert_eq!(texts(&lab.events(watcher)), ["changed /a"]);
    lab.watch(watcher, "/a");
    lab.delete(writer, "/a");
    assert_eq!(texts(&lab.events(watcher)), ["deleted /a"]);
    lab.create(writer, "/a").unwrap();
    assert_eq!(lab.events(watcher), []);
}

#[test]
fn an_event_carries_the_zxid_of_its_transaction() {
    let mut lab = Lab::new();
    let (watcher, writer) = (lab.client(), lab.client());
    lab.watch(watcher, "/a");
    lab.create(writer, "/a").unwrap();
    let created = lab.stat(writer, "/a").unwrap().czxid;
    assert_eq!(lab.events(watcher)[0].zxid, created);
}

#[test]
fn a_watch_on_a_read_that_failed_is_not_set() {
    let mut lab = Lab::new();
    let client = lab.client();
    let request = Request::GetData(GetDataRequest {
        path: "/a",
        watch: true,
    });
    assert_eq!(lab.call(client, &request).code(), ErrorCode::NO_NODE);
    lab.create(client, "/a").unwrap();
    assert_eq!(lab.events(client), []);
}

#[test]
fn the_writer_reads_its_event_before_its_reply() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.create(client, "/a").unwrap();
    lab.watch(client, "/a");
    lab.send(
        client,
        &Request::SetData(SetDataRequest {
            path: "/a",
            data: None,
            version: ZnodeVersion::ANY,
        }),
    );
    let said = lab.said(client);
    assert!(
        matches!(&said[..], [Said::Event(_), Said::Reply(_)]),
        "{said:?}"
    );
}

#[test]
fn a_deletion_is_told_once_to_a_connection_that_watches_data_and_children() {
    let mut lab = Lab::new();
    let (watcher, writer) = (lab.client(), lab.client());
    lab.create(writer, "/a").unwrap();
    lab.watch(watcher, "/a");
    lab.watch_children(watcher, "/a");
    lab.watch_children(watcher, "/");
    lab.delete(writer, "/a");
    assert_eq!(texts(&lab.events(watcher)), ["deleted /a", "children /"]);
}

#[test]
fn a_persistent_watch_sees_everything_of_its_path_and_stays() {
    let mut lab = Lab::new();
    let (watcher, writer) = (lab.client(), lab.client());
    // It need not exist yet.
    add_watch(&mut lab, watcher, "/a", AddWatchMode::PERSISTENT);
    for _ in 0..2 {
        lab.create(writer, "/a").unwrap();
        lab.set(writer, "/a", "x");
        lab.create(writer, "/a/b").unwrap();
        lab.set(writer, "/a/b", "x");
        lab.delete(writer, "/a/b");
        lab.delete(writer, "/a");
        assert_eq!(
            texts(&lab.events(watcher)),
            [
                "created /a",
                "changed /a",
                "children /a",
                "children /a",
                "deleted /a"
            ]
        );
    }
}

#[test]
fn a_recursive_watch_sees_the_subtree_and_no_lists_of_children() {
    let mut lab = Lab::new();
    let (watcher, writer) = (lab.client(), lab.client());
    add_watch(&mut lab, watcher, "/a", AddWatchMode::PERSISTENT_RECURSIVE);
    lab.create(writer, "/a").unwrap();
    lab.create(writer, "/a/b").unwrap();
    lab.set(writer, "/a/b", "x");
    lab.delete(writer, "/a/b");
    lab.create(writer, "/ab").unwrap();
    assert_eq!(
        texts(&lab.events(watcher)),
        ["created /a", "created /a/b", "changed /a/b", "deleted /a/b"]
    );
    let root = lab.client();
    add_watch(&mut lab, root, "/", AddWatchMode::PERSISTENT_RECURSIVE);
    lab.create(writer, "/a/c").unwrap();
    assert_eq!(texts(&lab.events(root)), ["created /a/c"]);
}

#[test]
fn watches_of_several_modes_live_beside_each_other_and_tell_once() {
    let mut lab = Lab::new();
    let (watcher, writer) = (lab.client(), lab.client());
    lab.create(writer, "/a").unwrap();
    add_watch(&mut lab, watcher, "/", AddWatchMode::PERSISTENT_RECURSIVE);
    add_watch(&mut lab, watcher, "/a", AddWatchMode::PERSISTENT);
    add_watch(&mut lab, watcher, "/a", AddWatchMode::PERSISTENT_RECURSIVE);
    lab.watch(watcher, "/a");
    for _ in 0..2 {
        lab.set(writer, "/a", "x");
        assert_eq!(texts(&lab.events(watcher)), ["changed /a"]);
    }
}

#[test]
fn watches_are_checked_and_removed_by_type() {
    let mut lab = Lab::new();
    let (watcher, writer) = (lab.client(), lab.client());
    lab.create(writer, "/a").unwrap();
    lab.watch(watcher, "/a");
    lab.watch_children(watcher, "/a");
    add_watch(&mut lab, watcher, "/a", AddWatchMode::PERSISTENT);
    let check = |lab: &mut Lab, watcher_type| {
        let path = "/a";
        let request = RemoveWatchesRequest { path, watcher_type };
        lab.call(watcher, &Request::CheckWatches(request)).code()
    };
    let remove = |lab: &mut Lab, watcher_type| {
        let path = "/a";
        let request = RemoveWatchesRequest { path, watcher_type };
        lab.call(watcher, &Request::RemoveWatches(request)).code()
    };
    let (ok, none) = (ErrorCode::OK, ErrorCode::NO_WATCHER);
    assert_eq!(remove(&mut lab, WatcherType::DATA), ok);
    assert_eq!(check(&mut lab, WatcherType::DATA), none);
    assert_eq!(check(&mut lab, WatcherType::CHILDREN), ok);
    assert_eq!(check(&mut lab, WatcherType::PERSISTENT), ok);
    assert_eq!(check(&mut lab, WatcherType::PERSISTENT_RECURSIVE), none);
    // The persistent watch is whole: removing the others took nothing of it.
    lab.set(writer, "/a", "x");
    assert_eq!(texts(&lab.events(watcher)), ["changed /a"]);
    assert_eq!(remove(&mut lab, WatcherType::ANY), ok);
    assert_eq!(remove(&mut lab, WatcherType::ANY), none);
    lab.set(writer, "/a", "y");
    lab.create(writer, "/a/b").unwrap();
    assert_eq!(lab.events(watcher), []);
    for bad in [0, 6, -1] {
        let code = check(&mut lab, WatcherType(bad));
        assert_eq!(code, ErrorCode::MARSHALLING_ERROR);
    }
    let request = Request::AddWatch(AddWatchRequest {
        path: "/a",
        mode: AddWatchMode(2),
    });
    let code = lab.call(watcher, &request).code();
    assert_eq!(code, ErrorCode::MARSHALLING_ERROR);
}

#[test]
fn watches_go_with_their_connection() {
    let mut lab = Lab::new();
    let (watcher, writer) = (lab.client(), lab.client());
    lab.watch(watcher, "/a");
    let watcher = lab.reattach(watcher).unwrap();
    lab.create(writer, "/a").unwrap();
    assert_eq!(lab.events(watcher), []);
}

#[test]
fn watches_set_after_a_reconnect_catch_up_before_the_reply() {
    let mut lab = Lab::new();
    let client = lab.client();
    for path in ["/same", "/changed", "/born"] {
        lab.create(client, path).unwrap();
    }
    let since = lab.call(client, &Request::Ping).header.zxid;
    lab.set(client, "/changed", "x");
    lab.create(client, "/changed/child").unwrap();
    lab.send(
        client,
        &Request::SetWatches(SetWatchesRequest {
            relative_zxid: since,
            data: vec!["/same", "/changed", "/gone"],
            exist: vec!["/born", "/unborn"],
            child: vec!["/same", "/changed", "/gone"],
        }),
    );
    let said = lab.said(client);
    let (reply, events) = said.split_last().unwrap();
    assert!(matches!(reply, Said::Reply(reply) if reply.code() == ErrorCode::OK));
    let events: Vec<_> = events
        .iter()
        .map(|said| match said {
            Said::Event(event) => event.clone(),
            Said::Reply(reply) => panic!("{reply:?}"),
        })
        .collect();
    assert_eq!(
        texts(&events),
        [
            "changed /changed",
            "deleted /gone",
            "created /born",
            "children /changed",
            "deleted /gone"
        ]
    );
    assert!(events.iter().all(|event| event.zxid == Zxid(-1)));
    // Those that had nothing to catch up with are armed, the others are not.
    for path in ["/same", "/changed", "/born"] {
        lab.set(client, path, "y");
    }
    lab.create(client, "/unborn").unwrap();
    lab.create(client, "/same/child").unwrap();
    lab.create(client, "/changed/other").unwrap();
    assert_eq!(
        texts(&lab.events(client)),
        ["changed /same", "created /unborn", "children /same"]
    );
}

#[test]
fn persistent_watches_set_after_a_reconnect_do_not_catch_up() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.create(client, "/a").unwrap();
    let request = Request::SetWatches2(SetWatches2Request {
        one_shot: SetWatchesRequest {
            relative_zxid: Zxid(0),
            data: vec![],
            exist: vec![],
            child: vec![],
        },
        persistent: vec!["/a"],
        persistent_recursive: vec!["/r"],
    });
    assert_eq!(lab.call(client, &request).code(), ErrorCode::OK);
    assert_eq!(lab.events(client), []);
    lab.create(client, "/a/b").unwrap();
    lab.create(client, "/r").unwrap();
    lab.create(client, "/r/s").unwrap();
    assert_eq!(
        texts(&lab.events(client)),
        ["children /a", "created /r", "created /r/s"]
    );
}

#[test]
fn each_change_within_a_multi_is_told_and_none_of_one_that_fails() {
    let mut lab = Lab::new();
    let (watcher, writer) = (lab.client(), lab.client());
    add_watch(&mut lab, watcher, "/", AddWatchMode::PERSISTENT_RECURSIVE);
    let set = |path| {
        MultiOp::SetData(SetDataRequest {
            path,
            data: None,
            version: ZnodeVersion::ANY,
        })
    };
    let new = MultiOp::Create(create("/a", CreateMode::PERSISTENT, Acl::OPEN));
    for last in ["/missing", "/a"] {
        let ops = vec![new.clone(), set("/a"), set(last)];
        lab.call(writer, &Request::Multi(MultiRequest { ops }));
    }
    let events = lab.events(watcher);
    assert_eq!(texts(&events), ["created /a", "changed /a", "changed /a"]);
    assert!(events.iter().all(|event| event.zxid == events[0].zxid));
}

fn add_watch(lab: &mut Lab, client: Client, path: &str, mode: AddWatchMode) {
    let reply = lab.call(client, &Request::AddWatch(AddWatchRequest { path, mode }));
    assert_eq!(reply.body::<AddWatchResponse>().err, ErrorCode::OK);
}
