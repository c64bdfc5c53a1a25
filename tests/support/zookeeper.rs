//! A real ZooKeeper by itself: in a container where there is a Docker Engine, else as a plain process.
//!
//! Which one is decided once, by `tests/prepare`, and told by [`ZooKeeper::describe`].

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use zk_client::ServerVersion;
use zk_proto::four_letter::{Srvr, parse_srvr};

use crate::machine::{Machine, Words, free_address};
use crate::reaper::Reaper;
use crate::release::{Release, Source, java_image};
use crate::wait;

/// ZooKeeper's tick. A session timeout is at least two ticks, so tests can lose a session in a second.
const TICK: Duration = Duration::from_millis(500);

const START_DEADLINE: Duration = Duration::from_secs(90);

/// One standalone ZooKeeper of this test's own. Its address stays the same over restarts, and so do its
/// data and its sessions. It is gone when this value is dropped, or when the test process ends.
#[derive(Debug)]
pub struct ZooKeeper {
    address: SocketAddr,
    version: ServerVersion,
    machine: Machine,
}

impl ZooKeeper {
    /// Starts one of the release that tests get which do not mind, and waits until it answers.
    pub async fn start() -> Self {
        Self::start_from(&Source::any()).await
    }

    /// Starts one of this release and waits until it answers.
    pub async fn start_release(release: Release) -> Self {
        Self::start_from(&release.source()).await
    }

