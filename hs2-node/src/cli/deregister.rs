//! `hs2-node deregister`: takes all servers of a version off the list.

use super::{CliError, Place, say};

/// Takes every server of a version off the list in ZooKeeper
///
/// New clients do not find them any more; the servers themselves go on with the sessions they have, and stop after the
/// last one. Prints the znodes that were removed. Fails when there is none of that version.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: hs2-node deregister 4.0.1 --zookeeper zk1:2181,zk2:2181")]
pub(super) struct Arguments {
    /// The version, as `hs2-node list` shows it; no part of one
    version: String,
    #[command(flatten)]
    place: Place,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let (ensemble, namespace) = arguments.place.parse()?;
    let done = discovery::deregister(&ensemble, &namespace, &arguments.version)
        .await
        .map_err(CliError::failed)?;
    for path in &done.removed {
        say(&format_args!("removed {path}"));
    }
    if done.survivors.is_empty() {
        return Ok(());
    }
    let survivors = done.survivors.join(", ");
    Err(CliError::Failed(format!(
        "these servers register again when they are removed: {survivors}; stop them"
    )))
}
