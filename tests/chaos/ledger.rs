use std::collections::{BTreeMap, BTreeSet};

use zk_client::{Error, ErrorCode, Outcome, SessionId};

/// What one slot was told of its requests.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Every attempt to create a znode, by the path that was asked for: of a sequential one, without the number.
    pub(crate) creations: BTreeMap<String, Creation>,
    /// The counters and versions that answered increments led to.
    pub(crate) increments: Vec<(usize, i32)>,
    /// Those that increments without an answer would have led to.
    pub(crate) unknown_increments: BTreeSet<(usize, i32)>,
    /// Sessions that are over.
    pub(crate) ended: BTreeSet<SessionId>,
    pub(crate) tally: Tally,
}

/// An attempt to create one znode, and to delete it later.
#[derive(Debug)]
pub(crate) struct Creation {
    /// The path that was answered.
    pub(crate) path: Option<String>,
    /// The session of an ephemeral znode.
    pub(crate) owner: Option<SessionId>,
    pub(crate) expected: Expected,
}

/// Whether a znode is there in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    There,
    Gone,
    Either,
}

/// How requests went.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    pub(crate) answered: u64,
    pub(crate) lost_unknown: u64,
    pub(crate) lost_not_applied: u64,
    pub(crate) refused: BTreeMap<i32, u64>,
    pub(crate) watches_fired: u64,
    pub(crate) sessions_closed: u64,
    pub(crate) sessions_lost: u64,
}

impl Ledger {
    /// Notes what became of a request, and returns its outcome: `Ok` and refusals are known.
    pub(crate) fn note<T>(&mut self, result: &Result<T, Error>) -> Outcome {
        match result {
            Ok(_) => {
                self.tally.answered += 1;
                Outcome::Applied
            }
            Err(Error::Server { code, .. }) => {
                *self.tally.refused.entry(code.0).or_default() += 1;
                Outcome::NotApplied
            }
            Err(error) => {
                match error.outcome() {
                    Outcome::Unknown => self.tally.lost_unknown += 1,
                    _ => self.tally.lost_not_applied += 1,
                }
                error.outcome()
            }
        }
    }
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.lost_unknown += other.lost_unknown;
        self.lost_not_applied += other.lost_not_applied;
        for (code, count) in &other.refused {
            *self.refused.entry(*code).or_default() += count;
        }
        self.watches_fired += other.watches_fired;
        self.sessions_closed += other.sessions_closed;
        self.sessions_lost += other.sessions_lost;
    }

    /// The refusals by name.
    pub(crate) fn refusals(&self) -> String {
        let named = self.refused.iter();
        let named = named.map(|(code, count)| format!("{count} {}", ErrorCode(*code)));
        named.collect::<Vec<_>>().join(", ")
    }
}
