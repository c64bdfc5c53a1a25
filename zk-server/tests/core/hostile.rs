use std::time::Duration;

use bytes::{BufMut, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use zk_proto::frame;
use zk_proto::record::{
    AddWatchMode, AddWatchRequest, AuthRequest, CheckRequest, CreateMode, DeleteRequest,
    ExistsRequest, GetAclRequest, GetChildrenRequest, GetDataRequest, MultiOp, MultiRequest,
    Request, SetDataRequest, SetWatchesRequest,
};
use zk_proto::{Acl, ErrorCode, Xid, ZnodeVersion, Zxid};
use zk_server::ServerOptions;
use zk_server::core::ConnectionId;

use super::lab::{Lab, Said, create};

#[test]
fn the_largest_frame_is_served_and_one_byte_more_closes_the_connection() {
    let mut lab = Lab::new();
    for (payload_bytes, served) in [(1_048_575, true), (1_048_576, false)] {
        let client = lab.client();
        let path = if served { "/fits" } else { "/too-large" };
        let mut wire = request(&Request::Create(create(
            path,
            CreateMode::PERSISTENT,
            Acl::OPEN,
        )));
        // Bytes behind the record are ignored.
        wire.resize(4 + payload_bytes, 0);
        wire[..4].copy_from_slice(&u32::try_from(payload_bytes).unwrap().to_be_bytes());
        lab.send_bytes(client.connection, &wire);
        assert_eq!(lab.core.is_over(client.connection), !served);
        assert_eq!(lab.frames(client.connection).len(), usize::from(served));
    }
    let client = lab.client();
    assert!(lab.stat(client, "/fits").is_some());
    assert!(lab.stat(client, "/too-large").is_none());
}

#[test]
fn a_broken_record_is_an_error_of_its_request_alone() {
    let mut lab = Lab::new();
    let client = lab.client();
    // getData of a path whose length runs past the frame, and of the null path.
    for length in [100_u32, u32::MAX, 0x7fff_ffff, 0x8000_0000] {
        let mut wire = BytesMut::new();
        frame::encode(&mut wire, usize::MAX, |out| {
            out.put_i32(9);
            out.put_i32(4);
            out.put_u32(length);
            out.put_u8(b'/');
        })
        .unwrap();
        lab.send_bytes(client.connection, &wire);
        match &lab.said(client)[..] {
            [Said::Reply(reply)] => assert_eq!(reply.code(), ErrorCode::MARSHALLING_ERROR),
            other => panic!("{other:?}"),
        }
    }
    assert!(lab.create(client, "/a").is_ok());
}

#[test]
fn an_unknown_opcode_is_answered_with_zxid_minus_one_and_the_end() {
    for opcode in [0, 10, 20, 99, -1, -10, i32::MIN] {
        let mut lab = Lab::new();
        let client = lab.client();
        let mut wire = BytesMut::new();
        frame::encode(&mut wire, usize::MAX, |out| {
            out.put_i32(7);
            out.put_i32(opcode);
        })
        .unwrap();
        lab.send_bytes(client.connection, &wire);
        match &lab.said(client)[..] {
            [Said::Reply(reply)] => {
                assert_eq!(reply.code(), ErrorCode::UNIMPLEMENTED);
                assert_eq!((reply.header.xid, reply.header.zxid), (Xid(7), Zxid(-1)));
            }
            other => panic!("{other:?}"),
        }
        assert!(lab.core.is_over(client.connection));
        assert!(lab.reattach(client).is_some(), "the session lives on");
    }
}

#[test]
fn an_operation_that_no_multi_can_have_is_an_error_of_the_multi() {
    let mut lab = Lab::new();
    let client = lab.client();
    for opcode in [7, 14, 99] {
        let mut wire = BytesMut::new();
        frame::encode(&mut wire, usize::MAX, |out| {
            out.put_i32(7);
            out.put_i32(14);
            out.put_i32(opcode);
            out.put_u8(0);
            out.put_i32(-1);
        })
        .unwrap();
        lab.send_bytes(client.connection, &wire);
        match &lab.said(client)[..] {
            [Said::Reply(reply)] => assert_eq!(reply.code(), ErrorCode::MARSHALLING_ERROR),
            other => panic!("{other:?}"),
        }
    }
    assert!(!lab.core.is_over(client.connection));
}

#[test]
fn a_frame_without_a_whole_header_closes_the_connection() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.send_bytes(client.connection, &[0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0]);
    assert!(lab.core.is_over(client.connection));
    assert!(lab.output(client.connection).is_empty());
}

#[test]
fn bytes_may_come_one_by_one() {
    let mut lab = Lab::new();
    let client = lab.client();
    let wire = request(&Request::Create(create(
        "/a",
        CreateMode::PERSISTENT,
        Acl::OPEN,
    )));
    for byte in &wire[..] {
        assert!(lab.output(client.connection).is_empty());
        lab.send_bytes(client.connection, &[*byte]);
    }
    assert_eq!(lab.frames(client.connection).len(), 1);
}

