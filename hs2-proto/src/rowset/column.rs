//! Columns in the wire's own bytes, owned and borrowed.

use super::{RowSetError, nulls};
use std::ops::Range;

/// What the elements of a column are: the member of the `TColumn` union.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// `boolVal`: one byte an element, 0 or 1.
    Bool,
    /// `byteVal`: one byte, signed.
    Byte,
    /// `i16Val`: two bytes, signed, big endian.
    I16,
    /// `i32Val`: four bytes, signed, big endian.
    I32,
    /// `i64Val`: eight bytes, signed, big endian.
    I64,
    /// `doubleVal`: eight bytes, IEEE 754, big endian.
    Double,
    /// `stringVal`: length (i32, big endian) and UTF-8 text. Also what carries decimals, dates, timestamps,
    /// intervals and complex types.
    String,
    /// `binaryVal`: length (i32, big endian) and bytes. A row-based row set carries it as `stringVal`.
    Binary,
}

impl ColumnKind {
    /// All kinds, in the order of their union members.
    pub const ALL: [Self; 8] = [
        Self::Bool,
        Self::Byte,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::Double,
        Self::String,
        Self::Binary,
    ];

    /// Bytes of one element, or `None` where each element has its own length.
    #[must_use]
    pub const fn width(self) -> Option<usize> {
        match self {
            Self::Bool | Self::Byte => Some(1),
            Self::I16 => Some(2),
            Self::I32 => Some(4),
            Self::I64 | Self::Double => Some(8),
            Self::String | Self::Binary => None,
        }
    }

    /// The field id of this kind in the `TColumn` union, 1 to 8.
    #[must_use]
    pub const fn union_field(self) -> i16 {
        match self {
            Self::Bool => 1,
            Self::Byte => 2,
            Self::I16 => 3,
            Self::I32 => 4,
            Self::I64 => 5,
            Self::Double => 6,
            Self::String => 7,
            Self::Binary => 8,
        }
    }

    /// The kind of a `TColumn` union member.
    #[must_use]
    pub const fn from_union_field(id: i16) -> Option<Self> {
        Some(match id {
            1 => Self::Bool,
            2 => Self::Byte,
            3 => Self::I16,
            4 => Self::I32,
            5 => Self::I64,
            6 => Self::Double,
            7 => Self::String,
            8 => Self::Binary,
            _ => return None,
        })
    }

    /// The Thrift type code of the list's elements.
    #[must_use]
    pub const fn element_type(self) -> u8 {
        match self {
            Self::Bool => 2,
            Self::Byte => 3,
            Self::I16 => 6,
            Self::I32 => 8,
            Self::I64 => 10,
            Self::Double => 4,
            Self::String | Self::Binary => 11,
        }
    }

    /// What stands in the place of a NULL, as element bytes: `true`, 0, or an empty string.
    #[must_use]
    pub const fn placeholder(self) -> &'static [u8] {
        match self {
            Self::Bool => &[1],
            Self::Byte => &[0],
            Self::I16 => &[0; 2],
            Self::I32 | Self::String | Self::Binary => &[0; 4],
            Self::I64 | Self::Double => &[0; 8],
        }
    }
}

/// One column of a batch, its elements exactly as a `TColumn` carries them.
///
/// The fields are public because a spool stores and reloads them; [`WireColumn::slice`] checks what it uses, so
/// a column that does not fit together is an error there and never a panic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireColumn {
    /// What the elements are.
    pub kind: ColumnKind,
    /// The elements back to back; at a NULL stands [`ColumnKind::placeholder`].
    pub values: Vec<u8>,
    /// For kinds without a width: where each row's element (its length field) starts in `values`, and the end,
    /// so rows + 1 entries. Empty for fixed widths.
    pub offsets: Vec<u32>,
    /// Bit `i % 8` of byte `i / 8` is 1 when row `i` is NULL; rows / 8 bytes rounded up, or empty when no row is.
    pub nulls: Vec<u8>,
}

impl WireColumn {
    /// Number of rows, from the lengths of the values or the offsets.
    #[must_use]
    pub const fn rows(&self) -> usize {
        match self.kind.width() {
            Some(width) => self.values.len() / width,
            None => self.offsets.len().saturating_sub(1),
        }
    }

