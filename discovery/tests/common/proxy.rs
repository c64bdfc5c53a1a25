//! A TCP proxy in front of a ZooKeeper server, which can be cut, and which can lose an answer.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use zk_client::{ErrorCode, EventType, OpCode};

#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// How often the connections that stood were cut.
    cuts: watch::Sender<u32>,
    refuses: AtomicBool,
    accepted: AtomicUsize,
    /// The next request of each of these loses its answer, and the connection with it.
    lose: Mutex<VecDeque<OpCode>>,
    /// The path that [`Proxy::die`] was told of.
    dying: watch::Sender<Option<String>>,
}

impl Proxy {
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            cuts: watch::Sender::new(0),
            refuses: AtomicBool::new(false),
            accepted: AtomicUsize::new(0),
            lose: Mutex::default(),
            dying: watch::Sender::new(None),
        });
        let task = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !task.refuses.load(Ordering::SeqCst) {
                    task.accepted.fetch_add(1, Ordering::SeqCst);
                    let connection = Connection {
                        cuts: task.cuts.subscribe(),
                        dying: task.dying.subscribe(),
                        shared: Arc::clone(&task),
                    };
                    tokio::spawn(connection.run(client, server));
                }
            }
        });
        Self { address, shared }
    }

    pub fn servers(&self) -> String {
        self.address.to_string()
    }

    /// Cuts the connections that stand, and refuses new ones.
    pub fn cut(&self) {
        self.shared.refuses.store(true, Ordering::SeqCst);
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    pub fn heal(&self) {
        self.shared.refuses.store(false, Ordering::SeqCst);
    }

    /// How many connections there have been.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Behaves like a follower that has applied the end of the client's session and is about to
    /// close its connection: tells that `path` is deleted, answers one more request (`exists`:
    /// there is no such znode), and then is gone until [`heal`](Self::heal).
    pub fn die(&self, path: &str) {
        self.shared.dying.send_replace(Some(path.to_owned()));
    }

    /// Whether the connection is refused now.
    pub fn is_dead(&self) -> bool {
        self.shared.refuses.load(Ordering::SeqCst)
    }

    pub fn lose_answer(&self, op: OpCode) {
        self.shared.lose.lock().unwrap().push_back(op);
    }

    /// Whether all answers that were to be lost are lost.
    pub fn has_lost(&self) -> bool {
        self.shared.lose.lock().unwrap().is_empty()
    }
}

struct Connection {
    cuts: watch::Receiver<u32>,
    dying: watch::Receiver<Option<String>>,
    shared: Arc<Shared>,
}

impl Connection {
    async fn run(mut self, mut client: TcpStream, server: SocketAddr) -> io::Result<()> {
        let mut server = TcpStream::connect(server).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (losing, lost) = watch::channel(false);
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        tokio::select! {
            end = requests(&mut from_client, &mut to_server, &self.shared, &losing) => return end,
            end = answers(&mut from_server, &mut to_client, &lost) => return end,
            _ = self.cuts.changed() => return Ok(()),
            _ = self.dying.changed() => {}
        }
        let path = self.dying.borrow_and_update().clone().unwrap_or_default();
        to_client.write_all(&deleted(&path)).await?;
        let request = frame(&mut from_client).await?;
        assert_eq!(opcode(&request), Some(OpCode::EXISTS));
        let mut answer = request[..4].to_vec();
        answer.extend([0; 8]);
        answer.extend(ErrorCode::NO_NODE.0.to_be_bytes());
        self.shared.refuses.store(true, Ordering::SeqCst);
        to_client.write_all(&framed(&answer)).await
    }
}

async fn requests(
    client: &mut ReadHalf<'_>,
    server: &mut WriteHalf<'_>,
    shared: &Shared,
    losing: &watch::Sender<bool>,
) -> io::Result<()> {
    let first = client.read_u32().await?;
    server.write_u32(first).await?;
    if first.to_be_bytes() == *b"srvr" {
        // The answer ends the connection.
        std::future::pending::<()>().await;
    }
    // The connect request has no header.
    let mut connect = vec![0; first as usize];
    client.read_exact(&mut connect).await?;
    server.write_all(&connect).await?;
    loop {
        let request = frame(client).await?;
        {
            let mut lose = shared.lose.lock().unwrap();
            if lose.front().copied() == opcode(&request) {
                lose.pop_front();
                losing.send_replace(true);
            }
        }
        server.write_all(&framed(&request)).await?;
    }
}

async fn answers(
    server: &mut ReadHalf<'_>,
    client: &mut WriteHalf<'_>,
    lost: &watch::Receiver<bool>,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    while server.read_buf(&mut bytes).await? > 0 && !*lost.borrow() {
        client.write_all(&bytes).await?;
        bytes.clear();
    }
    Ok(())
}

async fn frame(client: &mut ReadHalf<'_>) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; client.read_u32().await? as usize];
    client.read_exact(&mut frame).await?;
    Ok(frame)
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
    frame.extend(payload);
    frame
}

/// The opcode of a request, which stands behind the xid.
fn opcode(request: &[u8]) -> Option<OpCode> {
    let number = request.get(4..8)?.try_into().ok()?;
    Some(OpCode(i32::from_be_bytes(number)))
}

/// The notification that a znode is deleted.
fn deleted(path: &str) -> Vec<u8> {
    let length = u32::try_from(path.len()).unwrap();
    let mut event = [-1_i32, -1, -1, 0].map(i32::to_be_bytes).concat();
    event.extend(EventType::NODE_DELETED.0.to_be_bytes());
    event.extend(3_i32.to_be_bytes());
    event.extend(length.to_be_bytes());
    event.extend(path.as_bytes());
    framed(&event)
}
