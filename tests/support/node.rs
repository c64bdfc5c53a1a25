//! A node, `hs2-node serve`, as a child process.

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use tokio::process::Command;

use crate::process::{Process, program};

/// What a node is started with. Every node has a home folder of its own, and a warehouse in it unless told.
#[derive(Debug, Default)]
pub struct NodeOptions {
    arguments: Vec<String>,
    configuration: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    registers: bool,
}

impl NodeOptions {
    /// The ensemble to register in; without it, the node is not in any list.
    #[must_use]
    pub fn zookeeper(mut self, connect_string: &str) -> Self {
        self.registers = true;
        self.argument("--zookeeper", connect_string)
    }

    /// The namespace to register in.
    #[must_use]
    pub fn namespace(self, namespace: &str) -> Self {
        self.argument("--namespace", namespace)
    }

    /// The version to register.
    #[must_use]
    pub fn version(self, version: &str) -> Self {
        self.argument("--version", version)
    }

    /// The warehouse folder, to be shared with other nodes.
    #[must_use]
    pub fn warehouse(self, folder: &Path) -> Self {
        let folder = folder.to_str().expect("a path in UTF-8");
        self.argument("--warehouse", folder)
    }

    /// One of Hive's configuration keys, for the node's `--config` file.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.configuration.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Any other argument of `serve` that takes a value.
    #[must_use]
    pub fn argument(mut self, name: &str, value: &str) -> Self {
        self.arguments.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// An environment variable, such as `RUST_LOG`.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the node on a free port; returns when it listens and, with a ZooKeeper, when it is registered.
    pub async fn start(self) -> Node {
        let process = self.spawn();
        let address = process.line_after("listening on ").await;
        let znode = match self.registers {
            true => process.line_after("registered ").await,
            false => String::new(),
        };
        Node {
            process,
            address: address
                .parse()
                .expect("`listening on` names an IP address and a port"),
            znode,
        }
    }

    fn spawn(&self) -> Process {
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(program());
        command
            .args(["serve", "--bind", "127.0.0.1:0"])
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        if !self.configuration.is_empty() {
            let path = home.path().join("hive-site.xml");
            std::fs::write(&path, self.hive_site()).expect("the node's configuration is written");
            command.arg("--config").arg(path);
        }
        Process::spawn(command, home)
    }

    fn hive_site(&self) -> String {
        let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
        let properties: String = self
            .configuration
            .iter()
            .map(|(key, value)| {
                format!(
                    "  <property><name>{}</name><value>{}</value></property>\n",
                    escape(key),
                    escape(value)
                )
            })
            .collect();
        format!("<configuration>\n{properties}</configuration>\n")
    }
}

/// A running node; see [`Process`] for its signals, its log, its memory and its end.
#[derive(Debug)]
pub struct Node {
    process: Process,
    address: SocketAddr,
    znode: String,
}

impl Node {
    /// How to start one.
    #[must_use]
    pub fn options() -> NodeOptions {
        NodeOptions::default()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The path of its znode, as it printed it when it registered first.
    #[must_use]
    pub fn znode(&self) -> &str {
        &self.znode
    }

    /// The last component of [`znode`](Self::znode).
    #[must_use]
    pub fn instance(&self) -> &str {
        self.znode.rsplit('/').next().unwrap_or_default()
    }
}

impl Deref for Node {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Node {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}
