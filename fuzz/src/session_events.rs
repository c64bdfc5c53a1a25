//! The core of the client's session, driven by a script: every byte is a step, so that the fuzzer reaches deep states
//! where arbitrary bytes would only break the connection.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use zk_client::session::{
    CallError, CallId, Input, Output, SaslAnswer, Session, SessionState, WatchKind, WatcherId,
};
use zk_client::{EventType, ZnodeVersion};
use zk_proto::four_letter::ServerVersion;
use zk_proto::record::{
    AddWatchMode, AddWatchRequest, ExistsRequest, GetChildrenRequest, GetDataRequest, KeeperState,
    ReplyHeader, Request, RequestHeader, SetDataRequest, WatcherEvent,
};
use zk_proto::{Decode, Encode, ErrorCode, OpCode, Reader, Xid, Zxid, frame};

use crate::session::{config, greet};

/// A script of events, a byte or two each, in any order; its first byte says what the session is made with.
pub fn zk_session_events(input: &[u8]) {
    let mut steps = input.iter().copied();
    let mut play = Play::new(steps.next().unwrap_or(0));
    while let Some(step) = steps.next() {
        play.step(step, &mut || steps.next().unwrap_or(0));
        play.settle();
    }
    play.session.abandon();
    play.settle();
    assert!(
        play.asked.is_empty(),
        "every call is answered: {:?}",
        play.asked
    );
}

struct Play {
    now: Instant,
    session: Session<u64>,
    /// Calls under way, with their watchers.
    asked: BTreeMap<u64, Option<WatcherId>>,
    /// One-shot watchers that may be told, or are gone.
    watchers: BTreeMap<WatcherId, bool>,
    calls: BTreeMap<u64, CallId>,
    /// The last questions about the version and about writing.
    asks: u64,
    probes: u64,
    next: u64,
    zxid: i64,
    connected: bool,
    greeted: bool,
    state: SessionState,
    over: bool,
    sent: BytesMut,
    /// Requests that the server has and has not answered.
    due: Vec<RequestHeader>,
    received: BytesMut,
}

const PATHS: [&str; 4] = ["/", "/a", "/a/b", "/a/b/c"];

impl Play {
    fn new(habits: u8) -> Self {
        let now = Instant::now();
        let mut config = config();
        config.read_only = habits & 1 != 0;
        config.sasl = (habits & 2 != 0).then_some("FUZZ");
        if habits & 4 != 0 {
            config.auth.push(("digest".into(), b"a:b".to_vec()));
        }
        Self {
            calls: BTreeMap::new(),
            asks: 0,
            probes: 0,
            now,
            session: Session::new(config, now),
            asked: BTreeMap::new(),
            watchers: BTreeMap::new(),
            next: 0,
            zxid: 1,
            connected: false,
            greeted: false,
            state: SessionState::Connecting,
            over: false,
            sent: BytesMut::new(),
            due: vec![],
            received: BytesMut::new(),
        }
    }

