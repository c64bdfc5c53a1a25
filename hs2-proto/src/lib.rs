//! The wire protocol of HiveServer2, without IO: bytes in, values out, and back.
//!
//! * [`thrift`]: the Thrift binary protocol, its messages, and where an unframed message ends.
//! * [`tcli`]: every call of `TCLIService`, for clients and for servers.
//! * [`rowset`]: results as columns in the wire's own bytes; with the feature `arrow`, Arrow batches to and from
//!   them.
//! * [`http`]: what the HTTP transport says beside its bodies: whom to act for, cookies.
//! * [`sasl`]: the negotiation and the frames of the binary transport, and a guess at what a peer speaks.
//!
//! Nothing here opens a socket, reads a clock or waits. Whoever owns the connection appends what arrives to a
//! buffer, takes whole frames from it, and sends what is written.
//!
//! # Sources of truth
//! The service definition of the Hive lines 2.3 to 4.x, and captured sessions of Hive JDBC, PyHive and impyla
//! (`tests/golden`). Names are those of the definition without the leading `T`: `TOpenSessionReq` is
//! [`tcli::OpenSessionReq`].
//!
//! # Limits
//! Frames end at the caller's limit, values at [`thrift::DEPTH_MAX`] levels, method names at
//! [`thrift::METHOD_NAME_BYTES_MAX`] bytes. Every length is checked against the bytes that are there before
//! anything is allocated.
//!
//! # A call and its answer
//! ```
//! use hs2_proto::tcli::{
//!     GetInfoReq, GetInfoResp, GetInfoType, GetInfoValue, HandleId, Request, SessionHandle, Status, decode_call,
//!     decode_reply, write_call, write_reply,
//! };
//!
//! // The client asks.
//! let session_handle = SessionHandle { session_id: HandleId { guid: [1; 16], secret: [2; 16] } };
//! let mut call = Vec::new();
//! write_call(&mut call, 7, &GetInfoReq { session_handle, info_type: GetInfoType::DBMS_NAME });
//!
//! // The server answers.
//! let incoming = decode_call(&call.into())?;
//! assert!(matches!(incoming.request, Request::GetInfo(_)));
//! let answer = GetInfoResp { status: Status::SUCCESS, info_value: GetInfoValue::String("Apache Hive".into()) };
//! let mut reply = Vec::new();
//! write_reply::<GetInfoReq>(&mut reply, incoming.seqid, &answer);
//!
//! // The client reads the answer to its call.
//! assert_eq!(decode_reply::<GetInfoReq>(&reply.into(), 7)?, answer);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::expect_used,
        clippy::panic,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )
)]

pub mod http;
pub mod rowset;
pub mod sasl;
pub mod tcli;
pub mod thrift;

/// Runs the README's program with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
