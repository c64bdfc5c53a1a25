//! The codes that a reply header carries.

use std::fmt;

use crate::open_number::open_number;

/// How a request ended (`KeeperException.Code`). Open: a code from a newer server passes through.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub i32);

open_number! {
    ErrorCode;

    /// Done.
    OK = 0, "Ok";
    /// A fault of the server.
    SYSTEM_ERROR = -1, "SystemError";
    /// Inside a multi: not attempted, or rolled back.
    RUNTIME_INCONSISTENCY = -2, "RuntimeInconsistency";
    /// The server found its data inconsistent.
    DATA_INCONSISTENCY = -3, "DataInconsistency";
    /// Made by clients, never on the wire: the connection was lost before the answer.
    CONNECTION_LOSS = -4, "ConnectionLoss";
    /// The server could not read the request.
    MARSHALLING_ERROR = -5, "MarshallingError";
    /// The server does not know the operation, or has it turned off.
    UNIMPLEMENTED = -6, "Unimplemented";
    /// Made by some clients: no answer in time.
    OPERATION_TIMEOUT = -7, "OperationTimeout";
    /// A bad path, flag or time to live.
    BAD_ARGUMENTS = -8, "BadArguments";
    /// Internal to servers with local sessions.
    UNKNOWN_SESSION = -12, "UnknownSession";
    /// A reconfiguration that would have no quorum.
    NEW_CONFIG_NO_QUORUM = -13, "NewConfigNoQuorum";
    /// Another reconfiguration is under way.
    RECONFIG_IN_PROGRESS = -14, "ReconfigInProgress";
    /// The znode does not exist.
    NO_NODE = -101, "NoNode";
    /// The ACL forbids it.
    NO_AUTH = -102, "NoAuth";
    /// The version is another.
    BAD_VERSION = -103, "BadVersion";
    /// An ephemeral znode cannot have children.
    NO_CHILDREN_FOR_EPHEMERALS = -108, "NoChildrenForEphemerals";
    /// The znode exists already.
    NODE_EXISTS = -110, "NodeExists";
    /// The znode has children.
    NOT_EMPTY = -111, "NotEmpty";
    /// The session is over.
    SESSION_EXPIRED = -112, "SessionExpired";
    /// A fault of the client's own.
    INVALID_CALLBACK = -113, "InvalidCallback";
    /// An ACL that is empty or has an unknown scheme.
    INVALID_ACL = -114, "InvalidACL";
    /// The credentials were refused.
    AUTH_FAILED = -115, "AuthFailed";
    /// The session has moved to another server.
    SESSION_MOVED = -118, "SessionMoved";
    /// A write sent to a read-only server.
    NOT_READ_ONLY = -119, "NotReadOnly";
    /// An ephemeral znode on a local session.
    EPHEMERAL_ON_LOCAL_SESSION = -120, "EphemeralOnLocalSession";
    /// There is no such watch.
    NO_WATCHER = -121, "NoWatcher";
    /// Made by clients: no answer in time.
    REQUEST_TIMEOUT = -122, "RequestTimeout";
    /// Reconfiguration is turned off.
    RECONFIG_DISABLED = -123, "ReconfigDisabled";
    /// The server demands SASL.
    SESSION_CLOSED_REQUIRE_SASL_AUTH = -124, "SessionClosedRequireSaslAuth";
    /// A hard quota is used up.
    QUOTA_EXCEEDED = -125, "QuotaExceeded";
    /// The server is overloaded and did not execute the request.
    THROTTLED_OP = -127, "ThrottledOp";
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ErrorCode({self})")
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}
