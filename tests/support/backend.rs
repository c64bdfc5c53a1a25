//! One body, two servers: the embedded ZooKeeper and a real one.
//!
//! The embedded server shares its codec with the client, so a common misreading is invisible to it: what
//! it alone has shown is no evidence. What a real server alone has shown is slow to find again.

use std::time::Duration;

use zk_server::{Server, ServerOptions};

use crate::zookeeper::SharedZooKeeper;

/// A running ZooKeeper of either kind, with session timeouts of a second allowed.
#[derive(Debug)]
pub enum Backend {
    /// The embedded one, started for this test.
    Embedded(Server),
    /// The real one that all tests share.
    Real(SharedZooKeeper),
}

impl Backend {
    /// Starts the embedded server.
    pub async fn embedded() -> Self {
        let options = ServerOptions {
            tick: Duration::from_millis(500),
            ..ServerOptions::default()
        };
        let server = Server::start("127.0.0.1:0", options).await;
        Self::Embedded(server.expect("the embedded ZooKeeper starts on a free port"))
    }

    /// The real server, see [`SharedZooKeeper::get`].
    pub async fn real() -> Self {
        Self::Real(SharedZooKeeper::get().await)
    }

    /// Its address as a connect string.
    #[must_use]
    pub fn connect_string(&self) -> String {
        match self {
            Self::Embedded(server) => server.connect_string(),
            Self::Real(server) => server.connect_string().to_owned(),
        }
    }

    /// What it is, for a person.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Embedded(server) => {
                format!("the embedded ZooKeeper, at {}", server.connect_string())
            }
            Self::Real(server) => server.describe().to_owned(),
        }
    }
}

/// Makes two tests of each `async fn body(backend: Backend)`: `body::embedded` and `body::real`.
///
/// The server is shared with other tests when it is the real one: bodies keep to a
/// [`unique_name`](crate::zookeeper::unique_name).
#[macro_export]
macro_rules! on_each_backend {
    ($($body:ident),+ $(,)?) => {$(
        mod $body {
            #[tokio::test]
            async fn embedded() {
                super::$body($crate::backend::Backend::embedded().await).await;
            }

            #[tokio::test]
            async fn real() {
                super::$body($crate::backend::Backend::real().await).await;
            }
        }
    )+};
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::kazoo_list;

    on_each_backend!(kazoo_finds_the_quota_tree);

    async fn kazoo_finds_the_quota_tree(backend: Backend) {
        let listed = kazoo_list(&backend.connect_string(), "zookeeper").await;
        let names: Vec<&str> = listed.iter().map(|znode| znode.name.as_str()).collect();
        assert_eq!(names, ["config", "quota"], "{}", backend.describe());
    }
}
