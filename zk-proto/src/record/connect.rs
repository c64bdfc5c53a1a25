//! The handshake: the first payload in each direction, without a header.

use std::fmt;

use bytes::{BufMut, BytesMut};

use crate::jute::{Decode, Encode, Reader, put_buffer};
use crate::{DecodeError, SessionId, Zxid};

/// Bytes of a session's password.
pub const PASSWORD_BYTES: usize = 16;

/// What a client says first (jute `ConnectRequest`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ConnectRequest<'a> {
    /// Always 0; servers do not check it.
    pub protocol_version: i32,
    /// The last transaction that the client has seen; a server that is behind refuses the client.
    pub last_zxid_seen: Zxid,
    /// The session timeout that the client wishes, in milliseconds.
    pub timeout_ms: i32,
    /// The session to go on with; [`SessionId::NONE`] for a new one.
    pub session_id: SessionId,
    /// The session's password; ignored for a new one.
    pub password: Option<&'a [u8]>,
    /// Whether a read-only server will do. `None` where the field is left out, as clients before 3.4 do.
    pub read_only: Option<bool>,
}

impl fmt::Debug for ConnectRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectRequest")
            .field("last_zxid_seen", &self.last_zxid_seen)
            .field("timeout_ms", &self.timeout_ms)
            .field("session_id", &self.session_id)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

impl Encode for ConnectRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        out.put_i32(self.protocol_version);
        out.put_i64(self.last_zxid_seen.0);
        out.put_i32(self.timeout_ms);
        out.put_i64(self.session_id.0);
        put_buffer(out, self.password);
        if let Some(read_only) = self.read_only {
            out.put_u8(u8::from(read_only));
        }
    }
}

impl<'a> Decode<'a> for ConnectRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("ConnectRequest");
        Ok(Self {
            protocol_version: r.int("protocolVersion")?,
            last_zxid_seen: Zxid(r.long("lastZxidSeen")?),
            timeout_ms: r.int("timeOut")?,
            session_id: SessionId(r.long("sessionId")?),
            password: r.buffer("passwd")?,
            read_only: if r.remaining() > 0 {
                Some(r.boolean("readOnly")?)
            } else {
                None
            },
        })
    }
}

/// What the server answers (jute `ConnectResponse`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ConnectResponse<'a> {
    /// Always 0.
    pub protocol_version: i32,
    /// The negotiated session timeout in milliseconds; 0 or less: the session has expired for good.
    pub timeout_ms: i32,
    /// The session.
    pub session_id: SessionId,
    /// Its password, needed to go on with it on another connection.
    pub password: Option<&'a [u8]>,
    /// Whether the server is read-only. `None` where the request left the field out.
    pub read_only: Option<bool>,
}

impl ConnectResponse<'_> {
    /// The answer to a client whose session is gone.
    pub const EXPIRED: ConnectResponse<'static> = ConnectResponse {
        protocol_version: 0,
        timeout_ms: 0,
        session_id: SessionId::NONE,
        password: Some(&[0; PASSWORD_BYTES]),
        read_only: Some(false),
    };
}

impl fmt::Debug for ConnectResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectResponse")
            .field("timeout_ms", &self.timeout_ms)
            .field("session_id", &self.session_id)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

impl Encode for ConnectResponse<'_> {
    fn encode(&self, out: &mut BytesMut) {
        out.put_i32(self.protocol_version);
        out.put_i32(self.timeout_ms);
        out.put_i64(self.session_id.0);
        put_buffer(out, self.password);
        if let Some(read_only) = self.read_only {
            out.put_u8(u8::from(read_only));
        }
    }
}

impl<'a> Decode<'a> for ConnectResponse<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("ConnectResponse");
        Ok(Self {
            protocol_version: r.int("protocolVersion")?,
            timeout_ms: r.int("timeOut")?,
            session_id: SessionId(r.long("sessionId")?),
            password: r.buffer("passwd")?,
            read_only: if r.remaining() > 0 {
                Some(r.boolean("readOnly")?)
            } else {
                None
            },
        })
    }
}
