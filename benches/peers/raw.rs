//! The floor: a socket, the requests' bytes, and as little reading of the answers as the row allows.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zk_client::{Acl, CreateMode, SessionId, ZnodeVersion, Zxid};
use zk_proto::record::{
    ConnectRequest, CreateRequest, DeleteRequest, GetChildrenRequest, GetDataRequest, Request,
};
use zk_proto::{Encode, Xid, frame};

use crate::rows::{
    CREATORS, Cost, IN_FLIGHT, Places, Row, cpu, each, median, monotonic, say, together,
};

/// How the socket is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By tokio, as every async client must.
    Async,
    /// The thread sleeps in `read`.
    Blocking,
}

enum Stream {
    Async(tokio::net::TcpStream),
    Blocking(std::net::TcpStream),
}

/// A session on a raw socket.
pub(crate) struct Raw {
    stream: Stream,
    /// What was read and not yet passed over is between `start` and `end`.
    input: Vec<u8>,
    start: usize,
    end: usize,
    output: BytesMut,
    next_xid: i32,
}

/// Room for the largest answer.
const INPUT_BYTES: usize = 1 << 20;
/// Bytes of a reply's header: xid, zxid, err.
const HEADER_BYTES: usize = 16;

impl Raw {
    /// Connects and writes the connect request, but for the next flush.
    async fn dial(kind: Kind, places: &Places) -> io::Result<Self> {
        let stream = match kind {
            Kind::Async => {
                let stream = tokio::net::TcpStream::connect(places.server).await?;
                stream.set_nodelay(true)?;
                Stream::Async(stream)
            }
            Kind::Blocking => {
                let stream = std::net::TcpStream::connect(places.server)?;
                stream.set_nodelay(true)?;
                Stream::Blocking(stream)
            }
        };
        let mut output = BytesMut::with_capacity(64 * 1024);
        let connect = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid(0),
            timeout_ms: 30_000,
            session_id: SessionId::NONE,
            password: Some(&[0; 16]),
            read_only: Some(false),
        };
        frame::encode(&mut output, usize::MAX, |out| connect.encode(out))
            .map_err(io::Error::other)?;
        Ok(Self {
            stream,
            input: vec![0; INPUT_BYTES],
            start: 0,
            end: 0,
            output,
            next_xid: 0,
        })
    }

    pub(crate) async fn connect(kind: Kind, places: &Places) -> io::Result<Self> {
        let mut raw = Self::dial(kind, places).await?;
        raw.flush().await?;
        raw.frame().await?;
        Ok(raw)
    }

    fn push(&mut self, request: &Request<'_>) -> io::Result<()> {
        self.next_xid += 1;
        frame::encode_request(&mut self.output, Xid(self.next_xid), request, usize::MAX)
            .map_err(io::Error::other)
    }

    async fn flush(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::Async(stream) => stream.write_all(&self.output).await?,
            Stream::Blocking(stream) => stream.write_all(&self.output)?,
        }
        self.output.clear();
        Ok(())
    }

    async fn fill(&mut self) -> io::Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.input.len() {
            self.input.copy_within(self.start.., 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let mut room = &mut self.input[self.end..];
        let count = match &mut self.stream {
            Stream::Async(stream) => stream.read_buf(&mut room).await?,
            Stream::Blocking(stream) => stream.read(room)?,
        };
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.end += count;
        Ok(())
    }

    /// The payload in front, when it is there in full.
    fn payload(&self) -> Option<&[u8]> {
        let (length, rest) = self.input[self.start..self.end].split_first_chunk()?;
        rest.get(..u32::from_be_bytes(*length) as usize)
    }

    const fn pass(&mut self, length: usize) {
        self.start += 4 + length;
    }

    /// Waits for a frame and passes over it; gives its payload's length.
    async fn frame(&mut self) -> io::Result<usize> {
        loop {
            if let Some(length) = self.payload().map(<[u8]>::len) {
                self.pass(length);
                return Ok(length);
            }
            self.fill().await?;
        }
    }

    /// Waits for a frame and gives the text that stands at `offset` of its payload.
    async fn text(&mut self, offset: usize) -> io::Result<String> {
        loop {
            if let Some(payload) = self.payload() {
                let (length, text) = (payload.len(), text_at(payload, offset));
                self.pass(length);
                return Ok(text);
            }
            self.fill().await?;
        }
    }

    /// Opens a session, lists, reads one: in two round trips, the list travels behind the connect request.
    async fn cold(kind: Kind, places: &Places) -> io::Result<(Self, usize)> {
        let mut raw = Self::dial(kind, places).await?;
        let instances = places.instances();
        raw.push(&list_request(&instances))?;
        raw.flush().await?;
        raw.frame().await?;
        let name = raw.text(HEADER_BYTES + 4).await?;
        raw.push(&read_request(&format!("{instances}/{name}")))?;
        raw.flush().await?;
        let length = raw.frame().await?;
        Ok((raw, length))
    }

    async fn call(&mut self, request: &Request<'_>) -> io::Result<usize> {
        self.push(request)?;
        self.flush().await?;
        self.frame().await
    }

    pub(crate) async fn set_data(&mut self, path: &str, data: &[u8]) -> io::Result<()> {
        let request = zk_proto::record::SetDataRequest {
            path,
            data: Some(data),
            version: ZnodeVersion::ANY,
        };
        self.call(&Request::SetData(request)).await.map(drop)
    }

    pub(crate) async fn close(mut self) -> io::Result<()> {
        self.call(&Request::CloseSession).await.map(drop)
    }

    async fn window(&mut self, path: &str, count: usize) -> io::Result<()> {
        let request = read_request(path);
        for _ in 0..IN_FLIGHT {
            self.push(&request)?;
        }
        let (mut asked, mut answered) = (IN_FLIGHT, 0);
        while answered < count {
            if !self.output.is_empty() {
                self.flush().await?;
            }
            self.fill().await?;
            while let Some(length) = self.payload().map(<[u8]>::len) {
                self.pass(length);
                answered += 1;
                if asked < count {
                    self.push(&request)?;
                    asked += 1;
                }
            }
        }
        Ok(())
    }

    async fn create_and_delete(&mut self, prefix: &str, count: usize) -> io::Result<()> {
        let create = create_request(prefix);
        let mut creates = VecDeque::with_capacity(CREATORS);
        for _ in 0..CREATORS {
            self.push(&create)?;
            creates.push_back(true);
        }
        let (mut asked, mut deleted) = (CREATORS, 0);
        while deleted < count {
            if !self.output.is_empty() {
                self.flush().await?;
            }
            self.fill().await?;
            while let Some(payload) = self.payload() {
                let length = payload.len();
                if creates.pop_front() == Some(true) {
                    let path = text_at(payload, HEADER_BYTES);
                    self.push(&Request::Delete(DeleteRequest {
                        path: &path,
                        version: ZnodeVersion::ANY,
                    }))?;
                    creates.push_back(false);
                } else {
                    deleted += 1;
                    if asked < count {
                        self.push(&create)?;
                        creates.push_back(true);
                        asked += 1;
                    }
                }
                self.pass(length);
            }
        }
        Ok(())
    }
}

