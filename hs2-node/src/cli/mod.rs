//! The commands. Each is a file; what they share is here.
//!
//! Results and the lines that other programs wait for go to standard output, errors and the log to standard error.

mod completion;
mod deregister;
mod list;
mod output;
mod progress;
mod quickstart;
mod run;
mod serve;
mod shell;
mod sql;
mod statements;
mod url;
mod zookeeper;

use clap::{Parser, Subcommand};
use discovery::{Ensemble, Namespace};
use std::future::Future;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// A HiveServer2 that is found through ZooKeeper, and the tools around it.
#[derive(Debug, Parser)]
#[command(
    name = "hs2-node",
    version,
    about,
    after_help = "Example: hs2-node quickstart",
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Quickstart(quickstart::Arguments),
    Serve(serve::Arguments),
    Zookeeper(zookeeper::Arguments),
    List(list::Arguments),
    Deregister(deregister::Arguments),
    Sql(sql::Arguments),
    Url(url::Arguments),
}

/// Why a command ends without having done its work.
#[derive(Debug)]
pub(crate) enum CliError {
    /// What was given on the command line, or in the file that it names, has no meaning: exit code 2.
    Usage(String),
    /// The operation failed: exit code 1.
    Failed(String),
}

impl CliError {
    pub(crate) fn usage(error: impl ToString) -> Self {
        Self::Usage(error.to_string())
    }

    pub(crate) fn failed(error: impl ToString) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Reads the command line and does what it says.
pub(crate) fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if !error.use_stderr() => {
            say(&error.to_string().trim_end());
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(2, &usage_line(&error)),
    };
    let done = match arguments.command {
        Command::Quickstart(arguments) => block_on("error", quickstart::run(arguments)),
        Command::Serve(arguments) => block_on(
            "warn,hs2_node=info,discovery=info,zk_client=info",
            serve::run(arguments),
        ),
        Command::Zookeeper(arguments) => block_on(
            "warn,hs2_node=info,zk_server=info",
            zookeeper::run(arguments),
        ),
        Command::List(arguments) => block_on("warn", list::run(arguments)),
        Command::Deregister(arguments) => block_on("warn", deregister::run(arguments)),
        Command::Sql(arguments) => block_on("warn", sql::run(arguments)),
        Command::Url(arguments) => block_on("warn", url::run(arguments)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Usage(text)) => fail(2, &text),
        Err(CliError::Failed(text)) => fail(1, &text),
    }
}

/// The first paragraph of what clap says, which is the error, in one line, and where to read more.
fn usage_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let first = text.split("\n\nUsage:").next().unwrap_or_default();
    let words = first.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = words.strip_prefix("error: ").unwrap_or(&words);
    format!("{words}; hs2-node --help says more")
}

fn fail(code: u8, text: &str) -> ExitCode {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // Where standard error is closed, the exit code has to do.
    let _ = writeln!(std::io::stderr(), "hs2-node: {line}");
    ExitCode::from(code)
}

fn block_on(
    log: &str,
    command: impl Future<Output = Result<(), CliError>>,
) -> Result<(), CliError> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(log));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime =
        runtime.map_err(|error| CliError::Failed(format!("cannot start threads: {error}")))?;
    let done = runtime.block_on(command);
    // A read of the terminal, or a file, may never end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

/// Prints a line to standard output. Nobody may be there to read it, which is no reason to stop.
pub(crate) fn say(line: &impl std::fmt::Display) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// Where the registered servers are: options of several commands.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// The ZooKeeper ensemble: host1:2181,host2:2181/chroot
    #[arg(long, value_name = "HOSTS")]
    zookeeper: String,
    /// The znode below which the servers register
    #[arg(long, value_name = "NAMESPACE", default_value = Namespace::DEFAULT)]
    namespace: String,
}

impl Place {
    pub(crate) fn parse(&self) -> Result<(Ensemble, Namespace), CliError> {
        let ensemble = Ensemble::new(&self.zookeeper)
            .map_err(|error| CliError::Usage(format!("--zookeeper {}: {error}", self.zookeeper)))?;
        let namespace = self
            .namespace
            .parse()
            .map_err(|error| CliError::Usage(format!("--namespace {}: {error}", self.namespace)))?;
        Ok((ensemble, namespace))
    }
}

/// A host and port from the command line; `[::1]:10000` for IPv6.
pub(crate) fn host_and_port(text: &str) -> Result<(String, u16), String> {
    let expected = || "expected HOST:PORT".to_owned();
    let (host, port) = text.rsplit_once(':').ok_or_else(expected)?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').ok_or_else(expected)?,
        None if host.contains(':') => {
            return Err("an IPv6 address stands in brackets: [::1]:10000".to_owned());
        }
        None => host,
    };
    let port = port
        .parse()
        .map_err(|_| "the port is a number from 0 to 65535".to_owned())?;
    if host.is_empty() {
        Err(expected())
    } else {
        Ok((host.to_owned(), port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound_and_every_command_has_an_example() {
        let mut command = Arguments::command();
        command.build();
        command.clone().debug_assert();
        for sub in command
            .get_subcommands_mut()
            .filter(|sub| sub.get_name() != "help")
        {
            let help = sub.render_help().to_string();
            assert!(help.contains("Example"), "{help}");
        }
    }

    #[test]
    fn errors_of_the_command_line_are_one_line() {
        let line = |words: &[&str]| usage_line(&Arguments::try_parse_from(words).unwrap_err());
        assert_eq!(
            line(&["hs2-node", "frobnicate"]),
            "unrecognized subcommand 'frobnicate'; hs2-node --help says more"
        );
        assert_eq!(
            line(&["hs2-node", "list"]),
            "the following required arguments were not provided: --zookeeper <HOSTS>; hs2-node --help says more"
        );
    }

    #[test]
    fn hosts_and_ports() {
        assert_eq!(host_and_port("h:1"), Ok(("h".to_owned(), 1)));
        assert_eq!(host_and_port("[::1]:0"), Ok(("::1".to_owned(), 0)));
        for bad in ["h", ":1", "h:x", "::1:5", "[::1:5", "h:70000"] {
            assert!(host_and_port(bad).is_err(), "{bad}");
        }
    }
}
