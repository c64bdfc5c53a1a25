//! One world: clients, servers and the network between them, on one clock, all of it decided by a seed.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use zk_client::session::{CallError, Input, Output, SessionState};
use zk_client::{Acl, CreateMode};
use zk_proto::four_letter::ServerVersion;
use zk_proto::record::{ConnectRequest, CreateRequest, Request};
use zk_proto::{Decode, ErrorCode, Perms, Reader};
use zk_server::core::{ConnectionId, Now};

use crate::client::{Client, Habits, Question};
use crate::ensemble::{Ensemble, Fact, Front, frames};
use crate::link::{Ghost, Link, Pipe, Up};

/// For how long everything misbehaves; the network is well behind that.
const TROUBLE_MS: u64 = 20_000;
/// Then every session is back, or over, and every call answered. A silent connection is noticed after 2 s, a round of
/// servers takes 3 s and is followed by a pause of 2 s.
const SETTLE_MS: u64 = 9_000;
/// And stays so for longer than any session timeout.
const CALM_MS: u64 = 6_000;

pub(crate) struct World {
    rng: Rng,
    start: Instant,
    now_ms: u64,
    ensemble: Ensemble,
    clients: Vec<Client>,
    ghosts: Vec<Ghost>,
    /// How much of the history the books have been told.
    published: usize,
    trace: bool,
}

/// Prints what happens, where a seed is replayed.
macro_rules! say {
    ($world:expr, $($what:tt)*) => {
        if $world.trace {
            eprintln!("{:>6} ms  {}", $world.now_ms, format_args!($($what)*));
        }
    };
}

impl World {
    pub(crate) fn new(seed: u64, trace: bool) -> Self {
        let start = Instant::now();
        let mut rng = Rng::with_seed(seed);
        let servers = rng.u16(1..=3);
        // Some have names so long that the watches do not fit one request.
        let tail = if rng.u8(..) < 6 {
            "x".repeat(60_000)
        } else {
            String::new()
        };
        let mut shared = vec!["/w".to_owned()];
        shared.extend(["a", "b", "c", "d"].map(|name| format!("/w/{name}{tail}")));
        shared.extend(["/w/a", "/w/b"].map(|parent| format!("{parent}{tail}/child")));
        let habits = Habits {
            shared,
            servers,
            max_requests: if rng.u8(..) < 30 { 6 } else { 500 },
            burst: if rng.u8(..) < 30 { 12 } else { 2 },
        };
        let fronts = versions(&mut rng, servers);
        let ensemble = Ensemble::new(seed, fronts, now_of(0));
        let clients = rng.usize(1..=3);
        let clients = (0..clients)
            .map(|index| Client::new(index, habits.clone(), &mut rng, start))
            .collect();
        let mut world = Self {
            rng,
            start,
            now_ms: 0,
            ensemble,
            clients,
            ghosts: vec![],
            published: 0,
            trace,
        };
        world.make("/w", Acl::OPEN);
        let locked = Acl {
            perms: Perms::ALL,
            scheme: "auth".into(),
            id: String::new().into(),
        };
        world.make("/locked", &[locked]);
        world
    }

    fn make(&mut self, path: &str, acl: &[Acl]) {
        let request = CreateRequest {
            path,
            data: Some(b""),
            acl: Cow::Borrowed(acl),
            mode: CreateMode::PERSISTENT,
        };
        let (err, _) = self
            .ensemble
            .observe(now_of(self.now_ms), &Request::Create(request));
        assert_eq!(err, ErrorCode::OK, "{path}");
    }

    pub(crate) fn run(mut self) {
        while self.now_ms < TROUBLE_MS {
            self.misbehave();
            for index in 0..self.clients.len() {
                self.use_session(index);
            }
            let pause_ms = self.rng.u64(1..200);
            self.pass(pause_ms);
        }
        say!(self, "the network is well");
        for front in &mut self.ensemble.fronts {
            front.heal();
        }
        self.pass(SETTLE_MS);
        for client in &self.clients {
            client.book.settles();
        }
        say!(self, "everything has settled");
        // Whatever is under way for a watcher comes before the answers to these.
        let sessions: Vec<_> = self
            .clients
            .iter()
            .map(|client| client.session.state().clone())
            .collect();
        for index in 0..self.clients.len() {
            if !self.clients[index].book.is_over() {
                self.ask(index);
            }
        }
        self.pass(CALM_MS);
        for (client, before) in self.clients.iter_mut().zip(sessions) {
            assert_eq!(
                client.session.state(),
                &before,
                "a session on a network that is well stays"
            );
            let version = match &client.link {
                Link::Up(up) => Some(self.ensemble.fronts[up.front].version),
                _ => None,
            };
            client.book.rests_for_good(&self.ensemble.history, version);
            for (session, path) in &client.ephemerals {
                let lives = self.ensemble.has_session(*session);
                assert_eq!(
                    self.ensemble.history.exists(path),
                    lives,
                    "{path} lives as long as its session"
                );
                assert_eq!(
                    lives,
                    *session == client.session.id() && !client.book.is_over()
                );
            }
        }
    }

