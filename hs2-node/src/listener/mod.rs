//! The port: accepts connections, bounds them, ends them.

mod binary;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::service::Service;

/// Connections that are being told that they are too many, at most. More are closed without a word.
const REFUSING_MAX: usize = 256;
/// How long to wait before accepting again when the operating system has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long connections get to end when the node stops.
const STOP_PATIENCE: Duration = Duration::from_secs(2);
/// A peer that is silent for so long is asked whether it lives, and asked again; then the connection is broken.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Serves a port until `stop` says so; then every connection is closed, and it returns when they are.
pub(crate) async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    mut stop: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(
        service.config.connections_max.min(Semaphore::MAX_PERMITS),
    ));
    let refusing = Arc::new(Semaphore::new(REFUSING_MAX));
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
        let (permit, refusal) = match Arc::clone(&room).try_acquire_owned() {
            Ok(permit) => (permit, None),
            Err(_) => {
                let limit = service.config.connections_max;
                tracing::warn!(%peer, limit, "connection refused: too many");
                let Ok(permit) = Arc::clone(&refusing).try_acquire_owned() else {
                    continue;
                };
                let text = format!(
                    "this node has {limit} open connections, which is its limit (hive.server2.thrift.max.worker.threads): try another node, or later"
                );
                (permit, Some(text))
            }
        };
        let (service, mut stop) = (Arc::clone(&service), stop.clone());
        connections.spawn(async move {
            let _permit = permit;
            tokio::select! {
                () = serve_connection(stream, peer, &service, refusal) => {}
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
    service: &Arc<Service>,
    refusal: Option<String>,
) {
    if let Err(error) = set_options(&stream) {
        tracing::debug!(%peer, %error, "the connection's options are not set");
    }
    match binary::serve(stream, peer, service, refusal).await {
        Ok(()) => tracing::debug!(%peer, "connection ended"),
        Err(end) => tracing::warn!(%peer, "connection closed: {end}"),
    }
}

fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_INTERVAL);
    socket2::SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
