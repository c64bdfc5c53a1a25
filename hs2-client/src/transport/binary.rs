//! The binary transport: a login by SASL PLAIN, by GSSAPI, or none, and messages with a length before each, or back to back.

#[cfg(feature = "gssapi")]
use super::kerberos::Initiator;
use super::{ReadError, Server, Stream};
use crate::error::Error;
use crate::options::{ANONYMOUS, Auth, ConnectOptions};
use bytes::{Bytes, BytesMut};
#[cfg(feature = "gssapi")]
use hs2_proto::sasl::SecurityLayer;
use hs2_proto::sasl::{
    FirstByte, NEGOTIATION_BYTES_MAX, Negotiation, Plain, SaslStatus, take_frame, write_frame,
    write_negotiation,
};
use hs2_proto::thrift::MessageScanner;
use std::io;
#[cfg(feature = "gssapi")]
use std::time::Duration;
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
        let framing = match options.auth {
            Auth::NoSasl { .. } => Framing::None(MessageScanner::new(options.frame_bytes_max)),
            _ => Framing::Lengths,
        };
        let mut transport = Self {
            stream,
            buffer: BytesMut::new(),
            framing,
            frame_bytes_max: options.frame_bytes_max,
        };
        let patience = options.login_timeout;
        let login = match &options.auth {
            Auth::NoSasl { .. } => return Ok(transport),
            Auth::Plain { user, password } => {
                let login = transport.plain(server, user, password);
                timeout(patience, login).await
            }
            #[cfg(feature = "gssapi")]
            Auth::Kerberos { principal } => {
                // What the realm's servers take is not the server's time.
                let initiator = Initiator::new(server, principal);
                let (initiator, token) = initiator.next(None, patience).await?;
                let login = transport.kerberos(server, initiator, token, patience);
                timeout(patience, login).await
            }
        };
        login.map_err(|_| Error::LoginTimeout {
            server: server.name(),
            after: patience,
        })??;
        Ok(transport)
    }

    /// SASL PLAIN: mechanism and response go out together, as all clients do.
    async fn plain(&mut self, server: &Server, user: &str, password: &str) -> Result<(), Error> {
        let or_anonymous = |text: &str| if text.is_empty() { ANONYMOUS } else { text }.to_owned();
        let plain = Plain {
            authzid: String::new(),
            user: or_anonymous(user),
            password: or_anonymous(password),
        };
        let mut out = Vec::new();
        write_negotiation(&mut out, SaslStatus::Start, Plain::MECHANISM.as_bytes());
        write_negotiation(&mut out, SaslStatus::Complete, &plain.to_bytes());
        self.say(server, &out).await?;
        // PLAIN has nothing more to say when the server says OK; its COMPLETE follows.
        while self.answer(server, &plain.user).await?.status != SaslStatus::Complete {}
        Ok(())
    }

    /// SASL GSSAPI: tokens until each side has proven itself, and then the choice of no security layer.
    #[cfg(feature = "gssapi")]
    async fn kerberos(
        &mut self,
        server: &Server,
        mut initiator: Initiator,
        mut token: Vec<u8>,
        patience: Duration,
    ) -> Result<(), Error> {
        let mut out = Vec::new();
        write_negotiation(
            &mut out,
            SaslStatus::Start,
            SecurityLayer::MECHANISM.as_bytes(),
        );
        loop {
            // As Java marks its last word.
            let status = if initiator.is_done() {
                SaslStatus::Complete
            } else {
                SaslStatus::Ok
            };
            write_negotiation(&mut out, status, &token);
            self.say(server, &out).await?;
            out.clear();
            let answer = self.answer(server, initiator.user()).await?;
            match (answer.status, initiator.is_done()) {
                (SaslStatus::Complete, true) => return Ok(()),
                (SaslStatus::Complete, false) => {
                    let reason = "it ends the login before it has proven who it is";
                    return Err(protocol(server, reason.to_owned()));
                }
                _ => {}
            }
            (initiator, token) = initiator.next(Some(answer.payload), patience).await?;
        }
    }

    async fn say(&mut self, server: &Server, words: &[u8]) -> Result<(), Error> {
        let closed = |error| closed(server, &error);
        self.stream.write_all(words).await.map_err(closed)?;
        self.stream.flush().await.map_err(closed)
    }

    /// The server's next word in a login, OK or COMPLETE: the others are errors.
    async fn answer(&mut self, server: &Server, user: &str) -> Result<Negotiation, Error> {
        loop {
            match Negotiation::take(&mut self.buffer, NEGOTIATION_BYTES_MAX) {
                Ok(Some(answer)) => match answer.status {
                    SaslStatus::Ok | SaslStatus::Complete => return Ok(answer),
                    // ERROR is the server's own trouble: it may be full, and another one may take the login.
                    SaslStatus::Error => {
                        let message = String::from_utf8_lossy(&answer.payload);
                        return Err(Error::Closed {
                            server: server.name(),
                            reason: format!("the server took no login: {message}").into(),
                        });
                    }
                    SaslStatus::Bad => {
                        let message = String::from_utf8_lossy(&answer.payload).into_owned();
                        return Err(Error::LoginRefused {
                            server: server.name(),
                            user: user.to_owned(),
                            message,
                        });
                    }
                    SaslStatus::Start => {
                        return Err(protocol(server, "it began a login of its own".to_owned()));
                    }
                },
                Ok(None) => match self.fill().await {
                    Ok(0) => return Err(closed(server, &io::ErrorKind::UnexpectedEof.into())),
                    Ok(_) => {}
                    Err(error) => return Err(closed(server, &error)),
                },
                Err(error) => {
                    let first = self.buffer.first().copied().map(FirstByte::of);
                    let hint = match first {
                        Some(FirstByte::Tls) => "; it wants TLS: connect with ssl=true",
                        Some(FirstByte::Http) => {
                            "; it speaks HTTP: connect with transportMode=http"
                        }
                        _ => NOSASL_HINT,
                    };
                    let reason = format!("it answered the login with {error}{hint}");
                    return Err(protocol(server, reason));
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

fn protocol(server: &Server, reason: String) -> Error {
    Error::Protocol {
        server: server.name(),
        reason,
    }
}

/// A connection that ends in the middle of a login.
fn closed(server: &Server, error: &io::Error) -> Error {
    let reason = match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            format!("the server ended the login{NOSASL_HINT}")
        }
        _ => format!("during the login: {error}"),
    };
    Error::Closed {
        server: server.name(),
        reason: reason.into(),
    }
}

const NOSASL_HINT: &str = "; if it runs with authentication NOSASL, connect with auth=noSasl";

/// Space for each read, at least.
const READ_BYTES_MIN: usize = 16 * 1024;
