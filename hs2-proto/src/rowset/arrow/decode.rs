//! [`RowSet`]s to Arrow batches.

use super::parse;
use super::schema::arrow_schema;
use crate::rowset::{Column, ColumnKind, RowSet};
use crate::tcli::TableSchema;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, DurationMicrosecondType,
    DurationMillisecondType, DurationNanosecondType, DurationSecondType, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, IntervalYearMonthType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, NullArray, PrimitiveArray, RecordBatch,
    RecordBatchOptions, StringArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, IntervalUnit, SchemaRef, TimeUnit};
use std::sync::Arc;

/// Why rows are not what their schema says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The row set has more or fewer columns than the schema.
    #[error("the server sent {actual} columns, its schema has {expected}")]
    ColumnCount {
        /// Columns of the schema.
        expected: usize,
        /// Columns of the row set.
        actual: usize,
    },
    /// A column of another kind than its type travels as.
    #[error("column `{column}` of type {data_type} came as {kind:?}")]
    Kind {
        /// Name of the column.
        column: String,
        /// Its Arrow type.
        data_type: DataType,
        /// What came.
        kind: ColumnKind,
    },
    /// A text that is not of its column's type, or does not fit it.
    #[error("row {row} of column `{column}` holds {text:?}, which is no {data_type}")]
    Value {
        /// Name of the column.
        column: String,
        /// Row in the batch, from 0.
        row: usize,
        /// The text, or its beginning.
        text: String,
        /// The column's Arrow type.
        data_type: DataType,
    },
    /// A text that is not UTF-8.
    #[error("column `{column}` holds text that is not UTF-8")]
    NotUtf8 {
        /// Name of the column.
        column: String,
    },
    /// More text than an Arrow array of one batch can count.
    #[error(
        "column `{column}` holds {bytes} bytes of text in one batch: fetch fewer rows at a time"
    )]
    TooLarge {
        /// Name of the column.
        column: String,
        /// Bytes there are.
        bytes: usize,
    },
    /// Arrow refused what was made.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

/// Makes batches of one schema from the row sets of one result.
#[derive(Debug, Clone)]
pub struct BatchDecoder {
    schema: SchemaRef,
}

impl BatchDecoder {
    /// A decoder for a result. Timestamps are in `timestamp_unit`: microseconds hold every year that Hive has and
    /// drop digits below, nanoseconds keep all nine digits and fail outside of 1677 to 2262.
    #[must_use]
    pub fn new(schema: &TableSchema, timestamp_unit: TimeUnit) -> Self {
        Self {
            schema: Arc::new(arrow_schema(schema, timestamp_unit)),
        }
    }

    /// The schema of the batches.
    #[must_use]
    pub const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// One batch from one row set, columnar or row-based.
    ///
    /// # Errors
    /// What does not agree with the schema, by column and row; see [`BatchError`].
    pub fn decode(&self, rows: &RowSet) -> Result<RecordBatch, BatchError> {
        let expected = self.schema.fields().len();
        if rows.rows == 0 && rows.columns.is_empty() {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)));
        }
        if rows.columns.len() != expected {
            return Err(BatchError::ColumnCount {
                expected,
                actual: rows.columns.len(),
            });
        }
        let fields = self.schema.fields().iter();
        let columns = fields.zip(&rows.columns).map(|(field, column)| {
            array(&Source {
                name: field.name(),
                data_type: field.data_type(),
                column,
            })
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.rows));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns,
            &options,
        )?)
    }
}

/// One batch from one row set, timestamps in microseconds; see [`BatchDecoder`].
///
/// # Errors
/// As [`BatchDecoder::decode`].
pub fn decode_row_set(rows: &RowSet, schema: &TableSchema) -> Result<RecordBatch, BatchError> {
    BatchDecoder::new(schema, TimeUnit::Microsecond).decode(rows)
}

/// A column with what errors say about it.
struct Source<'a> {
    name: &'a str,
    data_type: &'a DataType,
    column: &'a Column,
}

