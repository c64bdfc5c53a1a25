//! One connection of the binary transport.
//!
//! ```text
//!   first byte ──┬─ SASL ──► PLAIN or GSSAPI ──► frames: length, message ──┐
//!                ├─ Thrift ──► messages back to back ──────────────────────┴──► call, answer, call, answer, …
//!                └─ anything else ──► a SASL error, end
//! ```
//!
//! Every wait has an end: the login its deadline, a message begun and an answer that the client does not read
//! [`STALL_MAX`], the time between messages the idle session timeout, a client that is not there any more the TCP
//! keepalive. What a length field claims is never allocated: buffers grow with what has come.

use bytes::{Buf, Bytes, BytesMut};
use hs2_proto::rowset::Pieces;
use hs2_proto::sasl::{
    FirstByte, FrameTooLarge, NEGOTIATION_BYTES_MAX, Negotiation, Plain, SaslError, SaslStatus,
    take_frame, write_negotiation,
};
use hs2_proto::tcli::{CallError, decode_call, write_exception};
use hs2_proto::thrift::{
    ApplicationException, DecodeError, ExceptionKind, MessageHeader, MessageScanner, Reader,
};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::budget::{BudgetSpent, Share};
use super::stream::Stream;
use super::{LINGER, Port, STALL_MAX, TurnedAway};
use crate::auth::{Acceptor, Answer, KerberosError, LoginError};
use crate::service::{Client, Service};

/// Bytes that may wait behind a call that is being answered. Clients send none; they are read only to see whether the
/// client is still there.
const READ_AHEAD_MAX: usize = 64 << 10;
/// How much room each read gets, at least.
const READ_BYTES_MIN: usize = 8 << 10;
/// A client that has closed its side gets so long for the answer under way; then it counts as gone.
const HALF_CLOSED_PATIENCE: Duration = Duration::from_millis(250);
/// Bytes of a message that is too much for the node's memory in which its name is looked for.
const HEADER_BYTES_MAX: usize = 512;

