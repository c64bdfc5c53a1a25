//! What has happened to the tree, in the order of the transactions: the truth that the promises are held against.

use std::collections::HashSet;

use zk_client::EventType;
use zk_client::session::WatchKind;
use zk_proto::{Zxid, path};

/// One thing that somebody may watch for.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) zxid: Zxid,
    pub(crate) event: EventType,
    pub(crate) path: String,
}

/// All changes, as the observer heard of them, and which znodes exist now.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) changes: Vec<Change>,
    exists: HashSet<String>,
}

impl History {
    /// A change of a znode; that of its parent's list of children follows from it.
    pub(crate) fn record(&mut self, zxid: Zxid, event: EventType, at: &str) {
        let parent = match event {
            EventType::NODE_CREATED => {
                self.exists.insert(at.to_owned());
                path::parent(at)
            }
            EventType::NODE_DELETED => {
                self.exists.remove(at);
                path::parent(at)
            }
            _ => None,
        };
        self.push(zxid, event, at);
        if let Some(parent) = parent {
            self.push(zxid, EventType::NODE_CHILDREN_CHANGED, parent);
        }
    }

    fn push(&mut self, zxid: Zxid, event: EventType, at: &str) {
        self.changes.push(Change {
            zxid,
            event,
            path: at.to_owned(),
        });
    }

    pub(crate) fn exists(&self, at: &str) -> bool {
        self.exists.contains(at)
    }

    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }

    /// The first change behind transaction `since` that such a watch sees.
    pub(crate) fn first_since(
        &self,
        since: Zxid,
        kind: WatchKind,
        watched: &str,
    ) -> Option<&Change> {
        let behind = self.changes.partition_point(|change| change.zxid <= since);
        self.changes[behind..]
            .iter()
            .find(|change| hits(kind, watched, change))
    }
}

/// Whether a watch sees a change.
pub(crate) fn hits(kind: WatchKind, watched: &str, change: &Change) -> bool {
    let children = change.event == EventType::NODE_CHILDREN_CHANGED;
    match kind {
        WatchKind::Data | WatchKind::Exist => !children && change.path == watched,
        WatchKind::Child => {
            (children || change.event == EventType::NODE_DELETED) && change.path == watched
        }
        WatchKind::Persistent => change.path == watched,
        WatchKind::PersistentRecursive => {
            !children
                && change
                    .path
                    .strip_prefix(watched)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
    }
}
