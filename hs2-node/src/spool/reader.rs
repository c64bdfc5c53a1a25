//! The side of a result's file where rows are taken.

use hs2_proto::rowset::{ColumnKind, ColumnSlice, RowSetError};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

use super::{Page, PageProblem, Progress, SpoolError};

/// Reads one result from its first row to its last, while it is being written or after. It keeps the page that it is
/// in the middle of, and no other.
#[derive(Debug)]
pub struct SpoolReader {
    file: Arc<File>,
    path: PathBuf,
    kinds: Arc<[ColumnKind]>,
    progress: watch::Receiver<Progress>,
    /// Where the page of the next row begins.
    offset: u64,
    /// The row that this page begins with.
    page_row: u64,
    /// How many of its rows were taken.
    taken: usize,
    /// The page itself, once a part of it was taken.
    page: Option<Arc<Page>>,
}

impl SpoolReader {
    pub(super) const fn new(
        file: Arc<File>,
        path: PathBuf,
        kinds: Arc<[ColumnKind]>,
        progress: watch::Receiver<Progress>,
    ) -> Self {
        Self {
            file,
            path,
            kinds,
            progress,
            offset: 0,
            page_row: 0,
            taken: 0,
            page: None,
        }
    }

    /// The next rows, at most `rows_max` and at least one (so `rows_max` must not be 0), or `None` at the result's
    /// end. Waits while there are none yet. Rows of one page only: often fewer than asked.
    ///
    /// # Errors
    /// [`SpoolError::Damaged`], the disk refuses, or [`SpoolError::Abandoned`]. Asked again after an error, it tries
    /// again at the same place.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, no row is lost.
    pub async fn next(&mut self, rows_max: usize) -> Result<Option<Rows>, SpoolError> {
        let page = match self.page.take() {
            Some(page) => page,
            None => match self.read().await? {
                Some(page) => page,
                None => return Ok(None),
            },
        };
        let (start, end) = (
            self.taken,
            page.rows().min(self.taken.saturating_add(rows_max)),
        );
        if end < page.rows() {
            (self.taken, self.page) = (end, Some(Arc::clone(&page)));
        } else {
            self.offset = self.offset.saturating_add(page.len() as u64);
            self.page_row = self.page_row.saturating_add(page.rows() as u64);
            self.taken = 0;
        }
        let more = self.page.is_some() || self.may_have_page();
        Ok(Some(Rows {
            page,
            rows: start..end,
            more,
        }))
    }

    /// Goes back to the first row.
    pub fn rewind(&mut self) {
        (self.offset, self.page_row, self.taken, self.page) = (0, 0, 0, None);
    }

    /// Lets go of the page that was begun. The next rows are the same; their page is read again.
    pub fn release(&mut self) {
        self.page = None;
    }

    /// The row that [`Self::next`] begins with, from 0.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.page_row.saturating_add(self.taken as u64)
    }

    fn may_have_page(&self) -> bool {
        let progress = *self.progress.borrow();
        !progress.complete || self.offset < progress.bytes
    }

    /// Reads the page of the next row, when there is one.
    async fn read(&mut self) -> Result<Option<Arc<Page>>, SpoolError> {
        let offset = self.offset;
        let ready = self
            .progress
            .wait_for(|progress| progress.bytes > offset || progress.complete)
            .await;
        let bytes = ready
            .map(|progress| progress.bytes)
            .map_err(|_| SpoolError::Abandoned)?;
        let available = bytes.saturating_sub(offset);
        if available == 0 {
            return Ok(None);
        }
        let (file, path) = (Arc::clone(&self.file), self.path.clone());
        let read =
            tokio::task::spawn_blocking(move || read_page(&file, path, offset, available)).await;
        let page = read.map_err(|_| SpoolError::Abandoned)??;
        self.check(&page)
            .map_err(|problem| SpoolError::Damaged { offset, problem })?;
        Ok(Some(Arc::new(page)))
    }

    /// Whether a sound page is the one that belongs here.
    fn check(&self, page: &Page) -> Result<(), PageProblem> {
        if page.first_row() != self.page_row {
            Err(PageProblem::Row {
                expected: self.page_row,
                actual: page.first_row(),
            })
        } else if page.rows() <= self.taken {
            Err(PageProblem::Layout("row count"))
        } else if !page.kinds().eq(self.kinds.iter().copied()) {
            Err(PageProblem::Layout("column kind"))
        } else {
            Ok(())
        }
    }
}

/// Reads the page at `offset`, behind which `available` bytes have been written.
fn read_page(file: &File, path: PathBuf, offset: u64, available: u64) -> Result<Page, SpoolError> {
    let damaged = |problem| SpoolError::Damaged { offset, problem };
    let read = |bytes: &mut [u8]| match file.read_exact_at(bytes, offset) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            let actual = file
                .metadata()
                .map_or(0, |data| data.len().saturating_sub(offset));
            let actual = usize::try_from(actual).unwrap_or(usize::MAX);
            Err(damaged(PageProblem::Truncated {
                expected: bytes.len(),
                actual,
            }))
        }
        Err(error) => Err(SpoolError::io("read the result file", &path, error)),
        Ok(()) => Ok(()),
    };
    let mut header = [0; Page::HEADER_BYTES];
    read(&mut header)?;
    let length = Page::length(header).map_err(damaged)?;
    if length as u64 > available {
        let actual = usize::try_from(available).unwrap_or(usize::MAX);
        return Err(damaged(PageProblem::Truncated {
            expected: length,
            actual,
        }));
    }
    let mut bytes = vec![0; length];
    read(&mut bytes)?;
    Page::decode(bytes).map_err(damaged)
}

/// Rows of a result: a part of one page.
#[derive(Debug, Clone)]
pub struct Rows {
    page: Arc<Page>,
    rows: Range<usize>,
    more: bool,
}

impl Rows {
    /// The first of them, counted from the result's first row, 0.
    #[must_use]
    pub fn first_row(&self) -> u64 {
        self.page.first_row().saturating_add(self.rows.start as u64)
    }

    /// How many they are, never 0.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// False.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// False when they are the last, true when more follow or may follow.
    #[must_use]
    pub const fn more(&self) -> bool {
        self.more
    }

    /// The columns, borrowed from the page.
    ///
    /// # Errors
    /// A text of the page has an offset outside of the page (only a writer's fault, as the checksum was true).
    pub fn columns(&self) -> Result<Vec<ColumnSlice<'_>>, RowSetError> {
        self.page.columns(self.rows.clone())
    }
}
