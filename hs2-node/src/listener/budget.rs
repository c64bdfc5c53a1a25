//! The memory that messages on their way in may take, all connections of a node together.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a connection may hold of a message without asking: calls are small, only a few are not.
const FREE_BYTES: usize = 64 << 10;
/// What is taken out of the budget at a time.
const STEP_BYTES: usize = 64 << 10;

/// The budget that all connections share.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    steps: Arc<Semaphore>,
    bytes: usize,
}

/// What one message has taken of it; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Budget,
    permit: Option<OwnedSemaphorePermit>,
}

/// There is nothing left.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the large messages that this node is reading already take {bytes} bytes, which is its limit (hs2.node.message.memory): try again, or another node"
)]
pub(super) struct BudgetSpent {
    bytes: usize,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        let steps = bytes.div_ceil(STEP_BYTES).min(Semaphore::MAX_PERMITS);
        Self {
            steps: Arc::new(Semaphore::new(steps)),
            bytes,
        }
    }

    pub(super) fn share(&self) -> Share {
        Share {
            budget: self.clone(),
            permit: None,
        }
    }
}

impl Share {
    /// Makes sure that the share covers a buffer of this size.
    pub(super) fn cover(&mut self, bytes: usize) -> Result<(), BudgetSpent> {
        let wanted = bytes.saturating_sub(FREE_BYTES).div_ceil(STEP_BYTES);
        let held = self
            .permit
            .as_ref()
            .map_or(0, |permit| permit.num_permits());
        let Some(more) = wanted.checked_sub(held).filter(|more| *more > 0) else {
            return Ok(());
        };
        let spent = BudgetSpent {
            bytes: self.budget.bytes,
        };
        let more = u32::try_from(more).map_err(|_| spent.clone())?;
        let permit = Arc::clone(&self.budget.steps)
            .try_acquire_many_owned(more)
            .map_err(|_| spent)?;
        match &mut self.permit {
            Some(held) => held.merge(permit),
            none => *none = Some(permit),
        }
        Ok(())
    }

    /// Gives everything back: the message is gone.
    pub(super) fn release(&mut self) {
        self.permit = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_messages_cost_nothing_and_large_ones_share_what_there_is() {
        let budget = Budget::new(4 * STEP_BYTES);
        let (mut one, mut other) = (budget.share(), budget.share());
        assert_eq!(one.cover(FREE_BYTES), Ok(()));
        assert_eq!(budget.steps.available_permits(), 4);
        assert_eq!(one.cover(FREE_BYTES + 1), Ok(()));
        assert_eq!(one.cover(FREE_BYTES + 3 * STEP_BYTES), Ok(()));
        assert_eq!(budget.steps.available_permits(), 1);
        let refused = other.cover(FREE_BYTES + 2 * STEP_BYTES).unwrap_err();
        assert!(refused.to_string().contains("262144 bytes"), "{refused}");
        assert_eq!(other.cover(FREE_BYTES + STEP_BYTES), Ok(()));
        one.release();
        assert_eq!(other.cover(FREE_BYTES + 4 * STEP_BYTES), Ok(()));
        drop(other);
        assert_eq!(budget.steps.available_permits(), 4);
    }
}
