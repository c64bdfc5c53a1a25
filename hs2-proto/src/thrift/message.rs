//! The envelope of a call or reply, and the exception that can stand in a reply's place.

use super::scan::length_of;
use super::{DecodeError, Encode, Reader, open_enum, record};

/// Longest method name that is read. Those of the service have 20 bytes at most.
pub const METHOD_NAME_BYTES_MAX: usize = 256;

/// What a message is. Open: an unknown number is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageKind(pub u8);

impl MessageKind {
    /// A request.
    pub const CALL: Self = Self(1);
    /// The answer to one.
    pub const REPLY: Self = Self(2);
    /// An [`ApplicationException`] in place of an answer.
    pub const EXCEPTION: Self = Self(3);
    /// A request without an answer. The service has none.
    pub const ONEWAY: Self = Self(4);
}

/// What comes before a message's struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageHeader {
    /// Name of the method; a reply has the call's.
    pub method: String,
    /// Call, reply or exception.
    pub kind: MessageKind,
    /// The caller's number; a reply has the call's. Python clients always send 0, Java counts from 1.
    pub seqid: i32,
}

const VERSION_1: u32 = 0x8001_0000;

impl MessageHeader {
    /// Reads a header of either form: strict (a version word first) or the older one (the name's length first).
    ///
    /// # Errors
    /// The bytes are no message, or end in the header.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let word: [u8; 4] = reader.array()?;
        let (name_length, strict_kind) = match word {
            [first, ..] if first & 0x80 == 0 => (length_of(word)?, None),
            [0x80, 1, _, kind] => (length_of(reader.array()?)?, Some(MessageKind(kind))),
            _ => {
                return Err(DecodeError::BadVersion {
                    word: u32::from_be_bytes(word),
                });
            }
        };
        if name_length > METHOD_NAME_BYTES_MAX {
            return Err(DecodeError::TooLong {
                limit: METHOD_NAME_BYTES_MAX,
                actual: name_length,
            });
        }
        let name = std::str::from_utf8(reader.take(name_length)?);
        let method = name
            .map_err(|_| DecodeError::NotUtf8 {
                record: "message",
                field: "name",
            })?
            .to_owned();
        let kind = match strict_kind {
            Some(kind) => kind,
            None => MessageKind(u8::from_be_bytes(reader.array()?)),
        };
        Ok(Self {
            method,
            kind,
            seqid: i32::from_be_bytes(reader.array()?),
        })
    }

    /// Appends the header in the strict form, which every peer reads.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_header(out, &self.method, self.kind, self.seqid);
    }
}

/// Appends a strict header.
pub(crate) fn write_header(out: &mut Vec<u8>, method: &str, kind: MessageKind, seqid: i32) {
    out.extend_from_slice(&(VERSION_1 | u32::from(kind.0)).to_be_bytes());
    let name = method.as_bytes();
    let name = name.get(..METHOD_NAME_BYTES_MAX).unwrap_or(name);
    i32::try_from(name.len()).unwrap_or(0).write(out);
    out.extend_from_slice(name);
    seqid.write(out);
}

open_enum! {
    /// Why a call has no answer.
    pub struct ExceptionKind = "TApplicationExceptionType" {
        UNKNOWN = 0 "UNKNOWN",
        /// Clients fall back to another method on exactly this one.
        UNKNOWN_METHOD = 1 "UNKNOWN_METHOD",
        INVALID_MESSAGE_TYPE = 2 "INVALID_MESSAGE_TYPE",
        WRONG_METHOD_NAME = 3 "WRONG_METHOD_NAME",
        BAD_SEQUENCE_ID = 4 "BAD_SEQUENCE_ID",
        MISSING_RESULT = 5 "MISSING_RESULT",
        INTERNAL_ERROR = 6 "INTERNAL_ERROR",
        PROTOCOL_ERROR = 7 "PROTOCOL_ERROR",
    }
}

record! {
    /// What comes instead of an answer when the call could not be dispatched. The connection lives on.
    pub struct ApplicationException = "TApplicationException" {
        /// What happened.
        1: optional message: String = "message",
        /// Which kind; absent means unknown.
        2: optional kind: ExceptionKind = "type",
    }
}

impl ApplicationException {
    /// An exception with both fields.
    #[must_use]
    pub fn new(kind: ExceptionKind, message: impl Into<String>) -> Self {
        Self {
            message: Some(message.into()),
            kind: Some(kind),
        }
    }
}

impl std::fmt::Display for ApplicationException {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = self.kind.unwrap_or(ExceptionKind::UNKNOWN);
        write!(
            f,
            "{} ({kind})",
            self.message
                .as_deref()
                .unwrap_or("the server gave no message")
        )
    }
}

impl std::error::Error for ApplicationException {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_header_are_read_and_the_strict_one_written() {
        let header = MessageHeader {
            method: "Ping".to_owned(),
            kind: MessageKind::CALL,
            seqid: -2,
        };
        let mut strict = Vec::new();
        header.write(&mut strict);
        assert_eq!(strict, b"\x80\x01\0\x01\0\0\0\x04Ping\xff\xff\xff\xfe");
        assert_eq!(
            MessageHeader::read(&mut Reader::new(&strict)),
            Ok(header.clone())
        );
        let old = b"\0\0\0\x04Ping\x01\xff\xff\xff\xfe";
        assert_eq!(MessageHeader::read(&mut Reader::new(old)), Ok(header));
        for end in 0..strict.len() {
            assert!(matches!(
                MessageHeader::read(&mut Reader::new(&strict[..end])),
                Err(DecodeError::Truncated { .. })
            ));
        }
    }

    #[test]
    fn what_is_no_header() {
        let read = |bytes: &[u8]| MessageHeader::read(&mut Reader::new(bytes)).unwrap_err();
        assert_eq!(
            read(b"\x16\x03\x01\x02"),
            DecodeError::TooLong {
                limit: 256,
                actual: 0x1603_0102
            }
        );
        assert_eq!(
            read(b"\xff\xff\xff\xff"),
            DecodeError::BadVersion { word: 0xffff_ffff }
        );
        assert_eq!(
            read(b"\x80\x01\0\x01\xff\xff\xff\xff"),
            DecodeError::NegativeLength { length: -1 }
        );
    }
}
