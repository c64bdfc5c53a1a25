//! One connection of the binary transport.
//!
//! ```text
//!   first byte ──┬─ SASL ──► PLAIN ──► frames: length, message ──┐
//!                ├─ Thrift ──► messages back to back ────────────┴──► call, answer, call, answer, …
//!                ├─ TLS, HTTP ──► an answer that they understand, end
//!                └─ anything else ──► a SASL error, end
//! ```
//!
//! Every wait has an end: the login its deadline, a message begun and an answer that the client does not read
//! [`STALL_MAX`], the time between messages the idle session timeout, a client that is not there any more the TCP
//! keepalive. What a length field claims is never allocated: buffers grow with what has come.

use bytes::{Buf, Bytes, BytesMut};
use hs2_proto::sasl::{
    FirstByte, FrameTooLarge, NEGOTIATION_BYTES_MAX, Negotiation, Plain, SaslError, SaslStatus,
    take_frame, write_negotiation,
};
use hs2_proto::tcli::{CallError, decode_call, write_exception};
use hs2_proto::thrift::{ApplicationException, DecodeError, ExceptionKind, MessageScanner};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::service::{Client, Service};

/// The longest pause within a message that comes, or in an answer that goes.
const STALL_MAX: Duration = Duration::from_secs(120);
/// Bytes that may wait behind a call that is being answered. Clients send none; they are read only to see whether the
/// client is still there.
const READ_AHEAD_MAX: usize = 64 << 10;
/// How much room each read gets, at least.
const READ_BYTES_MIN: usize = 8 << 10;
/// A client that has closed its side gets so long for the answer under way; then it counts as gone.
const HALF_CLOSED_PATIENCE: Duration = Duration::from_millis(250);
/// How long a refused client gets to read why.
const LINGER: Duration = Duration::from_secs(1);
/// The deadline of a login that will be refused.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(3);

/// Why a connection was closed from this side.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("no login within {:.1} s", .0.as_secs_f64())]
    LoginTimeout(Duration),
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

