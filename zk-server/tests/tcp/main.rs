//! The server on a TCP port: what the listener adds to the core.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

/// A client, and how long it waits.
mod client;
/// Misbehaviour on command.
mod faults;
/// Servers that outlive their process.
mod storage;

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zk_proto::frame;
use zk_proto::record::{CreateMode, CreateRequest, Request};
use zk_proto::{Acl, ErrorCode, SessionId, Xid};
use zk_server::{Server, ServerOptions};

use client::{Client, connect_request, start, until_ok_is, within};

#[tokio::test]
async fn servers_live_beside_each_other_and_share_nothing() {
    let (a, b) = (start().await, start().await);
    assert_ne!(a.connect_string(), b.connect_string());
    let mut client_a = Client::connect(&a).await;
    let mut client_b = Client::connect(&b).await;
    client_a.create("/a", CreateMode::PERSISTENT).await;
    assert!(client_a.exists("/a").await);
    assert!(!client_b.exists("/a").await);
}

#[tokio::test]
async fn shutdown_cuts_the_connections_and_frees_the_port() {
    let server = start().await;
    let address = server.local_addr();
    let mut client = Client::connect(&server).await;
    within(server.shutdown()).await;
    assert_eq!(client.frame().await, None);
    let again = Server::start(address, ServerOptions::default()).await;
    assert_eq!(again.unwrap().local_addr(), address);
}

#[tokio::test]
async fn dropping_the_server_stops_it() {
    let server = start().await;
    let mut client = Client::connect(&server).await;
    drop(server);
    assert_eq!(client.frame().await, None);
}

#[tokio::test]
async fn a_session_expires_by_the_clock() {
    let options = ServerOptions {
        tick: Duration::from_millis(20),
        ..ServerOptions::default()
    };
    let server = Server::start("127.0.0.1:0", options).await.unwrap();
    // Twenty ticks at most: 400 ms.
    let mut silent = Client::connect(&server).await;
    silent.create("/e", CreateMode::EPHEMERAL).await;
    assert_eq!(silent.frame().await, None);
    assert_eq!(server.sessions(), []);
    let mut other = Client::connect(&server).await;
    assert!(!other.exists("/e").await);
}

#[tokio::test]
async fn the_refusal_of_a_session_arrives_though_more_was_sent() {
    let server = start().await;
    for _ in 0..20 {
        let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
        let mut wire = connect_request(SessionId(0x1234), &[0; 16]);
        for _ in 0..1000 {
            frame::encode_request(&mut wire, Xid::PING, &Request::Ping, usize::MAX).unwrap();
        }
        stream.write_all(&wire).await.unwrap();
        let mut answer = Vec::new();
        within(stream.read_to_end(&mut answer)).await.unwrap();
        assert_eq!(answer.len(), 41);
    }
}

#[tokio::test]
async fn connections_over_the_limit_are_closed() {
    let options = ServerOptions {
        connections_max: 2,
        ..ServerOptions::default()
    };
    let server = Server::start("127.0.0.1:0", options).await.unwrap();
    let mut first = Client::connect(&server).await;
    let second = Client::connect(&server).await;
    let mut third = TcpStream::connect(server.local_addr()).await.unwrap();
    assert!(!matches!(
        third.read_buf(&mut BytesMut::new()).await,
        Ok(1..)
    ));
    drop(second);
    // Its place is free once the server has noticed.
    within(until_ok_is(&server, true)).await;
    assert_eq!(first.call(&Request::Ping).await, Some(ErrorCode::OK));
}

#[tokio::test]
async fn a_large_conversation_goes_through_a_small_window() {
    let server = start().await;
    let mut client = Client::connect(&server).await;
    let data = vec![7; 1_000_000];
    let request = Request::Create(CreateRequest {
        path: "/big",
        data: Some(&data),
        acl: Acl::OPEN.into(),
        mode: CreateMode::PERSISTENT,
    });
    assert_eq!(client.call(&request).await, Some(ErrorCode::OK));
    let get = Request::GetData(zk_proto::record::GetDataRequest {
        path: "/big",
        watch: false,
    });
    // All requests first, then all answers: the server must not need to be read from to take them.
    for _ in 0..50 {
        client.send(&get).await;
    }
    for _ in 0..50 {
        let frame = client.frame().await.expect("an answer");
        assert_eq!(frame.len(), 16 + 4 + 1_000_000 + 68);
    }
}

#[tokio::test]
async fn many_clients_are_served_at_once() {
    let server = start().await;
    let mut clients = Vec::new();
    for _ in 0..300 {
        clients.push(Client::connect(&server).await);
    }
    clients[0].create("/p", CreateMode::PERSISTENT).await;
    for client in &mut clients {
        let made = client
            .create("/p/n-", CreateMode::EPHEMERAL_SEQUENTIAL)
            .await;
        assert_eq!(made, Some(ErrorCode::OK));
    }
    assert_eq!(server.sessions().len(), 300);
}
