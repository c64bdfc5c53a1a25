//! Reading `TRowSet` in every form servers send it.

use super::{ColumnKind, ColumnSlice, compact, nulls};
use crate::thrift::{Decode, DecodeError, Reader, Value, WireType};
use bytes::Bytes;

/// Rows of a result. The columns of a columnar set share the memory of the frame they came in; values are
/// looked at when they are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSet {
    /// Index of the first row in the result, from 0. Hive often says 0 for every batch.
    pub start_row_offset: i64,
    /// Number of rows; each column has as many.
    pub rows: usize,
    /// The columns. A row-based set has none when it has no rows, and Spark sends none for a result without
    /// a schema.
    pub columns: Vec<Column>,
}

/// One column of a [`RowSet`]. Its bytes are known to hold all its elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    kind: ColumnKind,
    rows: usize,
    values: Bytes,
    nulls: Bytes,
}

/// One value of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)] // The variants are the kinds of column.
pub enum Cell<'a> {
    Null,
    Bool(bool),
    Byte(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    Double(f64),
    /// Text as it came: it should be UTF-8.
    String(&'a [u8]),
    Binary(&'a [u8]),
}

impl Column {
    /// What the elements are.
    #[must_use]
    pub const fn kind(&self) -> ColumnKind {
        self.kind
    }

    /// Number of rows.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The elements' bytes.
    #[must_use]
    pub const fn values(&self) -> &Bytes {
        &self.values
    }

    /// The bitmap of NULLs as it came: shorter than the rows where zeros were dropped, or longer.
    #[must_use]
    pub const fn nulls(&self) -> &Bytes {
        &self.nulls
    }

    /// True when row `row` is NULL.
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        row < self.rows && nulls::is_null(&self.nulls, row)
    }

    /// The column as what [`write_row_set`](super::write_row_set) takes.
    #[must_use]
    pub fn as_slice(&self) -> ColumnSlice<'_> {
        ColumnSlice::of_checked(self.kind, &self.values, self.rows, &self.nulls)
    }

    /// The values, one after another.
    pub fn cells(&self) -> impl Iterator<Item = Cell<'_>> {
        self.as_slice().cells()
    }

    pub(super) const fn new(kind: ColumnKind, rows: usize, values: Bytes, nulls: Bytes) -> Self {
        Self {
            kind,
            rows,
            values,
            nulls,
        }
    }
}

impl<'a> ColumnSlice<'a> {
    /// The values, one after another.
    pub fn cells(&self) -> impl Iterator<Item = Cell<'a>> + use<'a> {
        let column = *self;
        self.elements()
            .enumerate()
            .map(move |(row, element)| match element {
                Some(element) if !column.is_null(row) => cell(column.kind(), element),
                _ => Cell::Null,
            })
    }
}

/// An element that has the length its kind demands.
fn cell(kind: ColumnKind, element: &[u8]) -> Cell<'_> {
    fn first<const N: usize>(element: &[u8]) -> [u8; N] {
        element.first_chunk().copied().unwrap_or([0; N])
    }
    match kind {
        ColumnKind::Bool => Cell::Bool(element != [0]),
        ColumnKind::Byte => Cell::Byte(i8::from_be_bytes(first(element))),
        ColumnKind::I16 => Cell::I16(i16::from_be_bytes(first(element))),
        ColumnKind::I32 => Cell::I32(i32::from_be_bytes(first(element))),
        ColumnKind::I64 => Cell::I64(i64::from_be_bytes(first(element))),
        ColumnKind::Double => Cell::Double(f64::from_be_bytes(first(element))),
        ColumnKind::String => Cell::String(element.get(4..).unwrap_or_default()),
        ColumnKind::Binary => Cell::Binary(element.get(4..).unwrap_or_default()),
    }
}

const RECORD: &str = "TRowSet";

const fn invalid(field: &'static str, reason: &'static str) -> DecodeError {
    DecodeError::Invalid {
        record: RECORD,
        field,
        reason,
    }
}

