//! Says what a `jdbc:hive2://` URL, or a plain `host:port`, means.
//!
//! ```text
//! cargo run -p discovery --no-default-features --example parse_url -- 'jdbc:hive2://zk1,zk2/db;serviceDiscoveryMode=zooKeeper'
//! ```
#![allow(clippy::print_stdout)] // Printing is what this program is for.

use std::process::ExitCode;

use discovery::{Discovery, JdbcUrl};

const EXAMPLE: &str =
    "jdbc:hive2://zk1,zk2:2182/sales;ServiceDiscoveryMode=zooKeeper;user=me;password=secret";

fn main() -> ExitCode {
    let text = std::env::args()
        .nth(1)
        .unwrap_or_else(|| EXAMPLE.to_owned());
    let url = match JdbcUrl::parse_target(&text) {
        Ok(url) => url,
        Err(error) => {
            eprintln!("{}", error.pointed());
            return ExitCode::FAILURE;
        }
    };
    println!("URL        {url}");
    match url.discovery() {
        Discovery::ZooKeeper {
            connect_string,
            namespace,
            ..
        } => {
            println!("ensemble   {connect_string}");
            println!("namespace  {}", namespace.path());
        }
        _ => println!("server     {}", url.hosts()[0]),
    }
    println!("database   {}", url.database());
    for warning in url.warnings() {
        println!("warning    {warning}");
    }
    ExitCode::SUCCESS
}
