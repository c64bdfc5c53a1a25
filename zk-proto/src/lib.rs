//! The ZooKeeper wire protocol, without IO: jute records, frames, opcodes, error codes, paths and connect strings.
//!
//! Everything here turns bytes into values and back. There is no socket, no clock and no runtime, so the same code
//! serves a client, a server and a fuzzer. The source of truth is what Apache ZooKeeper 3.4 to 3.9 puts on the wire
//! (`zookeeper.jute` and the Java sources); `tests/golden` holds frames captured from a real 3.8.0 server.
//!
//! A conversation is made of [frames](frame): four bytes of length, then a payload. The first payload in each
//! direction is a [`ConnectRequest`](record::ConnectRequest) or [`ConnectResponse`](record::ConnectResponse); every
//! later one starts with a [`RequestHeader`](record::RequestHeader) or a [`ReplyHeader`](record::ReplyHeader).
//!
//! ```
//! use bytes::{Bytes, BytesMut};
//! use zk_proto::frame::{self, FrameDecoder};
//! use zk_proto::record::{GetDataRequest, Request, RequestHeader};
//! use zk_proto::{Decode, OpCode, Xid};
//!
//! // A client writes a request …
//! let request = Request::GetData(GetDataRequest { path: "/app", watch: false });
//! let mut wire = BytesMut::new();
//! frame::encode_request(&mut wire, Xid(8), &request, frame::DEFAULT_MAX_BYTES)?;
//!
//! // … and a server reads it.
//! let payload: Bytes = FrameDecoder::new(frame::DEFAULT_MAX_BYTES).decode(&mut wire)?.expect("one whole frame");
//! let mut reader = zk_proto::Reader::new(&payload);
//! let header = RequestHeader::decode(&mut reader)?;
//! assert_eq!((header.xid, header.opcode), (Xid(8), OpCode::GET_DATA));
//! assert_eq!(Request::decode(header.opcode, &mut reader)?, request);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the decoders promise
//! Lengths are checked against the bytes that are there before anything is allocated; lists grow with the bytes read,
//! never with the count field; no decoder panics or recurses. Numbers of the protocol ([`OpCode`], [`ErrorCode`],
//! [`EventType`](record::EventType)) are open: a number from a newer server passes through. Trailing bytes behind a
//! record are ignored, as real servers ignore them.
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

pub mod acl;
mod code;
pub mod connect_string;
mod error;
pub mod four_letter;
pub mod frame;
mod ids;
mod jute;
mod opcode;
mod open_number;
pub mod path;
pub mod record;
mod stat;

pub use acl::{Acl, Perms};
pub use code::ErrorCode;
pub use connect_string::{ConnectString, ConnectStringError, HostPort};
pub use error::{DecodeError, DecodeErrorKind};
pub use ids::{SessionId, Xid, ZnodeVersion, Zxid};
pub use jute::{Decode, Encode, Reader};
pub use opcode::OpCode;
pub use stat::Stat;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