impl Value for RowSet {
    const TYPE: WireType = WireType::STRUCT;
}

impl Decode for RowSet {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (mut start_row_offset, mut rows) = (None, None);
        let mut columns = Vec::new();
        let mut binary_columns: Option<Bytes> = None;
        let mut column_count = 0i32;
        while let Some((code, id)) = reader.field()? {
            match id {
                1 => start_row_offset = Some(reader.value(code, RECORD, "startRowOffset")?),
                2 => rows = Some(reader.value::<Rows>(code, RECORD, "rows")?),
                3 => columns = reader.value(code, RECORD, "columns")?,
                4 => binary_columns = Some(reader.value(code, RECORD, "binaryColumns")?),
                5 => column_count = reader.value(code, RECORD, "columnCount")?,
                _ => reader.skip(code)?,
            }
        }
        let missing = |field| DecodeError::MissingField {
            record: RECORD,
            field,
        };
        let start_row_offset = start_row_offset.ok_or(missing("startRowOffset"))?;
        let Rows {
            count,
            columns: row_columns,
        } = rows.ok_or(missing("rows"))?;
        if let (Some(bytes), true) = (&binary_columns, columns.is_empty()) {
            columns = compact::read_columns(bytes, column_count)?;
        }
        if count > 0 {
            return Ok(Self {
                start_row_offset,
                rows: count,
                columns: row_columns,
            });
        }
        let rows = columns.first().map_or(0, Column::rows);
        if columns.iter().any(|column| column.rows() != rows) {
            return Err(invalid(
                "columns",
                "the columns have different numbers of rows",
            ));
        }
        Ok(Self {
            start_row_offset,
            rows,
            columns,
        })
    }
}

impl Value for Column {
    const TYPE: WireType = WireType::STRUCT;
}

/// A `TColumn`: a union of one struct for each kind.
impl Decode for Column {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut column = None;
        while let Some((code, id)) = reader.field()? {
            match ColumnKind::from_union_field(id) {
                Some(kind) if code == WireType::STRUCT => column = Some(read_column(reader, kind)?),
                _ => reader.skip(code)?,
            }
        }
        column.ok_or(invalid("columns", "a column has no known member"))
    }
}

fn read_column(reader: &mut Reader<'_>, kind: ColumnKind) -> Result<Column, DecodeError> {
    const RECORD: &str = "TColumn";
    let (mut values, mut null_bits) = (None, None);
    while let Some((code, id)) = reader.field()? {
        match id {
            1 if code == WireType::LIST => values = Some(read_values(reader, kind)?),
            2 => null_bits = Some(reader.value(code, RECORD, "nulls")?),
            _ => reader.skip(code)?,
        }
    }
    let missing = |field| DecodeError::MissingField {
        record: RECORD,
        field,
    };
    let (rows, values) = values.ok_or(missing("values"))?;
    Ok(Column::new(
        kind,
        rows,
        values,
        null_bits.ok_or(missing("nulls"))?,
    ))
}

/// The elements of a list, shared; texts are walked once, so that nobody has to check them again.
fn read_values(reader: &mut Reader<'_>, kind: ColumnKind) -> Result<(usize, Bytes), DecodeError> {
    let [element] = reader.array()?;
    let rows = reader.length()?;
    let expected = WireType(kind.element_type());
    if rows > 0 && WireType(element) != expected {
        let actual = WireType(element);
        return Err(DecodeError::WrongType {
            record: "TColumn",
            field: "values",
            expected,
            actual,
        });
    }
    let start = reader.remaining();
    match kind.width() {
        Some(width) => {
            reader.take(rows.saturating_mul(width))?;
        }
        None => {
            for _ in 0..rows {
                reader.binary()?;
            }
        }
    }
    let length = start.len() - reader.remaining().len();
    Ok((rows, reader.share(start.get(..length).unwrap_or_default())))
}

/// A list of rows, turned into columns while it is read.
struct Rows {
    count: usize,
    columns: Vec<Column>,
}

