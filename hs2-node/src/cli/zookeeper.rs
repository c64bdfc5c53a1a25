//! `hs2-node zookeeper`: the embedded ZooKeeper alone.

use zk_server::{Server, ServerOptions};

use super::serve::Signals;
use super::{CliError, host_and_port, say};

/// Runs the embedded ZooKeeper, which keeps everything in memory: for development, not for production
///
/// Prints `listening on HOST:PORT` when it takes connections. SIGTERM and Ctrl-C stop it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: hs2-node zookeeper --bind 127.0.0.1:2181")]
pub(super) struct Arguments {
    /// Listens there; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", value_parser = host_and_port, default_value = "127.0.0.1:2181")]
    bind: (String, u16),
}

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let mut signals = Signals::new()?;
    let (host, port) = arguments.bind;
    let server = Server::start((host.as_str(), port), ServerOptions::default()).await;
    let server = server.map_err(|error| {
        CliError::Failed(format!(
            "cannot listen on {host}:{port}: {error}; choose another port"
        ))
    })?;
    say(&format_args!("listening on {}", server.local_addr()));
    signals.next().await;
    server.shutdown().await;
    Ok(())
}
