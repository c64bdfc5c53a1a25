//! Who wants to know what: the two tables of watches.
//!
//! A watch belongs to a connection. A connection holds each mode of watch on a path at most once, the modes beside
//! each other, and is told once about one event whatever it holds. Before 3.9 there was one mode for a connection,
//! path and table, the last one that was asked for, and watches were removed and found by table alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::BitOr;
use std::sync::Arc;

use zk_proto::path::parent;
use zk_proto::record::{EventType, WatcherType};

use super::ConnectionId;

/// All watches.
#[derive(Debug)]
pub(super) struct Watches {
    /// The rules of 3.9.
    modes_apart: bool,
    /// Those of `getData` and `exists`; and all that are recursive.
    pub(super) data: Table,
    /// Those of `getChildren`.
    pub(super) child: Table,
}

impl Watches {
    /// No watches; `modes_apart` for the rules of 3.9.
    pub(super) fn new(modes_apart: bool) -> Self {
        let table = || Table {
            modes_apart,
            ..Table::default()
        };
        Self {
            modes_apart,
            data: table(),
            child: table(),
        }
    }

    /// Adds a watch of `addWatch`.
    pub(super) fn add_persistent(&mut self, path: &str, connection: ConnectionId) {
        self.data.add(path, connection, Modes::PERSISTENT);
        self.child.add(path, connection, Modes::PERSISTENT);
    }

    /// Adds a recursive watch of `addWatch`.
    pub(super) fn add_recursive(&mut self, path: &str, connection: ConnectionId) {
        self.data.add(path, connection, Modes::RECURSIVE);
        if !self.modes_apart {
            self.child.add(path, connection, Modes::RECURSIVE);
        }
    }

    /// What `checkWatches` finds: whether the connection has such a watch; `None` for a type that does not exist.
    pub(super) fn find(
        &self,
        path: &str,
        connection: ConnectionId,
        kind: WatcherType,
    ) -> Option<bool> {
        if self.modes_apart {
            return self.has(path, connection, kind);
        }
        // Before 3.9 real servers found the watches of others too.
        let (data, child) = (self.data.is_watched(path), self.child.is_watched(path));
        Some(match kind {
            WatcherType::CHILDREN => child,
            WatcherType::DATA => data,
            WatcherType::ANY => data || child,
            _ => return None,
        })
    }

    /// Whether the connection has such a watch; `None` for a type that does not exist.
    pub(super) fn has(
        &self,
        path: &str,
        connection: ConnectionId,
        kind: WatcherType,
    ) -> Option<bool> {
        let data = self.data.modes(path, connection);
        let child = self.child.modes(path, connection);
        Some(match kind {
            WatcherType::CHILDREN if !self.modes_apart => child.has(Modes::ALL),
            WatcherType::DATA if !self.modes_apart => data.has(Modes::ALL),
            WatcherType::PERSISTENT | WatcherType::PERSISTENT_RECURSIVE if !self.modes_apart => {
                return None;
            }
            WatcherType::CHILDREN => child.has(Modes::STANDARD),
            WatcherType::DATA => data.has(Modes::STANDARD),
            WatcherType::PERSISTENT => (data | child).has(Modes::PERSISTENT),
            WatcherType::PERSISTENT_RECURSIVE => data.has(Modes::RECURSIVE),
            WatcherType::ANY => (data | child).has(Modes::ALL),
            _ => return None,
        })
    }

    /// Removes such watches of the connection.
    pub(super) fn remove(&mut self, path: &str, connection: ConnectionId, kind: WatcherType) {
        let (data, child) = match kind {
            WatcherType::CHILDREN if !self.modes_apart => (Modes::NONE, Modes::ALL),
            WatcherType::DATA if !self.modes_apart => (Modes::ALL, Modes::NONE),
            WatcherType::CHILDREN => (Modes::NONE, Modes::STANDARD),
            WatcherType::DATA => (Modes::STANDARD, Modes::NONE),
            WatcherType::PERSISTENT => (Modes::PERSISTENT, Modes::PERSISTENT),
            WatcherType::PERSISTENT_RECURSIVE => (Modes::RECURSIVE, Modes::NONE),
            WatcherType::ANY => (Modes::ALL, Modes::ALL),
            _ => return,
        };
        self.data.take(path, connection, data);
        self.child.take(path, connection, child);
    }

