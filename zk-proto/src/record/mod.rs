//! The records of the client protocol, one concern a file, each readable and writable.
//!
//! [`Request`] is the only place that pairs opcodes with records.

mod acl;
mod auth;
mod children;
mod connect;
mod create;
mod data;
mod delete;
mod exists;
mod header;
mod inspect;
mod multi;
mod reconfig;
mod sync;
mod watch;

pub use acl::{GetAclRequest, GetAclResponse, SetAclRequest, SetAclResponse};
pub use auth::{AuthRequest, SaslRequest, SaslResponse};
pub use children::{Children, GetChildren2Response, GetChildrenRequest, GetChildrenResponse};
pub use connect::{ConnectRequest, ConnectResponse, PASSWORD_BYTES};
pub use create::{Create2Response, CreateMode, CreateRequest, CreateResponse, CreateTtlRequest};
pub use data::{GetDataRequest, GetDataResponse, SetDataRequest, SetDataResponse};
pub use delete::DeleteRequest;
pub use exists::{ExistsRequest, ExistsResponse};
pub use header::{ReplyHeader, RequestHeader};
pub use inspect::{
    ClientInfo, GetAllChildrenNumberRequest, GetAllChildrenNumberResponse, GetEphemeralsRequest,
    GetEphemeralsResponse, WhoAmIResponse,
};
pub use multi::{CheckRequest, MultiOp, MultiRequest, MultiResponse, MultiResult};
pub use reconfig::ReconfigRequest;
pub use sync::{SyncRequest, SyncResponse};
pub use watch::{
    AddWatchMode, AddWatchRequest, AddWatchResponse, EventType, KeeperState, RemoveWatchesRequest,
    SetWatches2Request, SetWatchesRequest, WatcherEvent, WatcherType,
};

use bytes::BytesMut;

use crate::error::{DecodeError, DecodeErrorKind};
use crate::four_letter::ServerVersion;
use crate::jute::{Decode, Encode, Reader};
use crate::opcode::OpCode;

