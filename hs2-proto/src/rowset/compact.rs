//! `binaryColumns`: columns that a server's tasks have serialised already (V9+, only when both sides asked for
//! it), one `TColumn` after another in Thrift's *compact* protocol: variable-length numbers, doubles little endian.

use super::read::Column;
use super::{ColumnKind, nulls};
use crate::thrift::{DecodeError, Reader};
use bytes::Bytes;

const fn invalid(reason: &'static str) -> DecodeError {
    DecodeError::Invalid {
        record: "TRowSet",
        field: "binaryColumns",
        reason,
    }
}

/// Type codes of the compact protocol, as far as columns have them.
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// Reads `count` columns and turns their elements into the binary protocol's form.
pub(super) fn read_columns(bytes: &[u8], count: i32) -> Result<Vec<Column>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut columns = Vec::new();
    for _ in 0..count {
        columns.push(read_column(&mut reader)?);
    }
    reader.finish()?;
    Ok(columns)
}

/// The union, and the struct of its one member.
fn read_column(reader: &mut Reader<'_>) -> Result<Column, DecodeError> {
    let (code, id) = field(reader, 0)?.ok_or(invalid("a column has no member"))?;
    let kind = ColumnKind::from_union_field(id).filter(|_| code == STRUCT);
    let kind = kind.ok_or(invalid("a column has an unknown member"))?;
    let (mut values, mut null_bits) = (None, None);
    let mut last_id = 0;
    while let Some((code, id)) = field(reader, last_id)? {
        last_id = id;
        match (id, code) {
            (1, LIST) => values = Some(list(reader, kind)?),
            (2, BINARY) => null_bits = Some(binary(reader)?),
            _ => return Err(invalid("a column has an unknown field")),
        }
    }
    if field(reader, id)?.is_some() {
        return Err(invalid("a column has more than one member"));
    }
    let (rows, mut values) = values.ok_or(invalid("a column has no values"))?;
    let null_bits = Bytes::copy_from_slice(null_bits.ok_or(invalid("a column has no nulls"))?);
    if kind == ColumnKind::Bool {
        // The compact protocol has false as 2, or as 0 from some writers.
        for (row, value) in values.iter_mut().enumerate() {
            *value = (*value == 1 || nulls::is_null(&null_bits, row)).into();
        }
    }
    Ok(Column::new(kind, rows, values.into(), null_bits))
}

/// A field's type and id, or `None` at the end of the struct: the id is given as the step from the last one.
fn field(reader: &mut Reader<'_>, last_id: i16) -> Result<Option<(u8, i16)>, DecodeError> {
    let [head] = reader.array()?;
    let id = match (head >> 4, head & 15) {
        (_, 0) => return Ok(None),
        (0, _) => i16::try_from(zigzag(varint(reader)?)).ok(),
        (step, _) => last_id.checked_add(i16::from(step)),
    };
    Ok(Some((
        head & 15,
        id.ok_or(invalid("a field id is too large"))?,
    )))
}

/// The elements of a list in the binary protocol's form, and their number.
fn list(reader: &mut Reader<'_>, kind: ColumnKind) -> Result<(usize, Vec<u8>), DecodeError> {
    let [head] = reader.array()?;
    let code = match kind {
        ColumnKind::Bool => 1,
        ColumnKind::Byte => 3,
        ColumnKind::I16 => 4,
        ColumnKind::I32 => 5,
        ColumnKind::I64 => 6,
        ColumnKind::Double => 7,
        ColumnKind::String | ColumnKind::Binary => BINARY,
    };
    let rows = match head >> 4 {
        15 => usize::try_from(varint(reader)?).unwrap_or(usize::MAX),
        short => usize::from(short),
    };
    // Some writers call the elements of a list of booleans 2.
    if rows > 0 && head & 15 != code && !(kind == ColumnKind::Bool && head & 15 == 2) {
        return Err(invalid("a list's elements are not of its column's kind"));
    }
    if rows > reader.remaining().len() {
        return Err(DecodeError::Truncated {
            needed: rows,
            remaining: reader.remaining().len(),
        });
    }
    let mut out = Vec::new();
    for _ in 0..rows {
        match kind {
            ColumnKind::Bool | ColumnKind::Byte => out.extend_from_slice(&reader.array::<1>()?),
            ColumnKind::I16 => out.extend_from_slice(&integer::<i16>(reader)?.to_be_bytes()),
            ColumnKind::I32 => out.extend_from_slice(&integer::<i32>(reader)?.to_be_bytes()),
            ColumnKind::I64 => out.extend_from_slice(&integer::<i64>(reader)?.to_be_bytes()),
            ColumnKind::Double => out.extend(reader.array::<8>()?.iter().rev()),
            ColumnKind::String | ColumnKind::Binary => {
                let text = binary(reader)?;
                let length =
                    i32::try_from(text.len()).map_err(|_| invalid("a text is too long"))?;
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(text);
            }
        }
    }
    Ok((rows, out))
}

