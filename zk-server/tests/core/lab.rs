use std::collections::HashMap;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use zk_proto::frame::{self, FrameDecoder};
use zk_proto::record::{
    ConnectRequest, ConnectResponse, CreateMode, CreateRequest, CreateResponse, DeleteRequest,
    EventType, ExistsRequest, ExistsResponse, GetChildrenRequest, GetDataRequest, GetDataResponse,
    ReplyHeader, Request, SetDataRequest, WatcherEvent,
};
use zk_proto::{Acl, Decode, Encode, ErrorCode, Reader, SessionId, Stat, Xid, ZnodeVersion, Zxid};
use zk_server::ServerOptions;
use zk_server::core::{ConnectionId, Core, Now};

/// A server, its clients and the time.
pub(crate) struct Lab {
    pub(crate) core: Core,
    pub(crate) now: Now,
    events: HashMap<ConnectionId, Vec<Event>>,
    xid: Xid,
}

/// A client with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) connection: ConnectionId,
    pub(crate) session: SessionId,
    pub(crate) password: [u8; 16],
}

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) event: EventType,
    pub(crate) path: String,
    pub(crate) zxid: Zxid,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) header: ReplyHeader,
    body: Bytes,
}

impl Reply {
    pub(crate) fn code(&self) -> ErrorCode {
        self.header.err
    }

    /// The record of an answer that must be a good one.
    pub(crate) fn body<'a, T: Decode<'a>>(&'a self) -> T {
        assert_eq!(self.header.err, ErrorCode::OK);
        self.body_anyway()
    }

    pub(crate) fn body_anyway<'a, T: Decode<'a>>(&'a self) -> T {
        T::decode(&mut Reader::new(&self.body)).expect("the record of the answer")
    }

    pub(crate) fn body_len(&self) -> usize {
        self.body.len()
    }
}

