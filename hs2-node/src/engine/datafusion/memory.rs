//! Who may take how much of the memory for sorting, joining and grouping.
//!
//! All queries share one amount. One query alone may not take all of it, so that the query which needs more than there
//! is fails alone; and each is sure of a little, so that a small query goes on beside large ones.

use std::fmt::{self, Display, Formatter};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, TrackConsumersPool,
};

/// How many consumers an out-of-memory error names.
const CONSUMERS_NAMED: NonZeroUsize = NonZeroUsize::new(3).expect("three");
/// One query leaves this part of the whole to the others.
const LEFT_BY_ONE: usize = 4;
/// Each query is sure of this part of the whole.
const SURE_PART: usize = 64;

/// The memory of all queries.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: usize,
    taken: AtomicUsize,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            taken: AtomicUsize::new(0),
        })
    }

    /// The pool of one more query. Operators that can spill share it fairly.
    pub(crate) fn query(self: &Arc<Self>) -> Arc<dyn MemoryPool> {
        let limit = self.limit - self.limit / LEFT_BY_ONE;
        Arc::new(QueryMemory {
            all: Arc::clone(self),
            own: TrackConsumersPool::new(FairSpillPool::new(limit), CONSUMERS_NAMED),
        })
    }

    /// Takes so much for a query that will have `own`; says whether it may.
    fn take(&self, bytes: usize, own: usize) -> bool {
        let sure = own <= self.limit / SURE_PART;
        let sum = |taken: usize| {
            let sum = taken.saturating_add(bytes);
            (sure || sum <= self.limit).then_some(sum)
        };
        let taken = self
            .taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, sum);
        taken.is_ok()
    }
}

/// The memory of one query.
#[derive(Debug)]
struct QueryMemory {
    all: Arc<Memory>,
    own: TrackConsumersPool<FairSpillPool>,
}

impl Drop for QueryMemory {
    fn drop(&mut self) {
        // Every reservation is gone by now; what is left would be a mistake of an operator's.
        self.all
            .taken
            .fetch_sub(self.own.reserved(), Ordering::AcqRel);
    }
}

impl Display for QueryMemory {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "a query's part of {} bytes", self.all.limit)
    }
}

impl MemoryPool for QueryMemory {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.own.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.own.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.own.grow(reservation, additional);
        self.all.taken.fetch_add(additional, Ordering::AcqRel);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.own.shrink(reservation, shrink);
        self.all.taken.fetch_sub(shrink, Ordering::AcqRel);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.own.try_grow(reservation, additional)?;
        if self.all.take(additional, self.own.reserved()) {
            return Ok(());
        }
        self.own.shrink(reservation, additional);
        Err(DataFusionError::ResourcesExhausted(format!(
            "Failed to allocate {additional} bytes more: all queries together have {} of {} bytes, this one has {}",
            self.all.taken.load(Ordering::Acquire),
            self.all.limit,
            self.own.reserved()
        )))
    }

    fn reserved(&self) -> usize {
        self.own.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.own.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn reserve(pool: &Arc<dyn MemoryPool>) -> MemoryReservation {
        MemoryConsumer::new("test").register(pool)
    }

    #[test]
    fn one_query_cannot_take_all_and_each_is_sure_of_a_little() {
        let memory = Memory::new(256 * MIB);
        let (greedy, second, small) = (memory.query(), memory.query(), memory.query());
        let most = reserve(&greedy);
        most.try_grow(192 * MIB).unwrap();
        most.try_grow(1).expect_err("three quarters are the most");
        let rest = reserve(&second);
        rest.try_grow(64 * MIB).unwrap();
        let error = rest.try_grow(MIB).unwrap_err();
        assert!(
            error.to_string().contains("all queries together"),
            "{error}"
        );
        let sure = reserve(&small);
        sure.try_grow(4 * MIB).expect("a little is always there");
        sure.try_grow(1).expect_err("and no more");
        drop(most);
        sure.try_grow(100 * MIB).expect("what was given back");
        drop((rest, sure, greedy, second, small));
        assert_eq!(memory.taken.load(Ordering::Relaxed), 0);
    }
}
