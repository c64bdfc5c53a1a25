//! Questions about the tree and the session: `getAllChildrenNumber`, `getEphemerals`, `whoAmI`, `checkWatches`.

use std::future::Future;

use bytes::Bytes;
use zk_proto::record::{
    GetAllChildrenNumberRequest, GetAllChildrenNumberResponse, GetEphemeralsRequest,
    GetEphemeralsResponse, RemoveWatchesRequest, Request, WatcherType, WhoAmIResponse,
};
use zk_proto::{Decode, ErrorCode, Reader, path};

use super::Client;
use super::call::strip;
use crate::error::Error;

/// An identity that the session has, as `whoAmI` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// How it was proven: `digest`, `ip`, `sasl`, `x509`.
    pub scheme: String,
    /// Who it is; for `digest` the user's name alone, for `ip` the address that the server sees.
    pub user: String,
}

impl Client {
    /// Counts all znodes below a znode, however deep (`getAllChildrenNumber`). Since 3.6.
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`; [`Error::Unsupported`].
    ///
    /// # Cancel safety
    /// Safe.
    pub fn get_all_children_number(
        &self,
        path: &str,
    ) -> impl Future<Output = Result<u32, Error>> + Send + use<> {
        let sent = path::check(path).map(|()| {
            let full = self.full(path);
            let request =
                Request::GetAllChildrenNumber(GetAllChildrenNumberRequest { path: &full });
            self.call(path, &request, None, |body| {
                let response = GetAllChildrenNumberResponse::decode(&mut Reader::new(body))?;
                Ok(u32::try_from(response.total).unwrap_or(0))
            })
        });
        async move { sent?.await }
    }

    /// Lists the ephemeral znodes of this session whose paths start with `prefix`, as text: `/app/w` covers `/app/w1`
    /// and `/app/web`; `/` covers all. In no order (`getEphemerals`). Since 3.6.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    ///
    /// # Cancel safety
    /// Safe.
    pub fn get_ephemerals(
        &self,
        prefix: &str,
    ) -> impl Future<Output = Result<Vec<String>, Error>> + Send + use<> {
        let chroot = self.chroot().to_owned();
        let sent = path::check_sequential(prefix).map(|()| {
            let full = self.full(prefix);
            let request = Request::GetEphemerals(GetEphemeralsRequest {
                prefix: Some(&full),
            });
            self.call(prefix, &request, None, move |body| {
                let response = GetEphemeralsResponse::decode(&mut Reader::new(body))?;
                let paths = response.paths.iter().filter_map(Result::ok);
                // The server compares text: of `/app`, the ephemerals of `/apple` come too.
                let own = paths.filter(|path| {
                    path.strip_prefix(chroot.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                });
                Ok(own.map(|path| strip(&chroot, path)).collect())
            })
        });
        async move { sent?.await }
    }

    /// The identities that the session has at the server, in no order (`whoAmI`). Since 3.7.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    ///
    /// # Cancel safety
    /// Safe.
    pub fn who_am_i(&self) -> impl Future<Output = Result<Vec<Identity>, Error>> + Send + use<> {
        self.call("/", &Request::WhoAmI, None, |body| {
            let response = WhoAmIResponse::decode(&mut Reader::new(body))?;
            let identities = response.clients.iter().map(|client| Identity {
                scheme: client.scheme.to_owned(),
                user: client.user.to_owned(),
            });
            Ok(identities.collect())
        })
    }

    /// Whether the server has a watch of this session at a znode (`checkWatches`). Since 3.5; persistent watches can be
    /// told apart since 3.9. Where a persistent watch of a path stands, one-shot ones beside it may stand on the client's
    /// side only: it serves both.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    ///
    /// # Cancel safety
    /// Safe.
    pub fn check_watches(
        &self,
        path: &str,
        watcher_type: WatcherType,
    ) -> impl Future<Output = Result<bool, Error>> + Send + use<> {
        let sent = path::check(path).map(|()| {
            let full = self.full(path);
            let request = Request::CheckWatches(RemoveWatchesRequest {
                path: &full,
                watcher_type,
            });
            self.call(path, &request, None, |_: &Bytes| Ok(()))
        });
        async move {
            match sent?.await {
                Ok(()) => Ok(true),
                Err(error) if error.code() == Some(ErrorCode::NO_WATCHER) => Ok(false),
                Err(error) => Err(error),
            }
        }
    }
}
