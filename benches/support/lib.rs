//! What the benches share: a ZooKeeper to ask, and the floor, a raw socket that knows the bytes in advance; rows and a
//! client for HiveServer2.

pub mod hs2;

use std::io;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zk_proto::frame::{self, FrameDecoder};
use zk_proto::record::{
    ConnectRequest, GetChildren2Response, GetChildrenRequest, GetDataRequest, Request,
};
use zk_proto::{Decode, Encode, Reader, SessionId, Xid, Zxid};
use zk_server::{Server, ServerOptions};

/// The server of a run: the real one at `$ZOOKEEPER`, such as `127.0.0.1:2181`, else an embedded one.
#[derive(Debug)]
pub struct ZooKeeper {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it is, for the report.
    pub kind: &'static str,
    _embedded: Option<Server>,
}

impl ZooKeeper {
    /// Finds or starts it.
    ///
    /// # Errors
    /// `$ZOOKEEPER` is no address, or nothing can be bound.
    pub async fn from_environment() -> io::Result<Self> {
        if let Ok(address) = std::env::var("ZOOKEEPER") {
            let address = address.parse().map_err(|_| {
                io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("ZOOKEEPER={address} is no address such as 127.0.0.1:2181"),
                )
            })?;
            return Ok(Self {
                address,
                kind: "real ZooKeeper",
                _embedded: None,
            });
        }
        let server = Server::start("127.0.0.1:0", ServerOptions::default()).await?;
        Ok(Self {
            address: server.local_addr(),
            kind: "embedded",
            _embedded: Some(server),
        })
    }
}

/// How the raw socket opens a session and lists.
#[derive(Debug, Clone, Copy)]
pub enum Raw {
    /// The list right behind the connect request, in one segment.
    Pipelined,
    /// The list after the session's answer.
    Waiting,
}

/// A cold resolution by hand: connect, open a session, list, read one child, go. Returns the data.
///
/// # Errors
/// Anything that goes wrong on the socket.
pub async fn raw_resolve(address: SocketAddr, namespace: &str, raw: Raw) -> io::Result<Bytes> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut input = BytesMut::with_capacity(64 * 1024);
    let mut output = BytesMut::new();
    let connect = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid(0),
        timeout_ms: 30_000,
        session_id: SessionId::NONE,
        password: Some(&[0; 16]),
        read_only: Some(false),
    };
    frame::encode(&mut output, usize::MAX, |out| connect.encode(out)).map_err(io::Error::other)?;
    if let Raw::Waiting = raw {
        stream.write_all_buf(&mut output).await?;
        next(&mut stream, &mut input).await?;
    }
    let list = Request::GetChildren2(GetChildrenRequest {
        path: namespace,
        watch: false,
    });
    frame::encode_request(&mut output, Xid(1), &list, usize::MAX).map_err(io::Error::other)?;
    stream.write_all_buf(&mut output).await?;
    if let Raw::Pipelined = raw {
        next(&mut stream, &mut input).await?;
    }
    let payload = next(&mut stream, &mut input).await?.slice(16..);
    let children = GetChildren2Response::decode(&mut Reader::new(&payload))
        .map_err(io::Error::other)?
        .children;
    let name = children
        .get(0)
        .ok_or_else(|| io::Error::other("an empty namespace"))?
        .map_err(io::Error::other)?;
    let path = format!("{namespace}/{name}");
    let read = Request::GetData(GetDataRequest {
        path: &path,
        watch: false,
    });
    frame::encode_request(&mut output, Xid(2), &read, usize::MAX).map_err(io::Error::other)?;
    stream.write_all_buf(&mut output).await?;
    let data = next(&mut stream, &mut input).await?;
    frame::encode_request(&mut output, Xid(3), &Request::CloseSession, usize::MAX)
        .map_err(io::Error::other)?;
    stream.write_all_buf(&mut output).await?;
    Ok(data)
}

/// The next frame's payload.
///
/// # Errors
/// The connection ends before it.
pub async fn next(stream: &mut TcpStream, input: &mut BytesMut) -> io::Result<Bytes> {
    loop {
        if let Some(payload) = FrameDecoder::new(1 << 24)
            .decode(input)
            .map_err(io::Error::other)?
        {
            return Ok(payload);
        }
        if stream.read_buf(input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
