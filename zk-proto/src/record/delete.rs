//! `delete` (2). The answer is a header alone.

use bytes::{BufMut, BytesMut};

use crate::jute::{Decode, Encode, Reader, put_string};
use crate::{DecodeError, ZnodeVersion};

/// The request (jute `DeleteRequest`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeleteRequest<'a> {
    /// Which znode.
    pub path: &'a str,
    /// Only at this data version.
    pub version: ZnodeVersion,
}

impl Encode for DeleteRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_string(out, self.path);
        out.put_i32(self.version.0);
    }
}

impl<'a> Decode<'a> for DeleteRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("DeleteRequest");
        Ok(Self {
            path: r.string("path")?,
            version: ZnodeVersion(r.int("version")?),
        })
    }
}
