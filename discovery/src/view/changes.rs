//! What has changed in the list, for those that have something to do about it.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{Snapshot, View};
use crate::instance::InstanceName;

/// The changes of a view, from the beginning: the first tells every instance that is there. A slow reader misses none;
/// changes that it has not read yet become one.
///
/// It keeps the view open.
#[derive(Debug)]
pub struct Changes {
    view: View,
    seen: Arc<Snapshot>,
}

/// What is different from the change before.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Change {
    /// Instances that are on the list now and were not.
    pub joined: Vec<Arc<InstanceName>>,
    /// Instances that were on the list and are not any more.
    pub left: Vec<Arc<InstanceName>>,
    /// The list now. Nobody has joined or left where only its being live, an instance's data or the foreign children
    /// have changed.
    pub snapshot: Arc<Snapshot>,
}

impl Changes {
    pub(super) fn new(mut view: View) -> Self {
        view.wakes.mark_changed();
        let seen = Arc::default();
        Self { view, seen }
    }

    /// Waits for the next change.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn next(&mut self) -> Change {
        if self.view.wakes.changed().await.is_err() {
            // Nobody feeds it any more: the runtime is about to end.
            std::future::pending::<()>().await;
        }
        let snapshot = self.view.snapshot();
        let before = std::mem::replace(&mut self.seen, Arc::clone(&snapshot));
        let (joined, left) = differences(&before, &snapshot);
        Change {
            joined,
            left,
            snapshot,
        }
    }
}

type Names = Vec<Arc<InstanceName>>;

/// Who has joined and who has left. An instance that left and came back under its old name has done both.
fn differences(before: &Snapshot, after: &Snapshot) -> (Names, Names) {
    let (mut joined, mut left) = (Vec::new(), Vec::new());
    let (mut old, mut new) = (
        before.slots.iter().peekable(),
        after.slots.iter().peekable(),
    );
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some(old), Some(new)) if Arc::ptr_eq(old, new) => Ordering::Equal,
            (Some(old), Some(new)) if old.member().name <= new.member().name => Ordering::Less,
            (_, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (None, None) => return (joined, left),
        };
        if order.is_le() {
            let gone = old.next().filter(|_| order.is_lt());
            left.extend(gone.map(|slot| Arc::clone(&slot.member().name)));
        }
        if order.is_ge() {
            let come = new.next().filter(|_| order.is_gt());
            joined.extend(come.map(|slot| Arc::clone(&slot.member().name)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::member::Slot;

    #[test]
    fn who_joined_and_who_left() {
        let slot = |host: &str| {
            let name = format!("serverUri={host}:1;version=1;sequence=0000000001");
            Arc::new(Slot::new(Arc::new(name.parse().unwrap())))
        };
        let [a, b, c, d, d_again] = ["a", "b", "c", "d", "d"].map(slot);
        let list = |slots: &[&Arc<Slot>]| Snapshot {
            slots: slots.iter().map(|slot| Arc::clone(slot)).collect(),
            ..Snapshot::default()
        };
        let hosts =
            |names: Names| -> String { names.iter().map(|name| name.endpoint().host()).collect() };
        for (before, after, joined, left) in [
            (list(&[]), list(&[]), "", ""),
            (list(&[]), list(&[&a, &b]), "ab", ""),
            (list(&[&a, &b]), list(&[]), "", "ab"),
            (list(&[&a, &c]), list(&[&a, &b, &c, &d]), "bd", ""),
            (list(&[&a, &b, &c]), list(&[&b, &d]), "d", "ac"),
            (list(&[&c, &d]), list(&[&a, &c, &d_again]), "ad", "d"),
        ] {
            let (came, went) = differences(&before, &after);
            assert_eq!((hosts(came).as_str(), hosts(went).as_str()), (joined, left));
        }
    }
}
