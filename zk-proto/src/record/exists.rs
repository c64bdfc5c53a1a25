//! `exists` (3). A missing znode is answered with `NoNode`; its watch is set all the same.

use bytes::{BufMut, BytesMut};

use crate::jute::{Decode, Encode, Reader, put_string};
use crate::{DecodeError, Stat};

/// The request (jute `ExistsRequest`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExistsRequest<'a> {
    /// Which znode.
    pub path: &'a str,
    /// Whether to leave a watch: for a change where the znode exists, for its creation where not.
    pub watch: bool,
}

impl Encode for ExistsRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_string(out, self.path);
        out.put_u8(u8::from(self.watch));
    }
}

impl<'a> Decode<'a> for ExistsRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("ExistsRequest");
        Ok(Self {
            path: r.string("path")?,
            watch: r.boolean("watch")?,
        })
    }
}

/// The answer (jute `ExistsResponse`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExistsResponse {
    /// The znode's stat.
    pub stat: Stat,
}

impl Encode for ExistsResponse {
    fn encode(&self, out: &mut BytesMut) {
        self.stat.encode(out);
    }
}

impl<'a> Decode<'a> for ExistsResponse {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            stat: Stat::decode(r)?,
        })
    }
}
