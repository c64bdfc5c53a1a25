//! Every captured frame, decoded field by field and re-encoded byte for byte.

#![allow(clippy::unwrap_used)]

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use zk_proto::frame::{self, DEFAULT_MAX_BYTES, FrameDecoder};
use zk_proto::record::*;
use zk_proto::{
    Acl, Decode, Encode, ErrorCode, OpCode, Perms, Reader, SessionId, Stat, Xid, ZnodeVersion, Zxid,
};

const GOLDEN: &str = include_str!("golden/zookeeper-3.8.0.txt");

#[test]
fn requests_hold_the_fields_that_were_sent_and_encode_to_the_same_bytes() {
    let frames = frames('>');
    let mut seen = 0;
    for (name, xid, expected) in requests() {
        let payload = payload(&frames, name);
        let mut reader = Reader::new(&payload);
        let header = RequestHeader::decode(&mut reader).unwrap();
        assert_eq!(
            (header.xid, header.opcode),
            (Xid(xid), expected.opcode()),
            "{name}"
        );
        assert_eq!(
            Request::decode(header.opcode, &mut reader),
            Ok(expected.clone()),
            "{name}"
        );
        assert_eq!(reader.remaining(), 0, "{name}");
        let mut wire = BytesMut::new();
        frame::encode_request(&mut wire, Xid(xid), &expected, DEFAULT_MAX_BYTES).unwrap();
        assert_eq!(wire, frames[name], "{name}");
        seen += 1;
    }
    let elsewhere = frames
        .keys()
        .filter(|name| name.contains("connect"))
        .count()
        + 2;
    assert_eq!(
        seen + elsewhere,
        frames.len(),
        "a captured request is in no test"
    );
}

