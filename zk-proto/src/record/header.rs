//! The headers in front of every request and reply after the handshake.

use bytes::{BufMut, BytesMut};

use crate::jute::{Decode, Encode, Reader};
use crate::{DecodeError, ErrorCode, OpCode, Xid, Zxid};

/// In front of a request (jute `RequestHeader`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestHeader {
    /// The number that the reply repeats.
    pub xid: Xid,
    /// Which record follows.
    pub opcode: OpCode,
}

impl Encode for RequestHeader {
    fn encode(&self, out: &mut BytesMut) {
        out.put_i32(self.xid.0);
        out.put_i32(self.opcode.0);
    }
}

impl<'a> Decode<'a> for RequestHeader {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("RequestHeader");
        Ok(Self {
            xid: Xid(r.int("xid")?),
            opcode: OpCode(r.int("type")?),
        })
    }
}

/// In front of a reply or a notification (jute `ReplyHeader`). A record follows only where `err` is
/// [`ErrorCode::OK`]; a failed `sasl` is the one exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyHeader {
    /// Which request is answered; reserved numbers in [`Xid`].
    pub xid: Xid,
    /// For a write its transaction, for a read the last one that the server has seen; 0 or -1 where there is none.
    pub zxid: Zxid,
    /// How the request ended.
    pub err: ErrorCode,
}

impl Encode for ReplyHeader {
    fn encode(&self, out: &mut BytesMut) {
        out.put_i32(self.xid.0);
        out.put_i64(self.zxid.0);
        out.put_i32(self.err.0);
    }
}

impl<'a> Decode<'a> for ReplyHeader {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("ReplyHeader");
        Ok(Self {
            xid: Xid(r.int("xid")?),
            zxid: Zxid(r.long("zxid")?),
            err: ErrorCode(r.int("err")?),
        })
    }
}