impl Value for Rows {
    const TYPE: WireType = WireType::LIST;
}

/// A column that rows are being added to.
struct Growing {
    kind: ColumnKind,
    values: Vec<u8>,
    nulls: Vec<u8>,
}

impl Decode for Rows {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [element] = reader.array()?;
        let count = reader.length()?;
        if count > 0 && WireType(element) != WireType::STRUCT {
            let (expected, actual) = (WireType::STRUCT, WireType(element));
            return Err(DecodeError::WrongType {
                record: RECORD,
                field: "rows",
                expected,
                actual,
            });
        }
        let mut columns: Vec<Growing> = Vec::new();
        for row in 0..count {
            read_row(reader, row, &mut columns)?;
        }
        let columns = columns
            .into_iter()
            .map(|column| {
                Column::new(
                    column.kind,
                    count,
                    column.values.into(),
                    column.nulls.into(),
                )
            })
            .collect();
        Ok(Self { count, columns })
    }
}

/// A `TRow`: one field, the list of values.
fn read_row(
    reader: &mut Reader<'_>,
    row: usize,
    columns: &mut Vec<Growing>,
) -> Result<(), DecodeError> {
    let mut found = false;
    while let Some((code, id)) = reader.field()? {
        if id != 1 || code != WireType::LIST || found {
            reader.skip(code)?;
            continue;
        }
        found = true;
        let [element] = reader.array()?;
        let count = reader.length()?;
        if count > 0 && WireType(element) != WireType::STRUCT {
            let (expected, actual) = (WireType::STRUCT, WireType(element));
            return Err(DecodeError::WrongType {
                record: "TRow",
                field: "colVals",
                expected,
                actual,
            });
        }
        if row > 0 && count != columns.len() {
            return Err(invalid("rows", "the rows have different numbers of values"));
        }
        for index in 0..count {
            let (kind, element) = read_cell(reader)?;
            if row == 0 {
                columns.push(Growing {
                    kind,
                    values: Vec::new(),
                    nulls: Vec::new(),
                });
            }
            if let Some(column) = columns.get_mut(index) {
                if column.kind != kind {
                    return Err(invalid("rows", "a column's values have different kinds"));
                }
                match element {
                    Some(element) => {
                        // The four bytes before a text are its length, which `element` has no part of.
                        if kind.width().is_none() {
                            let length = u32::try_from(element.len()).unwrap_or_default();
                            column.values.extend_from_slice(&length.to_be_bytes());
                        }
                        column.values.extend_from_slice(element);
                    }
                    None => {
                        column.values.extend_from_slice(kind.placeholder());
                        column.nulls.resize(row / 8 + 1, 0);
                        if let Some(byte) = column.nulls.last_mut() {
                            *byte |= 1 << (row % 8);
                        }
                    }
                }
            }
        }
    }
    if found {
        Ok(())
    } else {
        Err(DecodeError::MissingField {
            record: "TRow",
            field: "colVals",
        })
    }
}

/// A `TColumnValue`: the member of the column's kind, with a value in it or nothing when it is NULL.
fn read_cell<'a>(reader: &mut Reader<'a>) -> Result<(ColumnKind, Option<&'a [u8]>), DecodeError> {
    let mut cell = None;
    while let Some((code, id)) = reader.field()? {
        let kind = match ColumnKind::from_union_field(id) {
            Some(kind) if code == WireType::STRUCT && kind != ColumnKind::Binary => kind,
            _ => {
                reader.skip(code)?;
                continue;
            }
        };
        let mut element = None;
        while let Some((code, id)) = reader.field()? {
            if id != 1 || code != WireType(kind.element_type()) {
                reader.skip(code)?;
                continue;
            }
            element = Some(match kind.width() {
                Some(width) => reader.take(width)?,
                None => reader.binary()?,
            });
        }
        cell = Some((kind, element));
    }
    cell.ok_or(invalid("rows", "a value has no known member"))
}
