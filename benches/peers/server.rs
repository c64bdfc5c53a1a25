//! The ZooKeeper that all clients ask: `$ZOOKEEPER`, else Debian's, started for this run, else the embedded one.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use benches::ZooKeeper;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use zk_client::Client;

/// Where Debian's `libzookeeper-java` puts it and what it needs.
const JARS: &str = "/usr/share/java";
const CLASS_PATH: [&str; 14] = [
    "zookeeper",
    "zookeeper-jute",
    "slf4j-api",
    "slf4j-simple",
    "metrics-core",
    "snappy-java",
    "commons-cli",
    "netty-all",
    "netty-buffer",
    "netty-codec",
    "netty-common",
    "netty-handler",
    "netty-resolver",
    "netty-transport",
];
/// A JVM on a busy machine takes its time.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The server of a run. One that was started for it ends with it.
pub(crate) enum Server {
    Given(ZooKeeper),
    Started {
        address: SocketAddr,
        child: Child,
        _folder: TempDir,
    },
}

impl Server {
    pub(crate) fn find_or_start(runtime: &Runtime, embedded: bool) -> io::Result<Self> {
        let given = std::env::var_os("ZOOKEEPER").is_some();
        if given || embedded || !Path::new(JARS).join("zookeeper.jar").exists() {
            return runtime
                .block_on(ZooKeeper::from_environment())
                .map(Self::Given);
        }
        let folder = TempDir::new()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .port();
        let config = folder.path().join("zoo.cfg");
        std::fs::write(
            &config,
            format!(
                "tickTime=2000\ndataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\n\
                 maxClientCnxns=0\nadmin.enableServer=false\n",
                folder.path().display()
            ),
        )?;
        let jars: Vec<_> = CLASS_PATH
            .iter()
            .map(|jar| format!("{JARS}/{jar}.jar"))
            .collect();
        let child = Command::new("java")
            .args(["-Xmx512m", "-Dzookeeper.jmx.log4j.disable=true", "-cp"])
            .arg(jars.join(":"))
            .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let server = Self::Started {
            address: ([127, 0, 0, 1], port).into(),
            child,
            _folder: folder,
        };
        server.wait(runtime)?;
        Ok(server)
    }

    fn wait(&self, runtime: &Runtime) -> io::Result<()> {
        let end = Instant::now() + START_TIMEOUT;
        loop {
            let connected = runtime.block_on(Client::connect(&self.address().to_string()));
            match connected {
                Ok(client) => {
                    runtime.block_on(client.close());
                    return Ok(());
                }
                Err(error) if Instant::now() > end => return Err(io::Error::other(error)),
                Err(_) => {}
            }
        }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        match self {
            Self::Given(zookeeper) => zookeeper.address,
            Self::Started { address, .. } => *address,
        }
    }

    /// What it is, for the table.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Given(zookeeper) => zookeeper.kind,
            Self::Started { .. } => "real ZooKeeper, Debian's, started for this run",
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Self::Started { child, .. } = self {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
