//! Bytes to and from one server: dialling, the login, and whole messages, whichever way the server takes them.

mod binary;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "gssapi")]
mod kerberos;
#[cfg(feature = "tls")]
mod tls;

use crate::error::Error;
use crate::options::ConnectOptions;
use binary::Binary;
use bytes::Bytes;
#[cfg(feature = "http")]
use http::Http;
use std::fmt::Debug;
use std::io;
#[cfg(feature = "tls")]
pub use tls::Tls;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What is said to whoever wants Kerberos by HTTP.
#[cfg(feature = "gssapi")]
pub(crate) const NO_SPNEGO: &str =
    "this client has no Kerberos by HTTP (SPNEGO): connect without transportMode=http";

/// A connection that is past its login.
#[derive(Debug)]
pub(crate) enum Transport {
    /// Thrift on the connection itself, with SASL or without.
    Binary(Binary),
    /// Thrift in HTTP requests.
    #[cfg(feature = "http")]
    Http(Http),
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
    /// HTTP: the server does not know who this is.
    #[cfg(feature = "http")]
    #[error("{0}")]
    Refused(String),
    /// HTTP: not now.
    #[cfg(feature = "http")]
    #[error("the server takes no call now: {0}")]
    Busy(String),
}

impl Transport {
    /// Connects and logs in. By HTTP there is no login: who the client is goes with every call.
    pub(crate) async fn open(
        host: &str,
        port: u16,
        options: &ConnectOptions,
    ) -> Result<Self, Error> {
        let server = Server {
            host: host.to_owned(),
            port,
        };
        let stream = server.open(options).await?;
        #[cfg(feature = "http")]
        if let Some(path) = &options.http_path {
            let http = Http::open(stream, server, path, options).await?;
            return Ok(Self::Http(http));
        }
        let binary = Binary::log_in(stream, &server, options).await?;
        Ok(Self::Binary(binary))
    }

    /// Sends one message, which `write` appends to a buffer.
    pub(crate) async fn send(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        match self {
            Self::Binary(binary) => binary.send(write).await,
            #[cfg(feature = "http")]
            Self::Http(http) => http.send(write),
        }
    }

    /// The next message. While none is due, it ends only when the connection does.
    ///
    /// # Cancel safety
    /// Safe: what has arrived stays in the buffer.
    pub(crate) async fn receive(&mut self) -> Result<Bytes, ReadError> {
        match self {
            Self::Binary(binary) => binary.receive().await,
            #[cfg(feature = "http")]
            Self::Http(http) => http.receive().await,
        }
    }
}

/// What a server is spoken to over: a socket, or TLS on one.
trait Io: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin> Io for T {}

type Stream = Box<dyn Io>;

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

    /// A connection to the server, under TLS if the options say so.
    async fn open(&self, options: &ConnectOptions) -> Result<Stream, Error> {
        let stream = self.dial(options).await?;
        #[cfg(feature = "tls")]
        if let Some(tls) = &options.tls {
            let shaken = timeout(options.login_timeout, tls.handshake(stream, self)).await;
            return shaken.map_err(|_| Error::LoginTimeout {
                server: self.name(),
                after: options.login_timeout,
            })?;
        }
        Ok(Box::new(stream))
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
