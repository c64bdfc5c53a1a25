//! What a client is told when something fails: SQLSTATE, number and one line.
//!
//! | SQLSTATE | when |
//! |---|---|
//! | of the engine | the statement does not compile, or fails while it runs |
//! | `08003` | the session handle names no open session |
//! | `08004` | the node takes no more connections or sessions, or is leaving |
//! | `0A000` | the call, option or orientation is not supported |
//! | `24000` | the operation handle names no operation |
//! | `22023` | a parameter has no meaning |
//! | `53100` | the disk of the result folder is full, or the results take what they may |
//! | `53300` | too many operations |
//! | `53400` | one result takes more than it may |
//! | `54000` | a row is larger than a message may be, or a statement than it may |
//! | `58030` | a result file cannot be read or written, or is damaged |
//! | `HY000` | the node itself failed |
//! | `HY008` | the operation was canceled or closed |
//! | `HY010` | the operation is not in the state that the call needs |
//! | `HYT00` | the time given to the statement is over |

use hs2_proto::rowset::RowSetError;
use hs2_proto::rowset::arrow::EncodeError;
use hs2_proto::tcli::{HandleId, OperationHandle, OperationState, Status};

use crate::engine::EngineError;
use crate::spool::SpoolError;

/// A failed call or operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) sqlstate: &'static str,
    pub(crate) code: i32,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(sqlstate: &'static str, message: impl Into<String>) -> Self {
        Self {
            sqlstate,
            code: 0,
            message: message.into(),
        }
    }

    /// The node's own fault: it is in the log, and the client is told where to look.
    pub(crate) fn internal(what: &str) -> Self {
        Self::new(
            "HY000",
            format!("the node failed: {what}; its log says more"),
        )
    }

    pub(crate) fn no_session(id: HandleId) -> Self {
        Self::new(
            "08003",
            format!("Invalid SessionHandle: SessionHandle [{id}]"),
        )
    }

    pub(crate) fn no_operation(handle: &OperationHandle) -> Self {
        let (id, kind) = (handle.operation_id, handle.operation_type);
        let message = format!(
            "Invalid OperationHandle: OperationHandle [opType={kind}, getHandleIdentifier()={id}]"
        );
        Self::new("24000", message)
    }

    /// Rows are asked of an operation that has none to give; in Hive's words.
    pub(crate) fn not_finished(state: OperationState) -> Self {
        Self::new(
            "HY010",
            format!("Expected state FINISHED, but found {}", state_word(state)),
        )
    }

    pub(crate) fn canceled() -> Self {
        Self::new("HY008", "the operation was canceled")
    }

    pub(crate) fn closed() -> Self {
        Self::new("HY008", "the operation was closed")
    }

    pub(crate) fn timed_out(seconds: u64) -> Self {
        Self::new(
            "HYT00",
            format!(
                "the query took longer than its timeout of {seconds} s: raise hive.query.timeout.seconds or the statement's own"
            ),
        )
    }

    pub(crate) fn status(&self) -> Status {
        Status::error(self.sqlstate, self.code, &self.message)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self {
            sqlstate: error.sqlstate,
            code: error.code,
            message: error.message,
        }
    }
}

impl From<SpoolError> for Failure {
    fn from(error: SpoolError) -> Self {
        let sqlstate = match &error {
            SpoolError::DiskFull { .. } | SpoolError::NodeFull { .. } => "53100",
            SpoolError::ResultTooLarge { .. } => "53400",
            SpoolError::RowTooLarge { .. } => "54000",
            SpoolError::Abandoned => "HY008",
            SpoolError::Columns => "HY000",
            _ => "58030",
        };
        Self::new(sqlstate, error.to_string())
    }
}

impl From<EncodeError> for Failure {
    fn from(error: EncodeError) -> Self {
        let sqlstate = if matches!(error, EncodeError::Unsupported { .. }) {
            "0A000"
        } else {
            "54000"
        };
        Self::new(sqlstate, error.to_string())
    }
}

impl From<RowSetError> for Failure {
    fn from(error: RowSetError) -> Self {
        Self::new(
            "58030",
            format!("the result's page is damaged ({error}): run the statement again"),
        )
    }
}

/// The state as Hive prints it: the name without its ending.
pub(crate) fn state_word(state: OperationState) -> String {
    let name = state.to_string();
    name.strip_suffix("_STATE").unwrap_or(&name).to_owned()
}
