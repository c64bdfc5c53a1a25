//! Sends the same random requests to a real ZooKeeper and to this server, and prints what they answer differently.
//!
//! `cargo run -p zk-server --example compare -- 127.0.0.1:2181 [SEED [COUNT [quota]]]`, with a single real server of version 3.4
//! or later that nobody else is using meanwhile (transaction numbers are compared too), started with
//! `-Dzookeeper.extendedTypesEnabled=true`. This server behaves as the version that the real one tells. Everything
//! happens below one new znode, which is deleted at the end.
//!
//! With `quota` there is a quota on these znodes, which a real server enforces since 3.7 with
//! `-Dzookeeper.enforceQuota=true`.
//!
//! Debian's 3.8.0 (`+deb12u2`) has a later release's rule that events need READ, and differs where they are withheld.
//!
//! Made alike before the comparison: times, session numbers, where transaction numbers start, and the order of
//! children and identities, which is left open.
#![allow(clippy::print_stdout, reason = "a program's output")]

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use zk_proto::four_letter::{SRVR, ServerVersion, parse_srvr};
use zk_proto::frame::{self, FrameDecoder};
use zk_proto::record::{
    AddWatchMode, AddWatchRequest, AuthRequest, CheckRequest, Children, ConnectRequest,
    ConnectResponse, Create2Response, CreateMode, CreateRequest, CreateTtlRequest, DeleteRequest,
    ExistsRequest, GetAclRequest, GetAclResponse, GetAllChildrenNumberRequest,
    GetChildren2Response, GetChildrenRequest, GetChildrenResponse, GetDataRequest, GetDataResponse,
    GetEphemeralsRequest, GetEphemeralsResponse, MultiOp, MultiRequest, MultiResponse, MultiResult,
    ReconfigRequest, RemoveWatchesRequest, ReplyHeader, Request, SaslRequest, SetAclRequest,
    SetDataRequest, SetWatches2Request, SetWatchesRequest, SyncRequest, WatcherType,
    WhoAmIResponse,
};
use zk_proto::{
    Acl, Decode, Encode, ErrorCode, Perms, Reader, SessionId, Stat, Xid, ZnodeVersion, Zxid,
};
use zk_server::{Server, ServerOptions};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const CLIENTS: usize = 3;
const BOB: &str = "digest:bob:fyVmFCwVbTJYrznoSu1koqYEYF0=";

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let real = args
        .next()
        .ok_or("which server? for example 127.0.0.1:2181")?;
    let seed = args.next().map_or(Ok(1), |text| text.parse())?;
    let count = args.next().map_or(Ok(1000), |text| text.parse())?;
    let runtime = tokio::runtime::Runtime::new()?;
    let quota = args.next().is_some_and(|text| text == "quota");
    let version = version(&real)?;
    let options = ServerOptions {
        emulate_version: version,
        enforce_quota: quota,
        ..ServerOptions::default()
    };
    let embedded = runtime.block_on(Server::start("127.0.0.1:0", options))?;
    let top = format!("/compare-{:08x}", fastrand::u32(..));
    let root = format!("{top}/root");
    let quota_top = format!("/zookeeper/quota{top}");
    let quota_root = format!("/zookeeper/quota{root}");
    let stats = format!("{quota_root}/zookeeper_stats");
    let limits = format!("{quota_root}/zookeeper_limits");
    let mut paths = vec![(&*top, ""), (&*root, "")];
    if quota {
        paths.extend([
            (&*quota_top, ""),
            (&*quota_root, ""),
            (
                &*limits,
                "count=-1,bytes=-1=;byteHardLimit=20;countHardLimit=8",
            ),
            (&*stats, ""),
        ]);
    }
    let mut sides = [
        Side::connect(&real, &paths)?,
        Side::connect(&embedded.connect_string(), &paths)?,
    ];
    let mut random = Random {
        stats: quota.then_some(stats),
        rng: Rng::with_seed(seed),
        root,
    };
    let mut differences = 0;
    for number in 1..=count {
        let client = random.rng.usize(..CLIENTS);
        let wire = random.request_bytes();
        let [theirs, ours] = &mut sides;
        let (theirs, ours) = (theirs.step(client, &wire)?, ours.step(client, &wire)?);
        if theirs != ours {
            differences += 1;
            println!("request {number} of client {client}: {wire:?}");
            println!("  real     {theirs:?}\n  embedded {ours:?}");
        }
    }
    for side in &mut sides {
        side.clean_up(&[&top, &quota_top])?;
    }
    println!("{version}, seed {seed}: {count} requests, {differences} differences");
    Ok(())
}