fn requests() -> Vec<(&'static str, i32, Request<'static>)> {
    let any = ZnodeVersion::ANY;
    let v = ZnodeVersion;
    let sasl_step2 = "charset=utf-8,username=\"bob\"";
    let mut list = vec![
        (
            "create_persistent_request",
            1,
            Request::Create(create("/app", b"hello", CreateMode::PERSISTENT)),
        ),
        (
            "create_ephemeral_sequential_request",
            2,
            Request::Create(create("/app/lock-", b"", CreateMode::EPHEMERAL_SEQUENTIAL)),
        ),
        (
            "create2_persistent_request",
            3,
            Request::Create2(create("/app/c2", b"x", CreateMode::PERSISTENT)),
        ),
        (
            "create_container_request",
            4,
            Request::CreateContainer(create("/app/cont", b"", CreateMode::CONTAINER)),
        ),
        (
            "create_ttl_null_data_request",
            5,
            Request::CreateTtl(CreateTtlRequest {
                create: CreateRequest {
                    data: None,
                    ..create("/app/ttl", b"", CreateMode::PERSISTENT_WITH_TTL)
                },
                ttl_ms: 60_000,
            }),
        ),
        (
            "exists_watch_existing_request",
            6,
            Request::Exists(ExistsRequest {
                path: "/app",
                watch: true,
            }),
        ),
        (
            "exists_watch_missing_request",
            7,
            Request::Exists(ExistsRequest {
                path: "/nope",
                watch: true,
            }),
        ),
        (
            "getdata_request",
            8,
            Request::GetData(GetDataRequest {
                path: "/app",
                watch: false,
            }),
        ),
        (
            "setdata_version0_request",
            9,
            Request::SetData(set_data("/app", b"v2", v(0))),
        ),
        (
            "setdata_bad_version_request",
            10,
            Request::SetData(set_data("/app", b"v3", v(0))),
        ),
        (
            "getacl_request",
            11,
            Request::GetAcl(GetAclRequest { path: "/app" }),
        ),
        (
            "setacl_request",
            12,
            Request::SetAcl(SetAclRequest {
                path: "/app/c2",
                acl: Cow::Owned(vec![
                    Acl {
                        perms: Perms::ALL,
                        scheme: "digest".into(),
                        id: "bob:fyVmFCwVbTJYrznoSu1koqYEYF0=".into(),
                    },
                    Acl::world(Perms::READ),
                ]),
                version: v(0),
            }),
        ),
        (
            "getchildren_request",
            13,
            Request::GetChildren(GetChildrenRequest {
                path: "/app",
                watch: false,
            }),
        ),
        (
            "getchildren2_watch_request",
            14,
            Request::GetChildren2(GetChildrenRequest {
                path: "/app",
                watch: true,
            }),
        ),
        (
            "delete_any_version_request",
            15,
            Request::Delete(DeleteRequest {
                path: "/app/lock-0000000000",
                version: any,
            }),
        ),
        (
            "sync_request",
            16,
            Request::Sync(SyncRequest { path: "/app" }),
        ),
        ("ping_request", -2, Request::Ping),
        (
            "auth_digest_request",
            -4,
            Request::Auth(AuthRequest {
                scheme: "digest",
                auth: Some(b"bob:secret"),
            }),
        ),
        ("whoami_request", 17, Request::WhoAmI),
        (
            "getallchildrennumber_request",
            18,
            Request::GetAllChildrenNumber(GetAllChildrenNumberRequest { path: "/app" }),
        ),
        (
            "create_ephemeral_request",
            19,
            Request::Create(create("/app/e", b"", CreateMode::EPHEMERAL)),
        ),
        (
            "getephemerals_request",
            20,
            Request::GetEphemerals(GetEphemeralsRequest {
                prefix: Some("/app"),
            }),
        ),
        (
            "multi_ok_request",
            21,
            Request::Multi(MultiRequest {
                ops: vec![
                    MultiOp::Check(CheckRequest {
                        path: "/app",
                        version: v(1),
                    }),
                    MultiOp::Create(create("/app/m1", b"1", CreateMode::PERSISTENT)),
                    MultiOp::SetData(set_data("/app/m1", b"22", v(0))),
                    MultiOp::Delete(DeleteRequest {
                        path: "/app/m1",
                        version: v(1),
                    }),
                ],
            }),
        ),
        (
            "multi_fail_request",
            22,
            Request::Multi(MultiRequest {
                ops: vec![
                    MultiOp::Create(create("/app/m2", b"", CreateMode::PERSISTENT)),
                    MultiOp::Delete(DeleteRequest {
                        path: "/nope",
                        version: any,
                    }),
                    MultiOp::SetData(set_data("/app", b"", any)),
                ],
            }),
        ),
        (
            "multi_empty_request",
            23,
            Request::Multi(MultiRequest::default()),
        ),
        (
            "multi_container_ttl_request",
            24,
            Request::Multi(MultiRequest {
                ops: vec![
                    MultiOp::CreateContainer(create("/app/mc", b"", CreateMode::CONTAINER)),
                    MultiOp::CreateTtl(CreateTtlRequest {
                        create: create("/app/mt", b"", CreateMode::PERSISTENT_WITH_TTL),
                        ttl_ms: 600_000,
                    }),
                ],
            }),
        ),
        (
            "multiread_request",
            25,
            Request::MultiRead(MultiRequest {
                ops: vec![
                    MultiOp::GetData(GetDataRequest {
                        path: "/app",
                        watch: false,
                    }),
                    MultiOp::GetChildren(GetChildrenRequest {
                        path: "/app",
                        watch: false,
                    }),
                    MultiOp::GetData(GetDataRequest {
                        path: "/nope",
                        watch: false,
                    }),
                ],
            }),
        ),
        (
            "addwatch_recursive_request",
            26,
            Request::AddWatch(AddWatchRequest {
                path: "/app",
                mode: AddWatchMode::PERSISTENT_RECURSIVE,
            }),
        ),
        (
            "create_acl_digest_ok_request",
            27,
            Request::Create(create("/app/c2/kid", b"", CreateMode::PERSISTENT)),
        ),
        (
            "addwatch_persistent_request",
            28,
            Request::AddWatch(AddWatchRequest {
                path: "/app/c2",
                mode: AddWatchMode::PERSISTENT,
            }),
        ),
        (
            "checkwatches_any_request",
            29,
            Request::CheckWatches(RemoveWatchesRequest {
                path: "/app/c2",
                watcher_type: WatcherType::ANY,
            }),
        ),
        (
            "removewatches_any_request",
            30,
            Request::RemoveWatches(RemoveWatchesRequest {
                path: "/app/c2",
                watcher_type: WatcherType::ANY,
            }),
        ),
        (
            "removewatches_none_left_request",
            31,
            Request::RemoveWatches(RemoveWatchesRequest {
                path: "/app/c2",
                watcher_type: WatcherType::ANY,
            }),
        ),
        (
            "setwatches_request",
            -8,
            Request::SetWatches(SetWatchesRequest {
                relative_zxid: Zxid(4),
                data: vec!["/app", "/gone"],
                exist: vec!["/app", "/notyet"],
                child: vec!["/app", "/gone2"],
            }),
        ),
        (
            "setwatches2_request",
            -8,
            Request::SetWatches2(SetWatches2Request {
                one_shot: SetWatchesRequest {
                    relative_zxid: Zxid(1_000_000),
                    data: vec!["/app"],
                    exist: vec![],
                    child: vec!["/app"],
                },
                persistent: vec!["/p"],
                persistent_recursive: vec!["/r"],
            }),
        ),
        (
            "delete_version0_request",
            50,
            Request::Delete(DeleteRequest {
                path: "/del",
                version: v(0),
            }),
        ),
        (
            "create_node_exists_request",
            4,
            Request::Create(create("/born", b"", CreateMode::PERSISTENT)),
        ),
        (
            "setdata_noauth_request",
            5,
            Request::SetData(set_data("/app/c2", b"", any)),
        ),
        (
            "auth_unknown_scheme_request",
            -4,
            Request::Auth(AuthRequest {
                scheme: "bogus",
                auth: Some(b"x"),
            }),
        ),
        ("close_session_request", 9, Request::CloseSession),
        (
            "sasl_step1_empty_token_request",
            1,
            Request::Sasl(SaslRequest { token: Some(b"") }),
        ),
    ];
    // The client's DIGEST-MD5 token holds a nonce: it is taken from the frame, its start is checked.
    let step2 = frames('>').remove("sasl_step2_response_request").unwrap();
    let token: &'static [u8] = Box::leak(step2[16..].to_vec().into_boxed_slice());
    assert!(
        token.starts_with(sasl_step2.as_bytes()),
        "{}",
        String::from_utf8_lossy(token)
    );
    list.push((
        "sasl_step2_response_request",
        2,
        Request::Sasl(SaslRequest { token: Some(token) }),
    ));
    list
}

