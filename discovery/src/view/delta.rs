//! What one event changes in the list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zk_client::{Children, EventType, WatchedEvent, path};

use super::member::Slot;
use crate::instance::InstanceName;

/// The children of the namespace, as the events have left them.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The instances. One that stays on the list keeps its slot.
    slots: BTreeMap<Arc<InstanceName>, Arc<Slot>>,
    /// The names of all other children, so that one that is told of twice counts once.
    foreign: BTreeSet<String>,
    /// Children whose names are no text.
    nameless: usize,
    /// Instances whose data may be another than was read.
    unread: BTreeSet<Arc<InstanceName>>,
}

impl Names {
    /// Takes over a list.
    pub(super) fn replace(&mut self, children: &Children) {
        let mut known = std::mem::take(self);
        for name in children.iter() {
            let Ok(name) = name else {
                self.nameless += 1;
                continue;
            };
            match name.parse::<InstanceName>() {
                Ok(name) => match known.slots.remove_entry(&name) {
                    Some((name, slot)) => self.put(name, slot),
                    None => self.insert(name),
                },
                Err(_) => {
                    self.foreign.insert(name.to_owned());
                }
            }
        }
    }

    fn insert(&mut self, name: InstanceName) {
        let name = Arc::new(name);
        self.put(Arc::clone(&name), Arc::new(Slot::new(name)));
    }

