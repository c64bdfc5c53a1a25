//! The task that owns the socket: it moves bytes and time between the network and the session core, and decides
//! nothing.

mod dial;
#[cfg(feature = "__sasl")]
mod login;
mod transport;

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::BytesMut;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Sleep, sleep_until};
use tracing::{Instrument, Span, debug, field, info, info_span, trace, warn};
use zk_proto::HostPort;
use zk_proto::four_letter::ServerVersion;

use crate::client::{WatchItem, WatchedEvent};
use crate::error::{Attempt, ConnectError};
use crate::options::ConnectOptions;
#[cfg(feature = "__sasl")]
use crate::sasl::{Answer, SaslError, SaslOptions};
use crate::session::{
    CallError, Input, Output, Reply, SaslAnswer, SaslStep, Session, SessionState, WatcherId,
};
use dial::Dialer;
use transport::Transport;

/// What a request carries through the session and gets its answer by.
pub(crate) type Token = oneshot::Sender<Result<Reply, CallError>>;

/// Where a watcher's events go.
#[derive(Debug)]
pub(crate) enum Sink {
    OneShot(oneshot::Sender<WatchedEvent>),
    Persistent(mpsc::Sender<WatchItem>),
}

/// What the handles and the driver share. The lock is held for moments and never across an await.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) dialer: Dialer,
    #[cfg(feature = "__sasl")]
    sasl: Option<SaslOptions>,
    inner: Mutex<Inner>,
    wake: Notify,
    state: watch::Sender<SessionState>,
    span: Span,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) session: Session<Token>,
    pub(crate) watchers: HashMap<WatcherId, Sink>,
    pub(crate) next_watcher: u64,
    /// The address that serves the session.
    pub(crate) peer: Option<SocketAddr>,
    /// The version of the server at an address, once it was asked.
    pub(crate) version: Option<(SocketAddr, Option<ServerVersion>)>,
}

impl Inner {
    pub(crate) const fn take_watcher(&mut self) -> u64 {
        self.next_watcher += 1;
        self.next_watcher
    }
}

impl Shared {
    pub(crate) fn new(session: Session<Token>, options: &ConnectOptions) -> Self {
        Self {
            dialer: Dialer::new(options),
            #[cfg(feature = "__sasl")]
            sasl: options.sasl.clone(),
            state: watch::Sender::new(session.state().clone()),
            inner: Mutex::new(Inner {
                session,
                watchers: HashMap::new(),
                next_watcher: 0,
                peer: None,
                version: None,
            }),
            wake: Notify::new(),
            // The session's life is not that of whoever opens it, so its span is a root.
            span: info_span!(parent: None, "zookeeper.session", session = field::Empty),
        }
    }

    /// The state under its lock. A panic elsewhere does not spoil it: every change to it is whole.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the driver look at the session again.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(crate) fn state(&self) -> watch::Receiver<SessionState> {
        self.state.subscribe()
    }

    /// Delivers what the session has to say; returns what is for the socket.
    pub(crate) fn deliver(&self, inner: &mut Inner) -> Option<SocketOrder> {
        while let Some(output) = inner.session.poll_output() {
            match output {
                Output::Connect(host) => return Some(SocketOrder::Connect(host)),
                Output::Disconnect => return Some(SocketOrder::Disconnect),
                Output::Completed(token, result) => {
                    trace!(name: "zookeeper.call", error = result.as_ref().err().map(field::debug));
                    // Whoever does not wait any more needs no answer.
                    drop(token.send(result));
                }
                Output::Event(watcher, event_type, path) => {
                    tell(
                        &mut inner.watchers,
                        watcher,
                        WatchedEvent { event_type, path },
                    );
                }
                Output::Gap(watchers) => {
                    debug!(name: "zookeeper.watches.gap", watchers = watchers.len(), "zookeeper watches stand again");
                    tell_all(inner, &watchers, &WatchItem::Gap);
                }
                Output::Suspended(watchers) => {
                    warn!(name: "zookeeper.watches.suspended", watchers = watchers.len(), host = %inner.session.current_host(), "zookeeper server cannot watch");
                    tell_all(inner, &watchers, &WatchItem::Suspended);
                }
                Output::AskVersion(ask) => return Some(SocketOrder::AskVersion(ask)),
                Output::ProbeWritable(probe, host) => {
                    return Some(SocketOrder::ProbeWritable(probe, host));
                }
                Output::Sasl(step) => return Some(SocketOrder::Sasl(step)),
                Output::State(state) => {
                    let session = inner.session.id();
                    if state.is_connected() {
                        self.span.record("session", field::display(session));
                    }
                    info!(name: "zookeeper.session.state", %session, host = %inner.session.current_host(), ?state, "zookeeper session");
                    if let SessionState::Ended(_) = state {
                        inner.watchers.clear();
                    }
                    self.state.send_replace(state);
                }
            }
        }
        None
    }
}

