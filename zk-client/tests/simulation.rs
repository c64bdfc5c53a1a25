//! The session core against the embedded server's core, on one clock and a network that a seed decides: segments are
//! cut at any byte, delayed, swallowed; connections break, half-open, at any moment; servers refuse, sessions expire.
//!
//! A failing seed is printed; `SIMULATION_SEED=n cargo test -p zk-client --test simulation` replays it alone, and
//! `SIMULATION_SEEDS=n` runs the first n instead of the default.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use zk_client::session::{CallError, Config, Input, Output, Reply, Session, WatchKind, WatcherId};
use zk_client::{Acl, CreateMode, EventType, HostPort, Outcome, SessionState, ZnodeVersion};
use zk_proto::record::{
    ConnectRequest, CreateRequest, CreateResponse, ExistsRequest, GetDataRequest, GetDataResponse,
    Request, SetDataRequest,
};
use zk_proto::{Decode, Encode, ErrorCode, Reader, SessionId, Stat, Xid, Zxid, frame};
use zk_server::ServerOptions;
use zk_server::core::{ConnectionId, Core, Now};

const SEEDS: u64 = 2000;
const CLIENTS: usize = 3;
const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
/// How long the network misbehaves, and how long it is then well again for everything to settle.
const TROUBLE: Duration = Duration::from_secs(60);
const PEACE: Duration = Duration::from_secs(60);

#[test]
fn the_session_keeps_its_promises_on_any_network() {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|value| value.parse::<u64>().expect(name))
    };
    if let Some(seed) = number("SIMULATION_SEED") {
        return World::new(seed).run();
    }
    for seed in 0..number("SIMULATION_SEEDS").unwrap_or(SEEDS) {
        let outcome = std::panic::catch_unwind(|| World::new(seed).run());
        if outcome.is_err() {
            panic!("seed {seed} fails: replay it with SIMULATION_SEED={seed}");
        }
    }
}

struct World {
    rng: Rng,
    start: Instant,
    now: Duration,
    core: Core,
    clients: Vec<Client>,
    /// Persistent znodes whose creation was answered, by what the client was told.
    told: BTreeMap<String, Told>,
    refusing: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Created,
    NotApplied,
    Unknown,
}

struct Client {
    index: usize,
    session: Session<u64>,
    link: Link,
    next_token: u64,
    last_completed: u64,
    asked: BTreeMap<u64, Asked>,
    watches: BTreeMap<WatcherId, Watching>,
    ephemerals: Vec<String>,
}

enum Asked {
    Create { path: String },
    Ephemeral { path: String },
    Set,
    Watch { path: String, watcher: WatcherId },
    Exists,
}

/// A one-shot watch that stands since the answer that showed this version.
struct Watching {
    path: String,
    version: i32,
    fired: bool,
}

/// What lies between a client and the server.
enum Link {
    None,
    /// A connection is being made and stands, or fails, at this time.
    Dialing {
        at: Duration,
        fails: bool,
    },
    Up {
        connection: ConnectionId,
        to_server: Pipe,
        to_client: Pipe,
        /// The beginning of a frame.
        received: BytesMut,
    },
}

#[derive(Default)]
struct Pipe {
    segments: VecDeque<(Duration, Bytes)>,
    /// Nothing arrives any more, and nobody is told.
    swallows: bool,
}

impl Pipe {
    fn send(&mut self, rng: &mut Rng, now: Duration, mut bytes: Bytes) {
        while !bytes.is_empty() {
            let piece = bytes.split_to(rng.usize(1..=bytes.len()));
            let delay = Duration::from_millis(if now < TROUBLE && rng.u8(..) < 8 {
                rng.u64(0..3000)
            } else {
                rng.u64(0..20)
            });
            // In order: never before what was sent earlier.
            let due = self
                .segments
                .back()
                .map_or(Duration::ZERO, |(due, _)| *due)
                .max(now + delay);
            self.segments.push_back((due, piece));
        }
    }

