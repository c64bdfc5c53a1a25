//! GetResultSetMetadata and FetchResults.

use super::handle::OperationHandle;
use super::status::Status;
use super::types::TableSchema;
use crate::rowset::{Output, RowSet, RowSetError};
use crate::thrift::{
    Decode, DecodeError, MessageKind, Reader, Value, WireType, open_enum, record, write_field,
    write_header,
};

record! {
    /// Asks for the columns of a result.
    pub struct GetResultSetMetadataReq = "TGetResultSetMetadataReq" {
        /// The operation.
        1: required operation_handle: OperationHandle = "operationHandle",
    }
}

record! {
    /// The columns of a result.
    pub struct GetResultSetMetadataResp = "TGetResultSetMetadataResp" {
        /// Whether they are known. Some servers put words about the result's format into its messages.
        1: required status: Status = "status",
        /// The columns; absent in a failure.
        2: optional schema: TableSchema = "schema",
    }
}

open_enum! {
    /// From where to fetch.
    pub struct FetchOrientation = "TFetchOrientation" {
        /// The rows after those fetched last.
        NEXT = 0 "FETCH_NEXT",
        PRIOR = 1 "FETCH_PRIOR",
        RELATIVE = 2 "FETCH_RELATIVE",
        ABSOLUTE = 3 "FETCH_ABSOLUTE",
        /// From the first row again.
        FIRST = 4 "FETCH_FIRST",
        LAST = 5 "FETCH_LAST",
    }
}

record! {
    /// Asks for rows, or for lines of the operation's log.
    pub struct FetchResultsReq = "TFetchResultsReq" {
        /// The operation.
        1: required operation_handle: OperationHandle = "operationHandle",
        /// From where.
        2: required orientation: FetchOrientation = "orientation",
        /// Rows at most. A server may give fewer, but none only at the end.
        3: required max_rows: i64 = "maxRows",
        /// [`Self::ROWS`] or [`Self::LOG`]; absent means rows.
        4: optional fetch_type: i16 = "fetchType",
    }
}

impl FetchResultsReq {
    /// Fetch the result's rows.
    pub const ROWS: i16 = 0;
    /// Fetch the log: one column, one line a row.
    pub const LOG: i16 = 1;
}

/// Rows of a result, which share the memory of the frame they came in.
///
/// `TFetchResultsResp` of the service definition. It is written by [`write_fetch_reply`], around a row set that
/// was never made into values.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchResultsResp {
    /// Whether there are rows.
    pub status: Status,
    /// Always false from Hive, Spark and Kyuubi: `Some(false)` alone does not mean the end.
    pub has_more_rows: Option<bool>,
    /// The rows; absent in a failure.
    pub results: Option<RowSet>,
}

const RECORD: &str = "TFetchResultsResp";

impl Value for FetchResultsResp {
    const TYPE: WireType = WireType::STRUCT;
}

impl Decode for FetchResultsResp {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (mut status, mut has_more_rows, mut results) = (None, None, None);
        while let Some((code, id)) = reader.field()? {
            match id {
                1 => status = Some(reader.value(code, RECORD, "status")?),
                2 => has_more_rows = Some(reader.value(code, RECORD, "hasMoreRows")?),
                3 => results = Some(reader.value(code, RECORD, "results")?),
                _ => reader.skip(code)?,
            }
        }
        let status = status.ok_or(DecodeError::MissingField {
            record: RECORD,
            field: "status",
        })?;
        Ok(Self {
            status,
            has_more_rows,
            results,
        })
    }
}

/// Appends a whole FetchResults reply. `row_set` writes the rows in place, with
/// [`write_row_set`](crate::rowset::write_row_set); in a failure there are none.
///
/// # Errors
/// Those of `row_set`; then nothing is appended.
pub fn write_fetch_reply<O: Output>(
    out: &mut O,
    seqid: i32,
    status: &Status,
    has_more_rows: bool,
    row_set: Option<impl FnOnce(&mut O) -> Result<(), RowSetError>>,
) -> Result<(), RowSetError> {
    let start = out.mark();
    let head = out.bytes();
    write_header(head, "FetchResults", MessageKind::REPLY, seqid);
    head.extend_from_slice(&[WireType::STRUCT.0, 0, 0]); // Field 0, `success`.
    write_field(head, 1, status);
    write_field(head, 2, &has_more_rows);
    if let Some(row_set) = row_set {
        head.extend_from_slice(&[WireType::STRUCT.0, 0, 3]);
        if let Err(error) = row_set(out) {
            out.back_to(start);
            return Err(error);
        }
    }
    out.bytes().extend_from_slice(&[WireType::STOP.0; 2]);
    Ok(())
}
