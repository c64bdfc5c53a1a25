//! Writing `TRowSet`, both layouts, from the same column bytes.

use super::{ColumnKind, ColumnSlice, Output, RowSetError};

/// How a row set carries its values. It depends on the session's protocol version alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowSetLayout {
    /// Protocol V6 and later: a list of columns, and an empty list of rows, since that field is required.
    Columnar,
    /// Protocol V1 to V5: a list of rows.
    RowBased,
}

/// Field headers and list headers of the structs below, spelled out: type code and id, or type code alone.
const FIELD_START_ROW_OFFSET: [u8; 3] = [10, 0, 1];
const FIELD_ROWS: [u8; 4] = [15, 0, 2, STRUCT];
const FIELD_COLUMNS: [u8; 4] = [15, 0, 3, STRUCT];
const FIELD_VALUES: [u8; 3] = [15, 0, 1];
const FIELD_NULLS: [u8; 3] = [11, 0, 2];
const FIELD_COL_VALS: [u8; 4] = [15, 0, 1, STRUCT];
const STRUCT: u8 = 12;
const STOP: u8 = 0;

/// Bytes of one column beside its values and nulls: union field, list header, nulls header, two stops.
const COLUMN_OVERHEAD: usize = 3 + 3 + 1 + 4 + 3 + 4 + 2;
/// Bytes of a row set beside its columns.
const ROW_SET_OVERHEAD: usize = 3 + 8 + 4 + 4 + 4 + 4 + 1;

