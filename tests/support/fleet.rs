//! The nodes of one namespace, and the list of them in ZooKeeper.

use std::time::Duration;

use zk_client::{Client, ConnectOptions, ErrorCode, ZnodeVersion, path};

use crate::node::{Node, NodeOptions};
use crate::wait;
use crate::zookeeper::unique_name;

/// Longer than any outage that a test makes.
const SESSION_TIMEOUT: Duration = Duration::from_secs(60);

/// A namespace that no other test uses, and an administrator's view of it.
#[derive(Debug)]
pub struct Fleet {
    connect_string: String,
    namespace: String,
    client: Client,
}

impl Fleet {
    /// A fleet without nodes yet, in this ensemble.
    pub async fn new(connect_string: &str) -> Self {
        let options = ConnectOptions::new().session_timeout(SESSION_TIMEOUT);
        let client = Client::connect_with(connect_string, options).await;
        Self {
            connect_string: connect_string.to_owned(),
            namespace: unique_name("fleet"),
            client: client.expect("ZooKeeper takes a session"),
        }
    }

    /// How to start a node of this version in the fleet.
    #[must_use]
    pub fn node(&self, version: &str) -> NodeOptions {
        self.node_through(&self.connect_string, version)
    }

    /// The same, where the node reaches ZooKeeper by another address, such as a proxy's.
    #[must_use]
    pub fn node_through(&self, connect_string: &str, version: &str) -> NodeOptions {
        Node::options()
            .zookeeper(connect_string)
            .namespace(&self.namespace)
            .version(version)
    }

    /// The ensemble.
    #[must_use]
    pub fn connect_string(&self) -> &str {
        &self.connect_string
    }

    /// The namespace, without a slash.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The URL by which JDBC programs find a node.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "jdbc:hive2://{}/;serviceDiscoveryMode=zooKeeper;zooKeeperNamespace={}",
            self.connect_string, self.namespace
        )
    }

    /// The names on the list, in order.
    pub async fn listed(&self) -> Vec<String> {
        let namespace = format!("/{}", self.namespace);
        let synced = self.client.sync(&namespace).await;
        let children = match synced {
            Ok(()) => self.client.get_children(&namespace).await,
            Err(error) => Err(error),
        };
        let mut names = match children {
            Ok(children) => children.to_vec(),
            Err(error) if error.code() == Some(ErrorCode::NO_NODE) => Vec::new(),
            Err(error) => panic!("cannot list {namespace}: {error}"),
        };
        names.sort();
        names
    }

    /// Waits until the list fulfils a condition, and returns it.
    pub async fn wait_listed(
        &self,
        what: &str,
        deadline: Duration,
        wanted: impl Fn(&[String]) -> bool,
    ) -> Vec<String> {
        let found = wait::some(deadline, async || {
            Some(self.listed().await).filter(|names| wanted(names))
        });
        match found.await {
            Some(names) => names,
            None => panic!(
                "not within {deadline:?}: {what}; listed are {:?}",
                self.listed().await
            ),
        }
    }

    /// For this long, the list holds this name and nothing else.
    pub async fn list_stays(&self, name: &str, time: Duration) {
        let other = wait::some(time, async || {
            Some(self.listed().await).filter(|names| names != &[name])
        });
        assert_eq!(other.await, None, "{name} is not alone on the list");
    }

    /// Deletes an instance's znode, as an administrator does.
    pub async fn delete(&self, name: &str) {
        let path = path::join(&format!("/{}", self.namespace), name);
        let deleted = self.client.delete(&path, ZnodeVersion::ANY).await;
        deleted.expect("the znode is deleted");
    }

    /// The session that owns an instance's znode, in hexadecimal.
    pub async fn owner(&self, name: &str) -> String {
        let path = path::join(&format!("/{}", self.namespace), name);
        let stat = self.client.exists(&path).await.expect("ZooKeeper answers");
        let owner = stat.expect("the znode exists").ephemeral_owner;
        format!("{:#x}", owner.0)
    }
}