    fn step(&mut self, step: u8, more: &mut dyn FnMut() -> u8) {
        let now = self.now;
        let path = PATHS[usize::from(step >> 6)];
        match step & 0x3f {
            0..4 => {
                self.now += Duration::from_millis(1 << (more() % 13));
                self.session.handle_input(self.now, Input::Timeout);
            }
            4..8 => self.session.handle_input(now, Input::Connected),
            8 => self
                .session
                .handle_input(now, Input::ConnectFailed("refused".into())),
            9 => {
                self.forget();
                self.session.handle_input(now, Input::Lost("lost".into()));
            }
            10..14 if self.connected && !self.greeted => {
                self.greeted = true;
                let timeout_ms = if step & 0x3f == 13 { 0 } else { 6000 };
                greet(&mut self.received, timeout_ms, step & 0x3f == 12);
                self.deliver();
            }
            14 if step == 14 => self.session.handle_input(now, Input::Close),
            15..18 => self.ask(
                now,
                &Request::GetData(GetDataRequest { path, watch: true }),
                path,
                WatchKind::Data,
            ),
            18..20 => self.ask(
                now,
                &Request::Exists(ExistsRequest { path, watch: true }),
                path,
                WatchKind::Data,
            ),
            20 => self.ask(
                now,
                &Request::GetChildren(GetChildrenRequest { path, watch: true }),
                path,
                WatchKind::Child,
            ),
            21 | 22 => {
                let (mode, kind) = if step & 1 == 0 {
                    (AddWatchMode::PERSISTENT, WatchKind::Persistent)
                } else {
                    (
                        AddWatchMode::PERSISTENT_RECURSIVE,
                        WatchKind::PersistentRecursive,
                    )
                };
                self.ask(
                    now,
                    &Request::AddWatch(AddWatchRequest { path, mode }),
                    path,
                    kind,
                );
            }
            23..26 => {
                let request = Request::SetData(SetDataRequest {
                    path,
                    data: Some(&[7; 40]),
                    version: ZnodeVersion::ANY,
                });
                self.submit(now, &request, None);
            }
            26 => {
                // Over the limit: refused at once.
                let request = Request::SetData(SetDataRequest {
                    path,
                    data: Some(&[7; 5000]),
                    version: ZnodeVersion::ANY,
                });
                self.submit(now, &request, None);
            }
            27 => {
                let token = u64::from(more());
                if let Some(call) = self.calls.get(&token)
                    && self.session.withdraw(*call)
                {
                    assert!(self.asked.remove(&token).is_some(), "{token} was answered");
                }
            }
            28 | 29 => {
                let watcher = WatcherId(u64::from(more()));
                if step & 0x3f == 28 {
                    self.session.remove_watcher(now, watcher);
                } else {
                    let _ = self.session.release_watcher(watcher);
                    self.session.remove_watcher(now, watcher);
                }
                self.watchers.insert(watcher, false);
            }
            30 | 31 => {
                let version = match more() % 5 {
                    0 => None,
                    newer => Some(ServerVersion::new(
                        3,
                        3 + 2 * u32::from(newer) - u32::from(newer > 2),
                        0,
                    )),
                };
                let ask = self.asks - u64::from(step & 1).min(self.asks);
                self.session
                    .handle_input(now, Input::Version { ask, version });
            }
            32 => {
                let (probe, writable) = (self.probes, more() & 1 != 0);
                self.session
                    .handle_input(now, Input::Probed { probe, writable });
            }
            33 => {
                let answer = match more() % 4 {
                    0 | 1 => SaslAnswer::Done,
                    2 => SaslAnswer::Send(vec![1; 9]),
                    _ => SaslAnswer::Failed("no".into()),
                };
                self.session.handle_input(now, Input::Sasl(answer));
            }
            34 => {
                self.asked.insert(self.next, None);
                self.session
                    .add_auth(now, "digest", path.as_bytes(), self.next);
                self.next += 1;
            }
            35 => self.submit(now, &Request::WhoAmI, None),
            36..44 => self.answer(ErrorCode::OK, more()),
            44 => self.answer(ErrorCode::NO_NODE, 0),
            45 => self.answer(ErrorCode::UNIMPLEMENTED, 0),
            46 => self.answer(ErrorCode::SESSION_MOVED, 0),
            47 => self.reply(Xid(i32::from(more())), ErrorCode::OK, &[]),
            48..58 => {
                let event = WatcherEvent {
                    event_type: EventType(i32::from(more() % 6)),
                    state: KeeperState::SYNC_CONNECTED,
                    path,
                };
                let mut body = BytesMut::new();
                event.encode(&mut body);
                self.reply(Xid::NOTIFICATION, ErrorCode::OK, &body);
            }
            58 => self.reply(Xid::PING, ErrorCode::OK, &[]),
            59 => self.reply(Xid::AUTH, ErrorCode(-115 * i32::from(step >> 7)), &[]),
            _ => {
                self.received.extend_from_slice(&[0, 0, 0, more(), more()]);
                self.deliver();
            }
        }
    }

    fn ask(&mut self, now: Instant, request: &Request<'_>, path: &str, kind: WatchKind) {
        let watcher = WatcherId(self.next);
        self.watchers.entry(watcher).or_insert(true);
        self.submit(now, request, Some((kind, path.to_owned(), watcher)));
    }

