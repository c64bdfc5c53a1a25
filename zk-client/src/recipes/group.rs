//! Who is there.

use zk_proto::Acl;
use zk_proto::record::Children;

use super::queue::Queue;
use super::{Held, Participant, RecipeError};
use crate::client::protected::until_served;
use crate::error::{Error, Outcome};
use crate::{Client, OpCode, Watch, path};

/// What stands in a member's name before its number.
const MEMBER: &str = "member-";
/// How many members are read at once.
const READS: usize = 256;

/// The members of a group: one ephemeral znode each, below the group's path.
///
/// Names are unique, so that a program that comes back does not wait for the session of its predecessor; both are
/// listed until that session has expired. Other programs can read the group with any client: every child is a member
/// and its data is what the member told.
///
/// ```
/// use zk_client::{Client, recipes::Group};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = zk_server::Server::start("127.0.0.1:0", Default::default()).await?;
/// # let client = Client::connect(&server.connect_string()).await?;
/// let group = Group::new(&client, "/workers");
/// let mut members = group.members();
/// assert!(members.next().await?.is_empty());
/// let membership = group.join(b"10.0.0.7:9000").await?;
/// let now = members.next().await?;
/// assert_eq!(&now[0].data[..], b"10.0.0.7:9000");
/// membership.release().await?; // leaves
/// assert!(members.next().await?.is_empty());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Group {
    queue: Queue,
}

impl Group {
    /// The group at a path. The path is created when somebody joins, and stays.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        let queue = Queue::new(client, path);
        Self { queue }
    }

    /// The access control list of the znodes of those who join by this value, open by default.
    #[must_use]
    pub fn acl(mut self, acl: &[Acl]) -> Self {
        self.queue.acl = acl.to_vec();
        self
    }

    /// Joins the group. The membership ends when what is returned is released, dropped or lost. It is not taken up again
    /// after that: open a new client and join again.
    ///
    /// # Errors
    /// As [`Client::create_protected`].
    ///
    /// # Cancel safety
    /// Dropped early, it leaves the group, in the background.
    pub async fn join(&self, data: &[u8]) -> Result<Held, RecipeError> {
        let mut queue = self.queue.clone();
        queue.data = data.to_vec();
        let mut held = queue.join(MEMBER).await?;
        loop {
            match queue.client.exists(held.path()).await {
                Ok(Some(stat)) if held.note(&stat) => return Ok(held),
                Ok(_) => {
                    let path = held.path().to_owned();
                    return Err(RecipeError::Deleted { path });
                }
                Err(error) if error.is_transient() => until_served(&queue.client).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The members, now and whenever they change.
    #[must_use]
    pub fn members(&self) -> Members {
        Members {
            client: self.queue.client.clone(),
            path: self.queue.parent.clone(),
            known: None,
            change: None,
        }
    }
}

/// The members of a group as they come and go: a view of the latest state, not a log. Who came and went between two
/// looks is not told of.
#[derive(Debug)]
pub struct Members {
    client: Client,
    path: String,
    known: Option<Vec<Participant>>,
    /// Fires when the list has changed since it was read.
    change: Option<Watch>,
}

impl Members {
    /// The members at the first call; at later ones, it waits until they are others. They are in the order in which they
    /// joined. A lost connection is waited out.
    ///
    /// # Errors
    /// The session has ended, or the group cannot be read.
    ///
    /// # Cancel safety
    /// Safe: no change is missed.
    pub async fn next(&mut self) -> Result<Vec<Participant>, Error> {
        loop {
            // Dropped in here, the watch is gone, and the list is read anew.
            if let Some(change) = self.change.take()
                && let Err(end) = change.changed().await
            {
                return Err(Error::SessionEnded {
                    op: OpCode::GET_CHILDREN2,
                    path: self.path.clone(),
                    end,
                    outcome: Outcome::NotApplied,
                });
            }
            match self.look().await {
                Ok((members, change)) => {
                    self.change = Some(change);
                    if self.known.as_ref() != Some(&members) {
                        self.known = Some(members.clone());
                        return Ok(members);
                    }
                }
                Err(error) if error.is_transient() => until_served(&self.client).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// The members, and a watch for the next change of their list.
    async fn look(&self) -> Result<(Vec<Participant>, Watch), Error> {
        loop {
            match self.client.get_children_and_watch(&self.path).await {
                Ok((children, watch)) => return Ok((self.read(&children).await?, watch)),
                Err(error) if error.is_no_node() => {
                    // Nobody has joined yet.
                    let (stat, watch) = self.client.exists_and_watch(&self.path).await?;
                    if stat.is_none() {
                        return Ok((Vec::new(), watch));
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn read(&self, children: &Children) -> Result<Vec<Participant>, Error> {
        let mut names: Vec<_> = children.iter().flatten().collect();
        names.sort_by_key(|name| (path::sequence(name), *name));
        let mut members = Vec::with_capacity(names.len());
        for names in names.chunks(READS) {
            let reads: Vec<_> = names
                .iter()
                .map(|name| {
                    let path = path::join(&self.path, name);
                    let data = self.client.get_data(&path);
                    (path, data)
                })
                .collect();
            for (path, data) in reads {
                match data.await {
                    Ok((data, _)) => members.push(Participant { path, data }),
                    // It has left since, and the watch tells of it.
                    Err(error) if error.is_no_node() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(members)
    }
}
