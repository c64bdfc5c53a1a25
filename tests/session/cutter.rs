//! A proxy that cuts a connection at the worst moment for one request.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Where a request and its answer are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The request does not reach the server.
    Request,
    /// The request reaches the server, which finds the connection gone, before it has read it or after.
    Between,
    /// The server has done it, and its answer does not reach the client.
    Answer,
}

/// Forwards to a target; [`arm`](Self::arm) has the next bytes cut off.
#[derive(Debug)]
pub(crate) struct Cutter {
    address: SocketAddr,
    armed: watch::Sender<Option<Cut>>,
    cuts: Arc<AtomicU64>,
    listener: AbortHandle,
}

impl Cutter {
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let armed = watch::Sender::new(None);
        let cuts = Arc::new(AtomicU64::new(0));
        let (each_armed, each_cuts) = (armed.clone(), Arc::clone(&cuts));
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (armed, cuts) = (each_armed.clone(), Arc::clone(&each_cuts));
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(target).await else {
                        return;
                    };
                    if forward(&client, &server, &armed).await.is_ok() {
                        cuts.fetch_add(1, Ordering::SeqCst);
                    }
                    // Closing with a zero linger sends a reset.
                    let _ = client.set_zero_linger();
                });
            }
        });
        Self {
            address,
            armed,
            cuts,
            listener: accepting.abort_handle(),
        }
    }

    pub(crate) fn connect_string(&self) -> String {
        self.address.to_string()
    }

    /// Cuts at the next request.
    pub(crate) fn arm(&self, cut: Cut) {
        self.armed.send_replace(Some(cut));
    }

    /// How many connections were cut.
    pub(crate) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Moves bytes until they are to be cut off; an error once a side has closed.
async fn forward(
    client: &TcpStream,
    server: &TcpStream,
    armed: &watch::Sender<Option<Cut>>,
) -> io::Result<()> {
    let fires = |at: Cut| {
        armed.send_if_modified(|armed| {
            let fires = *armed == Some(at);
            if fires {
                *armed = None;
            }
            fires
        })
    };
    let mut bytes = Vec::new();
    loop {
        tokio::select! {
            ready = client.readable() => {
                ready?;
                if !read(client, &mut bytes)? {
                    continue;
                }
                if fires(Cut::Request) {
                    return Ok(());
                }
                let cut = fires(Cut::Between);
                write_all(server, &mut bytes).await?;
                if cut {
                    return Ok(());
                }
            }
            ready = server.readable() => {
                ready?;
                if !read(server, &mut bytes)? {
                    continue;
                }
                if fires(Cut::Answer) {
                    return Ok(());
                }
                write_all(client, &mut bytes).await?;
            }
        }
    }
}

/// Reads what is there; false if nothing is.
fn read(from: &TcpStream, bytes: &mut Vec<u8>) -> io::Result<bool> {
    match from.try_read_buf(bytes) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

async fn write_all(to: &TcpStream, bytes: &mut Vec<u8>) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(count) => drop(bytes.drain(..count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