    fn due(&self) -> Option<Duration> {
        self.segments
            .front()
            .filter(|_| !self.swallows)
            .map(|(due, _)| *due)
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let start = Instant::now();
        let mut rng = Rng::with_seed(seed);
        let options = ServerOptions {
            tick: Duration::from_secs(2),
            ..ServerOptions::default()
        };
        let core = Core::new(
            options,
            seed,
            Now {
                monotonic_ms: 0,
                wall_ms: 1_700_000_000_000,
            },
        );
        let clients = (0..CLIENTS)
            .map(|index| {
                let config = Config {
                    hosts: vec![
                        HostPort {
                            host: "a".into(),
                            port: 1,
                        },
                        HostPort {
                            host: "b".into(),
                            port: 2,
                        },
                    ],
                    session_timeout: SESSION_TIMEOUT,
                    attempt_timeout: Duration::from_secs(1),
                    max_incoming_bytes: 1 << 20,
                    max_outgoing_bytes: 1 << 20,
                    max_requests: 1000,
                    auth: vec![],
                    sasl: None,
                    read_only: false,
                    seed: rng.u64(..),
                };
                Client {
                    index,
                    session: Session::new(config, start),
                    link: Link::None,
                    next_token: 0,
                    last_completed: 0,
                    asked: BTreeMap::new(),
                    watches: BTreeMap::new(),
                    ephemerals: vec![],
                }
            })
            .collect();
        let mut world = Self {
            rng,
            start,
            now: Duration::ZERO,
            core,
            clients,
            told: BTreeMap::new(),
            refusing: false,
        };
        for index in 0..CLIENTS {
            world.tell_directly(&Request::Create(create(
                &shared(index),
                CreateMode::PERSISTENT,
            )));
        }
        world
    }

    fn run(mut self) {
        while self.now < TROUBLE {
            self.misbehave();
            for index in 0..CLIENTS {
                if self.rng.u8(..) < 80 {
                    self.ask(index);
                }
            }
            let pause = Duration::from_millis(self.rng.u64(1..200));
            self.pass(pause);
        }
        self.refusing = false;
        for index in 0..CLIENTS {
            if let Link::Up {
                to_server,
                to_client,
                ..
            } = &self.clients[index].link
                && (to_server.swallows || to_client.swallows)
            {
                self.cut(index);
            }
        }
        self.pass(PEACE);
        self.check();
    }

    fn misbehave(&mut self) {
        let index = self.rng.usize(0..CLIENTS);
        match self.rng.u8(..) {
            0..6 => self.cut(index),
            6..9 => {
                if let Link::Up { to_server, .. } = &mut self.clients[index].link {
                    to_server.swallows = true;
                }
            }
            9..12 => {
                if let Link::Up { to_client, .. } = &mut self.clients[index].link {
                    to_client.swallows = true;
                }
            }
            12..14 => self.refusing = !self.refusing,
            14 => {
                let now = self.server_now();
                let id = self.clients[index].session.id();
                if id != SessionId::NONE && self.rng.bool() {
                    self.core.expire_session(now, id);
                    self.flush_server();
                }
            }
            15 => {
                self.core.drop_connections();
                self.flush_server();
            }
            _ => {}
        }
    }

    fn ask(&mut self, index: usize) {
        let now = self.instant();
        let choice = self.rng.u8(0..10);
        let target = shared(self.rng.usize(0..CLIENTS));
        let client = &mut self.clients[index];
        client.next_token += 1;
        let token = client.next_token;
        let unique = format!("/c{index}-{token}");
        match choice {
            0..3 => {
                client.asked.insert(
                    token,
                    Asked::Create {
                        path: unique.clone(),
                    },
                );
                client.session.submit(
                    now,
                    &Request::Create(create(&unique, CreateMode::PERSISTENT)),
                    None,
                    None,
                    token,
                );
            }
            3 => {
                client.asked.insert(
                    token,
                    Asked::Ephemeral {
                        path: unique.clone(),
                    },
                );
                client.session.submit(
                    now,
                    &Request::Create(create(&unique, CreateMode::EPHEMERAL)),
                    None,
                    None,
                    token,
                );
            }
            4..6 => {
                client.asked.insert(token, Asked::Set);
                let request = SetDataRequest {
                    path: &target,
                    data: Some(b"x"),
                    version: ZnodeVersion::ANY,
                };
                client
                    .session
                    .submit(now, &Request::SetData(request), None, None, token);
            }
            6..8 => {
                let watcher = WatcherId(token);
                client.asked.insert(
                    token,
                    Asked::Watch {
                        path: target.clone(),
                        watcher,
                    },
                );
                let request = Request::GetData(GetDataRequest {
                    path: &target,
                    watch: true,
                });
                client.session.submit(
                    now,
                    &request,
                    Some((WatchKind::Data, target.clone(), watcher)),
                    None,
                    token,
                );
            }
            _ => {
                client.asked.insert(token, Asked::Exists);
                let request = Request::Exists(ExistsRequest {
                    path: &target,
                    watch: false,
                });
                client.session.submit(now, &request, None, None, token);
            }
        }
        self.settle(index);
    }

