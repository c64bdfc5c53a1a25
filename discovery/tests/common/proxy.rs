//! A TCP proxy in front of a ZooKeeper server, which can be cut, and which can lose an answer.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use zk_client::OpCode;

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
        });
        let task = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !task.refuses.load(Ordering::SeqCst) {
                    task.accepted.fetch_add(1, Ordering::SeqCst);
                    let cuts = task.cuts.subscribe();
                    tokio::spawn(connection(client, server, Arc::clone(&task), cuts));
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

    pub fn lose_answer(&self, op: OpCode) {
        self.shared.lose.lock().unwrap().push_back(op);
    }

    /// Whether all answers that were to be lost are lost.
    pub fn has_lost(&self) -> bool {
        self.shared.lose.lock().unwrap().is_empty()
    }
}

async fn connection(
    mut client: TcpStream,
    server: SocketAddr,
    shared: Arc<Shared>,
    mut cuts: watch::Receiver<u32>,
) {
    let mut server = TcpStream::connect(server).await.unwrap();
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let (losing, mut lost) = watch::channel(false);
    let requests = async {
        let mut frames = 0;
        while let Ok(length) = from_client.read_u32().await {
            let mut frame = vec![0; length as usize];
            from_client.read_exact(&mut frame).await?;
            // The first frame is the connect request; the others have an xid and an opcode.
            frames += 1;
            if frames > 1 && frame.len() >= 8 {
                let op = OpCode(i32::from_be_bytes(frame[4..8].try_into().unwrap()));
                let mut lose = shared.lose.lock().unwrap();
                if lose.front() == Some(&op) {
                    lose.pop_front();
                    losing.send_replace(true);
                }
            }
            to_server.write_u32(length).await?;
            to_server.write_all(&frame).await?;
        }
        Ok::<_, std::io::Error>(())
    };
    let answers = async {
        let mut bytes = Vec::new();
        while from_server.read_buf(&mut bytes).await? > 0 {
            if *lost.borrow_and_update() {
                break;
            }
            to_client.write_all(&bytes).await?;
            bytes.clear();
        }
        Ok::<_, std::io::Error>(())
    };
    tokio::select! {
        _ = requests => {}
        _ = answers => {}
        _ = cuts.changed() => {}
    }
}
