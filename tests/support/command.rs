//! Running a program to its end, with a deadline.

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// What a program that has ended left behind.
#[derive(Debug)]
pub struct Output {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
}

impl Output {
    /// This output, after making sure that the exit code is 0.
    #[must_use]
    #[track_caller]
    pub fn success(self) -> Self {
        self.exit(0)
    }

    /// This output, after making sure of the exit code.
    #[must_use]
    #[track_caller]
    pub fn exit(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "the exit code is not {code}\n{self}");
        self
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "exit code {:?}\n--- standard output\n{}\n--- standard error\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}

/// Runs a command to its end and captures both streams. It is killed, and the test fails, at the deadline.
pub async fn run(command: &mut Command, deadline: Duration) -> Output {
    let shown = format!("{:?}", command.as_std());
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
    let output = tokio::time::timeout(deadline, child.wait_with_output())
        .await
        .unwrap_or_else(|_| panic!("{shown} did not end within {deadline:?}"))
        .unwrap_or_else(|error| panic!("cannot read the output of {shown}: {error}"));
    Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Sends a signal, by its name without `SIG`, to a process.
pub(crate) fn signal(pid: u32, name: &str) {
    let status = std::process::Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status()
        .expect("kill starts");
    assert!(status.success(), "cannot send SIG{name} to process {pid}");
}
