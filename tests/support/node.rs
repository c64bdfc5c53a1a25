//! The `hs2-node` program as a child process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::command::{self, Output, signal};
use crate::settings::target_folders;

/// How long a node may take to say that it listens, and then that it is registered.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// How long a command that only asks or prints may take.
const COMMAND_DEADLINE: Duration = Duration::from_secs(90);

/// Runs `hs2-node` with these arguments to its end.
pub async fn hs2_node(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(program());
    command.args(arguments).env("HOME", home.path());
    command::run(&mut command, COMMAND_DEADLINE).await
}

/// The `hs2-node` program: the one that `HS2_NODE_BIN` names, else the one beside this test.
#[must_use]
pub fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("HS2_NODE_BIN") {
        return path.into();
    }
    target_folders()
        .iter()
        .flat_map(|folder| [folder.join("hs2-node"), folder.join("debug/hs2-node")])
        .find(|path| path.is_file())
        .expect("hs2-node is not built: run ./tests/run, or cargo build -p hs2-node")
}

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
        let mut node = self.spawn();
        node.address = node
            .line_after("listening on ")
            .await
            .parse()
            .expect("`listening on` names an IP address and a port");
        if self.registers {
            node.znode = node.line_after("registered ").await;
        }
        node
    }

    fn spawn(&self) -> Node {
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(program());
        command
            .args(["serve", "--bind", "127.0.0.1:0"])
            .args(&self.arguments)
            .env("HOME", home.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        if !self.configuration.is_empty() {
            let path = home.path().join("hive-site.xml");
            std::fs::write(&path, self.hive_site()).expect("the node's configuration is written");
            command.arg("--config").arg(path);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("hs2-node starts");
        let pid = child
            .id()
            .expect("a process that was not waited for has an id");
        Node {
            pid,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            znode: String::new(),
            stdout: lines(child.stdout.take().expect("a piped stream")),
            stderr: lines(child.stderr.take().expect("a piped stream")),
            child,
            home,
        }
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

/// A running node. It is killed when this value is dropped; its standard error is shown if the test fails.
#[derive(Debug)]
pub struct Node {
    child: Child,
    pid: u32,
    address: SocketAddr,
    znode: String,
    stdout: watch::Receiver<Vec<String>>,
    stderr: watch::Receiver<Vec<String>>,
    home: TempDir,
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

    /// Its home folder, which holds the warehouse if none was given.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The lines of standard output so far.
    #[must_use]
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.borrow().clone()
    }

    /// The lines of standard error, its log, so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.stderr.borrow().clone()
    }

    /// Waits for a line of the log that contains `text`, and returns it.
    pub async fn log_line(&self, text: &str, deadline: Duration) -> String {
        let mut stderr = self.stderr.clone();
        let found = tokio::time::timeout(
            deadline,
            stderr.wait_for(|lines| lines.iter().any(|line| line.contains(text))),
        );
        match found.await {
            Ok(Ok(lines)) => lines
                .iter()
                .find(|line| line.contains(text))
                .cloned()
                .unwrap_or_default(),
            _ => panic!("hs2-node did not log {text:?} within {deadline:?}"),
        }
    }

    /// Asks it to leave: SIGTERM.
    pub fn terminate(&self) {
        signal(self.pid, "TERM");
    }

    /// Ends it at once: SIGKILL.
    pub fn kill(&self) {
        signal(self.pid, "KILL");
    }

    /// Freezes it, sockets and all: SIGSTOP.
    pub fn freeze(&self) {
        signal(self.pid, "STOP");
    }

    /// Ends a [`freeze`](Self::freeze).
    pub fn thaw(&self) {
        signal(self.pid, "CONT");
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the node's state").is_none()
    }

    /// Waits for its end; the exit code is `None` when a signal ended it.
    pub async fn exit_code(&mut self, deadline: Duration) -> Option<i32> {
        match tokio::time::timeout(deadline, self.child.wait()).await {
            Ok(status) => status.expect("the node's exit status").code(),
            Err(_) => panic!("hs2-node did not end within {deadline:?}"),
        }
    }

    /// The most memory it ever had resident, in bytes.
    #[must_use]
    pub fn peak_rss_bytes(&self) -> u64 {
        self.memory_bytes("VmHWM:")
    }

    /// The memory it has resident now, in bytes.
    #[must_use]
    pub fn rss_bytes(&self) -> u64 {
        self.memory_bytes("VmRSS:")
    }

    fn memory_bytes(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))
            .expect("a running node's /proc entry");
        let kib: u64 = status
            .lines()
            .find_map(|line| {
                line.strip_prefix(field)?
                    .trim()
                    .strip_suffix(" kB")?
                    .parse()
                    .ok()
            })
            .unwrap_or_else(|| panic!("no {field} in\n{status}"));
        kib * 1024
    }

    /// Waits for a line of standard output with this beginning, and returns its rest.
    async fn line_after(&mut self, prefix: &str) -> String {
        let rest = |lines: &Vec<String>| {
            lines
                .iter()
                .find_map(|line| line.strip_prefix(prefix).map(str::to_owned))
        };
        let found = tokio::time::timeout(
            START_DEADLINE,
            self.stdout.wait_for(|lines| rest(lines).is_some()),
        );
        match found.await {
            Ok(Ok(lines)) => rest(&lines).unwrap_or_default(),
            Ok(Err(_)) => panic!("hs2-node ended before it printed {prefix:?}"),
            Err(_) => panic!("hs2-node did not print {prefix:?} within {START_DEADLINE:?}"),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- hs2-node {}, standard error", self.pid);
            for line in self.stderr.borrow().iter() {
                eprintln!("{line}");
            }
        }
    }
}

/// Collects the lines of a stream; the receiver's sender is gone when the stream has ended.
fn lines(stream: impl AsyncRead + Unpin + Send + 'static) -> watch::Receiver<Vec<String>> {
    let (sender, receiver) = watch::channel(Vec::new());
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            sender.send_modify(|lines| lines.push(line));
        }
    });
    receiver
}
