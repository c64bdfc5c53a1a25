//! Watches: one-shot ones that come with a read, and persistent ones (`addWatch`).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use zk_proto::four_letter::ServerVersion;
use zk_proto::record::{
    AddWatchMode, AddWatchRequest, EventType, RemoveWatchesRequest, Request, WatcherType,
};
use zk_proto::{DecodeError, ErrorCode, path};

use super::Client;
use super::call::strip;
use crate::driver::{self, Shared, Sink};
use crate::error::{Error, SessionEnd};
use crate::session::{SessionState, WatchKind, WatcherId};

/// Something that has happened to a znode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedEvent {
    /// What has happened.
    pub event_type: EventType,
    /// To which znode.
    pub path: String,
}

/// A watch that tells of one event. It outlives reconnects. Dropped, it is forgotten.
#[derive(Debug)]
pub struct Watch {
    events: oneshot::Receiver<WatchedEvent>,
    registration: Registration,
}

impl Watch {
    /// Waits for the event.
    ///
    /// # Errors
    /// The session has ended: the event will never come. What it was may be known from a new session only.
    ///
    /// # Cancel safety
    /// Dropping the future drops the watch.
    pub async fn changed(mut self) -> Result<WatchedEvent, SessionEnd> {
        match (&mut self.events).await {
            Ok(event) => {
                let path = strip(&self.registration.chroot, &event.path);
                Ok(WatchedEvent { path, ..event })
            }
            Err(_) => Err(self.registration.end()),
        }
    }
}

/// A watch that tells of every event, in order, until it is dropped.
#[derive(Debug)]
pub struct PersistentWatch {
    events: mpsc::Receiver<WatchItem>,
    registration: Registration,
}

/// What a persistent watch tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchItem {
    /// Something has happened.
    Event(WatchedEvent),
    /// Events may be missing here: the connection was away (servers do not catch persistent watches up), or the reader
    /// was slower than [`PersistentWatch::QUEUE_MAX`] events. The watch stands; read again what it watches.
    Gap,
    /// The server that now serves the session is older than 3.6 and cannot watch: nothing is told until a gap says that
    /// the watch stands again, on another server.
    Suspended,
}

impl Watch {
    /// Removes the watch from the server too, unless others of this client wait at its path, and waits for the answer.
    /// Dropping a watch instead costs nothing, and leaves the server's to fire unheard.
    ///
    /// # Errors
    /// [`Error::Unsupported`] before 3.5. The watch is forgotten on this side in any case.
    ///
    /// # Cancel safety
    /// The watch is forgotten on this side even if the future is dropped.
    pub async fn remove(self) -> Result<(), Error> {
        self.registration.remove().await
    }
}

impl PersistentWatch {
    /// How many events wait for a slow reader. Of more, only a [`WatchItem::Gap`] is left.
    pub const QUEUE_MAX: usize = 4096;

    /// Waits for the next event.
    ///
    /// # Errors
    /// The session has ended.
    ///
    /// # Cancel safety
    /// Safe: no event is lost.
    pub async fn next(&mut self) -> Result<WatchItem, SessionEnd> {
        match self.events.recv().await {
            Some(WatchItem::Event(event)) => {
                let path = strip(&self.registration.chroot, &event.path);
                Ok(WatchItem::Event(WatchedEvent { path, ..event }))
            }
            Some(item) => Ok(item),
            None => Err(self.registration.end()),
        }
    }
}

impl PersistentWatch {
    /// Removes the watch from the server too, unless others of this client wait at its path, and waits for the answer.
    /// Dropping it does the same without waiting.
    ///
    /// # Errors
    /// Those of every call. The watch is forgotten on this side in any case.
    ///
    /// # Cancel safety
    /// The watch is forgotten on this side even if the future is dropped.
    pub async fn remove(self) -> Result<(), Error> {
        self.registration.remove().await
    }
}

/// A watcher's place in the session's book, for as long as somebody listens.
#[derive(Debug)]
struct Registration {
    shared: Arc<Shared>,
    watcher: WatcherId,
    chroot: String,
    timeout: Duration,
}

