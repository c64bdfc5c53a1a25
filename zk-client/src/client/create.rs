//! `create` and `delete`.

use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use zk_proto::path::PathError;
use zk_proto::record::{
    Create2Response, CreateMode, CreateRequest, CreateResponse, CreateTtlRequest, DeleteRequest,
    Request,
};
use zk_proto::{Acl, Decode, DecodeError, Reader, Stat, ZnodeVersion, path};

use super::Client;
use super::call::strip;
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
    /// As [`Client::create`], and `InvalidACL`. [`Error::Unsupported`] for [`CreateMode::CONTAINER`] before 3.5.1.
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
        let sent = self.place(path, mode).map(|full| {
            let create = create_request(&full, data, mode, acl);
            let request = match mode {
                CreateMode::CONTAINER => Request::CreateContainer(create),
                _ => Request::Create(create),
            };
            let chroot = self.chroot().to_owned();
            self.call(path, &request, None, move |body| {
                let created = CreateResponse::decode(&mut Reader::new(body))?;
                Ok(strip(&chroot, created.path))
            })
        });
        async move { sent?.await }
    }

    /// Creates a znode with an access control list, and returns its path and stat (`create2`). Since 3.5; containers
    /// since 3.5.1.
    ///
    /// # Errors
    /// As [`Client::create_with_acl`], and [`Error::Unsupported`].
    ///
    /// # Cancel safety
    /// As [`Client::create`].
    pub fn create_with_stat(
        &self,
        path: &str,
        data: &[u8],
        mode: CreateMode,
        acl: &[Acl],
    ) -> impl Future<Output = Result<(String, Stat), Error>> + Send + use<> {
        let sent = self.place(path, mode).map(|full| {
            let create = create_request(&full, data, mode, acl);
            let request = match mode {
                CreateMode::CONTAINER => Request::CreateContainer(create),
                _ => Request::Create2(create),
            };
            self.call(path, &request, None, path_and_stat(self.chroot()))
        });
        async move { sent?.await }
    }

    /// Creates a znode that the server deletes once it has no children and was not changed for `ttl`, and returns its
    /// path and stat (`createTTL`). The mode is [`CreateMode::PERSISTENT_WITH_TTL`] or
    /// [`CreateMode::PERSISTENT_SEQUENTIAL_WITH_TTL`]; the time counts in milliseconds, from 1 ms to about 34 years, and
    /// is looked at once a minute or so. Since 3.5.3, where `extendedTypesEnabled` is on.
    ///
    /// # Errors
    /// As [`Client::create_with_acl`]; `BadArguments` for another mode or time, `Unimplemented` where extended types
    /// are off; [`Error::Unsupported`].
    ///
    /// # Cancel safety
    /// As [`Client::create`].
    pub fn create_with_ttl(
        &self,
        path: &str,
        data: &[u8],
        mode: CreateMode,
        acl: &[Acl],
        ttl: Duration,
    ) -> impl Future<Output = Result<(String, Stat), Error>> + Send + use<> {
        let sent = self.place(path, mode).map(|full| {
            let request = Request::CreateTtl(CreateTtlRequest {
                create: create_request(&full, data, mode, acl),
                ttl_ms: ttl_ms(ttl),
            });
            self.call(path, &request, None, path_and_stat(self.chroot()))
        });
        async move { sent?.await }
    }

    /// The server's path of a znode to create, if it may be one.
    fn place<'a>(&self, path: &'a str, mode: CreateMode) -> Result<Cow<'a, str>, PathError> {
        if mode.is_sequential() {
            path::check_sequential(path)?;
        } else {
            path::check(path)?;
        }
        Ok(self.full(path))
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

fn create_request<'a>(
    path: &'a str,
    data: &'a [u8],
    mode: CreateMode,
    acl: &'a [Acl],
) -> CreateRequest<'a> {
    CreateRequest {
        path,
        data: Some(data),
        acl: Cow::Borrowed(acl),
        mode,
    }
}

fn path_and_stat(
    chroot: &str,
) -> impl FnOnce(&Bytes) -> Result<(String, Stat), DecodeError> + Send + use<> {
    let chroot = chroot.to_owned();
    move |body| {
        let created = Create2Response::decode(&mut Reader::new(body))?;
        Ok((strip(&chroot, created.path), created.stat))
    }
}

pub(super) fn ttl_ms(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX)
}
