//! The numbers of the requests.

use std::fmt;

use crate::four_letter::ServerVersion;
use crate::open_number::open_number;

/// What a request asks for (`ZooDefs.OpCode`). Open: an unknown number is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OpCode(pub i32);

open_number! {
    OpCode;

    /// Create a znode.
    CREATE = 1, "create";
    /// Delete a znode.
    DELETE = 2, "delete";
    /// Ask whether a znode exists.
    EXISTS = 3, "exists";
    /// Read a znode's data.
    GET_DATA = 4, "getData";
    /// Replace a znode's data.
    SET_DATA = 5, "setData";
    /// Read a znode's ACL.
    GET_ACL = 6, "getACL";
    /// Replace a znode's ACL.
    SET_ACL = 7, "setACL";
    /// List children.
    GET_CHILDREN = 8, "getChildren";
    /// Wait until this server has seen what was written before.
    SYNC = 9, "sync";
    /// Keep the session alive.
    PING = 11, "ping";
    /// List children, with the parent's stat.
    GET_CHILDREN2 = 12, "getChildren2";
    /// Check a version; answered only inside a multi. Since 3.4.0.
    CHECK = 13, "check";
    /// Several writes, all or none. Since 3.4.0.
    MULTI = 14, "multi";
    /// Create a znode and return its stat. Since 3.5.0.
    CREATE2 = 15, "create2";
    /// Change the ensemble. Since 3.5.0.
    RECONFIG = 16, "reconfig";
    /// Ask whether this session has a watch. Since 3.5.0.
    CHECK_WATCHES = 17, "checkWatches";
    /// Remove watches. Since 3.5.0.
    REMOVE_WATCHES = 18, "removeWatches";
    /// Create a container. Since 3.5.1.
    CREATE_CONTAINER = 19, "createContainer";
    /// Internal to servers: an empty container goes.
    DELETE_CONTAINER = 20, "deleteContainer";
    /// Create a znode with a time to live. Since 3.5.3.
    CREATE_TTL = 21, "createTTL";
    /// Several reads in one request. Since 3.6.0.
    MULTI_READ = 22, "multiRead";
    /// Add an identity to the connection.
    AUTH = 100, "auth";
    /// Register watches again after a reconnect.
    SET_WATCHES = 101, "setWatches";
    /// A SASL token. Since 3.4.0.
    SASL = 102, "sasl";
    /// List this session's ephemerals. Since 3.6.0.
    GET_EPHEMERALS = 103, "getEphemerals";
    /// Count all descendants. Since 3.6.0.
    GET_ALL_CHILDREN_NUMBER = 104, "getAllChildrenNumber";
    /// Register watches, persistent ones too, after a reconnect. Since 3.6.0.
    SET_WATCHES2 = 105, "setWatches2";
    /// Add a persistent or recursive watch. Since 3.6.0.
    ADD_WATCH = 106, "addWatch";
    /// Ask which identities the connection has. Since 3.7.0.
    WHO_AM_I = 107, "whoAmI";
    /// Internal to servers: a session begins.
    CREATE_SESSION = -10, "createSession";
    /// End the session.
    CLOSE_SESSION = -11, "closeSession";
    /// Marks a failed operation in the answer to a multi.
    ERROR = -1, "error";
}

impl OpCode {
    /// The first server version that has the operation; 3.4.0, the oldest one that this crate is made for, stands for
    /// everything before it and for numbers that are not known here.
    #[must_use]
    pub const fn since(self) -> ServerVersion {
        match self {
            Self::CREATE2 | Self::RECONFIG | Self::CHECK_WATCHES | Self::REMOVE_WATCHES => {
                ServerVersion::new(3, 5, 0)
            }
            Self::CREATE_CONTAINER => ServerVersion::new(3, 5, 1),
            Self::CREATE_TTL => ServerVersion::new(3, 5, 3),
            Self::MULTI_READ
            | Self::GET_EPHEMERALS
            | Self::GET_ALL_CHILDREN_NUMBER
            | Self::SET_WATCHES2
            | Self::ADD_WATCH => ServerVersion::new(3, 6, 0),
            Self::WHO_AM_I => ServerVersion::new(3, 7, 0),
            _ => ServerVersion::OLDEST,
        }
    }
}

impl fmt::Debug for OpCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpCode({self})")
    }
}

impl fmt::Display for OpCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}
