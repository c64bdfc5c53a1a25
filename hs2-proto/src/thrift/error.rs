//! What can be wrong with bytes that should be Thrift.

use super::WireType;

/// The bytes are not the message they should be: the peer broke the protocol, or the transport cut something off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The message ends in the middle of a value.
    #[error("the message ends too early: {needed} more bytes wanted, {remaining} left")]
    Truncated {
        /// Bytes that the next value takes, or as many as its length field claims.
        needed: usize,
        /// Bytes that are left.
        remaining: usize,
    },
    /// A length or count is negative.
    #[error("a length field says {length}")]
    NegativeLength {
        /// The length.
        length: i32,
    },
    /// The message is longer than its reader allows.
    #[error("the message has {actual} bytes or more, {limit} are allowed")]
    TooLong {
        /// Bytes allowed.
        limit: usize,
        /// Bytes the message claims so far.
        actual: usize,
    },
    /// A type code that Thrift does not have.
    #[error("unknown type code {code}")]
    UnknownType {
        /// The code.
        code: u8,
    },
    /// Structs, lists and maps are nested deeper than allowed.
    #[error("values are nested deeper than {limit} levels")]
    TooDeep {
        /// Levels allowed.
        limit: usize,
    },
    /// A message begins with a version that is not 1.
    #[error("not a Thrift message: it begins with {word:#010x}")]
    BadVersion {
        /// The first four bytes.
        word: u32,
    },
    /// A text is not UTF-8.
    #[error("{record}.{field} is not UTF-8")]
    NotUtf8 {
        /// Struct that holds the text, by its name in the service definition.
        record: &'static str,
        /// Field of that struct.
        field: &'static str,
    },
    /// A required field is not there.
    #[error("{record} lacks its required field {field}")]
    MissingField {
        /// Struct that lacks it, by its name in the service definition.
        record: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A known field has another type than it should.
    #[error("{record}.{field} is a {actual}, not a {expected}")]
    WrongType {
        /// Struct that holds the field, by its name in the service definition.
        record: &'static str,
        /// The field.
        field: &'static str,
        /// The type it should have.
        expected: WireType,
        /// The type it has.
        actual: WireType,
    },
    /// A value that its field cannot have.
    #[error("{record}.{field}: {reason}")]
    Invalid {
        /// Struct that holds the field, by its name in the service definition.
        record: &'static str,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Bytes follow the end of the message.
    #[error("{bytes} bytes follow the end of the message")]
    Trailing {
        /// How many.
        bytes: usize,
    },
}