    /// Something goes wrong, or is well again.
    fn misbehave(&mut self) {
        let index = self.rng.usize(0..self.clients.len());
        let front = self.rng.usize(0..self.ensemble.fronts.len());
        let now = self.server_now();
        match self.rng.u8(..) {
            0..8 => self.cut(index, "cut"),
            8..11 => {
                if let Link::Up(up) = &mut self.clients[index].link {
                    up.to_server.swallows = true;
                    say!(self, "client {index}: nothing reaches the server any more");
                }
            }
            11..14 => {
                if let Link::Up(up) = &mut self.clients[index].link {
                    up.to_client.swallows = true;
                    say!(
                        self,
                        "client {index}: nothing comes from the server any more"
                    );
                }
            }
            14..18 => {
                let down = &mut self.ensemble.fronts[front].down;
                *down = !*down;
                say!(
                    self,
                    "server {front} is down: {}",
                    self.ensemble.fronts[front].down
                );
            }
            18..21 => {
                let mute = &mut self.ensemble.fronts[front].mute;
                *mute = !*mute;
                say!(
                    self,
                    "server {front} accepts and serves nobody: {}",
                    self.ensemble.fronts[front].mute
                );
            }
            21..26 => {
                let lags = self.ensemble.fronts[front].reached.is_none();
                self.ensemble.fronts[front].reached = lags.then(|| self.ensemble.last_zxid());
                self.ensemble.fronts[front].slow = if lags { self.rng.u64(0..300) } else { 0 };
                say!(
                    self,
                    "server {front} lags: {:?}",
                    self.ensemble.fronts[front]
                );
            }
            26 => {
                let id = self.clients[index].session.id();
                say!(self, "session {id} of client {index} is made to expire");
                self.ensemble.expire(now, id);
                self.route();
            }
            27 => {
                say!(self, "every connection breaks");
                self.ensemble.drop_connections(now);
                self.route();
            }
            28 if self.rng.u8(0..4) == 0 => {
                let down = self.ensemble.fronts[front].down;
                for front in &mut self.ensemble.fronts {
                    front.down = !down;
                }
                for index in 0..self.clients.len() {
                    self.cut(index, "all servers go");
                }
                self.pass(4_500);
            }
            // Most of the time most servers are well.
            29..60 => self.ensemble.fronts[front].heal(),
            _ => {}
        }
    }

    fn use_session(&mut self, index: usize) {
        let (now, now_ms) = (self.instant(), self.now_ms);
        let client = &mut self.clients[index];
        if client.reborn_ms.is_some_and(|at| at <= now_ms) {
            client.reborn(&mut self.rng, now, now_ms);
            say!(self, "client {index}: a new session");
        }
        if self.rng.u8(..) < 80 {
            for _ in 0..self.rng.u8(1..=self.clients[index].burst()) {
                self.ask(index);
            }
        }
        let client = &mut self.clients[index];
        match self.rng.u8(..) {
            0..12 => {
                let token = client.lose_interest(&mut self.rng, now);
                say!(self, "client {index} loses interest in {token:?}");
            }
            12..22 => {
                let watcher = client.drop_any_watcher(&mut self.rng, now);
                say!(self, "client {index} drops {watcher:?}");
            }
            22 if self.rng.u8(0..3) == 0 => {
                say!(self, "client {index} closes");
                self.clients[index].close(now, now_ms);
            }
            _ => return,
        }
        self.settle(index, None);
    }

