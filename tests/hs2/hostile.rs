use std::net::SocketAddr;
use std::time::Duration;

use tests::fleet::Fleet;
use tests::node::Node;
use tests::process::Process;
use tests::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::fixture::{SOON, assert_serves};

/// More than noise, and far less than one length that was believed.
const GROWTH_BYTES_MAX: u64 = 48 << 20;

/// Connections of each kind.
const ROUNDS: usize = 40;

#[tokio::test]
async fn a_node_survives_what_strangers_send() {
    let node = Node::options()
        .set("hive.server2.thrift.login.timeout", "2s")
        .start()
        .await;
    assert_serves(node.address()).await;
    let before = node.rss_bytes();
    let garbage: Vec<u8> = (0..4096_u32).map(|i| (i * 167 % 251) as u8).collect();
    let two_gib = 0x7fff_ffff_u32.to_be_bytes();
    let kinds: [(&str, Vec<u8>); 7] = [
        ("garbage", garbage.clone()),
        ("text", b"GET / HTTP/1.1\r\nHost: hs2\r\n\r\n".to_vec()),
        ("a bare length of 2 GiB", two_gib.to_vec()),
        (
            "SASL start with a length of 2 GiB",
            [&[1][..], &two_gib].concat(),
        ),
        (
            "a message name of 2 GiB",
            [&[0x80, 1, 0, 1][..], &two_gib].concat(),
        ),
        (
            "a message with garbage behind",
            [
                &[0x80, 1, 0, 1, 0, 0, 0, 11][..],
                b"OpenSession",
                &[0; 4],
                &garbage,
            ]
            .concat(),
        ),
        (
            "a frame of 2 GiB after the login",
            [&sasl_plain()[..], &two_gib].concat(),
        ),
    ];
    for (what, bytes) in &kinds {
        for _ in 0..ROUNDS {
            closes(node.address(), what, bytes).await;
        }
    }
    // Peers that vanish in the middle of something. Those that have begun a message get longer than a test waits.
    let login = sasl_plain();
    let mut silent = hold(node.address(), &[b"", &[1], &login[..9]]).await;
    let _begun = hold(
        node.address(),
        &[
            &[0x80, 1, 0, 1],
            &[&login[..], &[0, 0, 0, 99, 0x80]].concat(),
        ],
    )
    .await;
    assert_serves(node.address()).await;
    for socket in &mut silent {
        assert_ends(socket, "a login that never comes").await;
    }
    let grown = node.rss_bytes().saturating_sub(before);
    eprintln!(
        "resident memory: {} MiB, {} KiB more",
        before >> 20,
        grown >> 10
    );
    assert!(grown < GROWTH_BYTES_MAX, "{} MiB more", grown >> 20);
    assert_serves(node.address()).await;
    for reason in ["2147483647 bytes", "no login within 2.0 s", "HTTP"] {
        assert_said(&node, reason);
    }
}

#[tokio::test]
async fn the_embedded_zookeeper_survives_what_strangers_send() {
    let zookeeper = Process::start(&["zookeeper", "--bind", "127.0.0.1:0"]);
    let address: SocketAddr = zookeeper.line_after("listening on ").await.parse().unwrap();
    assert_takes_sessions(address).await;
    let before = zookeeper.rss_bytes();
    let garbage: Vec<u8> = (0..4096_u32).map(|i| (i * 167 % 251) as u8).collect();
    let kinds: [(&str, Vec<u8>); 4] = [
        ("garbage", garbage.clone()),
        ("a length of 2 GiB", 0x7fff_ffff_u32.to_be_bytes().to_vec()),
        ("a negative length", (-2_i32).to_be_bytes().to_vec()),
        (
            "a connect request of garbage",
            [&44_u32.to_be_bytes()[..], &[0xff; 44]].concat(),
        ),
    ];
    for (what, bytes) in &kinds {
        for _ in 0..ROUNDS {
            closes(address, what, bytes).await;
        }
    }
    let mut silent = hold(address, &[b"", &[0, 0], &[0, 0, 0, 44, 0, 0]]).await;
    assert_takes_sessions(address).await;
    for socket in &mut silent {
        assert_ends(socket, "a handshake that never comes").await;
    }
    let grown = zookeeper.rss_bytes().saturating_sub(before);
    eprintln!(
        "resident memory: {} MiB, {} KiB more",
        before >> 20,
        grown >> 10
    );
    assert!(grown < GROWTH_BYTES_MAX, "{} MiB more", grown >> 20);
    assert_takes_sessions(address).await;
    for reason in [
        "2147483647 bytes",
        "length is -2",
        "no connect request in time",
    ] {
        assert_said(&zookeeper, reason);
    }
}

/// Makes sure that the log says this, and how often it came.
fn assert_said(process: &Process, reason: &str) {
    let log = process.log();
    let lines = log.iter().filter(|line| line.contains(reason)).count();
    assert!(lines >= ROUNDS, "{reason:?} is in {lines} lines of the log");
}

/// Connections that send one of these beginnings each, and then nothing.
async fn hold(server: SocketAddr, beginnings: &[&[u8]]) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for beginning in beginnings {
        for _ in 0..ROUNDS {
            let mut socket = TcpStream::connect(server).await.unwrap();
            socket.write_all(beginning).await.unwrap();
            held.push(socket);
        }
    }
    held
}

/// The beginning of a SASL PLAIN login: START with the mechanism, COMPLETE with `\0user\0password`.
fn sasl_plain() -> Vec<u8> {
    let frame = |status: u8, body: &[u8]| {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[status][..], &length, body].concat()
    };
    [frame(1, b"PLAIN"), frame(5, b"\0tests\0tests")].concat()
}

/// Sends bytes and makes sure that the server ends the connection.
async fn closes(server: SocketAddr, what: &str, bytes: &[u8]) {
    let mut socket = TcpStream::connect(server).await.unwrap();
    // The server may have had enough before it is all sent.
    let _ = socket.write_all(bytes).await;
    let _ = socket.shutdown().await;
    assert_ends(&mut socket, what).await;
}

async fn assert_ends(socket: &mut TcpStream, what: &str) {
    let mut answer = Vec::new();
    let ended = timeout(SOON, socket.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "the connection stays open after {what}");
    assert!(
        answer.len() < 4096,
        "{} bytes of answer to {what}",
        answer.len()
    );
}

async fn assert_takes_sessions(address: SocketAddr) {
    let fleet = Fleet::new(&address.to_string()).await;
    wait::until("it answers", Duration::from_secs(5), async || {
        fleet.listed().await.is_empty()
    })
    .await;
}
