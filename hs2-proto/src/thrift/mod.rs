//! The Thrift binary protocol: integers big endian, a type code and a field id before every field.
//!
//! Reading is from bytes that are all there (a frame, or what [`MessageScanner`] has found the end of). Every
//! length is checked against the bytes that remain before anything is allocated, lists grow with the elements
//! read and never by their count field, and unknown fields are skipped without recursion.

mod error;
mod message;
mod read;
mod scan;
mod value;
mod write;

pub use error::DecodeError;
pub(crate) use message::write_header;
pub use message::{
    ApplicationException, ExceptionKind, METHOD_NAME_BYTES_MAX, MessageHeader, MessageKind,
};
pub use read::{Reader, StringMap};
pub use scan::{DEPTH_MAX, MessageScanner, message_length};
pub use value::{Decode, Encode, Value};
pub(crate) use value::{open_enum, record};
pub use write::{write_field, write_list_header, write_map_header};

/// The type code before each field, and of the elements of lists, sets and maps. Open: an unknown code is kept,
/// so that an error can show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WireType(pub u8);

#[allow(missing_docs)] // The names are Thrift's own.
impl WireType {
    pub const STOP: Self = Self(0);
    pub const BOOL: Self = Self(2);
    pub const BYTE: Self = Self(3);
    pub const DOUBLE: Self = Self(4);
    pub const I16: Self = Self(6);
    pub const I32: Self = Self(8);
    pub const I64: Self = Self(10);
    /// Text and binary alike.
    pub const STRING: Self = Self(11);
    pub const STRUCT: Self = Self(12);
    pub const MAP: Self = Self(13);
    pub const SET: Self = Self(14);
    pub const LIST: Self = Self(15);

    /// Bytes of a value of a fixed-width type.
    #[must_use]
    pub const fn width(self) -> Option<usize> {
        match self {
            Self::BOOL | Self::BYTE => Some(1),
            Self::I16 => Some(2),
            Self::I32 => Some(4),
            Self::I64 | Self::DOUBLE => Some(8),
            _ => None,
        }
    }
}

impl std::fmt::Display for WireType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match *self {
            Self::STOP => "stop",
            Self::BOOL => "bool",
            Self::BYTE => "byte",
            Self::DOUBLE => "double",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::STRING => "string",
            Self::STRUCT => "struct",
            Self::MAP => "map",
            Self::SET => "set",
            Self::LIST => "list",
            Self(code) => return write!(f, "type {code}"),
        };
        f.write_str(name)
    }
}
