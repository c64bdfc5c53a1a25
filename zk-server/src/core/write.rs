//! The writes: what is checked, in which order (it decides the error code), and what changes.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use zk_proto::record::{CreateMode, CreateRequest, MultiOp, SetAclRequest};
use zk_proto::{ErrorCode, OpCode, Perms, SessionId, Stat, ZnodeVersion, path};

use super::access::{self, Identity};
use super::quota::{Quotas, length};
use super::tree::{CONFIG, Change, Kind, QUOTA, SYSTEM, Stamp, Tree};

/// The longest time to live, in milliseconds: what fits beside the marks in a znode's owner field.
const TTL_MS_MAX: i64 = 0xff_ffff_ffff;

/// Who writes, in which transaction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Author<'a> {
    pub(super) session: SessionId,
    pub(super) identities: &'a [Identity],
    pub(super) stamp: Stamp,
    /// Those that it must keep to.
    pub(super) quotas: Option<&'a Quotas>,
}

/// What a write that succeeded has to tell.
#[derive(Debug)]
pub(super) enum Outcome {
    Created {
        path: Arc<str>,
        /// Only where the operation is one that returns it.
        stat: Option<Stat>,
    },
    Deleted,
    DataSet(Stat),
    Checked,
}

impl Tree {
    /// Does one operation of a multi, or a request that could be one. A check changes nothing.
    ///
    /// # Errors
    /// The code that the server answers with; the tree is as it was.
    pub(super) fn apply(
        &mut self,
        op: &MultiOp<'_>,
        author: Author<'_>,
    ) -> Result<(Outcome, Option<Change>), ErrorCode> {
        match op {
            MultiOp::Create(r) => self.apply_create(r, OpCode::CREATE, None, author),
            MultiOp::Create2(r) => self.apply_create(r, OpCode::CREATE2, None, author),
            MultiOp::CreateContainer(r) => {
                self.apply_create(r, OpCode::CREATE_CONTAINER, None, author)
            }
            MultiOp::CreateTtl(r) => {
                self.apply_create(&r.create, OpCode::CREATE_TTL, Some(r.ttl_ms), author)
            }
            MultiOp::Delete(r) => {
                let change = self.apply_delete(r.path, r.version, author)?;
                Ok((Outcome::Deleted, Some(change)))
            }
            MultiOp::SetData(r) => {
                check_path(r.path)?;
                let znode = self.get(r.path).ok_or(ErrorCode::NO_NODE)?;
                access::check(&znode.acl, Perms::WRITE, author.identities)?;
                if let Some(quotas) = author.quotas {
                    let bytes = r.data.map_or(0, <[u8]>::len);
                    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
                    quotas.check(self, r.path, bytes - length(znode.data.as_ref()), 0)?;
                }
                check_version(r.version, znode.version)?;
                let data = r.data.map(Bytes::copy_from_slice);
                let change = self
                    .set_data(r.path, data, author.stamp)
                    .ok_or(ErrorCode::NO_NODE)?;
                Ok((Outcome::DataSet(self.stat(r.path)), Some(change)))
            }
            MultiOp::Check(r) => {
                check_path(r.path)?;
                let znode = self.get(r.path).ok_or(ErrorCode::NO_NODE)?;
                access::check(&znode.acl, Perms::READ, author.identities)?;
                check_version(r.version, znode.version)?;
                Ok((Outcome::Checked, None))
            }
            _ => Err(ErrorCode::MARSHALLING_ERROR),
        }
    }

