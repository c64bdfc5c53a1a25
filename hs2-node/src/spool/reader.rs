//! The side of a result's file where rows are taken.

use bytes::{Bytes, BytesMut};
use hs2_proto::rowset::{ColumnKind, ColumnSlice, RowSetError};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{PAGE_BYTES_MAX, Page, PageProblem, Progress, SpoolError};

/// Reads one result from its first row to its last, while it is being written or after. It keeps the page that it is
/// in the middle of, and the memory of the one before. What the operating system still has in memory is read at once,
/// since to have another thread do it would take longer; what it must get from the disk is waited for elsewhere, and the
/// page behind it is read meanwhile.
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
    /// The page behind it, where it has to come from the disk.
    ahead: Option<Ahead>,
    /// The last page came from the disk.
    cold: bool,
    /// The page before, whose rows may still be in use.
    used: Option<Arc<Page>>,
}

/// A page that is being read, or was.
#[derive(Debug)]
struct Ahead {
    offset: u64,
    read: JoinHandle<Result<Page, SpoolError>>,
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
            ahead: None,
            cold: false,
            used: None,
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
        let behind = self.offset.saturating_add(page.len() as u64);
        let written = self.progress.borrow().bytes;
        if self.cold && written > behind {
            self.read_ahead(behind, written);
        }
        if end < page.rows() {
            (self.taken, self.page) = (end, Some(Arc::clone(&page)));
        } else {
            self.offset = behind;
            self.page_row = self.page_row.saturating_add(page.rows() as u64);
            (self.taken, self.used) = (0, Some(Arc::clone(&page)));
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
        (self.offset, self.page_row, self.taken) = (0, 0, 0);
        self.release();
    }

    /// Lets go of all pages. The next rows are the same; their page is read again.
    pub fn release(&mut self) {
        (self.page, self.ahead, self.used) = (None, None, None);
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
        if bytes <= offset {
            return Ok(None);
        }
        let cached = match &self.ahead {
            Some(_) => None,
            None => self.read_cached(offset, bytes),
        };
        self.cold = cached.is_none();
        let page = match cached {
            Some(page) => page,
            None => {
                // Kept until it has ended, so that nothing is lost when this is dropped.
                let read = (&mut self.read_ahead(offset, bytes).read).await;
                self.ahead = None;
                read.map_err(|_| SpoolError::Abandoned)??
            }
        };
        self.check(&page)
            .map_err(|problem| SpoolError::Damaged { offset, problem })?;
        Ok(Some(Arc::new(page)))
    }

    /// The page at `offset`, if all of it is in memory. Whatever else is wrong, the other way finds out.
    fn read_cached(&mut self, offset: u64, written: u64) -> Option<Page> {
        let available = written.saturating_sub(offset).min(CACHED_BYTES_MAX);
        let read = |bytes: &mut [u8]| cached::read_exact_at(&self.file, bytes, offset);
        let memory = reuse(self.used.take());
        read_page(read, || 0, &self.path, offset, available, memory).ok()
    }

    /// Has the page at `offset` read, unless it is being read already; `written` bytes are in the file.
    fn read_ahead(&mut self, offset: u64, written: u64) -> &mut Ahead {
        let ahead = self.ahead.take().filter(|ahead| ahead.offset == offset);
        let ahead = ahead.unwrap_or_else(|| {
            let (file, path) = (Arc::clone(&self.file), self.path.clone());
            let memory = reuse(self.used.take());
            let available = written.saturating_sub(offset);
            let read = spawn_blocking(move || {
                let read = |bytes: &mut [u8]| file.read_exact_at(bytes, offset);
                let length = || file.metadata().map_or(0, |data| data.len());
                read_page(read, length, &path, offset, available, memory)
            });
            Ahead { offset, read }
        });
        self.ahead.insert(ahead)
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

/// A larger page, of one large row, is not read where nothing may block.
const CACHED_BYTES_MAX: u64 = 2 * PAGE_BYTES_MAX as u64;

/// The memory of a page that nobody uses any more.
fn reuse(page: Option<Arc<Page>>) -> BytesMut {
    page.and_then(Arc::into_inner)
        .and_then(|page| page.into_memory().try_into_mut().ok())
        .filter(|bytes| bytes.capacity() <= 2 * PAGE_BYTES_MAX)
        .unwrap_or_default()
}

/// Reads the page at `offset` with `read`, into the memory of another. Behind `offset`, `available` bytes have been
/// written; how many are there, `file_length` knows.
fn read_page(
    read: impl Fn(&mut [u8]) -> io::Result<()>,
    file_length: impl Fn() -> u64,
    path: &Path,
    offset: u64,
    available: u64,
    mut bytes: BytesMut,
) -> Result<Page, SpoolError> {
    let damaged = |problem| SpoolError::Damaged { offset, problem };
    let read = |bytes: &mut [u8]| match read(bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            let actual = file_length().saturating_sub(offset);
            let actual = usize::try_from(actual).unwrap_or(usize::MAX);
            Err(damaged(PageProblem::Truncated {
                expected: bytes.len(),
                actual,
            }))
        }
        Err(error) => Err(SpoolError::io("read the result file", path, error)),
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
    bytes.resize(length, 0);
    read(&mut bytes)?;
    Page::decode(bytes.freeze()).map_err(damaged)
}

/// Reading without waiting for a disk.
mod cached {
    use std::fs::File;
    use std::io;

    /// As `FileExt::read_exact_at`, or an error where not all of it is in memory.
    #[cfg(target_os = "linux")]
    pub(super) fn read_exact_at(
        file: &File,
        mut bytes: &mut [u8],
        mut offset: u64,
    ) -> io::Result<()> {
        use rustix::io::{ReadWriteFlags, preadv2};
        while !bytes.is_empty() {
            let mut parts = [io::IoSliceMut::new(bytes)];
            let count = preadv2(file, &mut parts, offset, ReadWriteFlags::NOWAIT)?;
            let rest = bytes.get_mut(count..).unwrap_or_default();
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            (bytes, offset) = (rest, offset.saturating_add(count as u64));
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn read_exact_at(_: &File, _: &mut [u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
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

    /// The memory that the columns lie in, to be shared.
    #[must_use]
    pub fn memory(&self) -> Bytes {
        self.page.memory()
    }

    /// The columns, borrowed from the page.
    ///
    /// # Errors
    /// A text of the page has an offset outside of the page (only a writer's fault, as the checksum was true).
    pub fn columns(&self) -> Result<Vec<ColumnSlice<'_>>, RowSetError> {
        self.page.columns(self.rows.clone())
    }
}
