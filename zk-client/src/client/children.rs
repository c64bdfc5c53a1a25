//! `getChildren2`.

use std::future::Future;

use bytes::Bytes;
use zk_proto::record::{Children, GetChildren2Response, GetChildrenRequest, Request};
use zk_proto::{Decode, DecodeError, Reader, Stat, path};

use super::Client;
use super::watch::Watch;
use crate::error::Error;
use crate::session::WatchKind;

impl Client {
    /// Lists the names of a znode's children, in no order (`getChildren2`).
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`.
    ///
    /// # Cancel safety
    /// Safe.
    pub fn get_children(
        &self,
        path: &str,
    ) -> impl Future<Output = Result<Children, Error>> + Send + use<> {
        let listed = self.get_children_with_stat(path);
        async move { Ok(listed.await?.0) }
    }

    /// Lists the names of a znode's children and reads its own stat (`getChildren2`).
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`.
    ///
    /// # Cancel safety
    /// Safe.
    pub fn get_children_with_stat(
        &self,
        path: &str,
    ) -> impl Future<Output = Result<(Children, Stat), Error>> + Send + use<> {
        let sent = path::check(path).map(|()| {
            let full = self.full(path);
            let request = Request::GetChildren2(GetChildrenRequest {
                path: &full,
                watch: false,
            });
            self.call(path, &request, None, children_and_stat)
        });
        async move { sent?.await }
    }

    /// Lists the names of a znode's children, and leaves a watch for the next child that comes or goes.
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`: then there is no watch.
    ///
    /// # Cancel safety
    /// Safe: the watch goes with the future.
    pub fn get_children_and_watch(
        &self,
        path: &str,
    ) -> impl Future<Output = Result<(Children, Watch), Error>> + Send + use<> {
        let sent = path::check(path).map(|()| {
            let full = self.full(path);
            let request = Request::GetChildren2(GetChildrenRequest {
                path: &full,
                watch: true,
            });
            self.watching_call(path, &full, &request, WatchKind::Child, children_and_stat)
        });
        async move {
            let (result, watch) = sent?.await;
            Ok((result?.0, watch))
        }
    }
}

fn children_and_stat(body: &Bytes) -> Result<(Children, Stat), DecodeError> {
    let response = GetChildren2Response::decode(&mut Reader::new(body))?;
    Ok((response.children, response.stat))
}
