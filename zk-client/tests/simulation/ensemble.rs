//! The servers: several addresses in front of one `zk_server::core::Core`, each with faults of its own.
//!
//! Every request is taken apart on its way into the core and every answer on its way out, so that what the servers did
//! is known independently of what the clients were told. A follower that lags is, for one client, a slow link to a
//! leader that turns away who has seen more: that is how it is made here.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::{Bytes, BytesMut};
use zk_client::EventType;
use zk_client::session::WatchKind;
use zk_proto::four_letter::ServerVersion;
use zk_proto::record::{
    AddWatchMode, AddWatchRequest, AuthRequest, ConnectRequest, ConnectResponse, ExistsRequest,
    ReplyHeader, Request, RequestHeader, WatcherEvent,
};
use zk_proto::{Decode, Encode, ErrorCode, OpCode, Reader, SessionId, Xid, Zxid, frame};
use zk_server::ServerOptions;
use zk_server::core::{ConnectionId, Core, Now};

use crate::history::History;

/// What the observer proves to be, so that it sees every znode of the clients.
pub(crate) const DIGEST: &[u8] = b"sim:secret";
pub(crate) const TICK_MS: u64 = 500;
/// The observer's question for the last transaction.
const ZXID_XID: Xid = Xid(i32::MAX);

/// All servers.
pub(crate) struct Ensemble {
    core: Core,
    pub(crate) fronts: Vec<Front>,
    pub(crate) history: History,
    observer: ConnectionId,
    observer_xid: i32,
    taps: BTreeMap<ConnectionId, Tap>,
    /// Bytes for clients, and whether the connection ends behind them.
    pub(crate) outbox: Vec<(ConnectionId, Bytes, bool)>,
    /// What has been done to the requests, since this was last read.
    pub(crate) facts: Vec<Fact>,
}

/// An address and how it fares.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    pub(crate) version: ServerVersion,
    /// Whether it answers `srvr`.
    pub(crate) tells: bool,
    /// Connections are refused.
    pub(crate) down: bool,
    /// Connections are accepted and never served.
    pub(crate) mute: bool,
    /// It knows transactions up to this one and turns away whoever knows more.
    pub(crate) reached: Option<Zxid>,
    /// Milliseconds by which it is behind.
    pub(crate) slow: u64,
}

impl Front {
    pub(crate) const fn new(version: ServerVersion, tells: bool) -> Self {
        Self {
            version,
            tells,
            down: false,
            mute: false,
            reached: None,
            slow: 0,
        }
    }

    /// Everything is well.
    pub(crate) fn heal(&mut self) {
        *self = Self::new(self.version, self.tells);
    }
}

/// What became of a client's request.
#[derive(Debug)]
pub(crate) enum Fact {
    /// A request that may change the tree was executed. The key is the request without its xid.
    Executed { client: usize, key: Bytes },
    /// Watches are registered again, with the history so long; of those for a creation, these znodes are missing.
    Rearmed {
        client: usize,
        position: usize,
        missing: Vec<String>,
    },
}

/// An answer that the server gave.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The request, without its xid.
    pub(crate) key: Bytes,
    pub(crate) zxid: Zxid,
    pub(crate) err: ErrorCode,
    pub(crate) body: Bytes,
    /// How long the history was by then.
    pub(crate) position: usize,
}

/// What is known of one connection.
struct Tap {
    client: usize,
    front: usize,
    input: BytesMut,
    session: Option<SessionId>,
    /// Answers to the user's requests, oldest first; taken as the client tells of them.
    answers: VecDeque<Answer>,
    /// Persistent watches that were registered again here, and how long the history was by then.
    rearmed: HashMap<(bool, String), usize>,
    /// Its session has gone to another server, and nobody has told the client yet.
    moved: bool,
    /// The server has closed it; what it has answered is still on its way.
    closed: bool,
}

