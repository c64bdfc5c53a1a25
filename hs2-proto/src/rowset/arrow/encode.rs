//! Arrow arrays to [`WireColumn`]s.

use super::hive_type::HiveType;
use super::json::json_writer;
use super::text;
use super::writer::{ValueWriter, key_reader, scalar_writer};
use crate::rowset::{ColumnKind, WireBatch, WireColumn};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ByteArrayType, ByteViewType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
};
use arrow_array::{Array, BooleanArray, GenericByteArray, GenericByteViewArray, RecordBatch};
use arrow_buffer::{ArrowNativeType, NullBuffer};
use arrow_schema::{DataType, Field, Schema};

/// Why a batch could not be put into columns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The type has no form on the wire.
    #[error(
        "column `{column}` has the type {data_type}, which HiveServer2 clients cannot be sent: cast it in the query"
    )]
    Unsupported {
        /// Name of the column.
        column: String,
        /// Its Arrow type.
        data_type: DataType,
    },
    /// The column's bytes do not fit the 32-bit offsets of a batch, or one value the 31-bit length of the wire.
    #[error(
        "column `{column}` takes more than the {limit} bytes that one batch can hold: use batches of fewer rows"
    )]
    TooLarge {
        /// Name of the column.
        column: String,
        /// Bytes that fit.
        limit: u64,
    },
}

/// What [`encode_array`] makes of a type, or `None` when it has no form on the wire.
#[must_use]
pub fn column_kind(data_type: &DataType) -> Option<ColumnKind> {
    Some(match data_type {
        DataType::Boolean => ColumnKind::Bool,
        DataType::Int8 => ColumnKind::Byte,
        DataType::Int16 | DataType::UInt8 => ColumnKind::I16,
        DataType::Int32 | DataType::UInt16 => ColumnKind::I32,
        DataType::Int64 | DataType::UInt32 => ColumnKind::I64,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => ColumnKind::Double,
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => ColumnKind::Binary,
        DataType::Dictionary(_, values) => return column_kind(values),
        DataType::RunEndEncoded(_, _) | DataType::ListView(_) | DataType::LargeListView(_) => {
            return None;
        }
        _ => ColumnKind::String,
    })
}

/// The kinds of all columns of a schema.
///
/// # Errors
/// [`EncodeError::Unsupported`] names the first column that has none.
pub fn column_kinds(schema: &Schema) -> Result<Vec<ColumnKind>, EncodeError> {
    schema
        .fields()
        .iter()
        .map(|field| column_kind(field.data_type()).ok_or_else(|| unsupported(field)))
        .collect()
}

/// Puts every column of a batch into the wire's form.
///
/// # Errors
/// As [`encode_array`].
pub fn encode_batch(batch: &RecordBatch) -> Result<WireBatch, EncodeError> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    let columns = columns
        .map(|(field, array)| encode_array(array, field))
        .collect::<Result<_, _>>()?;
    Ok(WireBatch {
        rows: batch.num_rows(),
        columns,
    })
}

