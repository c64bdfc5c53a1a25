//! `getACL` and `setACL`.

use std::borrow::Cow;
use std::future::Future;

use zk_proto::record::{GetAclRequest, GetAclResponse, Request, SetAclRequest, SetAclResponse};
use zk_proto::{Acl, Decode, Reader, Stat, ZnodeVersion, path};

use super::Client;
use crate::error::Error;

impl Client {
    /// Reads who may do what with a znode, and its stat (`getACL`). Who may read the znode but not administer it sees
    /// digests masked.
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`.
    ///
    /// # Cancel safety
    /// Safe.
    pub fn get_acl(
        &self,
        path: &str,
    ) -> impl Future<Output = Result<(Vec<Acl>, Stat), Error>> + Send + use<> {
        let sent = path::check(path).map(|()| {
            let full = self.full(path);
            let request = Request::GetAcl(GetAclRequest { path: &full });
            self.call(path, &request, None, |body| {
                let response = GetAclResponse::decode(&mut Reader::new(body))?;
                Ok((response.acl, response.stat))
            })
        });
        async move { sent?.await }
    }

    /// Replaces who may do what with a znode (`setACL`), at a version of the list ([`Stat::aversion`]) or at any
    /// ([`ZnodeVersion::ANY`]). Returns the new stat.
    ///
    /// # Errors
    /// `NoNode`, `BadVersion`, `NoAuth`, `InvalidACL`. After [`Error::ConnectionLoss`] the list may have been replaced.
    ///
    /// # Cancel safety
    /// The request leaves at the call. Dropped later, the list may be replaced all the same.
    pub fn set_acl(
        &self,
        path: &str,
        acl: &[Acl],
        version: ZnodeVersion,
    ) -> impl Future<Output = Result<Stat, Error>> + Send + use<> {
        let sent = path::check(path).map(|()| {
            let full = self.full(path);
            let request = Request::SetAcl(SetAclRequest {
                path: &full,
                acl: Cow::Borrowed(acl),
                version,
            });
            self.call(path, &request, None, |body| {
                Ok(SetAclResponse::decode(&mut Reader::new(body))?.stat)
            })
        });
        async move { sent?.await }
    }
}