fn tell_all(inner: &Inner, watchers: &[WatcherId], item: &WatchItem) {
    for watcher in watchers {
        if let Some(Sink::Persistent(queue)) = inner.watchers.get(watcher) {
            // A full queue ends with a gap already.
            let _ = queue.try_send(item.clone());
        }
    }
}

/// An event for a watcher. The last place of a persistent watcher's queue is for a gap: a reader who is too slow learns
/// that events are missing, and the queue never grows.
fn tell(watchers: &mut HashMap<WatcherId, Sink>, watcher: WatcherId, event: WatchedEvent) {
    match watchers.get(&watcher) {
        Some(Sink::OneShot(_)) => {
            if let Some(Sink::OneShot(sink)) = watchers.remove(&watcher) {
                let _ = sink.send(event);
            }
        }
        Some(Sink::Persistent(queue)) => {
            let item = if queue.capacity() == 1 {
                warn!(name: "zookeeper.watch.overrun", path = event.path, "zookeeper watch is read too slowly");
                WatchItem::Gap
            } else {
                WatchItem::Event(event)
            };
            let _ = queue.try_send(item);
        }
        None => {}
    }
}

pub(crate) enum SocketOrder {
    Connect(HostPort),
    Disconnect,
    AskVersion(u64),
    ProbeWritable(u64, HostPort),
    Sasl(SaslStep),
}

/// Asks the server that serves for its version, and tells the session.
fn ask_version(shared: &Arc<Shared>, host: HostPort, peer: Option<SocketAddr>, ask: u64) {
    let shared = Arc::clone(shared);
    let span = shared.span.clone();
    let asking = async move {
        let version = match peer {
            Some(peer) => shared.dialer.server_version(&host.host, peer).await,
            None => None,
        };
        debug!(name: "zookeeper.server.version", %host, version = version.map(field::display), "zookeeper server's version");
        let mut inner = shared.lock();
        if let Some(peer) = peer.filter(|peer| inner.peer == Some(*peer)) {
            inner.version = Some((peer, version));
        }
        inner
            .session
            .handle_input(now(), Input::Version { ask, version });
        drop(inner);
        shared.wake();
    };
    tokio::spawn(asking.instrument(span));
}

/// Asks a server whether it takes writes, and tells the session.
fn probe_writable(shared: &Arc<Shared>, host: HostPort, probe: u64) {
    let shared = Arc::clone(shared);
    let span = shared.span.clone();
    let probing = async move {
        let writable = shared.dialer.is_writable(host.clone()).await;
        debug!(name: "zookeeper.server.writable", %host, writable, "zookeeper server was asked whether it takes writes");
        let mut inner = shared.lock();
        inner
            .session
            .handle_input(now(), Input::Probed { probe, writable });
        drop(inner);
        shared.wake();
    };
    tokio::spawn(probing.instrument(span));
}

/// Runs the session until it is over. Whoever waits is told so even if the future is dropped before its first poll.
pub(crate) fn run(shared: Arc<Shared>) -> impl Future<Output = ()> + Send {
    let span = shared.span.clone();
    let abandon = AbandonOnDrop(shared);
    let driving = async move {
        let shared = &abandon.0;
        let mut socket = Socket::default();
        while let Some(due) = socket.step(shared) {
            socket.wait(shared, due).await;
        }
    };
    driving.instrument(span)
}

