//! A ZooKeeper on a port, until Enter is pressed; with a folder it goes on from what is in there.
//!
//! `cargo run -p zk-server --example embedded -- 127.0.0.1:2181 [FOLDER]`
#![allow(clippy::print_stdout, reason = "a program's output")]

use std::path::PathBuf;

use zk_server::{Server, ServerOptions};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let address = args.next();
    let address = address.as_deref().unwrap_or("127.0.0.1:2181");
    let options = ServerOptions {
        data_dir: args.next().map(PathBuf::from),
        ..ServerOptions::default()
    };
    let server = Server::start(address, options).await?;
    println!("listening on {}; press Enter to stop", server.local_addr());
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    println!("sessions at the end: {:?}", server.sessions());
    server.shutdown().await;
    Ok(())
}
