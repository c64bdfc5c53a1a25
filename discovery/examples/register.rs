//! Registers an instance and stays on the list until somebody takes it off.
//!
//! ```text
//! cargo run -p discovery --example register -- zk1:2181,zk2:2181 h1.example.com:10000 4.0.1
//! ```
//!
//! Without arguments it brings an embedded ZooKeeper of its own, and deregisters itself.
#![allow(clippy::print_stdout)] // Printing is what this program is for.

use std::error::Error;

use discovery::{
    Endpoint, Ensemble, InstanceData, Namespace, NewInstance, Registration, RegistrationState,
};
use zk_server::{Server, ServerOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let servers = args.next();
    let endpoint: Endpoint = args
        .next()
        .as_deref()
        .unwrap_or("127.0.0.1:10000")
        .parse()?;
    let version = args.next().unwrap_or_else(|| "4.0.1".to_owned());

    let embedded = match &servers {
        Some(_) => None,
        None => Some(Server::start("127.0.0.1:0", ServerOptions::default()).await?),
    };
    let servers = servers.or(embedded.as_ref().map(Server::connect_string));
    let ensemble = Ensemble::new(&servers.unwrap_or_default())?;
    let namespace = Namespace::default();
    let instance = NewInstance {
        data: InstanceData::HostPort(endpoint.clone()),
        endpoint,
        version: version.clone(),
    };
    let registration = Registration::register(&ensemble, &namespace, &instance).await?;
    println!("registered in {namespace} of {ensemble}");

    if embedded.is_some() {
        let done = discovery::deregister(&ensemble, &namespace, &version).await?;
        println!("removed {}", done.removed.join(", "));
    }
    let mut states = registration.state();
    loop {
        let state = states.borrow_and_update().clone();
        println!("{state:?}");
        if let RegistrationState::Deregistered { .. } = state {
            return Ok(());
        }
        states.changed().await?;
    }
}
