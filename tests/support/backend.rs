//! One body, five servers: the embedded ZooKeeper and real ones of four releases.
//!
//! The embedded server shares its codec with the client, so a common misreading is invisible to it: what
//! it alone has shown is no evidence. What a real server alone has shown is slow to find again.

use std::time::Duration;

use zk_client::ServerVersion;
use zk_server::{Server, ServerOptions};

use crate::release::Release;
use crate::zookeeper::{SharedZooKeeper, srvr};

/// A running ZooKeeper of either kind, with session timeouts of a second allowed.
#[derive(Debug)]
pub enum Backend {
    /// The embedded one, started for this test, and the version that it tells.
    Embedded(Server, ServerVersion),
    /// The real one of a release that all tests share.
    Real(SharedZooKeeper),
}

impl Backend {
    /// Starts the embedded server.
    pub async fn embedded() -> Self {
        let options = ServerOptions {
            tick: Duration::from_millis(500),
            container_check_interval: Duration::from_secs(1),
            ..ServerOptions::default()
        };
        let server = Server::start("127.0.0.1:0", options).await;
        let server = server.expect("the embedded ZooKeeper starts on a free port");
        let address = server.connect_string().parse();
        let answer = srvr(address.expect("an IP address and a port")).await;
        let version = answer
            .expect("the embedded ZooKeeper tells its version")
            .version;
        Self::Embedded(server, version)
    }

    /// The real server of this release, see [`SharedZooKeeper::release`].
    pub async fn real(release: Release) -> Self {
        Self::Real(SharedZooKeeper::release(release).await)
    }

    /// The version that it tells.
    #[must_use]
    pub fn version(&self) -> ServerVersion {
        match self {
            Self::Embedded(_, version) => *version,
            Self::Real(server) => server.version(),
        }
    }

    /// Whether it has what came with this version. A body whose subject it lacks proves how that is refused.
    #[must_use]
    pub fn has(&self, version: ServerVersion) -> bool {
        self.version() >= version
    }

    /// Its address as a connect string.
    #[must_use]
    pub fn connect_string(&self) -> String {
        match self {
            Self::Embedded(server, _) => server.connect_string(),
            Self::Real(server) => server.connect_string().to_owned(),
        }
    }

    /// What it is, for a person.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Embedded(server, _) => {
                format!("the embedded ZooKeeper, at {}", server.connect_string())
            }
            Self::Real(server) => server.describe().to_owned(),
        }
    }
}

/// Makes five tests of each `async fn body(backend: Backend)`: `body::embedded`, `body::v3_4`, `body::v3_6`, `body::v3_8`
/// and `body::v3_9`.
///
/// A real server is shared with other tests: bodies keep to a [`unique_name`](crate::zookeeper::unique_name). Where
/// a server is too old for a body's subject ([`Backend::has`]), the body proves the error that says so.
#[macro_export]
macro_rules! on_each_backend {
    ($($body:ident),+ $(,)?) => {$(
        mod $body {
            #[tokio::test]
            async fn embedded() {
                super::$body($crate::backend::Backend::embedded().await).await;
            }

            #[tokio::test]
            async fn v3_4() {
                let release = $crate::release::Release::V3_4;
                super::$body($crate::backend::Backend::real(release).await).await;
            }

            #[tokio::test]
            async fn v3_6() {
                let release = $crate::release::Release::V3_6;
                super::$body($crate::backend::Backend::real(release).await).await;
            }

            #[tokio::test]
            async fn v3_8() {
                let release = $crate::release::Release::V3_8;
                super::$body($crate::backend::Backend::real(release).await).await;
            }

            #[tokio::test]
            async fn v3_9() {
                let release = $crate::release::Release::V3_9;
                super::$body($crate::backend::Backend::real(release).await).await;
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
        let expected: &[&str] = match backend.has(ServerVersion::new(3, 5, 0)) {
            true => &["config", "quota"],
            false => &["quota"],
        };
        assert_eq!(names, expected, "{}", backend.describe());
    }
}
