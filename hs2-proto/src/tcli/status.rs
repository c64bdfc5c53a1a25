//! The status of a call: how a server says that it could not do what was asked.

use crate::thrift::{open_enum, record};

open_enum! {
    /// Whether a call succeeded.
    pub struct StatusCode = "TStatusCode" {
        SUCCESS = 0 "SUCCESS_STATUS",
        /// Some clients take it as a failure: do not send it.
        SUCCESS_WITH_INFO = 1 "SUCCESS_WITH_INFO_STATUS",
        STILL_EXECUTING = 2 "STILL_EXECUTING_STATUS",
        ERROR = 3 "ERROR_STATUS",
        /// Never sent by real servers, which say `ERROR` for a bad handle too.
        INVALID_HANDLE = 4 "INVALID_HANDLE_STATUS",
    }
}

record! {
    /// The first field of nearly every answer.
    #[derive(Eq)]
    pub struct Status = "TStatus" {
        /// Success or not.
        1: required status_code: StatusCode = "statusCode",
        /// A flattened Java stack (entries begin with `*`), or plain sentences.
        2: optional info_messages: Vec<String> = "infoMessages",
        /// SQLSTATE, five characters.
        3: optional sql_state: String = "sqlState",
        /// The server's own number for the error.
        4: optional error_code: i32 = "errorCode",
        /// What happened. Spark sends its whole stack trace.
        5: optional error_message: String = "errorMessage",
    }
}

impl Status {
    /// Plain success.
    pub const SUCCESS: Self = Self {
        status_code: StatusCode::SUCCESS,
        info_messages: None,
        sql_state: None,
        error_code: None,
        error_message: None,
    };

    /// A failure with its SQLSTATE and message.
    #[must_use]
    pub fn error(
        sql_state: impl Into<String>,
        error_code: i32,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status_code: StatusCode::ERROR,
            info_messages: None,
            sql_state: Some(sql_state.into()),
            error_code: Some(error_code),
            error_message: Some(message.into()),
        }
    }

    /// True when the call did what it was asked to, or is doing it.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(
            self.status_code,
            StatusCode::SUCCESS | StatusCode::SUCCESS_WITH_INFO | StatusCode::STILL_EXECUTING
        )
    }
}

record! {
    /// The answer of calls that give nothing back: CloseSession, CancelOperation, CloseOperation,
    /// CancelDelegationToken, RenewDelegationToken, SetClientInfo. Each has a struct of its own there, all alike.
    #[derive(Eq)]
    pub struct StatusResp = "TCloseOperationResp" {
        /// Whether it worked.
        1: required status: Status = "status",
    }
}
