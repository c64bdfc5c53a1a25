//! The binary transport: a login by SASL PLAIN or none, and messages with a length before each, or back to back.

use super::{ReadError, Server, Stream};
use crate::error::Error;
use crate::options::{ANONYMOUS, Auth, ConnectOptions};
use bytes::{Bytes, BytesMut};
use hs2_proto::sasl::{
    FirstByte, NEGOTIATION_BYTES_MAX, Negotiation, Plain, SaslStatus, take_frame, write_frame,
    write_negotiation,
};
use hs2_proto::thrift::MessageScanner;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// A connection that is past its login.
#[derive(Debug)]
pub(crate) struct Binary {
    stream: Stream,
    buffer: BytesMut,
    framing: Framing,
    frame_bytes_max: usize,
}

#[derive(Debug)]
enum Framing {
    /// A length before each message.
    Lengths,
    /// Messages back to back; the scanner remembers how far it has looked.
    None(MessageScanner),
}

impl Binary {
    /// Logs in on a fresh connection, within the deadline of a login.
    pub(super) async fn log_in(
        stream: Stream,
        server: &Server,
        options: &ConnectOptions,
    ) -> Result<Self, Error> {
        let server = server.name();
        let framing = match options.auth {
            Auth::Plain { .. } => Framing::Lengths,
            Auth::NoSasl { .. } => Framing::None(MessageScanner::new(options.frame_bytes_max)),
        };
        let mut transport = Self {
            stream,
            buffer: BytesMut::new(),
            framing,
            frame_bytes_max: options.frame_bytes_max,
        };
        if let Auth::Plain { user, password } = &options.auth {
            let or_anonymous = |text: &String| {
                if text.is_empty() {
                    ANONYMOUS.to_owned()
                } else {
                    text.clone()
                }
            };
            let plain = Plain {
                authzid: String::new(),
                user: or_anonymous(user),
                password: or_anonymous(password),
            };
            match timeout(options.login_timeout, transport.login(&server, &plain)).await {
                Ok(logged_in) => logged_in?,
                Err(_) => {
                    return Err(Error::LoginTimeout {
                        server,
                        after: options.login_timeout,
                    });
                }
            }
        }
        Ok(transport)
    }

    /// SASL PLAIN: mechanism and response go out together, as all clients do.
    async fn login(&mut self, server: &str, plain: &Plain) -> Result<(), Error> {
        let protocol = |reason: String| Error::Protocol {
            server: server.to_owned(),
            reason,
        };
        let closed = |source: io::Error| Error::Closed {
            server: server.to_owned(),
            reason: match source.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                    format!("the server ended the login{NOSASL_HINT}")
                }
                _ => format!("during the login: {source}"),
            }
            .into(),
        };
        let mut out = Vec::new();
        write_negotiation(&mut out, SaslStatus::Start, Plain::MECHANISM.as_bytes());
        write_negotiation(&mut out, SaslStatus::Complete, &plain.to_bytes());
        self.stream.write_all(&out).await.map_err(closed)?;
        self.stream.flush().await.map_err(closed)?;
        loop {
            match Negotiation::take(&mut self.buffer, NEGOTIATION_BYTES_MAX) {
                Ok(Some(answer)) => match answer.status {
                    SaslStatus::Complete => return Ok(()),
                    // PLAIN has nothing more to say; the server's COMPLETE follows.
                    SaslStatus::Ok => {}
                    // ERROR is the server's own trouble: it may be full, and another one may take the login.
                    SaslStatus::Error => {
                        let message = String::from_utf8_lossy(&answer.payload);
                        return Err(Error::Closed {
                            server: server.to_owned(),
                            reason: format!("the server took no login: {message}").into(),
                        });
                    }
                    SaslStatus::Bad => {
                        let message = String::from_utf8_lossy(&answer.payload).into_owned();
                        return Err(Error::LoginRefused {
                            server: server.to_owned(),
                            user: plain.user.clone(),
                            message,
                        });
                    }
                    SaslStatus::Start => {
                        return Err(protocol("it began a login of its own".to_owned()));
                    }
                },
                Ok(None) => {
                    if self.fill().await.map_err(closed)? == 0 {
                        return Err(closed(io::ErrorKind::UnexpectedEof.into()));
                    }
                }
                Err(error) => {
                    let first = self.buffer.first().copied().map(FirstByte::of);
                    let hint = match first {
                        Some(FirstByte::Tls) => "; it wants TLS: connect with ssl=true",
                        Some(FirstByte::Http) => {
                            "; it speaks HTTP: connect with transportMode=http"
                        }
                        _ => NOSASL_HINT,
                    };
                    return Err(protocol(format!(
                        "it answered the login with {error}{hint}"
                    )));
                }
            }
        }
    }

    /// Sends one message, which `write` appends to a buffer.
    pub(super) async fn send(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut out = Vec::new();
        match self.framing {
            Framing::Lengths => write_frame(&mut out, write).map_err(io::Error::other)?,
            Framing::None(_) => write(&mut out),
        }
        self.stream.write_all(&out).await?;
        self.stream.flush().await
    }

    /// The next message.
    ///
    /// # Cancel safety
    /// Safe: what has arrived stays in the buffer.
    pub(super) async fn receive(&mut self) -> Result<Bytes, ReadError> {
        loop {
            if let Some(message) = self.take_message()? {
                return Ok(message);
            }
            if self.fill().await? == 0 {
                return Err(ReadError::End);
            }
        }
    }

    fn take_message(&mut self) -> Result<Option<Bytes>, ReadError> {
        match &mut self.framing {
            Framing::Lengths => take_frame(&mut self.buffer, self.frame_bytes_max)
                .map_err(|error| ReadError::Protocol(error.to_string())),
            Framing::None(scanner) => {
                if self.buffer.first().copied().map(FirstByte::of) == Some(FirstByte::Sasl) {
                    let reason = "it answered with SASL: connect without auth=noSasl";
                    return Err(ReadError::Protocol(reason.to_owned()));
                }
                let length = scanner
                    .scan(&self.buffer)
                    .map_err(|error| ReadError::Protocol(error.to_string()))?;
                Ok(length.map(|length| self.buffer.split_to(length).freeze()))
            }
        }
    }

    /// Reads once. Space grows with what has come, never by what a length field says.
    async fn fill(&mut self) -> io::Result<usize> {
        self.buffer.reserve(READ_BYTES_MIN.max(self.buffer.len()));
        self.stream.read_buf(&mut self.buffer).await
    }
}

const NOSASL_HINT: &str = "; if it runs with authentication NOSASL, connect with auth=noSasl";

/// Space for each read, at least.
const READ_BYTES_MIN: usize = 16 * 1024;