    /// `setACL`, which no multi can have.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub(super) fn apply_set_acl(
        &mut self,
        request: &SetAclRequest<'_>,
        author: Author<'_>,
    ) -> Result<(Stat, Change), ErrorCode> {
        check_path(request.path)?;
        let acl = access::resolve(&request.acl, author.identities)?;
        let znode = self.get(request.path).ok_or(ErrorCode::NO_NODE)?;
        access::check(&znode.acl, Perms::ADMIN, author.identities)?;
        check_version(request.version, znode.aversion())?;
        let change = self.set_acl(request.path, acl).ok_or(ErrorCode::NO_NODE)?;
        Ok((self.stat(request.path), change))
    }

    fn apply_create(
        &mut self,
        request: &CreateRequest<'_>,
        opcode: OpCode,
        ttl_ms: Option<i64>,
        author: Author<'_>,
    ) -> Result<(Outcome, Option<Change>), ErrorCode> {
        let mode = request.mode;
        let kind = match ttl_ms {
            Some(ttl_ms) if mode.has_ttl() && (1..=TTL_MS_MAX).contains(&ttl_ms) => {
                Kind::Ttl(ttl_ms)
            }
            Some(_) => return Err(ErrorCode::BAD_ARGUMENTS),
            None if !is_mode_without_ttl(mode) => return Err(ErrorCode::BAD_ARGUMENTS),
            // The opcode makes the container; the mode of that name alone makes a persistent znode.
            None if opcode == OpCode::CREATE_CONTAINER => Kind::Container,
            None if mode.is_ephemeral() => Kind::Ephemeral(author.session),
            None => Kind::Persistent,
        };
        let parent_path = parent_of(request.path)?;
        let acl = access::resolve(&request.acl, author.identities)?;
        let parent = self.get(parent_path).ok_or(ErrorCode::NO_NODE)?;
        access::check(&parent.acl, Perms::CREATE, author.identities)?;
        let path = if mode.is_sequential() {
            Cow::Owned(format!("{}{:010}", request.path, parent.creates))
        } else {
            Cow::Borrowed(request.path)
        };
        check_path(&path)?;
        if self.get(&path).is_some() {
            return Err(ErrorCode::NODE_EXISTS);
        }
        if matches!(parent.kind, Kind::Ephemeral(_)) {
            return Err(ErrorCode::NO_CHILDREN_FOR_EPHEMERALS);
        }
        let data = request.data.map(Bytes::copy_from_slice);
        if let Some(quotas) = author.quotas {
            quotas.check(self, &path, length(data.as_ref()), 1)?;
        }
        let change = self
            .create(&path, data, acl, kind, author.stamp)
            .ok_or(ErrorCode::NO_NODE)?;
        let outcome = Outcome::Created {
            path: Arc::clone(&change.path),
            stat: (opcode != OpCode::CREATE).then(|| self.stat(&path)),
        };
        Ok((outcome, Some(change)))
    }

    fn apply_delete(
        &mut self,
        path: &str,
        version: ZnodeVersion,
        author: Author<'_>,
    ) -> Result<Change, ErrorCode> {
        if ["/", SYSTEM, QUOTA, CONFIG].contains(&path) {
            return Err(ErrorCode::BAD_ARGUMENTS);
        }
        let parent = self.get(parent_of(path)?).ok_or(ErrorCode::NO_NODE)?;
        access::check(&parent.acl, Perms::DELETE, author.identities)?;
        let znode = self.get(path).ok_or(ErrorCode::NO_NODE)?;
        check_version(version, znode.version)?;
        if !znode.children.is_empty() {
            return Err(ErrorCode::NOT_EMPTY);
        }
        self.delete(path, author.stamp).ok_or(ErrorCode::NO_NODE)
    }

    fn stat(&self, path: &str) -> Stat {
        self.get(path)
            .map(super::tree::Znode::stat)
            .unwrap_or_default()
    }
}

/// Whether a znode of this mode can be created without a time to live.
pub(super) fn is_mode_without_ttl(mode: CreateMode) -> bool {
    (CreateMode::PERSISTENT.0..=CreateMode::CONTAINER.0).contains(&mode.0)
}

/// The parent's path, from a text that need not be a path: the real server looks for the parent before it looks at
/// the name.
fn parent_of(path: &str) -> Result<&str, ErrorCode> {
    match path.rsplit_once('/') {
        _ if path.contains('\0') => Err(ErrorCode::BAD_ARGUMENTS),
        None => Err(ErrorCode::BAD_ARGUMENTS),
        Some(("", _)) => Ok("/"),
        Some((parent, _)) => Ok(parent),
    }
}

fn check_path(path: &str) -> Result<(), ErrorCode> {
    path::check(path).map_err(|_| ErrorCode::BAD_ARGUMENTS)
}

fn check_version(wanted: ZnodeVersion, actual: i32) -> Result<(), ErrorCode> {
    if wanted == ZnodeVersion::ANY || wanted.0 == actual {
        Ok(())
    } else {
        Err(ErrorCode::BAD_VERSION)
    }
}
