//! The ports: accept connections, bound them, find out what they speak, end them.
//!
//! ```text
//!                   first byte
//!   accept ──► room? ──┬─ TLS ──► handshake ──► first byte under it ──┬─ HTTP ──► http
//!                      └─ no TLS ─────────────────────────────────────┴─ else ──► binary
//! ```
//!
//! Every port of a node takes what the settings allow, whichever port it is. What they do not allow is refused in the
//! words of its own protocol.

mod binary;
mod budget;
mod http;
mod stream;
mod tls;

use hs2_proto::sasl::FirstByte;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use crate::auth::{AuthenticationError, Authenticator, Logins};
use crate::quota::{Counted, Ticket};
use crate::service::Service;
use binary::End;
use budget::Budget;
use http::Http;
use stream::Stream;
pub(crate) use tls::CertificateError;

/// Connections that are being told that they are too many, at most. More are closed without a word.
const REFUSING_MAX: usize = 256;
/// How long to wait before accepting again when the operating system has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long connections get to end when the node stops.
const STOP_PATIENCE: Duration = Duration::from_secs(2);
/// A peer that is silent for so long is asked whether it lives, and asked again; then the connection is broken.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// The longest pause within a message that comes, or in an answer that goes.
const STALL_MAX: Duration = Duration::from_secs(120);
/// How long a refused client gets to read why.
const LINGER: Duration = Duration::from_secs(1);
/// The deadline of a login that will be refused.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(3);
/// What TLS clients print when they are told this: fatal, handshake_failure.
const TLS_ALERT: [u8; 7] = [0x15, 3, 1, 0, 2, 2, 40];

/// Why a connection is not served, to be told in the words of its own protocol.
#[derive(Debug)]
enum TurnedAway {
    /// Not now; another time, or by another node.
    Full(String),
    /// Never on this port.
    Wrong(String),
}

impl TurnedAway {
    fn into_text(self) -> String {
        match self {
            Self::Full(text) | Self::Wrong(text) => text,
        }
    }
}

/// What the connections of a node share, on whichever port they come.
pub(crate) struct Port {
    service: Arc<Service>,
    logins: Logins,
    tls: Option<TlsAcceptor>,
    http: Http,
    budget: Budget,
    room: Arc<Semaphore>,
    per_address: Arc<Counted<IpAddr>>,
    refusing: Arc<Semaphore>,
}

/// Why the ports cannot be opened as the settings say.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SecurityError(SecurityProblem);

