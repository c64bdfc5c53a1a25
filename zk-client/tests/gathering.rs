//! What the driver holds back, to write more at once, is held back for a moment only, even if the server says nothing.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use zk_client::{Client, ConnectOptions};

/// More than a busy machine needs, and less than the first ping of the session.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server that gives a session and answers nothing.
async fn accept(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    frame(&mut stream).await;
    let mut grant = vec![0, 0, 0, 37];
    grant.extend([0; 4]);
    grant.extend(30_000_i32.to_be_bytes());
    grant.extend(7_i64.to_be_bytes());
    grant.extend(16_i32.to_be_bytes());
    grant.extend([1; 16]);
    grant.push(0);
    stream.write_all(&grant).await.unwrap();
    stream
}

async fn frame(stream: &mut TcpStream) {
    let length = stream.read_u32().await.unwrap();
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).await.unwrap();
}

#[tokio::test]
async fn reads_behind_a_server_that_stands_still_reach_it_all_the_same() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let options = ConnectOptions::default().session_timeout(Duration::from_secs(30));
    let (client, stream) = tokio::join!(Client::connect_with(&address, options), accept(&listener));
    let (client, mut stream) = (client.unwrap(), stream);
    let read = || {
        let client = client.clone();
        tokio::spawn(async move { client.get_data("/a").await })
    };
    let early: Vec<_> = (0..64).map(|_| read()).collect();
    timeout(PATIENCE, async {
        for _ in &early {
            frame(&mut stream).await;
        }
    })
    .await
    .expect("64 reads");
    for _ in 0..3 {
        let late = read();
        timeout(PATIENCE, frame(&mut stream))
            .await
            .expect("one more");
        late.abort();
    }
}