#[test]
fn a_client_that_does_not_read_its_replies_is_not_served_further() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.create(client, "/big").unwrap();
    lab.set(client, "/big", &"x".repeat(600_000));
    let wire = request(&Request::GetData(GetDataRequest {
        path: "/big",
        watch: false,
    }));
    for _ in 0..100 {
        lab.send_bytes(client.connection, &wire);
    }
    assert!(!lab.core.wants_input(client.connection));
    // Two replies are over the mark; the others wait until there is room, and then all come.
    let first = lab.core.take_output(lab.now, client.connection, usize::MAX);
    assert!(first.len() < 1_300_000, "{}", first.len());
    let rest = lab.frames(client.connection);
    assert_eq!(rest.len(), 98);
    assert!(lab.core.wants_input(client.connection));
}

#[test]
fn a_client_that_does_not_read_its_events_is_cut_and_its_session_lives() {
    let mut lab = Lab::with(ServerOptions {
        output_bytes_max: 2 << 20,
        ..ServerOptions::default()
    });
    let (watcher, writer) = (lab.client(), lab.client());
    let request = Request::AddWatch(AddWatchRequest {
        path: "/",
        mode: AddWatchMode::PERSISTENT_RECURSIVE,
    });
    lab.call(watcher, &request);
    let path = format!("/{}", "x".repeat(100_000));
    lab.create(writer, &path).unwrap();
    for _ in 0..30 {
        assert_eq!(lab.set(writer, &path, ""), ErrorCode::OK);
    }
    assert!(lab.core.is_over(watcher.connection));
    assert!(lab.output(watcher.connection).is_empty());
    assert!(lab.reattach(watcher).is_some());
}

#[test]
fn a_small_request_cannot_ask_for_more_than_a_connection_holds() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.create(client, "/big").unwrap();
    lab.set(client, "/big", &"x".repeat(1_000_000));
    let get = MultiOp::GetData(GetDataRequest {
        path: "/big",
        watch: false,
    });
    let ops = vec![get; 10_000];
    lab.send(client, &Request::MultiRead(MultiRequest { ops }));
    assert!(lab.core.is_over(client.connection));
    assert!(lab.output(client.connection).is_empty());
}

#[test]
fn thousands_of_connections_leave_nothing_behind() {
    let mut lab = Lab::new();
    let clients: Vec<_> = (0..5000).map(|_| lab.client()).collect();
    let silent: Vec<_> = (0..5000).map(|_| lab.dial()).collect();
    for client in &clients {
        lab.watch(*client, "/a");
    }
    lab.create(clients[0], "/a").unwrap();
    for client in &clients {
        assert_eq!(lab.events(*client).len(), 1);
    }
    lab.pass(Duration::from_secs(60));
    for id in clients.iter().map(|client| client.connection).chain(silent) {
        assert!(lab.core.is_over(id));
        lab.core.disconnected(id);
    }
    assert_eq!(lab.core.connections_count(), 0);
    assert_eq!(lab.core.sessions().count(), 0);
    assert_eq!(lab.core.wake_at_ms(), None);
}

#[test]
fn a_connection_proves_a_bounded_number_of_identities() {
    let mut lab = Lab::new();
    let client = lab.client();
    let mut accepted = 0;
    for n in 0..100 {
        let credentials = format!("user{n}:password");
        let request = Request::Auth(AuthRequest {
            scheme: "digest",
            auth: Some(credentials.as_bytes()),
        });
        if lab.call(client, &request).code() != ErrorCode::OK {
            break;
        }
        accepted += 1;
    }
    assert_eq!(accepted, 63);
    assert!(lab.core.is_over(client.connection));
}

fn request(request: &Request<'_>) -> BytesMut {
    let mut wire = BytesMut::new();
    frame::encode_request(&mut wire, Xid(1), request, usize::MAX).unwrap();
    wire
}

