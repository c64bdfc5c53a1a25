//! What one event changes in the list.

use std::collections::BTreeSet;
use std::sync::Arc;

use zk_client::{Children, EventType, WatchedEvent, path};

use crate::instance::InstanceName;

/// The instances by name, as the events have left them.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: BTreeSet<Arc<InstanceName>>,
}

impl Names {
    /// Takes over a list. Children that are no instances are left out.
    pub(super) fn replace(&mut self, children: &Children) {
        let names = children.iter().filter_map(|name| name.ok()?.parse().ok());
        self.names = names.map(Arc::new).collect();
    }

    pub(super) fn clear(&mut self) {
        self.names.clear();
    }

    /// Takes in an event of a recursive watch on the namespace. Events are about names, so one that
    /// came before the list was read does no harm when it is applied after.
    pub(super) fn apply(&mut self, namespace: &str, event: &WatchedEvent) {
        if event.path == namespace && event.event_type == EventType::NODE_DELETED {
            self.clear();
        }
        if path::parent(&event.path) != Some(namespace) {
            return;
        }
        let Ok(name) = path::name(&event.path).parse::<InstanceName>() else {
            return;
        };
        match event.event_type {
            EventType::NODE_CREATED => {
                self.names.insert(Arc::new(name));
            }
            EventType::NODE_DELETED => {
                self.names.remove(&name);
            }
            _ => {}
        }
    }

    pub(super) fn to_vec(&self) -> Vec<Arc<InstanceName>> {
        self.names.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "serverUri=a:1;version=1;sequence=0000000001";
    const B: &str = "serverUri=b:1;version=1;sequence=0000000002";

    fn names(names: &Names) -> Vec<String> {
        let names = names.to_vec();
        names.iter().map(|name| name.as_str().to_owned()).collect()
    }

    fn apply(names: &mut Names, event_type: EventType, path: &str) {
        let path = path.to_owned();
        names.apply("/ns", &WatchedEvent { event_type, path });
    }

    #[test]
    fn instances_come_and_go() {
        let mut list = Names::default();
        list.replace(&["leader", A].iter().collect());
        assert_eq!(names(&list), [A]);
        apply(&mut list, EventType::NODE_CREATED, &format!("/ns/{B}"));
        apply(&mut list, EventType::NODE_CREATED, &format!("/ns/{B}"));
        assert_eq!(names(&list), [A, B]);
        apply(&mut list, EventType::NODE_DATA_CHANGED, &format!("/ns/{A}"));
        apply(&mut list, EventType::NODE_DELETED, &format!("/ns/{A}"));
        apply(&mut list, EventType::NODE_DELETED, &format!("/ns/{A}"));
        assert_eq!(names(&list), [B]);
    }

    #[test]
    fn what_is_not_a_child_of_the_namespace_does_not_count() {
        let mut list = Names::default();
        for path in [format!("/ns/x/{A}"), format!("/n/{A}"), format!("/ns2/{A}")] {
            apply(&mut list, EventType::NODE_CREATED, &path);
        }
        apply(&mut list, EventType::NODE_CREATED, "/ns/leader");
        apply(&mut list, EventType::NODE_CREATED, "/ns");
        assert!(names(&list).is_empty());
    }

    #[test]
    fn a_deleted_namespace_is_empty() {
        let mut list = Names::default();
        list.replace(&[A].iter().collect());
        apply(&mut list, EventType::NODE_DELETED, "/ns");
        assert!(names(&list).is_empty());
    }
}
