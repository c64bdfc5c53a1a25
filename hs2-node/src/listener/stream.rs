//! The bytes of a connection: plain, or under TLS.

use bytes::{Buf, BytesMut};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Room for what is read to find out what a client speaks under TLS.
const FIRST_READ_BYTES: usize = 4 << 10;

/// A connection to read from and write to.
#[derive(Debug)]
pub(super) enum Stream {
    /// As it comes.
    Plain(TcpStream),
    /// Under TLS.
    Tls(Box<Tls>),
}

/// A connection under TLS, and what was looked at but not yet taken.
#[derive(Debug)]
pub(super) struct Tls {
    stream: TlsStream<TcpStream>,
    looked_at: BytesMut,
}

impl Stream {
    /// The first byte that the client sends, which stays to be read; `None` when it ends the connection without one.
    pub(super) async fn first_byte(&mut self) -> io::Result<Option<u8>> {
        match self {
            Self::Plain(stream) => {
                let mut byte = [0];
                let read = stream.peek(&mut byte).await?;
                Ok(byte.first().copied().filter(|_| read > 0))
            }
            Self::Tls(tls) => {
                if tls.looked_at.is_empty() {
                    tls.looked_at.reserve(FIRST_READ_BYTES);
                    tls.stream.read_buf(&mut tls.looked_at).await?;
                }
                Ok(tls.looked_at.first().copied())
            }
        }
    }

    /// Shakes hands. A connection that is under TLS already stays as it is.
    pub(super) async fn accept_tls(self, acceptor: &TlsAcceptor) -> io::Result<Self> {
        match self {
            Self::Plain(stream) => Ok(Self::Tls(Box::new(Tls {
                stream: acceptor.accept(stream).await?,
                looked_at: BytesMut::new(),
            }))),
            tls @ Self::Tls(_) => Ok(tls),
        }
    }

    /// Whether it is under TLS.
    pub(super) const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(tls) if !tls.looked_at.is_empty() => {
                let length = tls.looked_at.len().min(buf.remaining());
                buf.put_slice(tls.looked_at.get(..length).unwrap_or_default());
                tls.looked_at.advance(length);
                if tls.looked_at.is_empty() {
                    tls.looked_at = BytesMut::new();
                }
                Poll::Ready(Ok(()))
            }
            Self::Tls(tls) => Pin::new(&mut tls.stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(tls) => Pin::new(&mut tls.stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(tls) => Pin::new(&mut tls.stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(tls) => tls.stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(tls) => Pin::new(&mut tls.stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(&mut tls.stream).poll_shutdown(cx),
        }
    }
}
