//! A TCP proxy that does to a connection what a network does.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Forwards connections to a target until it is told otherwise. Its address never changes.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    settings: watch::Sender<Settings>,
    counters: Arc<Counters>,
    listener: AbortHandle,
}

#[derive(Debug, Clone, Copy)]
struct Settings {
    target: SocketAddr,
    link: Link,
    /// How often the open connections were reset.
    resets: u64,
    delay: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    /// Bytes pass.
    Up,
    /// Bytes are held: nothing passes, nothing is lost, nobody is told.
    Held,
    /// Connections are reset, the open ones and each new one.
    Cut,
}

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicU64,
    open: AtomicU64,
    to_target_bytes: AtomicU64,
    to_client_bytes: AtomicU64,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and forwards to `target`.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port for the proxy");
        let address = listener.local_addr().expect("the proxy's address");
        let (settings, _) = watch::channel(Settings {
            target,
            link: Link::Up,
            resets: 0,
            delay: Duration::ZERO,
        });
        let counters = Arc::new(Counters::default());
        let accepting = tokio::spawn(accept(listener, settings.clone(), Arc::clone(&counters)));
        Self {
            address,
            settings,
            counters,
            listener: accepting.abort_handle(),
        }
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where clients connect, as a connect string.
    #[must_use]
    pub fn connect_string(&self) -> String {
        self.address.to_string()
    }

    /// Where the next connections go. The open ones stay where they are.
    pub fn set_target(&self, target: SocketAddr) {
        self.settings
            .send_modify(|settings| settings.target = target);
    }

    /// Resets every open connection, and each new one as soon as it is made.
    pub fn cut(&self) {
        self.set_link(Link::Cut);
    }

    /// Resets every open connection; new ones are forwarded.
    pub fn reset_open(&self) {
        self.settings.send_modify(|settings| settings.resets += 1);
    }

    /// Holds every byte in both directions, so that connections stay open and silent. New connections are
    /// accepted and as silent. [`heal`](Self::heal) lets the held bytes pass.
    pub fn blackhole(&self) {
        self.set_link(Link::Held);
    }

    /// Forwards again.
    pub fn heal(&self) {
        self.set_link(Link::Up);
    }

    /// Holds each chunk of bytes for this long, in each direction.
    pub fn set_delay(&self, delay: Duration) {
        self.settings.send_modify(|settings| settings.delay = delay);
    }

    /// How many connections clients have made, those that were reset at once included.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.counters.accepted.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.counters.open.load(Ordering::SeqCst)
    }

    /// How many bytes were forwarded from clients to the target.
    #[must_use]
    pub fn to_target_bytes(&self) -> u64 {
        self.counters.to_target_bytes.load(Ordering::SeqCst)
    }

    /// How many bytes were forwarded from the target to clients.
    #[must_use]
    pub fn to_client_bytes(&self) -> u64 {
        self.counters.to_client_bytes.load(Ordering::SeqCst)
    }

    fn set_link(&self, link: Link) {
        self.settings.send_modify(|settings| settings.link = link);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set_link(Link::Cut);
        self.listener.abort();
    }
}

async fn accept(listener: TcpListener, settings: watch::Sender<Settings>, counters: Arc<Counters>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        counters.accepted.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(serve(client, settings.subscribe(), Arc::clone(&counters)));
    }
}

/// One connection: until both sides have closed, or the link is cut.
async fn serve(
    mut client: TcpStream,
    mut settings: watch::Receiver<Settings>,
    counters: Arc<Counters>,
) {
    counters.open.fetch_add(1, Ordering::SeqCst);
    let resets = settings.borrow().resets;
    let cut = settings.clone();
    tokio::select! {
        () = forward(&mut client, &mut settings, &counters) => {}
        () = wait_for(cut, |now| now.link == Link::Cut || now.resets != resets) => {
            // Closing with a zero linger sends a reset.
            let _ = client.set_zero_linger();
        }
    }
    counters.open.fetch_sub(1, Ordering::SeqCst);
}

