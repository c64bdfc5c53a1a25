//! `with-zookeeper COMMAND [ARGUMENT]...`: runs a command with one real ZooKeeper beside it.
//!
//! The tests that the command runs share it, and find it by the environment. Its exit code is the command's.

use std::process::ExitCode;

use tests::zookeeper::ZooKeeper;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: with-zookeeper COMMAND [ARGUMENT]...");
        return ExitCode::from(2);
    };
    let zookeeper = ZooKeeper::start().await;
    eprintln!("tests run against {}", zookeeper.describe());
    let status = tokio::process::Command::new(&program)
        .args(arguments)
        .env("HS2_TEST_ZOOKEEPER", zookeeper.connect_string())
        .env("HS2_TEST_ZOOKEEPER_DESCRIPTION", zookeeper.describe())
        .kill_on_drop(true)
        .status()
        .await;
    match status {
        // A command that a signal ended has no code.
        Ok(status) => ExitCode::from(
            status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(1),
        ),
        Err(error) => {
            eprintln!("cannot run {}: {error}", program.to_string_lossy());
            ExitCode::FAILURE
        }
    }
}
