//! A real ZooKeeper: in a container where there is a Docker Engine, else as a plain process.
//!
//! Which one is decided once, by `tests/run`, and told by [`ZooKeeper::describe`].

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::command::{run, signal};
use crate::reaper::Reaper;
use crate::settings::{scripts, setting};
use crate::wait;

/// The label of the containers that the tests start; `tests/run` removes what an old run left.
const CONTAINER_LABEL: &str = "hs2-discovery.tests=zookeeper";

/// ZooKeeper's tick. A session timeout is at least two ticks, so tests can lose a session in a second.
const TICK_MS: u32 = 500;

/// Session timeouts that the server grants, in milliseconds.
const SESSION_TIMEOUT_MS: std::ops::RangeInclusive<u32> = 1000..=60_000;

/// Small and quick to start; a test's ZooKeeper holds a few hundred znodes, and need not outlive a power cut.
const JVM_FLAGS: &str = "-Xms32m -Xmx160m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dzookeeper.forceSync=no -Dzookeeper.preAllocSize=1024";

const DOCKER_DEADLINE: Duration = Duration::from_secs(60);
const START_DEADLINE: Duration = Duration::from_secs(60);

/// One standalone ZooKeeper of this test's own. Its address stays the same over restarts, and so do its
/// data and its sessions. It is gone when this value is dropped, or when the test process ends.
#[derive(Debug)]
pub struct ZooKeeper {
    address: SocketAddr,
    version: String,
    server: Server,
}

#[derive(Debug)]
enum Server {
    Container {
        image: String,
        name: String,
        _reaper: Reaper,
    },
    Process {
        classpath: String,
        data: TempDir,
        running: Option<(Child, Reaper)>,
    },
}

impl ZooKeeper {
    /// Starts one and waits until it answers.
    pub async fn start() -> Self {
        let source = setting("HS2_TEST_ZOOKEEPER_SOURCE");
        let (server, address) = match source.split_once(':') {
            Some(("docker", image)) => start_container(image).await,
            Some(("java", classpath)) => start_process(classpath),
            _ => panic!(
                "HS2_TEST_ZOOKEEPER_SOURCE is {source:?}, not docker:IMAGE or java:CLASSPATH"
            ),
        };
        let mut started = Self {
            address,
            version: String::new(),
            server,
        };
        started.wait_until_serving().await;
        started
    }

    /// Where it listens, on this machine.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a connect string.
    #[must_use]
    pub fn connect_string(&self) -> String {
        self.address.to_string()
    }

    /// The ZooKeeper version, such as `3.8.0`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What it is, for a person: `ZooKeeper 3.8.0 in a container of …`.
    #[must_use]
    pub fn describe(&self) -> String {
        let how = match &self.server {
            Server::Container { image, .. } => format!("in a container of {image}"),
            Server::Process { .. } => "as a plain process".to_owned(),
        };
        format!("ZooKeeper {} {how}, at {}", self.version, self.address)
    }

    /// Asks it to stop, as an operator does. Sessions do not expire while it is away.
    pub async fn stop(&mut self) {
        self.end("TERM").await;
    }

    /// Ends it at once (SIGKILL).
    pub async fn kill(&mut self) {
        self.end("KILL").await;
    }

    /// Starts it after [`stop`](Self::stop) or [`kill`](Self::kill), at the same address with the same data.
    pub async fn start_again(&mut self) {
        match &mut self.server {
            Server::Container { name, .. } => docker(&["start", name]).await,
            Server::Process {
                classpath,
                data,
                running,
            } => {
                assert!(running.is_none(), "ZooKeeper was not stopped");
                *running = Some(spawn(classpath, data, self.address));
            }
        }
        self.wait_until_serving().await;
    }

    /// Stops it and starts it again.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    /// Freezes it: connections stay open and nothing is answered.
    pub async fn pause(&self) {
        match &self.server {
            Server::Container { name, .. } => docker(&["pause", name]).await,
            Server::Process { running, .. } => signal_running(running.as_ref(), "STOP"),
        }
    }

    /// Ends a [`pause`](Self::pause).
    pub async fn unpause(&self) {
        match &self.server {
            Server::Container { name, .. } => docker(&["unpause", name]).await,
            Server::Process { running, .. } => signal_running(running.as_ref(), "CONT"),
        }
    }

