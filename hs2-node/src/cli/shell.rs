//! The shell of `hs2-node sql`: lines until a semicolon, then the rows.

use hs2_client::Session;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};
use std::path::PathBuf;
use tokio::task::spawn_blocking;

use super::CliError;
use super::completion::Completion;
use super::run::{Runner, Stop};
use super::statements::{Input, Statements};

/// Lines of history that are kept.
const HISTORY_LINES: usize = 1000;

const HELP: &str = "\
Statements end with ; and may have many lines. Tab completes keywords, databases and tables.
  Ctrl-C   cancels the statement that runs, or throws away what was begun; twice at an empty prompt quits
  Ctrl-D   quits, as quit, exit and !quit do
  !help    this text";

pub(super) async fn run(session: &Session, runner: &Runner) -> Result<(), CliError> {
    let no_terminal = |error| CliError::Failed(format!("no terminal: {error}"));
    let history_size = Config::builder().max_history_size(HISTORY_LINES);
    let config = history_size.map_err(no_terminal)?.build();
    let mut editor = Editor::<Completion, FileHistory>::with_config(config).map_err(no_terminal)?;
    editor.set_helper(Some(Completion::new(session.clone())));
    let history = history_file();
    if let Some(file) = &history {
        // A first start has none.
        let _ = editor.load_history(file);
    }
    eprintln!(
        "connected to {}; statements end with ; and !help says more",
        session.connection().server()
    );
    let mut statements = Statements::new();
    let mut interrupted = false;
    'lines: loop {
        let prompt = if statements.is_empty() {
            "hs2> "
        } else {
            "   > "
        };
        let (returned, line) = spawn_blocking(move || {
            let line = editor.readline(prompt);
            (editor, line)
        })
        .await
        .map_err(|error| CliError::Failed(format!("reading a line: {error}")))?;
        editor = returned;
        let line = match line {
            Ok(line) => line,
            // Ctrl-C throws away what was begun.
            Err(ReadlineError::Interrupted) if interrupted && statements.is_empty() => break,
            Err(ReadlineError::Interrupted) => {
                interrupted = statements.is_empty();
                statements = Statements::new();
                if interrupted {
                    eprintln!("Ctrl-C again quits");
                }
                continue;
            }
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(CliError::Failed(format!("reading a line: {error}"))),
        };
        interrupted = false;
        if !line.trim().is_empty() {
            // A line that is not kept is no failure.
            let _ = editor.add_history_entry(line.as_str());
        }
        for input in statements.line(&line) {
            match input {
                Input::Quit => break 'lines,
                Input::Help => eprintln!("{HELP}"),
                // In a shell a failed statement is not the end.
                Input::Statement(statement) => match runner.run(session, &statement).await {
                    Ok(()) => {}
                    Err(Stop::Cancelled) => {
                        // What stood behind it in the same line was begun with it.
                        eprintln!("cancelled; Ctrl-C again quits");
                        interrupted = true;
                        break;
                    }
                    Err(stop) => eprintln!("{stop}"),
                },
            }
        }
    }
    if let Some(statement) = statements.take()
        && let Err(stop) = runner.run(session, &statement).await
    {
        eprintln!("{stop}");
    }
    if let Some(file) = history {
        let folder = file.parent().map(std::fs::create_dir_all);
        if let Some(Err(error)) = folder.map(|made| {
            made.and_then(|()| editor.save_history(&file).map_err(std::io::Error::other))
        }) {
            tracing::warn!("the history is not kept in {}: {error}", file.display());
        }
    }
    Ok(())
}

fn history_file() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
    Some(PathBuf::from(home).join(".hs2-node").join("history.txt"))
}