fn array(source: &Source<'_>) -> Result<ArrayRef, BatchError> {
    let column = source.column;
    let nulls = || arrow_nulls(column);
    Ok(match (source.data_type, column.kind()) {
        (DataType::Boolean, ColumnKind::Bool) => {
            let values = column
                .values()
                .iter()
                .map(|byte| *byte != 0)
                .collect::<BooleanBuffer>();
            Arc::new(BooleanArray::new(values, nulls()))
        }
        (DataType::Int8, ColumnKind::Byte) => fixed::<Int8Type, 1>(column, i8::from_be_bytes),
        (DataType::Int16, ColumnKind::I16) => fixed::<Int16Type, 2>(column, i16::from_be_bytes),
        (DataType::Int32, ColumnKind::I32) => fixed::<Int32Type, 4>(column, i32::from_be_bytes),
        (DataType::Int64, ColumnKind::I64) => fixed::<Int64Type, 8>(column, i64::from_be_bytes),
        (DataType::Float64, ColumnKind::Double) => {
            fixed::<Float64Type, 8>(column, f64::from_be_bytes)
        }
        (DataType::Float32, ColumnKind::Double) => {
            // Sent as the double nearest to its text, which is nearest to this float.
            #[allow(clippy::cast_possible_truncation)]
            fixed::<Float32Type, 8>(column, |bytes| f64::from_be_bytes(bytes) as f32)
        }
        (DataType::Utf8, ColumnKind::String | ColumnKind::Binary) => {
            let (offsets, text) = elements(source)?;
            let not_utf8 = |_| BatchError::NotUtf8 {
                column: source.name.to_owned(),
            };
            Arc::new(StringArray::try_new(offsets, text, nulls()).map_err(not_utf8)?)
        }
        (DataType::Binary, ColumnKind::String | ColumnKind::Binary) => {
            let (offsets, bytes) = elements(source)?;
            Arc::new(BinaryArray::try_new(offsets, bytes, nulls())?)
        }
        (DataType::Null, _) => {
            let present = (0..column.rows()).find(|row| !column.is_null(*row));
            if let Some(row) = present {
                return Err(source.value_error(row, b"a value"));
            }
            Arc::new(NullArray::new(column.rows()))
        }
        (DataType::Date32, ColumnKind::String) => {
            parsed::<Date32Type>(source, |text| i32::try_from(parse::date(text)?).ok())?
        }
        (DataType::Timestamp(unit, zone), ColumnKind::String) => {
            let (unit, zoned, mut last_zone) = (*unit, zone.is_some(), None);
            let parse = |text: &[u8]| match zoned {
                true => parse::zoned_timestamp(text, unit, &mut last_zone),
                false => parse::timestamp(text, unit),
            };
            match unit {
                TimeUnit::Second => parsed::<TimestampSecondType>(source, parse)?,
                TimeUnit::Millisecond => parsed::<TimestampMillisecondType>(source, parse)?,
                TimeUnit::Microsecond => parsed::<TimestampMicrosecondType>(source, parse)?,
                TimeUnit::Nanosecond => parsed::<TimestampNanosecondType>(source, parse)?,
            }
        }
        (DataType::Interval(IntervalUnit::YearMonth), ColumnKind::String) => {
            parsed::<IntervalYearMonthType>(source, parse::year_month)?
        }
        (DataType::Duration(unit), ColumnKind::String) => {
            let parse = |text: &[u8]| parse::day_time(text, *unit);
            match unit {
                TimeUnit::Second => parsed::<DurationSecondType>(source, parse)?,
                TimeUnit::Millisecond => parsed::<DurationMillisecondType>(source, parse)?,
                TimeUnit::Microsecond => parsed::<DurationMicrosecondType>(source, parse)?,
                TimeUnit::Nanosecond => parsed::<DurationNanosecondType>(source, parse)?,
            }
        }
        (DataType::Decimal128(precision, scale), ColumnKind::String) => {
            let limit = 10u128.pow(u32::from(*precision).min(38));
            let parse = |text: &[u8]| {
                parse::decimal(text, u32::from(scale.unsigned_abs()))
                    .filter(|n| n.unsigned_abs() < limit)
            };
            parsed::<Decimal128Type>(source, parse)?
        }
        (data_type, kind) => {
            let (column, data_type) = (source.name.to_owned(), data_type.clone());
            return Err(BatchError::Kind {
                column,
                data_type,
                kind,
            });
        }
    })
}

