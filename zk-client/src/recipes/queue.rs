//! The queue that locks and elections share: ephemeral sequential znodes below one parent, served in the order of their
//! numbers. Each waits for its predecessor only, so that one release wakes one waiter.

use std::cmp::Ordering;

use zk_proto::record::{Children, CreateMode};
use zk_proto::{Acl, OpCode};

use super::held::{Held, Loss};
use super::{Participant, RecipeError};
use crate::client::protected::until_served;
use crate::error::{Error, Outcome, SessionEnd};
use crate::{Client, path};

/// What stands in a name before its number, by us and by Curator's `InterProcessMutex` and `LeaderSelector`.
const LOCK: &str = "lock-";
/// The same by kazoo's `Lock` and `Election`.
const KAZOO_LOCK: &str = "__lock__";

#[derive(Debug, Clone)]
pub(super) struct Queue {
    pub(super) client: Client,
    pub(super) parent: String,
    pub(super) data: Vec<u8>,
    pub(super) acl: Vec<Acl>,
}

impl Queue {
    pub(super) fn new(client: &Client, parent: &str) -> Self {
        Self {
            client: client.clone(),
            parent: parent.to_owned(),
            data: Vec::new(),
            acl: Acl::OPEN.to_vec(),
        }
    }

    /// Takes a place at the end, and waits until it is the first.
    pub(super) async fn wait(&self) -> Result<Held, RecipeError> {
        let mut place = self.join(LOCK).await?;
        loop {
            match self.turn(&mut place).await {
                Ok(true) => return Ok(place),
                Ok(false) => {}
                Err(RecipeError::Call(error)) if error.is_transient() => {
                    until_served(&self.client).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes a place at the end, and keeps it only if it is the first.
    pub(super) async fn try_first(&self) -> Result<Option<Held>, RecipeError> {
        let mut place = self.join(LOCK).await?;
        if self.predecessor(&mut place).await?.is_none() {
            return Ok(Some(place));
        }
        place.release().await?;
        Ok(None)
    }

    /// Who is first.
    pub(super) async fn first(&self) -> Result<Option<Participant>, Error> {
        loop {
            let children = match self.client.get_children(&self.parent).await {
                Err(error) if error.is_no_node() => return Ok(None),
                children => children?,
            };
            let mut places: Vec<_> = contenders(&children).collect();
            if places.is_empty() {
                return Ok(None);
            }
            places.sort_by(|(a, _), (b, _)| in_turn(*a, *b));
            for (_, name) in places {
                let path = path::join(&self.parent, name);
                match self.client.get_data(&path).await {
                    Ok((data, _)) => return Ok(Some(Participant { path, data })),
                    // It has gone since: the next one is first.
                    Err(error) if error.is_no_node() => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Creates a znode of the caller's at the end.
    pub(super) async fn join(&self, name: &str) -> Result<Held, Error> {
        let path = path::join(&self.parent, name);
        let mode = CreateMode::EPHEMERAL_SEQUENTIAL;
        let create = || {
            self.client
                .create_protected(&path, &self.data, mode, &self.acl)
        };
        let created = match create().await {
            Err(error) if error.is_no_node() => {
                self.client.create_all(&self.parent).await?;
                create().await
            }
            created => created,
        };
        Ok(Held::new(&self.client, created?))
    }

    /// True if the place is the first; false once its predecessor has changed, for whatever reason.
    async fn turn(&self, place: &mut Held) -> Result<bool, RecipeError> {
        let Some(predecessor) = self.predecessor(place).await? else {
            return Ok(true);
        };
        let (stat, watch) = self.client.exists_and_watch(&predecessor).await?;
        if stat.is_none() {
            return Ok(false);
        }
        tokio::select! {
            changed = watch.changed() => match changed {
                Ok(_) => Ok(false),
                Err(end) => Err(ended(place, end)),
            },
            loss = place.lost() => Err(match loss {
                Loss::Session(end) => ended(place, end),
                Loss::Deleted(path) => RecipeError::Deleted { path },
                Loss::Unseen(error) => error.into(),
            }),
        }
    }

    /// Who is just before a place; `None` for the first. Whatever server answers has seen the place be created, since a
    /// session never goes back in time, and so everybody before it.
    async fn predecessor(&self, place: &mut Held) -> Result<Option<String>, RecipeError> {
        let seen = self.client.exists(place.path());
        let listed = self.client.get_children(&self.parent);
        let own = match seen.await? {
            Some(stat) if place.note(&stat) => path::sequence(place.name()),
            _ => None,
        };
        let Some(own) = own else {
            let path = place.path().to_owned();
            return Err(RecipeError::Deleted { path });
        };
        let children = listed.await?;
        let before = contenders(&children).filter(|(number, _)| in_turn(*number, own).is_lt());
        let last = before.max_by(|(a, _), (b, _)| in_turn(*a, *b));
        Ok(last.map(|(_, name)| path::join(&self.parent, name)))
    }
}

/// Numbers and names of those in the queue. Other znodes may stand beside them.
fn contenders(children: &Children) -> impl Iterator<Item = (i32, &str)> {
    children.iter().flatten().filter_map(|name| {
        let number = path::sequence(name)?;
        let stem = name.get(..name.len().checked_sub(path::SEQUENCE_DIGITS)?)?;
        // A number below zero has its sign there.
        let stems = [stem, stem.strip_suffix('-').unwrap_or(stem)];
        let is_lock = |stem: &str| stem.ends_with(LOCK) || stem.ends_with(KAZOO_LOCK);
        stems.into_iter().any(is_lock).then_some((number, name))
    })
}

/// The order of two numbers of the server's 32-bit counter, which goes on below zero after its largest.
const fn in_turn(a: i32, b: i32) -> Ordering {
    match a.wrapping_sub(b) {
        ..0 => Ordering::Less,
        0 => Ordering::Equal,
        1.. => Ordering::Greater,
    }
}

fn ended(place: &Held, end: SessionEnd) -> RecipeError {
    let error = Error::SessionEnded {
        op: OpCode::EXISTS,
        path: place.path().to_owned(),
        end,
        outcome: Outcome::NotApplied,
    };
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contenders_are_curators_kazoos_and_ours() {
        let names = [
            "_c_5e7a8f6c-0000-4000-8000-000000000000-lock-0000000007",
            "0123456789abcdef0123456789abcdef__lock__0000000003",
            "_c_5e7a8f6c-0000-4000-8000-000000000000-lock--2147483648",
            "lock-12",
            "0123456789abcdef0123456789abcdef__rlock__0000000004",
            "config",
        ];
        let children: Children = names.into_iter().collect();
        let found: Vec<_> = contenders(&children).map(|(number, _)| number).collect();
        assert_eq!(found, [7, 3, -2_147_483_648]);
    }

    #[test]
    fn the_counter_goes_on_below_zero() {
        assert_eq!(in_turn(7, 9), Ordering::Less);
        assert_eq!(in_turn(9, 9), Ordering::Equal);
        assert_eq!(in_turn(i32::MIN, i32::MAX), Ordering::Greater);
    }
}
