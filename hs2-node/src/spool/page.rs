//! One page: how it lies in the file, and what is checked before it is used.

use bytes::Bytes;
use hs2_proto::rowset::{ColumnKind, ColumnSlice, RowSetError, WireColumn};
use std::ops::Range;

use super::ROW_BYTES_MAX;

/// Some consecutive rows of a result, as read from its file and checked.
///
/// All numbers are little endian but those inside values, which are the wire's.
///
/// ```text
/// offset  bytes
///      0  4      magic "HS2P"
///      4  4      CRC-32 of all that follows, to the end of the page
///      8  4      format version, 1
///     12  4      bytes after this header
///     16  8      row of the result that the page begins with
///     24  4      rows
///     28  4      columns
///     32         directory: for each column
///                  4  kind, the field id of its TColumn member
///                  4  bytes of offsets: (rows + 1) * 4, or 0 where the kind has a width
///                  4  bytes of nulls: rows / 8 rounded up, or 0 when no row is NULL
///                  4  bytes of values
///                then for each column its offsets, its nulls, its values
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    bytes: Bytes,
    first_row: u64,
    rows: usize,
    columns: Vec<Column>,
}

/// Where the parts of a column lie in the page.
#[derive(Debug, PartialEq, Eq)]
struct Column {
    kind: ColumnKind,
    offsets: Range<usize>,
    nulls: Range<usize>,
    values: Range<usize>,
}

/// What can be wrong with the bytes of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PageProblem {
    /// The file ends before the page does.
    #[error("{expected} bytes should be there, {actual} are")]
    Truncated {
        /// Bytes that the page should have.
        expected: usize,
        /// Bytes that are there.
        actual: usize,
    },
    /// The first bytes are not a page's.
    #[error("it does not begin as a page does")]
    Magic,
    /// Written by another version of this program.
    #[error("its format is {0}, this node knows {VERSION}")]
    Version(u32),
    /// Longer than pages are.
    #[error("its length says {0} bytes")]
    TooLong(u32),
    /// The bytes have changed.
    #[error("its checksum is {computed:08x} instead of {stored:08x}")]
    Checksum {
        /// As it was written.
        stored: u32,
        /// As it is.
        computed: u32,
    },
    /// The parts do not fit together.
    #[error("its {0} does not fit")]
    Layout(&'static str),
    /// Another page than the one expected.
    #[error("it begins with row {actual} instead of {expected}")]
    Row {
        /// The row after the page before.
        expected: u64,
        /// The row it begins with.
        actual: u64,
    },
}

const MAGIC: [u8; 4] = *b"HS2P";
const VERSION: u32 = 1;
const CHECKED_FROM: usize = 8;
const DIRECTORY_ENTRY_BYTES: usize = 16;
/// Offsets and nulls come on top of the values, and a page may hold one row of the largest size.
const BODY_BYTES_MAX: u32 = 2 * (64 << 20);
const _: () = assert!(BODY_BYTES_MAX as usize == 2 * ROW_BYTES_MAX);

impl Page {
    /// Bytes before the directory.
    pub const HEADER_BYTES: usize = 32;

