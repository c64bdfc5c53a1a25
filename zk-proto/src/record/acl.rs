//! `getACL` (6) and `setACL` (7).

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};

use super::create::{put_acl, read_acl};
use crate::jute::{Decode, Encode, Reader, put_string};
use crate::{Acl, DecodeError, Stat, ZnodeVersion};

/// The request of `getACL` (jute `GetACLRequest`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetAclRequest<'a> {
    /// Which znode.
    pub path: &'a str,
}

impl Encode for GetAclRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_string(out, self.path);
    }
}

impl<'a> Decode<'a> for GetAclRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("GetACLRequest");
        Ok(Self {
            path: r.string("path")?,
        })
    }
}

/// The answer to `getACL` (jute `GetACLResponse`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetAclResponse {
    /// The entries; digests are masked for those who may read but not administer.
    pub acl: Vec<Acl>,
    /// The znode's stat.
    pub stat: Stat,
}

impl Encode for GetAclResponse {
    fn encode(&self, out: &mut BytesMut) {
        put_acl(out, &self.acl);
        self.stat.encode(out);
    }
}

impl<'a> Decode<'a> for GetAclResponse {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("GetACLResponse");
        Ok(Self {
            acl: read_acl(r)?,
            stat: Stat::decode(r)?,
        })
    }
}

/// The request of `setACL` (jute `SetACLRequest`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAclRequest<'a> {
    /// Which znode.
    pub path: &'a str,
    /// The new entries.
    pub acl: Cow<'a, [Acl]>,
    /// Only at this version of the ACL (`aversion`).
    pub version: ZnodeVersion,
}

impl Encode for SetAclRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_string(out, self.path);
        put_acl(out, &self.acl);
        out.put_i32(self.version.0);
    }
}

impl<'a> Decode<'a> for SetAclRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("SetACLRequest");
        let path = r.string("path")?;
        let acl = Cow::Owned(read_acl(r)?);
        r.record("SetACLRequest");
        Ok(Self {
            path,
            acl,
            version: ZnodeVersion(r.int("version")?),
        })
    }
}

/// The answer to `setACL` (jute `SetACLResponse`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetAclResponse {
    /// The stat after the change.
    pub stat: Stat,
}

impl Encode for SetAclResponse {
    fn encode(&self, out: &mut BytesMut) {
        self.stat.encode(out);
    }
}

impl<'a> Decode<'a> for SetAclResponse {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            stat: Stat::decode(r)?,
        })
    }
}