/// What a client reads, in order.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Event(Event),
    Reply(Reply),
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with(ServerOptions::default())
    }

    pub(crate) fn with(options: ServerOptions) -> Self {
        let now = Now {
            monotonic_ms: 500,
            wall_ms: 1_700_000_000_000,
        };
        Self {
            core: Core::new(options, 7, now),
            now,
            events: HashMap::new(),
            xid: Xid(0),
        }
    }

    /// Lets time pass, waking the server whenever it wants to be woken.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end_ms = self.now.monotonic_ms + u64::try_from(duration.as_millis()).unwrap();
        while let Some(wake_ms) = self.core.wake_at_ms()
            && wake_ms <= end_ms
        {
            self.set_time(wake_ms.max(self.now.monotonic_ms));
            self.core.tick(self.now);
        }
        self.set_time(end_ms);
    }

    fn set_time(&mut self, monotonic_ms: u64) {
        let passed = monotonic_ms - self.now.monotonic_ms;
        self.now.monotonic_ms = monotonic_ms;
        self.now.wall_ms += i64::try_from(passed).unwrap();
    }

    pub(crate) fn dial(&mut self) -> ConnectionId {
        let peer = "127.0.0.1:40000".parse().unwrap();
        self.core.connected(self.now, peer)
    }

    pub(crate) fn client(&mut self) -> Client {
        self.client_with_timeout(10_000).0
    }

    pub(crate) fn client_with_timeout(&mut self, timeout_ms: i32) -> (Client, i32) {
        let connection = self.dial();
        let payload = self.handshake(connection, SessionId::NONE, &[0; 16], timeout_ms);
        let response = ConnectResponse::decode(&mut Reader::new(&payload)).unwrap();
        let client = Client {
            connection,
            session: response.session_id,
            password: response.password.unwrap().try_into().unwrap(),
        };
        (client, response.timeout_ms)
    }

    /// Sends a connect request that accepts a read-only server; `None` when the connection is over without an answer.
    pub(crate) fn accept_read_only(
        &mut self,
        old: Option<Client>,
    ) -> Option<(Client, Option<bool>)> {
        let connection = self.dial();
        self.send_connect(
            connection,
            &ConnectRequest {
                protocol_version: 0,
                last_zxid_seen: Zxid(0),
                timeout_ms: 10_000,
                session_id: old.map_or(SessionId::NONE, |client| client.session),
                password: Some(&old.map_or([0; 16], |client| client.password)),
                read_only: Some(true),
            },
        );
        let payload = self.frames(connection).pop()?;
        let response = ConnectResponse::decode(&mut Reader::new(&payload)).unwrap();
        let client = Client {
            connection,
            session: response.session_id,
            password: response.password.unwrap().try_into().unwrap(),
        };
        (response.timeout_ms > 0).then_some((client, response.read_only))
    }

    /// The answer to a four-letter word.
    pub(crate) fn word(&mut self, word: &[u8]) -> String {
        let connection = self.dial();
        self.send_bytes(connection, word);
        assert!(self.core.is_over(connection), "{word:?}");
        let answer = self.output(connection);
        self.core.disconnected(connection);
        String::from_utf8(answer.to_vec()).unwrap()
    }

    /// Goes on with a session on a new connection; `None` when the server says that it has expired.
    pub(crate) fn reattach(&mut self, client: Client) -> Option<Client> {
        let connection = self.dial();
        let payload = self.handshake(connection, client.session, &client.password, 10_000);
        let response = ConnectResponse::decode(&mut Reader::new(&payload)).unwrap();
        (response.timeout_ms > 0).then_some(Client {
            connection,
            ..client
        })
    }

    pub(crate) fn handshake(
        &mut self,
        connection: ConnectionId,
        session_id: SessionId,
        password: &[u8],
        timeout_ms: i32,
    ) -> Bytes {
        self.send_connect(
            connection,
            &ConnectRequest {
                protocol_version: 0,
                last_zxid_seen: Zxid(0),
                timeout_ms,
                session_id,
                password: Some(password),
                read_only: Some(false),
            },
        );
        let frames = self.frames(connection);
        assert_eq!(frames.len(), 1, "one answer to the connect request");
        frames[0].clone()
    }

    pub(crate) fn send_connect(&mut self, id: ConnectionId, request: &ConnectRequest<'_>) {
        let mut wire = BytesMut::new();
        frame::encode(&mut wire, frame::DEFAULT_MAX_BYTES, |out| {
            request.encode(out);
        })
        .unwrap();
        self.send_bytes(id, &wire);
    }

    pub(crate) fn send_bytes(&mut self, id: ConnectionId, bytes: &[u8]) {
        self.core.received(self.now, id, bytes);
    }

    /// Sends a request and returns its number.
    pub(crate) fn send(&mut self, client: Client, request: &Request<'_>) -> Xid {
        self.xid = self.xid.next();
        let mut wire = BytesMut::new();
        frame::encode_request(&mut wire, self.xid, request, usize::MAX).unwrap();
        self.send_bytes(client.connection, &wire);
        self.xid
    }

    /// Sends a request and returns its answer; events on the way are kept for [`Self::events`].
    pub(crate) fn call(&mut self, client: Client, request: &Request<'_>) -> Reply {
        let xid = self.send(client, request);
        let mut replies = Vec::new();
        for said in self.said(client) {
            match said {
                Said::Event(event) => {
                    self.events
                        .entry(client.connection)
                        .or_default()
                        .push(event);
                }
                Said::Reply(reply) => replies.push(reply),
            }
        }
        assert_eq!(replies.len(), 1, "one answer to {request:?}");
        let reply = replies.remove(0);
        if *request != Request::Ping {
            assert_eq!(reply.header.xid, xid);
        }
        reply
    }

    /// Everything that the client can read now, in order.
    pub(crate) fn said(&mut self, client: Client) -> Vec<Said> {
        let frames = self.frames(client.connection);
        frames.into_iter().map(Said::decode).collect()
    }

    /// The events that have come since this was last asked, and no replies.
    pub(crate) fn events(&mut self, client: Client) -> Vec<Event> {
        let mut events = self.events.remove(&client.connection).unwrap_or_default();
        for said in self.said(client) {
            match said {
                Said::Event(event) => events.push(event),
                Said::Reply(reply) => panic!("a reply among the events: {reply:?}"),
            }
        }
        events
    }

    pub(crate) fn frames(&mut self, id: ConnectionId) -> Vec<Bytes> {
        let mut wire = BytesMut::from(&self.output(id)[..]);
        let mut frames = Vec::new();
        while let Some(frame) = FrameDecoder::new(usize::MAX).decode(&mut wire).unwrap() {
            frames.push(frame);
        }
        assert!(wire.is_empty(), "half a frame: {wire:?}");
        frames
    }

    pub(crate) fn output(&mut self, id: ConnectionId) -> Bytes {
        let mut output = BytesMut::new();
        loop {
            let bytes = self.core.take_output(self.now, id, usize::MAX);
            if bytes.is_empty() {
                return output.freeze();
            }
            output.extend_from_slice(&bytes);
        }
    }

    pub(crate) fn create(&mut self, client: Client, path: &str) -> Result<String, ErrorCode> {
        self.create_as(client, path, CreateMode::PERSISTENT)
    }

    pub(crate) fn create_as(
        &mut self,
        client: Client,
        path: &str,
        mode: CreateMode,
    ) -> Result<String, ErrorCode> {
        let reply = self.call(client, &Request::Create(create(path, mode, Acl::OPEN)));
        match reply.code() {
            ErrorCode::OK => Ok(reply.body::<CreateResponse<'_>>().path.to_owned()),
            code => Err(code),
        }
    }

    pub(crate) fn delete(&mut self, client: Client, path: &str) -> ErrorCode {
        let version = ZnodeVersion::ANY;
        self.call(client, &Request::Delete(DeleteRequest { path, version }))
            .code()
    }

    pub(crate) fn set(&mut self, client: Client, path: &str, data: &str) -> ErrorCode {
        let request = Request::SetData(SetDataRequest {
            path,
            data: Some(data.as_bytes()),
            version: ZnodeVersion::ANY,
        });
        self.call(client, &request).code()
    }

    pub(crate) fn data(&mut self, client: Client, path: &str) -> Option<String> {
        let request = Request::GetData(GetDataRequest { path, watch: false });
        let reply = self.call(client, &request);
        let data = reply.body::<GetDataResponse<'_>>().data;
        data.map(|data| String::from_utf8(data.to_vec()).unwrap())
    }

    pub(crate) fn stat(&mut self, client: Client, path: &str) -> Option<Stat> {
        self.exists(client, path, false)
    }

    /// Asks with a watch for what a change of the znode, or its creation, would be.
    pub(crate) fn watch(&mut self, client: Client, path: &str) {
        self.exists(client, path, true);
    }

    fn exists(&mut self, client: Client, path: &str, watch: bool) -> Option<Stat> {
        let reply = self.call(client, &Request::Exists(ExistsRequest { path, watch }));
        match reply.code() {
            ErrorCode::NO_NODE => None,
            _ => Some(reply.body::<ExistsResponse>().stat),
        }
    }

    pub(crate) fn watch_children(&mut self, client: Client, path: &str) {
        let request = Request::GetChildren(GetChildrenRequest { path, watch: true });
        assert_eq!(self.call(client, &request).code(), ErrorCode::OK);
    }
}

