//! What follows a transaction: the quota statistics, and the events for those who watch.

use std::collections::BTreeSet;

use zk_proto::record::EventType;
use zk_proto::{Acl, Perms, Zxid};

use super::access;
use super::connection::Phase;
use super::journal::SessionPart;
use super::tree::{Before, Change, Stamp};
use super::{ConnectionId, Core};

impl Core {
    /// A transaction of a client has been applied: it is kept, and everybody is told.
    pub(super) fn commit(&mut self, changes: &[Change], stamp: Stamp) {
        self.log(stamp, SessionPart::None, changes);
        self.publish(changes, stamp.zxid);
    }

    /// Quotas are counted, watchers are told.
    pub(super) fn publish(&mut self, changes: &[Change], zxid: Zxid) {
        self.quotas.account(&mut self.tree, changes);
        for change in changes {
            self.publish_one(change, zxid);
        }
    }

    /// Tells the watchers what was done: the znode's data watchers, then its child watchers, then its parent's; each
    /// connection once.
    fn publish_one(&mut self, change: &Change, zxid: Zxid) {
        let path = &*change.path;
        match change.before {
            Before::Missing { .. } => {
                let told = self.watches.data.fire(path, EventType::NODE_CREATED);
                self.notify(told, EventType::NODE_CREATED, path, &change.acl, zxid);
                self.publish_children(change, zxid);
            }
            Before::Existing { .. } => {
                let mut told = self.watches.data.fire(path, EventType::NODE_DELETED);
                told.extend(self.watches.child.fire(path, EventType::NODE_DELETED));
                self.notify(told, EventType::NODE_DELETED, path, &change.acl, zxid);
                self.publish_children(change, zxid);
            }
            Before::Data { .. } => {
                let told = self.watches.data.fire(path, EventType::NODE_DATA_CHANGED);
                self.notify(told, EventType::NODE_DATA_CHANGED, path, &change.acl, zxid);
            }
            Before::Acl { .. } => {}
        }
    }

    fn publish_children(&mut self, change: &Change, zxid: Zxid) {
        let Some(parent) = zk_proto::path::parent(&change.path) else {
            return;
        };
        let event = EventType::NODE_CHILDREN_CHANGED;
        let told = self.watches.child.fire(parent, event);
        self.notify(told, event, parent, &change.parent_acl, zxid);
    }

    /// Writes an event to those connections that may read the znode.
    fn notify(
        &mut self,
        told: BTreeSet<ConnectionId>,
        event: EventType,
        path: &str,
        acl: &[Acl],
        zxid: Zxid,
    ) {
        let guarded = self.release.guards_existence();
        let zxid = if self.release.numbers_notifications() {
            zxid
        } else {
            Zxid(-1)
        };
        for id in told {
            let Some(connection) = self.connections.get_mut(&id) else {
                continue;
            };
            if !guarded || access::check(acl, Perms::READ, &connection.identities).is_ok() {
                connection.push_event(event, path, zxid);
                let cut = connection.phase == Phase::Aborted;
                self.ready.insert(id);
                if cut {
                    self.leave(id);
                }
            }
        }
    }
}