/// Puts one array into the wire's form. Of the field only its name (for errors) and its
/// [`HIVE_TYPE`](super::HIVE_TYPE) are used.
///
/// Unsigned integers are widened, those of 64 bits become decimal text; a float becomes the double nearest to its
/// decimal text; timestamps with a zone are written in UTC, unless their Hive type is `timestamp with local time
/// zone`; text whose Hive type is `char(n)` is padded with spaces to n characters.
///
/// # Errors
/// [`EncodeError::Unsupported`] for a type without a form on the wire, [`EncodeError::TooLarge`] for a column
/// whose bytes do not fit 32 bits.
pub fn encode_array(array: &dyn Array, field: &Field) -> Result<WireColumn, EncodeError> {
    let kind = column_kind(array.data_type()).ok_or_else(|| unsupported(field))?;
    let nulls = wire_nulls(array.nulls());
    let column = match array.data_type() {
        DataType::Boolean => {
            let mut values = bools(array.as_boolean());
            fill_nulls::<1>(&mut values, &nulls, [1]);
            fixed_column(kind, values, nulls)
        }
        DataType::Int8 => fixed(
            kind,
            array.as_primitive::<Int8Type>().values(),
            nulls,
            |v| v.to_be_bytes(),
        ),
        DataType::Int16 => fixed(
            kind,
            array.as_primitive::<Int16Type>().values(),
            nulls,
            |v| v.to_be_bytes(),
        ),
        DataType::Int32 => fixed(
            kind,
            array.as_primitive::<Int32Type>().values(),
            nulls,
            |v| v.to_be_bytes(),
        ),
        DataType::Int64 => fixed(
            kind,
            array.as_primitive::<Int64Type>().values(),
            nulls,
            |v| v.to_be_bytes(),
        ),
        DataType::UInt8 => fixed(
            kind,
            array.as_primitive::<UInt8Type>().values(),
            nulls,
            |v| i16::from(v).to_be_bytes(),
        ),
        DataType::UInt16 => fixed(
            kind,
            array.as_primitive::<UInt16Type>().values(),
            nulls,
            |v| i32::from(v).to_be_bytes(),
        ),
        DataType::UInt32 => fixed(
            kind,
            array.as_primitive::<UInt32Type>().values(),
            nulls,
            |v| i64::from(v).to_be_bytes(),
        ),
        DataType::Float16 => fixed(
            kind,
            array.as_primitive::<Float16Type>().values(),
            nulls,
            |v| v.to_f64().to_be_bytes(),
        ),
        DataType::Float32 => fixed(
            kind,
            array.as_primitive::<Float32Type>().values(),
            nulls,
            |v| text::float_to_double(v).to_be_bytes(),
        ),
        DataType::Float64 => fixed(
            kind,
            array.as_primitive::<Float64Type>().values(),
            nulls,
            |v| v.to_be_bytes(),
        ),
        DataType::Null => Some(WireColumn::all_null(kind, array.len())),
        DataType::Dictionary(_, _) => gathered(array, field, kind)?,
        _ => variable(array, field, kind, nulls).ok_or_else(|| unsupported(field))?,
    };
    column
        .filter(|column| u32::try_from(column.values.len()).is_ok())
        .ok_or_else(|| EncodeError::TooLarge {
            column: field.name().clone(),
            limit: u32::MAX.into(),
        })
}

/// About how many bytes [`encode_batch`] makes of a batch: exact for numbers, an upper bound for texts that are
/// slices, a guess for what becomes text. For deciding how many rows go into one page.
#[must_use]
pub fn estimated_bytes(batch: &RecordBatch) -> usize {
    let of = |array: &dyn Array| match (column_kind(array.data_type()), array.data_type()) {
        (Some(kind), _) if kind.width().is_some() => array.len() * kind.width().unwrap_or_default(),
        (_, DataType::Date32 | DataType::Date64) => array.len() * 14,
        (_, DataType::Timestamp(_, _)) => array.len() * 30,
        _ => array.len() * 4 + array.get_buffer_memory_size(),
    };
    batch
        .columns()
        .iter()
        .map(|array| of(array) + array.len().div_ceil(8))
        .sum()
}

pub(super) fn unsupported(field: &Field) -> EncodeError {
    EncodeError::Unsupported {
        column: field.name().clone(),
        data_type: field.data_type().clone(),
    }
}

/// Arrow's bitmap (1 = valid, at any bit offset) as the wire's (1 = NULL, from bit 0), 64 rows at a time.
fn wire_nulls(nulls: Option<&NullBuffer>) -> Vec<u8> {
    let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else {
        return Vec::new();
    };
    let chunks = nulls.inner().bit_chunks();
    let mut out = Vec::with_capacity(nulls.len().div_ceil(64) * 8);
    for word in chunks.iter() {
        out.extend_from_slice(&(!word).to_le_bytes());
    }
    let rest = chunks.remainder_len();
    let rest_mask = (1u64 << rest) - 1; // Less than 64 rows remain.
    out.extend_from_slice(&(!chunks.remainder_bits() & rest_mask).to_le_bytes());
    out.truncate(nulls.len().div_ceil(8));
    out
}

fn fixed_column(kind: ColumnKind, values: Vec<u8>, nulls: Vec<u8>) -> Option<WireColumn> {
    Some(WireColumn {
        kind,
        values,
        offsets: Vec::new(),
        nulls,
    })
}

/// One tight loop into fresh memory, which is not zeroed before; the values at NULLs are arbitrary in Arrow and are
/// overwritten behind it.
fn fixed<T: Copy, const N: usize>(
    kind: ColumnKind,
    source: &[T],
    nulls: Vec<u8>,
    to_bytes: impl Fn(T) -> [u8; N],
) -> Option<WireColumn> {
    let values: Vec<[u8; N]> = source.iter().map(|value| to_bytes(*value)).collect();
    let mut values = values.into_flattened();
    fill_nulls(&mut values, &nulls, [0; N]);
    fixed_column(kind, values, nulls)
}

