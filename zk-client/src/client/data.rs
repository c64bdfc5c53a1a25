//! `getData`, `setData`, `exists` and `sync`.

use std::future::Future;

use bytes::Bytes;
use zk_proto::record::{
    ExistsRequest, ExistsResponse, GetDataRequest, GetDataResponse, Request, SetDataRequest,
    SetDataResponse, SyncRequest,
};
use zk_proto::{Decode, DecodeError, Reader, Stat, ZnodeVersion, path};

use super::Client;
use super::call::optional;
use super::watch::Watch;
use crate::error::Error;
use crate::session::WatchKind;

impl Client {
    /// Reads a znode's data and stat. Null data reads as empty.
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`.
    ///
    /// # Cancel safety
    /// Safe.
    pub fn get_data(
        &self,
        path: &str,
    ) -> impl Future<Output = Result<(Bytes, Stat), Error>> + Send + use<> {
        let sent = path::check(path).map(|()| {
            let full = self.full(path);
            let request = Request::GetData(GetDataRequest {
                path: &full,
                watch: false,
            });
            self.call(path, &request, None, data_and_stat)
        });
        async move { sent?.await }
    }

    /// Reads a znode's data and stat, and leaves a watch for the next change of its data or its deletion.
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`: then there is no watch.
    ///
    /// # Cancel safety
    /// Safe: the watch goes with the future.
    pub fn get_data_and_watch(
        &self,
        path: &str,
    ) -> impl Future<Output = Result<(Bytes, Stat, Watch), Error>> + Send + use<> {
        let sent = path::check(path).map(|()| {
            let full = self.full(path);
            let request = Request::GetData(GetDataRequest {
                path: &full,
                watch: true,
            });
            self.watching_call(path, &full, &request, WatchKind::Data, data_and_stat)
        });
        async move {
            let (result, watch) = sent?.await;
            let (data, stat) = result?;
            Ok((data, stat, watch))
        }
    }

    /// Replaces a znode's data at a version, or at any ([`ZnodeVersion::ANY`]). Returns the new stat.
    ///
    /// # Errors
    /// `NoNode`, `BadVersion`, `NoAuth`. After [`Error::ConnectionLoss`] the data may have been replaced.
    ///
    /// # Cancel safety
    /// The request leaves at the call. Dropped later, the data may be replaced all the same.
    pub fn set_data(
        &self,
        path: &str,
        data: &[u8],
        version: ZnodeVersion,
    ) -> impl Future<Output = Result<Stat, Error>> + Send + use<> {
        let sent = path::check(path).map(|()| {
            let full = self.full(path);
            let request = Request::SetData(SetDataRequest {
                path: &full,
                data: Some(data),
                version,
            });
            self.call(path, &request, None, |body| {
                Ok(SetDataResponse::decode(&mut Reader::new(body))?.stat)
            })
        });
        async move { sent?.await }
    }

    /// Reads a znode's stat; `None` where it does not exist.
    ///
    /// # Errors
    /// `NoAuth` from servers since 3.8.4 and 3.9.2.
    ///
    /// # Cancel safety
    /// Safe.
    pub fn exists(
        &self,
        path: &str,
    ) -> impl Future<Output = Result<Option<Stat>, Error>> + Send + use<> {
        let sent = path::check(path).map(|()| {
            let full = self.full(path);
            let request = Request::Exists(ExistsRequest {
                path: &full,
                watch: false,
            });
            self.call(path, &request, None, stat)
        });
        async move { optional(sent?.await) }
    }

    /// Reads a znode's stat, and leaves a watch: for the next change of its data or its deletion where it exists, for
    /// its creation where it does not.
    ///
    /// # Errors
    /// `NoAuth` from servers since 3.8.4 and 3.9.2.
    ///
    /// # Cancel safety
    /// Safe: the watch goes with the future.
    pub fn exists_and_watch(
        &self,
        path: &str,
    ) -> impl Future<Output = Result<(Option<Stat>, Watch), Error>> + Send + use<> {
        let sent = path::check(path).map(|()| {
            let full = self.full(path);
            let request = Request::Exists(ExistsRequest {
                path: &full,
                watch: true,
            });
            self.watching_call(path, &full, &request, WatchKind::Data, stat)
        });
        async move {
            let (result, watch) = sent?.await;
            Ok((optional(result)?, watch))
        }
    }

    /// Waits until the server that serves this session has seen every write that was done before, by anyone. Reads
    /// from one server may otherwise be behind another's.
    ///
    /// # Errors
    /// None but the ones of every call.
    ///
    /// # Cancel safety
    /// Safe.
    pub fn sync(&self, path: &str) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let sent = path::check(path).map(|()| {
            let full = self.full(path);
            self.call(
                path,
                &Request::Sync(SyncRequest { path: &full }),
                None,
                |_: &Bytes| Ok(()),
            )
        });
        async move { sent?.await }
    }
}

pub(super) fn data_and_stat(body: &Bytes) -> Result<(Bytes, Stat), DecodeError> {
    let response = GetDataResponse::decode(&mut Reader::new(body))?;
    let data = response
        .data
        .map_or_else(Bytes::new, |data| body.slice_ref(data));
    Ok((data, response.stat))
}

fn stat(body: &Bytes) -> Result<Stat, DecodeError> {
    Ok(ExistsResponse::decode(&mut Reader::new(body))?.stat)
}