fn version(address: &str) -> Result<ServerVersion> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(SRVR)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let srvr = parse_srvr(&answer).ok_or("the server does not tell its version")?;
    Ok(srvr.version)
}

/// One server with its clients.
struct Side {
    clients: Vec<Client>,
    /// The transaction that everything is counted from.
    base: Zxid,
}

impl Side {
    fn connect(address: &str, paths: &[(&str, &str)]) -> Result<Self> {
        let clients: Result<Vec<_>> = (0..CLIENTS).map(|_| Client::connect(address)).collect();
        let mut side = Self {
            clients: clients?,
            base: Zxid(0),
        };
        for (path, data) in paths {
            let create = Request::Create(CreateRequest {
                path,
                data: Some(data.as_bytes()),
                acl: Acl::OPEN.into(),
                mode: CreateMode::PERSISTENT,
            });
            let frames = side.clients[0].call(&encode(&create))?;
            let header = ReplyHeader::decode(&mut Reader::new(&frames[0]))?;
            if header.err != ErrorCode::OK {
                return Err(format!("{address} cannot create {path}: {}", header.err).into());
            }
            side.base = header.zxid;
        }
        Ok(side)
    }

    /// What each client reads because of one request, made comparable.
    fn step(&mut self, client: usize, wire: &[u8]) -> Result<Vec<String>> {
        let opcode = wire.get(8..12).and_then(<[u8]>::first_chunk);
        let opcode = i32::from_be_bytes(*opcode.ok_or("a request without an opcode")?);
        let mut texts = Vec::new();
        let frames = self.clients[client].call(wire)?;
        texts.extend(frames.iter().map(|frame| self.alike(opcode, frame)));
        // A ping brings the other clients' events, and is their last frame.
        for other in (0..CLIENTS).filter(|other| *other != client) {
            let frames = self.clients[other].call(&encode(&Request::Ping))?;
            texts.push(format!("client {other}:"));
            texts.extend(frames.iter().map(|frame| self.alike(11, frame)));
        }
        Ok(texts)
    }

    fn alike(&self, opcode: i32, frame: &Bytes) -> String {
        self.try_alike(opcode, frame)
            .unwrap_or_else(|error| format!("{error}: {frame:?}"))
    }

    fn try_alike(&self, opcode: i32, frame: &Bytes) -> Result<String> {
        if frame.is_empty() {
            return Ok("closed".to_owned());
        }
        let mut r = Reader::new(frame);
        let mut header = ReplyHeader::decode(&mut r)?;
        header.zxid = self.zxid(header.zxid);
        if header.xid == Xid::NOTIFICATION || header.err != ErrorCode::OK || r.remaining() == 0 {
            return Ok(format!("{header:?} {:?}", &frame[r.offset()..]));
        }
        let stat = |stat| self.stat(stat);
        let body = match opcode {
            3 | 5 | 7 => format!("{:?}", stat(Stat::decode(&mut r)?)),
            4 => {
                let read = GetDataResponse::decode(&mut r)?;
                format!("{:?} {:?}", read.data, stat(read.stat))
            }
            6 => {
                let read = GetAclResponse::decode(&mut r)?;
                format!("{:?} {:?}", read.acl, stat(read.stat))
            }
            8 => sorted(&GetChildrenResponse::decode(&mut r)?.children),
            12 => {
                let read = GetChildren2Response::decode(&mut r)?;
                format!("{} {:?}", sorted(&read.children), stat(read.stat))
            }
            15 | 19 | 21 => {
                let made = Create2Response::decode(&mut r)?;
                format!("{} {:?}", made.path, stat(made.stat))
            }
            14 | 22 => {
                let results = MultiResponse::decode(&mut r)?.results;
                let texts = results.into_iter().map(|result| match result {
                    MultiResult::Create2(made) => format!("{} {:?}", made.path, stat(made.stat)),
                    MultiResult::SetData { stat: set } => format!("{:?}", stat(set)),
                    MultiResult::GetData(read) => format!("{:?} {:?}", read.data, stat(read.stat)),
                    MultiResult::GetChildren(children) => sorted(&children),
                    other => format!("{other:?}"),
                });
                format!("{:?}", texts.collect::<Vec<_>>())
            }
            103 => sorted(&GetEphemeralsResponse::decode(&mut r)?.paths),
            107 => {
                let mut clients = WhoAmIResponse::decode(&mut r)?.clients;
                clients.sort_unstable_by_key(|client| (client.scheme, client.user));
                format!("{clients:?}")
            }
            _ => format!("{:?}", &frame[r.offset()..]),
        };
        Ok(format!("{header:?} {body}"))
    }

