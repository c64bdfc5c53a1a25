//! The list of instances, kept up to date.
//!
//! One persistent recursive watch on the namespace (ZooKeeper 3.6 and later) tells the name of each
//! child that comes or goes, and the name carries endpoint and version. So a change costs one event,
//! where a child watch costs every watcher the whole list again. Servers send no persistent watch
//! what it missed while its connection was away: after each reconnect the list is read once more.
//! On older servers a child watch has to do.

mod delta;

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tracing::{debug, info, warn};
use zk_client::{
    AddWatchMode, Client, Error, PersistentWatch, SessionEnd, SessionState, WatchItem,
};

use crate::backoff::Backoff;
use crate::ensemble::{Ensemble, LookupError, is_passing};
use crate::instance::InstanceName;
use crate::namespace::Namespace;
use delta::Names;

/// The instances of a namespace at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Their names, in order: endpoint, version and sequence number of each. A server that
    /// publishes pairs says in its data how to connect to it; the name says where.
    pub instances: Vec<Arc<InstanceName>>,
    /// Whether the list is being kept up to date. `false` while there is no connection: instances
    /// may have come and gone.
    pub is_live: bool,
}

/// A namespace that is watched, by a session of its own. Clones share it; with the last one the
/// session is closed.
///
/// ```
/// # use discovery::{Endpoint, Ensemble, InstanceData, Namespace, NewInstance, Registration};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = zk_server::Server::start("127.0.0.1:0", zk_server::ServerOptions::default()).await?;
/// # let servers = server.connect_string();
/// # let endpoint = Endpoint::new("h1", 10000)?;
/// # let instance = NewInstance { data: InstanceData::HostPort(endpoint.clone()), endpoint, version: "4.0.1".into() };
/// use discovery::View;
///
/// let ensemble = Ensemble::new(&servers)?; // "zk1:2181,zk2:2181,zk3:2181"
/// let mut view = View::open(&ensemble, &Namespace::default()).await?;
/// assert!(view.snapshot().instances.is_empty());
/// # let registration = Registration::register(&ensemble, &Namespace::default(), &instance).await?;
/// // When a server has registered:
/// view.changed().await;
/// assert_eq!(view.snapshot().instances[0].version(), "4.0.1");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct View {
    snapshots: watch::Receiver<Arc<Snapshot>>,
}

impl View {
    /// Opens a session and waits for the first list. A namespace that does not exist is empty; its
    /// instances appear when it is made.
    ///
    /// # Errors
    /// ZooKeeper was not reached within [`Ensemble::with_timeout`], or refused.
    ///
    /// # Cancel safety
    /// Safe: nothing is left running.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn open(ensemble: &Ensemble, namespace: &Namespace) -> Result<Self, LookupError> {
        let started = Instant::now();
        let client = ensemble.open()?;
        let (publish, snapshots) = watch::channel(Arc::default());
        let (ready, first) = oneshot::channel();
        let feed = Feed {
            ensemble: ensemble.clone(),
            namespace: namespace.path(),
            client: client.clone(),
            names: Names::default(),
            backoff: Backoff::default(),
            ready: Some(ready),
            snapshots: publish,
        };
        tokio::spawn(feed.run());
        match timeout(ensemble.timeout(), first).await {
            Ok(Ok(result)) => result.map(|()| Self { snapshots }),
            _ => {
                let (path, elapsed) = (namespace.path(), started.elapsed());
                Err(ensemble.out_of_time(&client, &path, elapsed).await)
            }
        }
    }

    /// The instances now. It costs a reference count and waits for nothing.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// Waits for a snapshot that this handle has not seen from [`changed`](Self::changed). Changes
    /// that come close together are one.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn changed(&mut self) -> Arc<Snapshot> {
        if self.snapshots.changed().await.is_err() {
            // Nobody feeds it any more: the runtime is about to end.
            std::future::pending::<()>().await;
        }
        Arc::clone(&self.snapshots.borrow_and_update())
    }
}

/// The task that keeps the list.
#[derive(Debug)]
struct Feed {
    ensemble: Ensemble,
    /// The namespace's path.
    namespace: String,
    client: Client,
    names: Names,
    backoff: Backoff,
    /// Told of the first list, or of what stands in its way.
    ready: Option<oneshot::Sender<Result<(), LookupError>>>,
    snapshots: watch::Sender<Arc<Snapshot>>,
}

impl Feed {
    async fn run(mut self) {
        let snapshots = self.snapshots.clone();
        tokio::select! {
            () = snapshots.closed() => {}
            () = self.feed() => {}
        }
        self.client.close().await;
    }

