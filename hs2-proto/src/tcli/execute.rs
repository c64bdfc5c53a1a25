//! ExecuteStatement, and UploadData and DownloadData of 4.x.

use super::handle::{OperationHandle, SessionHandle};
use super::status::Status;
use crate::thrift::{StringMap, record};
use bytes::Bytes;

record! {
    /// Runs a statement.
    pub struct ExecuteStatementReq = "TExecuteStatementReq" {
        /// The session.
        1: required session_handle: SessionHandle = "sessionHandle",
        /// The statement's text.
        2: required statement: String = "statement",
        /// Settings for this statement only.
        3: optional conf_overlay: StringMap = "confOverlay",
        /// True: answer when the statement has begun. Absent means false.
        4: optional run_async: bool = "runAsync",
        /// Seconds until the state becomes TIMEDOUT; 0 or absent means never (2.1+).
        5: optional query_timeout: i64 = "queryTimeout",
    }
}

record! {
    /// The answer of ExecuteStatement and of all metadata calls, each of which has a struct of its own there, all
    /// alike.
    pub struct HandleResp = "TExecuteStatementResp" {
        /// Whether there is an operation.
        1: required status: Status = "status",
        /// The operation; absent in a failure.
        2: optional operation_handle: OperationHandle = "operationHandle",
    }
}

impl HandleResp {
    /// The answer with an operation.
    #[must_use]
    pub const fn started(operation: OperationHandle) -> Self {
        Self {
            status: Status::SUCCESS,
            operation_handle: Some(operation),
        }
    }

    /// The answer without one.
    #[must_use]
    pub const fn failed(status: Status) -> Self {
        Self {
            status,
            operation_handle: None,
        }
    }
}

record! {
    /// Sends a file's bytes (4.x).
    pub struct UploadDataReq = "TUploadDataReq" {
        /// The session.
        1: required session_handle: SessionHandle = "sessionHandle",
        /// Table to fill.
        2: optional table_name: String = "tableName",
        /// Path to write.
        3: optional path: String = "path",
        /// The bytes.
        4: required values: Bytes = "values",
    }
}

record! {
    /// Asks for a table or a query's result as a file (4.x).
    pub struct DownloadDataReq = "TDownloadDataReq" {
        /// The session.
        1: required session_handle: SessionHandle = "sessionHandle",
        /// Pattern of table names.
        2: optional table_name: String = "tableName",
        /// Query to run.
        3: optional query: String = "query",
        /// Format of the file.
        4: optional format: String = "format",
        /// Options of the format.
        5: optional download_options: StringMap = "downloadOptions",
    }
}

record! {
    /// The answer of UploadData and DownloadData. The handle is required even in a failure.
    pub struct TransferResp = "TUploadDataResp" {
        /// Whether it began.
        1: required status: Status = "status",
        /// The operation.
        2: required operation_handle: OperationHandle = "operationHandle",
    }
}
