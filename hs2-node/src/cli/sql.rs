//! `hs2-node sql`: statements against any HiveServer2.

use discovery::JdbcUrl;
use hs2_client::{Auth, ConnectOptions, Session, SessionOptions, connect};
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;

use super::output::Format;
use super::run::{Runner, Stop};
use super::statements::{Input, Statements};
use super::{CliError, shell};

/// Runs SQL on a HiveServer2, by its jdbc:hive2 URL or by HOST:PORT
///
/// Without -e and -f it is a shell, or, where standard input is no terminal, runs the statements that come from there.
/// Outside of the shell the first statement that fails ends the command, unless --force says otherwise.
#[derive(clap::Args)]
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
    /// The user, where the URL names none
    #[arg(short = 'n', long, value_name = "USER")]
    user: Option<String>,
    /// The user's password; other users of this machine can see it
    #[arg(short = 'p', long, value_name = "PASSWORD", requires = "user")]
    password: Option<String>,
    /// A file with the user's password, instead
    #[arg(
        short = 'w',
        long,
        value_name = "FILE",
        requires = "user",
        conflicts_with = "password"
    )]
    password_file: Option<PathBuf>,
    /// A variable, for ${NAME} and ${hivevar:NAME} in statements; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    hivevar: Vec<(String, String)>,
    /// A setting of the session; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    hiveconf: Vec<(String, String)>,
    /// Goes on after a statement that fails; the exit code is 1 all the same
    #[arg(long)]
    force: bool,
    /// Prints the server's log lines, and what each statement took, to standard error
    #[arg(short, long)]
    verbose: bool,
}

/// Never prints the password, nor a URL that may hold one.
impl std::fmt::Debug for Arguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arguments")
            .field("user", &self.user)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// How long the server may take to close the session.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let url = JdbcUrl::parse_target(&arguments.url).map_err(CliError::usage)?;
    for warning in url.warnings() {
        tracing::warn!("{warning}");
    }
    let script = script(&arguments)?;
    let (connect_options, session_options) = options(&arguments)?;
    let session = connect(&arguments.url, &connect_options, &session_options)
        .await
        .map_err(CliError::failed)?;
    let runner = Runner {
        format: arguments.format,
        verbose: arguments.verbose,
        timing: arguments.verbose || script.is_none(),
    };
    let done = match &script {
        Some(texts) => run_all(&session, texts, &runner, arguments.force).await,
        None => shell::run(&session, &runner).await,
    };
    // The server closes the session with the connection anyway; a call that still waits there is not waited for.
    if let Ok(Err(error)) = timeout(CLOSE_PATIENCE, session.close()).await {
        tracing::debug!(%error, "closing the session");
    }
    done
}

fn options(arguments: &Arguments) -> Result<(ConnectOptions, SessionOptions), CliError> {
    let mut connect = ConnectOptions::default();
    if let Some(user) = &arguments.user {
        let password = match &arguments.password_file {
            Some(file) => std::fs::read_to_string(file)
                .map_err(|error| {
                    CliError::Usage(format!("cannot read {}: {error}", file.display()))
                })?
                .trim_end_matches(['\r', '\n'])
                .to_owned(),
            None => arguments.password.clone().unwrap_or_default(),
        };
        connect.auth = Auth::Plain {
            user: user.clone(),
            password,
        };
    }
    let session = SessionOptions {
        vars: arguments.hivevar.clone(),
        confs: arguments.hiveconf.clone(),
        ..Default::default()
    };
    Ok((connect, session))
}

/// What -e, -f and standard input say, each whole; `None` for the shell.
fn script(arguments: &Arguments) -> Result<Option<Vec<String>>, CliError> {
    let stdin = PathBuf::from("-");
    let file = match &arguments.file {
        None if arguments.execute.is_empty() && io::stdin().is_terminal() => return Ok(None),
        None if arguments.execute.is_empty() => Some(&stdin),
        file => file.as_ref(),
    };
    let mut texts = arguments.execute.clone();
    if let Some(file) = file {
        let read = if file.as_os_str() == "-" {
            io::read_to_string(io::stdin())
        } else {
            std::fs::read_to_string(file)
        };
        texts.push(read.map_err(|error| {
            CliError::Usage(format!("cannot read {}: {error}", file.display()))
        })?);
    }
    Ok(Some(texts))
}

async fn run_all(
    session: &Session,
    texts: &[String],
    runner: &Runner,
    force: bool,
) -> Result<(), CliError> {
    let mut failed = None;
    for text in texts {
        let mut statements = Statements::new();
        let mut inputs: Vec<_> = text
            .lines()
            .flat_map(|line| statements.line(line))
            .collect();
        inputs.extend(statements.take().map(Input::Statement));
        for input in inputs {
            let statement = match input {
                Input::Statement(statement) => statement,
                Input::Quit => return failed.map_or(Ok(()), Err),
                Input::Help => continue,
            };
            match runner.run(session, &statement).await {
                Ok(()) => {}
                // Whoever reads has seen enough.
                Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return Ok(());
                }
                Err(stop @ Stop::Client(_)) if force => {
                    eprintln!("{stop}");
                    failed = Some(CliError::Failed("a statement has failed".to_owned()));
                }
                Err(stop) => return Err(CliError::Failed(stop.to_string())),
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn the_password_is_never_printed() {
        let words = [
            "sql",
            "h:1",
            "-n",
            "me",
            "-p",
            "secret",
            "--hivevar",
            "a=b=c",
        ];
        let program = Program::try_parse_from(words).unwrap();
        assert!(!format!("{program:?}").contains("secret"));
        let (connect, session) = options(&program.arguments).unwrap();
        assert_eq!(
            connect.auth,
            Auth::Plain {
                user: "me".into(),
                password: "secret".into()
            }
        );
        assert!(!format!("{connect:?}").contains("secret"));
        assert_eq!(session.vars, [("a".to_owned(), "b=c".to_owned())]);
        assert!(Program::try_parse_from(["sql", "h:1", "--hivevar", "=b"]).is_err());
        assert!(Program::try_parse_from(["sql", "h:1", "-p", "secret"]).is_err());
    }
}
