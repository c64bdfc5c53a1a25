//! The core on a TCP port. It moves bytes and time, and decides nothing.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use crate::ServerOptions;
use crate::core::{ConnectionId, Core, Now};
use crate::options::millis;

/// How many bytes are moved at once.
const CHUNK_BYTES: usize = 64 << 10;

/// How long a connection that is being closed may take to accept its last bytes, and then to close its own side.
const LINGER: Duration = Duration::from_secs(1);

/// A running server. It ends with [`Self::shutdown`], or at once when it is dropped.
#[derive(Debug)]
pub struct Server {
    pub(crate) shared: Arc<Shared>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Server {
    /// Binds `address` and serves it on the current tokio runtime. Port 0 takes a free port: see
    /// [`Self::local_addr`].
    ///
    /// # Errors
    /// The address cannot be resolved or bound.
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO and time enabled.
    pub async fn start(address: impl ToSocketAddrs, options: ServerOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let connections_max = options.connections_max;
        let started = Instant::now();
        let core = Core::new(options, fastrand::u64(..), now_since(started));
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                core,
                wakers: HashMap::new(),
                armed_ms: None,
            }),
            started,
            connections_max,
            timer: Notify::new(),
            faults: watch::Sender::new(Faults::default()),
        });
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(serve(listener, Arc::clone(&shared), stopped));
        Ok(Self {
            shared,
            address,
            stop,
            task,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The connect string for clients on this machine, `127.0.0.1:2181`.
    #[must_use]
    pub fn connect_string(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        address.to_string()
    }

    /// Stops listening and cuts every connection; returns when the port is free.
    ///
    /// # Cancel safety
    /// Dropping the future stops the server all the same.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        // An error means that the task has ended otherwise, which is what was asked for.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The task owns the listener and the tasks of the connections.
        self.task.abort();
    }
}

/// Misbehaviour that was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    pub(crate) refuse: bool,
    pub(crate) pause: bool,
}

/// What the tasks of a server share. The lock is held for the time of one step of the core, never across an await.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    started: Instant,
    connections_max: usize,
    /// Wakes the timer when the core wants to be woken earlier than it is set.
    timer: Notify,
    pub(crate) faults: watch::Sender<Faults>,
}

#[derive(Debug)]
struct State {
    core: Core,
    wakers: HashMap<ConnectionId, Arc<Notify>>,
    /// What the timer is set to.
    armed_ms: Option<u64>,
}

impl Shared {
    /// Does something to the core and wakes everyone for whom that made work.
    pub(crate) fn with<T>(&self, step: impl FnOnce(&mut Core, Now) -> T) -> T {
        // The core does not panic; if it did, its other connections are still worth serving.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = step(&mut state.core, now_since(self.started));
        while let Some(id) = state.core.next_ready() {
            if let Some(waker) = state.wakers.get(&id) {
                waker.notify_one();
            }
        }
        let wake_at_ms = state.core.wake_at_ms();
        if wake_at_ms.is_some_and(|wake| state.armed_ms.is_none_or(|armed| wake < armed)) {
            state.armed_ms = wake_at_ms;
            self.timer.notify_one();
        }
        result
    }

    fn connect(&self, peer: SocketAddr) -> Option<(ConnectionId, Arc<Notify>)> {
        let waker = Arc::new(Notify::new());
        let id = self.with(|core, now| {
            (core.connections_count() < self.connections_max).then(|| core.connected(now, peer))
        })?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.wakers.insert(id, Arc::clone(&waker));
        Some((id, waker))
    }

    fn disconnect(&self, id: ConnectionId) {
        self.with(|core, _| core.disconnected(id));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.wakers.remove(&id);
    }

    /// Sets the timer: when to tick next.
    fn arm(&self) -> Option<Instant> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.armed_ms = state.core.wake_at_ms();
        state
            .armed_ms
            .map(|wake_ms| self.started + Duration::from_millis(wake_ms))
    }
}

fn now_since(started: Instant) -> Now {
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Now {
        monotonic_ms: millis(started.elapsed()),
        wall_ms: i64::try_from(wall.as_millis()).unwrap_or(i64::MAX),
    }
}

/// Accepts connections and keeps the time, until it is told to stop.
async fn serve(listener: TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let mut faults = shared.faults.subscribe();
    loop {
        let Faults { refuse, pause } = *faults.borrow_and_update();
        let wake = shared.arm();
        tokio::select! {
            _ = stopped.changed() => break,
            _ = faults.changed() => {}
            accepted = listener.accept(), if !pause => match accepted {
                Ok((stream, peer)) if !refuse => {
                    if let Some((id, waker)) = shared.connect(peer) {
                        connections.spawn(Connection { id, waker, shared: Arc::clone(&shared) }.run(stream));
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    // Out of file descriptors, mostly: others will be closed.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            () = shared.timer.notified() => {}
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() && !pause => {
                shared.with(|core, now| core.tick(now));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    connections.shutdown().await;
}

struct Connection {
    id: ConnectionId,
    waker: Arc<Notify>,
    shared: Arc<Shared>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.disconnect(self.id);
    }
}

impl Connection {
    /// Moves bytes between the socket and the core until one of them is done.
    async fn run(self, mut stream: TcpStream) {
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let (mut reader, mut writer) = stream.split();
        let mut faults = self.shared.faults.subscribe();
        let mut input = BytesMut::with_capacity(16 << 10);
        let mut output = Bytes::new();
        let mut last_call = None;
        loop {
            let pause = faults.borrow_and_update().pause;
            let id = self.id;
            let (wants_input, is_over) = self.shared.with(|core, now| {
                if output.is_empty() {
                    output = core.take_output(now, id, CHUNK_BYTES);
                }
                (core.wants_input(id), core.is_over(id))
            });
            if is_over {
                if output.is_empty() {
                    break;
                }
                last_call.get_or_insert_with(|| Instant::now() + LINGER);
            }
            tokio::select! {
                written = writer.write_buf(&mut output), if output.has_remaining() && !pause => {
                    if written.is_err() {
                        return;
                    }
                }
                read = reader.read_buf(&mut input), if wants_input && !pause => match read {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {
                        self.shared.with(|core, now| core.received(now, id, &input));
                        input.clear();
                    }
                },
                () = self.waker.notified() => {}
                _ = faults.changed() => {}
                () = sleep_until(last_call.unwrap_or_else(Instant::now)), if last_call.is_some() => return,
            }
        }
        // Closing a socket with unread bytes in it resets the connection, and the reset may overtake the last answer.
        // So the client gets the end of the stream first and a moment to close its side.
        if writer.shutdown().await.is_ok() {
            let rest = async {
                while reader.read_buf(&mut input).await.is_ok_and(|n| n > 0) {
                    input.clear();
                }
            };
            // Too late or done: either way the socket is closed now.
            let _ = timeout(LINGER, rest).await;
        }
    }
}
