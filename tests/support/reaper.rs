//! Cleaning up after a test that may be killed at any moment.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// Runs a shell command when it is dropped, and also when this process ends in any other way.
///
/// The command waits in a shell of its own process group for the end of its standard input, which the
/// kernel brings about even after SIGKILL.
#[derive(Debug)]
pub(crate) struct Reaper {
    shell: Child,
}

impl Reaper {
    pub(crate) fn new(cleanup: &str) -> Self {
        let shell = Command::new("sh")
            .args([
                "-c",
                &format!("read -r disarmed || {{ {cleanup}; }} >/dev/null 2>&1"),
            ])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        Self { shell }
    }

    /// There is nothing left to clean up.
    pub(crate) fn disarm(mut self) {
        if let Some(stdin) = self.shell.stdin.as_mut() {
            // The shell that does not read any more has run its command already.
            let _ = stdin.write_all(b"disarmed\n");
        }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
