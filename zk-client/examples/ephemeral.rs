//! A znode that lives as long as its session: `cargo run -p zk-client --example ephemeral [HOSTS]`.
//! Without hosts it runs on the embedded server.
#![allow(clippy::print_stdout)]

use zk_client::{Client, CreateMode};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let embedded =
        zk_server::Server::start("127.0.0.1:0", zk_server::ServerOptions::default()).await?;
    let hosts = std::env::args()
        .nth(1)
        .unwrap_or_else(|| embedded.connect_string());

    let observer = Client::connect(&hosts).await?;
    observer.create_all("/example/workers").await?;
    let worker = Client::connect(&hosts).await?;
    let path = worker
        .create(
            "/example/workers/w-",
            b"10.0.0.7:9000",
            CreateMode::EPHEMERAL_SEQUENTIAL,
        )
        .await?;
    println!("created {path} in session {}", worker.session_id());

    observer.sync("/").await?;
    let (children, watch) = observer.get_children_and_watch("/example/workers").await?;
    println!("listed {:?}", children.to_vec());
    worker.close().await;
    println!("session closed: {:?}", watch.changed().await?);
    println!(
        "listed {:?}",
        observer.get_children("/example/workers").await?.to_vec()
    );
    observer.close().await;
    Ok(())
}