/// Why a connection was closed from this side.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("no login within {:.1} s", .0.as_secs_f64())]
    LoginTimeout(Duration),
    #[error("TLS: {0}")]
    Tls(io::Error),
    #[error("{0}")]
    Http(String),
    #[error("nothing came for {:.1} s", .0.as_secs_f64())]
    Idle(Duration),
    #[error("it stopped in the middle of a message for {:.0} s", STALL_MAX.as_secs_f64())]
    Stalled,
    #[error("it did not read its answer for {:.0} s", STALL_MAX.as_secs_f64())]
    SlowReader,
    #[error("it ended in the middle of a message")]
    Truncated,
    #[error("it begins as {0} does, which this port does not speak")]
    OtherProtocol(&'static str),
    #[error("login refused: {0}")]
    Login(String),
    #[error(transparent)]
    Memory(#[from] BudgetSpent),
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Sasl(#[from] SaslError),
    #[error(transparent)]
    Frame(#[from] FrameTooLarge),
    #[error("its bytes are no message: {0}")]
    Message(#[from] DecodeError),
    #[error("its bytes are no call: {0}")]
    Call(#[from] CallError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Serves a connection to its end. With a `refusal` it is told that, in the words of its own protocol, and closed. Its
/// login, or its first call, must be there by the `deadline`.
pub(super) async fn serve(
    stream: Stream,
    peer: SocketAddr,
    port: &Port,
    refusal: Option<TurnedAway>,
    deadline: Instant,
) -> Result<(), End> {
    let service: &Service = &port.service;
    let mut connection = Connection {
        stream,
        peer,
        port,
        input: BytesMut::new(),
        share: port.budget.share(),
        framing: Framing::Raw(MessageScanner::new(service.config.message_bytes_max)),
        message_bytes_max: service.config.message_bytes_max,
        first: None,
    };
    let patience = deadline.saturating_duration_since(Instant::now());
    let too_late = || End::LoginTimeout(patience);
    let login = timeout_at(
        deadline,
        connection.log_in(refusal.map(TurnedAway::into_text)),
    )
    .await;
    let Some(login) = login.map_err(|_| too_late())?? else {
        return Ok(());
    };
    let identity = match login {
        Login::Sasl(user) => Some(user),
        Login::None => None,
        Login::Refused(text) => {
            let refused = timeout_at(deadline, connection.refuse_call(text)).await;
            return refused.map_err(|_| too_late())?;
        }
    };
    let mut served = Served {
        service,
        client: Client::new(peer, identity),
    };
    connection.answer_calls(&mut served).await
}

/// A connection and what it leaves behind, which is cleaned up however it ends.
struct Served<'a> {
    service: &'a Service,
    client: Client,
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        self.service.disconnected(&self.client);
    }
}

/// Who is at the other end.
enum Login {
    /// A user who has logged in by SASL.
    Sasl(String),
    /// Nobody was asked.
    None,
    /// The first call is answered with these words, and is the last one.
    Refused(String),
}

enum Framing {
    Sasl,
    Raw(MessageScanner),
}

struct Connection<'a> {
    stream: Stream,
    peer: SocketAddr,
    port: &'a Port,
    input: BytesMut,
    /// The node's memory that `input` takes.
    share: Share,
    framing: Framing,
    message_bytes_max: usize,
    /// The first call of a client that does not log in, read within the deadline of a login.
    first: Option<Bytes>,
}

impl Connection<'_> {
    /// Finds out what the client speaks and who it is; `None` when it went away without a byte.
    async fn log_in(&mut self, refusal: Option<String>) -> Result<Option<Login>, End> {
        if self.read().await? == 0 {
            return Ok(None);
        }
        let Some(&byte) = self.input.first() else {
            return Ok(None);
        };
        match FirstByte::of(byte) {
            FirstByte::Thrift => {
                let refusal = refusal.or_else(|| self.port.logins.wanted());
                if let Some(text) = refusal {
                    return Ok(Some(Login::Refused(text)));
                }
                // Its first whole call stands for the login: half a call may not hold a place for longer.
                self.first = self.next_message(Duration::ZERO).await?;
                Ok(self.first.is_some().then_some(Login::None))
            }
            FirstByte::Sasl => {
                self.framing = Framing::Sasl;
                match self.negotiate(refusal).await {
                    Ok(user) => Ok(Some(Login::Sasl(user))),
                    Err(end) => {
                        let (status, text) = match &end {
                            End::Sasl(error @ SaslError::MalformedPlain) => {
                                (SaslStatus::Bad, error.to_string())
                            }
                            End::Sasl(error) => (SaslStatus::Error, error.to_string()),
                            End::Login(text) => (SaslStatus::Bad, text.clone()),
                            // Not the login's fault: another node may take it.
                            End::Refused(text) => (SaslStatus::Error, text.clone()),
                            _ => return Err(end),
                        };
                        self.say_no(status, &text).await;
                        Err(end)
                    }
                }
            }
            _ => {
                let error = SaslError::InvalidStatus { byte };
                self.say_no(SaslStatus::Error, &error.to_string()).await;
                Err(error.into())
            }
        }
    }

    /// SASL, by the one mechanism that the node's logins have.
    async fn negotiate(&mut self, refusal: Option<String>) -> Result<String, End> {
        let start = self.negotiation().await?;
        let mechanism = String::from_utf8_lossy(&start.payload);
        let port = self.port;
        if start.status != SaslStatus::Start || mechanism != port.logins.mechanism() {
            // Java's words.
            let mut text = format!("Unsupported mechanism type {}", mechanism.escape_debug());
            if let Some(wanted) = port.logins.wanted() {
                text = format!("{text}: {wanted}");
            }
            return Err(End::Login(text));
        }
        let response = self.response().await?;
        let user = match port.logins.accept() {
            None => self.plain(&response, refusal).await?,
            Some(acceptor) => {
                if let Some(text) = refusal {
                    return Err(End::Refused(text));
                }
                self.kerberos(acceptor, response).await?
            }
        };
        let mut out = Vec::new();
        write_negotiation(&mut out, SaslStatus::Complete, &[]);
        self.send(out.as_slice()).await?;
        Ok(user)
    }

    async fn plain(&self, response: &[u8], refusal: Option<String>) -> Result<String, End> {
        let plain = Plain::parse(response)?;
        if plain.user.is_empty() || !(plain.authzid.is_empty() || plain.authzid == plain.user) {
            return Err(SaslError::MalformedPlain.into());
        }
        if let Some(text) = refusal {
            return Err(End::Refused(text));
        }
        let checked = self
            .port
            .logins
            .check(&plain.user, &plain.password, self.peer);
        checked.await.map_err(|error| match error {
            LoginError::Refused => End::Login(error.to_string()),
            LoginError::Unavailable(_) => End::Refused(
                "the password cannot be checked now: try again, or another node".to_owned(),
            ),
        })?;
        Ok(plain.user)
    }

    async fn kerberos(&mut self, mut acceptor: Acceptor, mut token: Bytes) -> Result<String, End> {
        loop {
            let step = self.port.logins.step(acceptor, token).await;
            let (waiting, answer) = step.map_err(|error| match error {
                KerberosError::Refused(text) => End::Login(text),
                KerberosError::Busy => End::Refused(error.to_string()),
            })?;
            let challenge = match answer {
                Answer::Known(user) => return Ok(user),
                Answer::Challenge(challenge) => challenge,
            };
            let mut out = Vec::new();
            write_negotiation(&mut out, SaslStatus::Ok, &challenge);
            self.send(out.as_slice()).await?;
            acceptor = waiting;
            token = self.response().await?;
        }
    }

    /// The client's next word in a login.
    async fn response(&mut self) -> Result<Bytes, End> {
        let response = self.negotiation().await?;
        // Java marks its last response COMPLETE, Python OK.
        if !matches!(response.status, SaslStatus::Ok | SaslStatus::Complete) {
            return Err(End::Login("the client gave up the login".to_owned()));
        }
        Ok(response.payload)
    }

    async fn negotiation(&mut self) -> Result<Negotiation, End> {
        loop {
            if let Some(frame) = Negotiation::take(&mut self.input, NEGOTIATION_BYTES_MAX)? {
                return Ok(frame);
            }
            if self.read().await? == 0 {
                return Err(End::Truncated);
            }
        }
    }

    /// Answers the first call with words instead of doing it.
    async fn refuse_call(&mut self, text: String) -> Result<(), End> {
        let Some(message) = self.next_message(Duration::ZERO).await? else {
            return Err(End::Truncated);
        };
        let call = decode_call(&message)?;
        let exception = ApplicationException::new(ExceptionKind::INTERNAL_ERROR, text.as_str());
        let mut out = Vec::new();
        write_exception(&mut out, call.request.method(), call.seqid, &exception);
        self.last_message(&out).await;
        Err(End::Refused(text))
    }

    async fn answer_calls(&mut self, served: &mut Served<'_>) -> Result<(), End> {
        let idle = served.service.config.idle_session_timeout;
        loop {
            let message = match self.next_message(idle).await {
                // Another connection may use the session that would end with this one.
                Err(End::Idle(_)) if served.service.holds_session(&served.client) => continue,
                message => message?,
            };
            let Some(message) = message else {
                return Ok(());
            };
            let Some(answer) = self.answer(served, &message).await? else {
                return Ok(());
            };
            let was_large = message.len() > READ_AHEAD_MAX;
            drop(message);
            if was_large {
                // What came behind it would keep all of its memory.
                self.input = BytesMut::from(self.input.as_ref());
            }
            self.share.release();
            let header = self.header(answer.remaining());
            let header: &[u8] = header.as_slice().as_flattened();
            self.send(Buf::chain(header, answer)).await?;
        }
    }

    /// The answer to a call, or `None` when the client has gone before there was one.
    async fn answer(
        &mut self,
        served: &Served<'_>,
        message: &Bytes,
    ) -> Result<Option<Pieces>, End> {
        let mut call = pin!(served.service.call(&served.client, message));
        loop {
            self.input.reserve(READ_BYTES_MIN);
            tokio::select! {
                biased;
                answer = &mut call => return Ok(Some(answer?)),
                read = self.stream.read_buf(&mut self.input), if self.input.len() < READ_AHEAD_MAX => {
                    if !matches!(read, Ok(n) if n > 0) {
                        return match timeout(HALF_CLOSED_PATIENCE, call).await {
                            Ok(answer) => Ok(Some(answer?)),
                            Err(_) => Ok(None),
                        };
                    }
                }
            }
        }
    }

    /// The next message, or `None` when the client has ended the connection.
    async fn next_message(&mut self, idle: Duration) -> Result<Option<Bytes>, End> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        loop {
            if let Some(message) = self.take_message()? {
                return Ok(Some(message));
            }
            let begun = !self.input.is_empty();
            let patience = if begun { STALL_MAX } else { idle };
            let read = if patience.is_zero() {
                self.read().await
            } else {
                match timeout(patience, self.read()).await {
                    Ok(read) => read,
                    Err(_) if begun => return Err(End::Stalled),
                    Err(_) => return Err(End::Idle(patience)),
                }
            };
            match read {
                Ok(0) if begun => return Err(End::Truncated),
                Ok(0) => return Ok(None),
                // A client that dies is no error of this node's.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                read => drop(read?),
            }
            if let Err(spent) = self.share.cover(self.input.capacity()) {
                self.refuse_message(&spent).await;
                return Err(spent.into());
            }
        }
    }

    /// Answers a message that is not read to its end.
    async fn refuse_message(&mut self, spent: &BudgetSpent) {
        let behind_length = self.header(0).as_slice().as_flattened().len();
        let end = self.input.len().min(HEADER_BYTES_MAX);
        let begun = self.input.get(behind_length..end).unwrap_or_default();
        let Ok(header) = MessageHeader::read(&mut Reader::new(begun)) else {
            return;
        };
        let exception = ApplicationException::new(ExceptionKind::INTERNAL_ERROR, spent.to_string());
        let mut out = Vec::new();
        write_exception(&mut out, &header.method, header.seqid, &exception);
        self.input = BytesMut::new();
        self.share.release();
        self.last_message(&out).await;
    }

    fn take_message(&mut self) -> Result<Option<Bytes>, End> {
        match &mut self.framing {
            Framing::Sasl => Ok(take_frame(&mut self.input, self.message_bytes_max)?),
            Framing::Raw(_) if self.input.is_empty() => Ok(None),
            Framing::Raw(scanner) => {
                let length = scanner.scan(&self.input)?;
                Ok(length.map(|length| self.input.split_to(length).freeze()))
            }
        }
    }

    /// Reads what is there; 0 at the end. The buffer doubles as it fills, whatever any length says.
    async fn read(&mut self) -> io::Result<usize> {
        self.input.reserve(READ_BYTES_MIN);
        self.stream.read_buf(&mut self.input).await
    }

    async fn send(&mut self, mut bytes: impl Buf) -> Result<(), End> {
        while bytes.has_remaining() {
            let written = timeout(STALL_MAX, self.stream.write_buf(&mut bytes)).await;
            if written.map_err(|_| End::SlowReader)?? == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
        }
        let flushed = timeout(STALL_MAX, self.stream.flush()).await;
        Ok(flushed.map_err(|_| End::SlowReader)??)
    }

    async fn say_no(&mut self, status: SaslStatus, text: &str) {
        let mut out = Vec::new();
        write_negotiation(&mut out, status, text.as_bytes());
        self.last_words(&out).await;
    }

    async fn last_message(&mut self, message: &[u8]) {
        let header = self.header(message.len());
        self.last_words(&[header.as_slice().as_flattened(), message].concat())
            .await;
    }

    /// What stands before a message: its length, where there is SASL.
    fn header(&self, length: usize) -> Option<[u8; 4]> {
        matches!(self.framing, Framing::Sasl)
            .then(|| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes())
    }

    async fn last_words(&mut self, words: &[u8]) {
        self.input.clear();
        // The connection ends in any case.
        let _ = timeout(LINGER, last_words(&mut self.stream, words)).await;
    }
}

/// Sends an answer before the end, and lets the client read it: a connection closed over unread input is reset, and
/// takes the answer with it.
pub(super) async fn last_words(stream: &mut Stream, words: &[u8]) -> io::Result<()> {
    stream.write_all(words).await?;
    stream.shutdown().await?;
    let mut unread = BytesMut::new();
    let mut read = 0;
    while read < READ_AHEAD_MAX {
        unread.clear();
        unread.reserve(READ_BYTES_MIN);
        match stream.read_buf(&mut unread).await? {
            0 => break,
            n => read += n,
        }
    }
    Ok(())
}
