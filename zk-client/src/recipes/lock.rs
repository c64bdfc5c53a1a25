//! A lock that one session at a time holds, in the order of asking.

use zk_proto::Acl;

use super::queue::Queue;
use super::{Held, Participant, RecipeError};
use crate::Client;
use crate::error::Error;

/// A fair lock. Each waiter watches the one before it only.
///
/// The znodes are those of Curator's `InterProcessMutex` (`_c_<uuid>-lock-0000000007` below the lock's path), and the
/// two exclude one another. So does kazoo's `Lock`, which has names of its own (`<uuid>__lock__0000000007`), if it is
/// made to look for ours: `client.Lock(path, extra_lock_patterns=["-lock-"])`. Curator and kazoo do not understand one
/// another: of these three, do not let both contend for one lock.
///
/// It is not reentrant: who asks again while holding it waits for itself.
///
/// ```
/// use zk_client::{Client, recipes::Lock};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = zk_server::Server::start("127.0.0.1:0", Default::default()).await?;
/// # let client = Client::connect(&server.connect_string()).await?;
/// let lock = Lock::new(&client, "/locks/report").data(b"host 7");
/// let held = lock.lock().await?;
/// tokio::select! {
///     () = write_report(held.fencing_token()) => held.release().await?,
///     loss = held.lost() => eprintln!("not finished: {loss}"),
/// }
/// # Ok(()) }
/// # async fn write_report(_: zk_client::Zxid) {}
/// ```
#[derive(Debug, Clone)]
pub struct Lock {
    queue: Queue,
}

impl Lock {
    /// The lock at a path. The path is created when the lock is first asked for, and stays.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        let queue = Queue::new(client, path);
        Self { queue }
    }

    /// What others can read of this contender; nothing by default.
    #[must_use]
    pub fn data(mut self, data: &[u8]) -> Self {
        self.queue.data = data.to_vec();
        self
    }

    /// The access control list of this contender's znode, open by default. Contenders must be able to list the lock's
    /// path and to see each other's znodes.
    #[must_use]
    pub fn acl(mut self, acl: &[Acl]) -> Self {
        self.queue.acl = acl.to_vec();
        self
    }

    /// Waits for the lock, for as long as it takes: bound it with `tokio::time::timeout`. A lost connection does not
    /// cost the place in the queue.
    ///
    /// # Errors
    /// A place in the queue could not be taken within the client's request timeout, the session has ended, or somebody
    /// has deleted the place.
    ///
    /// # Cancel safety
    /// Dropped early, it leaves the queue, in the background.
    pub async fn lock(&self) -> Result<Held, RecipeError> {
        self.queue.wait().await
    }

    /// Takes the lock if nobody holds it or waits for it; `None` otherwise.
    ///
    /// # Errors
    /// As [`lock`](Self::lock), and a connection that was lost meanwhile.
    ///
    /// # Cancel safety
    /// As [`lock`](Self::lock).
    pub async fn try_lock(&self) -> Result<Option<Held>, RecipeError> {
        self.queue.try_first().await
    }

    /// Who holds it, as this session's server knows.
    ///
    /// # Errors
    /// As [`Client::get_children`] and [`Client::get_data`].
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn holder(&self) -> Result<Option<Participant>, Error> {
        self.queue.first().await
    }
}
