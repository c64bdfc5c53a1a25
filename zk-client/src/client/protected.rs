//! A create that survives the loss of its answer: the znode carries a name that only this call can have given it.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{sleep, timeout_at};
use tracing::warn;
use zk_proto::record::CreateMode;
use zk_proto::{Acl, ErrorCode, OpCode, SessionId, ZnodeVersion, path};

use super::Client;
use crate::driver;
use crate::error::{Error, Outcome};
use crate::session::SessionState;

/// How long each call in the background waits, whatever the deadline of the calls before it was.
pub(crate) const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(15);
/// The least pause before something is tried again, so that a link that flaps is not hammered.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

impl Client {
    /// Creates a znode so that a lost answer makes neither two of them nor an unknown one, and returns its path.
    ///
    /// The name gets a prefix that no other call gives, as Curator writes it: `/queue/job-` becomes
    /// `/queue/_c_5e7a…-job-0000000007`. When the answer is lost, the parent is listed on whatever server serves the
    /// session then (after a `sync`, since that server may be behind). If the prefix is there, the znode was created
    /// and its path is the answer; if not, the create is sent again. An ephemeral znode counts only if this session
    /// owns it. Reading the parent must be allowed.
    ///
    /// All of it together has the deadline of one call ([`ConnectOptions::request_timeout`]).
    ///
    /// ```
    /// # use zk_client::{Acl, Client, CreateMode};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = zk_server::Server::start("127.0.0.1:0", Default::default()).await?;
    /// # let client = Client::connect(&server.connect_string()).await?;
    /// # client.create("/queue", b"", CreateMode::PERSISTENT).await?;
    /// let mode = CreateMode::PERSISTENT_SEQUENTIAL;
    /// let path = client.create_protected("/queue/job-", b"pay", mode, Acl::OPEN).await?;
    /// assert!(path.starts_with("/queue/_c_") && path.ends_with("-job-0000000000"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Client::create_with_acl`]; the path in the error has the prefix. Where [`Error::outcome`] is
    /// [`Outcome::Unknown`], no server could be asked in time whether the znode was created. It is then looked for and
    /// deleted in the background for as long as the session lives. If the session has ended, an ephemeral znode goes
    /// with it, and a persistent one may be left: the error names it but for the digits.
    ///
    /// # Cancel safety
    /// A dropped future leaves no znode behind: what may have been created is looked for and deleted in the
    /// background. This holds the session open until it is done. If the session or the runtime ends first, a
    /// persistent znode may be left.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    ///
    /// [`ConnectOptions::request_timeout`]: crate::ConnectOptions::request_timeout
    pub async fn create_protected(
        &self,
        path: &str,
        data: &[u8],
        mode: CreateMode,
        acl: &[Acl],
    ) -> Result<String, Error> {
        if mode.is_sequential() {
            path::check_sequential(path)?;
        } else {
            path::check(path)?;
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = if parent.is_empty() { "/" } else { parent };
        let prefix = format!("_c_{}-", unique_id(self.session_id()));
        let create = ProtectedCreate {
            path: path::join(parent, &format!("{prefix}{name}")),
            parent,
            prefix: &prefix,
            data,
            mode,
            acl,
        };
        let mut orphan = Orphan {
            client: self,
            parent,
            prefix: &prefix,
            possible: true,
            runtime: Handle::current(),
        };
        let created = create.run(self).await;
        orphan.possible = match &created {
            Ok(_) | Err(Error::SessionEnded { .. }) => false,
            Err(error) => error.outcome() != Outcome::NotApplied,
        };
        created
    }
}

struct ProtectedCreate<'a> {
    /// Prefix included.
    path: String,
    parent: &'a str,
    prefix: &'a str,
    data: &'a [u8],
    mode: CreateMode,
    acl: &'a [Acl],
}

