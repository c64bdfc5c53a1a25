//! The numbers that identify things on the wire, each a type of its own.

use std::fmt;

/// The number by which a reply names its request.
///
/// Ordinary requests count from 1; the negative ones below are reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Xid(pub i32);

impl Xid {
    /// A watch notification, server to client.
    pub const NOTIFICATION: Self = Self(-1);
    /// A ping and its reply.
    pub const PING: Self = Self(-2);
    /// An `auth` packet and its reply, which may overtake the replies of earlier requests.
    pub const AUTH: Self = Self(-4);
    /// A `setWatches` or `setWatches2` and its reply.
    pub const SET_WATCHES: Self = Self(-8);

    /// The xid of the request after this one: 1 follows [`i32::MAX`].
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 == i32::MAX || self.0 < 1 {
            Self(1)
        } else {
            Self(self.0 + 1)
        }
    }
}

/// A transaction's number: the leader's epoch in the high half, a counter in the low half.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Zxid(pub i64);

impl Zxid {
    /// The epoch of the leader that gave the number.
    #[must_use]
    pub const fn epoch(self) -> i64 {
        self.0 >> 32
    }

    /// The counter within the epoch.
    #[must_use]
    pub const fn counter(self) -> i64 {
        self.0 & 0xffff_ffff
    }
}

impl fmt::Debug for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zxid({self})")
    }
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// A session's number; 0 asks for a new session. Printed as ZooKeeper prints it: unsigned hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SessionId(pub i64);

impl SessionId {
    /// No session: in a connect request, "give me a new one"; in its answer, "your session has expired".
    pub const NONE: Self = Self(0);
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// A version of a znode's data, children or ACL, counted by the server from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ZnodeVersion(pub i32);

impl ZnodeVersion {
    /// In a request: whatever the version is.
    pub const ANY: Self = Self(-1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xids_count_from_one_and_wrap_to_one() {
        assert_eq!(Xid(0).next(), Xid(1));
        assert_eq!(Xid(1).next(), Xid(2));
        assert_eq!(Xid(i32::MAX).next(), Xid(1));
        assert_eq!(Xid::SET_WATCHES.next(), Xid(1));
    }

    #[test]
    fn a_negative_session_id_prints_as_the_server_prints_it() {
        assert_eq!(SessionId(-1).to_string(), "0xffffffffffffffff");
        assert_eq!(
            SessionId(0x0100_003f_f8ca_0000).to_string(),
            "0x100003ff8ca0000"
        );
    }

    #[test]
    fn a_zxid_is_an_epoch_and_a_counter() {
        let zxid = Zxid(0x2_0000_0007);
        assert_eq!((zxid.epoch(), zxid.counter()), (2, 7));
    }
}
