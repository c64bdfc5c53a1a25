//! Creating znodes: `create` (1), `create2` (15, since 3.5.0), `createContainer` (19, since 3.5.1) and `createTTL`
//! (21, since 3.5.3).

use std::borrow::Cow;
use std::fmt;

use bytes::{BufMut, BytesMut};

use crate::jute::{Decode, Encode, Reader, put_buffer, put_count, put_string};
use crate::{Acl, DecodeError, Stat};

/// How long a znode lives and whether the server numbers it (the `flags` of a create). Open: an unknown number is kept,
/// for the server to refuse.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CreateMode(pub i32);

impl CreateMode {
    /// Lives until it is deleted.
    pub const PERSISTENT: Self = Self(0);
    /// Lives as long as its session.
    pub const EPHEMERAL: Self = Self(1);
    /// As persistent; the server appends ten digits to the name.
    pub const PERSISTENT_SEQUENTIAL: Self = Self(2);
    /// As ephemeral; the server appends ten digits to the name.
    pub const EPHEMERAL_SEQUENTIAL: Self = Self(3);
    /// Goes some time after its last child has gone.
    pub const CONTAINER: Self = Self(4);
    /// Goes when it has no children and was not changed for its time to live.
    pub const PERSISTENT_WITH_TTL: Self = Self(5);
    /// Both of the two.
    pub const PERSISTENT_SEQUENTIAL_WITH_TTL: Self = Self(6);

    /// Whether the znode goes with its session.
    #[must_use]
    pub const fn is_ephemeral(self) -> bool {
        matches!(self, Self::EPHEMERAL | Self::EPHEMERAL_SEQUENTIAL)
    }

    /// Whether the server appends digits to the name.
    #[must_use]
    pub const fn is_sequential(self) -> bool {
        matches!(
            self,
            Self::PERSISTENT_SEQUENTIAL
                | Self::EPHEMERAL_SEQUENTIAL
                | Self::PERSISTENT_SEQUENTIAL_WITH_TTL
        )
    }

    /// Whether a time to live goes with it.
    #[must_use]
    pub const fn has_ttl(self) -> bool {
        matches!(
            self,
            Self::PERSISTENT_WITH_TTL | Self::PERSISTENT_SEQUENTIAL_WITH_TTL
        )
    }
}

impl fmt::Debug for CreateMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::PERSISTENT => "PERSISTENT",
            Self::EPHEMERAL => "EPHEMERAL",
            Self::PERSISTENT_SEQUENTIAL => "PERSISTENT_SEQUENTIAL",
            Self::EPHEMERAL_SEQUENTIAL => "EPHEMERAL_SEQUENTIAL",
            Self::CONTAINER => "CONTAINER",
            Self::PERSISTENT_WITH_TTL => "PERSISTENT_WITH_TTL",
            Self::PERSISTENT_SEQUENTIAL_WITH_TTL => "PERSISTENT_SEQUENTIAL_WITH_TTL",
            Self(other) => return write!(f, "CreateMode({other})"),
        })
    }
}

/// The request of `create`, `create2` and `createContainer` (jute `CreateRequest`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateRequest<'a> {
    /// Where; with a sequential mode, the prefix of it.
    pub path: &'a str,
    /// The data; `None` is null and stays null.
    pub data: Option<&'a [u8]>,
    /// Who may do what. Empty is refused with `InvalidACL`.
    pub acl: Cow<'a, [Acl]>,
    /// How it lives.
    pub mode: CreateMode,
}

impl Encode for CreateRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_string(out, self.path);
        put_buffer(out, self.data);
        put_acl(out, &self.acl);
        out.put_i32(self.mode.0);
    }
}

impl<'a> Decode<'a> for CreateRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("CreateRequest");
        let path = r.string("path")?;
        let data = r.buffer("data")?;
        let acl = Cow::Owned(read_acl(r)?);
        r.record("CreateRequest");
        Ok(Self {
            path,
            data,
            acl,
            mode: CreateMode(r.int("flags")?),
        })
    }
}

/// The request of `createTTL` (jute `CreateTTLRequest`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTtlRequest<'a> {
    /// As for create, with one of the two modes that have a time to live.
    pub create: CreateRequest<'a>,
    /// Milliseconds without a change after which it may go, from 1 to 2^40 - 1.
    pub ttl_ms: i64,
}

impl Encode for CreateTtlRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        self.create.encode(out);
        out.put_i64(self.ttl_ms);
    }
}

impl<'a> Decode<'a> for CreateTtlRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let create = CreateRequest::decode(r)?;
        r.record("CreateTTLRequest");
        Ok(Self {
            create,
            ttl_ms: r.long("ttl")?,
        })
    }
}

/// The answer to `create` (jute `CreateResponse`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateResponse<'a> {
    /// The path with the digits that the server has appended.
    pub path: &'a str,
}

impl Encode for CreateResponse<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_string(out, self.path);
    }
}

impl<'a> Decode<'a> for CreateResponse<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("CreateResponse");
        Ok(Self {
            path: r.string("path")?,
        })
    }
}

/// The answer to `create2`, `createContainer` and `createTTL` (jute `Create2Response`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create2Response<'a> {
    /// The path with the digits that the server has appended.
    pub path: &'a str,
    /// The new znode's stat.
    pub stat: Stat,
}

impl Encode for Create2Response<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_string(out, self.path);
        self.stat.encode(out);
    }
}

impl<'a> Decode<'a> for Create2Response<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("Create2Response");
        Ok(Self {
            path: r.string("path")?,
            stat: Stat::decode(r)?,
        })
    }
}

/// A list of ACL entries.
pub(super) fn put_acl(out: &mut BytesMut, acl: &[Acl]) {
    put_count(out, acl.len());
    for entry in acl {
        entry.encode(out);
    }
}

/// A list of ACL entries; null is read as empty, which servers refuse alike.
pub(super) fn read_acl(r: &mut Reader<'_>) -> Result<Vec<Acl>, DecodeError> {
    let count = r.length("acl")?.unwrap_or(0);
    // An entry has at least 12 bytes: perms and two lengths.
    let mut acl = Vec::with_capacity(count.min(r.remaining() / 12));
    for _ in 0..count {
        acl.push(Acl::decode(r)?);
    }
    Ok(acl)
}