fn text_at(payload: &[u8], offset: usize) -> String {
    let rest = &payload[offset..];
    let length = u32::from_be_bytes(*rest.first_chunk().expect("a length")) as usize;
    String::from_utf8_lossy(&rest[4..4 + length]).into_owned()
}

const fn read_request(path: &str) -> Request<'_> {
    Request::GetData(GetDataRequest { path, watch: false })
}

const fn list_request(path: &str) -> Request<'_> {
    Request::GetChildren2(GetChildrenRequest { path, watch: false })
}

const fn create_request(path: &str) -> Request<'_> {
    Request::Create(CreateRequest {
        path,
        data: Some(b""),
        acl: std::borrow::Cow::Borrowed(Acl::OPEN),
        mode: CreateMode::EPHEMERAL_SEQUENTIAL,
    })
}

/// One round of a row.
pub(crate) async fn run(kind: Kind, row: Row, places: &Places, count: usize) -> io::Result<Cost> {
    if row == Row::Cold {
        return cold(kind, places, count).await;
    }
    let mut raw = Raw::connect(kind, places).await?;
    let node = places.node();
    raw.call(&read_request(&node)).await?;
    let cost = match row {
        Row::Cold => Cost::default(),
        Row::Sequential => calls(&mut raw, &read_request(&node), count).await,
        Row::Window | Row::Tasks => {
            together(count, async { raw.window(&node, count).await.unwrap() }).await
        }
        Row::Ephemeral => {
            let prefix = format!("{}/e-", places.ephemerals());
            together(count, async {
                raw.create_and_delete(&prefix, count).await.unwrap();
            })
            .await
        }
        Row::ListShort => calls(&mut raw, &list_request(&places.short()), count).await,
        Row::ListLong => calls(&mut raw, &list_request(&places.long()), count).await,
        Row::Watch => {
            let watched = Request::GetData(GetDataRequest {
                path: &node,
                watch: true,
            });
            let cpu_before = cpu();
            for _ in 0..count {
                raw.call(&watched).await?;
                say("armed");
                raw.frame().await?;
                say(&format!("event {}", monotonic().as_nanos()));
            }
            Cost {
                wall_ns: 0.0,
                cpu_ns: (cpu() - cpu_before).as_nanos() as f64 / count as f64,
            }
        }
    };
    raw.close().await?;
    Ok(cost)
}

async fn calls(raw: &mut Raw, request: &Request<'_>, count: usize) -> Cost {
    raw.call(request).await.unwrap();
    let raw = tokio::sync::Mutex::new(raw);
    each(count, || async {
        raw.lock().await.call(request).await.unwrap();
    })
    .await
}

async fn cold(kind: Kind, places: &Places, count: usize) -> io::Result<Cost> {
    let mut times = Vec::with_capacity(count);
    let mut cpu_sum = Duration::ZERO;
    for _ in 0..count {
        let (start, cpu_before) = (Instant::now(), cpu());
        let (raw, _) = Raw::cold(kind, places).await?;
        times.push(start.elapsed());
        cpu_sum += cpu() - cpu_before;
        raw.close().await?;
    }
    Ok(Cost {
        wall_ns: median(&mut times).as_nanos() as f64,
        cpu_ns: cpu_sum.as_nanos() as f64 / count as f64,
    })
}