impl ProtectedCreate<'_> {
    async fn run(&self, client: &Client) -> Result<String, Error> {
        // The first attempt has the same deadline of its own, and knows best what became of it.
        let mut attempt = Some(self.attempt(client));
        let deadline = driver::now() + client.request_timeout;
        let mut outcome = Outcome::NotApplied;
        let mut repeated = false;
        let settled = timeout_at(deadline.into(), async {
            loop {
                outcome = Outcome::Unknown;
                let created = match attempt.take() {
                    Some(first) => first.await,
                    None => self.attempt(client).await,
                };
                match created {
                    // The name is this call's own: an attempt before was applied.
                    Err(error) if error.is_node_exists() && repeated => {
                        return Ok(self.path.clone());
                    }
                    Err(Error::ConnectionLoss {
                        outcome: Outcome::NotApplied,
                        ..
                    }) => {
                        outcome = Outcome::NotApplied;
                        until_served(client).await;
                    }
                    Err(doubt @ (Error::ConnectionLoss { .. } | Error::Answer { .. })) => {
                        if let Some(path) = self.find(client, &doubt).await? {
                            return Ok(path);
                        }
                        repeated = true;
                    }
                    settled => return settled,
                }
            }
        });
        match settled.await {
            Ok(settled) => settled,
            Err(_) => Err(Error::Deadline {
                op: OpCode::CREATE,
                path: self.path.clone(),
                after: client.request_timeout,
                outcome,
            }),
        }
    }

    fn attempt(
        &self,
        client: &Client,
    ) -> impl Future<Output = Result<String, Error>> + Send + use<> {
        client.create_with_acl(&self.path, self.data, self.mode, self.acl)
    }

    /// What the attempt that is in doubt has created; `None` if it was not applied, and never will be: the session has
    /// moved on to another connection, and what comes by the old one is refused.
    async fn find(&self, client: &Client, doubt: &Error) -> Result<Option<String>, Error> {
        loop {
            until_served(client).await;
            let found = match find_child(client, self.parent, self.prefix).await {
                Ok(Some(path)) if self.mode.is_ephemeral() => {
                    client.exists(&path).await.map(|stat| {
                        stat.filter(|stat| stat.ephemeral_owner == client.session_id())
                            .map(|_| path)
                    })
                }
                found => found,
            };
            match found {
                Ok(found) => return Ok(found),
                Err(error) if error.is_transient() => {}
                Err(Error::SessionEnded { end, .. }) => {
                    return Err(Error::SessionEnded {
                        op: OpCode::CREATE,
                        path: self.path.clone(),
                        end,
                        outcome: Outcome::Unknown,
                    });
                }
                // The parent cannot be read: what is known is that the answer was lost.
                Err(_) => return Err(doubt.clone()),
            }
        }
    }
}

/// Dropped while a znode that nobody knows is possible, it has it deleted.
struct Orphan<'a> {
    client: &'a Client,
    parent: &'a str,
    prefix: &'a str,
    possible: bool,
    runtime: Handle,
}

impl Drop for Orphan<'_> {
    fn drop(&mut self) {
        if !self.possible {
            return;
        }
        let client = self.client.with_request_timeout(BACKGROUND_TIMEOUT);
        let (parent, prefix) = (self.parent.to_owned(), self.prefix.to_owned());
        self.runtime.spawn(async move {
            loop {
                match find_child(&client, &parent, &prefix).await {
                    Ok(None) => return,
                    Ok(Some(path)) => return delete_for_sure(&client, &path).await,
                    Err(error) if error.is_transient() => until_served(&client).await,
                    Err(error) => {
                        if error.session_end().is_none() {
                            warn!(%parent, %prefix, %error, "a znode of a dropped create may be left");
                        }
                        return;
                    }
                }
            }
        });
    }
}

/// The path of the child whose name begins so, as every server will know it by now.
async fn find_child(client: &Client, parent: &str, prefix: &str) -> Result<Option<String>, Error> {
    let synced = client.sync(parent);
    let listed = client.get_children(parent);
    synced.await?;
    let children = match listed.await {
        Err(error) if error.is_no_node() => return Ok(None),
        listed => listed?,
    };
    let found = children
        .iter()
        .flatten()
        .find(|name| name.starts_with(prefix));
    Ok(found.map(|name| path::join(parent, name)))
}

/// Deletes a znode, over and over until it is gone or the session is over.
pub(crate) async fn delete_for_sure(client: &Client, path: &str) {
    delete_again_for_sure(client, path, client.delete(path, ZnodeVersion::ANY)).await;
}

/// The same, where a first attempt is under way.
pub(crate) async fn delete_again_for_sure(
    client: &Client,
    path: &str,
    first: impl Future<Output = Result<(), Error>>,
) {
    let mut deleted = first.await;
    loop {
        match deleted {
            Err(error)
                if error.is_transient() || error.code() == Some(ErrorCode::NOT_READ_ONLY) =>
            {
                until_served(client).await;
            }
            Err(error) if !error.is_no_node() && error.session_end().is_none() => {
                return warn!(%path, %error, "a znode is left");
            }
            _ => return,
        }
        deleted = client.delete(path, ZnodeVersion::ANY).await;
    }
}

/// Waits a moment, and until the session is served or over.
pub(crate) async fn until_served(client: &Client) {
    sleep(RETRY_PAUSE).await;
    let mut state = client.state();
    let served = state
        .wait_for(|state| !matches!(state, SessionState::Connecting | SessionState::Disconnected));
    // An error means that the session is over, which the next call says.
    let _ = served.await;
}

/// An identifier in the form of a UUID, version 4. It has to differ from those of other calls, not to be unguessable:
/// what protects a znode is its ACL. The randomness is the one of the standard library's hash maps, which comes from
/// the operating system; `fastrand` begins with the time of day and the thread, which two containers can share.
fn unique_id(session: SessionId) -> String {
    let random = || RandomState::new().hash_one(session.0);
    let (high, low) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | (low >> 48) & 0x3fff,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn identifiers_have_the_form_of_a_uuid_and_differ() {
        let ids: HashSet<_> = (0..1000).map(|_| unique_id(SessionId(7))).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            let parts: Vec<_> = id.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
            assert!(
                id.chars().all(|c| c == '-' || c.is_ascii_hexdigit()),
                "{id}"
            );
            assert!(
                id[14..].starts_with('4') && "89ab".contains(&id[19..20]),
                "{id}"
            );
        }
    }
}