#[test]
fn an_unknown_opcode_is_named() {
    let payload = payload(&frames('>'), "unknown_opcode_request");
    let mut reader = Reader::new(&payload);
    let header = RequestHeader::decode(&mut reader).unwrap();
    assert_eq!(
        header,
        RequestHeader {
            xid: Xid(7),
            opcode: OpCode(99)
        }
    );
    let error = Request::decode(header.opcode, &mut reader).unwrap_err();
    assert_eq!(
        error.to_string(),
        "RequestHeader.type at byte 8: opcode 99 is unknown"
    );
}

#[test]
fn replies_hold_the_fields_that_the_server_sent() {
    let frames = frames('<');
    let stat =
        |czxid, mzxid, ctime_ms, mtime_ms, version, cversion, data_length, num_children, pzxid| {
            Stat {
                czxid: Zxid(czxid),
                mzxid: Zxid(mzxid),
                ctime_ms,
                mtime_ms,
                version,
                cversion,
                aversion: 0,
                ephemeral_owner: SessionId::NONE,
                data_length,
                num_children,
                pzxid: Zxid(pzxid),
            }
        };
    let (born, changed) = (0x1a2_019d_70f1, 0x1a2_019d_7119);
    let app = stat(3, 3, born, born, 0, 4, 5, 4, 7);
    let app2 = stat(3, 8, born, changed, 1, 4, 2, 4, 7);

    reply::<CreateResponse<'_>>(
        &frames,
        "create_persistent_response",
        1,
        3,
        &CreateResponse { path: "/app" },
    );
    let path = "/app/lock-0000000000";
    reply::<CreateResponse<'_>>(
        &frames,
        "create_ephemeral_sequential_response",
        2,
        4,
        &CreateResponse { path },
    );
    let c2 = Create2Response {
        path: "/app/c2",
        stat: stat(5, 5, 0x1a2_019d_7102, 0x1a2_019d_7102, 0, 0, 1, 0, 5),
    };
    reply::<Create2Response<'_>>(&frames, "create2_persistent_response", 3, 5, &c2);
    let cont = Create2Response {
        path: "/app/cont",
        stat: stat(6, 6, 0x1a2_019d_7106, 0x1a2_019d_7106, 0, 0, 0, 0, 6),
    };
    reply::<Create2Response<'_>>(&frames, "create_container_response", 4, 6, &cont);
    let ttl = Create2Response {
        path: "/app/ttl",
        stat: stat(7, 7, 0x1a2_019d_710b, 0x1a2_019d_710b, 0, 0, 0, 0, 7),
    };
    reply::<Create2Response<'_>>(&frames, "create_ttl_null_data_response", 5, 7, &ttl);
    reply::<ExistsResponse>(
        &frames,
        "exists_watch_existing_response",
        6,
        7,
        &ExistsResponse { stat: app },
    );
    reply::<GetDataResponse<'_>>(
        &frames,
        "getdata_response",
        8,
        7,
        &GetDataResponse {
            data: Some(b"hello"),
            stat: app,
        },
    );
    reply::<SetDataResponse>(
        &frames,
        "setdata_version0_response",
        9,
        8,
        &SetDataResponse { stat: app2 },
    );
    let acl = GetAclResponse {
        acl: Acl::OPEN.to_vec(),
        stat: app2,
    };
    reply::<GetAclResponse>(&frames, "getacl_response", 11, 9, &acl);
    let aversion1 = Stat {
        aversion: 1,
        ..c2.stat
    };
    reply::<SetAclResponse>(
        &frames,
        "setacl_response",
        12,
        10,
        &SetAclResponse { stat: aversion1 },
    );
    let children: Children = ["lock-0000000000", "cont", "ttl", "c2"]
        .into_iter()
        .collect();
    let list = GetChildrenResponse {
        children: children.clone(),
    };
    reply::<GetChildrenResponse>(&frames, "getchildren_response", 13, 10, &list);
    let list2 = GetChildren2Response {
        children,
        stat: app2,
    };
    reply::<GetChildren2Response>(&frames, "getchildren2_watch_response", 14, 10, &list2);
    reply::<SyncResponse<'_>>(
        &frames,
        "sync_response",
        16,
        11,
        &SyncResponse { path: "/app" },
    );
    let clients = vec![
        ClientInfo {
            scheme: "digest",
            user: "bob",
        },
        ClientInfo {
            scheme: "ip",
            user: "127.0.0.1",
        },
    ];
    reply::<WhoAmIResponse<'_>>(
        &frames,
        "whoami_response",
        17,
        11,
        &WhoAmIResponse { clients },
    );
    let total = GetAllChildrenNumberResponse { total: 3 };
    reply::<GetAllChildrenNumberResponse>(&frames, "getallchildrennumber_response", 18, 11, &total);
    reply::<CreateResponse<'_>>(
        &frames,
        "create_ephemeral_response",
        19,
        12,
        &CreateResponse { path: "/app/e" },
    );
    let paths = GetEphemeralsResponse {
        paths: ["/app/e"].into_iter().collect(),
    };
    reply::<GetEphemeralsResponse>(&frames, "getephemerals_response", 20, 12, &paths);
    let at = 0x1a2_019d_7141;
    let results = vec![
        MultiResult::Check,
        MultiResult::Create { path: "/app/m1" },
        MultiResult::SetData {
            stat: stat(13, 13, at, at, 1, 0, 2, 0, 13),
        },
        MultiResult::Delete,
    ];
    reply::<MultiResponse<'_>>(
        &frames,
        "multi_ok_response",
        21,
        13,
        &MultiResponse { results },
    );
    let codes = [
        ErrorCode::OK,
        ErrorCode::NO_NODE,
        ErrorCode::RUNTIME_INCONSISTENCY,
    ];
    let results = codes.into_iter().map(MultiResult::Error).collect();
    reply::<MultiResponse<'_>>(
        &frames,
        "multi_fail_response",
        22,
        14,
        &MultiResponse { results },
    );
    reply::<MultiResponse<'_>>(
        &frames,
        "multi_empty_response",
        23,
        15,
        &MultiResponse::default(),
    );
    let at = 0x1a2_019d_714a;
    let created = |path| {
        MultiResult::Create2(Create2Response {
            path,
            stat: stat(16, 16, at, at, 0, 0, 0, 0, 16),
        })
    };
    let results = vec![created("/app/mc"), created("/app/mt")];
    reply::<MultiResponse<'_>>(
        &frames,
        "multi_container_ttl_response",
        24,
        16,
        &MultiResponse { results },
    );
    let names = ["cont", "ttl", "e", "mc", "c2", "mt"];
    let results = vec![
        MultiResult::GetData(GetDataResponse {
            data: Some(b"v2"),
            stat: stat(3, 8, born, changed, 1, 10, 2, 6, 16),
        }),
        MultiResult::GetChildren(names.into_iter().collect()),
        MultiResult::Error(ErrorCode::NO_NODE),
    ];
    reply::<MultiResponse<'_>>(
        &frames,
        "multiread_response",
        25,
        16,
        &MultiResponse { results },
    );
    let ok = AddWatchResponse { err: ErrorCode::OK };
    reply::<AddWatchResponse>(&frames, "addwatch_recursive_response", 26, 16, &ok);
    reply::<CreateResponse<'_>>(
        &frames,
        "create_acl_digest_ok_response",
        27,
        17,
        &CreateResponse {
            path: "/app/c2/kid",
        },
    );
    reply::<AddWatchResponse>(&frames, "addwatch_persistent_response", 28, 17, &ok);
}

