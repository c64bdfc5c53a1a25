//! The core on a TCP port. It moves bytes and time, and decides nothing.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
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
use crate::storage::{Folder, Log, Progress, Queue, Snapshot, StorageError, Writer};

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
    /// Ends, and unlocks the folder, when this is dropped.
    writer: Option<Writer>,
}

impl Server {
    /// Binds `address` and serves it on the current tokio runtime. Port 0 takes a free port: see
    /// [`Self::local_addr`].
    ///
    /// # Errors
    /// The address cannot be resolved or bound. Of a data folder, inside of the error as a
    /// [`StorageError`]: another server uses it, a file in it is damaged, or the
    /// operating system refuses something.
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO and time enabled.
    pub async fn start(address: impl ToSocketAddrs, options: ServerOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let data_dir = options.data_dir.clone();
        let started = Instant::now();
        let mut core = Core::new(options.clone(), fastrand::u64(..), now_since(started));
        let opened = match data_dir {
            None => None,
            Some(path) => {
                let (restored, opened) = restore(core, path, started).await?;
                core = restored;
                Some(opened)
            }
        };
        Self::run(listener, &options, started, core, opened)
    }

    fn run(
        listener: TcpListener,
        options: &ServerOptions,
        started: Instant,
        core: Core,
        opened: Option<(Folder, Log)>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let queue = opened.is_some().then(|| Arc::new(Queue::new()));
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                core,
                links: HashMap::new(),
                armed_ms: None,
            }),
            started,
            connections_max: options.connections_max,
            timer: Notify::new(),
            faults: watch::Sender::new(Faults::default()),
            queue: queue.clone(),
        });
        let writer = match opened.zip(queue) {
            None => None,
            Some(((folder, log), queue)) => {
                let shared = Arc::clone(&shared);
                let snapshot = move |queue: &Queue| {
                    let state = shared.lock();
                    Snapshot::take(queue, &state.core)
                };
                Some(Writer::start(folder, log, queue, options, snapshot)?)
            }
        };
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(serve(listener, Arc::clone(&shared), stopped));
        Ok(Self {
            shared,
            address,
            stop,
            task,
            writer,
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

    /// Stops listening and cuts every connection; returns when the port is free, and so is the data folder.
    ///
    /// # Cancel safety
    /// Dropping the future stops the server all the same.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        // An error means that the task has ended otherwise, which is what was asked for.
        let _ = (&mut self.task).await;
        if let Some(writer) = self.writer.take() {
            // An error means that the runtime ends, and then it is dropped all the same.
            let _ = tokio::task::spawn_blocking(move || drop(writer)).await;
        }
    }

    /// Why the server has stopped, where it could not keep what clients wrote.
    #[must_use]
    pub fn storage_failure(&self) -> Option<Arc<StorageError>> {
        let queue = self.shared.queue.as_ref()?;
        queue.progress.borrow().failure.clone()
    }
}

/// Brings a server to the state that is in a folder.
async fn restore(
    mut core: Core,
    path: PathBuf,
    started: Instant,
) -> io::Result<(Core, (Folder, Log))> {
    let restored = tokio::task::spawn_blocking(move || {
        let opened = Folder::open(&path, &mut core, || now_since(started))?;
        core.keep_log();
        Ok::<_, StorageError>((core, opened))
    });
    Ok(restored.await.map_err(io::Error::other)??)
}