    /// Checks a page from its first byte to its last.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(bytes: Bytes) -> Result<Self, PageProblem> {
        let mut header = Cursor {
            bytes: &bytes,
            at: 0,
        };
        let expected = Self::length(header.array()?)?;
        if bytes.len() != expected {
            return Err(PageProblem::Truncated {
                expected,
                actual: bytes.len(),
            });
        }
        let checked = bytes.get(CHECKED_FROM..).unwrap_or_default();
        let stored = u32::from_le_bytes(
            bytes
                .get(4..)
                .and_then(|crc| crc.first_chunk().copied())
                .unwrap_or_default(),
        );
        let computed = crc32fast::hash(checked);
        if stored != computed {
            return Err(PageProblem::Checksum { stored, computed });
        }
        let mut header = Cursor {
            bytes: &bytes,
            at: 16,
        };
        let first_row = u64::from_le_bytes(header.array()?);
        let (rows, count) = (header.number()?, header.number()?);
        let columns = read_directory(&mut header, rows, count)?;
        if columns.is_empty() && rows > 0 {
            // Nothing bounds their number.
            return Err(PageProblem::Layout("row count"));
        }
        Ok(Self {
            first_row,
            rows,
            columns,
            bytes,
        })
    }

    /// Bytes of the whole page, from its header. They are within bounds, but not yet known to be true.
    pub(super) fn length(header: [u8; Self::HEADER_BYTES]) -> Result<usize, PageProblem> {
        let [
            m0,
            m1,
            m2,
            m3,
            _,
            _,
            _,
            _,
            v0,
            v1,
            v2,
            v3,
            b0,
            b1,
            b2,
            b3,
            ..,
        ] = header;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(PageProblem::Magic);
        }
        let version = u32::from_le_bytes([v0, v1, v2, v3]);
        if version != VERSION {
            return Err(PageProblem::Version(version));
        }
        match u32::from_le_bytes([b0, b1, b2, b3]) {
            body if body > BODY_BYTES_MAX => Err(PageProblem::TooLong(body)),
            body => Ok(Self::HEADER_BYTES + body as usize),
        }
    }

    /// Appends a page with these columns, which have `rows` rows each.
    ///
    /// # Errors
    /// [`PageProblem::TooLong`] or [`PageProblem::Layout`] when the columns are no page.
    pub(super) fn encode(
        out: &mut Vec<u8>,
        first_row: u64,
        rows: usize,
        columns: &[WireColumn],
    ) -> Result<(), PageProblem> {
        let start = out.len();
        let number = |n: usize| u32::try_from(n).map_err(|_| PageProblem::TooLong(u32::MAX));
        let body = columns.iter().fold(0, |sum, column| {
            sum + DIRECTORY_ENTRY_BYTES
                + column.offsets.len() * 4
                + column.nulls.len()
                + column.values.len()
        });
        let body = number(body)?;
        if body > BODY_BYTES_MAX {
            return Err(PageProblem::TooLong(body));
        }
        out.reserve(Self::HEADER_BYTES + body as usize);
        out.extend(MAGIC);
        out.extend([0; 4]);
        out.extend(VERSION.to_le_bytes());
        out.extend(body.to_le_bytes());
        out.extend(first_row.to_le_bytes());
        out.extend(number(rows)?.to_le_bytes());
        out.extend(number(columns.len())?.to_le_bytes());
        for column in columns {
            out.extend(u32::from(column.kind.union_field().unsigned_abs()).to_le_bytes());
            for part in [
                column.offsets.len() * 4,
                column.nulls.len(),
                column.values.len(),
            ] {
                out.extend(number(part)?.to_le_bytes());
            }
        }
        for column in columns {
            column
                .offsets
                .iter()
                .for_each(|offset| out.extend(offset.to_le_bytes()));
            out.extend_from_slice(&column.nulls);
            out.extend_from_slice(&column.values);
        }
        let crc = crc32fast::hash(out.get(start + CHECKED_FROM..).unwrap_or_default());
        if let Some(place) = out.get_mut(start + 4..start + CHECKED_FROM) {
            place.copy_from_slice(&crc.to_le_bytes());
        }
        Ok(())
    }

    /// The row of the result that the page begins with, from 0.
    #[must_use]
    pub const fn first_row(&self) -> u64 {
        self.first_row
    }

    /// Number of rows.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes it takes in the file.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// False: a page has a header at least.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Its memory, shared.
    pub(super) fn memory(&self) -> Bytes {
        self.bytes.clone()
    }

    /// Its memory, for another page.
    pub(super) fn into_memory(self) -> Bytes {
        self.bytes
    }

    /// What the columns are.
    pub fn kinds(&self) -> impl ExactSizeIterator<Item = ColumnKind> {
        self.columns.iter().map(|column| column.kind)
    }

    /// Some rows of the page, counted from its own first, as the wire wants them.
    ///
    /// # Errors
    /// The page does not have these rows.
    pub fn columns(&self, rows: Range<usize>) -> Result<Vec<ColumnSlice<'_>>, RowSetError> {
        if rows.start > rows.end || rows.end > self.rows {
            return Err(RowSetError::OutOfRange {
                start: rows.start,
                end: rows.end,
                rows: self.rows,
            });
        }
        self.columns
            .iter()
            .map(|column| self.column(column, &rows))
            .collect()
    }

    fn column(&self, column: &Column, rows: &Range<usize>) -> Result<ColumnSlice<'_>, RowSetError> {
        let values = self.bytes.get(column.values.clone()).unwrap_or_default();
        let range = match column.kind.width() {
            Some(width) => Some(rows.start * width..rows.end * width),
            None => self
                .offset(column, rows.start)
                .zip(self.offset(column, rows.end))
                .map(|(start, end)| start..end),
        };
        let values = range
            .and_then(|range| values.get(range))
            .ok_or(RowSetError::Length {
                kind: column.kind,
                rows: self.rows,
                actual: values.len(),
            })?;
        let nulls = self.bytes.get(column.nulls.clone()).unwrap_or_default();
        ColumnSlice::new(column.kind, values, rows.len(), nulls, rows.start)
    }

    /// Where a row's value begins, or the last one ends.
    fn offset(&self, column: &Column, row: usize) -> Option<usize> {
        let offsets = self.bytes.get(column.offsets.clone())?;
        let offset = offsets.get(row * 4..)?.first_chunk()?;
        usize::try_from(u32::from_le_bytes(*offset)).ok()
    }
}

