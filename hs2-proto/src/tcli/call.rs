//! Calls and replies as whole messages.

use super::{
    CancelDelegationTokenReq, CancelOperationReq, CloseOperationReq, CloseSessionReq,
    DownloadDataReq, ExecuteStatementReq, FetchResultsReq, FetchResultsResp, GetCatalogsReq,
    GetColumnsReq, GetCrossReferenceReq, GetDelegationTokenReq, GetDelegationTokenResp,
    GetFunctionsReq, GetInfoReq, GetInfoResp, GetOperationStatusReq, GetOperationStatusResp,
    GetPrimaryKeysReq, GetQueryIdReq, GetQueryIdResp, GetResultSetMetadataReq,
    GetResultSetMetadataResp, GetSchemasReq, GetTableTypesReq, GetTablesReq, GetTypeInfoReq,
    HandleResp, OpenSessionReq, OpenSessionResp, RenewDelegationTokenReq, SetClientInfoReq,
    StatusResp, TransferResp, UploadDataReq,
};
use crate::thrift::{
    ApplicationException, Decode, DecodeError, Encode, ExceptionKind, MessageHeader, MessageKind,
    Reader, WireType, write_field, write_header,
};
use bytes::Bytes;

/// A request, with its method and the type of its answer.
pub trait Call: Encode + Decode {
    /// Name of the method.
    const METHOD: &'static str;
    /// What answers it.
    type Reply: Decode;
}

macro_rules! calls {
    ($($method:ident($request:ty) -> $reply:ty,)*) => {
        $(impl Call for $request {
            const METHOD: &'static str = stringify!($method);
            type Reply = $reply;
        })*

        /// Any request of the service, as a server reads it.
        #[derive(Debug, Clone, PartialEq)]
        #[allow(missing_docs)] // Each is the method of its name.
        pub enum Request {
            $($method($request),)*
        }

        impl Request {
            /// Name of the method.
            #[must_use]
            pub const fn method(&self) -> &'static str {
                match self {
                    $(Self::$method(_) => stringify!($method),)*
                }
            }

            /// Appends the request as a whole call, as [`write_call`] does.
            pub fn write(&self, out: &mut Vec<u8>, seqid: i32) {
                match self {
                    $(Self::$method(request) => write_call(out, seqid, request),)*
                }
            }

            /// The arguments of `method`, or `None` when the service does not have it.
            fn read(method: &str, reader: &mut Reader<'_>) -> Option<Result<Self, DecodeError>> {
                match method {
                    $(stringify!($method) => Some(arguments(reader).map(Self::$method)),)*
                    _ => None,
                }
            }
        }
    };
}

calls! {
    OpenSession(OpenSessionReq) -> OpenSessionResp,
    CloseSession(CloseSessionReq) -> StatusResp,
    GetInfo(GetInfoReq) -> GetInfoResp,
    ExecuteStatement(ExecuteStatementReq) -> HandleResp,
    GetTypeInfo(GetTypeInfoReq) -> HandleResp,
    GetCatalogs(GetCatalogsReq) -> HandleResp,
    GetSchemas(GetSchemasReq) -> HandleResp,
    GetTables(GetTablesReq) -> HandleResp,
    GetTableTypes(GetTableTypesReq) -> HandleResp,
    GetColumns(GetColumnsReq) -> HandleResp,
    GetFunctions(GetFunctionsReq) -> HandleResp,
    GetPrimaryKeys(GetPrimaryKeysReq) -> HandleResp,
    GetCrossReference(GetCrossReferenceReq) -> HandleResp,
    GetOperationStatus(GetOperationStatusReq) -> GetOperationStatusResp,
    CancelOperation(CancelOperationReq) -> StatusResp,
    CloseOperation(CloseOperationReq) -> StatusResp,
    GetResultSetMetadata(GetResultSetMetadataReq) -> GetResultSetMetadataResp,
    FetchResults(FetchResultsReq) -> FetchResultsResp,
    GetDelegationToken(GetDelegationTokenReq) -> GetDelegationTokenResp,
    CancelDelegationToken(CancelDelegationTokenReq) -> StatusResp,
    RenewDelegationToken(RenewDelegationTokenReq) -> StatusResp,
    GetQueryId(GetQueryIdReq) -> GetQueryIdResp,
    SetClientInfo(SetClientInfoReq) -> StatusResp,
    UploadData(UploadDataReq) -> TransferResp,
    DownloadData(DownloadDataReq) -> TransferResp,
}

/// The argument struct of every method: field 1, `req`.
fn arguments<T: Decode>(reader: &mut Reader<'_>) -> Result<T, DecodeError> {
    field(reader, 1, "arguments", "req")
}

