//! A connection's bytes, bare or in TLS.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(feature = "tls")]
use tokio_rustls::client::TlsStream;

#[cfg(feature = "tls")]
use crate::tls;

/// A connection to a server.
#[derive(Debug)]
pub(crate) enum Transport {
    Tcp(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// The server's address.
    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.get_ref().0.peer_addr(),
        }
    }

    /// Why the first words of a server, or their absence, point to the wrong port or a server that is not ready.
    pub(crate) fn wrong_port(&self, first_words: &[u8]) -> Option<&'static str> {
        match (self, first_words) {
            // A record of TLS, an alert most likely.
            (Self::Tcp(_), [0x15 | 0x16, 3, ..]) => {
                Some("the server speaks TLS: set ConnectOptions::tls, or use its other port")
            }
            (Self::Tcp(_), []) => Some(
                "the server hung up without a word: it does not serve, has too many connections, or wants TLS",
            ),
            _ => None,
        }
    }

    /// Reads once, behind what `input` holds. Ready with 0 at the end of the stream.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => {
                // Room is made when there is something to read: what was read before may be free again by then.
                ready!(stream.poll_read_ready(cx))?;
                make_room(input);
                pin!(stream.read_buf(input)).poll(cx)
            }
            #[cfg(feature = "tls")]
            Self::Tls(stream) => {
                make_room(input);
                pin!(stream.read_buf(input)).poll(cx).map_err(tls::explain)
            }
        }
    }

    /// Writes `output`, which shrinks by what is taken. Ready when all of it is on its way, TLS's own bytes included.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        output: &mut BytesMut,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => poll_write_all(Pin::new(stream), cx, output),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => {
                ready!(poll_write_all(Pin::new(stream), cx, output)).map_err(tls::explain)?;
                Pin::new(stream).poll_flush(cx).map_err(tls::explain)
            }
        }
    }

    /// Whether bytes wait here that were taken already, as TLS's records may.
    pub(crate) fn wants_write(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.get_ref().1.wants_write(),
        }
    }

    /// What can be read without waiting.
    pub(crate) fn read_now(&mut self, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        at_once(|cx| self.poll_read(cx, input))
    }

    /// Writes what can be written without waiting.
    pub(crate) fn write_now(&mut self, output: &mut BytesMut) -> Poll<io::Result<()>> {
        at_once(|cx| self.poll_write(cx, output))
    }

    /// Writes the last words as far as they go at once; TLS says that they are the last.
    pub(crate) fn finish(mut self, output: &mut BytesMut) {
        let written = self.write_now(output);
        match self {
            Self::Tcp(_) => drop(written),
            #[cfg(feature = "tls")]
            Self::Tls(mut stream) => {
                if let Poll::Ready(Ok(())) = written {
                    let _ = at_once(|cx| Pin::new(&mut stream).poll_shutdown(cx));
                }
            }
        }
    }
}

fn poll_write_all(
    mut stream: Pin<&mut impl AsyncWrite>,
    cx: &mut Context<'_>,
    output: &mut BytesMut,
) -> Poll<io::Result<()>> {
    while !output.is_empty() {
        match ready!(stream.as_mut().poll_write(cx, output))? {
            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            written => output.advance(written),
        }
    }
    Poll::Ready(Ok(()))
}

/// Polls once, for what can be had without waiting: nobody is woken later, and the runtime's budget, which would have a
/// busy task wait its turn, does not count.
fn at_once<T>(poll: impl FnMut(&mut Context<'_>) -> Poll<T> + Unpin) -> Poll<T> {
    let unbudgeted = tokio::task::unconstrained(std::future::poll_fn(poll));
    pin!(unbudgeted).poll(&mut Context::from_waker(Waker::noop()))
}

/// Bytes read at once. A reply may be larger; it is read in several turns.
const READ_BYTES: usize = 64 * 1024;
/// With less room than this more is allocated, and sooner where a frame of more is arriving.
const READ_BYTES_MIN: usize = 4 * 1024;

/// Makes room to read into. The buffer grows with the bytes that are there, never with those that were promised; small
/// replies, which keep their part of it alive, share it.
fn make_room(input: &mut BytesMut) {
    let room = |input: &BytesMut| input.capacity() - input.len();
    if input.is_empty() {
        // Where nobody holds what was read before, all of the buffer is free again.
        let _ = input.try_reclaim(room(input) + 1);
        // One that has grown for a large reply is not kept: an idle client is small.
        if input.capacity() > 2 * READ_BYTES {
            *input = BytesMut::new();
        }
    }
    let least = if input.len() < READ_BYTES_MIN {
        READ_BYTES_MIN
    } else {
        READ_BYTES
    };
    if room(input) < least && !input.try_reclaim(READ_BYTES) {
        input.reserve(READ_BYTES.max(input.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_replies_share_a_buffer_and_a_large_one_doubles_it() {
        let mut input = BytesMut::new();
        make_room(&mut input);
        let allocated = input.capacity();
        assert!((READ_BYTES..2 * READ_BYTES).contains(&allocated));
        let mut held = Vec::new();
        for _ in 0..500 {
            input.extend_from_slice(&[7; 100]);
            held.push(input.split().freeze());
            make_room(&mut input);
        }
        assert_eq!(
            input.capacity(),
            allocated - 50_000,
            "one allocation for 500 replies"
        );
        drop(held);
        make_room(&mut input);
        assert_eq!(
            input.capacity(),
            allocated,
            "what nobody holds is used again"
        );

        let mut bytes = 0;
        let mut allocations = 0;
        while bytes < 4 << 20 {
            let before = input.capacity();
            make_room(&mut input);
            allocations += usize::from(input.capacity() != before);
            assert!(
                input.capacity() <= 2 * (bytes + READ_BYTES),
                "bounded by what is there"
            );
            let room = input.capacity() - input.len();
            input.extend_from_slice(&vec![1; room]);
            bytes = input.len();
        }
        assert!(allocations <= 7, "{allocations}");
        drop(input.split());
        make_room(&mut input);
        assert!(
            input.capacity() < 2 * READ_BYTES,
            "and an idle client is small"
        );
    }
}
