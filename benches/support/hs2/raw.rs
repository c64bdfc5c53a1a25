//! A blocking client that reads answers and does not look at them.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use bytes::{Bytes, BytesMut};
use hs2_proto::rowset::RowSetError;
use hs2_proto::sasl::{
    NEGOTIATION_BYTES_MAX, Negotiation, Plain, SaslStatus, write_frame, write_negotiation,
};
use hs2_proto::tcli::{
    Call, ExecuteStatementReq, FetchOrientation, FetchResultsReq, OpenSessionReq, OperationHandle,
    ProtocolVersion, SessionHandle, Status, decode_reply, write_call, write_fetch_reply,
};

/// Bytes read at a time.
const PIECE: usize = 1 << 20;

/// A connection with a session.
#[derive(Debug)]
pub struct RawSession {
    stream: TcpStream,
    session: SessionHandle,
    piece: Vec<u8>,
    /// Where the byte of `hasMoreRows` stands in an answer to FetchResults.
    more_at: usize,
}

impl RawSession {
    /// Connects, logs in by SASL PLAIN, opens a session.
    ///
    /// # Errors
    /// Anything that goes wrong on the socket, and a server that says no.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        log_in(&mut stream)?;
        let request = OpenSessionReq {
            client_protocol: ProtocolVersion::LATEST,
            username: None,
            password: None,
            configuration: None,
        };
        let answer = call(&mut stream, &request)?;
        let session = answer
            .session_handle
            .ok_or_else(|| refused(&answer.status))?;
        Ok(Self {
            stream,
            session,
            piece: vec![0; PIECE],
            more_at: more_at(),
        })
    }

    /// Runs a statement; returns when its first rows are there.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn execute(&mut self, statement: &str) -> io::Result<OperationHandle> {
        let request = ExecuteStatementReq {
            session_handle: self.session,
            statement: statement.to_owned(),
            conf_overlay: None,
            run_async: None,
            query_timeout: None,
        };
        let answer = call(&mut self.stream, &request)?;
        answer
            .operation_handle
            .ok_or_else(|| refused(&answer.status))
    }

    /// Fetches a result from its first row to its last and forgets it; returns its bytes and how many answers they came
    /// in. As many as `asked` requests are on their way at a time: with one the server waits for each, as it does for
    /// JDBC; with two it has the next one already, as from a client that fetches ahead of its reader.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn drain(
        &mut self,
        operation: OperationHandle,
        rows_max: i64,
        asked: u64,
    ) -> io::Result<(u64, u64)> {
        let mut request = FetchResultsReq {
            operation_handle: operation,
            orientation: FetchOrientation::FIRST,
            max_rows: rows_max,
            fetch_type: Some(FetchResultsReq::ROWS),
        };
        send(&mut self.stream, &request)?;
        request.orientation = FetchOrientation::NEXT;
        let (mut bytes, mut answers, mut sent, mut more) = (0, 0, 1, true);
        while answers < sent {
            while more && sent < answers + asked {
                send(&mut self.stream, &request)?;
                sent += 1;
            }
            let (length, has_more) = self.skip_answer()?;
            (bytes, answers, more) = (bytes + length, answers + 1, more && has_more);
            if more && sent == answers {
                send(&mut self.stream, &request)?;
                sent += 1;
            }
        }
        Ok((bytes, answers))
    }

    fn skip_answer(&mut self) -> io::Result<(u64, bool)> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        let (mut rest, mut more) = (length, false);
        while rest > 0 {
            let room = rest.min(PIECE);
            let count = self.stream.read(&mut self.piece[..room])?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let place = self.more_at.wrapping_sub(length - rest);
            if place < count {
                more = self.piece[place] == 1;
            }
            rest -= count;
        }
        Ok((length as u64, more))
    }
}

/// Reads and forgets until the other side ends; returns the bytes.
///
/// # Errors
/// Anything that goes wrong on the socket.
pub fn read_to_the_end(stream: &mut TcpStream) -> io::Result<u64> {
    let mut piece = vec![0; PIECE];
    let mut bytes = 0;
    loop {
        match stream.read(&mut piece)? {
            0 => return Ok(bytes),
            count => bytes += count as u64,
        }
    }
}

/// The one byte that differs between two answers which say `true` and `false`.
fn more_at() -> usize {
    let none = None::<fn(&mut Vec<u8>) -> Result<(), RowSetError>>;
    let answer = |more| {
        let mut out = Vec::new();
        let _ = write_fetch_reply(&mut out, 1, &Status::SUCCESS, more, none);
        out
    };
    let pairs = answer(true).into_iter().zip(answer(false));
    pairs
        .into_iter()
        .position(|(yes, no)| yes != no)
        .unwrap_or(usize::MAX)
}

fn log_in(stream: &mut TcpStream) -> io::Result<()> {
    let plain = Plain {
        authzid: String::new(),
        user: "bench".to_owned(),
        password: "x".to_owned(),
    };
    let mut out = Vec::new();
    write_negotiation(&mut out, SaslStatus::Start, Plain::MECHANISM.as_bytes());
    write_negotiation(&mut out, SaslStatus::Complete, &plain.to_bytes());
    stream.write_all(&out)?;
    let mut input = BytesMut::new();
    loop {
        let taken = Negotiation::take(&mut input, NEGOTIATION_BYTES_MAX);
        if let Some(answer) = taken.map_err(io::Error::other)? {
            return match answer.status {
                SaslStatus::Complete => Ok(()),
                status => Err(io::Error::other(format!(
                    "the login was answered with {status:?}"
                ))),
            };
        }
        let mut byte = [0; 1];
        stream.read_exact(&mut byte)?;
        input.extend_from_slice(&byte);
    }
}

fn send<C: Call>(stream: &mut TcpStream, request: &C) -> io::Result<()> {
    let mut out = Vec::new();
    write_frame(&mut out, |out| write_call(out, 1, request)).map_err(io::Error::other)?;
    stream.write_all(&out)
}

fn call<C: Call>(stream: &mut TcpStream, request: &C) -> io::Result<C::Reply> {
    send(stream, request)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer)?;
    decode_reply::<C>(&Bytes::from(answer), 1).map_err(io::Error::other)
}

fn refused(status: &Status) -> io::Error {
    let message = status.error_message.as_deref();
    io::Error::other(message.unwrap_or("the server gave no handle").to_owned())
}
