use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tests::{free_address, wait};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A JVM on a machine that is busy with others needs its time.
const START_DEADLINE: Duration = Duration::from_secs(60);
const JVM_FLAGS: &str =
    "-Xms32m -Xmx160m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dzookeeper.forceSync=no";

/// What a ZooKeeper is started with, besides a port for clients without TLS.
pub(crate) struct Setup {
    folder: TempDir,
    configuration: Vec<String>,
    jvm: Vec<String>,
    secure: Option<SocketAddr>,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            configuration: Vec::new(),
            jvm: Vec::new(),
            secure: None,
        }
    }

    /// A line for `zoo.cfg`, without spaces.
    pub(crate) fn line(mut self, line: impl Into<String>) -> Self {
        self.configuration.push(line.into());
        self
    }

    pub(crate) fn property(mut self, name: &str, value: &str) -> Self {
        self.jvm.push(format!("-D{name}={value}"));
        self
    }

    /// A file beside the server's data.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("a file in a temporary folder");
        path
    }

    /// A port with TLS.
    pub(crate) fn tls(mut self, key_and_certificate: &str, roots: &str, clients: &str) -> Self {
        let address = free_address();
        let keys = self.file("server.pem", key_and_certificate);
        let roots = self.file("roots.pem", roots);
        self.secure = Some(address);
        self.line("serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory")
            .line(format!("secureClientPortAddress={}", address.ip()))
            .line(format!("secureClientPort={}", address.port()))
            .line(format!("ssl.keyStore.location={}", keys.display()))
            .line("ssl.keyStore.type=PEM")
            .line(format!("ssl.trustStore.location={}", roots.display()))
            .line("ssl.trustStore.type=PEM")
            .line(format!("ssl.clientAuth={clients}"))
    }

    /// Authentication by SASL, with this section for the server in the file of JAAS.
    pub(crate) fn sasl(self, login: &str) -> Self {
        let jaas = self.file("jaas.conf", &format!("Server {{ {login} }};"));
        self.line("authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider")
            .property("java.security.auth.login.config", path(&jaas))
    }

    /// Starts it and waits until it answers.
    pub(crate) async fn start(self) -> Server {
        let plain = free_address();
        let log = File::create(self.folder.path().join("log")).expect("a log file");
        // The shell ends the server at the end of its standard input, which comes even when a test is killed.
        let shell = Command::new("sh")
            .args(["-c", "\"$0\" & server=$!; read -r _; kill -9 $server"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/zookeeper.sh"))
            .env("ZOO_DATA_DIR", self.folder.path())
            .env("ZOO_CLIENT_PORT", plain.to_string())
            .env("ZOO_4LW_COMMANDS_WHITELIST", "*")
            .env("ZOO_CFG_EXTRA", self.configuration.join(" "))
            .env("JVMFLAGS", format!("{JVM_FLAGS} {}", self.jvm.join(" ")))
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("sh starts");
        let server = Server {
            plain,
            secure: self.secure,
            folder: self.folder,
            shell,
        };
        let serves = wait::some(START_DEADLINE, async || {
            let answer = srvr(plain).await?;
            if let Some(secure) = server.secure {
                // It opens a moment later.
                TcpStream::connect(secure).await.ok()?;
            }
            answer.contains("Mode: ").then_some(())
        });
        assert!(
            serves.await.is_some(),
            "ZooKeeper does not serve:\n{}",
            server.log()
        );
        server
    }
}

/// A running ZooKeeper, gone when it is dropped.
pub(crate) struct Server {
    pub(crate) plain: SocketAddr,
    secure: Option<SocketAddr>,
    folder: TempDir,
    shell: Child,
}

impl Server {
    /// Where it speaks TLS.
    pub(crate) fn secure(&self) -> SocketAddr {
        self.secure.expect("a server with TLS")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

async fn srvr(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(b"srvr").await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer)
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