    /// Its answer to a four-letter word such as `srvr`, `dump` or `wchp`; `None` when it does not answer.
    pub async fn four_letter_word(&self, word: &str) -> Option<String> {
        four_letter_word(self.address, word).await
    }

    async fn end(&mut self, signal_name: &str) {
        match &mut self.server {
            Server::Container { name, .. } if signal_name == "KILL" => {
                docker(&["kill", name]).await
            }
            Server::Container { name, .. } => docker(&["stop", "--time", "10", name]).await,
            Server::Process { running, .. } => {
                signal_running(running.as_ref(), signal_name);
                let Some((mut child, reaper)) = running.take() else {
                    return;
                };
                let ended =
                    wait::some(DOCKER_DEADLINE, async || child.try_wait().ok().flatten()).await;
                assert!(
                    ended.is_some(),
                    "ZooKeeper did not end within {DOCKER_DEADLINE:?} of SIG{signal_name}"
                );
                reaper.disarm();
            }
        }
    }

    async fn wait_until_serving(&mut self) {
        let address = self.address;
        let answer = wait::some(START_DEADLINE, async || {
            let answer = four_letter_word(address, "srvr").await?;
            answer.contains("Mode: ").then_some(answer)
        })
        .await;
        let Some(answer) = answer else {
            panic!(
                "ZooKeeper at {address} did not serve within {START_DEADLINE:?}\n{}",
                self.log().await
            );
        };
        // `Zookeeper version: 3.8.0-…, built on …`
        self.version = answer
            .split([':', ',', '-', '\n'])
            .nth(1)
            .map_or_else(String::new, |version| version.trim().to_owned());
    }

    async fn log(&self) -> String {
        match &self.server {
            Server::Container { name, .. } => run(
                Command::new("docker").args(["logs", "--tail", "50", name]),
                DOCKER_DEADLINE,
            )
            .await
            .to_string(),
            Server::Process { data, .. } => {
                std::fs::read_to_string(data.path().join("log")).unwrap_or_default()
            }
        }
    }
}

impl Drop for ZooKeeper {
    fn drop(&mut self) {
        if let Server::Process { running, .. } = &mut self.server
            && let Some((mut child, reaper)) = running.take()
        {
            // Both fail only when it has ended already.
            let _ = child.kill();
            let _ = child.wait();
            reaper.disarm();
        }
    }
}

/// The ZooKeeper that all tests of a run share: for tests that leave it alone and keep to a namespace of
/// their own.
#[derive(Debug, Clone)]
pub struct SharedZooKeeper {
    connect_string: String,
    description: String,
}

impl SharedZooKeeper {
    /// The one that `tests/run` started, else one that this process starts at the first call.
    pub async fn get() -> Self {
        static OWN: OnceCell<ZooKeeper> = OnceCell::const_new();
        if let (Ok(connect_string), Ok(description)) = (
            std::env::var("HS2_TEST_ZOOKEEPER"),
            std::env::var("HS2_TEST_ZOOKEEPER_DESCRIPTION"),
        ) {
            return Self {
                connect_string,
                description,
            };
        }
        let own = OWN.get_or_init(ZooKeeper::start).await;
        Self {
            connect_string: own.connect_string(),
            description: own.describe(),
        }
    }

    /// Its address as a connect string.
    #[must_use]
    pub fn connect_string(&self) -> &str {
        &self.connect_string
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.connect_string
            .parse()
            .expect("tests share a ZooKeeper by IP address and port")
    }

    /// What it is, for a person.
    #[must_use]
    pub fn describe(&self) -> &str {
        &self.description
    }
}

/// A name that no other test of this or of another process uses, such as `drain-4711-0`.
#[must_use]
pub fn unique_name(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{}-{number}", std::process::id())
}

async fn start_container(image: &str) -> (Server, SocketAddr) {
    // Somebody may take the port between the look and the use of it.
    for _ in 0..5 {
        let address = free_address();
        let name = unique_name("hs2-tests-zookeeper");
        let reaper = Reaper::new(&format!("docker rm --force --volumes {name}"));
        let mut command = Command::new("docker");
        command
            .args([
                "run",
                "--detach",
                "--name",
                &name,
                "--label",
                CONTAINER_LABEL,
            ])
            .args(["--publish", &format!("{address}:2181")]);
        for (key, value) in environment() {
            command.args(["--env", &format!("{key}={value}")]);
        }
        let output = run(command.arg(image), DOCKER_DEADLINE).await;
        if output.code == Some(0) {
            return (
                Server::Container {
                    image: image.to_owned(),
                    name,
                    _reaper: reaper,
                },
                address,
            );
        }
        let port_taken = ["already allocated", "already in use"]
            .iter()
            .any(|text| output.stderr.contains(text));
        assert!(port_taken, "cannot start a container of {image}\n{output}");
    }
    panic!("no free port for ZooKeeper in five attempts");
}

