//! One statement of `hs2-node sql` from its text to its rows: progress, Ctrl-C and timing.

use hs2_client::{Error, Event, Session};
use std::io::{self, BufWriter, IsTerminal};
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};

use super::output::{Format, Printer};
use super::progress::Progress;

/// Why a statement was not run to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    #[error(transparent)]
    Client(#[from] Error),
    #[error("cannot print the rows: {0}")]
    Output(#[from] io::Error),
    #[error("cannot listen for Ctrl-C: {0}")]
    Signal(#[source] io::Error),
    #[error("cancelled")]
    Cancelled,
}

/// How statements are run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runner {
    /// How rows are printed.
    pub(super) format: Format,
    /// The server's log lines go to standard error.
    pub(super) verbose: bool,
    /// What each statement took goes to standard error.
    pub(super) timing: bool,
}

impl Runner {
    /// Runs a statement and prints its rows. Ctrl-C cancels it.
    pub(super) async fn run(&self, session: &Session, statement: &str) -> Result<(), Stop> {
        let begun = Instant::now();
        // Listened for before anything shows that the statement runs: until then Ctrl-C would end the program.
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Stop::Signal)?;
        let progress = Progress::new();
        let rows = tokio::select! {
            done = self.finish(session, statement, &progress) => done,
            // Dropped, the operation is closed, which stops it, whatever it was doing.
            _ = interrupt.recv() => Err(Stop::Cancelled),
        };
        progress.end();
        let rows = rows?;
        if self.timing {
            let seconds = begun.elapsed().as_secs_f64();
            match rows {
                Rows::Read(1) => eprintln!("1 row, {seconds:.2} s"),
                Rows::Read(rows) => eprintln!("{rows} rows, {seconds:.2} s"),
                Rows::Changed(Some(rows)) => eprintln!("OK, {rows} changed, {seconds:.2} s"),
                Rows::Changed(None) => eprintln!("OK, {seconds:.2} s"),
            }
        }
        Ok(())
    }

    async fn finish(
        &self,
        session: &Session,
        statement: &str,
        progress: &Progress,
    ) -> Result<Rows, Stop> {
        let operation = session.execute(statement).await?;
        let answer = if self.verbose || progress.is_shown() {
            let tell = |event: Event<'_>| match event {
                Event::Progress(update) => progress.server(update),
                Event::Log(line) if self.verbose => {
                    progress.suspend(|| eprintln!("{}", plain(line)));
                }
                Event::Log(_) => {}
            };
            operation.watch(tell).await?
        } else {
            operation.wait().await?
        };
        let has_rows = answer
            .has_result_set
            .unwrap_or(operation.handle().has_result_set);
        if !has_rows {
            operation.close().await?;
            let changed = answer.num_modified_rows;
            return Ok(Rows::Changed(changed.and_then(|n| u64::try_from(n).ok())));
        }
        let mut results = operation.finished_results(&answer).await?;
        let stdout = io::stdout();
        let width = stdout.is_terminal().then(terminal_width).flatten();
        let out = BufWriter::new(stdout);
        let mut printer = Printer::new(out, self.format, results.schema(), width)?;
        while let Some(batch) = results.next().await? {
            progress.rows(batch.num_rows());
            progress.suspend(|| printer.batch(&batch))?;
        }
        let printed = progress.suspend(|| printer.end())?;
        if printed.cut {
            eprintln!(
                "some values are cut to fit the terminal: --format vertical shows them whole"
            );
        }
        results.close().await?;
        Ok(Rows::Read(printed.rows))
    }
}

enum Rows {
    Read(u64),
    Changed(Option<u64>),
}

/// A server's text must not command the terminal.
fn plain(line: &str) -> String {
    line.chars()
        .map(|c| if c.is_control() && c != '\t' { ' ' } else { c })
        .collect()
}

/// Columns of the terminal, where it says.
fn terminal_width() -> Option<usize> {
    let size = console::Term::stdout().size_checked();
    size.map(|(_, columns)| usize::from(columns))
        .filter(|columns| *columns > 0)
}