    /// A column of `rows` NULLs.
    #[must_use]
    pub fn all_null(kind: ColumnKind, rows: usize) -> Self {
        let mut nulls = vec![0xff; rows.div_ceil(8)];
        if let (Some(last), false) = (nulls.last_mut(), rows.is_multiple_of(8)) {
            *last = (1 << (rows % 8)) - 1;
        }
        let offsets = match kind.width() {
            Some(_) => Vec::new(),
            None => (0..=rows)
                .map(|row| u32::try_from(row * 4).unwrap_or(u32::MAX))
                .collect(),
        };
        Self {
            kind,
            values: kind.placeholder().repeat(rows),
            offsets,
            nulls,
        }
    }

    /// True when row `row` is NULL.
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        nulls::is_null(&self.nulls, row)
    }

    /// The rows `rows`, borrowed.
    ///
    /// # Errors
    /// [`RowSetError::OutOfRange`] when the column does not have these rows, [`RowSetError::Length`] when its
    /// offsets do not fit its values.
    pub fn slice(&self, rows: Range<usize>) -> Result<ColumnSlice<'_>, RowSetError> {
        let total = self.rows();
        if rows.start > rows.end || rows.end > total {
            return Err(RowSetError::OutOfRange {
                start: rows.start,
                end: rows.end,
                rows: total,
            });
        }
        let bytes = match self.kind.width() {
            Some(width) => Some(rows.start * width..rows.end * width),
            None if self.offsets.is_empty() => Some(0..0),
            None => self
                .offset(rows.start)
                .zip(self.offset(rows.end))
                .map(|(start, end)| start..end),
        };
        let values = bytes
            .and_then(|range| self.values.get(range))
            .ok_or(RowSetError::Length {
                kind: self.kind,
                rows: total,
                actual: self.values.len(),
            })?;
        ColumnSlice::new(self.kind, values, rows.len(), &self.nulls, rows.start)
    }

    fn offset(&self, row: usize) -> Option<usize> {
        self.offsets
            .get(row)
            .and_then(|offset| usize::try_from(*offset).ok())
    }
}

/// Some rows of a column, borrowed from wherever their bytes are: a [`WireColumn`], or a page read from disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnSlice<'a> {
    kind: ColumnKind,
    values: &'a [u8],
    rows: usize,
    nulls: &'a [u8],
    null_bit_offset: usize,
}

impl<'a> ColumnSlice<'a> {
    /// A slice from its parts: `values` are the elements of exactly `rows` rows; bit `null_bit_offset + i` of
    /// `nulls` is 1 when row `i` of the slice is NULL. `nulls` may be empty or short: what is missing is not NULL.
    ///
    /// # Errors
    /// [`RowSetError::Length`] when `values` cannot hold `rows` elements of this kind. For kinds without a width
    /// only the least possible length is checked here; what writes rows one by one checks the rest.
    pub const fn new(
        kind: ColumnKind,
        values: &'a [u8],
        rows: usize,
        nulls: &'a [u8],
        null_bit_offset: usize,
    ) -> Result<Self, RowSetError> {
        let fits = match kind.width() {
            Some(width) => values.len().is_multiple_of(width) && values.len() / width == rows,
            None => values.len() / 4 >= rows && (rows > 0 || values.is_empty()),
        };
        if !fits {
            return Err(RowSetError::Length {
                kind,
                rows,
                actual: values.len(),
            });
        }
        Ok(Self {
            kind,
            values,
            rows,
            nulls,
            null_bit_offset,
        })
    }

    /// A slice whose values have been checked, all rows of it.
    pub(crate) const fn of_checked(
        kind: ColumnKind,
        values: &'a [u8],
        rows: usize,
        nulls: &'a [u8],
    ) -> Self {
        Self {
            kind,
            values,
            rows,
            nulls,
            null_bit_offset: 0,
        }
    }

    /// What the elements are.
    #[must_use]
    pub const fn kind(&self) -> ColumnKind {
        self.kind
    }