/// Serves a connection to its end. With a `refusal` it is told that, in the words of its own protocol, and closed.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    service: &Service,
    refusal: Option<String>,
) -> Result<(), End> {
    let mut connection = Connection {
        stream,
        input: BytesMut::new(),
        framing: Framing::Raw(MessageScanner::new(service.config.message_bytes_max)),
        message_bytes_max: service.config.message_bytes_max,
        first: None,
    };
    let patience = match refusal {
        Some(_) => REFUSAL_PATIENCE.min(service.config.login_timeout),
        None => service.config.login_timeout,
    };
    let login = timeout(patience, connection.log_in(refusal.as_deref())).await;
    let Some(login) = login.map_err(|_| End::LoginTimeout(patience))?? else {
        return Ok(());
    };
    if let Some(text) = refusal {
        return timeout(patience, connection.refuse_call(text))
            .await
            .map_err(|_| End::LoginTimeout(patience))?;
    }
    let identity = match login {
        Login::Plain(user) => Some(user),
        Login::None => None,
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
    Plain(String),
    /// Nobody was asked.
    None,
}

enum Framing {
    Sasl,
    Raw(MessageScanner),
}

struct Connection {
    stream: TcpStream,
    input: BytesMut,
    framing: Framing,
    message_bytes_max: usize,
    /// The first call of a client that does not log in, read within the deadline of a login.
    first: Option<Bytes>,
}

impl Connection {
    /// Finds out what the client speaks and who it is; `None` when it went away without a byte.
    async fn log_in(&mut self, refusal: Option<&str>) -> Result<Option<Login>, End> {
        if self.read().await? == 0 {
            return Ok(None);
        }
        let Some(&byte) = self.input.first() else {
            return Ok(None);
        };
        match FirstByte::of(byte) {
            FirstByte::Thrift => {
                // Its first whole call stands for the login: half a call may not hold a place for longer.
                self.first = self.next_message(Duration::ZERO).await?;
                Ok(self.first.is_some().then_some(Login::None))
            }
            FirstByte::Sasl => {
                self.framing = Framing::Sasl;
                match self.negotiate(refusal).await {
                    Ok(user) => Ok(Some(Login::Plain(user))),
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
            FirstByte::Tls => {
                // An alert that TLS clients print: fatal, handshake_failure.
                self.last_words(&[0x15, 3, 1, 0, 2, 2, 40]).await;
                Err(End::OtherProtocol("TLS"))
            }
            FirstByte::Http => {
                let text = "This is a HiveServer2 port for the binary transport. Connect without transportMode=http.\n";
                let answer = format!(
                    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
                    text.len()
                );
                self.last_words(answer.as_bytes()).await;
                Err(End::OtherProtocol("HTTP"))
            }
            _ => {
                let error = SaslError::InvalidStatus { byte };
                self.say_no(SaslStatus::Error, &error.to_string()).await;
                Err(error.into())
            }
        }
    }

    /// SASL PLAIN. Any password will do; the user is who the client says.
    async fn negotiate(&mut self, refusal: Option<&str>) -> Result<String, End> {
        let start = self.negotiation().await?;
        let mechanism = String::from_utf8_lossy(&start.payload);
        if start.status != SaslStatus::Start || mechanism != Plain::MECHANISM {
            return Err(End::Login(format!(
                "Unsupported mechanism type {}",
                mechanism.escape_debug()
            )));
        }
        let response = self.negotiation().await?;
        // Java marks its only response COMPLETE, Python OK.
        if !matches!(response.status, SaslStatus::Ok | SaslStatus::Complete) {
            return Err(End::Login("the client gave up the login".to_owned()));
        }
        let plain = Plain::parse(&response.payload)?;
        if plain.user.is_empty() || !(plain.authzid.is_empty() || plain.authzid == plain.user) {
            return Err(SaslError::MalformedPlain.into());
        }
        if let Some(text) = refusal {
            return Err(End::Refused(text.to_owned()));
        }
        let mut out = Vec::new();
        write_negotiation(&mut out, SaslStatus::Complete, &[]);
        self.send(out.as_slice()).await?;
        Ok(plain.user)
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
        self.last_words(&out).await;
        Err(End::Refused(text))
    }

    async fn answer_calls(&mut self, served: &mut Served<'_>) -> Result<(), End> {
        let idle = served.service.config.idle_session_timeout;
        while let Some(message) = self.next_message(idle).await? {
            let Some(answer) = self.answer(served, &message).await? else {
                return Ok(());
            };
            drop(message);
            let length = u32::try_from(answer.len())
                .unwrap_or(u32::MAX)
                .to_be_bytes();
            let header: &[u8] = if matches!(self.framing, Framing::Sasl) {
                &length
            } else {
                &[]
            };
            self.send(Buf::chain(header, answer.as_slice())).await?;
        }
        Ok(())
    }

    /// The answer to a call, or `None` when the client has gone before there was one.
    async fn answer(
        &mut self,
        served: &Served<'_>,
        message: &Bytes,
    ) -> Result<Option<Vec<u8>>, End> {
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
        }
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
        Ok(())
    }

    async fn say_no(&mut self, status: SaslStatus, text: &str) {
        let mut out = Vec::new();
        write_negotiation(&mut out, status, text.as_bytes());
        self.last_words(&out).await;
    }

    /// Sends an answer before the end, and lets the client read it: a connection closed over unread input is reset,
    /// and takes the answer with it.
    async fn last_words(&mut self, words: &[u8]) {
        let spoken = async {
            self.stream.write_all(words).await?;
            self.stream.shutdown().await?;
            let mut read = 0;
            while read < READ_AHEAD_MAX {
                self.input.clear();
                match self.read().await? {
                    0 => break,
                    n => read += n,
                }
            }
            Ok::<(), io::Error>(())
        };
        // The connection ends in any case.
        let _ = timeout(LINGER, spoken).await;
    }
}