    /// Follows the namespace over any number of sessions.
    async fn feed(&mut self) {
        loop {
            let Err(stopped) = self.follow().await;
            self.publish(false);
            warn!(%stopped, namespace = self.namespace, "the view is out of date");
            if let Some(ready) = self.ready.take_if(|_| stopped.is_refusal()) {
                // Nobody waits for a first list any more if the caller has gone.
                let _ = ready.send(Err(stopped.to_lookup_error(&self.ensemble)));
            }
            self.backoff.pause().await;
            if let Stopped::Ended(_) = stopped {
                match self.ensemble.open() {
                    Ok(client) => self.client = client,
                    Err(error) => warn!(%error, "no session for the view"),
                }
            }
        }
    }

    async fn follow(&mut self) -> Result<Infallible, Stopped> {
        let mode = AddWatchMode::PERSISTENT_RECURSIVE;
        loop {
            match self.client.add_watch(&self.namespace, mode).await {
                Ok(watch) => self.follow_events(watch).await?,
                Err(error @ Error::Unsupported { .. }) => {
                    info!(%error, "following the list of children instead");
                    self.follow_lists().await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Returns when a server has taken over that is too old for the watch.
    async fn follow_events(&mut self, mut watch: PersistentWatch) -> Result<(), Stopped> {
        let mut states = self.client.state();
        self.list().await?;
        let mut is_new = true;
        loop {
            tokio::select! {
                biased;
                item = watch.next() => {
                    match item? {
                        WatchItem::Event(event) => self.names.apply(&self.namespace, &event),
                        WatchItem::Gap => self.list().await?,
                        WatchItem::Suspended => return Ok(()),
                    }
                    is_new = true;
                }
                // All events that are there make one snapshot.
                () = ready(()), if is_new => {
                    self.publish(true);
                    is_new = false;
                }
                // Connected again, there is a gap first.
                () = disconnected(&mut states) => self.publish(false),
            }
        }
    }

    /// For servers before 3.6. Returns when the connection is lost: the next server may be newer.
    async fn follow_lists(&mut self) -> Result<(), Stopped> {
        loop {
            let mut states = self.client.state();
            states.mark_unchanged();
            let watch = match self.client.get_children_and_watch(&self.namespace).await {
                Ok((children, watch)) => {
                    self.names.replace(&children);
                    watch
                }
                Err(error) if error.is_no_node() => {
                    self.names.clear();
                    let (stat, watch) = self.client.exists_and_watch(&self.namespace).await?;
                    if stat.is_some() {
                        continue;
                    }
                    watch
                }
                Err(error) => return Err(error.into()),
            };
            self.publish(true);
            tokio::select! {
                event = watch.changed() => drop(event?),
                () = disconnected(&mut states) => {
                    self.publish(false);
                    return Ok(());
                }
            }
        }
    }

    async fn list(&mut self) -> Result<(), Error> {
        match self.client.get_children(&self.namespace).await {
            Ok(children) => self.names.replace(&children),
            Err(error) if error.is_no_node() => self.names.clear(),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn publish(&mut self, is_live: bool) {
        if is_live {
            self.backoff.reset();
        }
        let instances = self.names.to_vec();
        let snapshot = Snapshot { instances, is_live };
        self.snapshots.send_if_modified(|old| {
            let is_new = **old != snapshot;
            if is_new {
                debug!(?snapshot, "view");
                *old = Arc::new(snapshot);
            }
            is_new
        });
        if let Some(ready) = self.ready.take_if(|_| is_live) {
            let _ = ready.send(Ok(()));
        }
    }
}

async fn disconnected(states: &mut watch::Receiver<SessionState>) {
    loop {
        if states.changed().await.is_err() {
            // The session has ended, which the watch tells too.
            return std::future::pending().await;
        }
        if *states.borrow_and_update() == SessionState::Disconnected {
            return;
        }
    }
}

/// Why the list cannot be followed just now.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("{0}")]
    Ended(SessionEnd),
    #[error("{0}")]
    Failed(Error),
}

impl Stopped {
    /// Whether trying again is of little use.
    fn is_refusal(&self) -> bool {
        match self {
            Self::Ended(end) => matches!(end, SessionEnd::AuthFailed(_)),
            Self::Failed(error) => !is_passing(error),
        }
    }

    fn to_lookup_error(&self, ensemble: &Ensemble) -> LookupError {
        match self {
            Self::Ended(end) => LookupError::Unreachable(end.clone().into()),
            Self::Failed(error) => ensemble.refused(error.clone()),
        }
    }
}

impl From<SessionEnd> for Stopped {
    fn from(end: SessionEnd) -> Self {
        Self::Ended(end)
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        match error.session_end() {
            Some(end) => Self::Ended(end.clone()),
            None => Self::Failed(error),
        }
    }
}