    /// The elements' bytes.
    #[must_use]
    pub const fn values(&self) -> &'a [u8] {
        self.values
    }

    /// Number of rows.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// True when row `row` of the slice is NULL.
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        row < self.rows && nulls::is_null(self.nulls, self.null_bit_offset + row)
    }

    /// Bytes of the bitmap that [`append_nulls`](Self::append_nulls) writes.
    pub(crate) const fn nulls_len(&self) -> usize {
        nulls::written_len(self.rows, !self.nulls.is_empty())
    }

    /// Appends the slice's own bitmap, its first row at bit 0.
    pub(crate) fn append_nulls(&self, out: &mut Vec<u8>) {
        nulls::append(out, self.nulls, self.null_bit_offset, self.rows);
    }

    /// The elements one after another; an item is `None` where an element's length does not fit.
    pub(crate) fn elements(&self) -> impl Iterator<Item = Option<&'a [u8]>> + use<'a> {
        let (kind, mut rest) = (self.kind, self.values);
        (0..self.rows).map(move |_| {
            let len = match kind.width() {
                Some(width) => width,
                None => usize::try_from(i32::from_be_bytes(*rest.first_chunk()?))
                    .ok()?
                    .checked_add(4)?,
            };
            let (element, after) = rest.split_at_checked(len)?;
            rest = after;
            Some(element)
        })
    }
}

/// The columns of some consecutive rows of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireBatch {
    /// Number of rows; each column has as many.
    pub rows: usize,
    /// The columns, in the order of the result's schema.
    pub columns: Vec<WireColumn>,
}

impl WireBatch {
    /// The rows `rows` of every column, borrowed, ready for [`write_row_set`](super::write_row_set).
    ///
    /// # Errors
    /// As [`WireColumn::slice`].
    pub fn slice(&self, rows: Range<usize>) -> Result<Vec<ColumnSlice<'_>>, RowSetError> {
        self.columns
            .iter()
            .map(|column| column.slice(rows.clone()))
            .collect()
    }

    /// Bytes the batch keeps in memory: values, offsets and bitmaps.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.columns
            .iter()
            .map(|c| c.values.len() + c.offsets.len() * 4 + c.nulls.len())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings() -> WireColumn {
        WireColumn {
            kind: ColumnKind::String,
            values: b"\0\0\0\x02ab\0\0\0\0\0\0\0\x01c".to_vec(),
            offsets: vec![0, 6, 10, 15],
            nulls: vec![0b010],
        }
    }

    #[test]
    fn a_slice_of_strings_borrows_their_bytes() {
        let column = strings();
        let slice = column.slice(1..3).unwrap();
        assert_eq!(slice.values(), b"\0\0\0\0\0\0\0\x01c");
        assert_eq!(
            (
                slice.rows(),
                slice.is_null(0),
                slice.is_null(1),
                slice.is_null(2)
            ),
            (2, true, false, false)
        );
        assert_eq!(column.slice(3..3).unwrap().values(), b"");
    }

    #[test]
    fn rows_outside_and_lengths_that_do_not_fit_are_errors() {
        assert_eq!(
            strings().slice(2..4),
            Err(RowSetError::OutOfRange {
                start: 2,
                end: 4,
                rows: 3
            })
        );
        let mut damaged = strings();
        damaged.offsets[3] = 99;
        assert_eq!(
            damaged.slice(0..3),
            Err(RowSetError::Length {
                kind: ColumnKind::String,
                rows: 3,
                actual: 15
            })
        );
        damaged.offsets[0] = 100;
        assert!(damaged.slice(0..3).is_err());
        assert!(ColumnSlice::new(ColumnKind::I32, &[0; 7], 2, &[], 0).is_err());
        assert!(ColumnSlice::new(ColumnKind::String, &[0; 7], 2, &[], 0).is_err());
    }

    #[test]
    fn a_column_of_nulls() {
        let column = WireColumn::all_null(ColumnKind::String, 10);
        assert_eq!(
            (column.rows(), column.nulls.as_slice()),
            (10, &[0xff, 0b11][..])
        );
        assert!(column.slice(3..9).unwrap().is_null(5));
        assert_eq!(WireColumn::all_null(ColumnKind::Bool, 2).values, [1, 1]);
        assert_eq!(WireColumn::all_null(ColumnKind::I64, 0).nulls, [0u8; 0]);
    }

    #[test]
    fn kinds_and_union_members_agree() {
        for (index, kind) in ColumnKind::ALL.into_iter().enumerate() {
            assert_eq!(kind.union_field(), i16::try_from(index).unwrap() + 1);
            assert_eq!(ColumnKind::from_union_field(kind.union_field()), Some(kind));
        }
        assert_eq!(ColumnKind::from_union_field(9), None);
    }
}