impl Said {
    fn decode(frame: Bytes) -> Self {
        let mut reader = Reader::new(&frame);
        let header = ReplyHeader::decode(&mut reader).expect("a header");
        if header.xid == Xid::NOTIFICATION {
            let event = WatcherEvent::decode(&mut reader).expect("an event");
            assert_eq!(event.state.0, 3);
            return Self::Event(Event {
                event: event.event_type,
                path: event.path.to_owned(),
                zxid: header.zxid,
            });
        }
        let mut body = frame.clone();
        body.advance(16);
        Self::Reply(Reply { header, body })
    }
}

pub(crate) fn create<'a>(path: &'a str, mode: CreateMode, acl: &'a [Acl]) -> CreateRequest<'a> {
    CreateRequest {
        path,
        data: Some(b""),
        acl: acl.into(),
        mode,
    }
}

/// Events as short texts: `created /a`.
pub(crate) fn texts(events: &[Event]) -> Vec<String> {
    let text = |event: &Event| {
        let what = match event.event {
            EventType::NODE_CREATED => "created",
            EventType::NODE_DELETED => "deleted",
            EventType::NODE_DATA_CHANGED => "changed",
            EventType::NODE_CHILDREN_CHANGED => "children",
            other => panic!("{other:?}"),
        };
        format!("{what} {}", event.path)
    };
    events.iter().map(text).collect()
}
