//! Bytes to and from one server: dialling, the login, and whole messages, whichever way the server takes them.

mod binary;

use crate::error::Error;
use crate::options::ConnectOptions;
use binary::Binary;
use bytes::Bytes;
use std::io;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A connection that is past its login.
#[derive(Debug)]
pub(crate) enum Transport {
    /// Thrift on the connection itself, with SASL or without.
    Binary(Binary),
}

/// Why there is no message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the server closed it")]
    End,
    #[error("{0}")]
    Protocol(String),
}

impl Transport {
    /// Connects and logs in.
    pub(crate) async fn open(
        host: &str,
        port: u16,
        options: &ConnectOptions,
    ) -> Result<Self, Error> {
        let server = Server {
            host: host.to_owned(),
            port,
        };
        let stream = server.dial(options).await?;
        let binary = Binary::log_in(stream, &server, options).await?;
        Ok(Self::Binary(binary))
    }

    /// Sends one message, which `write` appends to a buffer.
    pub(crate) async fn send(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        match self {
            Self::Binary(binary) => binary.send(write).await,
        }
    }

    /// The next message. While none is due, it ends only when the connection does.
    ///
    /// # Cancel safety
    /// Safe: what has arrived stays in the buffer.
    pub(crate) async fn receive(&mut self) -> Result<Bytes, ReadError> {
        match self {
            Self::Binary(binary) => binary.receive().await,
        }
    }
}

/// Where to connect to.
#[derive(Debug, Clone)]
struct Server {
    host: String,
    port: u16,
}

impl Server {
    fn name(&self) -> String {
        server_name(&self.host, self.port)
    }

    async fn dial(&self, options: &ConnectOptions) -> Result<TcpStream, Error> {
        let failed = |source| Error::Connect {
            server: self.name(),
            source,
        };
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = match timeout(options.connect_timeout, connecting).await {
            Ok(connected) => connected.map_err(failed)?,
            Err(_) => {
                let text = format!("no answer within {:?}", options.connect_timeout);
                return Err(failed(io::Error::new(io::ErrorKind::TimedOut, text)));
            }
        };
        stream.set_nodelay(true).map_err(failed)?;
        Ok(stream)
    }
}

/// `host:port`, with brackets around IPv6 addresses.
pub(crate) fn server_name(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
