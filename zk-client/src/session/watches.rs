//! The book of watches: who waits for what, and what must be registered again after a reconnect.

use std::collections::{BTreeMap, HashMap};

use zk_proto::record::{EventType, SetWatches2Request, SetWatchesRequest};
use zk_proto::{Zxid, path};

/// Names a watcher of this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WatcherId(pub u64);

/// What a watcher waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WatchKind {
    /// A change or the deletion of a znode that exists (`getData`, `exists`). One event.
    Data,
    /// The creation of a znode that does not exist (`exists`). One event.
    Exist,
    /// A child that comes or goes, or the deletion of the znode (`getChildren`). One event.
    Child,
    /// All of these, as long as the watcher lives (`addWatch`).
    Persistent,
    /// Creation, change and deletion of the znode and of everything below it (`addWatch`).
    PersistentRecursive,
}

impl WatchKind {
    /// Whether the watch goes on after an event.
    #[must_use]
    pub const fn is_persistent(self) -> bool {
        matches!(self, Self::Persistent | Self::PersistentRecursive)
    }
}

/// Watchers by path. Paths are the server's, chroot included.
#[derive(Debug, Default)]
pub(super) struct WatchBook {
    paths: BTreeMap<String, Vec<(WatchKind, WatcherId)>>,
    watchers: HashMap<WatcherId, String>,
    /// How many recursive watchers there are: without one, an event's ancestors are not looked up.
    recursive: usize,
}

impl WatchBook {
    pub(super) fn add(&mut self, watched: String, kind: WatchKind, watcher: WatcherId) {
        self.count(kind, 1);
        self.paths
            .entry(watched.clone())
            .or_default()
            .push((kind, watcher));
        self.watchers.insert(watcher, watched);
    }

    pub(super) fn contains(&self, watcher: WatcherId) -> bool {
        self.watchers.contains_key(&watcher)
    }

    /// Whether anybody waits for events of exactly this path.
    pub(super) fn has_path(&self, watched: &str) -> bool {
        self.paths.contains_key(watched)
    }

    /// Forgets a watcher. Returns the path of a persistent one: the server may have to be told.
    pub(super) fn remove(&mut self, watcher: WatcherId) -> Option<String> {
        let watched = self.watchers.remove(&watcher)?;
        let list = self.paths.get_mut(&watched)?;
        let at = list.iter().position(|(_, id)| *id == watcher)?;
        let (kind, _) = list.swap_remove(at);
        if list.is_empty() {
            self.paths.remove(&watched);
        }
        self.count(kind, -1);
        kind.is_persistent().then_some(watched)
    }

    /// Who is told of an event. One-shot watchers that are told are forgotten.
    pub(super) fn fire(&mut self, event: EventType, at: &str) -> Vec<WatcherId> {
        let mut told = Vec::new();
        if let Some(list) = self.paths.get_mut(at) {
            let mut fired = Vec::new();
            list.retain(|&(kind, watcher)| {
                let hit = hits(kind, event);
                if hit {
                    told.push(watcher);
                }
                let keep = !hit || kind.is_persistent();
                if !keep {
                    fired.push(watcher);
                }
                keep
            });
            if list.is_empty() {
                self.paths.remove(at);
            }
            for watcher in fired {
                self.watchers.remove(&watcher);
            }
        }
        if self.recursive > 0 && event != EventType::NODE_CHILDREN_CHANGED {
            let mut ancestor = path::parent(at);
            while let Some(above) = ancestor {
                if let Some(list) = self.paths.get(above) {
                    let recursive = list
                        .iter()
                        .filter(|(kind, _)| *kind == WatchKind::PersistentRecursive);
                    told.extend(recursive.map(|(_, watcher)| *watcher));
                }
                ancestor = path::parent(above);
            }
        }
        told
    }

    /// The watchers of persistent watches.
    pub(super) fn persistent(&self) -> Vec<WatcherId> {
        self.paths
            .values()
            .flatten()
            .filter(|(kind, _)| kind.is_persistent())
            .map(|(_, watcher)| *watcher)
            .collect()
    }

    /// Everything to register again, cut into requests of at most about `bytes_max` bytes of paths each. A path is in
    /// each list of a kind once, however many watchers it has.
    pub(super) fn rearm(
        &self,
        relative_zxid: Zxid,
        bytes_max: usize,
    ) -> Vec<SetWatches2Request<'_>> {
        let empty = || SetWatches2Request {
            one_shot: SetWatchesRequest {
                relative_zxid,
                data: vec![],
                exist: vec![],
                child: vec![],
            },
            persistent: vec![],
            persistent_recursive: vec![],
        };
        let mut batches = Vec::new();
        let mut batch = empty();
        let mut bytes = 0;
        for (watched, list) in &self.paths {
            for kind in ALL_KINDS
                .into_iter()
                .filter(|kind| list.iter().any(|(own, _)| own == kind))
            {
                let cost = watched.len() + 4;
                if bytes > 0 && bytes + cost > bytes_max {
                    batches.push(std::mem::replace(&mut batch, empty()));
                    bytes = 0;
                }
                bytes += cost;
                match kind {
                    WatchKind::Data => batch.one_shot.data.push(watched),
                    WatchKind::Exist => batch.one_shot.exist.push(watched),
                    WatchKind::Child => batch.one_shot.child.push(watched),
                    WatchKind::Persistent => batch.persistent.push(watched),
                    WatchKind::PersistentRecursive => batch.persistent_recursive.push(watched),
                }
            }
        }
        if bytes > 0 {
            batches.push(batch);
        }
        batches
    }

    const fn count(&mut self, kind: WatchKind, by: isize) {
        if matches!(kind, WatchKind::PersistentRecursive) {
            self.recursive = self.recursive.saturating_add_signed(by);
        }
    }
}

