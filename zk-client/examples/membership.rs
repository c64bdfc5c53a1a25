//! Joins a group and prints its members as they come and go, for ten seconds:
//! `cargo run -p zk-client --example membership [HOSTS]`, more than once at a time. Without hosts it runs on the embedded
//! server, alone.
#![allow(clippy::print_stdout)]

use std::time::Duration;

use zk_client::Client;
use zk_client::recipes::Group;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let embedded =
        zk_server::Server::start("127.0.0.1:0", zk_server::ServerOptions::default()).await?;
    let hosts = std::env::args()
        .nth(1)
        .unwrap_or_else(|| embedded.connect_string());

    let name = format!("process {}", std::process::id());
    let client = Client::connect(&hosts).await?;
    let group = Group::new(&client, "/example/group");
    let mut members = group.members();
    let membership = group.join(name.as_bytes()).await?;
    let end = tokio::time::sleep(Duration::from_secs(10));
    tokio::pin!(end);
    loop {
        tokio::select! {
            now = members.next() => {
                let now = now?;
                let names = now.iter().map(|member| String::from_utf8_lossy(&member.data));
                println!("members: {:?}", names.collect::<Vec<_>>());
            }
            loss = membership.lost() => return Err(loss.into()),
            () = &mut end => break,
        }
    }
    membership.release().await?;
    client.close().await;
    Ok(())
}
