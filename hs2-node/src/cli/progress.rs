//! The progress bar of `hs2-node sql`: on standard error, and only where that is a terminal.

use hs2_client::tcli::ProgressUpdateResp;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often it turns.
const TICK: Duration = Duration::from_millis(150);

/// What a statement is doing, in one line that is gone when it ends.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    begun: Instant,
    rows: AtomicU64,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed_precise}");
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar.set_message("running");
            bar.enable_steady_tick(TICK);
            bar
        });
        Self {
            bar,
            begun: Instant::now(),
            rows: AtomicU64::new(0),
        }
    }

    pub(super) const fn is_shown(&self) -> bool {
        self.bar.is_some()
    }

    /// What the server says of its progress.
    pub(super) fn server(&self, update: &ProgressUpdateResp) {
        if let Some(bar) = &self.bar {
            let percent = (update.progressed_percentage * 100.0).clamp(0.0, 100.0);
            bar.set_message(format!("running, {percent:.0} %"));
        }
    }

    /// So many rows more have come.
    pub(super) fn rows(&self, rows: usize) {
        let total = self.rows.fetch_add(rows as u64, Ordering::Relaxed) + rows as u64;
        if let Some(bar) = &self.bar {
            let millis = self.begun.elapsed().as_millis().max(1);
            let rate = u128::from(total) * 1000 / millis;
            let rate = u64::try_from(rate).unwrap_or(u64::MAX);
            bar.set_message(format!(
                "{} rows, {} rows/s",
                HumanCount(total),
                HumanCount(rate)
            ));
        }
    }

    /// Does something that prints, with the bar out of the way.
    pub(super) fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