    async fn start_from(source: &Source) -> Self {
        let (machine, address) = match source {
            Source::Jars(classpath) if java_image().is_none() => {
                let address = free_address();
                let words = Words::new(TICK);
                (Machine::process(classpath, address, &words), address)
            }
            _ => start_container(source).await,
        };
        let mut started = Self {
            address,
            version: ServerVersion::new(0, 0, 0),
            machine,
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
    pub fn version(&self) -> ServerVersion {
        self.version
    }

    /// What it is, for a person: `ZooKeeper 3.8.0 in a container of …`.
    #[must_use]
    pub fn describe(&self) -> String {
        format!(
            "ZooKeeper {} {}, at {}",
            self.version, self.machine, self.address
        )
    }

    /// How a [`SharedZooKeeper`] finds this one in another process.
    #[must_use]
    pub fn shared(&self) -> SharedZooKeeper {
        SharedZooKeeper {
            address: self.address,
            connect_string: self.connect_string(),
            version: self.version,
            description: self.describe(),
        }
    }

    /// Asks it to stop, as an operator does. Sessions do not expire while it is away.
    pub async fn stop(&mut self) {
        self.machine.stop().await;
    }

    /// Ends it at once (SIGKILL).
    pub async fn kill(&mut self) {
        self.machine.kill().await;
    }

    /// Starts it after [`stop`](Self::stop) or [`kill`](Self::kill), at the same address with the same data.
    pub async fn start_again(&mut self) {
        self.machine.start_again().await;
        self.wait_until_serving().await;
    }

    /// Stops it and starts it again.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    /// Freezes it: connections stay open and nothing is answered.
    pub async fn pause(&self) {
        self.machine.pause().await;
    }

    /// Ends a [`pause`](Self::pause).
    pub async fn unpause(&self) {
        self.machine.unpause().await;
    }

    /// Its answer to a four-letter word such as `srvr`, `dump` or `wchp`; `None` when it does not answer.
    pub async fn four_letter_word(&self, word: &str) -> Option<String> {
        four_letter_word(self.address, word).await
    }

    async fn wait_until_serving(&mut self) {
        let address = self.address;
        let answer = wait::some(START_DEADLINE, async || {
            srvr(address).await.filter(|srvr| srvr.mode.is_some())
        })
        .await;
        let Some(answer) = answer else {
            panic!(
                "ZooKeeper at {address} did not serve within {START_DEADLINE:?}\n{}",
                self.machine.log().await
            );
        };
        self.version = answer.version;
    }
}

/// A ZooKeeper that all tests of a run share, one of each release: for tests that leave it alone and keep to
/// a namespace of their own.
#[derive(Debug, Clone)]
pub struct SharedZooKeeper {
    address: SocketAddr,
    connect_string: String,
    version: ServerVersion,
    description: String,
}

impl SharedZooKeeper {
    /// The one for tests that do not mind the release.
    pub async fn get() -> Self {
        static OWN: OnceCell<ZooKeeper> = OnceCell::const_new();
        match Self::running(None) {
            Some(running) => running,
            None => OWN.get_or_init(ZooKeeper::start).await.shared(),
        }
    }

    /// The one of this release: that which `tests/run` started, else one that this process starts at the first
    /// call.
    pub async fn release(release: Release) -> Self {
        static OWN: [OnceCell<ZooKeeper>; Release::ALL.len()] =
            [const { OnceCell::const_new() }; Release::ALL.len()];
        if let Some(running) = Self::running(Some(release)) {
            return running;
        }
        if release.source() == Source::any() {
            return Self::get().await;
        }
        let own = OWN[release as usize].get_or_init(|| ZooKeeper::start_release(release));
        own.await.shared()
    }

    /// The variable and its value that tell a child process of this one.
    #[must_use]
    pub fn variable(&self, release: Option<Release>) -> (String, String) {
        let value = format!("{} {} {}", self.address, self.version, self.description);
        (variable_name(release), value)
    }

    fn running(release: Option<Release>) -> Option<Self> {
        let name = variable_name(release);
        let value = std::env::var(&name).ok()?;
        let parse = || {
            let (address, rest) = value.split_once(' ')?;
            let (version, description) = rest.split_once(' ')?;
            let mut numbers = version.split('.').map(str::parse);
            let mut number = || numbers.next()?.ok();
            Some(Self {
                address: address.parse().ok()?,
                connect_string: address.to_owned(),
                version: ServerVersion::new(number()?, number()?, number()?),
                description: description.to_owned(),
            })
        };
        Some(
            parse().unwrap_or_else(|| {
                panic!("{name} is {value:?}, which with-zookeeper never writes")
            }),
        )
    }

    /// Its address as a connect string.
    #[must_use]
    pub fn connect_string(&self) -> &str {
        &self.connect_string
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The ZooKeeper version, such as `3.8.0`.
    #[must_use]
    pub fn version(&self) -> ServerVersion {
        self.version
    }

    /// What it is, for a person.
    #[must_use]
    pub fn describe(&self) -> &str {
        &self.description
    }
}

fn variable_name(release: Option<Release>) -> String {
    match release {
        None => "HS2_TEST_ZOOKEEPER".to_owned(),
        Some(release) => format!("HS2_TEST_ZOOKEEPER_{}", release.name()),
    }
}

/// A name that no other test of this or of another process uses, such as `drain-4711-0`.
#[must_use]
pub fn unique_name(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{}-{number}", std::process::id())
}

async fn start_container(source: &Source) -> (Machine, SocketAddr) {
    // Somebody may take the port between the look and the use of it.
    for _ in 0..5 {
        let address = free_address();
        let name = unique_name("hs2-tests-zookeeper");
        let reaper = Reaper::new(&format!("docker rm --force --volumes {name}"));
        let publish = format!("{address}:2181");
        let arguments = ["--publish", publish.as_str()];
        let words = Words::new(TICK);
        match Machine::container(source, &name, &arguments, &words, Some(reaper)).await {
            Ok(machine) => return (machine, address),
            Err(output) => {
                let port_taken = ["already allocated", "already in use"]
                    .iter()
                    .any(|text| output.stderr.contains(text));
                assert!(
                    port_taken,
                    "cannot start a container for {source:?}\n{output}"
                );
            }
        }
    }
    panic!("no free port for ZooKeeper in five attempts");
}

/// A server's answer to `srvr`; `None` when it does not answer.
pub async fn srvr(address: SocketAddr) -> Option<Srvr> {
    parse_srvr(&four_letter_word(address, "srvr").await?)
}

/// A server's answer to a four-letter word; `None` when it does not answer.
pub(crate) async fn four_letter_word(address: SocketAddr, word: &str) -> Option<String> {
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
        assert_eq!(zookeeper.version().major, 3, "{}", zookeeper.describe());

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
