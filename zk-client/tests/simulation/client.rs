//! A user of one session at a time: asks for anything, at any moment, and loses interest in some of it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use zk_client::session::{CallId, Config, Input, Session, WatchKind, WatcherId};
use zk_client::{Acl, CreateMode, HostPort, ZnodeVersion};
use zk_proto::four_letter::ServerVersion;
use zk_proto::record::{
    AddWatchMode, AddWatchRequest, CheckRequest, CreateRequest, CreateResponse, DeleteRequest,
    ExistsRequest, GetAclRequest, GetAllChildrenNumberRequest, GetChildrenRequest, GetDataRequest,
    GetDataResponse, GetEphemeralsRequest, MultiOp, MultiRequest, Request, SetDataRequest,
    SyncRequest,
};
use zk_proto::{Decode, Reader, SessionId, Xid, frame};

use crate::ensemble::{DIGEST, key_of};
use crate::invariants::{Asked, Book, Told, Writes};
use crate::link::Link;

pub(crate) const SESSION_TIMEOUT: Duration = Duration::from_secs(3);

pub(crate) struct Client {
    pub(crate) index: usize,
    pub(crate) session: Session<u64>,
    pub(crate) book: Book,
    pub(crate) writes: Writes,
    pub(crate) link: Link,
    /// When a server was last heard, and when it was last written to, in milliseconds.
    pub(crate) heard_ms: u64,
    pub(crate) written_ms: u64,
    /// When the user has closed the session.
    pub(crate) closed_ms: Option<u64>,
    /// When a session that is over is followed by another.
    pub(crate) reborn_ms: Option<u64>,
    /// Ephemeral znodes that were created, and for which session.
    pub(crate) ephemerals: Vec<(SessionId, String)>,
    /// What this world's clients have in common.
    habits: Habits,
    auth: Auth,
    next_token: u64,
    calls: HashMap<u64, CallId>,
    /// How long the next call may take.
    patience: Option<Duration>,
    /// Answers to the session's questions, and when they come.
    pub(crate) questions: Vec<(u64, Question)>,
    /// The version of a shared znode, as last seen.
    version: (String, i32),
}

/// How the clients of a world are.
#[derive(Debug, Clone)]
pub(crate) struct Habits {
    /// Znodes that everybody watches and changes; the first is the parent of the others.
    pub(crate) shared: Vec<String>,
    pub(crate) servers: u16,
    pub(crate) max_requests: usize,
    /// How many requests are asked at once at most.
    pub(crate) burst: u8,
}

