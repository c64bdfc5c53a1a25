//! The list of instances, kept up to date.
//!
//! One persistent recursive watch on the namespace (ZooKeeper 3.6 and later) tells the name of each
//! child that comes or goes, and the name carries endpoint and version. So a change costs one event,
//! where a child watch costs every watcher the whole list again. Servers send no persistent watch
//! what it missed while its connection was away: after each reconnect the list is read once more.
//! On older servers a child watch has to do.
//!
//! One task feeds the list (`feed`): it replaces an immutable snapshot, which everybody else reads
//! without a lock. What pickers share about an instance (`member`) goes from snapshot to snapshot.

mod changes;
mod delta;
mod feed;
pub(crate) mod member;
mod snapshot;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::ensemble::{Ensemble, LookupError};
use crate::namespace::Namespace;
pub use changes::{Change, Changes};
use feed::Feed;
pub use snapshot::Snapshot;

/// A namespace that is watched, by a session of its own. Clones share it; with the last of them, of
/// their [`Changes`] and [`Picker`](crate::Picker)s the session is closed.
///
/// While ZooKeeper is away the last list stays, and [says how old it is](Snapshot::age).
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
/// let view = View::open(&ensemble, &Namespace::default()).await?;
/// assert!(view.snapshot().is_empty());
///
/// let mut changes = view.changes();
/// assert!(changes.next().await.joined.is_empty(), "nobody was there from the beginning");
/// # let registration = Registration::register(&ensemble, &Namespace::default(), &instance).await?;
/// // When a server has registered:
/// let change = changes.next().await;
/// assert_eq!(change.joined[0].version(), "4.0.1");
/// assert_eq!(view.snapshot().len(), 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct View {
    shared: Arc<Shared>,
    wakes: watch::Receiver<()>,
}

/// What the feed writes and everybody reads.
#[derive(Debug)]
struct Shared {
    servers: String,
    namespace: String,
    list: ArcSwap<Snapshot>,
    /// The number of the list, once it is there: to learn of another one costs a plain load.
    number: AtomicU64,
}

impl Shared {
    fn publish(&self, snapshot: Snapshot) {
        let number = snapshot.number;
        self.list.store(Arc::new(snapshot));
        self.number.store(number, Ordering::Release);
    }
}

impl View {
    /// Opens a session and waits for the first list. A namespace that does not exist is empty; its
    /// instances appear when it is made.
    ///
    /// The instances' names alone are read: they say where each is.
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
        Self::watch(ensemble, namespace, false).await
    }

    /// As [`open`](Self::open), and reads what each instance publishes, so that all is there to
    /// connect even while ZooKeeper is away. An instance that joins or changes its data costs one
    /// more request; on a server before 3.6, which does not tell which one, a request for each.
    ///
    /// # Errors
    /// As [`open`](Self::open). Data that cannot be read is no error: the instance is on the list
    /// and, for pickers, set aside.
    ///
    /// # Cancel safety
    /// Safe: nothing is left running.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn open_with_data(
        ensemble: &Ensemble,
        namespace: &Namespace,
    ) -> Result<Self, LookupError> {
        Self::watch(ensemble, namespace, true).await
    }

    async fn watch(
        ensemble: &Ensemble,
        namespace: &Namespace,
        reads_data: bool,
    ) -> Result<Self, LookupError> {
        let started = Instant::now();
        let client = ensemble.open()?;
        let shared = Arc::new(Shared {
            servers: ensemble.to_string(),
            namespace: namespace.path(),
            list: ArcSwap::default(),
            number: AtomicU64::new(0),
        });
        let (wake, wakes) = watch::channel(());
        let (ready, first) = oneshot::channel();
        let list = Arc::clone(&shared);
        let feed = Feed::new(ensemble, client.clone(), reads_data, list, wake, ready);
        tokio::spawn(feed.run());
        match timeout(ensemble.timeout(), first).await {
            Ok(Ok(result)) => result.map(|()| Self { shared, wakes }),
            _ => {
                let (path, elapsed) = (namespace.path(), started.elapsed());
                Err(ensemble.out_of_time(&client, &path, elapsed).await)
            }
        }
    }

    /// The instances now. It takes no lock and no memory, and waits for nothing.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.list.load_full()
    }

    /// The changes from now on, the first of which is what there is now.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes::new(self.clone())
    }

    /// The number of the newest snapshot, at least.
    pub(crate) fn number(&self) -> u64 {
        self.shared.number.load(Ordering::Acquire)
    }

    pub(crate) fn servers(&self) -> &str {
        &self.shared.servers
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.shared.namespace
    }
}
