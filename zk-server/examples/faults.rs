//! A test of a client, as a person who depends on this crate would write it: the answer to a write is lost, and the
//! client has to find out whether it happened.
//!
//! `cargo run -p zk-server --example faults`
//!
//! The client here is a few bytes written by hand, so that the example needs no other crate; in your test it is yours.
#![allow(clippy::print_stdout, reason = "a program's output")]

use std::error::Error;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zk_proto::frame;
use zk_proto::record::{ConnectRequest, CreateMode, CreateRequest, ExistsRequest, Request};
use zk_proto::{Acl, Encode, SessionId, Xid, Zxid};
use zk_server::{Server, ServerOptions, ServerVersion};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A server of an older release, whose sessions last half a second.
    let options = ServerOptions {
        tick: Duration::from_millis(25),
        emulate_version: ServerVersion::new(3, 6, 3),
        ..ServerOptions::default()
    };
    let server = Server::start("127.0.0.1:0", options).await?;

    let mut client = connect(&server).await?;
    let session = *server.sessions().first().ok_or("no session")?;
    assert!(server.lose_next_answer(session));
    let create = Request::Create(CreateRequest {
        path: "/job",
        data: None,
        acl: Acl::OPEN.into(),
        mode: CreateMode::PERSISTENT,
    });
    let answer = call(&mut client, &create).await?;
    println!("the create was answered with {} bytes", answer.len());
    assert!(answer.is_empty(), "the connection was cut instead");

    // All the same it happened, which another client sees at once, however slow its network is.
    server.delay_replies(Duration::from_millis(50));
    let mut other = connect(&server).await?;
    let exists = Request::Exists(ExistsRequest {
        path: "/job",
        watch: false,
    });
    let answer = call(&mut other, &exists).await?;
    println!("/job exists: {}", answer.get(16..20) == Some(&[0; 4]));

    // The first client does not come back in time.
    server.delay_replies(Duration::ZERO);
    assert!(server.expire_session(session));
    println!("sessions left: {}", server.sessions().len());
    server.shutdown().await;
    Ok(())
}

/// A new session.
async fn connect(server: &Server) -> Result<TcpStream, Box<dyn Error>> {
    let mut stream = TcpStream::connect(server.local_addr()).await?;
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid(0),
        timeout_ms: 10_000,
        session_id: SessionId::NONE,
        password: Some(&[0; 16]),
        read_only: Some(false),
    };
    let mut wire = bytes::BytesMut::new();
    frame::encode(&mut wire, frame::DEFAULT_MAX_BYTES, |out| {
        request.encode(out)
    })?;
    stream.write_all(&wire).await?;
    stream.read_exact(&mut [0; 41]).await?;
    Ok(stream)
}

/// The frame of an answer; nothing when the server has closed the connection.
async fn call(stream: &mut TcpStream, request: &Request<'_>) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut wire = bytes::BytesMut::new();
    frame::encode_request(&mut wire, Xid(1), request, frame::DEFAULT_MAX_BYTES)?;
    stream.write_all(&wire).await?;
    let mut answer = Vec::new();
    stream.read_buf(&mut answer).await?;
    Ok(answer)
}
