//! The `hs2-node` program, running: what it prints, its signals, its memory, its end.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::command::{self, Output, signal};
use crate::settings::target_folders;

/// How long the program may take for a line that a test waits for.
const LINE_DEADLINE: Duration = Duration::from_secs(60);

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

/// A running `hs2-node` with a home folder of its own. It is killed when this value is dropped; its standard error
/// is shown if the test fails.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pid: u32,
    stdout: watch::Receiver<Vec<String>>,
    stderr: watch::Receiver<Vec<String>>,
    home: TempDir,
}

impl Process {
    /// Starts `hs2-node` with these arguments.
    #[must_use]
    pub fn start(arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(program());
        command.args(arguments);
        Self::spawn(command, home)
    }

    pub(crate) fn spawn(mut command: Command, home: TempDir) -> Self {
        let mut child = command
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("hs2-node starts");
        let pid = child
            .id()
            .expect("a process that was not waited for has an id");
        Self {
            pid,
            stdout: lines(child.stdout.take().expect("a piped stream")),
            stderr: lines(child.stderr.take().expect("a piped stream")),
            child,
            home,
        }
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
    pub async fn line_after(&self, prefix: &str) -> String {
        let rest = |line: &str| line.strip_prefix(prefix).map(str::to_owned);
        self.line(prefix, rest).await
    }

    /// Waits for a line of standard output that contains `text`, and returns it.
    pub async fn line_with(&self, text: &str) -> String {
        let whole = |line: &str| line.contains(text).then(|| line.to_owned());
        self.line(text, whole).await
    }

    async fn line(&self, what: &str, wanted: impl Fn(&str) -> Option<String>) -> String {
        let first = |lines: &Vec<String>| lines.iter().find_map(|line| wanted(line));
        let mut stdout = self.stdout.clone();
        let found = stdout.wait_for(|lines| first(lines).is_some());
        match tokio::time::timeout(LINE_DEADLINE, found).await {
            Ok(Ok(lines)) => first(&lines).unwrap_or_default(),
            Ok(Err(_)) => panic!("hs2-node ended before it printed {what:?}"),
            Err(_) => panic!("hs2-node did not print {what:?} within {LINE_DEADLINE:?}"),
        }
    }
}

impl Drop for Process {
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
