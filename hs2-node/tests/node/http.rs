//! The HTTP transport, request by request.

use bytes::Bytes;
use hs2_proto::tcli::{
    Call, CloseSessionReq, GetInfoReq, GetInfoType, OpenSessionReq, ProtocolVersion, SessionHandle,
    decode_reply, write_call,
};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Fixture, soon, until};

const HTTP: &str = "hive.server2.transport.mode = http\n";

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut named = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value)
    }

    pub(crate) fn reply<C: Call>(&self) -> C::Reply {
        assert_eq!(self.status, 200, "{self:?}");
        decode_reply::<C>(&self.body, 7).unwrap()
    }
}

/// A connection by HTTP that says exactly what it is told.
pub(crate) struct Browser {
    stream: TcpStream,
}

impl Browser {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self { stream }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    pub(crate) async fn request(&mut self, head: &str, body: &[u8]) -> Answer {
        let head = format!(
            "{head}\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.stream.write_all(head.as_bytes()).await.unwrap();
        // A refusal may come before the body is sent.
        let _ = self.stream.write_all(body).await;
        self.answer().await.expect("an answer")
    }

    pub(crate) async fn post<C: Call>(&mut self, call: &C, headers: &str) -> Answer {
        self.post_to("/cliservice", call, headers).await
    }

    pub(crate) async fn post_to<C: Call>(&mut self, path: &str, call: &C, headers: &str) -> Answer {
        let mut body = Vec::new();
        write_call(&mut body, 7, call);
        let head = format!("POST {path} HTTP/1.1{headers}");
        self.request(&head, &body).await
    }

    /// The next answer, or `None` at the end.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let mut read = Vec::new();
        let head = loop {
            if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                let body = read.split_off(end + 4);
                break String::from_utf8(std::mem::replace(&mut read, body)).unwrap();
            }
            if !matches!(soon(self.stream.read_buf(&mut read)).await, Ok(n) if n > 0) {
                return None;
            }
        };
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer {
            status,
            head,
            body: Bytes::new(),
        };
        let length: usize = answer.header("content-length").unwrap().parse().unwrap();
        while read.len() < length {
            assert!(soon(self.stream.read_buf(&mut read)).await.unwrap() > 0);
        }
        answer.body = read.into();
        Some(answer)
    }
}

pub(crate) fn open() -> OpenSessionReq {
    OpenSessionReq {
        client_protocol: ProtocolVersion::V10,
        username: None,
        password: None,
        configuration: None,
    }
}

fn info(session_handle: SessionHandle) -> GetInfoReq {
    GetInfoReq {
        session_handle,
        info_type: GetInfoType::DBMS_NAME,
    }
}

#[tokio::test]
async fn a_session_outlives_its_connections_and_is_good_on_all_of_them() {
    let fixture = Fixture::with(HTTP).await;
    let mut first = Browser::connect(fixture.node.address()).await;
    let opened = first.post(&open(), "").await;
    assert_eq!(opened.header("content-type"), Some("application/x-thrift"));
    let session = opened.reply::<OpenSessionReq>().session_handle.unwrap();
    assert!(
        first
            .post(&info(session), "")
            .await
            .reply::<GetInfoReq>()
            .status
            .is_success()
    );
    drop(first);
    let mut other = Browser::connect(fixture.node.address()).await;
    for path in ["/cliservice/", "/cliservice", "//cliservice?x=y"] {
        let answer = other.post_to(path, &info(session), "").await;
        assert!(answer.reply::<GetInfoReq>().status.is_success(), "{path}");
    }
    assert_eq!(fixture.sessions(), 1);
    let close = CloseSessionReq {
        session_handle: session,
    };
    assert!(
        other
            .post(&close, "")
            .await
            .reply::<CloseSessionReq>()
            .status
            .is_success()
    );
    assert_eq!(fixture.sessions(), 0);
}

