//! Making connections. Names are looked up at every attempt: servers change their addresses.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zk_proto::HostPort;
use zk_proto::four_letter::{ISRO, SRVR, ServerVersion, parse_srvr};

use super::transport::Transport;

/// Connects to one of the host's addresses: all are tried, in a random order. The caller bounds the time.
pub(crate) async fn dial(host: HostPort) -> io::Result<Transport> {
    let mut addresses: Vec<_> = tokio::net::lookup_host((host.host.as_str(), host.port))
        .await
        .map_err(|error| {
            io::Error::new(error.kind(), format!("the name does not resolve: {error}"))
        })?
        .collect();
    fastrand::shuffle(&mut addresses);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(Transport::Tcp(stream));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// How long a server may take to answer a four-letter word.
const WORD_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest answer that is read, in bytes; real ones have about 300.
const WORD_BYTES_MAX: u64 = 16 * 1024;

/// Asks the server at an address for its version; `None` when it does not tell.
pub(crate) async fn server_version(address: SocketAddr) -> Option<ServerVersion> {
    let ask = async {
        let stream = TcpStream::connect(address).await?;
        four_letter_word(stream, SRVR).await
    };
    let answer = timeout(WORD_TIMEOUT, ask).await.ok()?.ok()?;
    parse_srvr(&answer).map(|srvr| srvr.version)
}

/// Asks a server whether it takes writes; one that does not tell does not.
pub(crate) async fn is_writable(host: HostPort) -> bool {
    let ask = async {
        let stream = dial(host).await?;
        four_letter_word(stream, ISRO).await
    };
    let answer = timeout(WORD_TIMEOUT, ask).await;
    answer.is_ok_and(|answer| answer.is_ok_and(|answer| answer.trim() == "rw"))
}

async fn four_letter_word(mut stream: TcpStream, word: &[u8]) -> io::Result<String> {
    stream.set_nodelay(true)?;
    stream.write_all(word).await?;
    let mut answer = Vec::new();
    stream.take(WORD_BYTES_MAX).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