    /// Forgets a connection.
    pub(super) fn disconnect(&mut self, connection: ConnectionId) {
        self.data.disconnect(connection);
        self.child.disconnect(connection);
    }
}

/// The watches of one kind.
#[derive(Debug, Default)]
pub(super) struct Table {
    by_path: HashMap<Arc<str>, BTreeMap<ConnectionId, Modes>>,
    by_connection: HashMap<ConnectionId, BTreeSet<Arc<str>>>,
    /// How many entries are recursive: with none, nobody looks at the ancestors.
    recursive: usize,
    /// Whether a connection can hold several modes on a path.
    modes_apart: bool,
}

impl Table {
    /// Adds a one-shot watch.
    pub(super) fn add_one_shot(&mut self, path: &str, connection: ConnectionId) {
        self.add(path, connection, Modes::STANDARD);
    }

    /// Who is to be told of an event at `path`. One-shot watches are used up by it.
    pub(super) fn fire(&mut self, path: &str, event: EventType) -> BTreeSet<ConnectionId> {
        // A recursive watch sees its whole subtree, and for that no change of any list of children.
        let children_changed = event == EventType::NODE_CHILDREN_CHANGED;
        let mut told = BTreeSet::new();
        if let Some(watchers) = self.by_path.get(path) {
            let wanted = if children_changed {
                Modes::STANDARD | Modes::PERSISTENT
            } else {
                Modes::ALL
            };
            told.extend(
                watchers
                    .iter()
                    .filter(|(_, modes)| modes.has(wanted))
                    .map(|(connection, _)| *connection),
            );
            for connection in &told {
                self.take(path, *connection, Modes::STANDARD);
            }
        }
        if !children_changed && self.recursive > 0 {
            let mut ancestor = parent(path);
            while let Some(path) = ancestor {
                let watchers = self.by_path.get(path).into_iter().flatten();
                told.extend(
                    watchers
                        .filter(|(_, modes)| modes.has(Modes::RECURSIVE))
                        .map(|(connection, _)| *connection),
                );
                ancestor = parent(path);
            }
        }
        told
    }

    /// Connections that have watches, with the paths they watch.
    pub(super) fn connections(&self) -> impl Iterator<Item = (ConnectionId, &BTreeSet<Arc<str>>)> {
        self.by_connection.iter().map(|(id, paths)| (*id, paths))
    }

    /// How many paths are watched.
    pub(super) fn paths_count(&self) -> usize {
        self.by_path.len()
    }

    /// How many pairs of a path and a connection there are.
    pub(super) fn watches_count(&self) -> usize {
        self.by_path.values().map(BTreeMap::len).sum()
    }

    fn is_watched(&self, path: &str) -> bool {
        self.by_path.contains_key(path)
    }

    fn modes(&self, path: &str, connection: ConnectionId) -> Modes {
        let watchers = self.by_path.get(path);
        let modes = watchers.and_then(|watchers| watchers.get(&connection));
        modes.copied().unwrap_or_default()
    }

    fn add(&mut self, path: &str, connection: ConnectionId, modes: Modes) {
        let key = match self.by_path.get_key_value(path) {
            Some((key, _)) => Arc::clone(key),
            None => path.into(),
        };
        let watchers = self.by_path.entry(Arc::clone(&key)).or_default();
        let held = watchers.entry(connection).or_default();
        let before = *held;
        *held = if self.modes_apart {
            before | modes
        } else {
            modes
        };
        match (before.has(Modes::RECURSIVE), held.has(Modes::RECURSIVE)) {
            (false, true) => self.recursive += 1,
            (true, false) => self.recursive -= 1,
            _ => {}
        }
        self.by_connection
            .entry(connection)
            .or_default()
            .insert(key);
    }