/// Exact number of bytes that [`write_row_set`] appends in the columnar layout, to reserve once.
/// (The row-based layout takes 8 to 11 bytes more for each value.)
#[must_use]
pub fn row_set_len(columns: &[ColumnSlice<'_>]) -> usize {
    columns.iter().fold(ROW_SET_OVERHEAD, |sum, column| {
        sum + COLUMN_OVERHEAD + column.values().len() + column.nulls_len()
    })
}

/// Appends a `TRowSet` struct: `rows` rows, the first of which is row `start_row_offset` (from 0) of the result.
///
/// # Errors
/// [`RowSetError::RowCount`] when a column has another number of rows, [`RowSetError::TooLarge`] when a count
/// does not fit a Thrift list, [`RowSetError::Element`] when a string's length is damaged (row-based layout;
/// the columnar layout copies). What was appended before an error is cut off again.
pub fn write_row_set<O: Output>(
    out: &mut O,
    start_row_offset: i64,
    rows: usize,
    columns: &[ColumnSlice<'_>],
    layout: RowSetLayout,
) -> Result<(), RowSetError> {
    for (index, column) in columns.iter().enumerate() {
        if column.rows() != rows {
            return Err(RowSetError::RowCount {
                column: index,
                expected: rows,
                actual: column.rows(),
            });
        }
    }
    let start = out.mark();
    out.bytes().extend(FIELD_START_ROW_OFFSET);
    out.bytes().extend(start_row_offset.to_be_bytes());
    let written = match layout {
        RowSetLayout::Columnar => write_columns(out, rows, columns),
        RowSetLayout::RowBased => write_rows(out.bytes(), rows, columns),
    };
    out.bytes().push(STOP);
    if written.is_err() {
        out.back_to(start);
    }
    written
}

fn write_columns<O: Output>(
    out: &mut O,
    rows: usize,
    columns: &[ColumnSlice<'_>],
) -> Result<(), RowSetError> {
    out.bytes().extend(FIELD_ROWS);
    out.bytes().extend(count(0)?);
    out.bytes().extend(FIELD_COLUMNS);
    out.bytes().extend(count(columns.len())?);
    for column in columns {
        let head = out.bytes();
        head.extend(union_field(column.kind()));
        head.extend(FIELD_VALUES);
        head.push(column.kind().element_type());
        head.extend(count(rows)?);
        out.values(column.values());
        let tail = out.bytes();
        tail.extend(FIELD_NULLS);
        tail.extend(count(column.nulls_len())?);
        column.append_nulls(tail);
        tail.extend([STOP, STOP]);
    }
    Ok(())
}

/// One union per value; NULL is the member of the column's kind with an empty struct in it.
fn write_rows(
    out: &mut Vec<u8>,
    rows: usize,
    columns: &[ColumnSlice<'_>],
) -> Result<(), RowSetError> {
    out.extend(FIELD_ROWS);
    out.extend(count(rows)?);
    let mut cursors: Vec<_> = columns
        .iter()
        .map(|column| (column, column.elements()))
        .collect();
    for row in 0..rows {
        out.extend(FIELD_COL_VALS);
        out.extend(count(columns.len())?);
        for (index, (column, elements)) in cursors.iter_mut().enumerate() {
            let element = elements
                .next()
                .flatten()
                .ok_or(RowSetError::Element { column: index, row })?;
            // Row-based sets have no member for binary.
            let kind = if column.kind() == ColumnKind::Binary {
                ColumnKind::String
            } else {
                column.kind()
            };
            out.extend(union_field(kind));
            if !column.is_null(row) {
                out.extend([kind.element_type(), 0, 1]);
                out.extend_from_slice(element);
            }
            out.extend([STOP, STOP]);
        }
        out.push(STOP);
    }
    Ok(())
}

/// The header of the union's only field: a struct.
fn union_field(kind: ColumnKind) -> [u8; 3] {
    let [high, low] = kind.union_field().to_be_bytes();
    [STRUCT, high, low]
}

fn count(count: usize) -> Result<[u8; 4], RowSetError> {
    const LIMIT: usize = 0x7fff_ffff;
    i32::try_from(count)
        .map(i32::to_be_bytes)
        .map_err(|_| RowSetError::TooLarge {
            count,
            limit: LIMIT,
        })
}

#[cfg(test)]
mod tests {
    use super::super::{WireBatch, WireColumn};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_worked_column_example() {
        let values = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3];
        let column = ColumnSlice::new(ColumnKind::I32, &values, 3, &[2], 0).unwrap();
        let mut out = Vec::new();
        write_row_set(&mut out, 0, 3, &[column], RowSetLayout::Columnar).unwrap();
        let expected = [
            &[
                10, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 15, 0, 2, 12, 0, 0, 0, 0, 15, 0, 3, 12, 0, 0, 0,
                1,
            ][..],
            &[
                0x0c, 0, 4, 0x0f, 0, 1, 8, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3,
            ],
            &[0x0b, 0, 2, 0, 0, 0, 1, 2, 0, 0],
            &[0],
        ]
        .concat();
        assert_eq!(out, expected);
        assert_eq!(out.len(), row_set_len(&[column]));
    }

    #[test]
    fn a_failed_write_leaves_the_buffer_as_it_was() {
        // The second string claims more bytes than there are.
        let values = b"\0\0\0\x01a\0\0\0\x09";
        let column = ColumnSlice::new(ColumnKind::String, values, 2, &[], 0).unwrap();
        let mut out = vec![7];
        let error = write_row_set(&mut out, 0, 2, &[column], RowSetLayout::RowBased).unwrap_err();
        assert_eq!(
            (error, out),
            (RowSetError::Element { column: 0, row: 1 }, vec![7])
        );
        let error =
            write_row_set(&mut Vec::new(), 0, 3, &[column], RowSetLayout::Columnar).unwrap_err();
        assert_eq!(
            error,
            RowSetError::RowCount {
                column: 0,
                expected: 3,
                actual: 2
            }
        );
    }

    prop_compose! {
        fn string_batch()(cells in prop::collection::vec(prop::option::of("[a-z]{0,9}"), 0..60)) -> WireBatch {
            let mut column = WireColumn { kind: ColumnKind::String, values: Vec::new(), offsets: vec![0], nulls: vec![0; cells.len().div_ceil(8)] };
            for (row, cell) in cells.iter().enumerate() {
                let text = cell.as_deref().unwrap_or_default();
                column.values.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
                column.values.extend(text.as_bytes());
                column.offsets.push(u32::try_from(column.values.len()).unwrap());
                column.nulls[row / 8] |= u8::from(cell.is_none()) << (row % 8);
            }
            WireBatch { rows: cells.len(), columns: vec![column] }
        }
    }

    proptest! {
        /// A slice writes the same bytes as a batch that never had the other rows.
        #[test]
        fn slices_equal_a_naive_copy(batch in string_batch(), ends in (any::<prop::sample::Index>(), any::<prop::sample::Index>())) {
            let (a, b) = (ends.0.index(batch.rows + 1), ends.1.index(batch.rows + 1));
            let (start, end) = (a.min(b), a.max(b));
            let column = &batch.columns[0];
            let mut naive = WireColumn { kind: ColumnKind::String, values: Vec::new(), offsets: vec![0], nulls: vec![0; (end - start).div_ceil(8)] };
            for row in start..end {
                let element = column.offsets[row] as usize..column.offsets[row + 1] as usize;
                naive.values.extend_from_slice(&column.values[element]);
                naive.offsets.push(u32::try_from(naive.values.len()).unwrap());
                naive.nulls[(row - start) / 8] |= u8::from(column.is_null(row)) << ((row - start) % 8);
            }
            let naive = WireBatch { rows: end - start, columns: vec![naive] };
            for layout in [RowSetLayout::Columnar, RowSetLayout::RowBased] {
                let (mut sliced, mut copied) = (Vec::new(), Vec::new());
                write_row_set(&mut sliced, 5, end - start, &batch.slice(start..end).unwrap(), layout).unwrap();
                write_row_set(&mut copied, 5, end - start, &naive.slice(0..end - start).unwrap(), layout).unwrap();
                prop_assert_eq!(sliced, copied);
            }
        }
    }
}