    fn ask(&mut self, index: usize) {
        let now = self.instant();
        let token = self.clients[index].ask(&mut self.rng, now);
        if self.trace
            && let Some(asked) = self.clients[index].book.asked.get(&token)
        {
            say!(
                self,
                "client {index} asks {token}: {} {:?} {:?}",
                asked.opcode,
                asked.key,
                asked.watch
            );
        }
        self.settle(index, Some(token));
        self.clients[index].book.is_asked();
    }

    /// Lets time pass, event by event.
    fn pass(&mut self, time_ms: u64) {
        let end_ms = self.now_ms + time_ms;
        let mut standstill = 0;
        loop {
            let clients = (0..self.clients.len()).filter_map(|index| self.due(index));
            let ghosts = self
                .ghosts
                .iter()
                .map(|ghost| ghost.to_server.due().unwrap_or(self.now_ms));
            let next = clients
                .chain(ghosts)
                .chain(self.ensemble.wake_at_ms())
                .min();
            let Some(next) = next.filter(|next| *next <= end_ms) else {
                break;
            };
            standstill = if next > self.now_ms {
                0
            } else {
                standstill + 1
            };
            assert!(standstill < 1000, "a timer that was due is due again");
            self.now_ms = self.now_ms.max(next);
            if self
                .ensemble
                .wake_at_ms()
                .is_some_and(|due| due <= self.now_ms)
            {
                self.ensemble.tick(self.server_now());
                self.route();
            }
            self.haunt();
            for index in 0..self.clients.len() {
                self.step(index);
            }
            for client in &self.clients {
                client.book.rests(
                    self.start + Duration::from_millis(self.now_ms),
                    self.now_ms,
                    client.timeout_ms(),
                    client.heard_ms,
                    client.written_ms,
                );
                if let Some(closed_ms) = client.closed_ms {
                    assert!(
                        client.book.is_over() || self.now_ms <= closed_ms + 2_000,
                        "closing takes 2 s at most"
                    );
                }
            }
        }
        self.now_ms = end_ms;
    }

    fn due(&self, index: usize) -> Option<u64> {
        let client = &self.clients[index];
        let timer = client.session.poll_timeout().map(|at| {
            let due = at.saturating_duration_since(self.start);
            // A timer never fires early.
            u64::try_from(due.as_nanos().div_ceil(1_000_000)).unwrap()
        });
        let link = match &client.link {
            Link::None => None,
            Link::Dialing { at, .. } => Some(*at),
            Link::Up(up) => up
                .to_server
                .due()
                .into_iter()
                .chain(up.to_client.due())
                .chain(up.breaks_at)
                .min(),
        };
        let questions = client.questions.iter().map(|(at, _)| *at);
        timer.into_iter().chain(link).chain(questions).min()
    }

    /// What is due for a client now.
    fn step(&mut self, index: usize) {
        let (now_ms, instant) = (self.now_ms, self.instant());
        let client = &mut self.clients[index];
        if client
            .session
            .poll_timeout()
            .is_some_and(|at| at <= instant)
        {
            client.session.handle_input(instant, Input::Timeout);
            self.settle(index, None);
        }
        while let Some(at) = self.clients[index]
            .questions
            .iter()
            .position(|(at, _)| *at <= now_ms)
        {
            let client = &mut self.clients[index];
            let (_, Question::Version(ask, version)) = client.questions.swap_remove(at);
            say!(
                self,
                "client {index} is told that the server is {version:?}"
            );
            let input = Input::Version { ask, version };
            self.clients[index].session.handle_input(instant, input);
            self.settle(index, None);
        }
        if let Link::Dialing { at, front, fails } = self.clients[index].link
            && at <= now_ms
        {
            self.dialed(index, front, fails);
        }
        while let Link::Up(up) = &mut self.clients[index].link
            && let Some(bytes) = up.to_server.take(now_ms)
        {
            let connection = up.connection;
            self.ensemble
                .receive(now_of(now_ms), connection, &bytes, false);
            self.route();
        }
        while let Link::Up(up) = &mut self.clients[index].link
            && let Some(bytes) = up.to_client.take(now_ms)
        {
            if bytes.is_empty() {
                self.cut(index, "the server has closed");
            } else {
                self.deliver(index, &bytes);
            }
        }
        if let Link::Up(up) = &self.clients[index].link
            && up.breaks_at.is_some_and(|at| at <= now_ms)
        {
            self.cut(index, "the connection dies young");
        }
    }

