//! `hs2-node quickstart`: the whole path in one process, shown step by step.

use discovery::{Ensemble, Namespace};
use hs2_client::{ConnectOptions, Session, SessionOptions, connect};
use hs2_node::Node;
use hs2_node::config::Config;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::time::timeout;
use zk_server::{Server, ServerOptions};

use super::output::{Format, Printer};
use super::serve::{Signals, engine};
use super::{CliError, list, say};

/// Shows the whole path in one process: a ZooKeeper, two nodes, a query through discovery, a node that leaves
///
/// Nothing is kept: tables and results are in a temporary folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: hs2-node quickstart --serve")]
pub(super) struct Arguments {
    /// Stays up with both nodes, and prints the JDBC URL
    #[arg(long)]
    serve: bool,
}

/// How long a step may take that takes milliseconds.
const STEP_PATIENCE: Duration = Duration::from_secs(15);

const SAMPLE: [&str; 2] = [
    "CREATE TABLE stations (id INT, name STRING, river STRING, level_m DECIMAL(5,2), since DATE) STORED AS PARQUET",
    "INSERT INTO stations VALUES \
     (1, 'Basel', 'Rhine', 5.12, DATE '1869-01-01'), \
     (2, 'Köln', 'Rhine', 3.48, DATE '1816-01-01'), \
     (3, 'Dresden', 'Elbe', 1.97, DATE '1776-01-01'), \
     (4, 'Wien', 'Danube', 2.84, DATE '1828-01-01'), \
     (5, 'Budapest', 'Danube', 3.31, DATE '1823-01-01')",
];
const QUERY: &str = "SELECT river, count(*) AS stations, max(level_m) AS highest, min(since) AS since FROM stations GROUP BY river ORDER BY river";

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let mut signals = Signals::new()?;
    let folder = tempfile::tempdir()
        .map_err(|error| CliError::Failed(format!("no temporary folder: {error}")))?;
    let server = Server::start("127.0.0.1:0", ServerOptions::default())
        .await
        .map_err(CliError::failed)?;
    let fleet = Fleet::new(server, folder.path())?;
    say(&format_args!(
        "1. A ZooKeeper in this process, at {}.",
        fleet.ensemble
    ));

    let mut first = fleet.start("1.0").await?;
    let mut second = fleet.start("2.0").await?;
    say(&"2. Two HiveServer2 nodes register:");
    for node in [&mut first, &mut second] {
        say(&format_args!(
            "   {}",
            node.register().await.map_err(CliError::failed)?
        ));
    }

    let url = fleet.url();
    say(&format_args!(
        "3. A client asks ZooKeeper for one:\n   {url}"
    ));
    let session = fleet.connect(&url).await?;
    say(&format_args!(
        "   It picked {}.",
        session.connection().server()
    ));

    say(&"4. It makes a table and queries it; the rows come back from a result file:");
    for statement in SAMPLE {
        session.run(statement).await.map_err(CliError::failed)?;
    }
    say(&format_args!("   {QUERY};"));
    print_rows(&session, QUERY).await?;
    session.close().await.map_err(CliError::failed)?;

    if arguments.serve {
        say(&format_args!(
            "Both nodes stay up. Connect with any client, for instance:\n   hs2-node sql '{url}'\n   beeline -u '{url}'\nJDBC URL: {url}\nCtrl-C ends it."
        ));
        signals.next().await;
        tokio::join!(first.stop(), second.stop());
        fleet.server.shutdown().await;
        return Ok(());
    }

    // A session on the node that leaves shows that it is not cut.
    let direct = format!("jdbc:hive2://{}/", first.address());
    let last = fleet.connect(&direct).await?;
    let done = discovery::deregister(&fleet.ensemble, &fleet.namespace, "1.0")
        .await
        .map_err(CliError::failed)?;
    say(&"5. Version 1.0 is deregistered:");
    for path in &done.removed {
        say(&format_args!("   removed {path}"));
    }
    say(&"   Its open session still answers:");
    print_rows(&last, "SELECT count(*) AS stations FROM stations").await?;
    last.close().await.map_err(CliError::failed)?;
    timeout(STEP_PATIENCE, first.removed())
        .await
        .map_err(|_| CliError::Failed("the node of version 1.0 did not drain".to_owned()))?;
    first.stop().await;
    say(&"   The session is closed, the node has drained and stopped.");

    let listing = discovery::list(&fleet.ensemble, &fleet.namespace)
        .await
        .map_err(CliError::failed)?;
    say(&"6. The list afterwards:");
    for line in list::table(&listing).lines() {
        say(&format_args!("   {line}"));
    }
    second.drain().await;
    fleet.server.shutdown().await;
    say(&"Done. `hs2-node quickstart --serve` stays up for your own client.");
    Ok(())
}

/// What the nodes of the quickstart share.
struct Fleet<'a> {
    server: Server,
    ensemble: Ensemble,
    namespace: Namespace,
    folder: &'a Path,
}

impl<'a> Fleet<'a> {
    fn new(server: Server, folder: &'a Path) -> Result<Self, CliError> {
        let ensemble = Ensemble::new(&server.connect_string()).map_err(CliError::failed)?;
        Ok(Self {
            server,
            ensemble,
            namespace: Namespace::default(),
            folder,
        })
    }

    /// A node that listens. Each has an engine of its own, as nodes on several machines have; the tables are shared.
    async fn start(&self, version: &str) -> Result<Node, CliError> {
        let mut config = Config::default();
        config.port = 0;
        config.zookeeper_quorum = self.ensemble.to_string();
        let scratch = self.folder.join("results");
        config.scratch = Some(scratch.clone());
        let engine = engine(&self.folder.join("warehouse"), &scratch)?;
        Node::start(config, version, engine)
            .await
            .map_err(CliError::failed)
    }

    fn url(&self) -> String {
        let (ensemble, namespace) = (&self.ensemble, &self.namespace);
        format!(
            "jdbc:hive2://{ensemble}/;serviceDiscoveryMode=zooKeeper;zooKeeperNamespace={namespace}"
        )
    }

    async fn connect(&self, url: &str) -> Result<Session, CliError> {
        connect(url, &ConnectOptions::default(), &SessionOptions::default())
            .await
            .map_err(CliError::failed)
    }
}

async fn print_rows(session: &Session, query: &str) -> Result<(), CliError> {
    let mut results = session.query(query).await.map_err(CliError::failed)?;
    let mut out = Vec::new();
    let print = |error: io::Error| CliError::Failed(error.to_string());
    let mut printer =
        Printer::new(&mut out, Format::Table, results.schema(), None).map_err(print)?;
    while let Some(batch) = results.next().await.map_err(CliError::failed)? {
        printer.batch(&batch).map_err(print)?;
    }
    printer.end().map_err(print)?;
    for line in String::from_utf8_lossy(&out).lines() {
        say(&format_args!("   {line}"));
    }
    Ok(())
}