    fn zxid(&self, zxid: Zxid) -> Zxid {
        if zxid.0 > 0 {
            Zxid(zxid.0 - self.base.0)
        } else {
            zxid
        }
    }

    fn stat(&self, stat: Stat) -> Stat {
        Stat {
            czxid: self.zxid(stat.czxid),
            mzxid: self.zxid(stat.mzxid),
            pzxid: self.zxid(stat.pzxid),
            ctime_ms: 0,
            mtime_ms: 0,
            ephemeral_owner: SessionId(i64::from(stat.ephemeral_owner != SessionId::NONE)),
            ..stat
        }
    }

    /// Deletes what is left, children first.
    fn clean_up(&mut self, tops: &[&str]) -> Result<()> {
        for client in &mut self.clients[1..] {
            client.call(&encode(&Request::CloseSession))?;
        }
        let client = &mut self.clients[0];
        client.call(&encode(&Request::Auth(bob())))?;
        let mut paths: Vec<_> = tops.iter().map(|top| (*top).to_owned()).collect();
        let mut next = 0;
        while let Some(path) = paths.get(next).cloned() {
            let request = Request::GetChildren(GetChildrenRequest {
                path: &path,
                watch: false,
            });
            let frames = client.call(&encode(&request))?;
            if let Some(frame) = frames.last() {
                let mut r = Reader::new(frame);
                if ReplyHeader::decode(&mut r)?.err == ErrorCode::OK {
                    let names = GetChildrenResponse::decode(&mut r)?.children.to_vec();
                    paths.extend(names.iter().map(|name| format!("{path}/{name}")));
                }
            }
            next += 1;
        }
        for path in paths.iter().rev() {
            let version = ZnodeVersion::ANY;
            client.call(&encode(&Request::Delete(DeleteRequest { path, version })))?;
        }
        client.call(&encode(&Request::CloseSession))?;
        Ok(())
    }
}

struct Client {
    address: String,
    stream: TcpStream,
    input: BytesMut,
    session: SessionId,
    password: Vec<u8>,
}

impl Client {
    fn connect(address: &str) -> Result<Self> {
        let mut client = Self {
            address: address.to_owned(),
            stream: TcpStream::connect(address)?,
            input: BytesMut::new(),
            session: SessionId::NONE,
            password: vec![0; 16],
        };
        client.attach()?;
        Ok(client)
    }

    /// Begins the session, or goes on with it on a new connection.
    fn attach(&mut self) -> Result<()> {
        self.stream = TcpStream::connect(&self.address)?;
        self.stream.set_nodelay(true)?;
        self.stream
            .set_read_timeout(Some(Duration::from_secs(10)))?;
        self.input.clear();
        let mut wire = BytesMut::new();
        frame::encode(&mut wire, frame::DEFAULT_MAX_BYTES, |out| {
            ConnectRequest {
                protocol_version: 0,
                last_zxid_seen: Zxid(0),
                timeout_ms: 40_000,
                session_id: self.session,
                password: Some(&self.password),
                read_only: Some(false),
            }
            .encode(out);
        })?;
        self.stream.write_all(&wire)?;
        let frame = self.frame()?.ok_or("no answer to the connect request")?;
        let response = ConnectResponse::decode(&mut Reader::new(&frame))?;
        if response.timeout_ms <= 0 {
            return Err("the session has expired".into());
        }
        self.session = response.session_id;
        self.password = response.password.unwrap_or_default().to_vec();
        Ok(())
    }

    /// Sends one request and reads up to its answer: the events on the way, and the answer last. Where the server
    /// closes the connection, as it does for opcodes that it does not know, the end is an empty frame, and the session
    /// goes on with another.
    fn call(&mut self, wire: &[u8]) -> Result<Vec<Bytes>> {
        self.stream.write_all(wire)?;
        let mut frames = Vec::new();
        while let Some(frame) = self.frame()? {
            let is_event = frame.starts_with(&Xid::NOTIFICATION.0.to_be_bytes());
            let is_end = frame.get(16 - 4..16) == Some(&ErrorCode::UNIMPLEMENTED.0.to_be_bytes())
                && frame.get(4..12) == Some(&[0xff; 8]);
            frames.push(frame);
            if !is_event && !is_end {
                return Ok(frames);
            }
        }
        frames.push(Bytes::new());
        self.attach()?;
        Ok(frames)
    }

