//! The log of one operation, which clients fetch like rows.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Lines of one operation, at most; later ones are dropped.
const LINES_MAX: usize = 1000;
/// Characters of one line, at most.
const LINE_CHARS_MAX: usize = 4000;

/// How much a log tells: `hive.server2.logging.operation.level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LogLevel {
    /// Nothing.
    None,
    /// When a statement was compiled and executed, and how it ended.
    Execution,
    /// Also when the first rows came, and what each stage read.
    Performance,
}

impl LogLevel {
    /// The level of Hive's name. VERBOSE tells no more than PERFORMANCE here.
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "NONE" => Self::None,
            "PERFORMANCE" | "VERBOSE" => Self::Performance,
            _ => Self::Execution,
        }
    }
}

/// Lines as Hive writes them, `INFO  : text`, and how far they were read.
#[derive(Debug)]
pub(crate) struct OperationLog {
    level: LogLevel,
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<String>,
    next: usize,
}

impl OperationLog {
    /// An empty log that takes what this level tells.
    pub(crate) fn new(level: LogLevel) -> Self {
        Self {
            level,
            lines: Mutex::default(),
        }
    }

    pub(crate) fn info(&self, text: &str) {
        self.add(LogLevel::Execution, "INFO  : ", text);
    }

    pub(crate) fn performance(&self, text: &str) {
        self.add(LogLevel::Performance, "INFO  : ", text);
    }

    pub(crate) fn error(&self, text: &str) {
        self.add(LogLevel::Execution, "ERROR : ", text);
    }

    /// One event is one line, whatever the text holds.
    fn add(&self, level: LogLevel, prefix: &str, text: &str) {
        if level > self.level {
            return;
        }
        let mut inner = self.lock();
        if inner.lines.len() < LINES_MAX {
            inner.lines.push(format!("{prefix}{}", one_line(text)));
        }
    }

    /// The next lines, at most `lines_max`, and the number of the first from 0; from the start when `rewind`.
    pub(crate) fn read(&self, rewind: bool, lines_max: usize) -> (usize, Vec<String>) {
        let mut inner = self.lock();
        let first = if rewind { 0 } else { inner.next };
        let lines: Vec<_> = inner
            .lines
            .iter()
            .skip(first)
            .take(lines_max)
            .cloned()
            .collect();
        inner.next = first + lines.len();
        (first, lines)
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A text as one line of bounded length.
pub(crate) fn one_line(text: &str) -> String {
    let characters = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LINE_CHARS_MAX);
    characters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_once_unless_asked_from_the_start() {
        let log = OperationLog::new(LogLevel::Execution);
        log.info("one\ntwo");
        log.performance("not told");
        log.error("three");
        assert_eq!(log.read(false, 1), (0, vec!["INFO  : one two".to_owned()]));
        assert_eq!(log.read(false, 9), (1, vec!["ERROR : three".to_owned()]));
        assert_eq!(log.read(false, 9), (2, vec![]));
        assert_eq!(log.read(true, 9).1.len(), 2);
        for _ in 0..LINES_MAX {
            log.info("more");
        }
        assert_eq!(log.read(true, usize::MAX).1.len(), LINES_MAX);
    }

    #[test]
    fn levels_by_hives_names() {
        for (name, lines) in [
            ("NONE", 0),
            ("EXECUTION", 1),
            ("PERFORMANCE", 2),
            ("VERBOSE", 2),
        ] {
            let log = OperationLog::new(LogLevel::of(name));
            log.info("one");
            log.performance("two");
            assert_eq!(log.read(true, 9).1.len(), lines, "{name}");
        }
    }
}