fn binary<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    let length = usize::try_from(varint(reader)?).unwrap_or(usize::MAX);
    reader.take(length)
}

fn integer<T: TryFrom<i64>>(reader: &mut Reader<'_>) -> Result<T, DecodeError> {
    T::try_from(zigzag(varint(reader)?))
        .map_err(|_| invalid("a number is too large for its column"))
}

/// Seven bits a byte, lowest first; the top bit says that another follows.
fn varint(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let [byte] = reader.array()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(invalid("a number has more than ten bytes"))
}

/// 0, -1, 1, -2, … from 0, 1, 2, 3, ….
const fn zigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rowset::Cell;
    use proptest::prelude::*;

    #[test]
    fn columns_of_every_kind() {
        let bytes = [
            &b"\x1c\x19\x31\x01\x02\x01\x18\x01\x04\x00\x00"[..], // bool: true, false, NULL
            b"\x2c\x19\x13\xff\x18\x00\x00\x00",
        ]
        .concat();
        let columns = read_columns(&bytes, 2).unwrap();
        let cells: Vec<_> = columns[0].cells().collect();
        assert_eq!(cells, [Cell::Bool(true), Cell::Bool(false), Cell::Null]);
        assert_eq!(columns[1].cells().collect::<Vec<_>>(), [Cell::Byte(-1)]);
        let one = |bytes: &[u8]| {
            read_columns(bytes, 1).map(|columns| columns[0].as_slice().values().to_vec())
        };
        assert_eq!(
            one(b"\x3c\x19\x14\x03\x18\0\0\0"),
            Ok(vec![0xff, 0xfe]),
            "i16 -2"
        );
        assert_eq!(
            one(b"\x5c\x19\x16\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x18\0\0\0"),
            Ok(i64::MIN.to_be_bytes().to_vec())
        );
        assert_eq!(
            one(b"\x6c\x19\x17\0\0\0\0\0\0\xf8\x3f\x18\0\0\0"),
            Ok(1.5f64.to_be_bytes().to_vec())
        );
        assert_eq!(
            one(b"\x8c\x19\x18\x02ab\x18\0\0\0"),
            Ok(b"\0\0\0\x02ab".to_vec())
        );
        // A long list has its count behind the head, a far field its id.
        let long = [&b"\x2c\x19\xf3\x10"[..], &[7; 16], b"\x18\0\0\0"].concat();
        assert_eq!(one(&long), Ok(vec![7; 16]));
        assert_eq!(
            one(b"\x0c\x10\x19\x08\x18\0\0\0"),
            Ok(vec![]),
            "zero elements, id 8 in full"
        );
    }

    #[test]
    fn numbers_too_large_and_lengths_too_long_are_errors() {
        assert_eq!(
            read_columns(b"\x3c\x19\x14\x80\x80\x08\x18\0\0\0", 1),
            Err(invalid("a number is too large for its column"))
        );
        assert!(matches!(
            read_columns(b"\x2c\x19\xf3\xff\xff\xff\xff\x0f", 1),
            Err(DecodeError::Truncated { .. })
        ));
        assert!(read_columns(b"", 1).is_err());
        assert!(read_columns(b"\0", 0).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), count in -1i32..5) {
            let _ = read_columns(&bytes, count);
        }
    }
}
