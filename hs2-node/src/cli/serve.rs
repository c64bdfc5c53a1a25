//! `hs2-node serve`: one node, until it is told to leave.

use hs2_node::config::Config;
use hs2_node::engine::Engine;
use hs2_node::{Drained, Node};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CliError, host_and_port, say};

/// Runs a HiveServer2 node
///
/// Prints `listening on HOST:PORT` when it takes connections, and `registered PATH` when it is in ZooKeeper. SIGTERM
/// and Ctrl-C take it off the list, wait until its sessions are closed, and stop it; a second one stops it at once.
/// When its znode is deleted (hs2-node deregister), it stops after its last session.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: hs2-node serve --zookeeper zk1:2181,zk2:2181 --bind 10.0.0.5:10000 --version 4.0.1"
)]
pub(super) struct Arguments {
    /// Registers in this ZooKeeper ensemble: host1:2181,host2:2181/chroot
    #[arg(long, value_name = "HOSTS")]
    zookeeper: Option<String>,
    /// Registers below this znode [default: hiveserver2]
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Listens there; port 0 takes a free one [default: 127.0.0.1:10000]
    #[arg(long, value_name = "HOST:PORT", value_parser = host_and_port)]
    bind: Option<(String, u16)>,
    /// The version to register, by which it can be deregistered [default: this program's]
    #[arg(long = "version", value_name = "VERSION")]
    node_version: Option<String>,
    /// Settings by Hive's names: `key = value` lines, or hive-site.xml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of the tables; nodes that share it see the same [default: .hs2-node/warehouse in the home folder]
    #[arg(long, value_name = "DIR")]
    warehouse: Option<PathBuf>,
}

impl Arguments {
    /// The settings: defaults, then the file, then the command line.
    fn config(&self) -> Result<Config, CliError> {
        let mut config = Config::default();
        if let Some(file) = &self.config {
            let warnings = config.apply_file(file).map_err(CliError::usage)?;
            if let Some((name, value)) = config.missing_environment() {
                return Err(begin_anew(name, value));
            }
            for warning in warnings {
                tracing::warn!("{}, {warning}", file.display());
            }
        }
        if let Some(hosts) = &self.zookeeper {
            config.zookeeper_quorum.clone_from(hosts);
            config.discovery = true;
        }
        if let Some(namespace) = &self.namespace {
            config.zookeeper_namespace.clone_from(namespace);
        }
        if let Some((host, port)) = &self.bind {
            config.bind_host.clone_from(host);
            config.set_port(*port);
        }
        if let Some(warehouse) = &self.warehouse {
            config.warehouse = Some(warehouse.clone());
        }
        Ok(config)
    }
}

/// Becomes this program again, as the same process, with something more in its environment; the error is why not.
fn begin_anew(name: &str, value: &Path) -> CliError {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return CliError::Failed(format!("where is this program? {error}")),
    };
    let mut words = std::env::args_os();
    let mut command = Command::new(program);
    if let Some(own) = words.next() {
        command.arg0(own);
    }
    let error = command.args(words).env(name, value).exec();
    CliError::Failed(format!("cannot set {name}={}: {error}", value.display()))
}

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let config = arguments.config()?;
    raise_open_files(&config);
    let mut signals = Signals::new()?;
    let engine = engine(&config.warehouse_folder(), &config.scratch_folder())?;
    let version = arguments
        .node_version
        .as_deref()
        .unwrap_or(env!("CARGO_PKG_VERSION"));
    let registers = config.discovery;
    let mut node = Node::start(config, version, engine)
        .await
        .map_err(CliError::failed)?;
    say(&format_args!("listening on {}", node.address()));
    if registers {
        let path = tokio::select! {
            path = node.register() => path.map_err(CliError::failed)?,
            // Clients that know its address may be there already.
            () = signals.next() => return leave(node, signals).await,
        };
        say(&format_args!("registered {path}"));
    }
    tokio::select! {
        () = node.removed() => tracing::info!("deregistered, and no session left"),
        () = signals.next() => {}
    }
    leave(node, signals).await
}

/// Raises the limit of open files to what this user may have: each connection is one.
fn raise_open_files(config: &Config) {
    // Result files, the warehouse's, ZooKeeper.
    const OTHERS: u64 = 512;
    let wanted = OTHERS.saturating_add(config.connections_max as u64);
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < wanted => {
            tracing::warn!(
                limit,
                wanted,
                "open files are limited to fewer than connections and results may need: raise `ulimit -Hn`, or lower hive.server2.thrift.max.worker.threads"
            );
        }
        Ok(limit) => tracing::debug!(limit, "open files"),
        Err(error) => tracing::warn!(%error, "the limit of open files is not raised"),
    }
}

/// Drains the node; a signal meanwhile stops it at once.
async fn leave(node: Node, mut signals: Signals) -> Result<(), CliError> {
    tracing::info!("leaving");
    tokio::select! {
        drained = node.drain() => {
            match drained {
                Drained::Clean => tracing::info!("stopped"),
                Drained::Cut { sessions } => tracing::warn!(sessions, "stopped: the time to wait for sessions was over"),
            }
            Ok(())
        }
        () = signals.next() => Err(CliError::Failed("stopped at once by a second signal; open sessions were cut".to_owned())),
    }
}

/// SIGTERM and SIGINT, which mean the same.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, CliError> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| CliError::Failed(format!("cannot wait for signals: {error}")))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The embedded engine on a warehouse folder. It spills beside the results.
#[cfg(feature = "datafusion")]
pub(super) fn engine(warehouse: &Path, scratch: &Path) -> Result<Arc<dyn Engine>, CliError> {
    use hs2_node::engine::datafusion::{DataFusionEngine, DataFusionOptions};
    let options = DataFusionOptions {
        spill_dir: scratch.to_owned(),
        ..DataFusionOptions::new(warehouse)
    };
    let engine = DataFusionEngine::new(&options).map_err(CliError::failed)?;
    Ok(Arc::new(engine))
}

/// There is none in this build.
#[cfg(not(feature = "datafusion"))]
pub(super) fn engine(_warehouse: &Path, _scratch: &Path) -> Result<Arc<dyn Engine>, CliError> {
    Err(CliError::Failed("this build has no engine: build hs2-node with its feature datafusion, which is on by default".to_owned()))
}