    /// Lets time pass, event by event.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let next = (0..CLIENTS).filter_map(|index| self.due(index)).min();
            let server = self.core.wake_at_ms().map(Duration::from_millis);
            let next = [next, server]
                .into_iter()
                .flatten()
                .min()
                .filter(|next| *next <= end);
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            if server.is_some_and(|due| due <= self.now) {
                self.core.tick(self.server_now());
                self.flush_server();
            }
            for index in 0..CLIENTS {
                self.step(index);
            }
        }
        self.now = end;
    }

    fn due(&self, index: usize) -> Option<Duration> {
        let client = &self.clients[index];
        let timer = client
            .session
            .poll_timeout()
            .map(|at| at.saturating_duration_since(self.start));
        let link = match &client.link {
            Link::None => None,
            Link::Dialing { at, .. } => Some(*at),
            Link::Up {
                to_server,
                to_client,
                ..
            } => to_server.due().into_iter().chain(to_client.due()).min(),
        };
        timer.into_iter().chain(link).min()
    }

    fn step(&mut self, index: usize) {
        let (now, instant) = (self.now, self.instant());
        if self.clients[index]
            .session
            .poll_timeout()
            .is_some_and(|at| at <= instant)
        {
            self.clients[index]
                .session
                .handle_input(instant, Input::Timeout);
            self.settle(index);
        }
        if let Link::Dialing { at, fails } = self.clients[index].link
            && at <= now
        {
            if fails || self.refusing {
                self.clients[index].link = Link::None;
                self.clients[index]
                    .session
                    .handle_input(instant, Input::ConnectFailed("refused".into()));
            } else {
                let connection = self
                    .core
                    .connected(self.server_now(), "127.0.0.1:9".parse().unwrap());
                self.clients[index].link = Link::Up {
                    connection,
                    to_server: Pipe::default(),
                    to_client: Pipe::default(),
                    received: BytesMut::new(),
                };
                self.clients[index]
                    .session
                    .handle_input(instant, Input::Connected);
            }
            self.settle(index);
        }
        while let Link::Up {
            connection,
            to_server,
            ..
        } = &mut self.clients[index].link
            && to_server.due().is_some_and(|due| due <= now)
        {
            let connection = *connection;
            let (_, bytes) = to_server.segments.pop_front().unwrap();
            self.core.received(self.server_now(), connection, &bytes);
            self.flush_server();
        }
        while let Link::Up {
            to_client,
            received,
            ..
        } = &mut self.clients[index].link
            && to_client.due().is_some_and(|due| due <= now)
        {
            let (_, bytes) = to_client.segments.pop_front().unwrap();
            if bytes.is_empty() {
                // The server has closed.
                self.break_link(index);
                self.clients[index]
                    .session
                    .handle_input(instant, Input::Lost("closed".into()));
            } else {
                received.extend_from_slice(&bytes);
                let mut input = std::mem::take(received);
                self.clients[index]
                    .session
                    .handle_input(instant, Input::Received(&mut input));
                if let Link::Up { received, .. } = &mut self.clients[index].link {
                    *received = input;
                }
            }
            self.settle(index);
        }
    }

    /// Does what the session has to say, and sends what it has written.
    fn settle(&mut self, index: usize) {
        loop {
            let client = &mut self.clients[index];
            if !client.session.outgoing().is_empty() {
                let bytes = client.session.outgoing().split().freeze();
                if let Link::Up { to_server, .. } = &mut client.link {
                    to_server.send(&mut self.rng, self.now, bytes);
                }
            }
            let Some(output) = client.session.poll_output() else {
                return;
            };
            match output {
                Output::Connect(_) => {
                    self.break_link(index);
                    let at = self.now + Duration::from_millis(self.rng.u64(0..30));
                    let fails = self.now < TROUBLE && self.rng.u8(..) < 20;
                    self.clients[index].link = Link::Dialing { at, fails };
                }
                Output::Disconnect => self.break_link(index),
                Output::Completed(token, result) => self.completed(index, token, result),
                Output::Event(watcher, event, path) => {
                    let watching = client
                        .watches
                        .get_mut(&watcher)
                        .expect("an event of a watch that stands");
                    assert_eq!(
                        (event, &path),
                        (EventType::NODE_DATA_CHANGED, &watching.path)
                    );
                    assert!(!watching.fired, "a one-shot watch fires once");
                    watching.fired = true;
                }
                Output::Gap(_)
                | Output::Suspended(_)
                | Output::AskVersion(_)
                | Output::ProbeWritable(..)
                | Output::Sasl(_) => {
                    unreachable!("nothing is newer than 3.4 here")
                }
                Output::State(_) => {}
            }
        }
    }

    fn completed(&mut self, index: usize, token: u64, result: Result<Reply, CallError>) {
        let client = &mut self.clients[index];
        assert!(
            token > client.last_completed,
            "answers come in the order of the calls"
        );
        client.last_completed = token;
        let asked = client
            .asked
            .remove(&token)
            .expect("every call is answered once");
        match asked {
            Asked::Create { path } => {
                let told = match &result {
                    Ok(reply) => {
                        assert_eq!(
                            CreateResponse::decode(&mut Reader::new(&reply.body))
                                .unwrap()
                                .path,
                            path
                        );
                        Told::Created
                    }
                    Err(
                        CallError::Lost(Outcome::Unknown) | CallError::Ended(_, Outcome::Unknown),
                    ) => Told::Unknown,
                    Err(
                        CallError::Lost(Outcome::NotApplied)
                        | CallError::Ended(_, Outcome::NotApplied),
                    ) => Told::NotApplied,
                    Err(CallError::Server(ErrorCode::SESSION_EXPIRED)) => Told::NotApplied,
                    Err(other) => panic!("{other:?}"),
                };
                self.told.insert(path, told);
            }
            Asked::Ephemeral { path } => {
                if result.is_ok() {
                    client.ephemerals.push(path);
                }
            }
            Asked::Watch { path, watcher } => {
                if let Ok(reply) = result {
                    let version = GetDataResponse::decode(&mut Reader::new(&reply.body))
                        .unwrap()
                        .stat
                        .version;
                    client.watches.insert(
                        watcher,
                        Watching {
                            path,
                            version,
                            fired: false,
                        },
                    );
                }
            }
            Asked::Set | Asked::Exists => {}
        }
    }

    /// Hands out what the server has written; its closed connections close behind their last byte.
    fn flush_server(&mut self) {
        let now = self.server_now();
        while let Some(ready) = self.core.next_ready() {
            let bytes = self.core.take_output(now, ready, usize::MAX);
            let over = self.core.is_over(ready);
            let client = self
                .clients
                .iter_mut()
                .find_map(|client| match &mut client.link {
                    Link::Up {
                        connection,
                        to_client,
                        ..
                    } if *connection == ready => Some(to_client),
                    _ => None,
                });
            if let Some(to_client) = client {
                to_client.send(&mut self.rng, self.now, bytes);
                if over {
                    let due = to_client
                        .segments
                        .back()
                        .map_or(self.now, |(due, _)| (*due).max(self.now));
                    let due = if due == Duration::MAX { self.now } else { due };
                    to_client.segments.push_back((due, Bytes::new()));
                }
            }
            if over {
                self.core.disconnected(ready);
            }
        }
    }

    fn cut(&mut self, index: usize) {
        if let Link::Up { .. } = self.clients[index].link {
            self.break_link(index);
            let now = self.instant();
            self.clients[index]
                .session
                .handle_input(now, Input::Lost("cut".into()));
            self.settle(index);
        }
    }

    /// The connection goes, with all that is under way in both directions. The server may read what has arrived so far.
    fn break_link(&mut self, index: usize) {
        if let Link::Up {
            connection,
            mut to_server,
            ..
        } = std::mem::replace(&mut self.clients[index].link, Link::None)
        {
            // Bytes in the server's socket buffer are read even when the client has gone.
            if !to_server.swallows {
                for _ in 0..self.rng.usize(0..=to_server.segments.len()) {
                    let (_, bytes) = to_server.segments.pop_front().unwrap();
                    self.core.received(self.server_now(), connection, &bytes);
                }
            }
            self.core.disconnected(connection);
            self.flush_server();
        }
    }

    fn check(&mut self) {
        let mut alive = BTreeSet::new();
        for client in &self.clients {
            assert!(
                client.asked.is_empty(),
                "client {}: {} calls were never answered",
                client.index,
                client.asked.len()
            );
            match client.session.state() {
                SessionState::Ended(_) => {}
                state => {
                    assert_eq!(
                        state,
                        &SessionState::Connected,
                        "client {} after a minute of peace",
                        client.index
                    );
                    alive.insert(client.index);
                }
            }
        }
        for (path, told) in std::mem::take(&mut self.told) {
            let exists = self.stat_directly(&path).is_some();
            match told {
                Told::Created => assert!(exists, "{path} was created"),
                Told::NotApplied => assert!(!exists, "{path} was not created, it was said"),
                Told::Unknown => {}
            }
        }
        for index in 0..CLIENTS {
            for path in std::mem::take(&mut self.clients[index].ephemerals) {
                let exists = self.stat_directly(&path).is_some();
                assert_eq!(
                    exists,
                    alive.contains(&index),
                    "{path} lives as long as its session"
                );
            }
            for (_, watching) in std::mem::take(&mut self.clients[index].watches) {
                if alive.contains(&index) {
                    let version = self.stat_directly(&watching.path).unwrap().version;
                    assert_eq!(
                        watching.fired,
                        version > watching.version,
                        "a watch on {} tells of a change",
                        watching.path
                    );
                }
            }
        }
    }

    /// Asks the server on a connection without faults.
    fn tell_directly(&mut self, request: &Request<'_>) -> (ErrorCode, Bytes) {
        let now = self.server_now();
        let connection = self.core.connected(now, "127.0.0.1:8".parse().unwrap());
        let mut wire = BytesMut::new();
        let connect = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid(0),
            timeout_ms: 4000,
            session_id: SessionId::NONE,
            password: Some(&[0; 16]),
            read_only: Some(false),
        };
        frame::encode(&mut wire, 1 << 20, |out| connect.encode(out)).unwrap();
        frame::encode_request(&mut wire, Xid(1), request, 1 << 20).unwrap();
        frame::encode_request(&mut wire, Xid(2), &Request::CloseSession, 1 << 20).unwrap();
        self.core.received(now, connection, &wire);
        let mut output = BytesMut::from(&self.core.take_output(now, connection, usize::MAX)[..]);
        self.core.disconnected(connection);
        self.flush_server();
        let decoder = frame::FrameDecoder::new(1 << 20);
        decoder.decode(&mut output).unwrap().expect("a session");
        let reply = decoder.decode(&mut output).unwrap().expect("an answer");
        let mut reader = Reader::new(&reply);
        let header = zk_proto::record::ReplyHeader::decode(&mut reader).unwrap();
        (header.err, reply.slice(reader.offset()..))
    }

    fn stat_directly(&mut self, path: &str) -> Option<Stat> {
        let (err, body) =
            self.tell_directly(&Request::Exists(ExistsRequest { path, watch: false }));
        (err == ErrorCode::OK).then(|| Stat::decode(&mut Reader::new(&body)).unwrap())
    }

    fn instant(&self) -> Instant {
        self.start + self.now
    }

    fn server_now(&self) -> Now {
        let ms = u64::try_from(self.now.as_millis()).unwrap();
        Now {
            monotonic_ms: ms,
            wall_ms: 1_700_000_000_000 + i64::try_from(ms).unwrap(),
        }
    }
}

fn create(path: &str, mode: CreateMode) -> CreateRequest<'_> {
    CreateRequest {
        path,
        data: Some(b""),
        acl: Cow::Borrowed(Acl::OPEN),
        mode,
    }
}

fn shared(index: usize) -> String {
    format!("/shared-{index}")
}
