//! The end of a result's file where pages are added.

use hs2_proto::rowset::{ColumnKind, WireBatch};
use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

use super::builder::{PageBuilder, bytes_of};
use super::room::Share;
use super::{PAGE_BYTES_MAX, PAGE_ROWS_MAX, Page, Progress, ROW_BYTES_MAX, SpoolError};

/// Writes one result. Its methods block on the disk; what they cost is the copy to the page cache.
///
/// Batches are gathered to pages of [`PAGE_BYTES_MAX`] or [`PAGE_ROWS_MAX`], but the first batch becomes a page at
/// once, so that its reader does not wait for more. Dropped without [`SpoolWriter::finish`], the readers get
/// [`SpoolError::Abandoned`] where the pages end.
#[derive(Debug)]
pub struct SpoolWriter {
    file: Arc<File>,
    share: Arc<Share>,
    path: PathBuf,
    builder: PageBuilder,
    page: Vec<u8>,
    progress: watch::Sender<Progress>,
    published: Progress,
}

impl SpoolWriter {
    pub(super) fn new(
        file: Arc<File>,
        path: PathBuf,
        kinds: &[ColumnKind],
        progress: watch::Sender<Progress>,
        share: Arc<Share>,
    ) -> Self {
        let (builder, published) = (PageBuilder::new(kinds), *progress.borrow());
        Self {
            file,
            share,
            path,
            builder,
            page: Vec::new(),
            progress,
            published,
        }
    }

    /// Adds a batch.
    ///
    /// # Errors
    /// The disk refuses, the batch has other columns, or a row is too large.
    pub fn write(&mut self, batch: &WireBatch) -> Result<(), SpoolError> {
        if !self.builder.accepts(batch) {
            return Err(SpoolError::Columns);
        }
        let mut start = 0;
        while start < batch.rows {
            let end = self.end_of_page(batch, start)?;
            self.builder.append(batch, start..end);
            start = end;
            if start < batch.rows
                || self.builder.rows() >= page_rows(batch)
                || self.builder.bytes() >= PAGE_BYTES_MAX
            {
                self.flush()?;
            }
        }
        if self.published.rows == 0 {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Makes a page of what is gathered, if anything is.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn flush(&mut self) -> Result<(), SpoolError> {
        if self.builder.rows() == 0 {
            return Ok(());
        }
        self.page.clear();
        let encoded = Page::encode(
            &mut self.page,
            self.published.rows,
            self.builder.rows(),
            self.builder.columns(),
        );
        encoded.map_err(|problem| SpoolError::Damaged {
            offset: self.published.bytes,
            problem,
        })?;
        self.share.take(self.page.len() as u64)?;
        self.file
            .as_ref()
            .write_all(&self.page)
            .map_err(|error| SpoolError::io("write the result file", &self.path, error))?;
        self.published.bytes += self.page.len() as u64;
        self.published.rows += self.builder.rows() as u64;
        self.builder.clear();
        self.progress.send_replace(self.published);
        // One row of many megabytes should not stay in memory for the rest of the result.
        self.page.shrink_to(2 * PAGE_BYTES_MAX);
        Ok(())
    }

    /// Writes what is left and says that nothing follows.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn finish(mut self) -> Result<(), SpoolError> {
        self.flush()?;
        self.published.complete = true;
        self.progress.send_replace(self.published);
        Ok(())
    }

    /// True when rows are gathered that no reader sees yet.
    #[must_use]
    pub fn has_pending_rows(&self) -> bool {
        self.builder.rows() > 0
    }

    /// Rows that readers can see.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.published.rows
    }

    /// The row after the last one of `batch` that still fits the page begun; a page takes one row at least.
    fn end_of_page(&mut self, batch: &WireBatch, start: usize) -> Result<usize, SpoolError> {
        let rows_max = page_rows(batch).saturating_sub(self.builder.rows());
        let last = batch.rows.min(start.saturating_add(rows_max));
        let room = PAGE_BYTES_MAX.saturating_sub(self.builder.bytes());
        let end = largest(start..last, |end| bytes_of(batch, start..end) <= room);
        if end > start {
            return Ok(end);
        }
        if self.builder.rows() > 0 {
            self.flush()?;
            return self.end_of_page(batch, start);
        }
        match bytes_of(batch, start..start + 1) {
            bytes if bytes > ROW_BYTES_MAX => Err(SpoolError::RowTooLarge {
                row: self.published.rows,
                bytes,
            }),
            _ => Ok(start + 1),
        }
    }
}

/// How many rows like these a page takes: a multiple of what clients fetch at a time, 10,000 or 1,000, where that many
/// fit, so that no page ends with a fetch of a few rows.
fn page_rows(batch: &WireBatch) -> usize {
    let bytes = bytes_of(batch, 0..batch.rows).max(1);
    let fit = (batch.rows.saturating_mul(PAGE_BYTES_MAX) / bytes).min(PAGE_ROWS_MAX);
    let step = [10_000, 1_000].into_iter().find(|step| *step <= fit);
    step.map_or(PAGE_ROWS_MAX, |step| fit - fit % step)
}

/// The largest `end` in `range.start ..= range.end` that fits; what fits at one end fits at all before it.
fn largest(range: Range<usize>, fits: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (range.start, range.end);
    if fits(high) {
        return high;
    }
    while low + 1 < high {
        let middle = low.midpoint(high);
        if fits(middle) {
            low = middle
        } else {
            high = middle
        }
    }
    low
}