    /// The next frame; `None` at the end of the stream.
    fn frame(&mut self) -> Result<Option<Bytes>> {
        let mut chunk = [0; 16 << 10];
        loop {
            if let Some(frame) = FrameDecoder::new(usize::MAX).decode(&mut self.input)? {
                return Ok(Some(frame));
            }
            match self.stream.read(&mut chunk)? {
                0 => return Ok(None),
                count => self.input.extend_from_slice(&chunk[..count]),
            }
        }
    }
}

/// A source of requests that meet each other: few paths, few versions, some of them wrong.
struct Random {
    rng: Rng,
    root: String,
    /// Where a quota's statistics are.
    stats: Option<String>,
}

impl Random {
    /// A request as it goes over the wire; one in ten is cut short.
    fn request_bytes(&mut self) -> Vec<u8> {
        let paths: Vec<_> = (0..4).map(|_| self.path()).collect();
        let acl = self.acl();
        let stats = self.stats.clone();
        let request = match &stats {
            // A real server dies of nonsense in there, so nothing is written to it.
            Some(path) if self.rng.u8(..4) == 0 => {
                Request::GetData(GetDataRequest { path, watch: false })
            }
            _ => self.request(&paths, &acl),
        };
        let mut wire = encode(&request);
        let cuttable = !matches!(request, Request::Auth(_) | Request::Sasl(_));
        if cuttable && wire.len() > 12 && self.rng.u8(..10) == 0 {
            wire.truncate(self.rng.usize(12..wire.len()));
            let length = u32::try_from(wire.len() - 4).unwrap_or(0);
            wire[..4].copy_from_slice(&length.to_be_bytes());
        }
        wire
    }

    fn request<'a>(&mut self, paths: &'a [String], acl: &'a [Acl]) -> Request<'a> {
        let path = paths[0].as_str();
        let watch = self.rng.u8(..5) < 2;
        let version = self.version();
        match self.rng.u8(..64) {
            0..10 => Request::Create(self.create(path, acl, -1..8)),
            10..14 => Request::Create2(self.create(path, acl, -1..8)),
            14..16 => Request::CreateContainer(self.create(path, acl, -1..8)),
            16..18 => Request::CreateTtl(CreateTtlRequest {
                create: self.create(path, acl, 5..7),
                ttl_ms: self.pick(&[600_000, 1_000_000, 0, -1, 1 << 40]),
            }),
            18..24 => Request::Delete(DeleteRequest { path, version }),
            24..29 => Request::Exists(ExistsRequest { path, watch }),
            29..32 => Request::GetData(GetDataRequest { path, watch }),
            32..38 => Request::SetData(SetDataRequest {
                path,
                data: self.data(),
                version,
            }),
            38 => Request::GetAcl(GetAclRequest { path }),
            39..42 => Request::SetAcl(SetAclRequest {
                path,
                acl: acl.into(),
                version,
            }),
            42..44 => Request::GetChildren(GetChildrenRequest { path, watch }),
            44..46 => Request::GetChildren2(GetChildrenRequest { path, watch }),
            46 => Request::Sync(SyncRequest { path }),
            47..53 => {
                let count = self.rng.usize(..paths.len());
                let ops = paths[..count].iter().map(|path| self.op(path, acl));
                Request::Multi(MultiRequest { ops: ops.collect() })
            }
            53 => {
                let get = |path| MultiOp::GetData(GetDataRequest { path, watch });
                let list = |path| MultiOp::GetChildren(GetChildrenRequest { path, watch });
                Request::MultiRead(MultiRequest {
                    ops: vec![get(path), list(path), get(&paths[1])],
                })
            }
            54 => Request::GetAllChildrenNumber(GetAllChildrenNumberRequest { path }),
            55 => Request::GetEphemerals(GetEphemeralsRequest { prefix: Some(path) }),
            56..58 => Request::AddWatch(AddWatchRequest {
                path,
                mode: AddWatchMode(self.rng.i32(0..3)),
            }),
            58 => Request::CheckWatches(self.watches(path)),
            59 => Request::RemoveWatches(self.watches(path)),
            60 => self.pick(&[
                Request::WhoAmI,
                Request::Auth(bob()),
                Request::Sasl(SaslRequest { token: Some(b"") }),
                Request::Reconfig(ReconfigRequest {
                    joining: None,
                    leaving: None,
                    new_members: None,
                    current_config: -1,
                }),
            ]),
            _ => Request::SetWatches2(SetWatches2Request {
                // The end or the beginning of time: transaction numbers start differently on the two.
                one_shot: SetWatchesRequest {
                    relative_zxid: Zxid(self.pick(&[0, i64::MAX])),
                    data: vec![path],
                    exist: vec![&paths[1]],
                    child: vec![&paths[2]],
                },
                persistent: vec![path],
                persistent_recursive: vec![&paths[3]],
            }),
        }
    }

