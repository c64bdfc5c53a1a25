//! `multi` (14, since 3.4.0): several writes, all or none; `multiRead` (22, since 3.6.0): several reads.
//!
//! Each operation and each result stands behind a `MultiHeader` (`type`, `done`, `err`); a last one with `done` set
//! ends the list. A failed multi has `err` 0 in its *reply header*: the failure is in the results.

use bytes::{BufMut, BytesMut};

use super::create::{Create2Response, CreateRequest, CreateTtlRequest};
use super::{
    Children, DeleteRequest, GetChildrenRequest, GetDataRequest, GetDataResponse, SetDataRequest,
};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::jute::{Decode, Encode, Reader, put_string};
use crate::{ErrorCode, OpCode, Stat, ZnodeVersion};

/// Checks a data version (jute `CheckVersionRequest`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckRequest<'a> {
    /// Which znode.
    pub path: &'a str,
    /// The version that it must have.
    pub version: ZnodeVersion,
}

impl Encode for CheckRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_string(out, self.path);
        out.put_i32(self.version.0);
    }
}

impl<'a> Decode<'a> for CheckRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("CheckVersionRequest");
        Ok(Self {
            path: r.string("path")?,
            version: ZnodeVersion(r.int("version")?),
        })
    }
}

/// One operation of a multi or, for the two reads, of a multiRead.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MultiOp<'a> {
    /// As `create`; answered with the path.
    Create(CreateRequest<'a>),
    /// As `create2`; servers before 3.9 answer with the path alone.
    Create2(CreateRequest<'a>),
    /// As `createContainer`.
    CreateContainer(CreateRequest<'a>),
    /// As `createTTL`.
    CreateTtl(CreateTtlRequest<'a>),
    /// As `delete`.
    Delete(DeleteRequest<'a>),
    /// As `setData`.
    SetData(SetDataRequest<'a>),
    /// As `check`.
    Check(CheckRequest<'a>),
    /// As `getData`; in a multiRead only.
    GetData(GetDataRequest<'a>),
    /// As `getChildren`; in a multiRead only.
    GetChildren(GetChildrenRequest<'a>),
}

impl MultiOp<'_> {
    /// The operation's number.
    #[must_use]
    pub const fn opcode(&self) -> OpCode {
        match self {
            Self::Create(_) => OpCode::CREATE,
            Self::Create2(_) => OpCode::CREATE2,
            Self::CreateContainer(_) => OpCode::CREATE_CONTAINER,
            Self::CreateTtl(_) => OpCode::CREATE_TTL,
            Self::Delete(_) => OpCode::DELETE,
            Self::SetData(_) => OpCode::SET_DATA,
            Self::Check(_) => OpCode::CHECK,
            Self::GetData(_) => OpCode::GET_DATA,
            Self::GetChildren(_) => OpCode::GET_CHILDREN,
        }
    }
}

/// The request of `multi` and `multiRead` (`MultiOperationRecord`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MultiRequest<'a> {
    /// The operations, in the order in which they are done.
    pub ops: Vec<MultiOp<'a>>,
}

impl Encode for MultiRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        for op in &self.ops {
            MultiHeader {
                opcode: op.opcode(),
                done: false,
                err: ErrorCode(-1),
            }
            .encode(out);
            match op {
                MultiOp::Create(r) | MultiOp::Create2(r) | MultiOp::CreateContainer(r) => {
                    r.encode(out)
                }
                MultiOp::CreateTtl(r) => r.encode(out),
                MultiOp::Delete(r) => r.encode(out),
                MultiOp::SetData(r) => r.encode(out),
                MultiOp::Check(r) => r.encode(out),
                MultiOp::GetData(r) => r.encode(out),
                MultiOp::GetChildren(r) => r.encode(out),
            }
        }
        MultiHeader::END.encode(out);
    }
}

impl<'a> Decode<'a> for MultiRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut ops = Vec::new();
        loop {
            let header = MultiHeader::decode(r)?;
            if header.done {
                return Ok(Self { ops });
            }
            ops.push(match header.opcode {
                OpCode::CREATE => MultiOp::Create(Decode::decode(r)?),
                OpCode::CREATE2 => MultiOp::Create2(Decode::decode(r)?),
                OpCode::CREATE_CONTAINER => MultiOp::CreateContainer(Decode::decode(r)?),
                OpCode::CREATE_TTL => MultiOp::CreateTtl(Decode::decode(r)?),
                OpCode::DELETE => MultiOp::Delete(Decode::decode(r)?),
                OpCode::SET_DATA => MultiOp::SetData(Decode::decode(r)?),
                OpCode::CHECK => MultiOp::Check(Decode::decode(r)?),
                OpCode::GET_DATA => MultiOp::GetData(Decode::decode(r)?),
                OpCode::GET_CHILDREN => MultiOp::GetChildren(Decode::decode(r)?),
                OpCode(number) => {
                    return Err(r.fail("type", DecodeErrorKind::UnknownOpCode(number)));
                }
            });
        }
    }
}

/// What became of one operation. Which variant comes is the server's choice: read it by what it is, not by what was
/// asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MultiResult<'a> {
    /// A znode was created.
    Create {
        /// Its path.
        path: &'a str,
    },
    /// A znode was created; servers since 3.9, containers and time-to-live znodes before.
    Create2(Create2Response<'a>),
    /// A znode was deleted.
    Delete,
    /// Data was set.
    SetData {
        /// The stat after the change.
        stat: Stat,
    },
    /// The version was as expected.
    Check,
    /// Data was read.
    GetData(GetDataResponse<'a>),
    /// Children were listed.
    GetChildren(Children),
    /// The operation failed with this code. In a failed multi, those before the culprit carry [`ErrorCode::OK`] (they
    /// were rolled back), those behind it [`ErrorCode::RUNTIME_INCONSISTENCY`] (not attempted).
    Error(ErrorCode),
}

/// The answer to both (`MultiResponse`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MultiResponse<'a> {
    /// One result for each operation.
    pub results: Vec<MultiResult<'a>>,
}

impl Encode for MultiResponse<'_> {
    fn encode(&self, out: &mut BytesMut) {
        let header = |opcode, err| MultiHeader {
            opcode,
            done: false,
            err,
        };
        for result in &self.results {
            match result {
                MultiResult::Create { path } => {
                    header(OpCode::CREATE, ErrorCode::OK).encode(out);
                    put_string(out, path);
                }
                MultiResult::Create2(response) => {
                    header(OpCode::CREATE2, ErrorCode::OK).encode(out);
                    response.encode(out);
                }
                MultiResult::Delete => header(OpCode::DELETE, ErrorCode::OK).encode(out),
                MultiResult::SetData { stat } => {
                    header(OpCode::SET_DATA, ErrorCode::OK).encode(out);
                    stat.encode(out);
                }
                MultiResult::Check => header(OpCode::CHECK, ErrorCode::OK).encode(out),
                MultiResult::GetData(response) => {
                    header(OpCode::GET_DATA, ErrorCode::OK).encode(out);
                    response.encode(out);
                }
                MultiResult::GetChildren(children) => {
                    header(OpCode::GET_CHILDREN, ErrorCode::OK).encode(out);
                    children.encode(out);
                }
                MultiResult::Error(err) => {
                    header(OpCode::ERROR, *err).encode(out);
                    out.put_i32(err.0);
                }
            }
        }
        MultiHeader::END.encode(out);
    }
}

impl<'a> Decode<'a> for MultiResponse<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut results = Vec::new();
        loop {
            let header = MultiHeader::decode(r)?;
            if header.done {
                return Ok(Self { results });
            }
            results.push(match header.opcode {
                OpCode::CREATE => {
                    r.record("CreateResponse");
                    MultiResult::Create {
                        path: r.string("path")?,
                    }
                }
                OpCode::CREATE2 | OpCode::CREATE_CONTAINER | OpCode::CREATE_TTL => {
                    MultiResult::Create2(Decode::decode(r)?)
                }
                OpCode::DELETE => MultiResult::Delete,
                OpCode::SET_DATA => MultiResult::SetData {
                    stat: Stat::decode(r)?,
                },
                OpCode::CHECK => MultiResult::Check,
                OpCode::GET_DATA => MultiResult::GetData(Decode::decode(r)?),
                OpCode::GET_CHILDREN => {
                    r.record("GetChildrenResponse");
                    MultiResult::GetChildren(Children::decode(r)?)
                }
                OpCode::ERROR => {
                    r.record("ErrorResponse");
                    MultiResult::Error(ErrorCode(r.int("err")?))
                }
                OpCode(number) => {
                    return Err(r.fail("type", DecodeErrorKind::UnknownOpCode(number)));
                }
            });
        }
    }
}

struct MultiHeader {
    opcode: OpCode,
    done: bool,
    err: ErrorCode,
}

impl MultiHeader {
    const END: Self = Self {
        opcode: OpCode::ERROR,
        done: true,
        err: ErrorCode(-1),
    };
}

impl Encode for MultiHeader {
    fn encode(&self, out: &mut BytesMut) {
        out.put_i32(self.opcode.0);
        out.put_u8(u8::from(self.done));
        out.put_i32(self.err.0);
    }
}

impl<'a> Decode<'a> for MultiHeader {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("MultiHeader");
        Ok(Self {
            opcode: OpCode(r.int("type")?),
            done: r.boolean("done")?,
            err: ErrorCode(r.int("err")?),
        })
    }
}
