//! Random numbers for many threads at once.

use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;

/// The generator of each thread, or one with a seed, which draws the same numbers each time.
#[derive(Debug, Default)]
pub(super) struct Dice {
    seeded: Option<AtomicU64>,
}

impl Dice {
    pub(super) fn with_seed(seed: u64) -> Self {
        Self {
            seeded: Some(AtomicU64::new(seed)),
        }
    }

    /// A number below `end`, each as likely; 0 where `end` is 0.
    pub(super) fn below(&self, end: usize) -> usize {
        // The high half of the product: as good as even for any list that fits into memory.
        let product = u128::from(self.next()) * end as u128;
        (product >> 64) as usize
    }

    pub(super) fn below_u64(&self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    fn next(&self) -> u64 {
        match &self.seeded {
            None => fastrand::u64(..),
            // The generator's state is a counter, which is scrambled for each number: threads share the counter.
            Some(counter) => {
                let state = counter.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
                Rng::with_seed(state).u64(..)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_the_numbers() {
        let numbers = |seed| {
            let dice = Dice::with_seed(seed);
            (0..9).map(|_| dice.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(1), numbers(1));
        assert_ne!(numbers(1), numbers(2));
    }

    #[test]
    fn numbers_stay_below_the_end() {
        for dice in [Dice::default(), Dice::with_seed(7)] {
            for end in [0, 1, 3] {
                assert!((0..100).all(|_| dice.below(end) < end.max(1)));
            }
        }
    }
}