#[test]
fn replies_without_a_record_are_a_header_alone() {
    let frames = frames('<');
    for (name, xid, zxid, err) in [
        ("exists_watch_missing_response", 7, 7, ErrorCode::NO_NODE),
        (
            "setdata_bad_version_response",
            10,
            9,
            ErrorCode::BAD_VERSION,
        ),
        ("delete_any_version_response", 15, 11, ErrorCode::OK),
        ("ping_response", -2, 11, ErrorCode::OK),
        ("auth_digest_response", -4, 0, ErrorCode::OK),
        ("checkwatches_any_response", 29, 17, ErrorCode::OK),
        ("removewatches_any_response", 30, 17, ErrorCode::OK),
        (
            "removewatches_none_left_response",
            31,
            17,
            ErrorCode::NO_WATCHER,
        ),
        ("setwatches_response", -8, 18, ErrorCode::OK),
        ("setwatches2_response", -8, 18, ErrorCode::OK),
        ("create_node_exists_response", 4, 22, ErrorCode::NODE_EXISTS),
        ("setdata_noauth_response", 5, 23, ErrorCode::NO_AUTH),
        (
            "auth_unknown_scheme_response",
            -4,
            0,
            ErrorCode::AUTH_FAILED,
        ),
        ("unknown_opcode_response", 7, -1, ErrorCode::UNIMPLEMENTED),
        ("close_session_response", 9, 26, ErrorCode::OK),
        ("delete_version0_response", 50, 20, ErrorCode::OK),
    ] {
        let payload = payload(&frames, name);
        let mut reader = Reader::new(&payload);
        let header = ReplyHeader::decode(&mut reader).unwrap();
        assert_eq!(
            header,
            ReplyHeader {
                xid: Xid(xid),
                zxid: Zxid(zxid),
                err
            },
            "{name}"
        );
        assert_eq!(reader.remaining(), 0, "{name}");
        let mut wire = BytesMut::new();
        frame::encode_reply(&mut wire, header, None, DEFAULT_MAX_BYTES).unwrap();
        assert_eq!(wire, frames[name], "{name}");
    }
}

