//! How much room results may take.
//!
//! Bounds are kept so that the query which fills the room fails, and not the one that comes after: large results stop
//! short of a bound, by a part that small ones still find.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::SpoolError;

/// How much results may take, in bytes of their files. `None` is as much as the disk has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpoolLimits {
    /// All results of the node together.
    pub node_bytes: Option<u64>,
    /// One result.
    pub result_bytes: Option<u64>,
}

/// A result of so many bytes, or of a sixteenth of what there is, is a small one.
const SMALL_BYTES_MAX: u64 = 16 << 20;
/// Large results leave this part of the bound to small ones.
const LEFT_OF_LIMIT: u64 = 8;
/// Large results leave this part of the disk free, but no more than [`LEFT_BYTES_MAX`].
const LEFT_OF_DISK: u64 = 20;
const LEFT_BYTES_MAX: u64 = 1 << 30;

/// The room of a node's results.
#[derive(Debug)]
pub(super) struct Room {
    path: PathBuf,
    limits: SpoolLimits,
    taken: AtomicU64,
}

impl Room {
    pub(super) fn new(path: &Path, limits: SpoolLimits) -> Arc<Self> {
        Arc::new(Self {
            path: path.into(),
            limits,
            taken: AtomicU64::new(0),
        })
    }

    /// The share of a new result, which has taken nothing yet.
    pub(super) fn share(self: &Arc<Self>) -> Arc<Share> {
        Arc::new(Share {
            room: Arc::clone(self),
            taken: Mutex::new(Some(0)),
        })
    }

    /// Takes room for so many bytes more of a result that will have `size`.
    fn take(&self, bytes: u64, size: u64) -> Result<(), SpoolError> {
        let limits = self.limits;
        if let Some(limit) = limits.result_bytes.filter(|limit| size > *limit) {
            return Err(SpoolError::ResultTooLarge { limit });
        }
        self.check_disk(bytes, size)?;
        let limit = limits.node_bytes.map(|limit| {
            let large = size > SMALL_BYTES_MAX.min(limit / 16);
            if large {
                limit - limit / LEFT_OF_LIMIT
            } else {
                limit
            }
        });
        let fits = |taken: u64| {
            let sum = taken.checked_add(bytes)?;
            limit.is_none_or(|limit| sum <= limit).then_some(sum)
        };
        let taken = self
            .taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, fits);
        match (taken, limits.node_bytes) {
            (Err(taken), Some(limit)) => Err(SpoolError::NodeFull { taken, limit }),
            _ => Ok(()),
        }
    }

    /// A large result stops before the disk is full, since with the last byte all would fail that write.
    fn check_disk(&self, bytes: u64, size: u64) -> Result<(), SpoolError> {
        // A file system that does not tell has to say it when it is full.
        let Ok(disk) = rustix::fs::statvfs(&self.path) else {
            return Ok(());
        };
        let total = disk.f_blocks.saturating_mul(disk.f_frsize);
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let left = (total / LEFT_OF_DISK).min(LEFT_BYTES_MAX);
        let large = size > SMALL_BYTES_MAX.min(total / 16);
        if total > 0 && large && free < bytes.saturating_add(left) {
            return Err(SpoolError::DiskFull {
                path: self.path.clone(),
            });
        }
        Ok(())
    }

    fn give_back(&self, bytes: u64) {
        self.taken.fetch_sub(bytes, Ordering::AcqRel);
    }
}

/// What one result has taken. Dropped, it is given back.
#[derive(Debug)]
pub(super) struct Share {
    room: Arc<Room>,
    /// `None` once it was given back.
    taken: Mutex<Option<u64>>,
}

impl Share {
    /// Takes room for so many bytes more.
    pub(super) fn take(&self, bytes: u64) -> Result<(), SpoolError> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let before = taken.ok_or(SpoolError::Abandoned)?;
        let size = before.saturating_add(bytes);
        self.room.take(bytes, size)?;
        *taken = Some(size);
        Ok(())
    }

    /// Gives all of it back, for good.
    pub(super) fn give_back(&self) {
        let taken = self
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.room.give_back(taken.unwrap_or_default());
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn room(node: Option<u64>, result: Option<u64>) -> Arc<Room> {
        let limits = SpoolLimits {
            node_bytes: node,
            result_bytes: result,
        };
        Room::new(&std::env::temp_dir(), limits)
    }

    #[test]
    fn a_large_result_leaves_room_for_small_ones() {
        let room = room(Some(800 * MIB), None);
        let (large, small) = (room.share(), room.share());
        large.take(690 * MIB).unwrap();
        let error = large.take(20 * MIB).unwrap_err();
        assert!(
            matches!(error, SpoolError::NodeFull { taken, limit } if (taken, limit) == (690 * MIB, 800 * MIB)),
            "{error}"
        );
        small.take(15 * MIB).unwrap();
        assert!(small.take(15 * MIB).is_err(), "it is a large one now");
        large
            .take(10 * MIB)
            .expect_err("the small one has taken it");
        drop(large);
        small.take(100 * MIB).expect("what was given back");
    }

    #[test]
    fn one_result_has_a_bound_of_its_own() {
        let room = room(None, Some(2 * MIB));
        let share = room.share();
        share.take(2 * MIB).unwrap();
        let error = share.take(1).unwrap_err();
        assert!(matches!(
            error,
            SpoolError::ResultTooLarge { limit } if limit == 2 * MIB
        ));
        room.share().take(2 * MIB).expect("others have theirs");
    }

    #[test]
    fn what_was_given_back_is_not_taken_again() {
        let room = room(Some(1000), None);
        let share = room.share();
        share.take(8).unwrap();
        share.give_back();
        assert!(matches!(share.take(1), Err(SpoolError::Abandoned)));
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
    }
}