/// The one field that counts of an argument or result struct.
fn field<T: Decode>(
    reader: &mut Reader<'_>,
    wanted: i16,
    record: &'static str,
    name: &'static str,
) -> Result<T, DecodeError> {
    let mut value = None;
    while let Some((code, id)) = reader.field()? {
        if id == wanted {
            value = Some(reader.value(code, record, name)?);
        } else {
            reader.skip(code)?;
        }
    }
    value.ok_or(DecodeError::MissingField {
        record,
        field: name,
    })
}

/// A request and the number its answer must carry.
#[derive(Debug, Clone, PartialEq)]
pub struct IncomingCall {
    /// The caller's number, to be echoed.
    pub seqid: i32,
    /// What is asked.
    pub request: Request,
}

/// Why a message could not be taken as a call. [`CallError::answer`] says what to send back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The service has no such method. Real clients try methods of other servers and go on by this very answer.
    #[error("Invalid method name: '{method}'")]
    UnknownMethod {
        /// Name of the method.
        method: String,
        /// The caller's number.
        seqid: i32,
    },
    /// The method is known, its arguments cannot be read.
    #[error("{method}: {error}")]
    BadArguments {
        /// Name of the method.
        method: String,
        /// The caller's number.
        seqid: i32,
        /// What is wrong.
        error: DecodeError,
    },
    /// A reply, or something else that is not a call.
    #[error("{method}: message type {} is not a call", kind.0)]
    NotACall {
        /// Name of the method.
        method: String,
        /// The caller's number.
        seqid: i32,
        /// What the message is.
        kind: MessageKind,
    },
    /// No header: not Thrift at all, so that there is nothing to answer to.
    #[error(transparent)]
    NotAMessage(#[from] DecodeError),
}

impl CallError {
    /// The exception message to send, whole, or `None` when only closing the connection is left. After an answer
    /// the connection stays open.
    #[must_use]
    pub fn answer(&self) -> Option<Vec<u8>> {
        let (method, seqid, kind) = match self {
            Self::UnknownMethod { method, seqid } => {
                (method, *seqid, ExceptionKind::UNKNOWN_METHOD)
            }
            Self::BadArguments { method, seqid, .. } => {
                (method, *seqid, ExceptionKind::PROTOCOL_ERROR)
            }
            Self::NotACall { method, seqid, .. } => {
                (method, *seqid, ExceptionKind::INVALID_MESSAGE_TYPE)
            }
            Self::NotAMessage(_) => return None,
        };
        let mut out = Vec::new();
        write_exception(
            &mut out,
            method,
            seqid,
            &ApplicationException::new(kind, self.to_string()),
        );
        Some(out)
    }
}

/// Reads one call, which `message` is from its first byte to its last.
///
/// # Errors
/// See [`CallError`].
pub fn decode_call(message: &Bytes) -> Result<IncomingCall, CallError> {
    let mut reader = Reader::of_frame(message);
    let MessageHeader {
        method,
        kind,
        seqid,
    } = MessageHeader::read(&mut reader)?;
    if kind != MessageKind::CALL && kind != MessageKind::ONEWAY {
        return Err(CallError::NotACall {
            method,
            seqid,
            kind,
        });
    }
    let Some(request) = Request::read(&method, &mut reader) else {
        return Err(CallError::UnknownMethod { method, seqid });
    };
    match request.and_then(|request| reader.finish().map(|()| request)) {
        Ok(request) => Ok(IncomingCall { seqid, request }),
        Err(error) => Err(CallError::BadArguments {
            method,
            seqid,
            error,
        }),
    }
}

/// Appends a whole call.
pub fn write_call<C: Call>(out: &mut Vec<u8>, seqid: i32, call: &C) {
    write_header(out, C::METHOD, MessageKind::CALL, seqid);
    write_field(out, 1, call);
    out.push(WireType::STOP.0);
}

/// Appends a whole reply to call `C`.
pub fn write_reply<C: Call<Reply: Encode>>(out: &mut Vec<u8>, seqid: i32, reply: &C::Reply) {
    write_header(out, C::METHOD, MessageKind::REPLY, seqid);
    write_field(out, 0, reply);
    out.push(WireType::STOP.0);
}

/// Appends a whole exception message.
pub fn write_exception(
    out: &mut Vec<u8>,
    method: &str,
    seqid: i32,
    exception: &ApplicationException,
) {
    write_header(out, method, MessageKind::EXCEPTION, seqid);
    exception.write(out);
}

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The server could not dispatch the call. The connection is good.
    #[error("the server refused the call: {0}")]
    Exception(ApplicationException),
    /// The bytes are no reply. What follows on the connection cannot be trusted.
    #[error("the server's reply to {method} cannot be read: {error}")]
    Malformed {
        /// Method that was called.
        method: &'static str,
        /// What is wrong.
        error: DecodeError,
    },
    /// The reply belongs to another call. The connection is out of step.
    #[error(
        "reply to {method} (seqid {seqid}) answers another call: {actual_method} (seqid {actual_seqid})"
    )]
    OutOfStep {
        /// Method that was called.
        method: &'static str,
        /// Number of the call.
        seqid: i32,
        /// Method of the reply.
        actual_method: String,
        /// Number of the reply.
        actual_seqid: i32,
    },
}

