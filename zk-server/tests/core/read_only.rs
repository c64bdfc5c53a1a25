use std::time::Duration;

use zk_proto::record::{
    ConnectRequest, CreateMode, DeleteRequest, GetDataRequest, Request, SyncRequest,
};
use zk_proto::{ErrorCode, SessionId, ZnodeVersion, Zxid};
use zk_server::ServerOptions;

use super::lab::Lab;

fn read_only() -> ServerOptions {
    ServerOptions {
        read_only: true,
        ..ServerOptions::default()
    }
}

#[test]
fn clients_that_want_to_write_are_closed_without_an_answer() {
    let mut lab = Lab::with(read_only());
    for read_only in [Some(false), None] {
        let connection = lab.dial();
        lab.send_connect(
            connection,
            &ConnectRequest {
                protocol_version: 0,
                last_zxid_seen: Zxid(0),
                timeout_ms: 10_000,
                session_id: SessionId::NONE,
                password: Some(&[0; 16]),
                read_only,
            },
        );
        assert!(lab.core.is_over(connection));
        assert!(lab.output(connection).is_empty());
    }
    assert_eq!(lab.core.sessions().count(), 0);
}

#[test]
fn others_are_told_and_can_read_and_not_write() {
    let mut lab = Lab::with(read_only());
    let (client, told) = lab.accept_read_only(None).unwrap();
    assert_eq!(told, Some(true));
    assert_eq!(lab.data(client, "/").unwrap(), "");
    assert_eq!(
        lab.create(client, "/a").unwrap_err(),
        ErrorCode::NOT_READ_ONLY
    );
    assert_eq!(lab.set(client, "/", "x"), ErrorCode::NOT_READ_ONLY);
    let version = ZnodeVersion::ANY;
    let delete = Request::Delete(DeleteRequest {
        path: "/a",
        version,
    });
    for request in [delete, Request::Sync(SyncRequest { path: "/" })] {
        let reply = lab.call(client, &request);
        assert_eq!(reply.code(), ErrorCode::NOT_READ_ONLY);
        assert_eq!(reply.header.zxid, Zxid(0));
    }
    assert_eq!(lab.call(client, &Request::Ping).code(), ErrorCode::OK);
    assert_eq!(lab.word(b"isro"), "ro");
    assert!(lab.word(b"srvr").contains("Mode: read-only\n"));
    // Its session is its own: it ends without a transaction.
    assert_eq!(
        lab.call(client, &Request::CloseSession).code(),
        ErrorCode::OK
    );
    assert!(lab.word(b"srvr").contains("Zxid: 0x0\n"));
}

#[test]
fn a_writable_server_says_that_it_is_one() {
    let mut lab = Lab::new();
    assert_eq!(lab.accept_read_only(None).unwrap().1, Some(false));
}

#[test]
fn sessions_outlive_the_time_without_a_quorum() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.create_as(client, "/e", CreateMode::EPHEMERAL).unwrap();
    lab.core.set_read_only(lab.now, true);
    assert!(lab.core.is_over(client.connection));
    let (reader, told) = lab.accept_read_only(Some(client)).unwrap();
    assert_eq!((reader.session, told), (client.session, Some(true)));
    // The ensemble that knows it cannot end it now.
    let reply = lab.call(reader, &Request::CloseSession);
    assert_eq!(reply.code(), ErrorCode::NOT_READ_ONLY);
    lab.pass(Duration::from_secs(100));
    let get = Request::GetData(GetDataRequest {
        path: "/e",
        watch: false,
    });
    assert_eq!(lab.call(reader, &get).code(), ErrorCode::OK);
    lab.core.set_read_only(lab.now, false);
    lab.pass(Duration::from_secs(9));
    let client = lab.reattach(client).unwrap();
    assert!(lab.stat(client, "/e").is_some());
    lab.core.disconnected(client.connection);
    lab.pass(Duration::from_secs(13));
    assert!(lab.reattach(client).is_none());
}

#[test]
fn sessions_of_a_read_only_server_expire_and_are_gone_when_it_is_writable() {
    let mut lab = Lab::with(read_only());
    let (silent, _) = lab.accept_read_only(None).unwrap();
    lab.pass(Duration::from_secs(13));
    assert!(lab.core.is_over(silent.connection));
    assert!(lab.accept_read_only(Some(silent)).is_none());
    let (reader, _) = lab.accept_read_only(None).unwrap();
    lab.core.set_read_only(lab.now, false);
    assert!(lab.accept_read_only(Some(reader)).is_none());
    assert!(lab.word(b"srvr").contains("Zxid: 0x0\n"));
}
