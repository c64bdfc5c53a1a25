//! `create` and `delete`.

use std::borrow::Cow;
use std::future::Future;

use bytes::Bytes;
use zk_proto::record::{CreateMode, CreateRequest, CreateResponse, DeleteRequest, Request};
use zk_proto::{Acl, Decode, Reader, ZnodeVersion, path};

use super::Client;
use crate::error::Error;

impl Client {
    /// Creates a znode that everyone may read and write, and returns its path; with a sequential mode, the path with
    /// the ten digits that the server has appended.
    ///
    /// # Errors
    /// `NodeExists`, `NoNode` (the parent is missing), `NoAuth`, `NoChildrenForEphemerals`. After
    /// [`Error::ConnectionLoss`] the znode may exist; a sequential one under a name that only the server knows.
    ///
    /// # Cancel safety
    /// The request leaves at the call. Dropped later, the znode may be created all the same.
    pub fn create(
        &self,
        path: &str,
        data: &[u8],
        mode: CreateMode,
    ) -> impl Future<Output = Result<String, Error>> + Send + use<> {
        self.create_with_acl(path, data, mode, Acl::OPEN)
    }

    /// Creates a znode with an access control list, and returns its path.
    ///
    /// # Errors
    /// As [`Client::create`], and `InvalidACL`.
    ///
    /// # Cancel safety
    /// As [`Client::create`].
    pub fn create_with_acl(
        &self,
        path: &str,
        data: &[u8],
        mode: CreateMode,
        acl: &[Acl],
    ) -> impl Future<Output = Result<String, Error>> + Send + use<> {
        let checked = if mode.is_sequential() {
            path::check_sequential(path)
        } else {
            path::check(path)
        };
        let client = self.clone();
        let sent = checked.map(|()| {
            let full = self.full(path);
            let request = Request::Create(CreateRequest {
                path: &full,
                data: Some(data),
                acl: Cow::Borrowed(acl),
                mode,
            });
            self.call(path, &request, None, move |body| {
                let response = CreateResponse::decode(&mut Reader::new(body))?;
                Ok(client.stripped(response.path))
            })
        });
        async move { sent?.await }
    }

    /// Creates a znode and every parent that is missing, all persistent and open. It is no error if any of them exists.
    ///
    /// # Errors
    /// As [`Client::create`], but for `NodeExists` and `NoNode`.
    ///
    /// # Cancel safety
    /// Some of the znodes may have been created.
    pub async fn create_all(&self, path: &str) -> Result<(), Error> {
        path::check(path)?;
        let ends = path
            .match_indices('/')
            .skip(1)
            .map(|(end, _)| end)
            .chain([path.len()]);
        for end in ends.filter(|end| *end > 1) {
            let node = path.get(..end).unwrap_or(path);
            match self.create(node, b"", CreateMode::PERSISTENT).await {
                Ok(_) => {}
                Err(error) if error.is_node_exists() => {}
                // Whoever may not create an upper znode may still find it there.
                Err(error) => {
                    if self.exists(node).await?.is_none() {
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// Deletes a znode at a data version, or at any ([`ZnodeVersion::ANY`]).
    ///
    /// # Errors
    /// `NoNode`, `BadVersion`, `NotEmpty`, `NoAuth`. After [`Error::ConnectionLoss`] it may be gone.
    ///
    /// # Cancel safety
    /// The request leaves at the call. Dropped later, the znode may be deleted all the same.
    pub fn delete(
        &self,
        path: &str,
        version: ZnodeVersion,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let sent = path::check(path).map(|()| {
            let full = self.full(path);
            let request = Request::Delete(DeleteRequest {
                path: &full,
                version,
            });
            self.call(path, &request, None, |_: &Bytes| Ok(()))
        });
        async move { sent?.await }
    }
}
