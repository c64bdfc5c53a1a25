//! A ZooKeeper on a port, until Enter is pressed.
//!
//! `cargo run -p zk-server --example embedded -- 127.0.0.1:2181`
#![allow(clippy::print_stdout, reason = "a program's output")]

use zk_server::{Server, ServerOptions};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:2181");
    let server = Server::start(address, ServerOptions::default()).await?;
    println!("listening on {}; press Enter to stop", server.local_addr());
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    println!("sessions at the end: {:?}", server.sessions());
    server.shutdown().await;
    Ok(())
}