fn fill_nulls<const N: usize>(values: &mut [u8], nulls: &[u8], placeholder: [u8; N]) {
    let slots = values.as_chunks_mut::<N>().0;
    for (slots, &byte) in slots.chunks_mut(8).zip(nulls) {
        let mut bits = byte;
        while bits != 0 {
            if let Some(slot) = slots.get_mut(bits.trailing_zeros() as usize) {
                *slot = placeholder;
            }
            bits &= bits - 1;
        }
    }
}

/// The eight bits of a byte, each in a byte of its own.
const SPREAD: [[u8; 8]; 256] = {
    let mut spread = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut bit = 0;
        while bit < 8 {
            spread[byte][bit] = (byte >> bit & 1) as u8;
            bit += 1;
        }
        byte += 1;
    }
    spread
};

fn bools(array: &BooleanArray) -> Vec<u8> {
    let mut values = Vec::with_capacity(array.len().next_multiple_of(64));
    for word in array.values().bit_chunks().iter_padded() {
        for byte in word.to_le_bytes() {
            values.extend_from_slice(&SPREAD[usize::from(byte)]);
        }
    }
    values.truncate(array.len());
    values
}

/// A column of texts or bytes under construction. `None` anywhere means that something outgrew its length field.
struct Elements {
    values: Vec<u8>,
    offsets: Vec<u32>,
}

impl Elements {
    fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self {
            values: Vec::with_capacity(bytes),
            offsets,
        }
    }

    /// One element, whose length is put before it when it is known.
    fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Option<()> {
        let start = self.values.len();
        self.values.extend_from_slice(&[0; 4]);
        write(&mut self.values);
        let length = i32::try_from(self.values.len() - start - 4).ok()?;
        self.values[start..start + 4].copy_from_slice(&length.to_be_bytes());
        self.offsets.push(u32::try_from(self.values.len()).ok()?);
        Some(())
    }

    fn finish(self, kind: ColumnKind, nulls: Vec<u8>) -> WireColumn {
        WireColumn {
            kind,
            values: self.values,
            offsets: self.offsets,
            nulls,
        }
    }
}

/// Everything that has a length: copied where Arrow has the bytes already, written value by value elsewhere.
/// The outer `None` is a type without a form, the inner one a column that is too large.
fn variable(
    array: &dyn Array,
    field: &Field,
    kind: ColumnKind,
    nulls: Vec<u8>,
) -> Option<Option<WireColumn>> {
    let hive_type = HiveType::of(field);
    let pad_to = hive_type.as_ref().and_then(HiveType::char_length);
    match array.data_type() {
        DataType::Utf8 if pad_to.is_none() => {
            return Some(byte_column(array.as_string::<i32>(), kind, nulls));
        }
        DataType::LargeUtf8 if pad_to.is_none() => {
            return Some(byte_column(array.as_string::<i64>(), kind, nulls));
        }
        DataType::Binary => return Some(byte_column(array.as_binary::<i32>(), kind, nulls)),
        DataType::LargeBinary => return Some(byte_column(array.as_binary::<i64>(), kind, nulls)),
        DataType::Utf8View if pad_to.is_none() => {
            return Some(view_column(array.as_string_view(), kind, nulls));
        }
        DataType::BinaryView => return Some(view_column(array.as_binary_view(), kind, nulls)),
        _ => {}
    }
    let write = match scalar_writer(array, hive_type.as_ref()) {
        Some(write) => write,
        None => json_writer(array, field)?,
    };
    let write: ValueWriter<'_> = match pad_to {
        Some(length) => Box::new(move |out, row| {
            let start = out.len();
            write(out, row);
            // Characters, not bytes: what is no continuation byte begins one.
            let written = out[start..]
                .iter()
                .filter(|byte| **byte & 0xc0 != 0x80)
                .count();
            out.resize(out.len() + length.saturating_sub(written), b' ');
        }),
        None => write,
    };
    let mut elements = Elements::with_capacity(array.len(), array.len() * 24);
    for row in 0..array.len() {
        let pushed = if crate::rowset::nulls::is_null(&nulls, row) {
            elements.push(|_| ())
        } else {
            elements.push(|out| write(out, row))
        };
        if pushed.is_none() {
            return Some(None);
        }
    }
    Some(Some(elements.finish(kind, nulls)))
}

/// Bytes copied by a fixed-width move where that fits, which is several times faster than exact short copies.
const MOVE: usize = 32;

