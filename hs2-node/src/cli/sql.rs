//! `hs2-node sql`: statements against any HiveServer2.

use discovery::JdbcUrl;
use hs2_client::{ConnectOptions, Error, Operation, Session, SessionOptions, connect};
use std::io::{self, BufWriter, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;

use super::output::{Format, Printer};
use super::statements::Statements;
use super::{CliError, shell};

/// Runs SQL on a HiveServer2, by its jdbc:hive2 URL or by HOST:PORT
///
/// Without -e and -f it is a shell, or, where standard input is no terminal, runs the statements that come from there.
/// Outside of the shell the first statement that fails ends the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hs2-node sql 127.0.0.1:10000 -e 'SHOW TABLES'\n  hs2-node sql 'jdbc:hive2://zk1:2181,zk2:2181/;serviceDiscoveryMode=zooKeeper;zooKeeperNamespace=hiveserver2' --format csv -f report.sql"
)]
pub(super) struct Arguments {
    /// jdbc:hive2://… or HOST:PORT
    url: String,
    /// Statements to run; may be given several times
    #[arg(short = 'e', value_name = "SQL", allow_hyphen_values = true)]
    execute: Vec<String>,
    /// A file of statements to run after those; - is standard input
    #[arg(short = 'f', value_name = "FILE")]
    file: Option<PathBuf>,
    /// How to print rows
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// How long the server may take to close the session.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let url = JdbcUrl::parse_target(&arguments.url).map_err(CliError::usage)?;
    for warning in url.warnings() {
        tracing::warn!("{warning}");
    }
    let statements = statements(&arguments)?;
    let session = connect(
        &arguments.url,
        &ConnectOptions::default(),
        &SessionOptions::default(),
    )
    .await
    .map_err(CliError::failed)?;
    let done = match &statements {
        Some(statements) => run_all(&session, statements, arguments.format).await,
        None => shell::run(&session, arguments.format).await,
    };
    // The server closes the session with the connection anyway; a call that still waits there is not waited for.
    if let Ok(Err(error)) = timeout(CLOSE_PATIENCE, session.close()).await {
        tracing::debug!(%error, "closing the session");
    }
    done
}

/// What -e, -f and standard input say; `None` for the shell.
fn statements(arguments: &Arguments) -> Result<Option<Vec<String>>, CliError> {
    let stdin = PathBuf::from("-");
    let file = match &arguments.file {
        None if arguments.execute.is_empty() && io::stdin().is_terminal() => return Ok(None),
        None if arguments.execute.is_empty() => Some(&stdin),
        file => file.as_ref(),
    };
    let mut cutter = Statements::new();
    let mut statements = Vec::new();
    let file = file.map(|file| {
        let read = if file.as_os_str() == "-" {
            io::read_to_string(io::stdin())
        } else {
            std::fs::read_to_string(file)
        };
        read.map_err(|error| CliError::Usage(format!("cannot read {}: {error}", file.display())))
    });
    for text in arguments.execute.iter().chain(file.transpose()?.iter()) {
        statements.extend(cutter.push(text));
        statements.extend(cutter.take());
    }
    Ok(Some(statements))
}

async fn run_all(session: &Session, statements: &[String], format: Format) -> Result<(), CliError> {
    for statement in statements {
        match run_one(session, statement, format).await {
            Ok(_) => {}
            // Whoever reads has seen enough.
            Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(stop) => return Err(CliError::Failed(stop.to_string())),
        }
    }
    Ok(())
}

/// Why a statement was not run to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    #[error(transparent)]
    Client(#[from] Error),
    #[error("cannot print the rows: {0}")]
    Output(#[from] io::Error),
}

/// Runs a statement and prints its rows. Says how many there were, `None` where there is no result. Ctrl-C cancels it.
pub(super) async fn run_one(
    session: &Session,
    statement: &str,
    format: Format,
) -> Result<Option<u64>, Stop> {
    let operation = session.execute(statement).await?;
    tokio::select! {
        done = finish(operation, format) => done,
        // Dropped, the operation is closed, which stops it.
        _ = tokio::signal::ctrl_c() => Err(Error::Cancelled { reason: None }.into()),
    }
}

async fn finish(operation: Operation, format: Format) -> Result<Option<u64>, Stop> {
    if !operation.handle().has_result_set {
        operation.wait().await?;
        operation.close().await?;
        return Ok(None);
    }
    let mut results = operation.into_results().await?;
    let mut printer = Printer::new(BufWriter::new(io::stdout()), format, results.schema())?;
    while let Some(batch) = results.next().await? {
        printer.batch(&batch)?;
    }
    let rows = printer.end()?;
    results.close().await?;
    Ok(Some(rows))
}
