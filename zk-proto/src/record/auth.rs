//! `auth` (100) and `sasl` (102).

use std::fmt;

use bytes::{BufMut, BytesMut};

use crate::DecodeError;
use crate::jute::{Decode, Encode, Reader, put_buffer, put_string};

/// The request of `auth`, sent with [`Xid::AUTH`](crate::Xid::AUTH); the answer is a header alone (jute `AuthPacket`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AuthRequest<'a> {
    /// `digest`, `ip`, …
    pub scheme: &'a str,
    /// The scheme's credentials; for `digest` they are `user:password`.
    pub auth: Option<&'a [u8]>,
}

/// Hides the credentials.
impl fmt::Debug for AuthRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthRequest")
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}

impl Encode for AuthRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        // The field `type` is always 0.
        out.put_i32(0);
        put_string(out, self.scheme);
        put_buffer(out, self.auth);
    }
}

impl<'a> Decode<'a> for AuthRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("AuthPacket");
        r.int("type")?;
        Ok(Self {
            scheme: r.string("scheme")?,
            auth: r.buffer("auth")?,
        })
    }
}

/// A token of the client (jute `GetSASLRequest`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaslRequest<'a> {
    /// The mechanism's token. Zero-length, not null, starts DIGEST-MD5.
    pub token: Option<&'a [u8]>,
}

impl Encode for SaslRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_buffer(out, self.token);
    }
}

impl<'a> Decode<'a> for SaslRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("GetSASLRequest");
        Ok(Self {
            token: r.buffer("token")?,
        })
    }
}

/// A token of the server (jute `SetSASLResponse`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaslResponse<'a> {
    /// The mechanism's token; null where there is none.
    pub token: Option<&'a [u8]>,
}

impl Encode for SaslResponse<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_buffer(out, self.token);
    }
}

impl<'a> Decode<'a> for SaslResponse<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("SetSASLResponse");
        Ok(Self {
            token: r.buffer("token")?,
        })
    }
}
