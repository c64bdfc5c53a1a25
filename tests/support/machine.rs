//! Where a ZooKeeper runs: in a container of its own, or as a plain process.

use std::fmt;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::command::{Output, run, signal};
use crate::reaper::Reaper;
use crate::release::{Source, java_image};
use crate::settings::scripts;
use crate::wait;

/// The label of the containers and networks that the tests make; `tests/prepare` removes what an old run left.
pub(crate) const LABEL: &str = "hs2-discovery.tests=zookeeper";

/// Small and quick to start; a test's ZooKeeper holds a few hundred znodes, and need not outlive a power cut.
const JVM_FLAGS: &str = "-Xms32m -Xmx160m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dzookeeper.forceSync=no -Dzookeeper.preAllocSize=1024 -Dzookeeper.extendedTypesEnabled=true -Dznode.container.checkIntervalMs=1000";

/// Session timeouts that the server grants, in milliseconds.
const SESSION_TIMEOUT_MS: std::ops::RangeInclusive<u32> = 1000..=60_000;

pub(crate) const DOCKER_DEADLINE: Duration = Duration::from_secs(60);

/// The words in which a ZooKeeper is told what it is: the variables of the official image, which
/// `tests/peers/zookeeper.sh` reads too.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    /// ZooKeeper's tick. A session timeout is at least two.
    pub(crate) tick: Duration,
    /// Further lines of `zoo.cfg`.
    pub(crate) lines: Vec<String>,
    /// Further flags of the Java machine.
    pub(crate) flags: Vec<String>,
    /// Further variables.
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Words {
    /// For a server by itself.
    pub(crate) fn new(tick: Duration) -> Self {
        Self {
            tick,
            lines: vec![
                format!("minSessionTimeout={}", SESSION_TIMEOUT_MS.start()),
                format!("maxSessionTimeout={}", SESSION_TIMEOUT_MS.end()),
            ],
            flags: vec![JVM_FLAGS.to_owned()],
            variables: Vec::new(),
        }
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("ZOO_TICK_TIME", self.tick.as_millis().to_string()),
            ("ZOO_MAX_CLIENT_CNXNS", "0".to_owned()),
            ("ZOO_4LW_COMMANDS_WHITELIST", "*".to_owned()),
            ("ZOO_CFG_EXTRA", self.lines.join(" ")),
            ("ZK_SERVER_HEAP", "160".to_owned()),
            ("JVMFLAGS", self.flags.join(" ")),
        ];
        variables.extend(self.variables.iter().cloned());
        variables
    }
}

/// A ZooKeeper and the place where it runs. It is gone when this value is dropped, or when the test process ends.
#[derive(Debug)]
pub(crate) enum Machine {
    Container {
        image: String,
        name: String,
        _reaper: Option<Reaper>,
    },
    Process {
        words: Words,
        classpath: String,
        address: SocketAddr,
        data: TempDir,
        running: Option<(Child, Reaper)>,
    },
}

impl Machine {
    /// A container; `docker` are further arguments of `docker run`. With `reaper`, it is removed when this value is dropped.
    ///
    /// # Errors
    /// What `docker run` said.
    pub(crate) async fn container(
        source: &Source,
        name: &str,
        docker: &[&str],
        words: &Words,
        reaper: Option<Reaper>,
    ) -> Result<Self, Output> {
        let mut command = Command::new("docker");
        command.args(["run", "--detach", "--name", name, "--label", LABEL]);
        command.args(docker);
        for (key, value) in words.variables() {
            command.args(["--env", &format!("{key}={value}")]);
        }
        let image = match source {
            Source::Image(image) => image.clone(),
            Source::Jars(classpath) => {
                let image = java_image().expect("jars run in a container where there is an image");
                let script = scripts().join("zookeeper.sh");
                command.args([
                    "--volume",
                    &format!("{}:/zookeeper.sh:ro", script.display()),
                ]);
                if let Some(folder) = classpath.strip_suffix("/*") {
                    command.args(["--volume", &format!("{folder}:/jars:ro")]);
                    command.args(["--env", "ZOO_CLASSPATH=/jars/*"]);
                }
                command.args(["--entrypoint", "/zookeeper.sh"]);
                image
            }
        };
        let output = run(command.arg(&image), DOCKER_DEADLINE).await;
        if output.code != Some(0) {
            return Err(output);
        }
        Ok(Self::Container {
            image,
            name: name.to_owned(),
            _reaper: reaper,
        })
    }