fn byte_column<T: ByteArrayType>(
    array: &GenericByteArray<T>,
    kind: ColumnKind,
    nulls: Vec<u8>,
) -> Option<WireColumn> {
    let (source, ends) = (array.values().as_slice(), array.value_offsets());
    // An exact bound: the text between the first and the last offset.
    let bytes = ends.last()?.as_usize() - ends.first()?.as_usize();
    let text = |row: usize| {
        let (start, end) = (ends[row].as_usize(), ends[row + 1].as_usize());
        (&source[start..], end - start)
    };
    text_column(array.len(), bytes, text, kind, nulls)
}

/// Views: what Parquet files come as. A view of more than 12 bytes is length (32 bits), prefix (32), buffer (32), offset
/// (32), from the lowest bit; a shorter one holds its text.
fn view_column<T: ByteViewType>(
    array: &GenericByteViewArray<T>,
    kind: ColumnKind,
    nulls: Vec<u8>,
) -> Option<WireColumn> {
    let (views, buffers) = (array.views(), array.data_buffers());
    let length = |view: u128| (view as u32) as usize;
    let bytes = views.iter().map(|view| length(*view)).sum();
    let text = |row: usize| {
        let view = views[row];
        let source = match length(view) {
            ..=12 => array.value(row).as_ref(),
            _ => &buffers[(view >> 64) as u32 as usize][(view >> 96) as usize..],
        };
        (source, length(view))
    };
    text_column(array.len(), bytes, text, kind, nulls)
}

/// A column of texts that lie somewhere. `text` gives what begins with a row's text, and the text's length; all of them
/// together have `text_bytes` at most.
fn text_column<'a>(
    rows: usize,
    text_bytes: usize,
    text: impl Fn(usize) -> (&'a [u8], usize),
    kind: ColumnKind,
    nulls: Vec<u8>,
) -> Option<WireColumn> {
    let bytes = text_bytes.checked_add(rows.checked_mul(4)?)?;
    u32::try_from(bytes).ok()?;
    let mut values = vec![0u8; bytes + MOVE];
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0u32);
    let mut at = 0;
    for row in 0..rows {
        let (source, length) = if crate::rowset::nulls::is_null(&nulls, row) {
            (&[][..], 0)
        } else {
            text(row)
        };
        values[at..at + 4].copy_from_slice(&i32::try_from(length).ok()?.to_be_bytes());
        at += 4;
        match (
            values[at..].first_chunk_mut::<MOVE>(),
            source.first_chunk::<MOVE>(),
        ) {
            // What is moved beyond the text's end is overwritten by the next element, or cut off.
            (Some(target), Some(text)) if length <= MOVE => *target = *text,
            _ => values[at..at + length].copy_from_slice(&source[..length]),
        }
        at += length;
        offsets.push(at as u32); // At most `bytes`, which fits.
    }
    values.truncate(at);
    Some(WireColumn {
        kind,
        values,
        offsets,
        nulls,
    })
}

/// A dictionary's values are put into the wire's form once, then each row takes its key's element.
fn gathered(
    array: &dyn Array,
    field: &Field,
    kind: ColumnKind,
) -> Result<Option<WireColumn>, EncodeError> {
    let dictionary = array.as_any_dictionary();
    let values_field = field
        .clone()
        .with_data_type(dictionary.values().data_type().clone());
    let values = encode_array(dictionary.values(), &values_field)?;
    let key = key_reader(dictionary.keys());
    let logical_nulls = array.logical_nulls();
    let nulls = wire_nulls(logical_nulls.as_ref());
    let mut elements =
        Elements::with_capacity(array.len(), array.len() * kind.width().unwrap_or(16));
    for row in 0..array.len() {
        let element = if crate::rowset::nulls::is_null(&nulls, row) {
            kind.placeholder()
        } else {
            let key = key(row);
            match kind.width() {
                Some(width) => &values.values[key * width..(key + 1) * width],
                None => {
                    &values.values[values.offsets[key] as usize..values.offsets[key + 1] as usize]
                }
            }
        };
        elements.values.extend_from_slice(element);
        if kind.width().is_none() {
            let Ok(offset) = u32::try_from(elements.values.len()) else {
                return Ok(None);
            };
            elements.offsets.push(offset);
        }
    }
    if kind.width().is_some() {
        elements.offsets.clear();
    }
    Ok(Some(elements.finish(kind, nulls)))
}

#[cfg(test)]
mod tests;