    fn submit(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        watch: Option<(WatchKind, String, WatcherId)>,
    ) {
        let token = self.next;
        self.next += 1;
        self.asked
            .insert(token, watch.as_ref().map(|(_, _, watcher)| *watcher));
        let deadline = token
            .is_multiple_of(3)
            .then(|| now + Duration::from_millis(40 * (token % 50)));
        let call = self.session.submit(now, request, watch, deadline, token);
        self.calls.insert(token, call);
    }

    /// The server answers the request that is due.
    fn answer(&mut self, err: ErrorCode, body: u8) {
        if !self.greeted || self.due.is_empty() {
            return;
        }
        let header = self.due.remove(0);
        self.reply(header.xid, err, &vec![body; usize::from(body % 80)]);
    }

    fn reply(&mut self, xid: Xid, err: ErrorCode, body: &[u8]) {
        self.zxid += 1;
        let header = ReplyHeader {
            xid,
            zxid: Zxid(self.zxid),
            err,
        };
        let _ = frame::encode(&mut self.received, 4096, |out| {
            header.encode(out);
            out.extend_from_slice(body);
        });
        self.deliver();
    }

    fn deliver(&mut self) {
        if self.connected {
            self.session
                .handle_input(self.now, Input::Received(&mut self.received));
        }
    }

    /// The connection is gone, with all that was under way.
    fn forget(&mut self) {
        self.connected = false;
        self.greeted = false;
        self.sent.clear();
        self.due.clear();
        self.received.clear();
    }

    fn settle(&mut self) {
        loop {
            let out = self.session.outgoing().split();
            if !out.is_empty() {
                self.connected = true;
                self.sent.extend_from_slice(&out);
            }
            self.read();
            let Some(output) = self.session.poll_output() else {
                break;
            };
            let late = matches!(
                output,
                Output::Disconnect | Output::Completed(_, Err(CallError::Ended(..)))
            );
            assert!(late || !self.over, "{output:?} comes behind the end");
            match output {
                Output::Connect(_) | Output::Disconnect => self.forget(),
                Output::Completed(token, result) => {
                    assert!(
                        self.asked.remove(&token).is_some(),
                        "{token} is answered twice"
                    );
                    if let Err(CallError::TooMany(max)) = result {
                        assert!(self.asked.len() <= 2 * max);
                    }
                }
                Output::Event(watcher, ..) => {
                    assert_eq!(
                        self.watchers.get(&watcher),
                        Some(&true),
                        "{watcher:?} is told, but gone"
                    );
                }
                Output::Gap(watchers) => {
                    assert!(watchers.iter().all(|watcher| self.watchers[watcher]));
                }
                Output::Suspended(watchers) => {
                    assert!(watchers.iter().all(|watcher| self.watchers[watcher]));
                }
                Output::AskVersion(ask) => self.asks = ask,
                Output::ProbeWritable(probe, _) => self.probes = probe,
                Output::Sasl(_) => {}
                Output::State(state) => {
                    assert_ne!(state, self.state, "a state is told once");
                    self.state = state.clone();
                    self.over = matches!(state, SessionState::Ended(_));
                }
            }
        }
        assert_eq!(&self.state, self.session.state());
        assert_eq!(
            self.over,
            self.session.poll_timeout().is_none(),
            "a living session has something to wait for"
        );
        // As many requests as are allowed, and as many proofs of identity.
        assert!(self.asked.len() <= 2 * 64, "no more calls than are allowed");
    }

    /// Takes down what the server would have to answer.
    fn read(&mut self) {
        let decoder = frame::FrameDecoder::new(usize::MAX);
        while let Ok(Some(payload)) = decoder.decode(&mut self.sent) {
            let Ok(header) = RequestHeader::decode(&mut Reader::new(&payload)) else {
                continue;
            };
            // The connect request has no header; it reads as xid 0.
            if header.xid != Xid(0)
                && header.opcode != OpCode::PING
                && header.opcode != OpCode::AUTH
            {
                self.due.push(header);
            }
        }
    }
}
