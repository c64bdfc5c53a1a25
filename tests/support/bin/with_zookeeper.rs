//! `with-zookeeper COMMAND [ARGUMENT]...`: runs a command with real ZooKeepers beside it, one of each release.
//!
//! The tests that the command runs share them, and find them by the environment. Its exit code is the command's.

use std::process::ExitCode;

use futures::future::join_all;
use tests::release::Release;
use tests::zookeeper::SharedZooKeeper;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: with-zookeeper COMMAND [ARGUMENT]...");
        return ExitCode::from(2);
    };
    let releases = Release::ALL
        .into_iter()
        .filter(|release| release.is_available());
    let (any, servers) = tokio::join!(
        SharedZooKeeper::get(),
        join_all(releases.clone().map(SharedZooKeeper::release)),
    );
    let mut variables = vec![any.variable(None)];
    eprintln!("tests run against {}", any.describe());
    for (release, server) in releases.zip(servers) {
        eprintln!("and, for {}, {}", release.name(), server.describe());
        variables.push(server.variable(Some(release)));
    }
    let status = tokio::process::Command::new(&program)
        .args(arguments)
        .envs(variables)
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
