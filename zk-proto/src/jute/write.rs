//! Writing into a `BytesMut`.

use bytes::{BufMut, BytesMut};

/// A record that can be written.
///
/// Writing cannot fail. A length that does not fit jute's 31 bits is written as the largest that does, and the frame
/// around it is then refused by its own limit, which is never higher ([`crate::frame::encode`]).
pub trait Encode {
    /// Appends the record.
    fn encode(&self, out: &mut BytesMut);
}

fn put_length(out: &mut BytesMut, length: usize) {
    out.put_i32(i32::try_from(length).unwrap_or(i32::MAX));
}

/// A buffer; `None` is null.
pub(crate) fn put_buffer(out: &mut BytesMut, buffer: Option<&[u8]>) {
    match buffer {
        None => out.put_i32(-1),
        Some(bytes) => {
            put_length(out, bytes.len());
            out.put_slice(bytes);
        }
    }
}

/// A text.
pub(crate) fn put_string(out: &mut BytesMut, text: &str) {
    put_buffer(out, Some(text.as_bytes()));
}

/// A list's count.
pub(crate) fn put_count(out: &mut BytesMut, count: usize) {
    put_length(out, count);
}

/// A list of texts.
pub(crate) fn put_strings<S: AsRef<str>>(out: &mut BytesMut, list: &[S]) {
    put_count(out, list.len());
    for text in list {
        put_string(out, text.as_ref());
    }
}
