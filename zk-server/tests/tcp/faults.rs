use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use zk_proto::record::{CreateMode, CreateRequest, Request};
use zk_proto::{Acl, ErrorCode};
use zk_server::{Server, ServerOptions};

use crate::client::{Client, start, until_ok_is, within};

#[tokio::test]
async fn a_session_ended_on_command_is_gone() {
    let server = start().await;
    let mut client = Client::connect(&server).await;
    assert_eq!(server.sessions(), [client.session]);
    assert!(server.expire_session(client.session));
    assert_eq!(client.frame().await, None);
    let again = Client::attach(&server, client.session, &client.password).await;
    assert!(again.is_none());
}

#[tokio::test]
async fn a_session_outlives_its_dropped_connection() {
    let server = start().await;
    let mut client = Client::connect(&server).await;
    client.create("/e", CreateMode::EPHEMERAL).await;
    server.drop_connections();
    assert_eq!(client.frame().await, None);
    let again = Client::attach(&server, client.session, &client.password).await;
    assert!(again.unwrap().exists("/e").await);
}

#[tokio::test]
async fn refused_connections_are_closed_and_the_others_stay() {
    let server = start().await;
    let mut client = Client::connect(&server).await;
    server.refuse_connections(true);
    within(until_ok_is(&server, false)).await;
    assert_eq!(client.call(&Request::Ping).await, Some(ErrorCode::OK));
    server.refuse_connections(false);
    within(until_ok_is(&server, true)).await;
}

#[tokio::test]
async fn a_paused_server_is_silent_and_answers_when_it_goes_on() {
    let server = start().await;
    let mut client = Client::connect(&server).await;
    server.pause(true);
    // A ping that was under way when the pause began may still be answered, the second is not.
    let mut pings = 0;
    while timeout(Duration::from_millis(200), client.call(&Request::Ping))
        .await
        .is_ok()
    {
        pings += 1;
        assert!(pings < 3, "not paused");
    }
    server.pause(false);
    assert!(client.frame().await.is_some());
}

#[tokio::test]
async fn one_connection_is_dropped_and_the_others_stay() {
    let server = start().await;
    let (mut dropped, mut other) = (
        Client::connect(&server).await,
        Client::connect(&server).await,
    );
    assert!(server.drop_connection(dropped.session));
    assert_eq!(dropped.frame().await, None);
    assert_eq!(other.call(&Request::Ping).await, Some(ErrorCode::OK));
}

#[tokio::test]
async fn a_lost_answer_is_a_cut_connection_and_a_write_that_happened() {
    let server = start().await;
    let mut client = Client::connect(&server).await;
    assert!(server.lose_next_answer(client.session));
    assert_eq!(client.create("/a", CreateMode::PERSISTENT).await, None);
    let mut client = Client::attach(&server, client.session, &client.password)
        .await
        .unwrap();
    assert!(client.exists("/a").await);
    assert!(server.lose_next_request(client.session));
    assert_eq!(client.create("/b", CreateMode::PERSISTENT).await, None);
    let mut client = Client::attach(&server, client.session, &client.password)
        .await
        .unwrap();
    assert!(!client.exists("/b").await);
}

#[tokio::test]
async fn delayed_replies_come_late_and_in_order() {
    const DELAY: Duration = Duration::from_millis(300);
    let server = start().await;
    let (mut slow, mut fast) = (
        Client::connect(&server).await,
        Client::connect(&server).await,
    );
    server.delay_replies(DELAY);
    server.delay_replies_to(fast.session, Some(Duration::ZERO));
    let asked = Instant::now();
    // All are under way together: a slow network, not a slow server.
    for path in ["/a", "/b", "/c", "/d", "/e"] {
        let request = Request::Create(CreateRequest {
            path,
            data: None,
            acl: Acl::OPEN.into(),
            mode: CreateMode::PERSISTENT,
        });
        slow.send(&request).await;
    }
    while !fast.exists("/e").await {}
    assert!(asked.elapsed() < DELAY, "the other one is slow too");
    for path in ["/a", "/b", "/c", "/d", "/e"] {
        let frame = slow.frame().await.unwrap();
        assert!(frame.ends_with(path.as_bytes()), "{frame:?} for {path}");
    }
    assert!(asked.elapsed() >= DELAY);
    assert!(asked.elapsed() < 4 * DELAY, "the delays add up");
    server.delay_replies_to(fast.session, None);
    let asked = Instant::now();
    fast.call(&Request::Ping).await;
    assert!(asked.elapsed() >= DELAY);
    server.delay_replies(Duration::ZERO);
    let asked = Instant::now();
    slow.call(&Request::Ping).await;
    assert!(asked.elapsed() < DELAY);
}

#[tokio::test]
async fn a_swallowed_connection_is_silent_and_its_session_expires() {
    let options = ServerOptions {
        tick: Duration::from_millis(20),
        ..ServerOptions::default()
    };
    let server = Server::start("127.0.0.1:0", options).await.unwrap();
    let mut client = Client::connect(&server).await;
    assert!(server.swallow_connection(client.session));
    assert!(!server.swallow_connection(client.session));
    client.send(&Request::Ping).await;
    // The session is gone after 400 ms, and the client is not told.
    within(async {
        while !server.sessions().is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let silence = timeout(Duration::from_millis(100), client.stream.read_u8()).await;
    assert!(silence.is_err(), "{silence:?}");
}

#[tokio::test]
async fn new_connections_are_swallowed_and_the_others_stay() {
    let server = start().await;
    let mut client = Client::connect(&server).await;
    server.swallow_connections(true);
    let mut swallowed = TcpStream::connect(server.local_addr()).await.unwrap();
    swallowed.write_all(b"ruok").await.unwrap();
    let silence = timeout(Duration::from_millis(200), swallowed.read_u8()).await;
    assert!(silence.is_err(), "{silence:?}");
    assert_eq!(client.call(&Request::Ping).await, Some(ErrorCode::OK));
    server.swallow_connections(false);
    within(until_ok_is(&server, true)).await;
    let silence = timeout(Duration::from_millis(100), swallowed.read_u8()).await;
    assert!(silence.is_err(), "{silence:?}");
}

#[tokio::test]
async fn a_server_becomes_read_only_and_writable_again() {
    let server = start().await;
    let mut client = Client::connect(&server).await;
    server.set_read_only(true);
    assert_eq!(client.frame().await, None);
    let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
    stream.write_all(b"isro").await.unwrap();
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer, b"ro");
    server.set_read_only(false);
    let again = Client::attach(&server, client.session, &client.password).await;
    assert!(again.is_some());
}