#[test]
fn notifications_name_the_event_and_the_path() {
    let frames = frames('<');
    for (name, event_type, path) in [
        (
            "watch_event_node_data_changed",
            EventType::NODE_DATA_CHANGED,
            "/app",
        ),
        (
            "watch_event_node_children_changed",
            EventType::NODE_CHILDREN_CHANGED,
            "/app",
        ),
        (
            "watch_event_node_created_recursive",
            EventType::NODE_CREATED,
            "/app/c2/kid",
        ),
        ("watch_event_node_deleted", EventType::NODE_DELETED, "/del"),
        ("watch_event_node_created", EventType::NODE_CREATED, "/born"),
        ("setwatches_event_1", EventType::NODE_DATA_CHANGED, "/app"),
        ("setwatches_event_2", EventType::NODE_DELETED, "/gone"),
        ("setwatches_event_3", EventType::NODE_CREATED, "/app"),
        (
            "setwatches_event_4",
            EventType::NODE_CHILDREN_CHANGED,
            "/app",
        ),
        ("setwatches_event_5", EventType::NODE_DELETED, "/gone2"),
    ] {
        let event = WatcherEvent {
            event_type,
            state: KeeperState::SYNC_CONNECTED,
            path,
        };
        reply::<WatcherEvent<'_>>(&frames, name, -1, -1, &event);
    }
}