/// Reads the directory; the parts it describes must fill the page, and each must have the length its rows need.
fn read_directory(
    directory: &mut Cursor<'_>,
    rows: usize,
    count: usize,
) -> Result<Vec<Column>, PageProblem> {
    let entries = count
        .checked_mul(DIRECTORY_ENTRY_BYTES)
        .ok_or(PageProblem::Layout("column count"))?;
    let mut at = directory
        .at
        .checked_add(entries)
        .filter(|end| *end <= directory.bytes.len());
    let mut columns = Vec::with_capacity(if at.is_some() { count } else { 0 });
    for _ in 0..columns.capacity() {
        let kind = i16::try_from(directory.number()?)
            .ok()
            .and_then(ColumnKind::from_union_field);
        let kind = kind.ok_or(PageProblem::Layout("column kind"))?;
        let lengths = [
            directory.number()?,
            directory.number()?,
            directory.number()?,
        ];
        if !lengths_fit(kind, rows, lengths) {
            return Err(PageProblem::Layout("column length"));
        }
        let mut part = |length: usize| {
            let start = at?;
            at = start
                .checked_add(length)
                .filter(|end| *end <= directory.bytes.len());
            at.map(|end| start..end)
        };
        let [offsets, nulls, values] = lengths.map(&mut part);
        let (Some(offsets), Some(nulls), Some(values)) = (offsets, nulls, values) else {
            return Err(PageProblem::Layout("directory"));
        };
        columns.push(Column {
            kind,
            offsets,
            nulls,
            values,
        });
    }
    if columns.len() == count && at == Some(directory.bytes.len()) {
        Ok(columns)
    } else {
        Err(PageProblem::Layout("directory"))
    }
}

fn lengths_fit(kind: ColumnKind, rows: usize, [offsets, nulls, values]: [usize; 3]) -> bool {
    let fits = match kind.width() {
        Some(width) => offsets == 0 && rows.checked_mul(width) == Some(values),
        None => offsets % 4 == 0 && offsets / 4 == rows.saturating_add(1) && values / 4 >= rows,
    };
    fits && (nulls == 0 || nulls == rows.div_ceil(8))
}

/// Reads numbers one after another.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], PageProblem> {
        let chunk = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk);
        let chunk = chunk.ok_or(PageProblem::Truncated {
            expected: self.at + N,
            actual: self.bytes.len(),
        })?;
        self.at += N;
        Ok(*chunk)
    }

    fn number(&mut self) -> Result<usize, PageProblem> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::builder::tests::{numbers_and_words, words_of};

    fn page() -> Vec<u8> {
        let batch = numbers_and_words(10);
        let mut bytes = Vec::new();
        Page::encode(&mut bytes, 70, batch.rows, &batch.columns).unwrap();
        bytes
    }

    #[test]
    fn what_was_written_is_read() {
        let batch = numbers_and_words(10);
        let page = Page::decode(page().into()).unwrap();
        assert_eq!((page.first_row(), page.rows()), (70, 10));
        assert_eq!(
            page.kinds().collect::<Vec<_>>(),
            [ColumnKind::I32, ColumnKind::String]
        );
        for (start, end) in [(0, 10), (0, 0), (3, 7), (9, 10), (10, 10)] {
            let columns = page.columns(start..end).unwrap();
            let expected = batch.slice(start..end).unwrap();
            for (column, expected) in columns.iter().zip(&expected) {
                assert_eq!(column.values(), expected.values());
                assert!((0..end - start).all(|row| column.is_null(row) == expected.is_null(row)));
            }
        }
        assert_eq!(words_of(&page.columns(4..7).unwrap()[1]), ["w4", "", "w6"]);
        assert!(page.columns(5..11).is_err());
    }

    #[test]
    fn every_flipped_byte_is_an_error() {
        let good = page();
        for at in 0..good.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] ^= flip;
                Page::decode(bad.into()).expect_err("a flipped byte");
            }
        }
    }

    #[test]
    fn every_cut_and_every_longer_page_is_an_error() {
        let good = page();
        for end in 0..good.len() {
            let problem = Page::decode(good[..end].to_vec().into()).unwrap_err();
            assert!(
                matches!(problem, PageProblem::Truncated { .. }),
                "{end}: {problem}"
            );
        }
        assert!(Page::decode([good, vec![0]].concat().into()).is_err());
    }

    /// With a true checksum over false numbers, so that the checks behind it are reached.
    #[test]
    fn numbers_that_do_not_fit_are_errors_even_with_a_true_checksum() {
        let good = page();
        let directory_end = Page::HEADER_BYTES + 2 * DIRECTORY_ENTRY_BYTES;
        for at in (24..directory_end).step_by(4) {
            for value in [0u32, 1, 9, 11, 0x7fff_ffff, u32::MAX] {
                let mut bad = good.clone();
                bad[at..at + 4].copy_from_slice(&value.to_le_bytes());
                if bad == good {
                    continue;
                }
                let crc = crc32fast::hash(&bad[CHECKED_FROM..]);
                bad[4..8].copy_from_slice(&crc.to_le_bytes());
                // A kind of another name but the same width is the one thing that no length tells.
                match Page::decode(bad.into()) {
                    Err(PageProblem::Layout(_)) => {}
                    other => panic!("{value} at {at}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn a_page_without_columns_or_rows() {
        let mut bytes = Vec::new();
        Page::encode(&mut bytes, 0, 0, &[]).unwrap();
        let page = Page::decode(bytes.into()).unwrap();
        assert_eq!((page.rows(), page.columns(0..0).unwrap().len()), (0, 0));

        let mut bytes = Vec::new();
        Page::encode(&mut bytes, 0, 5, &[]).unwrap();
        assert_eq!(
            Page::decode(bytes.into()),
            Err(PageProblem::Layout("row count"))
        );
    }
}
