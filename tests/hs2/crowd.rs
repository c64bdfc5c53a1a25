use std::net::SocketAddr;
use std::time::Instant;

use tests::node::Node;
use tests::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::fixture::{SOON, assert_serves};

/// As many as there are files for on both sides, and no more than these.
const CROWD_MAX: u64 = 10_000;
/// Of the node's memory, for a connection that has logged in and does nothing.
const BYTES_EACH_MAX: u64 = 32 << 10;

/// How the log says that a client took too long.
const ENDS: [&str; 2] = ["no login within 10.0 s", "did not come in time"];

/// Most have logged in and do nothing, by SASL or HTTP; the others never come to an end of what they begin.
#[tokio::test]
async fn ten_thousand_idle_connections_and_slow_ones_cost_little_and_harm_nobody() {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let crowd = usize::try_from(CROWD_MAX.min(files.saturating_sub(1000))).unwrap();
    let node = Node::options()
        .set("hive.server2.transport.mode", "all")
        .set("hive.server2.thrift.http.port", "0")
        .set("hive.server2.thrift.max.worker.threads", "11000")
        .set("hive.server2.thrift.login.timeout", "10s")
        .start()
        .await;
    assert_serves(node.address()).await;
    let before = node.rss_bytes();
    let began = Instant::now();
    let slow_ones = crowd / 10;
    let mut idle = Vec::new();
    for number in 0..crowd - slow_ones {
        let mut stream = connect(node.address()).await;
        if number % 2 == 0 {
            log_in(&mut stream).await;
        } else {
            ask(&mut stream).await;
        }
        idle.push(stream);
    }
    let mut slow = Vec::new();
    for number in 0..slow_ones {
        let mut stream = connect(node.address()).await;
        // A path, a mechanism of 8,312 bytes, and a method's name of 255, none of which ends.
        let beginnings = [
            &b"POST /cli"[..],
            &[1, 0, 0, 0x20],
            &[0x80, 1, 0, 1, 0, 0, 0, 255],
        ];
        let beginning = beginnings[number % 3];
        stream.write_all(beginning).await.unwrap();
        slow.push(stream);
    }
    let took = began.elapsed();
    assert_serves(node.address()).await;
    let grown = node.rss_bytes().saturating_sub(before);
    let each = grown / crowd as u64;
    eprintln!(
        "{crowd} connections in {took:?}: {} MiB more, {each} bytes each",
        grown >> 20
    );
    assert!(each < BYTES_EACH_MAX, "{each} bytes each");
    // A byte now and then does not help.
    let mut bytes = 0;
    wait::until("the slow ones are ended", SOON, async || {
        if bytes < 100 {
            bytes += 1;
            for stream in &mut slow {
                let _ = stream.write_all(b"x").await;
            }
        }
        let log = node.log();
        let ended = |line: &&String| ENDS.iter().any(|end| line.contains(end));
        log.iter().filter(ended).count() >= slow_ones
    })
    .await;
    for stream in &mut slow {
        let mut rest = Vec::new();
        assert!(timeout(SOON, stream.read_to_end(&mut rest)).await.is_ok());
    }
    // Those that were there first are served as if nothing had been.
    for two in idle.chunks_mut(2).step_by(500) {
        call(&mut two[0]).await;
        ask(&mut two[1]).await;
    }
    assert_serves(node.address()).await;
}

async fn connect(node: SocketAddr) -> TcpStream {
    TcpStream::connect(node).await.unwrap()
}

async fn log_in(stream: &mut TcpStream) {
    let login = b"\x01\0\0\0\x05PLAIN\x05\0\0\0\x08\0tests\0x";
    stream.write_all(login).await.unwrap();
    let mut answer = [0; 5];
    read(stream, &mut answer).await;
    assert_eq!(answer, [5, 0, 0, 0, 0]);
}

async fn ask(stream: &mut TcpStream) {
    let call = b"\x80\x01\0\x01\0\0\0\x04Nope\0\0\0\x01\0";
    let head = format!(
        "POST /cliservice HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        call.len()
    );
    stream
        .write_all(&[head.as_bytes(), call].concat())
        .await
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        read(stream, &mut byte).await;
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 ok"), "{head}");
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.expect("the body's length").parse().unwrap()];
    read(stream, &mut body).await;
    assert!(body.windows(4).any(|four| four == b"Nope"), "{body:?}");
}

/// The same by SASL.
async fn call(stream: &mut TcpStream) {
    let call = b"\0\0\0\x11\x80\x01\0\x01\0\0\0\x04Nope\0\0\0\x01\0";
    stream.write_all(call).await.unwrap();
    let mut answer = [0; 16];
    read(stream, &mut answer).await;
    assert!(answer.ends_with(b"Nope"), "{answer:?}");
}

async fn read(stream: &mut TcpStream, answer: &mut [u8]) {
    timeout(SOON, stream.read_exact(answer))
        .await
        .unwrap()
        .unwrap();
}