    fn take(&mut self, path: &str, connection: ConnectionId, modes: Modes) {
        let Some(watchers) = self.by_path.get_mut(path) else {
            return;
        };
        let Some(held) = watchers.get_mut(&connection) else {
            return;
        };
        if modes.has(Modes::RECURSIVE) && held.has(Modes::RECURSIVE) {
            self.recursive -= 1;
        }
        *held = held.without(modes);
        if held.has(Modes::ALL) {
            return;
        }
        watchers.remove(&connection);
        if watchers.is_empty() {
            self.by_path.remove(path);
        }
        if let Some(paths) = self.by_connection.get_mut(&connection) {
            paths.remove(path);
            if paths.is_empty() {
                self.by_connection.remove(&connection);
            }
        }
    }

    fn disconnect(&mut self, connection: ConnectionId) {
        for path in self
            .by_connection
            .get(&connection)
            .cloned()
            .unwrap_or_default()
        {
            self.take(&path, connection, Modes::ALL);
        }
    }
}

/// The modes in which a connection watches a path: a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Modes(u8);

impl Modes {
    const NONE: Self = Self(0);
    /// Until the first event.
    const STANDARD: Self = Self(1);
    /// Every event of the path.
    const PERSISTENT: Self = Self(2);
    /// Every event of the path and of all below it.
    const RECURSIVE: Self = Self(4);
    const ALL: Self = Self(7);

    /// Whether any of `other` is in it.
    const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Modes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ConnectionId = ConnectionId(1);
    const B: ConnectionId = ConnectionId(2);

    #[test]
    fn a_one_shot_watch_fires_once_and_a_persistent_one_beside_it_stays() {
        let mut table = Watches::new(true).data;
        table.add("/a", A, Modes::STANDARD);
        table.add("/a", A, Modes::PERSISTENT);
        table.add("/a", B, Modes::STANDARD);
        assert_eq!(
            table.fire("/a", EventType::NODE_DATA_CHANGED),
            BTreeSet::from([A, B])
        );
        assert_eq!(
            table.fire("/a", EventType::NODE_DATA_CHANGED),
            BTreeSet::from([A])
        );
    }

    #[test]
    fn a_recursive_watch_sees_below_but_no_lists_of_children() {
        let mut table = Watches::new(true).data;
        table.add("/", A, Modes::RECURSIVE);
        assert_eq!(
            table.fire("/a/b", EventType::NODE_CREATED),
            BTreeSet::from([A])
        );
        assert_eq!(
            table.fire("/", EventType::NODE_CHILDREN_CHANGED),
            BTreeSet::new()
        );
        table.take("/", A, Modes::RECURSIVE);
        assert_eq!(table.fire("/a/b", EventType::NODE_CREATED), BTreeSet::new());
    }

    #[test]
    fn before_3_9_the_last_mode_replaces_the_others() {
        let mut watches = Watches::new(false);
        watches.add_recursive("/a", A);
        watches.data.add_one_shot("/a", A);
        assert_eq!(watches.data.recursive, 0);
        assert_eq!(
            watches.data.fire("/a", EventType::NODE_DATA_CHANGED),
            BTreeSet::from([A])
        );
        assert_eq!(
            watches.data.fire("/a", EventType::NODE_DATA_CHANGED),
            BTreeSet::new()
        );
        // The half of it in the other table is still there.
        assert_eq!(watches.has("/a", A, WatcherType::CHILDREN), Some(true));
        watches.remove("/a", A, WatcherType::CHILDREN);
        assert_eq!(watches.has("/a", A, WatcherType::ANY), Some(false));
        assert_eq!(watches.has("/a", A, WatcherType::PERSISTENT), None);
    }

    #[test]
    fn nothing_is_left_of_a_connection_that_went() {
        let mut watches = Watches::new(true);
        watches.add_persistent("/a", A);
        watches.add_recursive("/a", A);
        watches.child.add_one_shot("/b", A);
        watches.disconnect(A);
        for table in [&watches.data, &watches.child] {
            assert!(table.by_path.is_empty());
            assert!(table.by_connection.is_empty());
            assert_eq!(table.recursive, 0);
        }
    }
}
