//! The server on a TCP port: what the listener adds to the core.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::future::Future;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use zk_proto::frame::{self, FrameDecoder};
use zk_proto::record::{
    ConnectRequest, ConnectResponse, CreateMode, CreateRequest, ExistsRequest, ReplyHeader, Request,
};
use zk_proto::{Acl, Decode, Encode, ErrorCode, Reader, SessionId, Xid, Zxid};
use zk_server::{Server, ServerOptions};

/// Far more than anything here takes.
const DEADLINE: Duration = Duration::from_secs(20);

struct Client {
    stream: TcpStream,
    input: BytesMut,
    session: SessionId,
    password: Vec<u8>,
}

impl Client {
    async fn connect(server: &Server) -> Self {
        Self::attach(server, SessionId::NONE, &[0; 16])
            .await
            .expect("a new session")
    }

    /// `None` when the session has expired.
    async fn attach(server: &Server, session: SessionId, password: &[u8]) -> Option<Self> {
        let stream = TcpStream::connect(server.local_addr()).await.unwrap();
        let mut client = Self {
            stream,
            input: BytesMut::new(),
            session,
            password: Vec::new(),
        };
        let wire = connect_request(session, password);
        client.stream.write_all(&wire).await.unwrap();
        let payload = client.frame().await.expect("an answer");
        let response = ConnectResponse::decode(&mut Reader::new(&payload)).unwrap();
        client.session = response.session_id;
        client.password = response.password.unwrap().to_vec();
        (response.timeout_ms > 0).then_some(client)
    }

    /// The next frame; `None` when the server has closed the connection.
    async fn frame(&mut self) -> Option<Bytes> {
        loop {
            let frame = FrameDecoder::new(usize::MAX).decode(&mut self.input);
            if let Some(frame) = frame.unwrap() {
                return Some(frame);
            }
            match within(self.stream.read_buf(&mut self.input)).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn send(&mut self, request: &Request<'_>) {
        let mut wire = BytesMut::new();
        frame::encode_request(&mut wire, Xid(1), request, usize::MAX).unwrap();
        self.stream.write_all(&wire).await.unwrap();
    }

    async fn call(&mut self, request: &Request<'_>) -> Option<ErrorCode> {
        self.send(request).await;
        let frame = self.frame().await?;
        let header = ReplyHeader::decode(&mut Reader::new(&frame)).unwrap();
        Some(header.err)
    }

    async fn create(&mut self, path: &str, mode: CreateMode) -> Option<ErrorCode> {
        let request = Request::Create(CreateRequest {
            path,
            data: None,
            acl: Acl::OPEN.into(),
            mode,
        });
        self.call(&request).await
    }

    async fn exists(&mut self, path: &str) -> bool {
        let request = Request::Exists(ExistsRequest { path, watch: false });
        self.call(&request).await == Some(ErrorCode::OK)
    }
}

fn connect_request(session_id: SessionId, password: &[u8]) -> BytesMut {
    let mut wire = BytesMut::new();
    frame::encode(&mut wire, usize::MAX, |out| {
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid(0),
            timeout_ms: 10_000,
            session_id,
            password: Some(password),
            read_only: Some(false),
        }
        .encode(out);
    })
    .unwrap();
    wire
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("in time")
}

/// Asks on new connections until the server answers, or until it does not.
async fn until_ok_is(server: &Server, expected: bool) {
    loop {
        let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
        let mut answer = Vec::new();
        // A refused connection may fail in either.
        let _ = stream.write_all(b"ruok").await;
        let _ = stream.read_to_end(&mut answer).await;
        if (answer == b"imok") == expected {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

async fn start() -> Server {
    Server::start("127.0.0.1:0", ServerOptions::default())
        .await
        .unwrap()
}

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