    fn op<'a>(&mut self, path: &'a str, acl: &'a [Acl]) -> MultiOp<'a> {
        let version = self.version();
        match self.rng.u8(..10) {
            0..3 => MultiOp::Create(self.create(path, acl, 0..5)),
            3 => MultiOp::Create2(self.create(path, acl, -1..8)),
            4 => MultiOp::CreateTtl(CreateTtlRequest {
                create: self.create(path, acl, 5..7),
                ttl_ms: 600_000,
            }),
            5 | 6 => MultiOp::Delete(DeleteRequest { path, version }),
            7 => MultiOp::Check(CheckRequest { path, version }),
            _ => MultiOp::SetData(SetDataRequest {
                path,
                data: self.data(),
                version,
            }),
        }
    }

    fn create<'a>(
        &mut self,
        path: &'a str,
        acl: &'a [Acl],
        modes: std::ops::Range<i32>,
    ) -> CreateRequest<'a> {
        CreateRequest {
            path,
            data: self.data(),
            acl: acl.into(),
            mode: CreateMode(self.rng.i32(modes)),
        }
    }

    fn watches<'a>(&mut self, path: &'a str) -> RemoveWatchesRequest<'a> {
        RemoveWatchesRequest {
            path,
            watcher_type: WatcherType(self.rng.i32(0..6)),
        }
    }

    fn path(&mut self) -> String {
        let odd = ["/a/", "/a//b", "/..", "/a/./b", "/missing/x", "/a\u{1}"];
        let usual = ["", "/a", "/b", "/a/x", "/a/y", "/a/x/p", "/b/q", "/b/q/z"];
        let below = if self.rng.u8(..10) == 0 {
            self.pick(&odd)
        } else {
            self.pick(&usual)
        };
        format!("{}{below}", self.root)
    }

    fn acl(&mut self) -> Vec<Acl> {
        let entry = |text: &str| text.parse::<Acl>().into_iter();
        let bob = || entry(&format!("{BOB}:cdrwa"));
        match self.rng.u8(..40) {
            0 => Vec::new(),
            1 => entry("auth::cdrwa").collect(),
            2..5 => {
                let perms = Perms(self.rng.i32(0..32));
                bob().chain([Acl::world(perms)]).collect()
            }
            5 => entry("ip:127.0.0.1/8:cdrwa").chain(bob()).collect(),
            6 => entry("digest:nobody:r").collect(),
            7 => entry("kerberos:x:r").collect(),
            8 => entry("ip:10.0.0.0/33:r").collect(),
            9 => [Acl::OPEN, Acl::OPEN].concat(),
            _ => Acl::OPEN.to_vec(),
        }
    }

    fn version(&mut self) -> ZnodeVersion {
        ZnodeVersion(self.pick(&[-1, -1, -1, 0, 1, 2, -2]))
    }

    fn data(&mut self) -> Option<&'static [u8]> {
        self.pick(&[None, Some(b""), Some(b"data")])
    }

    fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.rng.usize(..choices.len())].clone()
    }
}

const fn bob() -> AuthRequest<'static> {
    AuthRequest {
        scheme: "digest",
        auth: Some(b"bob:secret"),
    }
}

fn encode(request: &Request<'_>) -> Vec<u8> {
    let mut wire = BytesMut::new();
    let xid = match request {
        Request::Auth(_) => Xid::AUTH,
        _ => Xid(1),
    };
    // Nothing here comes near the limit.
    let _ = frame::encode_request(&mut wire, xid, request, usize::MAX);
    wire.to_vec()
}

fn sorted(children: &Children) -> String {
    let mut names = children.to_vec();
    names.sort_unstable();
    format!("{names:?}")
}