    fn dialed(&mut self, index: usize, front: usize, fails: bool) {
        let instant = self.instant();
        if fails || self.ensemble.fronts[front].down {
            say!(
                self,
                "client {index}: server {front} refuses the connection"
            );
            self.clients[index].link = Link::None;
            self.clients[index]
                .session
                .handle_input(instant, Input::ConnectFailed("refused".into()));
        } else {
            let connection = self.ensemble.accept(self.server_now(), index, front);
            say!(
                self,
                "client {index}: connected to server {front} ({connection:?})"
            );
            let swallows = self.ensemble.fronts[front].mute;
            // Many die young, amid what comes first on a connection.
            let breaks_at = (self.now_ms < TROUBLE_MS && self.rng.u8(..) < 40)
                .then(|| self.now_ms + self.rng.u64(1..80));
            self.clients[index].link = Link::Up(Up {
                front,
                connection,
                to_server: Pipe::new(swallows),
                to_client: Pipe::default(),
                received: BytesMut::new(),
                asked: false,
                greeted: false,
                breaks_at,
            });
            self.clients[index]
                .session
                .handle_input(instant, Input::Connected);
        }
        self.settle(index, None);
    }

    /// Gives a client bytes of its server.
    fn deliver(&mut self, index: usize, bytes: &Bytes) {
        let (now_ms, instant) = (self.now_ms, self.instant());
        let client = &mut self.clients[index];
        let Link::Up(up) = &mut client.link else {
            return;
        };
        up.received.extend_from_slice(bytes);
        for payload in frames(&up.received) {
            if self.trace {
                eprintln!("{now_ms:>6} ms  client {index} hears {payload:?}");
            }
            if std::mem::replace(&mut up.greeted, true) {
                client.book.hears(now_ms, &payload);
            } else {
                client.book.greeted(&payload);
            }
        }
        client.heard_ms = now_ms;
        let mut input = std::mem::take(&mut up.received);
        client
            .session
            .handle_input(instant, Input::Received(&mut input));
        if let Link::Up(up) = &mut client.link {
            up.received = input;
        }
        self.settle(index, None);
    }