fn start_process(classpath: &str) -> (Server, SocketAddr) {
    let address = free_address();
    let data = tempfile::tempdir().expect("a temporary folder");
    let running = Some(spawn(classpath, &data, address));
    (
        Server::Process {
            classpath: classpath.to_owned(),
            data,
            running,
        },
        address,
    )
}

fn spawn(classpath: &str, data: &TempDir, address: SocketAddr) -> (Child, Reaper) {
    let log = File::options()
        .create(true)
        .append(true)
        .open(data.path().join("log"))
        .expect("ZooKeeper's log opens");
    let child = std::process::Command::new(scripts().join("zookeeper.sh"))
        .envs(environment())
        .env("ZOO_DATA_DIR", data.path())
        .env("ZOO_CLIENT_PORT", address.to_string())
        .env("ZOO_CLASSPATH", classpath)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle of the log"))
        .stderr(log)
        .spawn()
        .expect("tests/peers/zookeeper.sh starts");
    let reaper = Reaper::new(&format!("kill -9 {}", child.id()));
    (child, reaper)
}

/// The variables of the official image, which the image of Debian's packages and the plain process read too.
fn environment() -> [(&'static str, String); 6] {
    [
        ("ZOO_TICK_TIME", TICK_MS.to_string()),
        ("ZOO_MAX_CLIENT_CNXNS", "0".to_owned()),
        ("ZOO_4LW_COMMANDS_WHITELIST", "*".to_owned()),
        (
            "ZOO_CFG_EXTRA",
            format!(
                "minSessionTimeout={} maxSessionTimeout={}",
                SESSION_TIMEOUT_MS.start(),
                SESSION_TIMEOUT_MS.end()
            ),
        ),
        ("ZK_SERVER_HEAP", "160".to_owned()),
        ("JVMFLAGS", JVM_FLAGS.to_owned()),
    ]
}

/// A free port of this machine, below the range from which the kernel takes the ports of clients, so that it
/// is still free after a restart.
fn free_address() -> SocketAddr {
    use std::hash::{BuildHasher, RandomState};
    for _ in 0..100 {
        let random = RandomState::new().hash_one(std::process::id());
        let port = 20_000 + u16::try_from(random % 12_000).expect("below 12000");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port between 20000 and 32000");
}

fn signal_running(running: Option<&(Child, Reaper)>, name: &str) {
    let (child, _) = running.expect("ZooKeeper is running");
    signal(child.id(), name);
}

async fn docker(arguments: &[&str]) {
    let _ = run(Command::new("docker").args(arguments), DOCKER_DEADLINE)
        .await
        .success();
}

async fn four_letter_word(address: SocketAddr, word: &str) -> Option<String> {
    let ask = async {
        let mut socket = TcpStream::connect(address).await.ok()?;
        socket.write_all(word.as_bytes()).await.ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.ok()?;
        Some(answer)
    };
    tokio::time::timeout(Duration::from_secs(2), ask)
        .await
        .ok()?
        .filter(|answer| !answer.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn restart_keeps_address_and_pause_silences() {
        let mut zookeeper = ZooKeeper::start().await;
        let address = zookeeper.address();
        assert!(
            zookeeper.version().starts_with("3."),
            "{}",
            zookeeper.describe()
        );

        zookeeper.pause().await;
        assert_eq!(zookeeper.four_letter_word("ruok").await, None);
        zookeeper.unpause().await;
        assert_eq!(
            zookeeper.four_letter_word("ruok").await.as_deref(),
            Some("imok")
        );

        zookeeper.kill().await;
        assert_eq!(zookeeper.four_letter_word("ruok").await, None);
        zookeeper.start_again().await;
        zookeeper.restart().await;
        assert_eq!(zookeeper.address(), address);
        assert_eq!(
            zookeeper.four_letter_word("ruok").await.as_deref(),
            Some("imok")
        );
    }
}
