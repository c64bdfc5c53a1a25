//! What can go wrong, sorted by what a caller can do about it.

use std::fmt;
use std::time::Duration;

use zk_proto::four_letter::ServerVersion;
use zk_proto::frame::FrameError;
use zk_proto::path::PathError;
use zk_proto::{ConnectStringError, DecodeError, ErrorCode, HostPort, OpCode, SessionId};

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server said no. The request was not applied; the session lives on.
    #[error("{op} {path}: the server answered {code}")]
    Server {
        /// What was asked.
        op: OpCode,
        /// Of which znode.
        path: String,
        /// Why not.
        code: ErrorCode,
    },
    /// The connection was lost before the answer. The session may live on: later calls go to another server.
    #[error(
        "{op} {path}: the connection to ZooKeeper was lost before the answer; the request {outcome}"
    )]
    ConnectionLoss {
        /// What was asked.
        op: OpCode,
        /// Of which znode.
        path: String,
        /// Whether it may have been applied.
        outcome: Outcome,
    },
    /// No answer came within the call's deadline. The session lives on.
    #[error("{op} {path}: no answer within {after:?}; the request {outcome}")]
    Deadline {
        /// What was asked.
        op: OpCode,
        /// Of which znode.
        path: String,
        /// The deadline, counted from the call.
        after: Duration,
        /// Whether it may have been applied.
        outcome: Outcome,
    },
    /// The session is over, for this and every later call: open a new client.
    #[error("{op} {path}: {end}")]
    SessionEnded {
        /// What was asked.
        op: OpCode,
        /// Of which znode.
        path: String,
        /// How the session ended.
        end: SessionEnd,
        /// Whether the request may have been applied before that.
        outcome: Outcome,
    },
    /// The path breaks ZooKeeper's rules. Nothing was sent.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The request does not fit a frame. Nothing was sent.
    #[error("{op} {path}: {source}")]
    TooLarge {
        /// What was asked.
        op: OpCode,
        /// Of which znode.
        path: String,
        /// The limit and the size.
        source: FrameError,
    },
    /// Too many requests wait for an answer already ([`crate::ConnectOptions::max_requests`]). Nothing was sent.
    #[error("{op} {path}: {limit} requests wait for an answer already; wait for some of them")]
    TooManyRequests {
        /// What was asked.
        op: OpCode,
        /// Of which znode.
        path: String,
        /// The limit.
        limit: usize,
    },
    /// The answer could not be read. The request was applied; the session lives on.
    #[error("{op} {path}: the answer cannot be read: {source}")]
    Answer {
        /// What was asked.
        op: OpCode,
        /// Of which znode.
        path: String,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The server that serves the session is too old for the operation. It was not applied; the session lives on, and
    /// another server of the ensemble may be newer.
    #[error("{op} needs ZooKeeper {needed}, {}", server.map_or_else(|| "and the server does not know it".to_owned(), |version| format!("the server is {version}")))]
    Unsupported {
        /// What was asked.
        op: OpCode,
        /// The first version that has it.
        needed: ServerVersion,
        /// The server's version; `None` where it does not tell (`srvr` in `4lw.commands.whitelist`): then it was tried.
        server: Option<ServerVersion>,
    },
    /// An operation of a multi failed. Nothing of the multi was applied; the session lives on.
    #[error("multi: operation {index} ({op} {path}): the server answered {code}; none was applied")]
    Multi {
        /// Which operation failed, from 0.
        index: usize,
        /// What it asked.
        op: OpCode,
        /// Of which znode.
        path: String,
        /// Why not.
        code: ErrorCode,
    },
}

impl Error {
    /// The server's code, where the server answered with one.
    #[must_use]
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Server { code, .. } | Self::Multi { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// The znode does not exist.
    #[must_use]
    pub fn is_no_node(&self) -> bool {
        self.code() == Some(ErrorCode::NO_NODE)
    }

    /// The znode exists already.
    #[must_use]
    pub fn is_node_exists(&self) -> bool {
        self.code() == Some(ErrorCode::NODE_EXISTS)
    }

    /// Whether the request may have been applied. [`Outcome::NotApplied`] may be repeated whatever it was.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::ConnectionLoss { outcome, .. }
            | Self::Deadline { outcome, .. }
            | Self::SessionEnded { outcome, .. } => *outcome,
            Self::Answer { .. } => Outcome::Applied,
            _ => Outcome::NotApplied,
        }
    }

    /// How the session ended, where that is why the call failed.
    #[must_use]
    pub const fn session_end(&self) -> Option<&SessionEnd> {
        match self {
            Self::SessionEnded { end, .. } => Some(end),
            _ => None,
        }
    }

    /// Whether the same call on the same client may succeed later: the connection was lost or the answer was late.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::ConnectionLoss { .. } | Self::Deadline { .. } | Self::TooManyRequests { .. }
        ) || matches!(self.code(), Some(ErrorCode::THROTTLED_OP))
    }
}

/// What became of a request whose answer is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It never left, or the server refused it.
    NotApplied,
    /// The server did it.
    Applied,
    /// It left, and its answer was lost: the server may have done it or not.
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotApplied => "was not applied",
            Self::Applied => "was applied",
            Self::Unknown => "may have been applied",
        })
    }
}

/// Why a session is over. None of them heals: open a new client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionEnd {
    /// The server no longer has the session; its ephemeral znodes are gone.
    #[error("session {0} has expired on the server")]
    Expired(SessionId),
    /// No server was heard for 4/3 of the session timeout. The session may still live on a server for a while, and its
    /// ephemeral znodes with it.
    #[error("session {session} is given up: no server was heard for {silence:?}")]
    GivenUp {
        /// The session.
        session: SessionId,
        /// How long no server was heard.
        silence: Duration,
    },
    /// The server refused the credentials.
    #[error("the server refused the credentials of scheme `{0}`")]
    AuthFailed(String),
    /// The client was closed, or its runtime ended.
    #[error("the client is closed")]
    Closed,
}

/// A client that could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The connect string names no ensemble.
    #[error(transparent)]
    ConnectString(#[from] ConnectStringError),
    /// No server took the session in time.
    #[error("no ZooKeeper server took a session within {:.1} s: {}", elapsed.as_secs_f64(), reasons(tried))]
    Unreachable {
        /// Every server, and what the last attempt to reach it met.
        tried: Vec<Attempt>,
        /// How long was tried.
        elapsed: Duration,
    },
    /// The session ended before it began.
    #[error(transparent)]
    SessionEnded(#[from] SessionEnd),
    /// The session's own thread ([`crate::ConnectOptions::dedicated_thread`]) could not be started.
    #[error("no thread for the session: {0}")]
    Thread(String),
}

/// An attempt to reach a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The server.
    pub host: HostPort,
    /// What the last attempt met; `None` when there was none, or it is still under way.
    pub failure: Option<String>,
}

fn reasons(tried: &[Attempt]) -> String {
    let reasons: Vec<_> = tried
        .iter()
        .map(|attempt| {
            format!(
                "{}: {}",
                attempt.host,
                attempt.failure.as_deref().unwrap_or("no answer yet")
            )
        })
        .collect();
    reasons.join("; ")
}
