//! What a strategy prepares of a list, once for each list: then a pick takes the same time however long the list is.

use std::sync::Arc;

use fastrand::Rng;

use super::Strategy;
use crate::view::{Snapshot, View, member::Slot};

/// A list, prepared.
#[derive(Debug)]
pub(super) struct Table {
    /// Of the list.
    pub(super) number: u64,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) prepared: Prepared,
}

/// A strategy, and what it needs besides the list.
#[derive(Debug)]
pub(super) enum Prepared {
    Random,
    RoundRobin,
    Weighted(Weights),
    LeastSessions,
    /// Those on the same host, those in the same zone, the rest.
    Nearest([Vec<Arc<Slot>>; 3]),
}

impl Table {
    pub(super) fn new(view: &View, strategy: &Strategy) -> Self {
        let snapshot = view.snapshot();
        let slots = &snapshot.slots;
        let prepared = match strategy {
            Strategy::Random => Prepared::Random,
            Strategy::RoundRobin => Prepared::RoundRobin,
            Strategy::LeastSessions => Prepared::LeastSessions,
            Strategy::Weighted => {
                let weights = slots.iter().map(|slot| slot.member().weight());
                Prepared::Weighted(Weights::new(weights.collect()))
            }
            Strategy::Nearest { host, zone } => {
                let mut near = [const { Vec::new() }; 3];
                let [on_host, in_zone, far] = &mut near;
                for slot in slots {
                    let member = slot.member();
                    if host.as_deref().is_some_and(|host| member.is_on_host(host)) {
                        on_host.push(Arc::clone(slot));
                    } else if zone.as_deref().is_some_and(|zone| member.is_in_zone(zone)) {
                        in_zone.push(Arc::clone(slot));
                    } else {
                        far.push(Arc::clone(slot));
                    }
                }
                Prepared::Nearest(near)
            }
        };
        Self {
            number: snapshot.number(),
            snapshot,
            prepared,
        }
    }
}

/// Weights, laid out by Walker's alias method (in Vose's form): columns of equal height, each of one place and, above
/// it, at most one other. All in whole numbers, so that the shares are exact.
#[derive(Debug)]
pub(super) struct Weights {
    weights: Vec<u16>,
    columns: Vec<Column>,
    /// The height of a column: the sum of the weights.
    height: u64,
}

#[derive(Clone, Copy, Debug)]
struct Column {
    /// The column's own place below it, and `other` above.
    border: u64,
    other: usize,
}

impl Weights {
    fn new(weights: Vec<u16>) -> Self {
        let height: u64 = weights.iter().copied().map(u64::from).sum();
        let count = weights.len() as u64;
        // With each weight times their number, the columns together are as high as the weights.
        let mut columns: Vec<Column> = weights
            .iter()
            .enumerate()
            .map(|(place, weight)| Column {
                border: u64::from(*weight) * count,
                other: place,
            })
            .collect();
        let (mut low, mut high): (Vec<usize>, Vec<usize>) = (0..columns.len()).partition(|place| {
            columns
                .get(*place)
                .is_some_and(|column| column.border < height)
        });
        // Each column that is too low is filled from one that is too high.
        while let (Some(&from), Some(place)) = (high.last(), low.pop()) {
            let Some(column) = columns.get_mut(place) else {
                break;
            };
            column.other = from;
            let missing = height - column.border;
            let Some(donor) = columns.get_mut(from) else {
                break;
            };
            donor.border -= missing;
            if donor.border < height {
                high.pop();
                low.push(from);
            }
        }
        Self {
            weights,
            columns,
            height,
        }
    }

    pub(super) fn get(&self, place: usize) -> u64 {
        self.weights.get(place).copied().map_or(0, u64::from)
    }

    /// A place, each as likely as its weight says; `None` when all are 0.
    pub(super) fn draw(&self, dice: &mut Rng) -> Option<usize> {
        if self.height == 0 {
            return None;
        }
        let place = dice.usize(..self.columns.len());
        let column = self.columns.get(place)?;
        let is_own = dice.u64(..self.height) < column.border;
        Some(if is_own { place } else { column.other })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much of all columns each place has.
    fn shares(weights: &[u16]) -> Vec<u64> {
        let table = Weights::new(weights.to_vec());
        let mut shares = vec![0; weights.len()];
        for (place, column) in table.columns.iter().enumerate() {
            assert!(column.border <= table.height, "{weights:?}");
            shares[place] += column.border;
            shares[column.other] += table.height - column.border;
        }
        shares
    }

    #[test]
    fn shares_are_exactly_the_weights() {
        let mut random = Rng::with_seed(1);
        let mut lists: Vec<Vec<u16>> = (0..200)
            .map(|length| (0..length).map(|_| random.u16(..)).collect())
            .collect();
        lists.extend([vec![1; 7], vec![0, 5, 0], vec![u16::MAX, 1], vec![3]]);
        for weights in lists {
            let count = weights.len() as u64;
            let expected: Vec<_> = weights
                .iter()
                .map(|weight| u64::from(*weight) * count)
                .collect();
            assert_eq!(shares(&weights), expected);
        }
    }

    #[test]
    fn no_weight_draws_nothing() {
        let mut dice = Rng::with_seed(1);
        assert_eq!(Weights::new(vec![]).draw(&mut dice), None);
        assert_eq!(Weights::new(vec![0, 0]).draw(&mut dice), None);
        let table = Weights::new(vec![0, 1, 0]);
        assert!((0..1000).all(|_| table.draw(&mut dice) == Some(1)));
    }
}
