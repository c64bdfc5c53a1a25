//! An ephemeral znode that stands for something held.

use std::fmt;

use tokio::runtime::Handle;
use zk_proto::record::EventType;
use zk_proto::{SessionId, Stat, ZnodeVersion, Zxid};

use crate::client::protected::{BACKGROUND_TIMEOUT, delete_again_for_sure, until_served};
use crate::error::{Error, SessionEnd};
use crate::session::SessionState;
use crate::{Client, path};

/// Something that is held through an ephemeral znode of this session: a lock, the leadership, a membership. Dropped, it
/// is released: the znode is deleted in the background, over and over until it is gone or the session has ended.
/// That holds the session open.
pub struct Held {
    client: Client,
    path: String,
    /// The transaction that created the znode.
    created: Zxid,
    runtime: Handle,
    released: bool,
}

/// How something held was lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Loss {
    /// The session is over, and what it held with it.
    #[error("lost with the session: {0}")]
    Session(#[from] SessionEnd),
    /// Somebody has deleted the znode that stands for it.
    #[error("lost because {0} was deleted by somebody else")]
    Deleted(String),
    /// Whether it is still held cannot be seen.
    #[error("taken for lost because it cannot be seen: {0}")]
    Unseen(Error),
}

impl Held {
    /// Takes over a znode that this session has created. The creating transaction is not known yet.
    pub(super) fn new(client: &Client, path: String) -> Self {
        Self {
            client: client.clone(),
            path,
            created: Zxid(0),
            runtime: Handle::current(),
            released: false,
        }
    }

    /// The path of the znode.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name of the znode in its parent.
    #[must_use]
    pub fn name(&self) -> &str {
        path::name(&self.path)
    }

    /// A number that is larger for each one who holds the same thing after another: the transaction that created the
    /// znode. What is guarded can tell by it who comes late.
    #[must_use]
    pub const fn fencing_token(&self) -> Zxid {
        self.created
    }

    /// Waits until it is lost, which may be never. It tells of the end of the session as the client knows it: at the
    /// latest 4/3 of the session timeout after the last word from a server. The servers may have given the session up
    /// earlier, after one session timeout: see [`interrupted`](Self::interrupted).
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn lost(&self) -> Loss {
        loop {
            let (stat, watch) = match self.client.exists_and_watch(&self.path).await {
                Ok(seen) => seen,
                Err(error) if error.is_transient() => {
                    until_served(&self.client).await;
                    continue;
                }
                Err(Error::SessionEnded { end, .. }) => return Loss::Session(end),
                Err(error) => return Loss::Unseen(error),
            };
            if !stat.is_some_and(|stat| self.is_own(&stat)) {
                return Loss::Deleted(self.path.clone());
            }
            match watch.changed().await {
                Ok(event) if event.event_type == EventType::NODE_DELETED => {
                    return Loss::Deleted(self.path.clone());
                }
                Ok(_) => {}
                Err(end) => return Loss::Session(end),
            }
        }
    }

    /// Waits until no server serves the session, or a read-only one that the others may not hear. Another may hold the same thing after about a third of the session
    /// timeout from then: a connection is left after a silence of two thirds, and servers end a session after the
    /// whole. Stop there what must not be done by two, or go on if [`Client::state`] says in time that the session is
    /// served again.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn interrupted(&self) {
        let mut state = self.client.state();
        let away = state.wait_for(|state| *state != SessionState::Connected);
        // An error means that the session is over.
        let _ = away.await;
    }

    /// Releases it, and waits until that is done.
    ///
    /// # Errors
    /// The znode could not be deleted: this goes on being tried in the background unless the server said no. It is no
    /// error if it was lost already.
    ///
    /// # Cancel safety
    /// Dropped early, it is released in the background.
    pub async fn release(mut self) -> Result<(), Error> {
        let deleted = self.client.delete(&self.path, ZnodeVersion::ANY).await;
        match deleted {
            Err(error) if error.is_transient() => Err(error),
            Err(error) if error.is_no_node() || error.session_end().is_some() => {
                self.released = true;
                Ok(())
            }
            deleted => {
                self.released = true;
                deleted
            }
        }
    }

    /// Notes what the znode's stat tells; false if the znode is not this session's.
    pub(super) fn note(&mut self, stat: &Stat) -> bool {
        self.created = stat.czxid;
        self.is_own(stat)
    }

    fn is_own(&self, stat: &Stat) -> bool {
        stat.ephemeral_owner == self.client.session_id()
            && stat.ephemeral_owner != SessionId::NONE
            && (self.created == Zxid(0) || self.created == stat.czxid)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.released {
            return;
        }
        let client = self.client.with_request_timeout(BACKGROUND_TIMEOUT);
        // The request leaves here, in its place in the session's order.
        let deleted = client.delete(&self.path, ZnodeVersion::ANY);
        let path = std::mem::take(&mut self.path);
        self.runtime.spawn(async move {
            delete_again_for_sure(&client, &path, deleted).await;
        });
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("path", &self.path)
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}
