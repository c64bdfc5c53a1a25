//! What is most often built on a session: a [`Lock`], an [`Election`], the membership of a [`Group`].
//!
//! Each is made of ephemeral znodes of the client's one session, so that what a crashed program held is free when its
//! session expires. None of them makes a new session: when the client's session has ended, so has everything held
//! through it, and a program that wants it again opens a new client and asks again.
//!
//! # What they promise
//! **Nothing is left behind.** Every znode is created so that a lost answer does no harm
//! ([`Client::create_protected`]). Dropping a future or a guard has its znode deleted in the background, over and over
//! until it is gone or the session has ended.
//!
//! **Loss is told, not hidden.** A lost connection alone takes nothing away: the session may go on at another server.
//! A guard says when what it guards is lost ([`Held::lost`]), and when it may be lost soon ([`Held::interrupted`]).
//!
//! # What no lock can promise
//! Between the moment at which a session expires on the servers and the moment at which its program knows, another
//! program may hold the lock. [`Held::interrupted`] comes earlier than that, unless this machine stands still or the
//! network carries bytes in one direction only. To be safe even then, give [`Held::fencing_token`] along with every
//! write to the guarded thing, and have that refuse tokens older than the newest it has seen.
//!
//! [`Client::create_protected`]: crate::Client::create_protected

mod election;
mod group;
mod held;
mod lock;
mod queue;

use bytes::Bytes;

pub use election::Election;
pub use group::{Group, Members};
pub use held::{Held, Loss};
pub use lock::Lock;

use crate::error::Error;

/// Somebody who has told something of itself: a leader, a member of a group, the holder of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// The path of its znode.
    pub path: String,
    /// What it told when it came.
    pub data: Bytes,
}

/// What a recipe could not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] Error),
    /// The znode that stood for the caller was deleted while it waited for its turn.
    #[error("{path} was deleted by somebody else, and with it the place in the queue: ask again")]
    Deleted {
        /// The znode.
        path: String,
    },
}

impl RecipeError {
    /// Whether the same request on the same client may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Call(error) => error.is_transient(),
            Self::Deleted { .. } => true,
        }
    }
}