#[test]
fn sasl_tokens_are_buffers() {
    let frames = frames('<');
    for (name, xid, start) in [
        ("sasl_step1_challenge_response", 1, "realm=\"zk-sasl-md5\""),
        ("sasl_step2_rspauth_response", 2, "rspauth="),
    ] {
        let token = frames[name][24..].to_vec();
        assert!(token.starts_with(start.as_bytes()));
        reply::<SaslResponse<'_>>(
            &frames,
            name,
            xid,
            0,
            &SaslResponse {
                token: Some(&token),
            },
        );
    }
}

#[test]
fn handshakes_of_new_old_resumed_expired_and_refused_sessions() {
    let requests = frames('>');
    let responses = frames('<');
    let new = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid(0),
        timeout_ms: 10_000,
        session_id: SessionId::NONE,
        password: Some(&[0; PASSWORD_BYTES]),
        read_only: Some(false),
    };
    connect(&requests, "connect_new_session_request", new);
    connect(
        &requests,
        "connect_old_client_without_readonly_request",
        ConnectRequest {
            read_only: None,
            ..new
        },
    );
    let password = &hex("feeea30ea1def9bab89c1017eb81f0a5")[..];
    let session_id = SessionId(0x0100_003f_f8ca_0002);
    let resumed = ConnectRequest {
        last_zxid_seen: Zxid(5),
        session_id,
        password: Some(password),
        ..new
    };
    connect(&requests, "reconnect_ok_request", resumed);

    let password = &hex("2431980ee175b844a222df6d92931940")[..];
    let granted = ConnectResponse {
        protocol_version: 0,
        timeout_ms: 10_000,
        session_id: SessionId(0x0100_003f_f8ca_0000),
        password: Some(password),
        read_only: Some(false),
    };
    answer(&responses, "connect_new_session_response", granted);
    let old = ConnectResponse {
        session_id: SessionId(0x0100_003f_f8ca_0001),
        password: Some(&hex("3752920e81c1978997654699661c2e0d")),
        read_only: None,
        ..granted
    };
    answer(
        &responses,
        "connect_old_client_without_readonly_response",
        old,
    );
    let same = ConnectResponse {
        session_id,
        password: resumed.password,
        ..granted
    };
    answer(&responses, "reconnect_ok_response", same);
    answer(
        &responses,
        "reconnect_expired_session_response",
        ConnectResponse::EXPIRED,
    );
    answer(
        &responses,
        "reconnect_bad_password_response",
        ConnectResponse::EXPIRED,
    );
}

#[test]
fn four_frames_in_one_segment_come_apart_in_order() {
    let mut wire = frames('>')
        .remove("pipelined_connect_exists_getchildren_ping_request")
        .unwrap();
    let decoder = FrameDecoder::new(DEFAULT_MAX_BYTES);
    let mut payloads = Vec::new();
    while let Some(payload) = decoder.decode(&mut wire).unwrap() {
        payloads.push(payload);
    }
    assert!(wire.is_empty());
    ConnectRequest::decode(&mut Reader::new(&payloads[0])).unwrap();
    let opcodes: Vec<_> = payloads[1..]
        .iter()
        .map(|payload| RequestHeader::decode(&mut Reader::new(payload)).unwrap())
        .map(|header| (header.xid, header.opcode))
        .collect();
    assert_eq!(
        opcodes,
        [
            (Xid(1), OpCode::EXISTS),
            (Xid(2), OpCode::GET_CHILDREN),
            (Xid::PING, OpCode::PING)
        ]
    );
}