#[tokio::test]
async fn what_is_no_call_is_refused_in_words() {
    let settings = format!(
        "{HTTP}hive.server2.thrift.max.message.size = 65536\nhive.server2.xsrf.filter.enabled = true"
    );
    let fixture = Fixture::with(&settings).await;
    let xsrf = "\r\nX-XSRF-HEADER: true";
    for (head, body, status, said) in [
        (
            "GET /cliservice HTTP/1.1",
            &b""[..],
            405,
            "connect with transportMode=http",
        ),
        ("POST / HTTP/1.1", b"", 404, "httpPath=cliservice"),
        ("POST /cliservice HTTP/1.1", b"", 403, "X-XSRF-HEADER"),
        (
            &format!("POST /cliservice HTTP/1.1{xsrf}"),
            b"nonsense",
            400,
            "",
        ),
        (
            &format!("POST /cliservice HTTP/1.1{xsrf}"),
            &[0; 65537],
            413,
            "65536 are allowed",
        ),
        (
            &format!("POST /cliservice HTTP/1.1{xsrf}\r\nAuthorization: Basic !"),
            b"",
            401,
            "Basic",
        ),
        (
            &format!("POST /cliservice HTTP/1.1{xsrf}\r\nCookie: hive.server2.auth=old"),
            b"",
            401,
            "empty",
        ),
    ] {
        let answer = Browser::connect(fixture.node.address())
            .await
            .request(head, body)
            .await;
        assert_eq!(answer.status, status, "{head}: {answer:?}");
        assert!(answer.text().contains(said), "{head}: {answer:?}");
    }
    // A body of chunks, without a length, is not read beyond the limit.
    let mut chunks = Browser::connect(fixture.node.address()).await;
    chunks
        .send(&format!(
            "POST /cliservice HTTP/1.1\r\nHost: x{xsrf}\r\nTransfer-Encoding: chunked\r\n\r\n"
        ))
        .await;
    let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
    chunks.send(&chunk.repeat(3)).await;
    assert_eq!(chunks.answer().await.unwrap().status, 413);
    let mut good = Browser::connect(fixture.node.address()).await;
    assert!(
        good.post(&open(), xsrf)
            .await
            .reply::<OpenSessionReq>()
            .status
            .is_success()
    );
}

#[tokio::test]
async fn the_users_name_comes_from_the_header_and_whom_they_act_for_from_the_query() {
    let fixture = Fixture::with(HTTP).await;
    let mut browser = Browser::connect(fixture.node.address()).await;
    let scott = "\r\nAuthorization: Basic c2NvdHQ6eA==";
    for (path, headers, user) in [
        ("/cliservice", "", "anonymous"),
        ("/cliservice", scott, "scott"),
        ("/cliservice?doAs=king", scott, "king"),
    ] {
        let opened = browser
            .post_to(path, &open(), headers)
            .await
            .reply::<OpenSessionReq>();
        assert!(opened.status.is_success(), "{:?}", opened.status);
        assert_eq!(
            fixture.users().last().map(String::as_str),
            Some(user),
            "{path}"
        );
    }
}

#[tokio::test]
async fn slow_and_idle_connections_end_and_others_go_on() {
    let settings = format!(
        "{HTTP}hive.server2.thrift.login.timeout = 300ms\nhive.server2.thrift.http.max.idle.time = 300ms"
    );
    let fixture = Fixture::with(&settings).await;
    let asked = Instant::now();
    for beginning in ["P", "POST /cliservice HTTP/1.1\r\nHost: x\r\nX"] {
        let mut browser = Browser::connect(fixture.node.address()).await;
        browser.send(beginning).await;
        assert!(browser.answer().await.is_none(), "{beginning}");
    }
    assert!(asked.elapsed() >= Duration::from_millis(600), "not before");
    let mut idle = Browser::connect(fixture.node.address()).await;
    let session = idle
        .post(&open(), "")
        .await
        .reply::<OpenSessionReq>()
        .session_handle
        .unwrap();
    assert!(idle.answer().await.is_none(), "idle");
    // Its body comes behind its head, in a segment of its own.
    let mut body = Vec::new();
    write_call(&mut body, 7, &info(session));
    let mut slow = Browser::connect(fixture.node.address()).await;
    let length = body.len();
    slow.send(&format!(
        "POST /cliservice HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
    ))
    .await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    slow.stream.write_all(&body).await.unwrap();
    assert!(slow.answer().await.is_some());
    assert!(slow.answer().await.is_none(), "idle behind two segments");
    let mut other = Browser::connect(fixture.node.address()).await;
    assert!(
        other
            .post(&info(session), "")
            .await
            .reply::<GetInfoReq>()
            .status
            .is_success()
    );
    // The second request of a connection has the same time as the first.
    other.send("POST /cliservice").await;
    assert!(other.answer().await.is_none(), "half a request");
    until("its session is still there", || fixture.sessions() == 1).await;
}
