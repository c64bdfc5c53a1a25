//! What a registration does next, and what follows from how that went.

/// Who took an instance off the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeregisteredBy {
    /// The instance itself: it asked, or dropped its registration.
    Us,
    /// Somebody else has deleted its znode. That is an order to drain.
    Other,
}

/// What the registration does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Opens a session.
    Open,
    /// Looks for its own znode, and deletes what its earlier sessions may have left behind.
    Look,
    /// Creates the znode.
    Create,
    /// Reads the znode's stat, leaves a watch there, and waits for it.
    Hold(String),
    /// The znode is gone: asks the same session for any answer.
    Judge(String),
    /// Nothing any more: somebody has given the order.
    Over,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A session is being opened.
    Opened,
    /// The znode of this session is at this path.
    Found(String),
    /// This session has no znode.
    Missing,
    /// Something has happened to the znode.
    Changed,
    /// The znode does not exist any more, or it is somebody else's by now.
    Gone,
    /// The server has answered, so the session lives.
    Answered,
    /// There was no answer, or a refusal. The session may live on.
    Failed,
    /// The session is over.
    Ended,
}

impl Step {
    pub(super) fn next(self, outcome: Outcome) -> Self {
        match (self, outcome) {
            (Self::Over, _) => Self::Over,
            (_, Outcome::Ended) => Self::Open,
            (Self::Open, Outcome::Opened) => Self::Look,
            (Self::Look | Self::Create, Outcome::Found(path)) => Self::Hold(path),
            (Self::Look, Outcome::Missing) => Self::Create,
            // Whether it was created is seen by looking.
            (Self::Create, _) => Self::Look,
            (Self::Hold(path), Outcome::Gone) => Self::Judge(path),
            (Self::Judge(_), Outcome::Answered) => Self::Over,
            // Once more.
            (same, _) => same,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/ns/a";

    fn run(from: Step, outcomes: &[Outcome]) -> Step {
        let outcomes = outcomes.iter().cloned();
        outcomes.fold(from, Step::next)
    }

    fn hold() -> Step {
        Step::Hold(PATH.into())
    }

    fn found() -> Outcome {
        Outcome::Found(PATH.into())
    }

    #[test]
    fn a_znode_is_created_once_and_held() {
        use Outcome::{Changed, Failed, Missing, Opened};
        assert_eq!(run(Step::Open, &[Opened, Missing, found()]), hold());
        assert_eq!(run(hold(), &[Changed, Failed, Changed]), hold());
    }

    #[test]
    fn a_lost_answer_is_resolved_by_looking() {
        use Outcome::{Failed, Missing};
        assert_eq!(run(Step::Create, &[Failed]), Step::Look);
        assert_eq!(run(Step::Create, &[Failed, found()]), hold());
        assert_eq!(run(Step::Create, &[Failed, Missing]), Step::Create);
        assert_eq!(run(Step::Look, &[Failed]), Step::Look);
    }

    #[test]
    fn a_deleted_znode_is_an_order_once_the_session_has_answered() {
        use Outcome::{Answered, Ended, Failed, Gone};
        assert_eq!(run(hold(), &[Gone, Failed, Answered]), Step::Over);
        assert_eq!(run(hold(), &[Gone, Failed, Ended]), Step::Open);
        assert_eq!(run(Step::Over, &[Ended]), Step::Over);
    }

    #[test]
    fn a_lost_session_is_an_accident_everywhere() {
        for step in [Step::Look, Step::Create, hold(), Step::Judge(PATH.into())] {
            assert_eq!(step.next(Outcome::Ended), Step::Open);
        }
    }
}
