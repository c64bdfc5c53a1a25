//! Results in temporary files.
//!
//! The rows of a result go to a file of checksummed pages as fast as the engine makes them, and to the client from
//! there as fast as it asks. So a result of any size takes the memory of one page on each side, it can be read from
//! its first row again, and the engine is done when it is done, however slow the client is.
//!
//! A page holds columns in the bytes that the wire wants ([`WireColumn`]): to answer a fetch is to copy ranges of it.
//! The checksum is compared, and every length, before a page is used; what a disk or a person has changed is an error
//! that names the page's place in the file, never a row. The layout is drawn in [`Page`].
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use hs2_node::spool::SpoolDir;
//! use hs2_proto::rowset::{ColumnKind, WireBatch, WireColumn};
//!
//! let root = tempfile::tempdir()?;
//! let dir = SpoolDir::open(root.path())?;
//! let (mut writer, spool) = dir.create("query-1", vec![ColumnKind::Byte])?;
//! let column = WireColumn { kind: ColumnKind::Byte, values: vec![1, 2, 3], offsets: vec![], nulls: vec![] };
//! writer.write(&WireBatch { rows: 3, columns: vec![column] })?;
//!
//! // The first page is there although the result has not ended.
//! let mut reader = spool.reader()?;
//! let rows = reader.next(2).await?.expect("rows");
//! assert_eq!((rows.first_row(), rows.columns()?[0].values()), (0, &[1, 2][..]));
//! writer.finish()?;
//! assert_eq!(reader.next(1000).await?.expect("rows").columns()?[0].values(), [3]);
//! assert!(reader.next(1000).await?.is_none());
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(example()).expect("rows");
//! ```
//!
//! [`WireColumn`]: hs2_proto::rowset::WireColumn
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::expect_used,
        clippy::panic,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )
)]

mod builder;
mod dir;
mod page;
mod reader;
mod room;
#[cfg(test)]
mod tests;
mod writer;

pub use dir::{Spool, SpoolDir};
pub use page::{Page, PageProblem};
pub use reader::{Rows, SpoolReader};
pub use room::SpoolLimits;
pub use writer::SpoolWriter;

use std::io;
use std::path::PathBuf;

/// Bytes of rows in a page, at most, unless one row alone has more.
pub const PAGE_BYTES_MAX: usize = 1 << 20;
/// Rows in a page, at most.
pub const PAGE_ROWS_MAX: usize = 1 << 16;
/// Bytes of one row, at most (64 MiB): clients refuse messages of 100 MiB.
pub const ROW_BYTES_MAX: usize = 64 << 20;

/// Why a result cannot be written or read. It is the end of that result and of nothing else.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// The disk is full.
    #[error(
        "the disk of the result folder {} is full: free space there, or set hive.exec.scratchdir to a larger one",
        path.display()
    )]
    DiskFull {
        /// The folder.
        path: PathBuf,
    },
    /// All results together would take more than they may.
    #[error(
        "the results on this node take {taken} bytes, and {limit} are allowed (hs2.node.results.size.max): close some, select less, or raise it"
    )]
    NodeFull {
        /// Bytes that they take.
        taken: u64,
        /// Bytes that they may take. Large results have to leave an eighth of them to small ones.
        limit: u64,
    },
    /// The result would take more than one may.
    #[error(
        "the result has more than {limit} bytes, which is what one may have (hs2.node.result.size.max): select less, or write it to a table"
    )]
    ResultTooLarge {
        /// Bytes that it may take.
        limit: u64,
    },
    /// The operating system refused something.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was to be done.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The bytes on disk are not those that were written.
    #[error(
        "the result's page at byte {offset} of its file is damaged ({problem}): run the statement again"
    )]
    Damaged {
        /// Where in the file the page begins.
        offset: u64,
        /// What is wrong with it.
        problem: PageProblem,
    },
    /// A row is larger than any page may be.
    #[error(
        "row {row} of the result has {bytes} bytes, {ROW_BYTES_MAX} are allowed: select less of it"
    )]
    RowTooLarge {
        /// The row, from 0.
        row: u64,
        /// Its size.
        bytes: usize,
    },
    /// The writer was dropped before the result's end.
    #[error("the result was given up before its end")]
    Abandoned,
    /// A batch does not have the columns of the result.
    #[error("a batch of the result has other columns than its schema says")]
    Columns,
}

impl SpoolError {
    fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        if source.kind() == io::ErrorKind::StorageFull
            || source.kind() == io::ErrorKind::QuotaExceeded
        {
            let path = path.parent().map(PathBuf::from).unwrap_or(path);
            Self::DiskFull { path }
        } else {
            Self::Io {
                action,
                path,
                source,
            }
        }
    }
}

/// How far a result's file is. The writer publishes it, readers wait for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Progress {
    /// Bytes of whole pages.
    bytes: u64,
    /// Rows in them.
    rows: u64,
    /// Nothing follows.
    complete: bool,
}