/// Requests about a handful of paths, so that they meet each other.
fn any_request() -> impl Strategy<Value = BytesMut> {
    let path = prop::sample::select(vec![
        "/",
        "/a",
        "/a/b",
        "/a/b/c",
        "/b",
        "/zookeeper",
        "x",
        "",
    ]);
    (0_u8..14, path, -1_i32..7, any::<bool>()).prop_map(|(kind, path, number, watch)| {
        let version = ZnodeVersion(number);
        let data = Some(&b"data"[..]);
        let mode = CreateMode(number);
        let new = create(path, mode, Acl::OPEN);
        request(&match kind {
            0 | 1 => Request::Create(new),
            2 => Request::CreateContainer(new),
            3 => Request::Delete(DeleteRequest { path, version }),
            4 => Request::SetData(SetDataRequest {
                path,
                data,
                version,
            }),
            5 => Request::Exists(ExistsRequest { path, watch }),
            6 => Request::GetChildren2(GetChildrenRequest { path, watch }),
            7 => Request::GetAcl(GetAclRequest { path }),
            8 => Request::AddWatch(AddWatchRequest {
                path,
                mode: AddWatchMode(number & 1),
            }),
            9 => Request::SetWatches(SetWatchesRequest {
                relative_zxid: Zxid(number.into()),
                data: vec![path],
                exist: vec![path],
                child: vec![path],
            }),
            10 | 11 => Request::Multi(MultiRequest {
                ops: vec![
                    MultiOp::Create(new),
                    MultiOp::SetData(SetDataRequest {
                        path: "/a",
                        data,
                        version,
                    }),
                    MultiOp::Delete(DeleteRequest { path, version }),
                    MultiOp::Check(CheckRequest { path, version }),
                ],
            }),
            12 => Request::CloseSession,
            _ => Request::Ping,
        })
    })
}

/// What may happen to a server.
#[derive(Clone, Debug)]
enum Step {
    Dial,
    Bytes(usize, Vec<u8>),
    Handshake(usize),
    Request(usize, Vec<u8>),
    Mutated(usize, Vec<u8>, usize, u8),
    Read(usize, usize),
    HangUp(usize),
    Pass(u16),
    DropAll,
}

fn any_step() -> impl Strategy<Value = Step> {
    let who = 0_usize..6;
    let wire = || any_request().prop_map(|wire| wire.to_vec());
    prop_oneof![
        2 => Just(Step::Dial),
        2 => (who.clone(), vec(any::<u8>(), 0..64)).prop_map(|(w, b)| Step::Bytes(w, b)),
        4 => who.clone().prop_map(Step::Handshake),
        12 => (who.clone(), wire()).prop_map(|(w, b)| Step::Request(w, b)),
        3 => (who.clone(), wire(), any::<usize>(), any::<u8>())
            .prop_map(|(w, b, at, x)| Step::Mutated(w, b, at, x)),
        3 => (who.clone(), 0_usize..4096).prop_map(|(w, n)| Step::Read(w, n)),
        1 => who.prop_map(Step::HangUp),
        2 => any::<u16>().prop_map(Step::Pass),
        1 => Just(Step::DropAll),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Whatever comes, the server neither panics nor loses count, and a well-behaved client is served at the end.
    #[test]
    fn nothing_that_is_sent_breaks_the_server(steps in vec(any_step(), 1..120)) {
        let mut lab = Lab::new();
        let mut connections: Vec<ConnectionId> = vec![lab.dial()];
        for step in steps {
            let pick = |who: usize| connections[who % connections.len()];
            match step {
                Step::Dial => {
                    let id = lab.dial();
                    connections.push(id);
                }
                Step::Bytes(who, bytes) => lab.send_bytes(pick(who), &bytes),
                Step::Handshake(who) => {
                    let mut wire = vec![0, 0, 0, 45];
                    wire.extend([0; 14]);
                    wire.extend([0x10, 0]);
                    wire.extend([0; 8]);
                    wire.extend([0, 0, 0, 16]);
                    wire.extend([0; 17]);
                    lab.send_bytes(pick(who), &wire);
                }
                Step::Request(who, bytes) => lab.send_bytes(pick(who), &bytes),
                Step::Mutated(who, mut bytes, at, with) => {
                    let at = at % bytes.len();
                    bytes[at] = with;
                    lab.send_bytes(pick(who), &bytes);
                }
                Step::Read(who, max) => {
                    lab.core.take_output(lab.now, pick(who), max);
                }
                Step::HangUp(who) => lab.core.disconnected(pick(who)),
                Step::Pass(ms) => lab.pass(Duration::from_millis(ms.into())),
                Step::DropAll => lab.core.drop_connections(),
            }
            while lab.core.next_ready().is_some() {}
        }
        let client = lab.client();
        let path = lab.create_as(client, "/last-", CreateMode::PERSISTENT_SEQUENTIAL).unwrap();
        prop_assert_eq!(lab.data(client, &path), Some(String::new()));
        // With everyone gone and time passed, nothing of the sessions is left.
        for id in connections.into_iter().chain([client.connection]) {
            lab.core.disconnected(id);
        }
        lab.pass(Duration::from_secs(60));
        prop_assert_eq!(lab.core.sessions().count(), 0);
        prop_assert_eq!(lab.core.connections_count(), 0);
        let observer = lab.dial();
        lab.send_bytes(observer, b"mntr");
        let answer = String::from_utf8(lab.output(observer).to_vec()).unwrap();
        prop_assert!(answer.contains("zk_ephemerals_count\t0\n"), "{}", answer);
        prop_assert!(answer.contains("zk_watch_count\t0\n"), "{}", answer);
    }
}
