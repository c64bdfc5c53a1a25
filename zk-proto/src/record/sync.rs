//! `sync` (9): answered once this server has seen every write that was done before.

use bytes::BytesMut;

use crate::DecodeError;
use crate::jute::{Decode, Encode, Reader, put_string};

/// The request (jute `SyncRequest`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncRequest<'a> {
    /// Any path; servers wait for all of the tree.
    pub path: &'a str,
}

impl Encode for SyncRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_string(out, self.path);
    }
}

impl<'a> Decode<'a> for SyncRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("SyncRequest");
        Ok(Self {
            path: r.optional_string("path")?.unwrap_or_default(),
        })
    }
}

/// The answer (jute `SyncResponse`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncResponse<'a> {
    /// The path of the request.
    pub path: &'a str,
}

impl Encode for SyncResponse<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_string(out, self.path);
    }
}

impl<'a> Decode<'a> for SyncResponse<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("SyncResponse");
        Ok(Self {
            path: r.optional_string("path")?.unwrap_or_default(),
        })
    }
}
