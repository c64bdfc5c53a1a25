//! The shell of `hs2-node sql`: lines until a semicolon, then the rows.

use hs2_client::Session;
use rustyline::error::ReadlineError;
use rustyline::{Config, DefaultEditor};
use std::path::PathBuf;
use std::time::Instant;
use tokio::task::spawn_blocking;

use super::output::Format;
use super::sql::run_one;
use super::statements::Statements;
use super::{CliError, say};

/// Lines of history that are kept.
const HISTORY_LINES: usize = 1000;

pub(super) async fn run(session: &Session, format: Format) -> Result<(), CliError> {
    let no_terminal = |error| CliError::Failed(format!("no terminal: {error}"));
    let history_size = Config::builder().max_history_size(HISTORY_LINES);
    let config = history_size.map_err(no_terminal)?.build();
    let mut editor = DefaultEditor::with_config(config).map_err(no_terminal)?;
    let history = history_file();
    if let Some(file) = &history {
        // A first start has none.
        let _ = editor.load_history(file);
    }
    say(&format_args!(
        "connected to {}; statements end with ; and quit with Ctrl-D",
        session.connection().server()
    ));
    let mut statements = Statements::new();
    loop {
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
            Err(ReadlineError::Interrupted) => {
                statements = Statements::new();
                continue;
            }
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(CliError::Failed(format!("reading a line: {error}"))),
        };
        if statements.is_empty()
            && matches!(
                line.trim().trim_end_matches(';'),
                "quit" | "exit" | "!quit" | "!q"
            )
        {
            break;
        }
        if !line.trim().is_empty() {
            // A line that is not kept is no failure.
            let _ = editor.add_history_entry(line.as_str());
        }
        for statement in statements.push(&format!("{line}\n")) {
            run_statement(session, &statement, format).await;
        }
    }
    if let Some(statement) = statements.take() {
        run_statement(session, &statement, format).await;
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

/// In a shell a failed statement is not the end.
async fn run_statement(session: &Session, statement: &str, format: Format) {
    let started = Instant::now();
    match run_one(session, statement, format).await {
        Ok(Some(rows)) => say(&format_args!(
            "{rows} rows, {:.2} s",
            started.elapsed().as_secs_f64()
        )),
        Ok(None) => say(&format_args!(
            "OK, {:.2} s",
            started.elapsed().as_secs_f64()
        )),
        Err(stop) => eprintln!("{stop}"),
    }
}

fn history_file() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
    Some(PathBuf::from(home).join(".hs2-node").join("history.txt"))
}
