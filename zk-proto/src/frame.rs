//! Frames: four bytes of length, big endian, then that many bytes of payload. The same in both directions.
//!
//! Nothing is allocated for a length that has only been promised: the decoder waits until the bytes are there, and
//! refuses a length over its maximum at once.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::jute::Encode;
use crate::record::{ReplyHeader, Request, RequestHeader};
use crate::{DecodeError, Xid};

/// ZooKeeper's own default for the largest payload, in bytes (`jute.maxbuffer`): 1048575 is accepted, one more is not.
pub const DEFAULT_MAX_BYTES: usize = 0xf_ffff;

/// Bytes of the length in front of a payload.
pub const LENGTH_BYTES: usize = 4;

/// A frame that is too large to be sent, or a length that no frame can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The payload is over the limit.
    #[error("a frame of {actual} bytes is over the limit of {max} (jute.maxbuffer)")]
    TooLarge {
        /// Bytes of the payload.
        actual: usize,
        /// The limit.
        max: usize,
    },
    /// The length is negative: the bytes are not ZooKeeper's protocol.
    #[error("a frame's length is {0}: the peer does not speak ZooKeeper's protocol")]
    Negative(i32),
}

/// Cuts a stream of bytes into payloads.
#[derive(Debug, Clone)]
pub struct FrameDecoder {
    max_bytes: usize,
}

impl FrameDecoder {
    /// A decoder that refuses payloads over `max_bytes`.
    #[must_use]
    pub const fn new(max_bytes: usize) -> Self {
        Self { max_bytes }
    }

    /// Takes one payload from the front of `input`; `None` when it is not there yet.
    ///
    /// # Errors
    /// The length is negative or over the maximum. The stream cannot be read on: close the connection.
    pub fn decode(&self, input: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        let Some(length) = input.first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = i32::from_be_bytes(*length);
        let Ok(bytes) = usize::try_from(length) else {
            return Err(FrameError::Negative(length));
        };
        if bytes > self.max_bytes {
            return Err(FrameError::TooLarge {
                actual: bytes,
                max: self.max_bytes,
            });
        }
        if input.len() - LENGTH_BYTES < bytes {
            return Ok(None);
        }
        input.advance(LENGTH_BYTES);
        Ok(Some(input.split_to(bytes).freeze()))
    }
}

/// Appends one frame whose payload `write` appends.
///
/// # Errors
/// The payload is over `max_bytes`. `out` is then as it was.
pub fn encode(
    out: &mut BytesMut,
    max_bytes: usize,
    write: impl FnOnce(&mut BytesMut),
) -> Result<(), FrameError> {
    let start = out.len();
    out.put_i32(0);
    write(out);
    let bytes = out.len() - start - LENGTH_BYTES;
    let max = max_bytes.min(0x7fff_ffff);
    let (Ok(length), true) = (i32::try_from(bytes), bytes <= max) else {
        out.truncate(start);
        return Err(FrameError::TooLarge { actual: bytes, max });
    };
    if let Some(field) = out.get_mut(start..start + LENGTH_BYTES) {
        field.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

/// Appends a request with its header.
///
/// # Errors
/// The request is over `max_bytes`. `out` is then as it was.
pub fn encode_request(
    out: &mut BytesMut,
    xid: Xid,
    request: &Request<'_>,
    max_bytes: usize,
) -> Result<(), FrameError> {
    encode(out, max_bytes, |out| {
        RequestHeader {
            xid,
            opcode: request.opcode(),
        }
        .encode(out);
        request.encode(out);
    })
}

/// Appends a reply: its header and, behind it, its record.
///
/// # Errors
/// The reply is over `max_bytes`. `out` is then as it was.
pub fn encode_reply(
    out: &mut BytesMut,
    header: ReplyHeader,
    body: Option<&dyn Encode>,
    max_bytes: usize,
) -> Result<(), FrameError> {
    encode(out, max_bytes, |out| {
        header.encode(out);
        if let Some(body) = body {
            body.encode(out);
        }
    })
}

/// Either half of what can be wrong with incoming bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The framing is broken.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A record is broken.
    #[error(transparent)]
    Record(#[from] DecodeError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_only_when_it_is_whole() {
        let decoder = FrameDecoder::new(16);
        let mut input = BytesMut::new();
        for byte in [0, 0, 0, 2, 7] {
            input.put_u8(byte);
            assert_eq!(decoder.decode(&mut input), Ok(None));
        }
        input.put_u8(8);
        input.put_u8(0);
        assert_eq!(
            decoder.decode(&mut input),
            Ok(Some(Bytes::from_static(&[7, 8])))
        );
        assert_eq!(&input[..], [0]);
    }

    #[test]
    fn a_promise_of_two_gibibytes_costs_nothing() {
        let mut input = BytesMut::from(&[0x7f, 0xff, 0xff, 0xff][..]);
        let error = FrameDecoder::new(DEFAULT_MAX_BYTES)
            .decode(&mut input)
            .unwrap_err();
        assert_eq!(
            error,
            FrameError::TooLarge {
                actual: 0x7fff_ffff,
                max: DEFAULT_MAX_BYTES
            }
        );
        assert!(input.capacity() < 1024);
    }

    #[test]
    fn a_negative_length_is_not_zookeeper() {
        let mut input = BytesMut::from(&[0xff, 0xff, 0xff, 0xfe][..]);
        assert_eq!(
            FrameDecoder::new(16).decode(&mut input),
            Err(FrameError::Negative(-2))
        );
    }

    #[test]
    fn a_refused_frame_leaves_what_was_written_before() {
        let mut out = BytesMut::from(&b"before"[..]);
        let refused = encode(&mut out, 3, |out| out.put_slice(b"four"));
        assert_eq!(refused, Err(FrameError::TooLarge { actual: 4, max: 3 }));
        assert_eq!(&out[..], b"before");
        encode(&mut out, 4, |out| out.put_slice(b"four")).unwrap();
        assert_eq!(&out[..], b"before\0\0\0\x04four");
    }
}
