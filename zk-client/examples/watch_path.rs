//! Prints every change below a path until interrupted: `cargo run -p zk-client --example watch_path -- HOSTS PATH`.
//! Needs a server of 3.6 or newer.
#![allow(clippy::print_stdout)]

use zk_client::{AddWatchMode, Client, WatchItem};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(hosts), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err("usage: watch_path HOSTS PATH".into());
    };
    let client = Client::connect(&hosts).await?;
    let mut watch = client
        .add_watch(&path, AddWatchMode::PERSISTENT_RECURSIVE)
        .await?;
    println!("watching {path}");
    loop {
        match watch.next().await? {
            WatchItem::Event(event) => println!("{:?} {}", event.event_type, event.path),
            WatchItem::Gap => println!("the connection was away: events may be missing"),
            WatchItem::Suspended => {
                println!("the server is too old: nothing is told until the next gap")
            }
        }
    }
}
