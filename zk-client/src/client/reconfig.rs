//! The ensemble's own configuration: `reconfig`, and reading `/zookeeper/config`.

use std::future::Future;

use bytes::Bytes;
use zk_proto::record::{GetDataRequest, ReconfigRequest, Request};
use zk_proto::{Stat, path};

use super::Client;
use super::data::data_and_stat;
use super::watch::Watch;
use crate::error::Error;
use crate::session::WatchKind;

/// A change of the ensemble's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconfig<'a> {
    /// Some come, some go. Members that are there already and come again change their settings.
    Incremental {
        /// `server.4=zk4:2888:3888;2181`, joined by commas; may be empty.
        joining: &'a str,
        /// Numbers such as `2,3`; may be empty.
        leaving: &'a str,
    },
    /// The ensemble is these, and nobody else.
    Members(&'a str),
}

impl Client {
    /// Changes the members of the ensemble (`reconfig`), if its configuration is still the one numbered `from`
    /// ([`Stat::version`] of [`get_config`](Self::get_config) tells how often it was changed; its data ends with
    /// `version=`, the number in hexadecimal); `None` whatever it is. Returns the new configuration. Since 3.5, where
    /// `reconfigEnabled` is on, and usually for the superuser only.
    ///
    /// # Errors
    /// `ReconfigDisabled`, `NoAuth`, `BadVersion`, `ReconfigInProgress`, `NewConfigNoQuorum`, `BadArguments`,
    /// `Unimplemented` from a standalone server; [`Error::Unsupported`]. After [`Error::ConnectionLoss`] the ensemble
    /// may have changed.
    ///
    /// # Cancel safety
    /// The request leaves at the call. Dropped later, the ensemble may change all the same.
    pub fn reconfig(
        &self,
        change: Reconfig<'_>,
        from: Option<i64>,
    ) -> impl Future<Output = Result<(Bytes, Stat), Error>> + Send + use<> {
        let given = |text: &'_ str| !text.is_empty();
        let (joining, leaving, new_members) = match change {
            Reconfig::Incremental { joining, leaving } => (
                Some(joining).filter(|text| given(text)),
                Some(leaving).filter(|text| given(text)),
                None,
            ),
            Reconfig::Members(members) => (None, None, Some(members)),
        };
        let request = Request::Reconfig(ReconfigRequest {
            joining,
            leaving,
            new_members,
            current_config: from.unwrap_or(-1),
        });
        self.call(CONFIG_PATH, &request, None, data_and_stat)
    }

    /// Reads the ensemble's configuration: a line `server.N=…` for each member, and `version=`. The chroot does not
    /// matter. Since 3.5.
    ///
    /// # Errors
    /// `NoNode` from servers before 3.5.
    ///
    /// # Cancel safety
    /// Safe.
    pub fn get_config(&self) -> impl Future<Output = Result<(Bytes, Stat), Error>> + Send + use<> {
        self.call(CONFIG_PATH, &read(false), None, data_and_stat)
    }

    /// Reads the ensemble's configuration, and leaves a watch for its next change.
    ///
    /// # Errors
    /// `NoNode` from servers before 3.5: then there is no watch.
    ///
    /// # Cancel safety
    /// Safe: the watch goes with the future.
    pub fn get_config_and_watch(
        &self,
    ) -> impl Future<Output = Result<(Bytes, Stat, Watch), Error>> + Send + use<> {
        let answer = self.watching_call(
            CONFIG_PATH,
            CONFIG_PATH,
            &read(true),
            WatchKind::Data,
            data_and_stat,
        );
        async move {
            let (result, watch) = answer.await;
            let (data, stat) = result?;
            Ok((data, stat, watch))
        }
    }
}

/// Where servers keep their ensemble's configuration.
const CONFIG_PATH: &str = path::CONFIG;

const fn read(watch: bool) -> Request<'static> {
    Request::GetData(GetDataRequest {
        path: CONFIG_PATH,
        watch,
    })
}