impl Ensemble {
    pub(crate) fn new(seed: u64, fronts: Vec<Front>, now: Now) -> Self {
        let options = ServerOptions {
            tick: std::time::Duration::from_millis(TICK_MS),
            session_timeout_max: Some(std::time::Duration::from_secs(86_400)),
            // One core serves all: what a release does differently with the requests that it knows is that of the
            // oldest with persistent watches.
            emulate_version: fronts
                .iter()
                .map(|front| front.version)
                .filter(|version| *version >= OpCode::ADD_WATCH.since())
                .min()
                .unwrap_or(ServerVersion::new(3, 9, 5)),
            ..ServerOptions::default()
        };
        let mut core = Core::new(options, seed, now);
        let observer = core.connected(now, "127.0.0.1:8".parse().unwrap());
        let mut ensemble = Self {
            core,
            fronts,
            history: History::default(),
            observer,
            observer_xid: 0,
            taps: BTreeMap::new(),
            outbox: vec![],
            facts: vec![],
        };
        let connect = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid(0),
            timeout_ms: 86_400_000,
            session_id: SessionId::NONE,
            password: Some(&[0; 16]),
            read_only: Some(false),
        };
        let mut wire = BytesMut::new();
        frame::encode(&mut wire, usize::MAX, |out| connect.encode(out)).unwrap();
        ensemble.core.received(now, observer, &wire);
        let connected = ensemble.core.take_output(now, observer, usize::MAX);
        assert!(!connected.is_empty(), "the observer has a session");
        let auth = AuthRequest {
            scheme: "digest",
            auth: Some(DIGEST),
        };
        ensemble.observe(now, &Request::Auth(auth));
        ensemble.observe(
            now,
            &Request::AddWatch(AddWatchRequest {
                path: "/",
                mode: AddWatchMode::PERSISTENT_RECURSIVE,
            }),
        );
        ensemble
    }

    /// A client has reached a server.
    pub(crate) fn accept(&mut self, now: Now, client: usize, front: usize) -> ConnectionId {
        let connection = self.core.connected(now, "127.0.0.1:9".parse().unwrap());
        let tap = Tap {
            client,
            front,
            input: BytesMut::new(),
            session: None,
            answers: VecDeque::new(),
            rearmed: HashMap::new(),
            moved: false,
            closed: false,
        };
        self.taps.insert(connection, tap);
        connection
    }

    /// The client has gone, and the server knows.
    pub(crate) fn gone(&mut self, now: Now, id: ConnectionId) {
        self.taps.remove(&id);
        self.core.disconnected(id);
        self.drain(now);
    }

    /// Bytes of a client have arrived. `moves`: should they take a session away from another live connection, that one is not
    /// closed but told at its next write.
    pub(crate) fn receive(&mut self, now: Now, id: ConnectionId, bytes: &[u8], moves: bool) {
        if let Some(tap) = self.taps.get_mut(&id) {
            tap.input.extend_from_slice(bytes);
        }
        while let Some(tap) = self.taps.get_mut(&id).filter(|tap| !tap.closed)
            && let Some(frame) = take_frame(&mut tap.input)
        {
            if tap.session.is_some() {
                self.request(now, id, &frame);
            } else {
                self.handshake(now, id, &frame, moves);
            }
        }
    }

    fn handshake(&mut self, now: Now, id: ConnectionId, frame: &Bytes, moves: bool) {
        let payload = frame.slice(4..);
        let request =
            ConnectRequest::decode(&mut Reader::new(&payload)).expect("a connect request");
        let front = &self.fronts[self.taps[&id].front];
        if front
            .reached
            .is_some_and(|reached| request.last_zxid_seen > reached)
        {
            // It is not told why.
            return self.close(id);
        }
        let served = self
            .taps
            .values_mut()
            .rev()
            .find(|tap| tap.session == Some(request.session_id));
        if let Some(tap) = served.filter(|_| moves && request.session_id != SessionId::NONE) {
            tap.moved = true;
        }
        self.core.received(now, id, frame);
        let output = self.core.take_output(now, id, usize::MAX);
        if let Some(payload) = frames(&output).next()
            && let Ok(response) = ConnectResponse::decode(&mut Reader::new(&payload))
            && response.timeout_ms > 0
        {
            self.taps.get_mut(&id).unwrap().session = Some(response.session_id);
        }
        self.outbox.push((id, output, false));
        self.drain(now);
    }

    fn request(&mut self, now: Now, id: ConnectionId, frame: &Bytes) {
        let payload = frame.slice(4..);
        let header = RequestHeader::decode(&mut Reader::new(&payload)).expect("a request");
        let key = key_of(&payload.slice(4..));
        if self.taps[&id].moved {
            return self.refuse_moved(id, header);
        }
        if header.opcode.since() > self.fronts[self.taps[&id].front].version {
            self.refuse(id, header.xid, ErrorCode::UNIMPLEMENTED);
            return self.note_refusal(id, key);
        }
        self.core.received(now, id, frame);
        let output = self.core.take_output(now, id, usize::MAX);
        self.outbox.push((id, output.clone(), false));
        self.drain(now);
        let record = payload.slice(8..);
        for reply in frames(&output) {
            let mut reader = Reader::new(&reply);
            let reply_header = ReplyHeader::decode(&mut reader).expect("a reply");
            if reply_header.xid != header.xid {
                continue;
            }
            self.answered(
                id,
                (header, &record),
                &key,
                reply_header,
                reply.slice(reader.offset()..),
            );
        }
    }

    /// A write of a session that has gone elsewhere is refused. Anything else is silence, and all behind it.
    fn refuse_moved(&mut self, id: ConnectionId, request: RequestHeader) {
        if changes_tree(request.opcode) {
            self.refuse(id, request.xid, ErrorCode::SESSION_MOVED);
        } else if let Some(tap) = self.taps.get_mut(&id) {
            tap.closed = true;
        }
    }

    /// Answers without a transaction number, and closes.
    fn refuse(&mut self, id: ConnectionId, xid: Xid, err: ErrorCode) {
        let reply = ReplyHeader {
            xid,
            zxid: Zxid(-1),
            err,
        };
        let mut out = BytesMut::new();
        frame::encode(&mut out, usize::MAX, |out| reply.encode(out)).unwrap();
        self.outbox.push((id, out.freeze(), false));
        self.close(id);
    }

    /// The client is going to tell that its request was refused.
    fn note_refusal(&mut self, id: ConnectionId, key: Bytes) {
        let position = self.history.len();
        if let Some(tap) = self.taps.get_mut(&id) {
            tap.answers.push_back(Answer {
                key,
                zxid: Zxid(-1),
                err: ErrorCode::UNIMPLEMENTED,
                body: Bytes::new(),
                position,
            });
        }
    }

    /// Takes down what the server made of a request.
    fn answered(
        &mut self,
        id: ConnectionId,
        (request, record): (RequestHeader, &Bytes),
        key: &Bytes,
        reply: ReplyHeader,
        body: Bytes,
    ) {
        let position = self.history.len();
        let tap = self.taps.get_mut(&id).unwrap();
        let client = tap.client;
        if changes_tree(request.opcode) {
            let key = key.clone();
            self.facts.push(Fact::Executed { client, key });
        }
        if request.xid.0 > 0 {
            tap.answers.push_back(Answer {
                key: key.clone(),
                zxid: reply.zxid,
                err: reply.err,
                body,
                position,
            });
            return;
        }
        let (one_shot, persistent, recursive) =
            match Request::decode(request.opcode, &mut Reader::new(record)) {
                Ok(Request::SetWatches(r)) => (r, vec![], vec![]),
                Ok(Request::SetWatches2(r)) => (r.one_shot, r.persistent, r.persistent_recursive),
                _ => return,
            };
        let lists = [(false, persistent), (true, recursive)];
        for (is_recursive, paths) in lists {
            for path in paths {
                tap.rearmed
                    .insert((is_recursive, path.to_owned()), position);
            }
        }
        let missing = one_shot
            .exist
            .into_iter()
            .filter(|path| !self.history.exists(path));
        let missing = missing.map(str::to_owned).collect();
        self.facts.push(Fact::Rearmed {
            client,
            position,
            missing,
        });
    }

    /// Executes what an old connection had under way, after its session has gone on elsewhere: a leader may commit what
    /// it had taken before.
    pub(crate) fn commit_late(
        &mut self,
        now: Now,
        client: usize,
        rest: impl Iterator<Item = Bytes>,
        id: ConnectionId,
    ) {
        let Some(mut tap) = self.taps.remove(&id) else {
            return;
        };
        if tap.session.is_none() {
            return;
        }
        for bytes in rest {
            tap.input.extend_from_slice(&bytes);
        }
        while let Some(frame) = take_frame(&mut tap.input) {
            let payload = frame.slice(4..);
            let mut reader = Reader::new(&payload);
            let header = RequestHeader::decode(&mut reader).expect("a request");
            let late = match Request::decode(header.opcode, &mut reader) {
                Ok(Request::Create(r)) => !r.mode.is_ephemeral(),
                Ok(Request::SetData(_) | Request::Delete(_)) => true,
                _ => false,
            };
            if late {
                let key = key_of(&payload.slice(4..));
                self.facts.push(Fact::Executed { client, key });
                self.core.received(now, self.observer, &frame);
                self.drain(now);
            }
        }
    }

    /// Sessions expire, silent connections go.
    pub(crate) fn tick(&mut self, now: Now) {
        self.core.tick(now);
        self.drain(now);
    }

    pub(crate) fn wake_at_ms(&self) -> Option<u64> {
        self.core.wake_at_ms()
    }

    pub(crate) fn expire(&mut self, now: Now, session: SessionId) {
        self.core.expire_session(now, session);
        self.drain(now);
    }

    pub(crate) fn drop_connections(&mut self, now: Now) {
        for id in self.taps.keys().copied().collect::<Vec<_>>() {
            self.close(id);
        }
        self.drain(now);
    }

    pub(crate) fn has_session(&self, session: SessionId) -> bool {
        self.core.sessions().any(|id| id == session)
    }

    /// The last transaction, as far as the observer knows.
    pub(crate) fn last_zxid(&self) -> Zxid {
        self.history
            .changes
            .last()
            .map_or(Zxid(0), |change| change.zxid)
    }

    /// The answers that were given on a connection and not told yet.
    pub(crate) fn answers(&mut self, id: ConnectionId) -> Option<&mut VecDeque<Answer>> {
        self.taps.get_mut(&id).map(|tap| &mut tap.answers)
    }

    /// How long the history was when the last of the persistent watches was registered again on a connection; `None`
    /// where this one was not.
    pub(crate) fn rearmed_at(
        &self,
        id: ConnectionId,
        kind: WatchKind,
        path: &str,
    ) -> Option<usize> {
        let rearmed = &self.taps.get(&id)?.rearmed;
        rearmed.get(&(kind == WatchKind::PersistentRecursive, path.to_owned()))?;
        rearmed.values().copied().max()
    }

    /// Asks on a connection without faults.
    pub(crate) fn observe(&mut self, now: Now, request: &Request<'_>) -> (ErrorCode, Bytes) {
        self.observer_xid += 1;
        let xid = match request {
            Request::Auth(_) => Xid::AUTH,
            _ => Xid(self.observer_xid),
        };
        let mut wire = BytesMut::new();
        frame::encode_request(&mut wire, xid, request, usize::MAX).unwrap();
        self.core.received(now, self.observer, &wire);
        self.drain(now).expect("an answer for the observer")
    }

    /// Hands out what the core has written, and notes what the observer hears. Returns the observer's last answer.
    fn drain(&mut self, now: Now) -> Option<(ErrorCode, Bytes)> {
        let mut answer = None;
        let mut output = self.core.take_output(now, self.observer, usize::MAX);
        if frames(&output).any(|payload| payload.starts_with(&Xid::NOTIFICATION.0.to_be_bytes())) {
            // Old servers do not say which transaction it was.
            let mut wire = BytesMut::new();
            let request = Request::Exists(ExistsRequest {
                path: "/",
                watch: false,
            });
            frame::encode_request(&mut wire, ZXID_XID, &request, usize::MAX).unwrap();
            self.core.received(now, self.observer, &wire);
            let more = self.core.take_output(now, self.observer, usize::MAX);
            output = [output, more].concat().into();
        }
        let mut events = vec![];
        for payload in frames(&output) {
            let mut reader = Reader::new(&payload);
            let header = ReplyHeader::decode(&mut reader).expect("a reply");
            match header.xid {
                Xid::NOTIFICATION => {
                    let event = WatcherEvent::decode(&mut reader).expect("an event");
                    assert_ne!(event.event_type, EventType::NODE_CHILDREN_CHANGED);
                    events.push((event.event_type, event.path.to_owned()));
                }
                ZXID_XID => {
                    for (event, path) in events.drain(..) {
                        self.history.record(header.zxid, event, &path);
                    }
                }
                _ => answer = Some((header.err, payload.slice(reader.offset()..))),
            }
        }
        while let Some(id) = self.core.next_ready() {
            if id == self.observer {
                continue;
            }
            let bytes = self.core.take_output(now, id, usize::MAX);
            if !bytes.is_empty() {
                self.outbox.push((id, bytes, false));
            }
            if self.core.is_over(id) {
                self.over(id);
            }
        }
        answer
    }

    /// The core has closed a connection. One whose session has moved on stands until the client writes.
    fn over(&mut self, id: ConnectionId) {
        if self.taps.get(&id).is_some_and(|tap| tap.moved) {
            self.core.disconnected(id);
        } else {
            self.close(id);
        }
    }

    /// The server closes a connection behind what it has written.
    fn close(&mut self, id: ConnectionId) {
        self.core.disconnected(id);
        if let Some(tap) = self.taps.get_mut(&id)
            && !tap.closed
        {
            tap.closed = true;
            self.outbox.push((id, Bytes::new(), true));
        }
    }
}

