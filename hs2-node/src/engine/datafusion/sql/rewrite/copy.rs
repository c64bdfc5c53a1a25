//! Copies of what a statement holds. Hive's meaning of `BETWEEN`, `nullif` and others needs an operand twice; nested in
//! each other they would double the tree with every level, so that a short statement takes all memory.

use std::fmt::{self, Display, Write};

use crate::engine::EngineError;
use crate::engine::datafusion::error;

/// How long all copies of one statement may be together, as text: planning so much takes seconds.
const COPIED_BYTES_MAX: usize = 256 << 10;

/// How much one statement may still copy.
#[derive(Debug)]
pub(super) struct Copies {
    bytes_left: usize,
}

impl Default for Copies {
    fn default() -> Self {
        Self {
            bytes_left: COPIED_BYTES_MAX,
        }
    }
}

impl Copies {
    /// A copy of a part of the statement.
    ///
    /// # Errors
    /// The statement's copies are too long together.
    pub(super) fn of<T: Clone + Display>(&mut self, part: &T) -> Result<T, EngineError> {
        // The text is measured and not kept; measuring stops where the limit is.
        match write!(self, "{part}") {
            Ok(()) => Ok(part.clone()),
            Err(fmt::Error) => Err(error::unsupported(
                None,
                "the statement is too complex: BETWEEN, CASE, coalesce, nullif, greatest, avg and OVER repeat what they \
                 stand around, and nested in each other that grows too long: move the inner ones into a subquery",
            )),
        }
    }

    /// As [`Self::of`], for each of `parts`.
    pub(super) fn all<'a, T: Clone + Display + 'a>(
        &mut self,
        parts: impl IntoIterator<Item = &'a T>,
    ) -> Result<Vec<T>, EngineError> {
        parts.into_iter().map(|part| self.of(part)).collect()
    }
}

impl Write for Copies {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes_left = self.bytes_left.checked_sub(text.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}
