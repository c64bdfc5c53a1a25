//! What can be wrong with bytes that should be a record.

/// A record that could not be decoded: which record, which field, where in the frame, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{record}.{field} at byte {offset}: {kind}")]
pub struct DecodeError {
    /// The jute record's name.
    pub record: &'static str,
    /// The field within it.
    pub field: &'static str,
    /// Byte offset of the field in the frame's payload.
    pub offset: usize,
    /// What is wrong.
    pub kind: DecodeErrorKind,
}

/// Why a field could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The frame ends before the field does.
    #[error("needs {needed} bytes, {remaining} are left in the frame")]
    Truncated {
        /// Bytes that the field needs.
        needed: usize,
        /// Bytes that are left.
        remaining: usize,
    },
    /// A length or count below -1 (-1 is null).
    #[error("length {0} is negative")]
    NegativeLength(i32),
    /// Null where the protocol has none.
    #[error("is null")]
    Null,
    /// Text that is not UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
    /// An opcode that this codec does not know.
    #[error("opcode {0} is unknown")]
    UnknownOpCode(i32),
}
