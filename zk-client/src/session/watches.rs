//! The book of watches: who waits for what, and what must be registered again after a reconnect.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use zk_proto::record::{EventType, SetWatches2Request, SetWatchesRequest};
use zk_proto::{Zxid, path};

use super::calls::CallId;

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
    paths: BTreeMap<Arc<str>, Vec<(WatchKind, WatcherId)>>,
    watchers: HashMap<WatcherId, Arc<str>>,
    /// How many recursive watchers there are: without one, an event's ancestors are not looked up.
    recursive: usize,
    /// How many persistent watchers there are, recursive ones among them.
    persistent: usize,
    /// The calls whose answers watchers wait for.
    wishes: HashMap<WatcherId, CallId>,
    /// Watches that requests under way ask for.
    under_way: HashMap<Arc<str>, Vec<WatchKind>>,
}

impl WatchBook {
    /// A watcher will stand once the call is answered.
    pub(super) fn wish(&mut self, watcher: WatcherId, call: CallId) {
        self.wishes.insert(watcher, call);
    }

    /// The call is answered, or the watcher does not want it any more.
    pub(super) fn wish_no_more(&mut self, watcher: WatcherId) -> Option<CallId> {
        self.wishes.remove(&watcher)
    }

    /// A request that leaves this watch is under way.
    pub(super) fn expect(&mut self, path: &Arc<str>, kind: WatchKind) {
        self.under_way
            .entry(Arc::clone(path))
            .or_default()
            .push(kind);
    }

    /// It is no more.
    pub(super) fn expect_no_more(&mut self, path: &Arc<str>, kind: WatchKind) {
        if let Some(kinds) = self.under_way.get_mut(path) {
            if let Some(at) = kinds.iter().position(|own| *own == kind) {
                kinds.swap_remove(at);
            }
            if kinds.is_empty() {
                self.under_way.remove(path);
            }
        }
    }

    pub(super) fn add(&mut self, path: Arc<str>, kind: WatchKind, watcher: WatcherId) {
        self.count(kind, 1);
        self.watchers.insert(watcher, Arc::clone(&path));
        self.paths.entry(path).or_default().push((kind, watcher));
    }

    /// How many watchers stand.
    pub(super) fn len(&self) -> usize {
        self.watchers.len()
    }

    /// How many of them are persistent.
    pub(super) const fn persistent_count(&self) -> usize {
        self.persistent
    }

    /// Whether anybody waits for events of exactly this path, or will.
    pub(super) fn is_wanted(&self, path: &str) -> bool {
        self.paths.contains_key(path) || self.under_way.contains_key(path)
    }

    /// Whether the server has a watch of this kind at exactly this path, as far as it has those of the book (`stand`).
    pub(super) fn on_server(&self, path: &str, kind: WatchKind, stand: bool) -> bool {
        let booked = stand && self.has(path, kind);
        booked
            || self
                .under_way
                .get(path)
                .is_some_and(|kinds| kinds.contains(&kind))
    }

    /// Whether a recursive watcher stands at exactly this path.
    pub(super) fn has_recursive(&self, path: &str) -> bool {
        self.recursive > 0 && self.has(path, WatchKind::PersistentRecursive)
    }

    fn has(&self, path: &str, kind: WatchKind) -> bool {
        self.paths
            .get(path)
            .is_some_and(|list| list.iter().any(|(own, _)| *own == kind))
    }

    /// Forgets a watcher. Returns where it stood and for what it waited.
    pub(super) fn remove(&mut self, watcher: WatcherId) -> Option<(Arc<str>, WatchKind)> {
        let path = self.watchers.remove(&watcher)?;
        let list = self.paths.get_mut(&path)?;
        let at = list.iter().position(|(_, id)| *id == watcher)?;
        let (kind, _) = list.swap_remove(at);
        if list.is_empty() {
            self.paths.remove(&path);
        }
        self.count(kind, -1);
        Some((path, kind))
    }