#[derive(Debug, thiserror::Error)]
enum SecurityProblem {
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    Authentication(#[from] AuthenticationError),
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

impl<E: Into<SecurityProblem>> From<E> for SecurityError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl Port {
    /// As the service's settings say; `authenticator` is what CUSTOM means there.
    pub(crate) fn new(
        service: Arc<Service>,
        authenticator: Option<Arc<dyn Authenticator>>,
    ) -> Result<Arc<Self>, SecurityError> {
        let config = &service.config;
        let tls = config
            .tls
            .then(|| tls::acceptor(config.keystore.as_deref()))
            .transpose()?;
        let room = config.connections_max.min(Semaphore::MAX_PERMITS);
        Ok(Arc::new(Self {
            logins: Logins::new(config, authenticator)?,
            tls,
            http: Http::new(config)?,
            budget: Budget::new(config.message_memory),
            room: Arc::new(Semaphore::new(room)),
            per_address: Counted::new(config.sessions_per_address_max),
            refusing: Arc::new(Semaphore::new(REFUSING_MAX)),
            service,
        }))
    }
}

/// What a connection takes of the room that there is.
#[allow(dead_code, reason = "held until the connection is gone")]
struct Place(OwnedSemaphorePermit, Option<Ticket<IpAddr>>);

impl Port {
    /// A place for a connection, or why there is none.
    fn admit(&self, peer: SocketAddr) -> Result<Place, String> {
        let permit = Arc::clone(&self.room).try_acquire_owned().map_err(|_| {
            let limit = self.service.config.connections_max;
            format!(
                "this node has {limit} open connections, which is its limit (hive.server2.thrift.max.worker.threads): try another node, or later"
            )
        })?;
        let address = peer.ip().to_canonical();
        let ticket = self.per_address.take(address).map_err(|limit| {
            format!(
                "{address} has {limit} open connections, which is the limit (hive.server2.limit.connections.per.ipaddress): close some"
            )
        })?;
        Ok(Place(permit, Some(ticket)))
    }
}

/// Serves a port until `stop` says so; then every connection is closed, and it returns when they are.
pub(crate) async fn serve(listener: TcpListener, port: Arc<Port>, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Panics and ends of connections; the set would keep them otherwise.
            Some(_) = connections.join_next() => continue,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (place, refusal) = match port.admit(peer) {
            Ok(place) => (place, None),
            Err(text) => {
                tracing::warn!(%peer, "connection refused: {text}");
                let Ok(permit) = Arc::clone(&port.refusing).try_acquire_owned() else {
                    continue;
                };
                (Place(permit, None), Some(TurnedAway::Full(text)))
            }
        };
        let (port, mut stop) = (Arc::clone(&port), stop.clone());
        connections.spawn(async move {
            let _place = place;
            tokio::select! {
                () = serve_connection(stream, peer, &port, refusal) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        });
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(STOP_PATIENCE, ended).await;
    connections.shutdown().await;
}

async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    port: &Port,
    refusal: Option<TurnedAway>,
) {
    if let Err(error) = set_options(&stream) {
        tracing::debug!(%peer, %error, "the connection's options are not set");
    }
    match speak(Stream::Plain(stream), peer, port, refusal).await {
        Ok(()) => tracing::debug!(%peer, "connection ended"),
        Err(end) => tracing::warn!(%peer, "connection closed: {end}"),
    }
}

/// Finds out what a client speaks, and speaks it to the end.
async fn speak(
    mut stream: Stream,
    peer: SocketAddr,
    port: &Port,
    mut refusal: Option<TurnedAway>,
) -> Result<(), End> {
    let config = &port.service.config;
    let patience = match refusal {
        Some(_) => REFUSAL_PATIENCE.min(config.login_timeout),
        None => config.login_timeout,
    };
    let deadline = Instant::now() + patience;
    let too_late = |_| End::LoginTimeout(patience);
    let mut first = timeout_at(deadline, stream.first_byte())
        .await
        .map_err(too_late)??;
    if first.map(FirstByte::of) == Some(FirstByte::Tls) {
        let Some(acceptor) = &port.tls else {
            let _ = timeout(LINGER, binary::last_words(&mut stream, &TLS_ALERT)).await;
            return Err(End::OtherProtocol("TLS"));
        };
        let accepted = timeout_at(deadline, stream.accept_tls(acceptor)).await;
        stream = accepted.map_err(too_late)?.map_err(End::Tls)?;
        first = timeout_at(deadline, stream.first_byte())
            .await
            .map_err(too_late)??;
    }
    let Some(first) = first else {
        return Ok(());
    };
    let is_http = FirstByte::of(first) == FirstByte::Http;
    let mode = config.transport_mode;
    let wrong = if port.tls.is_some() && !stream.is_tls() {
        Some("this HiveServer2 port speaks TLS: connect with ssl=true".to_owned())
    } else if is_http && !mode.has_http() {
        Some(
            "this HiveServer2 port does not speak HTTP: connect without transportMode=http"
                .to_owned(),
        )
    } else if !is_http && !mode.has_binary() {
        Some(format!(
            "this HiveServer2 port speaks HTTP: connect with transportMode=http;httpPath={}",
            config.http_path
        ))
    } else {
        None
    };
    if let Some(text) = wrong {
        refusal = Some(TurnedAway::Wrong(text));
    }
    let deadline = match refusal {
        Some(_) => deadline.min(Instant::now() + REFUSAL_PATIENCE),
        None => deadline,
    };
    if is_http {
        http::serve(stream, peer, port, refusal, deadline).await
    } else {
        binary::serve(stream, peer, port, refusal, deadline).await
    }
}

fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_INTERVAL);
    socket2::SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
