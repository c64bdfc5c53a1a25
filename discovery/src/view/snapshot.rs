//! The list at one moment.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::member::Slot;
use crate::instance::InstanceName;

/// The instances of a namespace at one moment.
#[derive(Default)]
pub struct Snapshot {
    /// In the order of their names.
    pub(crate) slots: Vec<Arc<Slot>>,
    pub(super) foreign: usize,
    pub(super) stale_since: Option<Instant>,
    /// Counts the snapshots of a view.
    pub(super) number: u64,
}

impl Snapshot {
    /// The instances, in the order of their names: endpoint, version and sequence number of each.
    pub fn instances(&self) -> impl ExactSizeIterator<Item = &Arc<InstanceName>> {
        self.slots.iter().map(|slot| &slot.member().name)
    }

    /// How many instances there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many children of the namespace are something else: Hive's `leader`, locks, names that are not whole.
    #[must_use]
    pub fn foreign(&self) -> usize {
        self.foreign
    }

    /// Whether the list was being kept up to date. If not, there was no connection: this is the last list that was
    /// read, and instances may have come and gone since.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.stale_since.is_none()
    }

    /// How old the list is: the time since the loss of the connection was noticed, or zero if it was live. A server
    /// that falls silent is noticed within two thirds of the session timeout.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.stale_since
            .map_or(Duration::ZERO, |since| since.elapsed())
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether it tells the same as another.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let slots = self.slots.iter().zip(&other.slots);
        self.slots.len() == other.slots.len()
            && slots.into_iter().all(|(a, b)| Arc::ptr_eq(a, b))
            && (self.foreign, self.stale_since) == (other.foreign, other.stale_since)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.instances().map(|name| name.as_str()).collect();
        f.debug_struct("Snapshot")
            .field("instances", &names)
            .field("foreign", &self.foreign)
            .field("is_live", &self.is_live())
            .finish_non_exhaustive()
    }
}
