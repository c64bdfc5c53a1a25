//! `getData` (4) and `setData` (5).

use bytes::{BufMut, BytesMut};

use crate::jute::{Decode, Encode, Reader, put_buffer, put_string};
use crate::{DecodeError, Stat, ZnodeVersion};

/// The request of `getData` (jute `GetDataRequest`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetDataRequest<'a> {
    /// Which znode.
    pub path: &'a str,
    /// Whether to leave a watch for the next change of its data or its deletion.
    pub watch: bool,
}

impl Encode for GetDataRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_string(out, self.path);
        out.put_u8(u8::from(self.watch));
    }
}

impl<'a> Decode<'a> for GetDataRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("GetDataRequest");
        Ok(Self {
            path: r.string("path")?,
            watch: r.boolean("watch")?,
        })
    }
}

/// The answer to `getData` (jute `GetDataResponse`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetDataResponse<'a> {
    /// The data; `None` where it was created as null.
    pub data: Option<&'a [u8]>,
    /// The znode's stat.
    pub stat: Stat,
}

impl Encode for GetDataResponse<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_buffer(out, self.data);
        self.stat.encode(out);
    }
}

impl<'a> Decode<'a> for GetDataResponse<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("GetDataResponse");
        Ok(Self {
            data: r.buffer("data")?,
            stat: Stat::decode(r)?,
        })
    }
}

/// The request of `setData` (jute `SetDataRequest`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetDataRequest<'a> {
    /// Which znode.
    pub path: &'a str,
    /// The new data; `None` is null.
    pub data: Option<&'a [u8]>,
    /// Only at this data version.
    pub version: ZnodeVersion,
}

impl Encode for SetDataRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_string(out, self.path);
        put_buffer(out, self.data);
        out.put_i32(self.version.0);
    }
}

impl<'a> Decode<'a> for SetDataRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("SetDataRequest");
        Ok(Self {
            path: r.string("path")?,
            data: r.buffer("data")?,
            version: ZnodeVersion(r.int("version")?),
        })
    }
}

/// The answer to `setData` (jute `SetDataResponse`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetDataResponse {
    /// The stat after the change.
    pub stat: Stat,
}

impl Encode for SetDataResponse {
    fn encode(&self, out: &mut BytesMut) {
        self.stat.encode(out);
    }
}

impl<'a> Decode<'a> for SetDataResponse {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            stat: Stat::decode(r)?,
        })
    }
}