#[test]
fn every_prefix_of_every_frame_waits_or_fails() {
    for (name, wire) in frames('>').into_iter().chain(frames('<')) {
        if name.starts_with("fourlw") {
            continue;
        }
        for end in 0..wire.len() {
            let mut prefix = BytesMut::from(&wire[..end]);
            // A prefix of several frames may hold whole ones; what is left then waits.
            while FrameDecoder::new(DEFAULT_MAX_BYTES)
                .decode(&mut prefix)
                .unwrap()
                .is_some()
            {}
            // The payload cut short: every decoder fails or stops early, none panics.
            let cut = Bytes::copy_from_slice(&wire[4.min(end)..end]);
            let mut reader = Reader::new(&cut);
            if let Ok(header) = RequestHeader::decode(&mut reader) {
                let _ = Request::decode(header.opcode, &mut reader.clone());
                let _ = MultiResponse::decode(&mut reader.clone());
                let _ = GetChildren2Response::decode(&mut reader.clone());
                let _ = GetDataResponse::decode(&mut reader.clone());
                let _ = WatcherEvent::decode(&mut reader.clone());
                let _ = WhoAmIResponse::decode(&mut reader);
            }
        }
    }
}

fn create<'a>(path: &'a str, data: &'a [u8], mode: CreateMode) -> CreateRequest<'a> {
    CreateRequest {
        path,
        data: Some(data),
        acl: Cow::Borrowed(Acl::OPEN),
        mode,
    }
}

fn set_data<'a>(path: &'a str, data: &'a [u8], version: ZnodeVersion) -> SetDataRequest<'a> {
    SetDataRequest {
        path,
        data: Some(data),
        version,
    }
}

/// A reply's header and record are as expected, and both together make the captured bytes.
fn reply<'a, R: Decode<'a> + Encode + PartialEq + std::fmt::Debug>(
    frames: &BTreeMap<&'static str, BytesMut>,
    name: &str,
    xid: i32,
    zxid: i64,
    expected: &R,
) {
    let payload: &'static Bytes = Box::leak(Box::new(payload(frames, name)));
    let mut reader = Reader::new(payload);
    let header = ReplyHeader::decode(&mut reader).unwrap();
    assert_eq!(
        header,
        ReplyHeader {
            xid: Xid(xid),
            zxid: Zxid(zxid),
            err: ErrorCode::OK
        },
        "{name}"
    );
    assert_eq!(&R::decode(&mut reader).unwrap(), expected, "{name}");
    assert_eq!(reader.remaining(), 0, "{name}");
    let mut wire = BytesMut::new();
    frame::encode_reply(&mut wire, header, Some(expected), DEFAULT_MAX_BYTES).unwrap();
    assert_eq!(wire, frames[name], "{name}");
}

fn connect(frames: &BTreeMap<&'static str, BytesMut>, name: &str, expected: ConnectRequest<'_>) {
    let payload = payload(frames, name);
    assert_eq!(
        ConnectRequest::decode(&mut Reader::new(&payload)),
        Ok(expected),
        "{name}"
    );
    let mut wire = BytesMut::new();
    frame::encode(&mut wire, DEFAULT_MAX_BYTES, |out| expected.encode(out)).unwrap();
    assert_eq!(wire, frames[name], "{name}");
}

fn answer(frames: &BTreeMap<&'static str, BytesMut>, name: &str, expected: ConnectResponse<'_>) {
    let payload = payload(frames, name);
    assert_eq!(
        ConnectResponse::decode(&mut Reader::new(&payload)),
        Ok(expected),
        "{name}"
    );
    let mut wire = BytesMut::new();
    frame::encode(&mut wire, DEFAULT_MAX_BYTES, |out| expected.encode(out)).unwrap();
    assert_eq!(wire, frames[name], "{name}");
}

fn payload(frames: &BTreeMap<&'static str, BytesMut>, name: &str) -> Bytes {
    let mut wire = frames[name].clone();
    let payload = FrameDecoder::new(DEFAULT_MAX_BYTES)
        .decode(&mut wire)
        .unwrap()
        .expect("a whole frame");
    assert!(wire.is_empty(), "{name} is one frame");
    payload
}

fn frames(direction: char) -> BTreeMap<&'static str, BytesMut> {
    GOLDEN
        .lines()
        .filter_map(|line| line.strip_prefix(direction))
        .map(|line| {
            let (name, hex_digits) = line.trim().split_once(' ').unwrap();
            (name, BytesMut::from(&hex(hex_digits)[..]))
        })
        .collect()
}

fn hex(digits: &str) -> Vec<u8> {
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
