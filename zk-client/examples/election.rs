//! Leads when it is its turn, for a while: `cargo run -p zk-client --example election [HOSTS]`, more than once at a time.
//! Without hosts it runs on the embedded server, alone.
#![allow(clippy::print_stdout)]

use std::time::Duration;

use zk_client::Client;
use zk_client::recipes::Election;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let embedded =
        zk_server::Server::start("127.0.0.1:0", zk_server::ServerOptions::default()).await?;
    let hosts = std::env::args()
        .nth(1)
        .unwrap_or_else(|| embedded.connect_string());

    let name = format!("process {}", std::process::id());
    let client = Client::connect(&hosts).await?;
    let election = Election::new(&client, "/example/election", name.as_bytes());
    if let Some(leader) = election.leader().await? {
        println!("{} leads", String::from_utf8_lossy(&leader.data));
    }
    let leading = election.campaign().await?;
    println!("{name} leads");
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(2)) => {
            leading.release().await?;
            println!("{name} resigns");
        }
        loss = leading.lost() => println!("{name} is deposed: {loss}"),
    }
    client.close().await;
    Ok(())
}