    fn put(&mut self, name: Arc<InstanceName>, slot: Arc<Slot>) {
        self.unread.insert(Arc::clone(&name));
        self.slots.insert(name, slot);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes in an event of a recursive watch on the namespace; says whether the list may be another now. Events are
    /// about names, so one that came before the list was read does no harm when it is applied after.
    pub(super) fn apply(&mut self, namespace: &str, event: &WatchedEvent) -> bool {
        if event.path == namespace && event.event_type == EventType::NODE_DELETED {
            self.clear();
            return true;
        }
        if path::parent(&event.path) != Some(namespace) {
            return false;
        }
        let text = path::name(&event.path);
        let Ok(name) = text.parse::<InstanceName>() else {
            return match event.event_type {
                EventType::NODE_CREATED => self.foreign.insert(text.to_owned()),
                EventType::NODE_DELETED => self.foreign.remove(text),
                _ => false,
            };
        };
        match event.event_type {
            EventType::NODE_CREATED if !self.slots.contains_key(&name) => self.insert(name),
            EventType::NODE_DELETED => {
                self.unread.remove(&name);
                return self.slots.remove(&name).is_some();
            }
            EventType::NODE_DATA_CHANGED => {
                if let Some((name, _)) = self.slots.get_key_value(&name) {
                    return self.unread.insert(Arc::clone(name));
                }
                return false;
            }
            _ => return false,
        }
        true
    }

    pub(super) fn slots(&self) -> Vec<Arc<Slot>> {
        self.slots.values().cloned().collect()
    }

    /// How many children are no instances.
    pub(super) fn foreign(&self) -> usize {
        self.foreign.len() + self.nameless
    }

    /// Instances whose data has to be read, `count` at most. They count as read.
    pub(super) fn take_unread(&mut self, count: usize) -> Vec<Arc<Slot>> {
        let names = std::iter::from_fn(|| self.unread.pop_first());
        let slots = names.take(count);
        slots
            .filter_map(|name| self.slots.get(&name).cloned())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "serverUri=a:1;version=1;sequence=0000000001";
    const B: &str = "serverUri=b:1;version=1;sequence=0000000002";

    fn names(names: &Names) -> Vec<String> {
        let slots = names.slots().into_iter();
        slots.map(|slot| slot.member().name.to_string()).collect()
    }

    fn apply(names: &mut Names, event_type: EventType, path: &str) -> bool {
        let path = path.to_owned();
        names.apply("/ns", &WatchedEvent { event_type, path })
    }

    #[test]
    fn instances_come_and_go() {
        let mut list = Names::default();
        list.replace(&["leader", A].iter().collect());
        assert_eq!(names(&list), [A]);
        assert!(apply(
            &mut list,
            EventType::NODE_CREATED,
            &format!("/ns/{B}")
        ));
        assert!(!apply(
            &mut list,
            EventType::NODE_CREATED,
            &format!("/ns/{B}")
        ));
        assert_eq!(names(&list), [A, B]);
        assert!(apply(
            &mut list,
            EventType::NODE_DELETED,
            &format!("/ns/{A}")
        ));
        assert!(!apply(
            &mut list,
            EventType::NODE_DELETED,
            &format!("/ns/{A}")
        ));
        assert_eq!(names(&list), [B]);
    }

    #[test]
    fn what_is_not_a_child_of_the_namespace_does_not_count() {
        let mut list = Names::default();
        for path in [format!("/ns/x/{A}"), format!("/n/{A}"), format!("/ns2/{A}")] {
            assert!(!apply(&mut list, EventType::NODE_CREATED, &path));
        }
        assert!(!apply(&mut list, EventType::NODE_CREATED, "/ns"));
        assert!(names(&list).is_empty());
        assert_eq!(list.foreign(), 0);
    }

    #[test]
    fn foreign_children_are_counted_once_each() {
        let mut list = Names::default();
        list.replace(&["leader", A, "serverUri=h:1;version=1"].iter().collect());
        assert_eq!(list.foreign(), 2);
        assert!(!apply(&mut list, EventType::NODE_CREATED, "/ns/leader"));
        assert!(apply(&mut list, EventType::NODE_CREATED, "/ns/lock"));
        assert!(!apply(&mut list, EventType::NODE_CREATED, "/ns/lock/x"));
        assert_eq!(list.foreign(), 3);
        assert!(apply(&mut list, EventType::NODE_DELETED, "/ns/leader"));
        assert!(!apply(&mut list, EventType::NODE_DELETED, "/ns/leader"));
        assert_eq!((list.foreign(), names(&list).len()), (2, 1));
    }

    #[test]
    fn an_instance_that_stays_keeps_its_slot() {
        let mut list = Names::default();
        list.replace(&[A, B].iter().collect());
        let before = list.slots();
        list.replace(&[B].iter().collect());
        apply(&mut list, EventType::NODE_CREATED, &format!("/ns/{A}"));
        let after = list.slots();
        assert!(Arc::ptr_eq(&before[1], &after[1]));
        assert!(
            !Arc::ptr_eq(&before[0], &after[0]),
            "it has left and come back"
        );
    }

    #[test]
    fn data_is_to_be_read_when_it_may_be_another() {
        let unread = |list: &mut Names| list.take_unread(9).len();
        let mut list = Names::default();
        list.replace(&[A, B].iter().collect());
        assert_eq!((list.take_unread(1).len(), unread(&mut list)), (1, 1));
        assert!(apply(
            &mut list,
            EventType::NODE_DATA_CHANGED,
            &format!("/ns/{A}")
        ));
        assert_eq!((unread(&mut list), unread(&mut list)), (1, 0));
        apply(&mut list, EventType::NODE_DATA_CHANGED, &format!("/ns/{A}"));
        apply(&mut list, EventType::NODE_DELETED, &format!("/ns/{A}"));
        assert!(!apply(
            &mut list,
            EventType::NODE_DATA_CHANGED,
            &format!("/ns/{A}")
        ));
        assert_eq!(unread(&mut list), 0);
        list.replace(&[B].iter().collect());
        assert_eq!(unread(&mut list), 1, "it may have changed unseen");
    }

    #[test]
    fn a_deleted_namespace_is_empty() {
        let mut list = Names::default();
        list.replace(&[A, "leader"].iter().collect());
        assert!(apply(&mut list, EventType::NODE_DELETED, "/ns"));
        assert!(names(&list).is_empty());
        assert_eq!(list.foreign(), 0);
    }
}