    /// Who is told of an event. One-shot watchers that are told are forgotten. While a `gap` is still to be told,
    /// persistent watchers hear nothing: what has happened is part of it.
    pub(super) fn fire(&mut self, event: EventType, at: &str, gap: bool) -> Vec<WatcherId> {
        let mut told = self.fire_at(at, |kind| {
            hits(kind, event) && !(gap && kind.is_persistent())
        });
        if self.recursive > 0 && !gap && event != EventType::NODE_CHILDREN_CHANGED {
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

    /// Who is told that a child of `at` has come or gone, where the server does not say so itself.
    pub(super) fn fire_children(&mut self, at: &str, persistent_too: bool) -> Vec<WatcherId> {
        self.fire_at(at, |kind| match kind {
            WatchKind::Child => true,
            WatchKind::Persistent => persistent_too,
            _ => false,
        })
    }

    fn fire_at(&mut self, at: &str, is_told: impl Fn(WatchKind) -> bool) -> Vec<WatcherId> {
        let mut told = Vec::new();
        let Some(list) = self.paths.get_mut(at) else {
            return told;
        };
        list.retain(|&(kind, watcher)| {
            let hit = is_told(kind);
            if hit {
                told.push(watcher);
                if !kind.is_persistent() {
                    self.watchers.remove(&watcher);
                }
            }
            !hit || kind.is_persistent()
        });
        if list.is_empty() {
            self.paths.remove(at);
        }
        told
    }

    /// The watchers of persistent watches.
    pub(super) fn persistent(&self) -> Vec<WatcherId> {
        if self.persistent == 0 {
            return Vec::new();
        }
        self.paths
            .values()
            .flatten()
            .filter(|(kind, _)| kind.is_persistent())
            .map(|(_, watcher)| *watcher)
            .collect()
    }

    /// The one-shot watches to register again, cut into requests of at most about `bytes_max` bytes of paths each. A
    /// path is in each list of a kind once, however many watchers it has.
    pub(super) fn one_shots(
        &self,
        relative_zxid: Zxid,
        bytes_max: usize,
    ) -> Vec<SetWatchesRequest<'_>> {
        let kinds = [WatchKind::Data, WatchKind::Exist, WatchKind::Child];
        let batches = self.batches(relative_zxid, bytes_max, &kinds);
        batches.into_iter().map(|batch| batch.one_shot).collect()
    }

    /// The persistent watches to register again, likewise.
    pub(super) fn persistent_batches(
        &self,
        relative_zxid: Zxid,
        bytes_max: usize,
    ) -> Vec<SetWatches2Request<'_>> {
        let kinds = [WatchKind::Persistent, WatchKind::PersistentRecursive];
        self.batches(relative_zxid, bytes_max, &kinds)
    }

