//! Writing, at the end of a byte vector.
//!
//! Thrift counts in 31 bits. What is longer cannot be sent, and the functions here would have to fail in places
//! where nothing sensible could be done; so a text or list beyond that is cut to nothing instead of being written
//! with a wrong count. Frames end far below (100 MiB on real servers), and row sets, which alone grow large, are
//! written elsewhere, with errors.

use super::{Encode, StringMap, Value, WireType};
use bytes::Bytes;

/// Appends a field: its type, its id and its value.
pub fn write_field<T: Encode>(out: &mut Vec<u8>, id: i16, value: &T) {
    out.push(T::TYPE.0);
    out.extend_from_slice(&id.to_be_bytes());
    value.write(out);
}

/// Appends the header of a list or set.
pub fn write_list_header(out: &mut Vec<u8>, element: WireType, count: i32) {
    out.push(element.0);
    out.extend_from_slice(&count.to_be_bytes());
}

/// Appends the header of a map.
pub fn write_map_header(out: &mut Vec<u8>, key: WireType, value: WireType, count: i32) {
    out.extend_from_slice(&[key.0, value.0]);
    out.extend_from_slice(&count.to_be_bytes());
}

macro_rules! fixed {
    ($($type:ty),*) => {$(
        impl Encode for $type {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        }
    )*};
}
fixed!(i8, i16, i32, i64, f64);

impl Encode for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push((*self).into());
    }
}

fn write_binary(out: &mut Vec<u8>, bytes: &[u8]) {
    match i32::try_from(bytes.len()) {
        Ok(length) => {
            length.write(out);
            out.extend_from_slice(bytes);
        }
        Err(_) => 0.write(out),
    }
}

impl Encode for String {
    fn write(&self, out: &mut Vec<u8>) {
        write_binary(out, self.as_bytes());
    }
}

impl Encode for Bytes {
    fn write(&self, out: &mut Vec<u8>) {
        write_binary(out, self);
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        let count = i32::try_from(self.len()).unwrap_or(0);
        write_list_header(out, T::TYPE, count);
        if count > 0 {
            self.iter().for_each(|element| element.write(out));
        }
    }
}

impl<V: Encode> Encode for StringMap<V> {
    fn write(&self, out: &mut Vec<u8>) {
        let count = i32::try_from(self.0.len()).unwrap_or(0);
        write_map_header(out, String::TYPE, V::TYPE, count);
        if count > 0 {
            for (key, value) in &self.0 {
                key.write(out);
                value.write(out);
            }
        }
    }
}
