//! The log of one operation, which clients fetch like rows.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Lines of one operation, at most; later ones are dropped.
const LINES_MAX: usize = 1000;
/// Characters of one line, at most.
const LINE_CHARS_MAX: usize = 4000;

/// Lines as Hive writes them, `INFO  : text`, and how far they were read.
#[derive(Debug)]
pub(crate) struct OperationLog(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<String>,
    next: usize,
    off: bool,
}

impl OperationLog {
    /// An empty log. If it is not `enabled`, it stays empty.
    pub(crate) fn new(enabled: bool) -> Self {
        Self(Mutex::new(Lines {
            off: !enabled,
            ..Lines::default()
        }))
    }

    pub(crate) fn info(&self, text: &str) {
        self.add("INFO  : ", text);
    }

    pub(crate) fn error(&self, text: &str) {
        self.add("ERROR : ", text);
    }

    /// One event is one line, whatever the text holds.
    fn add(&self, level: &str, text: &str) {
        let mut inner = self.lock();
        if !inner.off && inner.lines.len() < LINES_MAX {
            let text = text
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .take(LINE_CHARS_MAX);
            inner.lines.push(level.chars().chain(text).collect());
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_once_unless_asked_from_the_start() {
        let log = OperationLog::new(true);
        log.info("one\ntwo");
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
}
