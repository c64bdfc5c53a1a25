use std::future::Future;
use std::time::Duration;

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
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    input: BytesMut,
    pub(crate) session: SessionId,
    pub(crate) password: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(server: &Server) -> Self {
        Self::attach(server, SessionId::NONE, &[0; 16])
            .await
            .expect("a new session")
    }

    /// `None` when the session has expired.
    pub(crate) async fn attach(
        server: &Server,
        session: SessionId,
        password: &[u8],
    ) -> Option<Self> {
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
    pub(crate) async fn frame(&mut self) -> Option<Bytes> {
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

    pub(crate) async fn send(&mut self, request: &Request<'_>) {
        let mut wire = BytesMut::new();
        frame::encode_request(&mut wire, Xid(1), request, usize::MAX).unwrap();
        self.stream.write_all(&wire).await.unwrap();
    }

    pub(crate) async fn call(&mut self, request: &Request<'_>) -> Option<ErrorCode> {
        self.send(request).await;
        let frame = self.frame().await?;
        let header = ReplyHeader::decode(&mut Reader::new(&frame)).unwrap();
        Some(header.err)
    }

    pub(crate) async fn create(&mut self, path: &str, mode: CreateMode) -> Option<ErrorCode> {
        let request = Request::Create(CreateRequest {
            path,
            data: None,
            acl: Acl::OPEN.into(),
            mode,
        });
        self.call(&request).await
    }

    pub(crate) async fn exists(&mut self, path: &str) -> bool {
        let request = Request::Exists(ExistsRequest { path, watch: false });
        self.call(&request).await == Some(ErrorCode::OK)
    }
}

pub(crate) fn connect_request(session_id: SessionId, password: &[u8]) -> BytesMut {
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

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("in time")
}

/// Asks on new connections until the server answers, or until it does not.
pub(crate) async fn until_ok_is(server: &Server, expected: bool) {
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

pub(crate) async fn start() -> Server {
    Server::start("127.0.0.1:0", ServerOptions::default())
        .await
        .unwrap()
}
