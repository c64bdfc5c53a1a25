//! Three programs, one lock: `cargo run -p zk-client --example lock [HOSTS]`.
//! Without hosts it runs on the embedded server.
#![allow(clippy::print_stdout)]

use std::time::Duration;

use zk_client::Client;
use zk_client::recipes::Lock;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let embedded =
        zk_server::Server::start("127.0.0.1:0", zk_server::ServerOptions::default()).await?;
    let hosts = std::env::args()
        .nth(1)
        .unwrap_or_else(|| embedded.connect_string());

    let (one, two, three) = tokio::join!(
        program(&hosts, "one"),
        program(&hosts, "two"),
        program(&hosts, "three")
    );
    one.and(two).and(three)
}

async fn program(hosts: &str, name: &str) -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::connect(hosts).await?;
    let lock = Lock::new(&client, "/example/lock").data(name.as_bytes());
    for _ in 0..3 {
        let held = lock.lock().await?;
        println!("{name} holds it as {}", held.fencing_token());
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(50)) => held.release().await?,
            loss = held.lost() => return Err(loss.into()),
        }
    }
    client.close().await;
    Ok(())
}