/// What a session has asked of its driver.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Question {
    Version(u64, Option<ServerVersion>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Auth {
    None,
    Good,
    /// Refused by every server.
    Bad,
}

impl Client {
    pub(crate) fn new(index: usize, habits: Habits, rng: &mut Rng, now: Instant) -> Self {
        let auth = match rng.u8(..) {
            0..100 => Auth::Good,
            100..106 => Auth::Bad,
            _ => Auth::None,
        };
        Self {
            index,
            session: new_session(&habits, auth, rng, now),
            book: Book::new(habits.max_requests),
            writes: Writes::default(),
            link: Link::None,
            heard_ms: 0,
            written_ms: 0,
            closed_ms: None,
            reborn_ms: None,
            ephemerals: vec![],
            habits,
            auth,
            next_token: 0,
            calls: HashMap::new(),
            patience: None,
            questions: vec![],
            version: (String::new(), 0),
        }
    }

    /// Another session follows one that is over.
    pub(crate) fn reborn(&mut self, rng: &mut Rng, now: Instant, now_ms: u64) {
        if self.auth == Auth::Bad {
            self.auth = Auth::Good;
        }
        self.session = new_session(&self.habits, self.auth, rng, now);
        self.book = Book::new(self.habits.max_requests);
        self.heard_ms = now_ms;
        self.closed_ms = None;
        self.questions.clear();
        self.reborn_ms = None;
    }

    pub(crate) fn timeout_ms(&self) -> u64 {
        u64::try_from(self.session.timeout().as_millis()).unwrap()
    }

    /// Asks for something. Returns the call's token.
    pub(crate) fn ask(&mut self, rng: &mut Rng, now: Instant) -> u64 {
        let token = self.next_token + 1;
        let place = rng.usize(0..self.habits.shared.len());
        let shared = self.habits.shared[place].clone();
        // Names the call in everything that it writes.
        let data = format!("{}-{token}", self.index);
        let data = data.as_bytes();
        let any = ZnodeVersion::ANY;
        let watch = rng.bool();
        self.patience = (rng.u8(..) < 40).then(|| Duration::from_millis(rng.u64(0..3000)));
        let unique = {
            let index = self.index;
            move |prefix: &str| format!("/{prefix}{index}-{token}")
        };
        match rng.u8(0..46) {
            0..2 => self.create(now, &unique("p"), data, CreateMode::PERSISTENT),
            2 => self.create(now, &unique("s"), data, CreateMode::PERSISTENT_SEQUENTIAL),
            3..5 => self.create(now, &unique("e"), data, CreateMode::EPHEMERAL),
            5 => self.create(now, &unique("q"), data, CreateMode::EPHEMERAL_SEQUENTIAL),
            6..11 if place > 0 => self.create(now, &shared, data, CreateMode::PERSISTENT),
            11..14 if place > 0 => {
                let path = &*shared;
                self.submit(
                    now,
                    &Request::Delete(DeleteRequest { path, version: any }),
                    None,
                );
            }
            14..17 => {
                let request = SetDataRequest {
                    path: &shared,
                    data: Some(data),
                    version: any,
                };
                self.submit(now, &Request::SetData(request), None);
            }
            17 => {
                let (path, version) = self.version.clone();
                let version = ZnodeVersion(version);
                let request = SetDataRequest {
                    path: &path,
                    data: Some(data),
                    version,
                };
                self.submit(now, &Request::SetData(request), None);
            }
            18..20 => {
                let (path, version) = self.version.clone();
                let own = unique("m");
                let mut ops = vec![MultiOp::Create(create(&own, data, CreateMode::PERSISTENT))];
                if rng.bool() {
                    ops.push(MultiOp::SetData(SetDataRequest {
                        path: &shared,
                        data: Some(data),
                        version: any,
                    }));
                }
                if rng.bool() && !path.is_empty() {
                    let version = ZnodeVersion(version);
                    ops.push(MultiOp::Check(CheckRequest {
                        path: &path,
                        version,
                    }));
                }
                if rng.bool() {
                    ops.push(MultiOp::Delete(DeleteRequest {
                        path: &own,
                        version: any,
                    }));
                }
                self.submit(now, &Request::Multi(MultiRequest { ops }), None);
            }
            20..25 => {
                let request = Request::GetData(GetDataRequest {
                    path: &shared,
                    watch,
                });
                self.submit(now, &request, watch.then_some((WatchKind::Data, &*shared)));
            }
            25..29 => {
                let request = Request::Exists(ExistsRequest {
                    path: &shared,
                    watch,
                });
                self.submit(now, &request, watch.then_some((WatchKind::Data, &*shared)));
            }
            29..33 => {
                let request = GetChildrenRequest {
                    path: &shared,
                    watch,
                };
                let request = if rng.bool() {
                    Request::GetChildren(request)
                } else {
                    Request::GetChildren2(request)
                };
                self.submit(now, &request, watch.then_some((WatchKind::Child, &*shared)));
            }
            33 | 34 => {
                let (mode, kind) = if rng.bool() {
                    (AddWatchMode::PERSISTENT, WatchKind::Persistent)
                } else {
                    (
                        AddWatchMode::PERSISTENT_RECURSIVE,
                        WatchKind::PersistentRecursive,
                    )
                };
                let request = AddWatchRequest {
                    path: &shared,
                    mode,
                };
                self.submit(now, &Request::AddWatch(request), Some((kind, &shared)));
            }
            35 => self.submit(now, &Request::Sync(SyncRequest { path: &shared }), None),
            36 if self.auth == Auth::Good => {
                let path = "/locked";
                self.submit(
                    now,
                    &Request::GetData(GetDataRequest { path, watch: false }),
                    None,
                );
            }
            37 if self.auth == Auth::Good => {
                let request = SetDataRequest {
                    path: "/locked",
                    data: Some(data),
                    version: any,
                };
                self.submit(now, &Request::SetData(request), None);
            }
            39 => {
                let path = unique("n");
                let request = create(&path, data, CreateMode::PERSISTENT);
                self.submit(now, &Request::Create2(request), None);
            }
            40 => self.submit(now, &Request::WhoAmI, None),
            41 => {
                let request = GetEphemeralsRequest { prefix: Some("/") };
                self.submit(now, &Request::GetEphemerals(request), None);
            }
            42 => {
                let request = GetAllChildrenNumberRequest { path: &shared };
                self.submit(now, &Request::GetAllChildrenNumber(request), None);
            }
            43 => {
                let path = &*shared;
                let ops = vec![
                    MultiOp::GetData(GetDataRequest { path, watch: false }),
                    MultiOp::GetChildren(GetChildrenRequest { path, watch: false }),
                ];
                self.submit(now, &Request::MultiRead(MultiRequest { ops }), None);
            }
            38 => self.submit(now, &Request::GetAcl(GetAclRequest { path: &shared }), None),
            _ => {
                let request = GetDataRequest {
                    path: &shared,
                    watch: false,
                };
                self.submit(now, &Request::GetData(request), None);
            }
        }
        token
    }

    /// How many requests this client asks at once at most.
    pub(crate) const fn burst(&self) -> u8 {
        self.habits.burst
    }

    fn create(&mut self, now: Instant, path: &str, data: &[u8], mode: CreateMode) {
        self.submit(now, &Request::Create(create(path, data, mode)), None);
    }

    fn submit(&mut self, now: Instant, request: &Request<'_>, watch: Option<(WatchKind, &str)>) {
        self.next_token += 1;
        let token = self.next_token;
        let mut frame = BytesMut::new();
        frame::encode_request(&mut frame, Xid(0), request, usize::MAX).unwrap();
        let frame = frame.freeze();
        let watch = watch.map(|(kind, path)| (kind, path.to_owned(), WatcherId(token)));
        let deadline = self.patience.map(|patience| now + patience);
        let asked = Asked {
            opcode: request.opcode(),
            since: request.since(),
            key: key_of(&frame.slice(8..)),
            record: frame.slice(12..),
            watch: watch.clone(),
            deadline,
            is_abandoned: false,
        };
        self.book.asks(&mut self.writes, token, asked);
        let call = self.session.submit(now, request, watch, deadline, token);
        self.calls.insert(token, call);
    }

    /// Loses interest in a call: it is withdrawn if it has not left, and its watcher goes with it.
    pub(crate) fn lose_interest(&mut self, rng: &mut Rng, now: Instant) -> Option<u64> {
        let token = pick(rng, self.book.asked.keys().copied())?;
        let watch = self.book.asked[&token].watch.clone();
        let call = self.calls[&token];
        if self.session.withdraw(call) {
            assert!(!self.session.withdraw(call), "it is withdrawn already");
            self.book.withdrawn(&mut self.writes, token);
        } else if let Some(asked) = self.book.asked.get_mut(&token) {
            asked.is_abandoned = true;
        }
        if let Some((_, _, watcher)) = watch {
            self.drop_watcher(now, watcher);
        }
        Some(token)
    }

    /// Drops a watcher, whether it stands, waits for its answer, or is long gone.
    pub(crate) fn drop_any_watcher(&mut self, rng: &mut Rng, now: Instant) -> Option<WatcherId> {
        let watcher = pick(rng, self.book.watchers().into_iter())?;
        self.drop_watcher(now, watcher);
        Some(watcher)
    }

    pub(crate) fn drop_watcher(&mut self, now: Instant, watcher: WatcherId) {
        self.book.drop_watcher(watcher);
        self.session.remove_watcher(now, watcher);
    }

    pub(crate) fn close(&mut self, now: Instant, now_ms: u64) {
        self.closed_ms.get_or_insert(now_ms);
        self.session.handle_input(now, Input::Close);
    }

    /// Takes in what a call has brought.
    pub(crate) fn learn(&mut self, asked: &Asked, told: &Told) {
        let Told::Done(body) = told else { return };
        match Request::decode(asked.opcode, &mut Reader::new(&asked.record)).unwrap() {
            Request::Create(request) => self.created(&request, body),
            Request::GetData(request) => {
                let response = GetDataResponse::decode(&mut Reader::new(body)).unwrap();
                self.version = (request.path.to_owned(), response.stat.version);
            }
            _ => {}
        }
    }

    fn created(&mut self, request: &CreateRequest<'_>, body: &Bytes) {
        let created = CreateResponse::decode(&mut Reader::new(body)).unwrap().path;
        let suffix = created
            .strip_prefix(request.path)
            .expect("the znode that was asked for");
        assert_eq!(suffix.is_empty(), !request.mode.is_sequential());
        if request.mode.is_ephemeral() {
            self.ephemerals
                .push((self.session.id(), created.to_owned()));
        }
    }
}

fn new_session(habits: &Habits, auth: Auth, rng: &mut Rng, now: Instant) -> Session<u64> {
    let auth = match auth {
        Auth::None => vec![],
        Auth::Good => vec![("digest".to_owned(), DIGEST.to_vec())],
        Auth::Bad => vec![("nonsense".to_owned(), vec![1])],
    };
    let hosts = (0..habits.servers).map(|port| HostPort {
        host: "zk".into(),
        port,
    });
    let config = Config {
        hosts: hosts.collect(),
        session_timeout: SESSION_TIMEOUT,
        attempt_timeout: Duration::from_secs(1),
        max_incoming_bytes: 1 << 20,
        max_outgoing_bytes: 1 << 20,
        max_requests: habits.max_requests,
        auth,
        sasl: None,
        read_only: false,
        seed: rng.u64(..),
    };
    Session::new(config, now)
}

fn create<'a>(path: &'a str, data: &'a [u8], mode: CreateMode) -> CreateRequest<'a> {
    CreateRequest {
        path,
        data: Some(data),
        acl: Cow::Borrowed(Acl::OPEN),
        mode,
    }
}

fn pick<T>(rng: &mut Rng, all: impl Iterator<Item = T>) -> Option<T> {
    let mut all: Vec<_> = all.collect();
    (!all.is_empty()).then(|| all.swap_remove(rng.usize(0..all.len())))
}