    /// Does what the session has to say, and sends what it has written. `asked` is the call that was just made.
    fn settle(&mut self, index: usize, asked: Option<u64>) {
        loop {
            self.send(index);
            let Some(output) = self.clients[index].session.poll_output() else {
                return;
            };
            let now_ms = self.now_ms;
            let client = &mut self.clients[index];
            let (connection, version) = match &client.link {
                Link::Up(up) => (
                    Some(up.connection),
                    Some(self.ensemble.fronts[up.front].version),
                ),
                _ => (None, None),
            };
            match output {
                Output::Connect(host) => {
                    client.book.dials(now_ms, self.ensemble.fronts.len() as u64);
                    self.break_link(index);
                    let trouble = now_ms < TROUBLE_MS;
                    self.clients[index].link = Link::Dialing {
                        at: now_ms + self.rng.u64(0..20),
                        front: host.port.into(),
                        fails: trouble && self.rng.u8(..) < 16,
                    };
                }
                Output::Disconnect => {
                    say!(
                        self,
                        "client {index} leaves its connection: {:?}",
                        self.clients[index].session.attempts()
                    );
                    self.break_link(index);
                }
                Output::Completed(token, result) => {
                    say!(self, "client {index} is answered {token}: {result:?}");
                    let answers = connection.and_then(|id| self.ensemble.answers(id));
                    // The observer's history and the answers are parts of one ensemble.
                    let mut answers = answers.map(std::mem::take);
                    let (asked, told) = client.book.answered(
                        &mut client.writes,
                        &self.ensemble.history,
                        answers.as_mut(),
                        (token, &result),
                        asked == Some(token),
                        (self.start + Duration::from_millis(now_ms), version),
                    );
                    if let Some(rest) = answers
                        && let Some(id) = connection
                        && let Some(answers) = self.ensemble.answers(id)
                    {
                        *answers = rest;
                    }
                    client.learn(&asked, &told);
                    if let Err(CallError::Deadline(_)) = result
                        && let Some((_, _, watcher)) = asked.watch
                    {
                        client.drop_watcher(self.start + Duration::from_millis(now_ms), watcher);
                    }
                }
                Output::Event(watcher, event, path) => {
                    say!(
                        self,
                        "client {index}: {watcher:?} is told of {event:?} {path}"
                    );
                    client
                        .book
                        .told_of_event(&self.ensemble.history, watcher, event, &path);
                }
                Output::AskVersion(ask) => {
                    let front = match &client.link {
                        Link::Up(up) => &self.ensemble.fronts[up.front],
                        _ => continue,
                    };
                    let version = (front.tells && !front.mute).then_some(front.version);
                    let at = now_ms + self.rng.u64(0..200);
                    client.questions.push((at, Question::Version(ask, version)));
                }
                Output::Suspended(watchers) => {
                    say!(self, "client {index}: {watchers:?} are suspended");
                    client.book.suspended(&watchers, version);
                }
                Output::ProbeWritable(..) | Output::Sasl(_) => unreachable!("nobody asked for it"),
                Output::Gap(watchers) => {
                    say!(self, "client {index}: {watchers:?} are told of a gap");
                    for watcher in watchers {
                        client.book.told_of_gap(watcher, |kind, path| {
                            self.ensemble.rearmed_at(connection?, kind, path)
                        });
                    }
                }
                Output::State(state) => {
                    say!(self, "client {index} is {state:?}");
                    let exists = self.ensemble.has_session(client.session.id());
                    let silence_ms = now_ms - client.heard_ms;
                    client
                        .book
                        .turns(&state, client.timeout_ms(), silence_ms, exists);
                    match state {
                        SessionState::Connected => client.written_ms = now_ms,
                        SessionState::Disconnected => client.book.lost(),
                        SessionState::Ended(_) if now_ms < TROUBLE_MS => {
                            client.reborn_ms = Some(now_ms + self.rng.u64(0..500));
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    fn send(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if client.session.outgoing().is_empty() {
            return;
        }
        let bytes = client.session.outgoing().split().freeze();
        let Link::Up(up) = &mut client.link else {
            return;
        };
        client.written_ms = self.now_ms;
        if !std::mem::replace(&mut up.asked, true) {
            let payload = bytes.slice(4..);
            let request =
                ConnectRequest::decode(&mut Reader::new(&payload)).expect("a connect request");
            client.book.connects(client.session.id(), &request);
        }
        if self.trace {
            for payload in frames(&bytes) {
                eprintln!("{:>6} ms  client {index} sends {payload:?}", self.now_ms);
            }
        }
        let slow = self.ensemble.fronts[up.front].slow;
        up.to_server.send(
            &mut self.rng,
            self.now_ms,
            bytes,
            self.now_ms < TROUBLE_MS,
            slow,
        );
    }

    /// Tells the books what the servers have done, and puts what they have written on its way.
    fn route(&mut self) {
        let trouble = self.now_ms < TROUBLE_MS;
        // A connection may die amid the answers to the requests that it has begun with.
        let mut dies = None;
        for fact in std::mem::take(&mut self.ensemble.facts) {
            match fact {
                Fact::Executed { client, key } => self.clients[client].writes.executed(&key),
                Fact::Rearmed {
                    client,
                    position,
                    missing,
                } => {
                    self.publish(position);
                    self.clients[client].book.rearmed(&missing);
                    if trouble && dies.is_none() && self.rng.u8(..) < 30 {
                        dies = Some((client, self.rng.u8(1..4)));
                    }
                }
            }
        }
        self.publish(self.ensemble.history.len());
        for (id, bytes, over) in std::mem::take(&mut self.ensemble.outbox) {
            let up = self
                .clients
                .iter_mut()
                .find_map(|client| match &mut client.link {
                    Link::Up(up) if up.connection == id => Some((client.index, up)),
                    _ => None,
                });
            if let Some((index, up)) = up {
                let slow = self.ensemble.fronts[up.front].slow;
                up.to_client
                    .send(&mut self.rng, self.now_ms, bytes, trouble, slow);
                if over {
                    up.to_client.end(self.now_ms);
                }
                if let Some((_, left)) = dies.as_mut().filter(|(client, _)| *client == index) {
                    *left -= 1;
                    if *left == 0 {
                        dies = None;
                        up.to_client.is_dying = true;
                        up.breaks_at = Some(self.now_ms + slow + self.rng.u64(15..60));
                    }
                }
            } else if over {
                self.bury(id);
            }
        }
    }

    fn publish(&mut self, end: usize) {
        for change in &self.ensemble.history.changes[self.published..end] {
            if self.trace {
                eprintln!(
                    "{:>6} ms  {:?} {:?} {}",
                    self.now_ms, change.zxid, change.event, change.path
                );
            }
            for client in &mut self.clients {
                client.book.changed(change);
            }
        }
        self.published = end;
    }

    /// The connection goes, and the session hears of it.
    fn cut(&mut self, index: usize, why: &str) {
        if let Link::Up(_) = self.clients[index].link {
            say!(self, "client {index}: {why}");
            self.break_link(index);
            let now = self.instant();
            self.clients[index]
                .session
                .handle_input(now, Input::Lost(why.into()));
            self.settle(index, None);
        }
    }

    /// The connection goes, with all that is under way to the client. The server may go on to read what was under way
    /// to it, for a while.
    fn break_link(&mut self, index: usize) {
        let Link::Up(up) = std::mem::replace(&mut self.clients[index].link, Link::None) else {
            return;
        };
        let Up {
            connection,
            mut to_server,
            ..
        } = up;
        let now = self.server_now();
        if self.rng.bool() {
            let count = self.rng.usize(0..=to_server.len());
            if to_server.swallows {
                to_server.truncate(0);
                to_server.swallows = false;
            }
            to_server.truncate(count);
            to_server.end(self.now_ms + self.rng.u64(0..3_000));
            self.ghosts.push(Ghost {
                client: index,
                connection,
                to_server,
            });
        } else {
            let count = self.rng.usize(0..=to_server.len());
            for bytes in to_server
                .rest()
                .take(count)
                .filter(|bytes| !bytes.is_empty())
            {
                self.ensemble.receive(now, connection, &bytes, false);
            }
            self.ensemble.gone(now, connection);
        }
        self.route();
    }

    /// Connections that their clients have left still speak.
    fn haunt(&mut self) {
        let mut at = 0;
        while at < self.ghosts.len() {
            let Some(bytes) = self.ghosts[at].to_server.take(self.now_ms) else {
                at += 1;
                continue;
            };
            let connection = self.ghosts[at].connection;
            let now = self.server_now();
            if bytes.is_empty() {
                self.ghosts.swap_remove(at);
                self.ensemble.gone(now, connection);
            } else {
                let moves = self.rng.bool();
                say!(
                    self,
                    "the server reads on from {connection:?}, which its client has left"
                );
                self.ensemble.receive(now, connection, &bytes, moves);
            }
            self.route();
        }
    }

    /// The server has closed a connection that its client has left: its session may be elsewhere by now. What was under
    /// way is lost, or still committed.
    fn bury(&mut self, id: ConnectionId) {
        let Some(at) = self.ghosts.iter().position(|ghost| ghost.connection == id) else {
            return;
        };
        let Ghost {
            client,
            connection,
            mut to_server,
        } = self.ghosts.swap_remove(at);
        let now = self.server_now();
        if self.rng.bool() {
            say!(self, "what {connection:?} had under way is committed late");
            self.ensemble
                .commit_late(now, client, to_server.rest(), connection);
        } else {
            self.ensemble.gone(now, connection);
        }
        self.route();
    }

    fn instant(&self) -> Instant {
        self.start + Duration::from_millis(self.now_ms)
    }

    fn server_now(&self) -> Now {
        now_of(self.now_ms)
    }
}

/// An ensemble of one release, or amid an upgrade, whose servers tell their versions or not.
fn versions(rng: &mut Rng, servers: u16) -> Vec<Front> {
    let releases = [(3, 4, 14), (3, 6, 3), (3, 8, 0), (3, 9, 5)];
    let version = |index: usize| {
        let (major, minor, patch) = releases[index];
        ServerVersion::new(major, minor, patch)
    };
    let newest = rng.usize(0..6).min(3);
    let mixed = rng.u8(..) < 60;
    let tells = rng.u8(..) < 200;
    (0..servers)
        .map(|_| {
            let old = mixed && rng.bool();
            Front::new(version(if old { 0 } else { newest }), tells || rng.bool())
        })
        .collect()
}

fn now_of(now_ms: u64) -> Now {
    Now {
        monotonic_ms: now_ms,
        wall_ms: 1_700_000_000_000 + i64::try_from(now_ms).unwrap(),
    }
}