    /// A process that listens for clients at `address`.
    pub(crate) fn process(classpath: &str, address: SocketAddr, words: &Words) -> Self {
        let data = tempfile::tempdir().expect("a temporary folder");
        let running = Some(spawn(classpath, &data, address, words));
        Self::Process {
            words: words.clone(),
            classpath: classpath.to_owned(),
            address,
            data,
            running,
        }
    }

    /// Asks it to stop, as an operator does.
    pub(crate) async fn stop(&mut self) {
        self.end("TERM").await;
    }

    /// Ends it at once (SIGKILL).
    pub(crate) async fn kill(&mut self) {
        self.end("KILL").await;
    }

    async fn end(&mut self, signal_name: &str) {
        match self {
            Self::Container { name, .. } if signal_name == "KILL" => docker(&["kill", name]).await,
            Self::Container { name, .. } => docker(&["stop", "--time", "10", name]).await,
            Self::Process { running, .. } => {
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

    /// Starts it after its end, at the same address with the same data. It does not serve yet.
    pub(crate) async fn start_again(&mut self) {
        match self {
            Self::Container { name, .. } => docker(&["start", name]).await,
            Self::Process {
                words,
                classpath,
                address,
                data,
                running,
            } => {
                assert!(running.is_none(), "ZooKeeper was not stopped");
                *running = Some(spawn(classpath, data, *address, words));
            }
        }
    }

    /// Freezes it: connections stay open and nothing is answered.
    pub(crate) async fn pause(&self) {
        match self {
            Self::Container { name, .. } => docker(&["pause", name]).await,
            Self::Process { running, .. } => signal_running(running.as_ref(), "STOP"),
        }
    }

    /// Ends a pause.
    pub(crate) async fn unpause(&self) {
        match self {
            Self::Container { name, .. } => docker(&["unpause", name]).await,
            Self::Process { running, .. } => signal_running(running.as_ref(), "CONT"),
        }
    }

    /// The last lines of its log.
    pub(crate) async fn log(&self) -> String {
        match self {
            Self::Container { name, .. } => run(
                Command::new("docker").args(["logs", "--tail", "50", name]),
                DOCKER_DEADLINE,
            )
            .await
            .to_string(),
            Self::Process { data, .. } => {
                std::fs::read_to_string(data.path().join("log")).unwrap_or_default()
            }
        }
    }
}

/// For a person: `in a container of …`.
impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container { image, .. } => write!(f, "in a container of {image}"),
            Self::Process { .. } => f.write_str("as a plain process"),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Self::Process { running, .. } = self
            && let Some((mut child, reaper)) = running.take()
        {
            // Both fail only when it has ended already.
            let _ = child.kill();
            let _ = child.wait();
            reaper.disarm();
        }
    }
}

fn spawn(classpath: &str, data: &TempDir, address: SocketAddr, words: &Words) -> (Child, Reaper) {
    let log = File::options()
        .create(true)
        .append(true)
        .open(data.path().join("log"))
        .expect("ZooKeeper's log opens");
    let child = std::process::Command::new(scripts().join("zookeeper.sh"))
        .envs(words.variables())
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

fn signal_running(running: Option<&(Child, Reaper)>, name: &str) {
    let (child, _) = running.expect("ZooKeeper is running");
    signal(child.id(), name);
}

/// A free port of this machine, below the range from which the kernel takes the ports of clients, so that it
/// is still free after a restart.
#[must_use]
pub fn free_address() -> SocketAddr {
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

/// Runs `docker` with these arguments; it must succeed.
pub(crate) async fn docker(arguments: &[&str]) {
    let _ = run(Command::new("docker").args(arguments), DOCKER_DEADLINE)
        .await
        .success();
}