async fn forward(
    client: &mut TcpStream,
    settings: &mut watch::Receiver<Settings>,
    counters: &Counters,
) {
    wait_for(settings.clone(), |now| now.link == Link::Up).await;
    let target = settings.borrow().target;
    let Ok(mut server) = TcpStream::connect(target).await else {
        let _ = client.set_zero_linger();
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::join!(
        pump(
            from_client,
            to_server,
            settings.clone(),
            &counters.to_target_bytes
        ),
        pump(
            from_server,
            to_client,
            settings.clone(),
            &counters.to_client_bytes
        ),
    );
}

/// Moves bytes in one direction until its end; then the other side sees the end too.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    settings: watch::Receiver<Settings>,
    count: &AtomicU64,
) {
    let mut chunk = Vec::with_capacity(64 * 1024);
    loop {
        let read = from.read_buf(&mut chunk).await;
        let delay = settings.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        // What was read when the link was held stays here until it is up again.
        wait_for(settings.clone(), |now| now.link == Link::Up).await;
        match read {
            Ok(1..) if to.write_all(&chunk).await.is_ok() => {
                count.fetch_add(chunk.len() as u64, Ordering::SeqCst);
                chunk.clear();
            }
            _ => {
                let _ = to.shutdown().await;
                return;
            }
        }
    }
}

async fn wait_for(mut settings: watch::Receiver<Settings>, wanted: impl Fn(&Settings) -> bool) {
    if settings.wait_for(wanted).await.is_err() {
        // The proxy is gone, and it left the link cut: nothing passes any more.
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait;

    const SOON: Duration = Duration::from_secs(5);

    /// A server that sends back what it gets, behind a proxy, and a client of it.
    async fn echo() -> (Proxy, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let target = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = socket.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        let proxy = Proxy::start(target).await;
        let client = TcpStream::connect(proxy.address()).await.unwrap();
        (proxy, client)
    }

    async fn round_trip(client: &mut TcpStream) -> std::io::Result<()> {
        client.write_all(b"ping").await?;
        let mut answer = [0; 4];
        tokio::time::timeout(SOON, client.read_exact(&mut answer)).await??;
        assert_eq!(&answer, b"ping");
        Ok(())
    }

    #[tokio::test]
    async fn cut_resets_and_heal_forwards() {
        let (proxy, mut client) = echo().await;
        round_trip(&mut client).await.unwrap();
        assert_eq!((proxy.to_target_bytes(), proxy.to_client_bytes()), (4, 4));

        proxy.cut();
        assert!(round_trip(&mut client).await.is_err());
        let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(round_trip(&mut refused).await.is_err());
        wait::until("all connections are closed", SOON, async || {
            proxy.open() == 0
        })
        .await;

        proxy.heal();
        let mut again = TcpStream::connect(proxy.address()).await.unwrap();
        round_trip(&mut again).await.unwrap();
        assert_eq!(proxy.accepted(), 3);
    }

    #[tokio::test]
    async fn reset_open_leaves_new_connections_alone() {
        let (proxy, mut client) = echo().await;
        round_trip(&mut client).await.unwrap();
        proxy.reset_open();
        assert!(round_trip(&mut client).await.is_err());
        let mut again = TcpStream::connect(proxy.address()).await.unwrap();
        round_trip(&mut again).await.unwrap();
    }

    #[tokio::test]
    async fn blackhole_holds_bytes_until_healed() {
        let (proxy, mut client) = echo().await;
        round_trip(&mut client).await.unwrap();
        proxy.blackhole();
        client.write_all(b"held").await.unwrap();
        let mut answer = [0; 4];
        let silent =
            tokio::time::timeout(Duration::from_millis(200), client.read_exact(&mut answer)).await;
        assert!(silent.is_err(), "bytes passed: {answer:?}");
        proxy.heal();
        tokio::time::timeout(SOON, client.read_exact(&mut answer))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&answer, b"held");
    }
}
