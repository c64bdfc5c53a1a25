//! The core on a TCP port. It moves bytes and time, and decides nothing.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::ReadHalf;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use crate::ServerOptions;
use crate::SessionId;
use crate::core::{ConnectionId, Core, Now};
use crate::faults::Faults;
use crate::options::millis;

/// How many bytes are moved at once.
const CHUNK_BYTES: usize = 64 << 10;

/// How long a connection that is being closed may take to accept its last bytes, and then to close its own side.
const LINGER: Duration = Duration::from_secs(1);

/// How many bytes a connection that is delayed holds back; the core holds the rest.
const DELAYED_BYTES_MAX: usize = 1 << 20;

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
                links: HashMap::new(),
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
    /// Those that the core does not know any more too, as long as their tasks run.
    links: HashMap<ConnectionId, Arc<Link>>,
    /// What the timer is set to.
    armed_ms: Option<u64>,
}

/// What others tell the task of a connection.
#[derive(Debug, Default)]
struct Link {
    waker: Notify,
    /// Nothing reaches the core or leaves it any more, and the client is not told.
    is_swallowed: AtomicBool,
}

impl Shared {
    /// Does something to the core and wakes everyone for whom that made work.
    pub(crate) fn with<T>(&self, step: impl FnOnce(&mut Core, Now) -> T) -> T {
        let mut state = self.lock();
        let result = step(&mut state.core, now_since(self.started));
        while let Some(id) = state.core.next_ready() {
            if let Some(link) = state.links.get(&id) {
                link.waker.notify_one();
            }
        }
        let wake_at_ms = state.core.wake_at_ms();
        if wake_at_ms.is_some_and(|wake| state.armed_ms.is_none_or(|armed| wake < armed)) {
            state.armed_ms = wake_at_ms;
            self.timer.notify_one();
        }
        result
    }

    /// Takes a connection in; `None` when there are too many.
    fn connect(&self, peer: SocketAddr, swallow: bool) -> Option<(ConnectionId, Arc<Link>)> {
        if self.lock().links.len() >= self.connections_max {
            return None;
        }
        let link = Arc::new(Link::default());
        let id = self.with(|core, now| core.connected(now, peer));
        self.lock().links.insert(id, Arc::clone(&link));
        if swallow {
            self.swallow(id);
        }
        Some((id, link))
    }

    fn disconnect(&self, id: ConnectionId) {
        self.with(|core, _| core.disconnected(id));
        self.lock().links.remove(&id);
    }

    /// Makes a connection half-open.
    fn swallow(&self, id: ConnectionId) {
        self.with(|core, _| core.disconnected(id));
        if let Some(link) = self.lock().links.get(&id) {
            link.is_swallowed.store(true, Ordering::Relaxed);
            link.waker.notify_one();
        }
    }

    pub(crate) fn swallow_connection_of(&self, session: SessionId) -> bool {
        let connection = self.lock().core.connection_of(session);
        if let Some(id) = connection {
            self.swallow(id);
        }
        connection.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The core does not panic; if it did, its other connections are still worth serving.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the timer: when to tick next.
    fn arm(&self) -> Option<Instant> {
        let mut state = self.lock();
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
        let pause = faults.borrow_and_update().pause;
        let wake = shared.arm();
        tokio::select! {
            _ = stopped.changed() => break,
            _ = faults.changed() => {}
            accepted = listener.accept(), if !pause => match accepted {
                Ok((stream, peer)) if !shared.faults.borrow().refuse => {
                    let swallow = shared.faults.borrow().swallow;
                    if let Some((id, link)) = shared.connect(peer, swallow) {
                        connections.spawn(Connection { id, link, shared: Arc::clone(&shared) }.run(stream));
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
    link: Arc<Link>,
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
        let mut output = Output::default();
        let mut last_call = None;
        let id = self.id;
        loop {
            if self.link.is_swallowed.load(Ordering::Relaxed) {
                // What was already said goes no further either.
                return drain(&mut reader, &mut input).await;
            }
            let (wants_input, is_over, session) = self.shared.with(|core, now| {
                if output.has_room() {
                    output.push(core.take_output(now, id, CHUNK_BYTES));
                }
                (core.wants_input(id), core.is_over(id), core.session_of(id))
            });
            let (pause, delay) = {
                let faults = faults.borrow_and_update();
                (faults.pause, faults.delay_of(session))
            };
            if is_over {
                if output.is_empty() {
                    break;
                }
                last_call.get_or_insert_with(|| Instant::now() + delay + LINGER);
            }
            let due = output.due(delay);
            let is_due = due.is_some_and(|due| due <= Instant::now());
            tokio::select! {
                written = writer.write_buf(output.front()), if is_due && !pause => {
                    match written {
                        Ok(count) => output.forget(count),
                        Err(_) => return,
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() && !is_due => {}
                read = reader.read_buf(&mut input), if wants_input && !pause => match read {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {
                        self.shared.with(|core, now| core.received(now, id, &input));
                        input.clear();
                    }
                },
                () = self.link.waker.notified() => {}
                _ = faults.changed() => {}
                () = sleep_until(last_call.unwrap_or_else(Instant::now)), if last_call.is_some() => return,
            }
        }
        // Closing a socket with unread bytes in it resets the connection, and the reset may overtake the last answer.
        // So the client gets the end of the stream first and a moment to close its side.
        if writer.shutdown().await.is_ok() {
            // Too late or done: either way the socket is closed now.
            let _ = timeout(LINGER, drain(&mut reader, &mut input)).await;
        }
    }
}

/// Reads to the end of the stream.
async fn drain(reader: &mut ReadHalf<'_>, input: &mut BytesMut) {
    input.clear();
    while reader.read_buf(input).await.is_ok_and(|n| n > 0) {
        input.clear();
    }
}

/// What has to be written, with the time at which it was said.
#[derive(Default)]
struct Output {
    chunks: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    nothing: Bytes,
}

impl Output {
    fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    const fn has_room(&self) -> bool {
        self.bytes < DELAYED_BYTES_MAX
    }

    fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.bytes += chunk.len();
            self.chunks.push_back((Instant::now(), chunk));
        }
    }

    /// When the first chunk may go.
    fn due(&self, delay: Duration) -> Option<Instant> {
        self.chunks.front().map(|(said, _)| *said + delay)
    }

    /// The first chunk, of which a part may have gone.
    fn front(&mut self) -> &mut Bytes {
        let first = self.chunks.front_mut();
        first.map_or(&mut self.nothing, |(_, chunk)| chunk)
    }

    /// So many bytes of the first chunk have gone.
    fn forget(&mut self, count: usize) {
        self.bytes = self.bytes.saturating_sub(count);
        if self
            .chunks
            .front()
            .is_some_and(|(_, chunk)| chunk.is_empty())
        {
            self.chunks.pop_front();
        }
    }
}