/// Every request that a client can send behind a [`RequestHeader`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request<'a> {
    /// `create` (1).
    Create(CreateRequest<'a>),
    /// `create2` (15): as create, answered with the stat.
    Create2(CreateRequest<'a>),
    /// `createContainer` (19).
    CreateContainer(CreateRequest<'a>),
    /// `createTTL` (21).
    CreateTtl(CreateTtlRequest<'a>),
    /// `delete` (2).
    Delete(DeleteRequest<'a>),
    /// `exists` (3).
    Exists(ExistsRequest<'a>),
    /// `getData` (4).
    GetData(GetDataRequest<'a>),
    /// `setData` (5).
    SetData(SetDataRequest<'a>),
    /// `getACL` (6).
    GetAcl(GetAclRequest<'a>),
    /// `setACL` (7).
    SetAcl(SetAclRequest<'a>),
    /// `getChildren` (8).
    GetChildren(GetChildrenRequest<'a>),
    /// `getChildren2` (12).
    GetChildren2(GetChildrenRequest<'a>),
    /// `sync` (9).
    Sync(SyncRequest<'a>),
    /// `ping` (11).
    Ping,
    /// `check` (13). Real servers do not answer one that succeeds: put it into a multi.
    Check(CheckRequest<'a>),
    /// `multi` (14).
    Multi(MultiRequest<'a>),
    /// `multiRead` (22).
    MultiRead(MultiRequest<'a>),
    /// `reconfig` (16).
    Reconfig(ReconfigRequest<'a>),
    /// `checkWatches` (17).
    CheckWatches(RemoveWatchesRequest<'a>),
    /// `removeWatches` (18).
    RemoveWatches(RemoveWatchesRequest<'a>),
    /// `auth` (100).
    Auth(AuthRequest<'a>),
    /// `setWatches` (101).
    SetWatches(SetWatchesRequest<'a>),
    /// `setWatches2` (105).
    SetWatches2(SetWatches2Request<'a>),
    /// `sasl` (102).
    Sasl(SaslRequest<'a>),
    /// `getEphemerals` (103).
    GetEphemerals(GetEphemeralsRequest<'a>),
    /// `getAllChildrenNumber` (104).
    GetAllChildrenNumber(GetAllChildrenNumberRequest<'a>),
    /// `addWatch` (106).
    AddWatch(AddWatchRequest<'a>),
    /// `whoAmI` (107).
    WhoAmI,
    /// `closeSession` (-11).
    CloseSession,
}

impl<'a> Request<'a> {
    /// The opcode that announces this record.
    #[must_use]
    pub const fn opcode(&self) -> OpCode {
        match self {
            Self::Create(_) => OpCode::CREATE,
            Self::Create2(_) => OpCode::CREATE2,
            Self::CreateContainer(_) => OpCode::CREATE_CONTAINER,
            Self::CreateTtl(_) => OpCode::CREATE_TTL,
            Self::Delete(_) => OpCode::DELETE,
            Self::Exists(_) => OpCode::EXISTS,
            Self::GetData(_) => OpCode::GET_DATA,
            Self::SetData(_) => OpCode::SET_DATA,
            Self::GetAcl(_) => OpCode::GET_ACL,
            Self::SetAcl(_) => OpCode::SET_ACL,
            Self::GetChildren(_) => OpCode::GET_CHILDREN,
            Self::GetChildren2(_) => OpCode::GET_CHILDREN2,
            Self::Sync(_) => OpCode::SYNC,
            Self::Ping => OpCode::PING,
            Self::Check(_) => OpCode::CHECK,
            Self::Multi(_) => OpCode::MULTI,
            Self::MultiRead(_) => OpCode::MULTI_READ,
            Self::Reconfig(_) => OpCode::RECONFIG,
            Self::CheckWatches(_) => OpCode::CHECK_WATCHES,
            Self::RemoveWatches(_) => OpCode::REMOVE_WATCHES,
            Self::Auth(_) => OpCode::AUTH,
            Self::SetWatches(_) => OpCode::SET_WATCHES,
            Self::SetWatches2(_) => OpCode::SET_WATCHES2,
            Self::Sasl(_) => OpCode::SASL,
            Self::GetEphemerals(_) => OpCode::GET_EPHEMERALS,
            Self::GetAllChildrenNumber(_) => OpCode::GET_ALL_CHILDREN_NUMBER,
            Self::AddWatch(_) => OpCode::ADD_WATCH,
            Self::WhoAmI => OpCode::WHO_AM_I,
            Self::CloseSession => OpCode::CLOSE_SESSION,
        }
    }

    /// The first server version that can read this request: that of its opcode, or of the newest thing in it.
    #[must_use]
    pub fn since(&self) -> ServerVersion {
        let own = self.opcode().since();
        match self {
            Self::Multi(multi) => {
                let ops = multi.ops.iter().map(|op| op.opcode().since());
                ops.fold(own, ServerVersion::max)
            }
            Self::CheckWatches(request) | Self::RemoveWatches(request)
                if request.watcher_type.0 > WatcherType::ANY.0 =>
            {
                ServerVersion::new(3, 9, 0)
            }
            _ => own,
        }
    }

    /// Reads the record that belongs to `opcode`.
    ///
    /// # Errors
    /// The record is broken, or the opcode is unknown ([`DecodeErrorKind::UnknownOpCode`]).
    pub fn decode(opcode: OpCode, r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match opcode {
            OpCode::CREATE => Self::Create(Decode::decode(r)?),
            OpCode::CREATE2 => Self::Create2(Decode::decode(r)?),
            OpCode::CREATE_CONTAINER => Self::CreateContainer(Decode::decode(r)?),
            OpCode::CREATE_TTL => Self::CreateTtl(Decode::decode(r)?),
            OpCode::DELETE => Self::Delete(Decode::decode(r)?),
            OpCode::EXISTS => Self::Exists(Decode::decode(r)?),
            OpCode::GET_DATA => Self::GetData(Decode::decode(r)?),
            OpCode::SET_DATA => Self::SetData(Decode::decode(r)?),
            OpCode::GET_ACL => Self::GetAcl(Decode::decode(r)?),
            OpCode::SET_ACL => Self::SetAcl(Decode::decode(r)?),
            OpCode::GET_CHILDREN => Self::GetChildren(Decode::decode(r)?),
            OpCode::GET_CHILDREN2 => Self::GetChildren2(Decode::decode(r)?),
            OpCode::SYNC => Self::Sync(Decode::decode(r)?),
            OpCode::PING => Self::Ping,
            OpCode::CHECK => Self::Check(Decode::decode(r)?),
            OpCode::MULTI => Self::Multi(Decode::decode(r)?),
            OpCode::MULTI_READ => Self::MultiRead(Decode::decode(r)?),
            OpCode::RECONFIG => Self::Reconfig(Decode::decode(r)?),
            OpCode::CHECK_WATCHES => Self::CheckWatches(Decode::decode(r)?),
            OpCode::REMOVE_WATCHES => Self::RemoveWatches(Decode::decode(r)?),
            OpCode::AUTH => Self::Auth(Decode::decode(r)?),
            OpCode::SET_WATCHES => Self::SetWatches(Decode::decode(r)?),
            OpCode::SET_WATCHES2 => Self::SetWatches2(Decode::decode(r)?),
            OpCode::SASL => Self::Sasl(Decode::decode(r)?),
            OpCode::GET_EPHEMERALS => Self::GetEphemerals(Decode::decode(r)?),
            OpCode::GET_ALL_CHILDREN_NUMBER => Self::GetAllChildrenNumber(Decode::decode(r)?),
            OpCode::ADD_WATCH => Self::AddWatch(Decode::decode(r)?),
            OpCode::WHO_AM_I => Self::WhoAmI,
            OpCode::CLOSE_SESSION => Self::CloseSession,
            OpCode(number) => return Err(r.fail("type", DecodeErrorKind::UnknownOpCode(number))),
        })
    }
}

/// Writes the record alone; [`crate::frame::encode_request`] writes it with header and length.
impl Encode for Request<'_> {
    fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Create(r) | Self::Create2(r) | Self::CreateContainer(r) => r.encode(out),
            Self::CreateTtl(r) => r.encode(out),
            Self::Delete(r) => r.encode(out),
            Self::Exists(r) => r.encode(out),
            Self::GetData(r) => r.encode(out),
            Self::SetData(r) => r.encode(out),
            Self::GetAcl(r) => r.encode(out),
            Self::SetAcl(r) => r.encode(out),
            Self::GetChildren(r) | Self::GetChildren2(r) => r.encode(out),
            Self::Sync(r) => r.encode(out),
            Self::Check(r) => r.encode(out),
            Self::Multi(r) | Self::MultiRead(r) => r.encode(out),
            Self::Reconfig(r) => r.encode(out),
            Self::CheckWatches(r) | Self::RemoveWatches(r) => r.encode(out),
            Self::Auth(r) => r.encode(out),
            Self::SetWatches(r) => r.encode(out),
            Self::SetWatches2(r) => r.encode(out),
            Self::Sasl(r) => r.encode(out),
            Self::GetEphemerals(r) => r.encode(out),
            Self::GetAllChildrenNumber(r) => r.encode(out),
            Self::AddWatch(r) => r.encode(out),
            Self::Ping | Self::WhoAmI | Self::CloseSession => {}
        }
    }
}
