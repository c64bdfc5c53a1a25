//! Questions about the tree and the session: `getEphemerals` (103) and `getAllChildrenNumber` (104), both since 3.6.0,
//! and `whoAmI` (107, since 3.7.0).

use bytes::{BufMut, BytesMut};

use crate::DecodeError;
use crate::jute::{Decode, Encode, Reader, put_buffer, put_count, put_string};
use crate::record::Children;

/// The request of `getEphemerals` (jute `GetEphemeralsRequest`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetEphemeralsRequest<'a> {
    /// Only paths that start with this text; `None`, blank and `/` mean all.
    pub prefix: Option<&'a str>,
}

impl Encode for GetEphemeralsRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_buffer(out, self.prefix.map(str::as_bytes));
    }
}

impl<'a> Decode<'a> for GetEphemeralsRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("GetEphemeralsRequest");
        Ok(Self {
            prefix: r.optional_string("prefixPath")?,
        })
    }
}

/// The answer to `getEphemerals` (jute `GetEphemeralsResponse`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetEphemeralsResponse {
    /// Paths of this session's ephemeral znodes.
    pub paths: Children,
}

impl Encode for GetEphemeralsResponse {
    fn encode(&self, out: &mut BytesMut) {
        self.paths.encode(out);
    }
}

impl<'a> Decode<'a> for GetEphemeralsResponse {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("GetEphemeralsResponse");
        Ok(Self {
            paths: Children::decode(r)?,
        })
    }
}

/// The request of `getAllChildrenNumber` (jute `GetAllChildrenNumberRequest`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetAllChildrenNumberRequest<'a> {
    /// Whose descendants.
    pub path: &'a str,
}

impl Encode for GetAllChildrenNumberRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_string(out, self.path);
    }
}

impl<'a> Decode<'a> for GetAllChildrenNumberRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("GetAllChildrenNumberRequest");
        Ok(Self {
            path: r.string("path")?,
        })
    }
}

/// The answer to `getAllChildrenNumber` (jute `GetAllChildrenNumberResponse`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetAllChildrenNumberResponse {
    /// How many descendants there are.
    pub total: i32,
}

impl Encode for GetAllChildrenNumberResponse {
    fn encode(&self, out: &mut BytesMut) {
        out.put_i32(self.total);
    }
}

impl<'a> Decode<'a> for GetAllChildrenNumberResponse {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("GetAllChildrenNumberResponse");
        Ok(Self {
            total: r.int("totalNumber")?,
        })
    }
}

/// An identity of the connection (jute `ClientInfo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientInfo<'a> {
    /// How it was proven.
    pub scheme: &'a str,
    /// Who it is; for `digest` the user's name alone.
    pub user: &'a str,
}

/// The answer to `whoAmI` (jute `WhoAmIResponse`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhoAmIResponse<'a> {
    /// The identities, in no order.
    pub clients: Vec<ClientInfo<'a>>,
}

impl Encode for WhoAmIResponse<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_count(out, self.clients.len());
        for client in &self.clients {
            put_string(out, client.scheme);
            put_string(out, client.user);
        }
    }
}

impl<'a> Decode<'a> for WhoAmIResponse<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("WhoAmIResponse");
        let count = r.length("clientInfo")?.unwrap_or(0);
        let mut clients = Vec::with_capacity(count.min(r.remaining() / 8));
        for _ in 0..count {
            clients.push(ClientInfo {
                scheme: r.string("authScheme")?,
                user: r.string("user")?,
            });
        }
        Ok(Self { clients })
    }
}
