//! Watches a namespace: says who joins and who leaves, and whom a client would be sent to.
//!
//! ```text
//! cargo run -p discovery --example watch -- zk1:2181,zk2:2181 hiveserver2
//! ```
//!
//! Without arguments it brings an embedded ZooKeeper, and an instance that registers and leaves.
#![allow(clippy::print_stdout)] // Printing is what this program is for.

use std::error::Error;

use discovery::{
    Changes, Endpoint, Ensemble, InstanceData, Namespace, NewInstance, Picker, Registration,
    Strategy, View,
};
use zk_server::{Server, ServerOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(servers) = arguments.next() else {
        return demonstrate().await;
    };
    let namespace: Namespace = match arguments.next() {
        Some(namespace) => namespace.parse()?,
        None => Namespace::default(),
    };
    let view = View::open(&Ensemble::new(&servers)?, &namespace).await?;
    let (mut changes, mut picker) = (view.changes(), Picker::new(&view, Strategy::Random));
    loop {
        tell(&mut changes, &mut picker).await;
    }
}

async fn demonstrate() -> Result<(), Box<dyn Error>> {
    let server = Server::start("127.0.0.1:0", ServerOptions::default()).await?;
    let (ensemble, namespace) = (
        Ensemble::new(&server.connect_string())?,
        Namespace::default(),
    );
    let view = View::open(&ensemble, &namespace).await?;
    let (mut changes, mut picker) = (view.changes(), Picker::new(&view, Strategy::Random));
    tell(&mut changes, &mut picker).await;

    let endpoint = Endpoint::new("127.0.0.1", 10000)?;
    let instance = NewInstance {
        data: InstanceData::HostPort(endpoint.clone()),
        endpoint,
        version: "4.0.1".to_owned(),
    };
    let registration = Registration::register(&ensemble, &namespace, &instance).await?;
    tell(&mut changes, &mut picker).await;
    registration.deregister().await?;
    tell(&mut changes, &mut picker).await;
    Ok(())
}

/// Waits for the next change and tells of it.
async fn tell(changes: &mut Changes, picker: &mut Picker) {
    let change = changes.next().await;
    for name in &change.joined {
        println!("joined: {name}");
    }
    for name in &change.left {
        println!("left:   {name}");
    }
    if !change.snapshot.is_live() {
        println!("ZooKeeper is away; the list stays");
    }
    match picker.pick() {
        Ok(pick) => println!("next:   {}", pick.name().endpoint()),
        Err(error) => println!("next:   {error}"),
    }
}
