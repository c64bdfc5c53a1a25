use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::FutureExt;
use tokio::time::{MissedTickBehavior, interval, sleep};
use zk_client::{
    AddWatchMode, Client, Error, EventType, PersistentWatch, SessionState, WatchItem, WatchedEvent,
};

use crate::arena::Arena;

const FOLDER: &str = "/tree";

/// Watches the folder until the arena ends, and returns how many gaps it was told of.
///
/// At each gap the folder is listed, and at the beginning; between two lists every creation must be told. In the end
/// nothing may be there that was neither listed nor told.
pub(crate) async fn run(arena: Arc<Arena>, slot: usize) -> usize {
    let mut watcher = Watcher {
        client: arena.client(slot).await,
        arena: Arc::clone(&arena),
        slot,
        listed: BTreeSet::new(),
        told: BTreeSet::new(),
        gaps: 0,
    };
    // At most one more client for each session that ends.
    loop {
        match watcher.watch().await {
            Ok(()) => return watcher.gaps,
            Err(_) => watcher.client = arena.client(slot).await,
        }
    }
}

struct Watcher {
    arena: Arc<Arena>,
    slot: usize,
    client: Client,
    listed: BTreeSet<String>,
    told: BTreeSet<String>,
    gaps: usize,
}

/// The session has ended.
struct Ended;

impl Watcher {
    /// To the end of the arena, or of the session.
    async fn watch(&mut self) -> Result<(), Ended> {
        let client = self.client.clone();
        let mode = AddWatchMode::PERSISTENT_RECURSIVE;
        let mut watch = self
            .until_answered(|| client.add_watch(FOLDER, mode))
            .await?;
        self.listed.extend(self.list().await?);
        let (ending, arena) = (Arc::clone(&self.arena), Arc::clone(&self.arena));
        let mut ending = std::pin::pin!(ending.ending());
        // Requests go on, so that it is known when the client has answers.
        let mut asking = interval(Duration::from_secs(1));
        asking.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let item = tokio::select! {
                item = watch.next() => item,
                () = &mut ending => break,
                _ = asking.tick() => {
                    if client.exists(FOLDER).await.is_ok() {
                        arena.succeeded(self.slot);
                    }
                    continue;
                }
            };
            self.take(item.map_err(|_| Ended)?).await?;
        }
        self.settle(&mut watch).await
    }

    async fn take(&mut self, item: WatchItem) -> Result<(), Ended> {
        match item {
            WatchItem::Event(event) => self.told(event),
            WatchItem::Gap => {
                self.gaps += 1;
                self.listed.extend(self.list().await?);
            }
            WatchItem::Suspended => self.arena.violation(format!(
                "watcher {} is suspended by a new server",
                self.slot
            )),
        }
        Ok(())
    }

    fn told(&mut self, event: WatchedEvent) {
        let slot = self.slot;
        let is_creation = event.event_type == EventType::NODE_CREATED;
        if !is_creation || !event.path.starts_with(FOLDER) {
            self.arena
                .violation(format!("watcher {slot} was told of {event:?}"));
        } else if self.told.contains(&event.path) {
            self.arena
                .violation(format!("watcher {slot} was told twice of {event:?}"));
        } else {
            self.told.insert(event.path);
        }
    }

    async fn settle(&mut self, watch: &mut PersistentWatch) -> Result<(), Ended> {
        let client = self.client.clone();
        self.until_answered(|| client.sync(FOLDER)).await?;
        let there = self.list().await?;
        // The events have come before the answer. The queue may be read in one go: nobody creates any more.
        while let Some(item) = watch.next().now_or_never() {
            self.take(item.map_err(|_| Ended)?).await?;
        }
        let missing: Vec<_> = there
            .iter()
            .filter(|path| !self.told.contains(*path) && !self.listed.contains(*path))
            .collect();
        if !missing.is_empty() {
            let (slot, gaps, told) = (self.slot, self.gaps, self.told.len());
            self.arena.violation(format!(
                "watcher {slot} was not told of {} of {} znodes, such as {:?}; it was told of {told} and of {gaps} gaps",
                missing.len(),
                there.len(),
                missing.first()
            ));
        }
        Ok(())
    }

    async fn list(&self) -> Result<Vec<String>, Ended> {
        let client = self.client.clone();
        let children = self.until_answered(|| client.get_children(FOLDER)).await?;
        let paths = children
            .to_vec()
            .into_iter()
            .map(|name| format!("{FOLDER}/{name}"));
        Ok(paths.collect())
    }

    async fn until_answered<T, F>(&self, mut ask: impl FnMut() -> F) -> Result<T, Ended>
    where
        F: Future<Output = Result<T, Error>>,
    {
        loop {
            match ask().await {
                Ok(answer) => {
                    self.arena.succeeded(self.slot);
                    return Ok(answer);
                }
                Err(error) if error.session_end().is_some() => return Err(Ended),
                Err(error) if error.is_transient() => {}
                Err(error) => {
                    let slot = self.slot;
                    self.arena.violation(format!("watcher {slot}: {error}"));
                }
            }
            if matches!(*self.client.state().borrow(), SessionState::Ended(_)) {
                return Err(Ended);
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}
