//! The task that keeps the list.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{oneshot, watch};
use tracing::{debug, info, warn};
use zk_client::{
    AddWatchMode, Client, Error, PersistentWatch, SessionEnd, SessionState, WatchItem, path,
};

use super::delta::Names;
use super::{Shared, Snapshot};
use crate::backoff::Backoff;
use crate::ensemble::{Ensemble, LookupError, is_passing};
use crate::published::InstanceData;

/// How many znodes are read at once.
const WINDOW: usize = 256;

/// The task that keeps the list.
#[derive(Debug)]
pub(super) struct Feed {
    ensemble: Ensemble,
    /// The namespace's path.
    namespace: String,
    reads_data: bool,
    client: Client,
    names: Names,
    backoff: Backoff,
    stale_since: Option<Instant>,
    /// Whether data was read since the last snapshot.
    has_read: bool,
    /// Told of the first list, or of what stands in its way.
    ready: Option<oneshot::Sender<Result<(), LookupError>>>,
    shared: Arc<Shared>,
    wake: watch::Sender<()>,
}

impl Feed {
    pub(super) fn new(
        ensemble: &Ensemble,
        client: Client,
        reads_data: bool,
        shared: Arc<Shared>,
        wake: watch::Sender<()>,
        ready: oneshot::Sender<Result<(), LookupError>>,
    ) -> Self {
        Self {
            ensemble: ensemble.clone(),
            namespace: shared.namespace.clone(),
            reads_data,
            client,
            names: Names::default(),
            backoff: Backoff::default(),
            stale_since: None,
            has_read: false,
            ready: Some(ready),
            shared,
            wake,
        }
    }

    pub(super) async fn run(mut self) {
        let wake = self.wake.clone();
        tokio::select! {
            () = wake.closed() => {}
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
                    is_new |= match item? {
                        WatchItem::Event(event) => self.names.apply(&self.namespace, &event),
                        WatchItem::Gap => {
                            self.list().await?;
                            true
                        }
                        WatchItem::Suspended => return Ok(()),
                    };
                }
                // All events that are there make one snapshot.
                () = ready(()), if is_new => {
                    self.read_data().await?;
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
            self.read_data().await?;
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

    /// Reads the data of instances that are new or may have changed.
    async fn read_data(&mut self) -> Result<(), Error> {
        while self.reads_data {
            let slots = self.names.take_unread(WINDOW);
            if slots.is_empty() {
                break;
            }
            let paths: Vec<_> = slots
                .iter()
                .map(|slot| path::join(&self.namespace, slot.member().name.as_str()))
                .collect();
            let asked: Vec<_> = paths
                .iter()
                .map(|path| self.client.get_data(path))
                .collect();
            for (slot, answer) in slots.iter().zip(asked) {
                let read = match answer.await {
                    Ok((data, _)) => InstanceData::parse(&data).map_err(|error| error.to_string()),
                    // It has left; the event comes.
                    Err(error) if error.is_no_node() => continue,
                    // Refused for this one; the others may be well.
                    Err(error) if error.code().is_some() && !is_passing(&error) => {
                        Err(error.to_string())
                    }
                    Err(error) => return Err(error),
                };
                let member = slot.member();
                if let Err(why) = &read {
                    warn!(name = %member.name, %why, "an instance's data cannot be read");
                    member.aside.failed(why);
                }
                member.data.store(read.ok().map(Arc::new));
                self.has_read = true;
            }
        }
        Ok(())
    }

    fn publish(&mut self, is_live: bool) {
        if is_live {
            self.backoff.reset();
            self.stale_since = None;
        } else {
            self.stale_since.get_or_insert_with(Instant::now);
        }
        // Held until the readers are awake: a long list takes a while to be freed.
        let old = self.shared.list.load_full();
        let snapshot = Snapshot {
            slots: self.names.slots(),
            foreign: self.names.foreign(),
            stale_since: self.stale_since,
            number: old.number + 1,
        };
        let has_read = std::mem::take(&mut self.has_read);
        if has_read || !snapshot.is_like(&old) {
            debug!(?snapshot, "view");
            self.shared.publish(snapshot);
            self.wake.send_replace(());
        }
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