/// The bitmap with its meaning turned round; what is missing in the wire's is not NULL, what is too much is cut.
fn arrow_nulls(column: &Column) -> Option<NullBuffer> {
    let rows = column.rows();
    let present = column
        .nulls()
        .iter()
        .copied()
        .chain(std::iter::repeat(0))
        .take(rows.div_ceil(8));
    let valid: Vec<u8> = present.map(|byte| !byte).collect();
    let nulls = NullBuffer::new(BooleanBuffer::new(Buffer::from(valid), 0, rows));
    Some(nulls).filter(|nulls| nulls.null_count() > 0)
}

fn fixed<T: ArrowPrimitiveType, const N: usize>(
    column: &Column,
    from: impl Fn([u8; N]) -> T::Native,
) -> ArrayRef {
    let values: Vec<T::Native> = column
        .values()
        .as_chunks::<N>()
        .0
        .iter()
        .map(|bytes| from(*bytes))
        .collect();
    Arc::new(PrimitiveArray::<T>::new(values.into(), arrow_nulls(column)))
}

/// Bytes moved at once where there is room: several times faster than exact short copies.
const MOVE: usize = 32;

/// Offsets and bytes of a column's elements, without their lengths.
fn elements(source: &Source<'_>) -> Result<(OffsetBuffer<i32>, Buffer), BatchError> {
    let column = source.column;
    let total = column.values().len() - 4 * column.rows();
    if i32::try_from(total).is_err() {
        return Err(BatchError::TooLarge {
            column: source.name.to_owned(),
            bytes: total,
        });
    }
    let mut bytes = vec![0u8; total + MOVE];
    let mut offsets = Vec::with_capacity(column.rows() + 1);
    offsets.push(0i32);
    let (mut rest, mut at) = (&column.values()[..], 0usize);
    while let Some((length, after)) = rest.split_first_chunk() {
        // Lengths were checked when the column was read, so that nothing here is cut short.
        let length = usize::try_from(i32::from_be_bytes(*length))
            .unwrap_or_default()
            .min(after.len());
        let (element, next) = after.split_at(length);
        match (
            bytes
                .get_mut(at..)
                .and_then(<[u8]>::first_chunk_mut::<MOVE>),
            after.first_chunk::<MOVE>(),
        ) {
            (Some(to), Some(from)) if length <= MOVE => *to = *from,
            _ => {
                if let Some(to) = bytes.get_mut(at..at + length) {
                    to.copy_from_slice(element);
                }
            }
        }
        at += length;
        offsets.push(i32::try_from(at).unwrap_or(i32::MAX));
        rest = next;
    }
    bytes.truncate(at);
    Ok((OffsetBuffer::new(offsets.into()), bytes.into()))
}

fn parsed<T: ArrowPrimitiveType>(
    source: &Source<'_>,
    mut parse: impl FnMut(&[u8]) -> Option<T::Native>,
) -> Result<ArrayRef, BatchError> {
    let column = source.column;
    let nulls = arrow_nulls(column);
    let mut values = Vec::with_capacity(column.rows());
    for (row, element) in column.as_slice().elements().enumerate() {
        let text = element
            .and_then(|element| element.get(4..))
            .unwrap_or_default();
        values.push(if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            T::Native::default()
        } else {
            parse(text).ok_or_else(|| source.value_error(row, text))?
        });
    }
    let array = PrimitiveArray::<T>::new(values.into(), nulls);
    Ok(Arc::new(array.with_data_type(source.data_type.clone())))
}

impl Source<'_> {
    fn value_error(&self, row: usize, text: &[u8]) -> BatchError {
        let shown = text.get(..64).unwrap_or(text);
        BatchError::Value {
            column: self.name.to_owned(),
            row,
            text: String::from_utf8_lossy(shown).into_owned(),
            data_type: self.data_type.clone(),
        }
    }
}
