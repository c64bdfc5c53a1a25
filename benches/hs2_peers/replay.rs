//! A server that does nothing: every answer is ready, and the same rows come again and again. What a client reaches on
//! it is the client's own ceiling.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use benches::hs2::{batch, rows_of, schema};
use bytes::{Bytes, BytesMut};
use hs2_proto::rowset::arrow::{encode_batch, table_schema};
use hs2_proto::rowset::{RowSetLayout, write_row_set};
use hs2_proto::sasl::{NEGOTIATION_BYTES_MAX, Negotiation, SaslStatus, write_negotiation};
use hs2_proto::tcli::{
    CloseOperationReq, CloseSessionReq, ExecuteStatementReq, FetchResultsReq,
    GetOperationStatusReq, GetOperationStatusResp, GetResultSetMetadataReq,
    GetResultSetMetadataResp, HandleId, HandleResp, OpenSessionReq, OpenSessionResp,
    OperationHandle, OperationState, OperationType, ProtocolVersion, Request, SessionHandle,
    Status, StatusResp, decode_call, write_fetch_reply, write_reply,
};
use hs2_proto::thrift::StringMap;

/// Where the sequence number stands in an answer to FetchResults, whose header is
/// version (4), length of the name (4), name (12), sequence number (4).
const SEQID_AT: usize = 20;

/// Serves until the process ends; says where on the standard output.
pub(crate) fn serve(rows: i64) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on {}", listener.local_addr()?);
    io::stdout().flush()?;
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(move || {
            // The client's end is the end.
            let _ = Replay::new(stream, rows).and_then(|mut replay| replay.answer_calls());
        });
    }
    Ok(())
}

struct Replay {
    stream: TcpStream,
    rows: i64,
    /// Rows of the statement that are still to come.
    left: i64,
    /// Frames by their rows, lengths included.
    ready: HashMap<i64, Vec<u8>>,
}

impl Replay {
    fn new(mut stream: TcpStream, rows: i64) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let mut input = BytesMut::new();
        let mut messages = 0;
        while messages < 2 {
            let mut byte = [0; 1];
            stream.read_exact(&mut byte)?;
            input.extend_from_slice(&byte);
            let taken = Negotiation::take(&mut input, NEGOTIATION_BYTES_MAX);
            messages += u32::from(taken.map_err(io::Error::other)?.is_some());
        }
        let mut out = Vec::new();
        write_negotiation(&mut out, SaslStatus::Complete, &[]);
        stream.write_all(&out)?;
        Ok(Self {
            stream,
            rows,
            left: 0,
            ready: HashMap::new(),
        })
    }

    fn answer_calls(&mut self) -> io::Result<()> {
        loop {
            let mut length = [0; 4];
            self.stream.read_exact(&mut length)?;
            let mut message = vec![0; u32::from_be_bytes(length) as usize];
            self.stream.read_exact(&mut message)?;
            let call = decode_call(&Bytes::from(message)).map_err(io::Error::other)?;
            if let Request::FetchResults(request) = &call.request {
                self.fetch(call.seqid, request)?;
                continue;
            }
            let mut out = vec![0; 4];
            self.answer(&mut out, call.seqid, call.request)?;
            frame(&mut out);
            self.stream.write_all(&out)?;
        }
    }

    fn answer(&mut self, out: &mut Vec<u8>, seqid: i32, request: Request) -> io::Result<()> {
        let id = HandleId {
            guid: [1; 16],
            secret: [2; 16],
        };
        let done = StatusResp {
            status: Status::SUCCESS,
        };
        match request {
            Request::OpenSession(request) => {
                let version = request.client_protocol.min(ProtocolVersion::LATEST);
                let session = SessionHandle { session_id: id };
                let answer = OpenSessionResp::opened(version, session, StringMap::default());
                write_reply::<OpenSessionReq>(out, seqid, &answer);
            }
            Request::ExecuteStatement(request) => {
                self.left = rows_of(&request.statement, self.rows);
                let handle = OperationHandle {
                    operation_id: id,
                    operation_type: OperationType::EXECUTE_STATEMENT,
                    has_result_set: true,
                    modified_row_count: None,
                };
                write_reply::<ExecuteStatementReq>(out, seqid, &HandleResp::started(handle));
            }
            Request::GetOperationStatus(_) => {
                let answer = GetOperationStatusResp::new(OperationState::FINISHED);
                write_reply::<GetOperationStatusReq>(out, seqid, &answer);
            }
            Request::GetResultSetMetadata(_) => {
                let table =
                    table_schema(&schema(), ProtocolVersion::LATEST).map_err(io::Error::other)?;
                let answer = GetResultSetMetadataResp {
                    status: Status::SUCCESS,
                    schema: Some(table),
                };
                write_reply::<GetResultSetMetadataReq>(out, seqid, &answer);
            }
            Request::CloseOperation(_) => write_reply::<CloseOperationReq>(out, seqid, &done),
            Request::CloseSession(_) => write_reply::<CloseSessionReq>(out, seqid, &done),
            other => {
                return Err(io::Error::other(format!(
                    "{} is not replayed",
                    other.method()
                )));
            }
        }
        Ok(())
    }

    fn fetch(&mut self, seqid: i32, request: &FetchResultsReq) -> io::Result<()> {
        let rows = if request.fetch_type == Some(FetchResultsReq::LOG) {
            0
        } else {
            request.max_rows.min(10_000).min(self.left)
        };
        self.left -= rows;
        let frame = match self.ready.entry(rows) {
            Entry::Occupied(ready) => ready.into_mut(),
            Entry::Vacant(place) => place.insert(fetch_frame(rows).map_err(io::Error::other)?),
        };
        frame[4 + SEQID_AT..][..4].copy_from_slice(&seqid.to_be_bytes());
        self.stream.write_all(frame)?;
        Ok(())
    }
}

fn fetch_frame(rows: i64) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let wire = encode_batch(&batch(0..rows))?;
    let columns = wire.slice(0..wire.rows)?;
    let mut out = vec![0; 4];
    // As real servers: hasMoreRows is false, and the end is an empty answer.
    let row_set =
        |out: &mut Vec<u8>| write_row_set(out, 0, wire.rows, &columns, RowSetLayout::Columnar);
    write_fetch_reply(&mut out, 0, &Status::SUCCESS, false, Some(row_set))?;
    frame(&mut out);
    Ok(out)
}

/// Puts the length of what follows into the first four bytes.
fn frame(out: &mut [u8]) {
    let length = u32::try_from(out.len() - 4).unwrap_or(u32::MAX);
    out[..4].copy_from_slice(&length.to_be_bytes());
}