/// Runs the driver on a thread of its own, which ends with the session.
pub(crate) fn on_a_thread(
    driver: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ConnectError> {
    let failed = |error: io::Error| ConnectError::Thread(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    std::thread::Builder::new()
        .name("zookeeper-session".to_owned())
        .spawn(move || runtime.block_on(driver))
        .map_err(failed)?;
    Ok(())
}

/// The time by the runtime's clock, which a test may have paused.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The connection, or the attempt to make one.
#[derive(Default)]
struct Socket {
    /// The server that is tried or serves.
    host: Option<HostPort>,
    transport: Option<Transport>,
    dialing: Option<Dialing>,
    #[cfg(feature = "__sasl")]
    login: login::Login,
    /// Whether the server has said anything on this connection.
    heard: bool,
    input: BytesMut,
    output: BytesMut,
    /// Fires when the session wants to be woken, or earlier: it is set again only for an earlier time, or once it has
    /// fired.
    timer: Option<Pin<Box<Sleep>>>,
}

type Dialing = Pin<Box<dyn Future<Output = io::Result<Transport>> + Send>>;

/// What the network has done.
enum Happened {
    Dialed(io::Result<Transport>),
    #[cfg(feature = "__sasl")]
    LoggedIn(Result<Answer, SaslError>),
    Read(io::Result<usize>),
    Written(io::Result<()>),
}

impl Socket {
    /// Brings session and socket level: outputs are done, outgoing bytes are written as far as the socket takes them.
    /// Returns when the session wants to be woken; `None` when it is over.
    fn step(&mut self, shared: &Arc<Shared>) -> Option<Instant> {
        loop {
            let mut guard = shared.lock();
            if guard.session.poll_timeout().is_some_and(|at| now() >= at) {
                // What has arrived is heard before anything is called silent.
                drop(guard);
                self.hear(shared);
                guard = shared.lock();
            }
            let inner = &mut *guard;
            let now = now();
            if inner.session.poll_timeout().is_some_and(|at| now >= at) {
                inner.session.handle_input(now, Input::Timeout);
            }
            let order = shared.deliver(inner);
            if self.output.is_empty() {
                std::mem::swap(&mut self.output, inner.session.outgoing());
            } else {
                self.output.extend_from_slice(inner.session.outgoing());
                inner.session.outgoing().clear();
            }
            let due = inner.session.poll_timeout();
            match order {
                Some(SocketOrder::Connect(host)) => {
                    inner.peer = None;
                    drop(guard);
                    self.close();
                    self.host = Some(host.clone());
                    debug!(name: "zookeeper.connect.start", %host, "zookeeper server is tried");
                    self.dialing = Some(Box::pin(shared.dialer.clone().dial(host)));
                    continue;
                }
                Some(SocketOrder::Disconnect) => {
                    inner.peer = None;
                    self.tell_of_cut(&inner.session);
                    drop(guard);
                    // The last words, such as the end of a session.
                    if let Some(transport) = self.transport.take() {
                        transport.finish(&mut self.output);
                    }
                    self.close();
                    continue;
                }
                Some(SocketOrder::AskVersion(ask)) => {
                    let host = inner.session.current_host();
                    ask_version(shared, host, inner.peer, ask);
                    continue;
                }
                Some(SocketOrder::ProbeWritable(probe, host)) => {
                    probe_writable(shared, host, probe);
                    continue;
                }
                Some(SocketOrder::Sasl(step)) => {
                    drop(guard);
                    self.sasl(shared, step);
                    continue;
                }
                None => drop(guard),
            }
            if let Some(transport) = &mut self.transport
                && (!self.output.is_empty() || transport.wants_write())
                && let Poll::Ready(Err(error)) = transport.write_now(&mut self.output)
            {
                self.broken(shared, &error);
                continue;
            }
            return due;
        }
    }

    /// The session has given up a connection that stands. The end of a session is told as its state.
    fn tell_of_cut(&self, session: &Session<Token>) {
        let is_over = matches!(session.state(), SessionState::Ended(_));
        let mut attempts = session.attempts().iter();
        let attempt = attempts.find(|attempt| Some(&attempt.host) == self.host.as_ref());
        if !is_over
            && let Some(Attempt {
                host,
                failure: Some(reason),
            }) = attempt
        {
            debug!(name: "zookeeper.connection.lost", %host, %reason, "zookeeper connection given up");
        }
    }

    /// Waits until there is something to do, and does the socket's part of it.
    async fn wait(&mut self, shared: &Shared, due: Instant) {
        let due = due.into();
        let mut timer = self
            .timer
            .take()
            .unwrap_or_else(|| Box::pin(sleep_until(due)));
        if due < timer.deadline() || timer.is_elapsed() {
            timer.as_mut().reset(due);
        }
        let happened = tokio::select! {
            // A socket that always has something keeps nobody out: `step` looks at the session and at the time.
            biased;
            happened = poll_fn(|cx| self.poll(cx)) => Some(happened),
            () = shared.wake.notified() => None,
            () = timer.as_mut() => None,
        };
        self.timer = Some(timer);
        match happened {
            Some(Happened::Dialed(connected)) => self.dialed(shared, connected),
            #[cfg(feature = "__sasl")]
            Some(Happened::LoggedIn(answer)) => self.logged_in(shared, answer),
            Some(Happened::Read(read)) => {
                if let Err(error) = self.received(shared, read) {
                    self.lost(shared, error.to_string());
                }
            }
            Some(Happened::Written(Err(error))) => self.broken(shared, &error),
            Some(Happened::Written(Ok(()))) | None => {}
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Happened> {
        if let Some(dialing) = &mut self.dialing
            && let Poll::Ready(connected) = dialing.as_mut().poll(cx)
        {
            return Poll::Ready(Happened::Dialed(connected));
        }
        #[cfg(feature = "__sasl")]
        if let Poll::Ready(answer) = self.login.poll(cx) {
            return Poll::Ready(Happened::LoggedIn(answer));
        }
        let Some(transport) = &mut self.transport else {
            return Poll::Pending;
        };
        // What `step` could not write.
        if (!self.output.is_empty() || transport.wants_write())
            && let Poll::Ready(written) = transport.poll_write(cx, &mut self.output)
        {
            return Poll::Ready(Happened::Written(written));
        }
        transport.poll_read(cx, &mut self.input).map(Happened::Read)
    }

    fn dialed(&mut self, shared: &Shared, connected: io::Result<Transport>) {
        self.dialing = None;
        let mut inner = shared.lock();
        match connected {
            Ok(transport) => {
                inner.peer = transport.peer_addr().ok();
                self.transport = Some(transport);
                inner.session.handle_input(now(), Input::Connected);
            }
            Err(error) => {
                debug!(name: "zookeeper.connect.failed", host = %inner.session.current_host(), %error, "zookeeper server not reached");
                inner
                    .session
                    .handle_input(now(), Input::ConnectFailed(error.to_string()));
            }
        }
    }

    #[cfg(feature = "__sasl")]
    fn sasl(&mut self, shared: &Shared, step: SaslStep) {
        if let Some(options) = &shared.sasl {
            self.login.work(options, step);
        }
    }

    /// Without a mechanism nobody asks for one.
    #[cfg(not(feature = "__sasl"))]
    fn sasl(&mut self, shared: &Shared, _: SaslStep) {
        let refusal = SaslAnswer::Failed("there is no mechanism".to_owned());
        let input = Input::Sasl(refusal);
        shared.lock().session.handle_input(now(), input);
    }

    #[cfg(feature = "__sasl")]
    fn logged_in(&mut self, shared: &Shared, answer: Result<Answer, SaslError>) {
        let answer = match answer {
            Ok(Answer::Send(token)) => SaslAnswer::Send(token),
            Ok(Answer::Done) => SaslAnswer::Done,
            // What goes wrong on this side may go well later or with another server: tickets run out and Kerberos
            // servers restart. Only a server's refusal is the end.
            Err(error) => return self.lost(shared, error.to_string()),
        };
        let input = Input::Sasl(answer);
        shared.lock().session.handle_input(now(), input);
    }

    /// Reads what has arrived, without waiting for it; says whether there was something.
    fn hear(&mut self, shared: &Shared) -> bool {
        let Some(transport) = &mut self.transport else {
            return false;
        };
        let Poll::Ready(read) = transport.read_now(&mut self.input) else {
            return false;
        };
        let received = self.received(shared, read);
        if let Err(error) = &received {
            self.lost(shared, error.to_string());
        }
        received.is_ok()
    }

    fn received(&mut self, shared: &Shared, read: io::Result<usize>) -> io::Result<()> {
        let wrong_port = |transport: &Transport| transport.wrong_port(&self.input);
        let is_told = read.as_ref().map_or_else(
            |error| error.kind() == io::ErrorKind::ConnectionReset,
            |_| true,
        );
        if !self.heard
            && is_told
            && let Some(reason) = self.transport.as_ref().and_then(wrong_port)
        {
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        if read? == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server closed the connection",
            ));
        }
        self.heard = true;
        shared
            .lock()
            .session
            .handle_input(now(), Input::Received(&mut self.input));
        Ok(())
    }

    /// Writing has failed. Answers that have arrived are answers all the same.
    fn broken(&mut self, shared: &Shared, error: &io::Error) {
        while self.hear(shared) {}
        if self.transport.is_some() {
            self.lost(shared, error.to_string());
        }
    }

    fn lost(&mut self, shared: &Shared, reason: String) {
        self.close();
        let mut inner = shared.lock();
        debug!(name: "zookeeper.connection.lost", host = %inner.session.current_host(), %reason, "zookeeper connection lost");
        inner.peer = None;
        inner.session.handle_input(now(), Input::Lost(reason));
    }

    fn close(&mut self) {
        self.transport = None;
        self.dialing = None;
        #[cfg(feature = "__sasl")]
        {
            self.login = login::Login::default();
        }
        self.heard = false;
        self.input.clear();
        self.output.clear();
    }
}

/// When the driver's task goes (its runtime ends, or it panics), nobody is left waiting.
struct AbandonOnDrop(Arc<Shared>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        let mut inner = self.0.lock();
        inner.session.abandon();
        while self.0.deliver(&mut inner).is_some() {}
    }
}
