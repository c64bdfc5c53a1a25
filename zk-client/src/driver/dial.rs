//! Making connections. Names are looked up at every attempt: servers change their addresses.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use zk_proto::HostPort;
use zk_proto::four_letter::{ISRO, SRVR, ServerVersion, parse_srvr};

use super::transport::Transport;
use crate::options::{ConnectOptions, Resolver};
#[cfg(feature = "tls")]
use crate::tls::TlsOptions;

/// Makes connections to servers, for the session and for four-letter words alike.
#[derive(Debug, Clone)]
pub(crate) struct Dialer {
    resolver: Option<Resolver>,
    #[cfg(feature = "tls")]
    tls: Option<TlsOptions>,
}

impl Dialer {
    pub(crate) fn new(options: &ConnectOptions) -> Self {
        Self {
            resolver: options.resolver.clone(),
            #[cfg(feature = "tls")]
            tls: options.tls.clone(),
        }
    }

    /// Connects to one of the host's addresses: all are tried, in a random order, each as soon as those before it have
    /// failed or not answered for a moment. The caller bounds the time.
    pub(crate) async fn dial(self, host: HostPort) -> io::Result<Transport> {
        let mut addresses = self.look_up(&host).await.map_err(|error| {
            io::Error::new(error.kind(), format!("the name does not resolve: {error}"))
        })?;
        fastrand::shuffle(&mut addresses);
        let mut waiting = addresses.into_iter();
        let mut racing = Vec::new();
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        loop {
            match waiting.next() {
                Some(address) => racing.push(Box::pin(self.connect(&host.host, address))),
                None if racing.is_empty() => return Err(last),
                None => {}
            }
            let first = poll_fn(|cx| {
                let done = racing.iter_mut().enumerate().find_map(|(at, connect)| {
                    match connect.as_mut().poll(cx) {
                        Poll::Ready(result) => Some((at, result)),
                        Poll::Pending => None,
                    }
                });
                let Some((at, result)) = done else {
                    return Poll::Pending;
                };
                drop(racing.swap_remove(at));
                Poll::Ready(result)
            });
            tokio::select! {
                result = first => match result {
                    Ok(transport) => return Ok(transport),
                    Err(error) => last = error,
                },
                () = sleep(STAGGER), if waiting.len() > 0 => {}
            }
        }
    }

    async fn look_up(&self, host: &HostPort) -> io::Result<Vec<SocketAddr>> {
        match &self.resolver {
            Some(resolver) => resolver.look_up(host.clone()).await,
            None => {
                let found = tokio::net::lookup_host((host.host.as_str(), host.port)).await?;
                Ok(found.collect())
            }
        }
    }

    #[cfg_attr(
        not(feature = "tls"),
        expect(unused_variables, reason = "only TLS asks for the name")
    )]
    async fn connect(&self, name: &str, address: SocketAddr) -> io::Result<Transport> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return Ok(Transport::Tls(Box::new(tls.handshake(name, stream).await?)));
        }
        Ok(Transport::Tcp(stream))
    }

    /// Asks the server at an address for its version; `None` when it does not tell. `name` is what its certificate is
    /// for.
    pub(crate) async fn server_version(
        &self,
        name: &str,
        address: SocketAddr,
    ) -> Option<ServerVersion> {
        let ask = async { ask(self.connect(name, address).await?, SRVR).await };
        let answer = timeout(ANSWER_TIMEOUT, ask).await.ok()?.ok()?;
        parse_srvr(&answer).map(|srvr| srvr.version)
    }

    /// Whether a server takes writes: it does not while it is cut off from its quorum. A server that does not answer
    /// does not.
    pub(crate) async fn is_writable(&self, host: HostPort) -> bool {
        let ask = async { ask(self.clone().dial(host).await?, ISRO).await };
        let answer = timeout(ANSWER_TIMEOUT, ask).await;
        answer.is_ok_and(|answer| answer.is_ok_and(|answer| answer.trim() == "rw"))
    }
}

/// How long an address is given before the next one is tried beside it (RFC 8305).
const STAGGER: Duration = Duration::from_millis(250);

/// How long a server may take to answer a four-letter word, the connection included.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest answer that is read, in bytes; real ones to `srvr` have about 300.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Asks a four-letter word. The server closes behind its answer.
async fn ask(mut transport: Transport, word: &[u8; 4]) -> io::Result<String> {
    let mut question = BytesMut::from(&word[..]);
    poll_fn(|cx| transport.poll_write(cx, &mut question)).await?;
    let mut answer = BytesMut::new();
    while answer.len() < ANSWER_BYTES_MAX {
        match poll_fn(|cx| transport.poll_read(cx, &mut answer)).await {
            Ok(0) => break,
            Ok(_) => {}
            // Not every server ends TLS in due form, nor TCP.
            Err(_) if !answer.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
