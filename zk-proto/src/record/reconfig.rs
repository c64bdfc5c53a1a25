//! `reconfig` (16, since 3.5.0). It is answered as `getData` of `/zookeeper/config` is.

use bytes::{BufMut, BytesMut};

use crate::DecodeError;
use crate::jute::{Decode, Encode, Reader, put_buffer};

/// The request (jute `ReconfigRequest`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReconfigRequest<'a> {
    /// Servers to add, `server.1=…` joined by commas.
    pub joining: Option<&'a str>,
    /// Numbers of servers to remove, joined by commas.
    pub leaving: Option<&'a str>,
    /// All servers, instead of the two.
    pub new_members: Option<&'a str>,
    /// Only from this configuration; -1 for any.
    pub current_config: i64,
}

impl Encode for ReconfigRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        for text in [self.joining, self.leaving, self.new_members] {
            put_buffer(out, text.map(str::as_bytes));
        }
        out.put_i64(self.current_config);
    }
}

impl<'a> Decode<'a> for ReconfigRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("ReconfigRequest");
        Ok(Self {
            joining: r.optional_string("joiningServers")?,
            leaving: r.optional_string("leavingServers")?,
            new_members: r.optional_string("newMembers")?,
            current_config: r.long("curConfigId")?,
        })
    }
}
