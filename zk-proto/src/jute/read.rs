//! Reading: a cursor over one frame's payload.

use bytes::Bytes;

use crate::error::{DecodeError, DecodeErrorKind};

/// A record that can be read from a payload, borrowing from it.
pub trait Decode<'a>: Sized {
    /// Reads the record where the reader stands.
    ///
    /// # Errors
    /// The payload ends too early, a length is negative, or a text is not UTF-8.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError>;
}

/// A cursor over one frame's payload. Nothing is copied: text and buffers borrow from the payload.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    payload: &'a Bytes,
    offset: usize,
    record: &'static str,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `payload`.
    #[must_use]
    pub const fn new(payload: &'a Bytes) -> Self {
        Self {
            payload,
            offset: 0,
            record: "frame",
        }
    }

    /// Bytes behind the cursor.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.payload.len().saturating_sub(self.offset)
    }

    /// Where the cursor stands, in bytes from the payload's start.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The whole payload, for values that keep it alive.
    pub(crate) const fn payload(&self) -> &'a Bytes {
        self.payload
    }

    /// Names the record that the next fields belong to, for errors.
    pub(crate) const fn record(&mut self, record: &'static str) {
        self.record = record;
    }

    pub(crate) const fn fail(&self, field: &'static str, kind: DecodeErrorKind) -> DecodeError {
        DecodeError {
            record: self.record,
            field,
            offset: self.offset,
            kind,
        }
    }

    fn take(&mut self, field: &'static str, count: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.offset.saturating_add(count);
        match self.payload.get(self.offset..end) {
            Some(bytes) => {
                self.offset = end;
                Ok(bytes)
            }
            None => Err(self.fail(
                field,
                DecodeErrorKind::Truncated {
                    needed: count,
                    remaining: self.remaining(),
                },
            )),
        }
    }

    /// Bytes of a known number, where they are there; else nothing is read.
    pub(crate) fn next_array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let array = self.payload.get(self.offset..)?.first_chunk::<N>()?;
        self.offset += N;
        Some(array)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let end = self.offset.saturating_add(N);
        match self
            .payload
            .get(self.offset..end)
            .and_then(|bytes| bytes.first_chunk::<N>())
        {
            Some(bytes) => {
                self.offset = end;
                Ok(*bytes)
            }
            None => Err(self.fail(
                field,
                DecodeErrorKind::Truncated {
                    needed: N,
                    remaining: self.remaining(),
                },
            )),
        }
    }

    pub(crate) fn boolean(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        let [byte] = self.array::<1>(field)?;
        Ok(byte != 0)
    }

    pub(crate) fn int(&mut self, field: &'static str) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.array(field)?))
    }

    pub(crate) fn long(&mut self, field: &'static str) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.array(field)?))
    }

    /// A length or count: `None` is null (-1).
    pub(crate) fn length(&mut self, field: &'static str) -> Result<Option<usize>, DecodeError> {
        match self.int(field)? {
            -1 => Ok(None),
            length => match usize::try_from(length) {
                Ok(length) => Ok(Some(length)),
                Err(_) => Err(self.fail(field, DecodeErrorKind::NegativeLength(length))),
            },
        }
    }

    /// A buffer; `None` is null, which is not the same as empty.
    pub(crate) fn buffer(&mut self, field: &'static str) -> Result<Option<&'a [u8]>, DecodeError> {
        match self.length(field)? {
            None => Ok(None),
            Some(length) => Ok(Some(self.take(field, length)?)),
        }
    }

    /// A text that may be null.
    pub(crate) fn optional_string(
        &mut self,
        field: &'static str,
    ) -> Result<Option<&'a str>, DecodeError> {
        match self.buffer(field)? {
            None => Ok(None),
            Some(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(self.fail(field, DecodeErrorKind::NotUtf8)),
            },
        }
    }

    /// A text that may not be null.
    pub(crate) fn string(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        self.optional_string(field)?
            .ok_or_else(|| self.fail(field, DecodeErrorKind::Null))
    }

    /// A list of texts; null is read as empty, as the Java decoders' users do.
    pub(crate) fn strings(&mut self, field: &'static str) -> Result<Vec<&'a str>, DecodeError> {
        let count = self.length(field)?.unwrap_or(0);
        let mut list = Vec::with_capacity(count.min(self.remaining() / 4));
        for _ in 0..count {
            list.push(self.string(field)?);
        }
        Ok(list)
    }

    /// Passes over one buffer or text and returns where its length field stands.
    pub(crate) fn skip_buffer(&mut self, field: &'static str) -> Result<usize, DecodeError> {
        let start = self.offset;
        let length = self.length(field)?.unwrap_or(0);
        self.take(field, length)?;
        Ok(start)
    }
}