    fn batches(
        &self,
        relative_zxid: Zxid,
        bytes_max: usize,
        kinds: &[WatchKind],
    ) -> Vec<SetWatches2Request<'_>> {
        let mut batches = Vec::new();
        let mut batch = no_watches(relative_zxid);
        let mut bytes = 0;
        for (path, list) in &self.paths {
            for kind in kinds
                .iter()
                .filter(|kind| list.iter().any(|(own, _)| own == *kind))
            {
                let cost = path.len() + 4;
                if bytes > 0 && bytes + cost > bytes_max {
                    batches.push(std::mem::replace(&mut batch, no_watches(relative_zxid)));
                    bytes = 0;
                }
                bytes += cost;
                match kind {
                    WatchKind::Data => batch.one_shot.data.push(path),
                    WatchKind::Exist => batch.one_shot.exist.push(path),
                    WatchKind::Child => batch.one_shot.child.push(path),
                    WatchKind::Persistent => batch.persistent.push(path),
                    WatchKind::PersistentRecursive => batch.persistent_recursive.push(path),
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
        if kind.is_persistent() {
            self.persistent = self.persistent.saturating_add_signed(by);
        }
    }
}

/// Registers nothing.
pub(super) const fn no_watches<'a>(relative_zxid: Zxid) -> SetWatches2Request<'a> {
    SetWatches2Request {
        one_shot: SetWatchesRequest {
            relative_zxid,
            data: vec![],
            exist: vec![],
            child: vec![],
        },
        persistent: vec![],
        persistent_recursive: vec![],
    }
}

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
            book.add((*at).into(), *kind, WatcherId(*id));
        }
        book
    }

    #[test]
    fn a_one_shot_watcher_is_told_once() {
        let mut book = book(&[("/a", WatchKind::Data, 1), ("/a", WatchKind::Child, 2)]);
        assert_eq!(
            book.fire(EventType::NODE_DATA_CHANGED, "/a", false),
            [WatcherId(1)]
        );
        assert_eq!(book.fire(EventType::NODE_DATA_CHANGED, "/a", false), []);
        assert_eq!(
            book.fire(EventType::NODE_DELETED, "/a", false),
            [WatcherId(2)]
        );
        assert!(book.one_shots(Zxid(0), 1000).is_empty());
        assert_eq!(book.len(), 0);
    }

    #[test]
    fn a_recursive_watcher_hears_of_everything_below_but_not_of_child_lists() {
        let mut book = book(&[
            ("/a", WatchKind::PersistentRecursive, 1),
            ("/", WatchKind::PersistentRecursive, 2),
        ]);
        for _ in 0..2 {
            assert_eq!(
                book.fire(EventType::NODE_CREATED, "/a/b/c", false),
                [WatcherId(1), WatcherId(2)]
            );
        }
        assert_eq!(
            book.fire(EventType::NODE_CREATED, "/ab", false),
            [WatcherId(2)]
        );
        assert_eq!(book.fire(EventType::NODE_CHILDREN_CHANGED, "/a", false), []);
    }

    #[test]
    fn a_recursive_watcher_tells_for_the_child_watchers_of_its_path() {
        let mut book = book(&[
            ("/a", WatchKind::PersistentRecursive, 1),
            ("/a", WatchKind::Child, 2),
            ("/a", WatchKind::Persistent, 3),
        ]);
        assert!(book.has_recursive("/a") && !book.has_recursive("/"));
        assert_eq!(book.fire_children("/a", true), [WatcherId(2), WatcherId(3)]);
        assert_eq!(book.fire_children("/a", false), []);
    }

    #[test]
    fn a_watcher_that_goes_names_its_path() {
        let mut book = book(&[
            ("/a", WatchKind::Persistent, 1),
            ("/a", WatchKind::Persistent, 2),
            ("/a", WatchKind::Data, 3),
        ]);
        assert_eq!(
            book.remove(WatcherId(3)),
            Some(("/a".into(), WatchKind::Data))
        );
        assert_eq!(
            book.remove(WatcherId(1)),
            Some(("/a".into(), WatchKind::Persistent))
        );
        assert_eq!(book.remove(WatcherId(1)), None);
        assert!(book.is_wanted("/a"), "another one waits");
        book.remove(WatcherId(2));
        assert!(!book.is_wanted("/a") && book.persistent().is_empty());
        let path = "/a".into();
        book.expect(&path, WatchKind::Child);
        assert!(book.is_wanted("/a"), "one is under way");
        book.expect_no_more(&path, WatchKind::Child);
        assert!(!book.is_wanted("/a"));
    }

    #[test]
    fn what_is_registered_again_is_cut_under_the_limit_and_complete() {
        let mut book = WatchBook::default();
        for id in 0..100 {
            let path: Arc<str> = format!("/node-{id:03}").into();
            book.add(Arc::clone(&path), WatchKind::Data, WatcherId(id));
            book.add(path, WatchKind::Data, WatcherId(1000 + id));
        }
        book.add("/p".into(), WatchKind::Persistent, WatcherId(5000));
        let batches = book.one_shots(Zxid(9), 130);
        assert!(
            batches
                .iter()
                .all(|batch| batch.data.len() <= 10 && batch.relative_zxid == Zxid(9))
        );
        assert_eq!(
            batches.iter().map(|batch| batch.data.len()).sum::<usize>(),
            100
        );
        let batches = book.persistent_batches(Zxid(9), 130);
        assert_eq!(batches.len(), 1);
        assert_eq!(batches[0].persistent, ["/p"]);
    }
}
