//! Complex values in the text that Hive gives them (`SerDeUtils.getJSONString`): `[1,2]`, `{"k":1}` for maps and
//! structs, `{tag:value}` for unions. Texts, dates and timestamps are quoted, also as keys of maps, and nothing else is:
//! `{1:"a"}`. Decimals are without the zeros at their end, NULL is `null`.

use super::hive_type::HiveType;
use super::text;
use super::writer::{ValueWriter, key_reader, scalar_writer};
use arrow_array::cast::AsArray;
use arrow_array::{Array, OffsetSizeTrait};
use arrow_buffer::ArrowNativeType;
use arrow_schema::{DataType, Field};
use std::ops::Range;

/// The writer of any value inside a complex one, NULL included, or `None` when a type in it has no text form.
///
/// Of the field only its [`HIVE_TYPE`](super::HIVE_TYPE) is used.
///
/// Calls itself once for each level of the *type*, which comes from our own engine and not from the network.
pub(crate) fn json_writer<'a>(array: &'a dyn Array, field: &Field) -> Option<ValueWriter<'a>> {
    let value: ValueWriter<'a> = match array.data_type() {
        DataType::Null => Box::new(|_, _| ()),
        DataType::List(item) => {
            let list = array.as_list::<i32>();
            list_writer(
                json_writer(list.values(), item)?,
                range_reader(list.value_offsets()),
            )
        }
        DataType::LargeList(item) => {
            let list = array.as_list::<i64>();
            list_writer(
                json_writer(list.values(), item)?,
                range_reader(list.value_offsets()),
            )
        }
        DataType::FixedSizeList(item, _) => {
            let list = array.as_fixed_size_list();
            let length = list.value_length().as_usize();
            list_writer(
                json_writer(list.values(), item)?,
                Box::new(move |row| row * length..(row + 1) * length),
            )
        }
        DataType::Struct(fields) => {
            let columns: Option<Vec<_>> = fields
                .iter()
                .zip(array.as_struct().columns())
                .map(|(field, column)| Some((field.name().as_str(), json_writer(column, field)?)))
                .collect();
            let columns = columns?;
            Box::new(move |out, row| {
                out.push(b'{');
                for (index, (name, write)) in columns.iter().enumerate() {
                    separate(out, index);
                    out.push(b'"');
                    out.extend_from_slice(name.as_bytes());
                    out.extend_from_slice(b"\":");
                    write(out, row);
                }
                out.push(b'}');
            })
        }
        DataType::Map(_, _) => {
            let map = array.as_map();
            let (key, value) = map.entries_fields();
            let (key, value) = (
                json_writer(map.keys(), key)?,
                json_writer(map.values(), value)?,
            );
            let entries = range_reader(map.value_offsets());
            Box::new(move |out, row| {
                out.push(b'{');
                for (index, entry) in entries(row).enumerate() {
                    separate(out, index);
                    key(out, entry);
                    out.push(b':');
                    value(out, entry);
                }
                out.push(b'}');
            })
        }
        DataType::Union(fields, _) => {
            let union = array.as_union();
            let children: Option<Vec<_>> = fields
                .iter()
                .map(|(tag, field)| Some((tag, json_writer(union.child(tag), field)?)))
                .collect();
            let children = children?;
            Box::new(move |out, row| {
                let tag = union.type_id(row);
                out.push(b'{');
                text::push_i64(out, tag.into());
                out.push(b':');
                if let Some((_, write)) = children.iter().find(|(of, _)| *of == tag) {
                    write(out, union.value_offset(row));
                }
                out.push(b'}');
            })
        }
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let (key, value) = (
                key_reader(dictionary.keys()),
                json_writer(dictionary.values(), field)?,
            );
            Box::new(move |out, row| value(out, key(row)))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let write = scalar_writer(array, None)?;
            Box::new(move |out, row| {
                let start = out.len();
                write(out, row);
                let text = out.split_off(start);
                push_quoted(out, &text);
            })
        }
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => {
            let write = scalar_writer(array, None)?;
            Box::new(move |out, row| {
                let start = out.len();
                write(out, row);
                // In the middle of text, what is not UTF-8 becomes the replacement character.
                let text = String::from_utf8_lossy(&out[start..]).into_owned();
                out.truncate(start);
                out.extend_from_slice(text.as_bytes());
            })
        }
        DataType::Decimal32(_, 1..)
        | DataType::Decimal64(_, 1..)
        | DataType::Decimal128(_, 1..)
        | DataType::Decimal256(_, 1..) => {
            let write = scalar_writer(array, None)?;
            Box::new(move |out, row| {
                write(out, row);
                // Its scale shows only where a decimal is a column.
                while out.last() == Some(&b'0') {
                    out.pop();
                }
                if out.last() == Some(&b'.') {
                    out.pop();
                }
            })
        }
        DataType::Date32
        | DataType::Date64
        | DataType::Timestamp(_, _)
        | DataType::Time32(_)
        | DataType::Time64(_) => {
            let write = scalar_writer(array, HiveType::of(field).as_ref())?;
            Box::new(move |out, row| {
                out.push(b'"');
                write(out, row);
                out.push(b'"');
            })
        }
        _ => scalar_writer(array, None)?,
    };
    let nulls = array.logical_nulls();
    Some(Box::new(move |out, row| {
        if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            out.extend_from_slice(b"null");
        } else {
            value(out, row);
        }
    }))
}

type RangeReader<'a> = Box<dyn Fn(usize) -> Range<usize> + 'a>;

fn range_reader<O: OffsetSizeTrait>(offsets: &[O]) -> RangeReader<'_> {
    Box::new(|row| offsets[row].as_usize()..offsets[row + 1].as_usize())
}

fn list_writer<'a>(item: ValueWriter<'a>, items: RangeReader<'a>) -> ValueWriter<'a> {
    Box::new(move |out, row| {
        out.push(b'[');
        for (index, at) in items(row).enumerate() {
            separate(out, index);
            item(out, at);
        }
        out.push(b']');
    })
}

fn separate(out: &mut Vec<u8>, index: usize) {
    if index > 0 {
        out.push(b',');
    }
}

fn push_quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..0x20 => {
                let digit = |n: u8| if n < 10 { b'0' + n } else { b'a' + n - 10 };
                out.extend_from_slice(&[
                    b'\\',
                    b'u',
                    b'0',
                    b'0',
                    digit(byte >> 4),
                    digit(byte & 15),
                ]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
