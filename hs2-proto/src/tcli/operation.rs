//! Operations: their states, GetOperationStatus, CancelOperation, CloseOperation and GetQueryId.

use super::handle::OperationHandle;
use super::status::Status;
use crate::thrift::{open_enum, record};

open_enum! {
    /// Which call made an operation. Primary-key and cross-reference operations say `GET_FUNCTIONS`.
    pub struct OperationType = "TOperationType" {
        EXECUTE_STATEMENT = 0 "EXECUTE_STATEMENT",
        GET_TYPE_INFO = 1 "GET_TYPE_INFO",
        GET_CATALOGS = 2 "GET_CATALOGS",
        GET_SCHEMAS = 3 "GET_SCHEMAS",
        GET_TABLES = 4 "GET_TABLES",
        GET_TABLE_TYPES = 5 "GET_TABLE_TYPES",
        GET_COLUMNS = 6 "GET_COLUMNS",
        GET_FUNCTIONS = 7 "GET_FUNCTIONS",
        UNKNOWN = 8 "UNKNOWN",
    }
}

open_enum! {
    /// How far an operation is.
    pub struct OperationState = "TOperationState" {
        INITIALIZED = 0 "INITIALIZED_STATE",
        RUNNING = 1 "RUNNING_STATE",
        /// Rows can be fetched.
        FINISHED = 2 "FINISHED_STATE",
        CANCELED = 3 "CANCELED_STATE",
        CLOSED = 4 "CLOSED_STATE",
        ERROR = 5 "ERROR_STATE",
        /// Spelled so in the definition.
        UKNOWN = 6 "UKNOWN_STATE",
        PENDING = 7 "PENDING_STATE",
        TIMEDOUT = 8 "TIMEDOUT_STATE",
    }
}

impl OperationState {
    /// True when the state changes by itself no more.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::INITIALIZED | Self::PENDING | Self::RUNNING)
    }
}

record! {
    /// Asks how far an operation is. Servers keep the answer back for a while when it is still running.
    pub struct GetOperationStatusReq = "TGetOperationStatusReq" {
        /// The operation.
        1: required operation_handle: OperationHandle = "operationHandle",
        /// Whether the answer should have a progress (2.3+).
        2: optional get_progress_update: bool = "getProgressUpdate",
    }
}

record! {
    /// How far an operation is. A failed operation is a success of *this* call: its error is in fields 3 to 5.
    pub struct GetOperationStatusResp = "TGetOperationStatusResp" {
        /// Whether the question could be answered.
        1: required status: Status = "status",
        /// The state.
        2: optional operation_state: OperationState = "operationState",
        /// SQLSTATE of the operation's error.
        3: optional sql_state: String = "sqlState",
        /// The server's number of the operation's error.
        4: optional error_code: i32 = "errorCode",
        /// Message of the operation's error.
        5: optional error_message: String = "errorMessage",
        /// The engine's tasks, as JSON.
        6: optional task_status: String = "taskStatus",
        /// Milliseconds since 1970.
        7: optional operation_started: i64 = "operationStarted",
        /// Milliseconds since 1970.
        8: optional operation_completed: i64 = "operationCompleted",
        /// Whether there are rows to fetch, where the handle could not know.
        9: optional has_result_set: bool = "hasResultSet",
        /// What a progress bar shows.
        10: optional progress_update_response: ProgressUpdateResp = "progressUpdateResponse",
        /// Rows inserted, updated or deleted (3.0+).
        11: optional num_modified_rows: i64 = "numModifiedRows",
    }
}

impl GetOperationStatusResp {
    /// The least answer: a state. All clients accept it.
    #[must_use]
    pub fn new(state: OperationState) -> Self {
        Self {
            operation_state: Some(state),
            ..Self::failed(Status::SUCCESS)
        }
    }

    /// The answer when the operation is not known.
    #[must_use]
    pub const fn failed(status: Status) -> Self {
        Self {
            status,
            operation_state: None,
            sql_state: None,
            error_code: None,
            error_message: None,
            task_status: None,
            operation_started: None,
            operation_completed: None,
            has_result_set: None,
            progress_update_response: None,
            num_modified_rows: None,
        }
    }
}

open_enum! {
    /// How far the job behind a progress is.
    pub struct JobExecutionStatus = "TJobExecutionStatus" {
        IN_PROGRESS = 0 "IN_PROGRESS",
        COMPLETE = 1 "COMPLETE",
        /// Beeline's progress bar ignores it.
        NOT_AVAILABLE = 2 "NOT_AVAILABLE",
    }
}

record! {
    /// A table for a progress bar. All six fields are required: a server sends the whole struct or none.
    pub struct ProgressUpdateResp = "TProgressUpdateResp" {
        /// Titles of the columns.
        1: required header_names: Vec<String> = "headerNames",
        /// The rows.
        2: required rows: Vec<Vec<String>> = "rows",
        /// 0 to 1.
        3: required progressed_percentage: f64 = "progressedPercentage",
        /// How far the job is.
        4: required status: JobExecutionStatus = "status",
        /// Text under the table.
        5: required footer_summary: String = "footerSummary",
        /// Milliseconds since 1970.
        6: required start_time: i64 = "startTime",
    }
}

record! {
    /// Stops an operation. Nothing happens to one that has ended.
    pub struct CancelOperationReq = "TCancelOperationReq" {
        /// The operation.
        1: required operation_handle: OperationHandle = "operationHandle",
    }
}

record! {
    /// Stops an operation and frees its result.
    pub struct CloseOperationReq = "TCloseOperationReq" {
        /// The operation.
        1: required operation_handle: OperationHandle = "operationHandle",
    }
}

record! {
    /// Asks for the engine's own name of a query (3.0+).
    pub struct GetQueryIdReq = "TGetQueryIdReq" {
        /// The operation.
        1: required operation_handle: OperationHandle = "operationHandle",
    }
}

record! {
    /// The engine's name of the query. The only answer without a status.
    pub struct GetQueryIdResp = "TGetQueryIdResp" {
        /// Empty when unknown.
        1: required query_id: String = "queryId",
    }
}
