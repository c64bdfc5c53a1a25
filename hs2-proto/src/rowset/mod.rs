//! Row sets: the values of a result as they lie on the wire.
//!
//! A row set travels in one of two layouts (`TRowSet` of `TCLIService.thrift`): sessions of protocol V6 and
//! later get *columns*, one list of values and one bitmap of NULLs each; V1 to V5 get *rows* of one union per
//! value. Both are written here from the same bytes: a [`WireColumn`] holds each element exactly as a column
//! list carries it, so that a columnar row set is a copy of byte ranges, and rows are made by walking them.
//!
//! ```
//! use hs2_proto::rowset::{ColumnKind, RowSetLayout, WireBatch, WireColumn, write_row_set};
//!
//! // `[1, NULL, 3]` as INT.
//! let column = WireColumn {
//!     kind: ColumnKind::I32,
//!     values: vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3],
//!     offsets: Vec::new(),
//!     nulls: vec![0b010],
//! };
//! let batch = WireBatch { rows: 3, columns: vec![column] };
//!
//! // The last two rows, as the second FetchResults of a client with a small fetch size sees them.
//! let columns = batch.slice(1..3)?;
//! let mut out = Vec::new();
//! write_row_set(&mut out, 1, 2, &columns, RowSetLayout::Columnar)?;
//! assert!(out.ends_with(&[0, 0, 0, 3, 0x0b, 0, 2, 0, 0, 0, 1, 0b01, 0, 0, 0]));
//! # Ok::<(), hs2_proto::rowset::RowSetError>(())
//! ```

#[cfg(feature = "arrow")]
pub mod arrow;
mod column;
mod compact;
mod nulls;
mod output;
mod read;
mod write;

pub use column::{ColumnKind, ColumnSlice, WireBatch, WireColumn};
pub use output::{Mark, Output, Pieces};
pub use read::{Cell, Column, RowSet};
pub use write::{RowSetLayout, row_set_len, write_row_set};

/// Why a row set could not be written, sliced or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowSetError {
    /// The rows asked for are not in the column.
    #[error("rows {start}..{end} asked of a column that has {rows}")]
    OutOfRange {
        /// First row asked for.
        start: usize,
        /// Row after the last one asked for.
        end: usize,
        /// Rows that are there.
        rows: usize,
    },
    /// The bytes do not hold the number of elements they are said to hold.
    #[error("{rows} {kind:?} elements cannot lie in {actual} bytes")]
    Length {
        /// Kind of the column.
        kind: ColumnKind,
        /// Elements the bytes should hold.
        rows: usize,
        /// Bytes given.
        actual: usize,
    },
    /// The columns of one row set have different numbers of rows.
    #[error("column {column} has {actual} rows, the row set has {expected}")]
    RowCount {
        /// Index of the column, from 0.
        column: usize,
        /// Rows of the row set.
        expected: usize,
        /// Rows of the column.
        actual: usize,
    },
    /// An element's length field points outside of the column's bytes.
    #[error(
        "element {row} of column {column} is damaged: its length does not fit the column's bytes"
    )]
    Element {
        /// Index of the column, from 0.
        column: usize,
        /// Row of the element, from the start of the slice.
        row: usize,
    },
    /// More than a Thrift list can count.
    #[error("{count} entries are more than one row set can carry ({limit})")]
    TooLarge {
        /// Entries there are.
        count: usize,
        /// Entries that fit.
        limit: usize,
    },
}
