//! One leader among many.

use zk_proto::Acl;

use super::queue::Queue;
use super::{Held, Participant, RecipeError};
use crate::Client;
use crate::error::Error;

/// An election: candidates queue up, and the first one leads until it resigns or its session ends.
///
/// It is the queue of a [`Lock`](super::Lock), as Curator's `LeaderSelector` and kazoo's `Election` use it, with the
/// same rules for contending with those. Candidates tell in their data how the leader is reached.
///
/// ```
/// use zk_client::{Client, recipes::Election};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = zk_server::Server::start("127.0.0.1:0", Default::default()).await?;
/// # let client = Client::connect(&server.connect_string()).await?;
/// let election = Election::new(&client, "/election", b"10.0.0.7:9000");
/// let leading = election.campaign().await?;
/// let leader = election.leader().await?.expect("we lead");
/// assert_eq!(&leader.data[..], b"10.0.0.7:9000");
/// tokio::select! {
///     () = lead() => leading.release().await?, // resigns
///     loss = leading.lost() => eprintln!("deposed: {loss}"),
/// }
/// assert_eq!(election.leader().await?, None);
/// # Ok(()) }
/// # async fn lead() {}
/// ```
#[derive(Debug, Clone)]
pub struct Election {
    queue: Queue,
}

impl Election {
    /// The election at a path, and what this candidate tells of itself. The path is created at the first campaign, and
    /// stays.
    #[must_use]
    pub fn new(client: &Client, path: &str, data: &[u8]) -> Self {
        let mut queue = Queue::new(client, path);
        queue.data = data.to_vec();
        Self { queue }
    }

    /// The access control list of this candidate's znode, open by default. Candidates must be able to list the
    /// election's path and to see each other's znodes.
    #[must_use]
    pub fn acl(mut self, acl: &[Acl]) -> Self {
        self.queue.acl = acl.to_vec();
        self
    }

    /// Waits until this candidate leads, for as long as it takes. It leads until what is returned is released, dropped
    /// or lost: watch [`Held::lost`] while leading.
    ///
    /// # Errors
    /// As [`Lock::lock`](super::Lock::lock).
    ///
    /// # Cancel safety
    /// Dropped early, it withdraws from the election, in the background.
    pub async fn campaign(&self) -> Result<Held, RecipeError> {
        self.queue.wait().await
    }

    /// Who leads, as this session's server knows: call [`Client::sync`] before, where it must not be behind.
    ///
    /// # Errors
    /// As [`Client::get_children`] and [`Client::get_data`].
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn leader(&self) -> Result<Option<Participant>, Error> {
        self.queue.first().await
    }
}
