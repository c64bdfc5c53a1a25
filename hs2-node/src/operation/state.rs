//! How far an operation is.

use hs2_proto::tcli::OperationState;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::Failure;

/// The state of an operation, with what belongs to it.
///
/// ```text
///   INITIALIZED ──► PENDING ──► RUNNING ──► FINISHED ─ ─ ─ ┐
///        │             │           │       (first page,    │ while rows are still coming
///        │             │           │        or the end)    │
///        └─────────────┴───────────┴──► ERROR, CANCELED, TIMEDOUT ◄─ ─ ┘
///
///   every state ──► CLOSED
/// ```
///
/// A query is FINISHED as soon as rows can be fetched, since clients wait for that before they fetch; a statement
/// without rows is FINISHED when it is done. A query whose rows are still coming can leave FINISHED, which Hive's
/// cannot: to ERROR when the engine fails, to CANCELED and TIMEDOUT as before. What was fetched until then stands;
/// the next fetch is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) state: OperationState,
    /// True until the engine has given its last row, or was stopped.
    pub(crate) active: bool,
    /// Why the state is ERROR, CANCELED, TIMEDOUT or CLOSED.
    pub(crate) failure: Option<Failure>,
    /// When it began to run, in milliseconds since 1970.
    pub(crate) started_ms: Option<i64>,
    /// When the engine was done or stopped, in milliseconds since 1970.
    pub(crate) completed_ms: Option<i64>,
}

impl Status {
    pub(crate) const fn new() -> Self {
        Self {
            state: OperationState::INITIALIZED,
            active: true,
            failure: None,
            started_ms: None,
            completed_ms: None,
        }
    }

    /// Goes to another state if there is a way; says whether it did. `failure` is the reason for a state that needs
    /// one.
    pub(crate) fn advance(&mut self, to: OperationState, failure: Option<Failure>) -> bool {
        if !self.leads_to(to) {
            return false;
        }
        self.state = to;
        match to {
            OperationState::RUNNING => self.started_ms = Some(now_ms()),
            OperationState::INITIALIZED | OperationState::PENDING | OperationState::FINISHED => {}
            _ => {
                self.failure = failure;
                self.end();
            }
        }
        true
    }

    /// Notes that the engine is done or stopped.
    pub(crate) fn end(&mut self) {
        if std::mem::take(&mut self.active) {
            self.completed_ms = Some(now_ms());
        }
    }

    fn leads_to(&self, to: OperationState) -> bool {
        use OperationState as S;
        match (self.state, to) {
            (from, S::CLOSED) => from != S::CLOSED,
            (S::INITIALIZED, S::PENDING | S::RUNNING)
            | (S::PENDING, S::RUNNING)
            | (S::RUNNING, S::FINISHED) => true,
            (S::INITIALIZED | S::PENDING | S::RUNNING, S::ERROR | S::CANCELED | S::TIMEDOUT) => {
                true
            }
            (S::FINISHED, S::ERROR | S::CANCELED | S::TIMEDOUT) => self.active,
            _ => false,
        }
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use OperationState as S;

    const ALL: [S; 8] = [
        S::INITIALIZED,
        S::PENDING,
        S::RUNNING,
        S::FINISHED,
        S::ERROR,
        S::CANCELED,
        S::TIMEDOUT,
        S::CLOSED,
    ];

    fn ways(from: S, active: bool) -> Vec<S> {
        let status = Status {
            state: from,
            active,
            ..Status::new()
        };
        ALL.into_iter()
            .filter(|to| status.clone().advance(*to, None))
            .collect()
    }

    #[test]
    fn the_ways_are_those_of_the_drawing() {
        let stops = [S::ERROR, S::CANCELED, S::TIMEDOUT, S::CLOSED];
        let with = |more: &[S]| [more, &stops].concat();
        assert_eq!(ways(S::INITIALIZED, true), with(&[S::PENDING, S::RUNNING]));
        assert_eq!(ways(S::PENDING, true), with(&[S::RUNNING]));
        assert_eq!(ways(S::RUNNING, true), with(&[S::FINISHED]));
        assert_eq!(ways(S::FINISHED, true), stops, "rows are still coming");
        assert_eq!(ways(S::FINISHED, false), [S::CLOSED], "the result is whole");
        for end in [S::ERROR, S::CANCELED, S::TIMEDOUT] {
            assert_eq!(ways(end, false), [S::CLOSED]);
        }
        assert_eq!(ways(S::CLOSED, false), []);
    }

    #[test]
    fn the_first_reason_stays_until_the_operation_is_closed() {
        let mut status = Status::new();
        assert!(status.advance(S::RUNNING, None) && status.started_ms.is_some());
        assert!(status.advance(S::CANCELED, Some(Failure::canceled())));
        assert!(!status.advance(S::ERROR, Some(Failure::internal("late"))));
        assert_eq!(
            (status.failure, status.active),
            (Some(Failure::canceled()), false)
        );
        assert!(status.completed_ms.is_some());
    }
}