/// Whether a request, sent twice, could be applied twice.
pub(crate) fn changes_tree(opcode: OpCode) -> bool {
    matches!(
        opcode,
        OpCode::CREATE
            | OpCode::CREATE2
            | OpCode::CREATE_CONTAINER
            | OpCode::CREATE_TTL
            | OpCode::DELETE
            | OpCode::SET_DATA
            | OpCode::SET_ACL
            | OpCode::MULTI
    )
}

/// What names a request, from its opcode on: without the flag, or mode, of the watch that it leaves. That is for the
/// session to decide.
pub(crate) fn key_of(request: &Bytes) -> Bytes {
    let opcode = request
        .first_chunk()
        .map(|bytes| OpCode(i32::from_be_bytes(*bytes)));
    let end = match opcode {
        Some(
            OpCode::EXISTS
            | OpCode::GET_DATA
            | OpCode::GET_CHILDREN
            | OpCode::GET_CHILDREN2
            | OpCode::ADD_WATCH,
        ) => request.len() - 1,
        _ => request.len(),
    };
    request.slice(..end)
}

/// The next whole frame, its length included.
fn take_frame(input: &mut BytesMut) -> Option<Bytes> {
    let length = i32::from_be_bytes(*input.first_chunk()?);
    let length = usize::try_from(length).expect("a client's frames have a length") + 4;
    (input.len() >= length).then(|| input.split_to(length).freeze())
}

/// The payloads of all whole frames.
pub(crate) fn frames(mut bytes: &[u8]) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk()?;
        let (payload, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        bytes = rest;
        Some(Bytes::copy_from_slice(payload))
    })
}