const ALL_KINDS: [WatchKind; 5] = [
    WatchKind::Data,
    WatchKind::Exist,
    WatchKind::Child,
    WatchKind::Persistent,
    WatchKind::PersistentRecursive,
];

/// Whether an event at the watcher's own path is one that it waits for.
const fn hits(kind: WatchKind, event: EventType) -> bool {
    match kind {
        WatchKind::Data | WatchKind::Exist => {
            matches!(
                event,
                EventType::NODE_CREATED | EventType::NODE_DATA_CHANGED | EventType::NODE_DELETED
            )
        }
        WatchKind::Child => matches!(
            event,
            EventType::NODE_CHILDREN_CHANGED | EventType::NODE_DELETED
        ),
        WatchKind::Persistent => true,
        WatchKind::PersistentRecursive => !matches!(event, EventType::NODE_CHILDREN_CHANGED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(entries: &[(&str, WatchKind, u64)]) -> WatchBook {
        let mut book = WatchBook::default();
        for (at, kind, id) in entries {
            book.add((*at).to_owned(), *kind, WatcherId(*id));
        }
        book
    }

    #[test]
    fn a_one_shot_watcher_is_told_once() {
        let mut book = book(&[("/a", WatchKind::Data, 1), ("/a", WatchKind::Child, 2)]);
        assert_eq!(
            book.fire(EventType::NODE_DATA_CHANGED, "/a"),
            [WatcherId(1)]
        );
        assert_eq!(book.fire(EventType::NODE_DATA_CHANGED, "/a"), []);
        assert_eq!(book.fire(EventType::NODE_DELETED, "/a"), [WatcherId(2)]);
        assert!(book.rearm(Zxid(0), 1000).is_empty());
    }

    #[test]
    fn a_recursive_watcher_hears_of_everything_below_but_not_of_child_lists() {
        let mut book = book(&[
            ("/a", WatchKind::PersistentRecursive, 1),
            ("/", WatchKind::PersistentRecursive, 2),
        ]);
        for _ in 0..2 {
            assert_eq!(
                book.fire(EventType::NODE_CREATED, "/a/b/c"),
                [WatcherId(1), WatcherId(2)]
            );
        }
        assert_eq!(book.fire(EventType::NODE_CREATED, "/ab"), [WatcherId(2)]);
        assert_eq!(book.fire(EventType::NODE_CHILDREN_CHANGED, "/a"), []);
    }

    #[test]
    fn a_persistent_watcher_that_goes_names_its_path_once() {
        let mut book = book(&[
            ("/a", WatchKind::Persistent, 1),
            ("/a", WatchKind::Persistent, 2),
            ("/a", WatchKind::Data, 3),
        ]);
        assert_eq!(book.remove(WatcherId(3)), None);
        assert_eq!(book.remove(WatcherId(1)).as_deref(), Some("/a"));
        assert_eq!(book.remove(WatcherId(1)), None);
        assert!(book.has_path("/a"), "another one waits");
        assert_eq!(book.remove(WatcherId(2)).as_deref(), Some("/a"));
        assert!(!book.has_path("/a") && book.persistent().is_empty());
    }

    #[test]
    fn what_is_registered_again_is_cut_under_the_limit_and_complete() {
        let mut book = WatchBook::default();
        for id in 0..100 {
            book.add(format!("/node-{id:03}"), WatchKind::Data, WatcherId(id));
            book.add(
                format!("/node-{id:03}"),
                WatchKind::Data,
                WatcherId(1000 + id),
            );
        }
        book.add("/p".into(), WatchKind::Persistent, WatcherId(5000));
        let batches = book.rearm(Zxid(9), 130);
        assert!(batches.iter().all(
            |batch| batch.one_shot.data.len() <= 10 && batch.one_shot.relative_zxid == Zxid(9)
        ));
        assert_eq!(
            batches
                .iter()
                .map(|batch| batch.one_shot.data.len())
                .sum::<usize>(),
            100
        );
        assert_eq!(
            batches
                .iter()
                .map(|batch| batch.persistent.len())
                .sum::<usize>(),
            1
        );
    }
}
