//! `TCLIService`: the calls of HiveServer2, both ways.
//!
//! A client writes a request with [`write_call`] and reads its answer with [`decode_reply`]; a server reads with
//! [`decode_call`] and answers with [`write_reply`], [`write_fetch_reply`] or [`write_exception`]. Names are those
//! of the service definition without their `T`.

mod call;
mod execute;
mod fetch;
mod handle;
mod metadata;
mod operation;
mod session;
mod status;
mod token;
mod types;
mod version;

pub use call::{
    Call, CallError, IncomingCall, ReplyError, Request, decode_call, decode_reply, write_call,
    write_exception, write_reply,
};
pub use execute::{DownloadDataReq, ExecuteStatementReq, HandleResp, TransferResp, UploadDataReq};
pub use fetch::{
    FetchOrientation, FetchResultsReq, FetchResultsResp, GetResultSetMetadataReq,
    GetResultSetMetadataResp, write_fetch_reply,
};
pub use handle::{HandleId, OperationHandle, SessionHandle};
pub use metadata::{
    GetCatalogsReq, GetColumnsReq, GetCrossReferenceReq, GetFunctionsReq, GetPrimaryKeysReq,
    GetSchemasReq, GetTableTypesReq, GetTablesReq, GetTypeInfoReq,
};
pub use operation::{
    CancelOperationReq, CloseOperationReq, GetOperationStatusReq, GetOperationStatusResp,
    GetQueryIdReq, GetQueryIdResp, JobExecutionStatus, OperationState, OperationType,
    ProgressUpdateResp,
};
pub use session::{
    CloseSessionReq, GetInfoReq, GetInfoResp, GetInfoType, GetInfoValue, OpenSessionReq,
    OpenSessionResp, SetClientInfoReq,
};
pub use status::{Status, StatusCode, StatusResp};
pub use token::{
    CancelDelegationTokenReq, GetDelegationTokenReq, GetDelegationTokenResp,
    RenewDelegationTokenReq,
};
pub use types::{
    ArrayTypeEntry, ColumnDesc, MapTypeEntry, PrimitiveTypeEntry, StructTypeEntry, TableSchema,
    TypeDesc, TypeEntry, TypeId, TypeQualifierValue, TypeQualifiers, UserDefinedTypeEntry,
};
pub use version::ProtocolVersion;