/// Reads the reply to call `C` with number `seqid`, which `message` is from its first byte to its last.
///
/// # Errors
/// See [`ReplyError`].
pub fn decode_reply<C: Call>(message: &Bytes, seqid: i32) -> Result<C::Reply, ReplyError> {
    let malformed = |error| ReplyError::Malformed {
        method: C::METHOD,
        error,
    };
    let mut reader = Reader::of_frame(message);
    let header = MessageHeader::read(&mut reader).map_err(malformed)?;
    if header.seqid != seqid
        || (header.method != C::METHOD && header.kind != MessageKind::EXCEPTION)
    {
        let (actual_method, actual_seqid) = (header.method, header.seqid);
        return Err(ReplyError::OutOfStep {
            method: C::METHOD,
            seqid,
            actual_method,
            actual_seqid,
        });
    }
    let reply = match header.kind {
        MessageKind::REPLY => field(&mut reader, 0, "result", "success"),
        MessageKind::EXCEPTION => {
            let exception = ApplicationException::read(&mut reader).map_err(malformed)?;
            return Err(ReplyError::Exception(exception));
        }
        _ => Err(DecodeError::Invalid {
            record: "message",
            field: "type",
            reason: "not a reply",
        }),
    };
    let reply = reply.map_err(malformed)?;
    reader.finish().map_err(malformed)?;
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcli::{HandleId, SessionHandle, Status};

    const SESSION: SessionHandle = SessionHandle {
        session_id: HandleId {
            guid: [1; 16],
            secret: [2; 16],
        },
    };

    fn call() -> Bytes {
        let mut out = Vec::new();
        write_call(
            &mut out,
            7,
            &CloseSessionReq {
                session_handle: SESSION,
            },
        );
        out.into()
    }

    #[test]
    fn a_call_and_its_reply() {
        let incoming = decode_call(&call()).unwrap();
        assert_eq!(incoming.seqid, 7);
        assert_eq!(
            incoming.request,
            Request::CloseSession(CloseSessionReq {
                session_handle: SESSION
            })
        );
        let mut out = Vec::new();
        let reply = StatusResp {
            status: Status::error("42000", 40000, "no"),
        };
        write_reply::<CloseSessionReq>(&mut out, 7, &reply);
        assert_eq!(
            decode_reply::<CloseSessionReq>(&out.clone().into(), 7),
            Ok(reply)
        );
        let out: Bytes = out.into();
        assert!(matches!(
            decode_reply::<CloseSessionReq>(&out, 8),
            Err(ReplyError::OutOfStep {
                actual_seqid: 7,
                ..
            })
        ));
        assert!(matches!(
            decode_reply::<CancelOperationReq>(&out, 7),
            Err(ReplyError::OutOfStep { .. })
        ));
        assert!(matches!(
            decode_reply::<CloseSessionReq>(&call(), 7),
            Err(ReplyError::Malformed { .. })
        ));
    }

    #[test]
    fn what_is_no_call_says_what_to_answer() {
        let mut unknown = Vec::new();
        write_header(&mut unknown, "Frobnicate", MessageKind::CALL, 3);
        unknown.push(0);
        let error = decode_call(&unknown.into()).unwrap_err();
        let answer: Bytes = error.answer().unwrap().into();
        let Err(ReplyError::Exception(exception)) = decode_reply::<CloseSessionReq>(&answer, 3)
        else {
            panic!()
        };
        assert_eq!(exception.kind, Some(ExceptionKind::UNKNOWN_METHOD));
        assert_eq!(
            exception.message.as_deref(),
            Some("Invalid method name: 'Frobnicate'")
        );

        let mut empty = Vec::new();
        write_header(&mut empty, "CloseSession", MessageKind::CALL, 4);
        empty.push(0);
        let error = decode_call(&empty.into()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "CloseSession: arguments lacks its required field req"
        );
        let answer: Bytes = error.answer().unwrap().into();
        let Err(ReplyError::Exception(exception)) = decode_reply::<CloseSessionReq>(&answer, 4)
        else {
            panic!()
        };
        assert_eq!(exception.kind, Some(ExceptionKind::PROTOCOL_ERROR));

        let mut reply = Vec::new();
        write_reply::<CloseSessionReq>(
            &mut reply,
            5,
            &StatusResp {
                status: Status::SUCCESS,
            },
        );
        assert!(matches!(
            decode_call(&reply.into()),
            Err(CallError::NotACall { seqid: 5, .. })
        ));
        assert_eq!(
            decode_call(&Bytes::from_static(b"GET / HTTP/1.1"))
                .unwrap_err()
                .answer(),
            None
        );
        let trailing = [&call()[..], &[0]].concat();
        assert!(matches!(
            decode_call(&trailing.into()),
            Err(CallError::BadArguments { .. })
        ));
    }
}