impl Drop for Server {
    fn drop(&mut self) {
        // The task owns the listener and the tasks of the connections. The writer, dropped next, blocks for as long as
        // it takes to write what is queued.
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
    /// Of the data folder, where there is one.
    queue: Option<Arc<Queue>>,
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
        if let Some(queue) = &self.queue {
            state.core.take_log(|record| queue.push(record));
        }
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
    let mut failed = pin!(failed(shared.queue.as_deref()));
    loop {
        let pause = faults.borrow_and_update().pause;
        let wake = shared.arm();
        tokio::select! {
            _ = stopped.changed() => break,
            _ = faults.changed() => {}
            () = &mut failed => break,
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

/// Waits until nothing will be kept any more.
async fn failed(queue: Option<&Queue>) {
    if let Some(queue) = queue {
        let mut progress = queue.progress.subscribe();
        let failure = progress.wait_for(|progress| progress.failure.is_some());
        if failure.await.is_ok() {
            return;
        }
    }
    std::future::pending().await
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
        let mut kept = Kept::new(self.shared.queue.as_deref());
        let mut last_call = None;
        let id = self.id;
        loop {
            if self.link.is_swallowed.load(Ordering::Relaxed) {
                // What was already said goes no further either.
                return drain(&mut reader, &mut input).await;
            }
            let mut said = Bytes::new();
            let (wants_input, is_over, session) = self.shared.with(|core, now| {
                if output.has_room() {
                    said = core.take_output(now, id, CHUNK_BYTES);
                }
                (core.wants_input(id), core.is_over(id), core.session_of(id))
            });
            // What it tells was queued before.
            output.push(said, kept.queued());
            let (pause, delay) = {
                let faults = faults.borrow_and_update();
                (faults.pause, faults.delay_of(session))
            };
            let is_kept = output.is_kept(&mut kept);
            let is_behind = kept.is_behind();
            if is_over {
                if output.is_empty() {
                    break;
                }
                if is_kept {
                    last_call.get_or_insert_with(|| Instant::now() + delay + LINGER);
                }
            }
            let due = output.due(delay).filter(|_| is_kept);
            let is_due = due.is_some_and(|due| due <= Instant::now());
            tokio::select! {
                written = writer.write_buf(output.front()), if is_due && !pause => {
                    match written {
                        Ok(count) => output.forget(count),
                        Err(_) => return,
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() && !is_due => {}
                read = reader.read_buf(&mut input), if wants_input && !is_behind && !pause => match read {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {
                        self.shared.with(|core, now| core.received(now, id, &input));
                        input.clear();
                    }
                },
                () = self.link.waker.notified() => {}
                () = kept.changed(), if !is_kept || is_behind => {}
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

/// How far the data folder is; without one everything is as good as kept.
struct Kept<'a> {
    queue: Option<&'a Queue>,
    progress: Option<watch::Receiver<Progress>>,
}

impl<'a> Kept<'a> {
    fn new(queue: Option<&'a Queue>) -> Self {
        Self {
            queue,
            progress: queue.map(|queue| queue.progress.subscribe()),
        }
    }

    fn queued(&self) -> u64 {
        self.queue.map_or(0, Queue::queued)
    }

    fn is_behind(&self) -> bool {
        self.queue.is_some_and(Queue::is_full)
    }

    fn has(&mut self, queued: u64) -> bool {
        let progress = self.progress.as_mut();
        progress.is_none_or(|progress| progress.borrow_and_update().kept >= queued)
    }

    /// Waits until more is kept, or nothing will be any more.
    async fn changed(&mut self) {
        if let Some(progress) = &mut self.progress
            && progress.changed().await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}

/// What has to be written.
#[derive(Default)]
struct Output {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    nothing: Bytes,
}

struct Chunk {
    said: Instant,
    /// How many bytes have to be kept before it may go.
    queued: u64,
    bytes: Bytes,
}

impl Output {
    fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    const fn has_room(&self) -> bool {
        self.bytes < DELAYED_BYTES_MAX
    }

    fn push(&mut self, bytes: Bytes, queued: u64) {
        if !bytes.is_empty() {
            self.bytes += bytes.len();
            self.chunks.push_back(Chunk {
                said: Instant::now(),
                queued,
                bytes,
            });
        }
    }

    /// Whether what the first chunk tells is kept.
    fn is_kept(&self, kept: &mut Kept<'_>) -> bool {
        let first = self.chunks.front();
        first.is_none_or(|chunk| kept.has(chunk.queued))
    }

    /// When the first chunk may go.
    fn due(&self, delay: Duration) -> Option<Instant> {
        self.chunks.front().map(|chunk| chunk.said + delay)
    }

    /// The first chunk, of which a part may have gone.
    fn front(&mut self) -> &mut Bytes {
        let first = self.chunks.front_mut();
        first.map_or(&mut self.nothing, |chunk| &mut chunk.bytes)
    }

    /// So many bytes of the first chunk have gone.
    fn forget(&mut self, count: usize) {
        self.bytes = self.bytes.saturating_sub(count);
        if self
            .chunks
            .front()
            .is_some_and(|chunk| chunk.bytes.is_empty())
        {
            self.chunks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use zk_proto::record::ConnectRequest;
    use zk_proto::{Encode, Zxid, frame};

    use super::*;

    /// A disk that takes nothing any more.
    #[tokio::test]
    async fn what_cannot_be_kept_is_not_answered_and_the_server_stops() {
        let folder = tempfile::tempdir().expect("a folder");
        let options = ServerOptions::default();
        let started = Instant::now();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let core = Core::new(options.clone(), 7, now_since(started));
        let (mut core, (folder, log)) = restore(core, folder.path().to_owned(), started)
            .await
            .expect("a folder that is empty");
        core.keep_log();
        let log = log.that_cannot_be_written();
        let server = Server::run(listener, &options, started, core, Some((folder, log)));
        let server = server.expect("a server");
        let mut client = TcpStream::connect(server.local_addr())
            .await
            .expect("a connection");
        let mut wire = BytesMut::new();
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid(0),
            timeout_ms: 10_000,
            session_id: SessionId::NONE,
            password: Some(&[0; 16]),
            read_only: Some(false),
        };
        frame::encode(&mut wire, 1000, |out| request.encode(out)).expect("a small frame");
        client.write_all(&wire).await.expect("a request sent");
        let mut answer = Vec::new();
        // The connection is cut, perhaps with a reset, and there is no answer.
        let read = timeout(Duration::from_secs(20), client.read_to_end(&mut answer));
        let _ = read.await.expect("the end of the connection");
        assert!(answer.is_empty());
        let failure = server.storage_failure().expect("a failure");
        assert!(matches!(&*failure, StorageError::Io { .. }), "{failure}");
        let refused = TcpStream::connect(server.local_addr()).await;
        assert!(refused.is_err());
        server.shutdown().await;
    }
}