impl Registration {
    /// Forgets the watcher, and has the server forget its watch if nobody else needs it.
    fn remove(self) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let released = {
            let mut inner = self.shared.lock();
            inner.watchers.remove(&self.watcher);
            inner.session.release_watcher(self.watcher)
        };
        let sent = released.map(|full| {
            let request = Request::RemoveWatches(RemoveWatchesRequest {
                path: &full,
                watcher_type: WatcherType::ANY,
            });
            let path = strip(&self.chroot, &full);
            super::call::send(
                &self.shared,
                self.timeout,
                &path,
                &request,
                None,
                |_: &Bytes| Ok(()),
            )
        });
        async move {
            match sent {
                Some(sent) => match sent.await {
                    // It has fired meanwhile, or went with a connection.
                    Err(error) if error.code() == Some(ErrorCode::NO_WATCHER) => Ok(()),
                    result => result,
                },
                None => Ok(()),
            }
        }
    }

    fn end(&self) -> SessionEnd {
        match self.shared.lock().session.state() {
            SessionState::Ended(end) => end.clone(),
            // Sinks are dropped only with the session.
            _ => SessionEnd::Closed,
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        inner.watchers.remove(&self.watcher);
        inner.session.remove_watcher(driver::now(), self.watcher);
        drop(inner);
        self.shared.wake();
    }
}

impl Client {
    /// A read that leaves a watch. The watch is returned whatever the answer, since a missing znode can be watched.
    pub(super) fn watching_call<R, D>(
        &self,
        path: &str,
        full: &str,
        request: &Request<'_>,
        kind: WatchKind,
        decode: D,
    ) -> impl Future<Output = (Result<R, Error>, Watch)> + Send + use<R, D>
    where
        D: FnOnce(&Bytes) -> Result<R, DecodeError> + Send,
        R: Send,
    {
        let (sink, events) = oneshot::channel();
        let registration = self.registration();
        let watch = (
            kind,
            full.to_owned(),
            registration.watcher,
            Sink::OneShot(sink),
        );
        let answer = self.call(path, request, Some(watch), decode);
        let watch = Watch {
            events,
            registration,
        };
        async move { (answer.await, watch) }
    }

    /// Watches a znode, or it and everything below it, until the watch is dropped. The znode need not exist. A whole
    /// namespace costs one watch on the server, and each change costs one event that names its znode.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the server is older than 3.6.
    ///
    /// # Cancel safety
    /// Safe: the watch goes with the future.
    pub async fn add_watch(
        &self,
        path: &str,
        mode: AddWatchMode,
    ) -> Result<PersistentWatch, Error> {
        path::check(path)?;
        let (sink, events) = mpsc::channel(PersistentWatch::QUEUE_MAX + 1);
        let registration = self.registration();
        let kind = match mode {
            AddWatchMode::PERSISTENT_RECURSIVE => WatchKind::PersistentRecursive,
            _ => WatchKind::Persistent,
        };
        let full = self.full(path).into_owned();
        let request = Request::AddWatch(AddWatchRequest { path: &full, mode });
        let watch = (
            kind,
            full.clone(),
            registration.watcher,
            Sink::Persistent(sink),
        );
        let answer = self.call(path, &request, Some(watch), |_: &Bytes| Ok(()));
        let watch = PersistentWatch {
            events,
            registration,
        };
        answer.await?;
        Ok(watch)
    }

    /// The version of the server that serves the session, asked with `srvr` at its address; `None` where it does not
    /// tell. The answer is kept for as long as the connection stands.
    ///
    /// # Errors
    /// There is no connection within the call's deadline, or the session has ended.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn server_version(&self) -> Result<Option<ServerVersion>, Error> {
        // An answer, even a refusal, proves that the session is served, and by whom.
        match self.exists("/").await {
            Ok(_) | Err(Error::Server { .. }) => {}
            Err(error) => return Err(error),
        }
        let (peer, host) = {
            let inner = self.shared().lock();
            match (inner.peer, inner.version) {
                (Some(peer), Some((asked, version))) if peer == asked => return Ok(version),
                (peer, _) => (peer, inner.session.current_host().host.clone()),
            }
        };
        let Some(peer) = peer else { return Ok(None) };
        let version = self.shared().dialer.server_version(&host, peer).await;
        self.shared().lock().version = Some((peer, version));
        Ok(version)
    }

    fn registration(&self) -> Registration {
        let watcher = WatcherId(self.shared().lock().take_watcher());
        Registration {
            shared: Arc::clone(self.shared()),
            watcher,
            chroot: self.chroot().to_owned(),
            timeout: self.request_timeout,
        }
    }
}
