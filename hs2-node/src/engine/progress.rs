//! How far a statement is, in terms that fit any engine.

use std::fmt::Debug;

/// What an engine knows about a statement under way. It is asked while the statement runs, and once more when it has
/// ended; it should answer from counters and not wait.
pub trait Progress: Send + Sync + Debug {
    /// The parts of the work, sources first. Empty while there is nothing to tell.
    fn stages(&self) -> Vec<Stage>;

    /// Rows that the statement has inserted so far; `None` when it changes no rows.
    fn rows_modified(&self) -> Option<u64> {
        None
    }
}

/// A part of a statement's work that runs in one or several tasks, as a vertex of Tez.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stage {
    /// Its name, such as `Map 1`.
    pub name: String,
    /// How many tasks it has.
    pub tasks: usize,
    /// How many of them run.
    pub tasks_running: usize,
    /// How many of them have ended.
    pub tasks_done: usize,
    /// Rows that it has read from its sources.
    pub rows: Amount,
    /// Bytes that it has read from its sources.
    pub bytes: Amount,
}

/// How much is done, and how much it may be in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// Done so far.
    pub done: u64,
    /// An estimate of the whole; `None` when nobody knows.
    pub expected: Option<u64>,
}

impl Amount {
    /// The part that is done, 0 to 1.
    #[must_use]
    pub fn fraction(self) -> Option<f64> {
        let expected = self.expected.filter(|expected| *expected > 0)?;
        Some((self.done as f64 / expected as f64).min(1.0))
    }
}

impl Stage {
    /// The part of the stage that is done, 0 to 1: what the best of its measures says.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        let tasks = match self.tasks {
            0 => 0.0,
            tasks => self.tasks_done as f64 / tasks as f64,
        };
        let read = self
            .rows
            .fraction()
            .into_iter()
            .chain(self.bytes.fraction());
        read.fold(tasks.min(1.0), f64::max)
    }

    /// The part of a whole statement that is done, 0 to 1.
    #[must_use]
    pub fn fraction_of_all(stages: &[Self]) -> f64 {
        match stages.len() {
            0 => 0.0,
            count => stages.iter().map(Self::fraction).sum::<f64>() / count as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_measure_counts_and_estimates_that_were_too_low_end_at_one() {
        let mut stage = Stage {
            tasks: 4,
            tasks_done: 1,
            ..Stage::default()
        };
        assert_eq!(stage.fraction(), 0.25);
        stage.rows = Amount {
            done: 50,
            expected: Some(100),
        };
        assert_eq!(stage.fraction(), 0.5);
        stage.bytes = Amount {
            done: 300,
            expected: Some(200),
        };
        assert_eq!(stage.fraction(), 1.0);
        assert_eq!(Stage::fraction_of_all(&[stage, Stage::default()]), 0.5);
        assert_eq!(Stage::fraction_of_all(&[]), 0.0);
    }
}
