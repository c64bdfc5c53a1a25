//! How each strategy chooses among the slots that may be picked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fastrand::Rng;

use super::table::{Prepared, Table, Weights};
use crate::view::member::Slot;

/// Draws before the slots that may be picked are counted: they find one at once while most may.
const DRAWS: usize = 8;

pub(super) fn choose<'a>(
    table: &'a Table,
    turn: &AtomicUsize,
    dice: &mut Rng,
    may: impl Fn(&Slot) -> bool,
) -> Option<&'a Slot> {
    let slots = &table.snapshot.slots;
    match &table.prepared {
        Prepared::Random => random(slots, dice, may),
        Prepared::RoundRobin => in_turn(slots, turn, may),
        Prepared::Weighted(weights) => weighted(slots, weights, dice, may),
        Prepared::LeastSessions => least(slots, dice, may),
        Prepared::Nearest(groups) => groups.iter().find_map(|group| random(group, dice, &may)),
    }
}

fn draw<'a>(slots: &'a [Arc<Slot>], dice: &mut Rng) -> Option<&'a Slot> {
    if slots.is_empty() {
        return None;
    }
    slots.get(dice.usize(..slots.len())).map(|slot| &**slot)
}

fn random<'a>(
    slots: &'a [Arc<Slot>],
    dice: &mut Rng,
    may: impl Fn(&Slot) -> bool,
) -> Option<&'a Slot> {
    for _ in 0..DRAWS {
        let slot = draw(slots, dice)?;
        if may(slot) {
            return Some(slot);
        }
    }
    counted(slots, |_| 1, dice, may)
}

fn in_turn<'a>(
    slots: &'a [Arc<Slot>],
    turn: &AtomicUsize,
    may: impl Fn(&Slot) -> bool,
) -> Option<&'a Slot> {
    for _ in 0..slots.len() {
        // Who is set aside has had its turn: the one behind it gets no more than its own.
        let slot = slots.get(turn.fetch_add(1, Ordering::Relaxed) % slots.len())?;
        if may(slot) {
            return Some(slot);
        }
    }
    None
}

fn weighted<'a>(
    slots: &'a [Arc<Slot>],
    weights: &Weights,
    dice: &mut Rng,
    may: impl Fn(&Slot) -> bool,
) -> Option<&'a Slot> {
    for _ in 0..DRAWS {
        let Some(place) = weights.draw(dice) else {
            break;
        };
        let slot = slots.get(place)?;
        if may(slot) {
            return Some(slot);
        }
    }
    let heavy = counted(slots, |place| weights.get(place), dice, &may);
    heavy.or_else(|| random(slots, dice, may))
}

fn least<'a>(
    slots: &'a [Arc<Slot>],
    dice: &mut Rng,
    may: impl Fn(&Slot) -> bool,
) -> Option<&'a Slot> {
    let one = random(slots, dice, &may)?;
    for _ in 0..DRAWS {
        let other = draw(slots, dice)?;
        if !std::ptr::eq(one, other) && may(other) {
            let is_less = other.sessions() < one.sessions();
            return Some(if is_less { other } else { one });
        }
    }
    Some(one)
}

/// One of those that may be picked, each as likely as its weight says. For lists in which they are few: it looks at all.
#[cold]
fn counted<'a>(
    slots: &'a [Arc<Slot>],
    weight: impl Fn(usize) -> u64,
    dice: &mut Rng,
    may: impl Fn(&Slot) -> bool,
) -> Option<&'a Slot> {
    let those = || {
        let slots = slots.iter().enumerate().filter(|(_, slot)| may(slot));
        slots.map(|(place, slot)| (slot, weight(place)))
    };
    let sum: u64 = those().map(|(_, weight)| weight).sum();
    if sum == 0 {
        return None;
    }
    let mut rest = dice.u64(..sum);
    for (slot, weight) in those() {
        if rest < weight {
            return Some(slot);
        }
        rest -= weight;
    }
    None
}
