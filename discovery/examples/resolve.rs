//! Finds an instance as a client does, and says to which URL it leads.
//!
//! ```text
//! cargo run -p discovery --example resolve -- 'jdbc:hive2://zk1,zk2/;serviceDiscoveryMode=zooKeeper'
//! ```
//!
//! Without an argument it brings an embedded ZooKeeper with two instances of its own.
#![allow(clippy::print_stdout)] // Printing is what this program is for.

use std::error::Error;

use discovery::{
    Candidates, Discovery, Ensemble, InstanceData, JdbcUrl, Namespace, NewInstance, Registration,
};
use zk_server::{Server, ServerOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start("127.0.0.1:0", ServerOptions::default()).await?;
    let mut registrations = Vec::new();
    let url = match std::env::args().nth(1) {
        Some(url) => url,
        None => {
            let servers = server.connect_string();
            for port in [10000, 10001] {
                registrations.push(register(&servers, port).await?);
            }
            format!("jdbc:hive2://{servers}/sales;serviceDiscoveryMode=zooKeeper")
        }
    };
    let url = JdbcUrl::parse(&url)?;
    let Discovery::ZooKeeper {
        connect_string,
        namespace,
        ..
    } = url.discovery()
    else {
        return Err("the URL names no ensemble: add serviceDiscoveryMode=zooKeeper".into());
    };
    let ensemble = Ensemble::new(connect_string)?;
    let mut candidates = Candidates::list(&ensemble, namespace, None).await?;
    while let Some(instance) = candidates.next().await? {
        println!("{}\n  {}", instance.path, instance.data.direct_url(&url)?);
    }
    Ok(())
}

async fn register(servers: &str, port: u16) -> Result<Registration, Box<dyn Error>> {
    let endpoint = discovery::Endpoint::new("127.0.0.1", port)?;
    let instance = NewInstance {
        data: InstanceData::HostPort(endpoint.clone()),
        endpoint,
        version: "4.0.1".to_owned(),
    };
    let ensemble = Ensemble::new(servers)?;
    Ok(Registration::register(&ensemble, &Namespace::default(), &instance).await?)
}
