//! Watches: notifications, `addWatch` (106, since 3.6.0), `removeWatches` (18) and `checkWatches` (17, since 3.5.0),
//! `setWatches` (101) and `setWatches2` (105, since 3.6.0).

use std::fmt;

use bytes::{BufMut, BytesMut};

use crate::jute::{Decode, Encode, Reader, put_string, put_strings};
use crate::{DecodeError, ErrorCode, Zxid};

/// What has happened to a znode. Open: an unknown number is kept. Printed by its name in Java, such as `NodeCreated`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventType(pub i32);

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::NODE_CREATED => "NodeCreated",
            Self::NODE_DELETED => "NodeDeleted",
            Self::NODE_DATA_CHANGED => "NodeDataChanged",
            Self::NODE_CHILDREN_CHANGED => "NodeChildrenChanged",
            Self(other) => return write!(f, "EventType({other})"),
        })
    }
}

impl EventType {
    /// The znode was created.
    pub const NODE_CREATED: Self = Self(1);
    /// The znode was deleted.
    pub const NODE_DELETED: Self = Self(2);
    /// The znode's data was changed.
    pub const NODE_DATA_CHANGED: Self = Self(3);
    /// A child of the znode was created or deleted.
    pub const NODE_CHILDREN_CHANGED: Self = Self(4);
}

/// The session's state in a notification; always [`KeeperState::SYNC_CONNECTED`] from servers in normal service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeeperState(pub i32);

impl KeeperState {
    /// Connected to a server that is part of a quorum.
    pub const SYNC_CONNECTED: Self = Self(3);
}

/// A notification, sent with [`Xid::NOTIFICATION`](crate::Xid::NOTIFICATION) (jute `WatcherEvent`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatcherEvent<'a> {
    /// What has happened.
    pub event_type: EventType,
    /// The session's state.
    pub state: KeeperState,
    /// To which znode.
    pub path: &'a str,
}

impl Encode for WatcherEvent<'_> {
    fn encode(&self, out: &mut BytesMut) {
        out.put_i32(self.event_type.0);
        out.put_i32(self.state.0);
        put_string(out, self.path);
    }
}

impl<'a> Decode<'a> for WatcherEvent<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("WatcherEvent");
        Ok(Self {
            event_type: EventType(r.int("type")?),
            state: KeeperState(r.int("state")?),
            path: r.string("path")?,
        })
    }
}

/// How a watch of `addWatch` sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddWatchMode(pub i32);

impl AddWatchMode {
    /// Every change of the znode and of its list of children.
    pub const PERSISTENT: Self = Self(0);
    /// Every creation, deletion and change of data of the znode and all below it.
    pub const PERSISTENT_RECURSIVE: Self = Self(1);
}

/// The request of `addWatch` (jute `AddWatchRequest`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddWatchRequest<'a> {
    /// Which znode; it need not exist.
    pub path: &'a str,
    /// How to watch.
    pub mode: AddWatchMode,
}

impl Encode for AddWatchRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_string(out, self.path);
        out.put_i32(self.mode.0);
    }
}

impl<'a> Decode<'a> for AddWatchRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("AddWatchRequest");
        Ok(Self {
            path: r.string("path")?,
            mode: AddWatchMode(r.int("mode")?),
        })
    }
}

/// The answer to `addWatch`: a code of its own behind the header (jute `ErrorResponse`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddWatchResponse {
    /// Always [`ErrorCode::OK`] where the header says so.
    pub err: ErrorCode,
}

impl Encode for AddWatchResponse {
    fn encode(&self, out: &mut BytesMut) {
        out.put_i32(self.err.0);
    }
}

impl<'a> Decode<'a> for AddWatchResponse {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("ErrorResponse");
        Ok(Self {
            err: ErrorCode(r.int("err")?),
        })
    }
}

/// Which watches of a path are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WatcherType(pub i32);

impl WatcherType {
    /// Those of `getChildren`.
    pub const CHILDREN: Self = Self(1);
    /// Those of `getData` and `exists`.
    pub const DATA: Self = Self(2);
    /// All.
    pub const ANY: Self = Self(3);
    /// The persistent one. Since 3.9.0.
    pub const PERSISTENT: Self = Self(4);
    /// The persistent recursive one. Since 3.9.0.
    pub const PERSISTENT_RECURSIVE: Self = Self(5);
}

/// The request of `removeWatches` and `checkWatches`, answered with a header alone (jute `RemoveWatchesRequest`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoveWatchesRequest<'a> {
    /// Which znode.
    pub path: &'a str,
    /// Which of its watches.
    pub watcher_type: WatcherType,
}

impl Encode for RemoveWatchesRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_string(out, self.path);
        out.put_i32(self.watcher_type.0);
    }
}

impl<'a> Decode<'a> for RemoveWatchesRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("RemoveWatchesRequest");
        Ok(Self {
            path: r.string("path")?,
            watcher_type: WatcherType(r.int("type")?),
        })
    }
}

/// The request of `setWatches`, sent after a reconnect with [`Xid::SET_WATCHES`](crate::Xid::SET_WATCHES); the answer
/// is a header alone, behind the events that were missed (jute `SetWatches`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetWatchesRequest<'a> {
    /// The last transaction that was seen before the connection was lost.
    pub relative_zxid: Zxid,
    /// Paths with a data watch, that existed.
    pub data: Vec<&'a str>,
    /// Paths with a watch for their creation.
    pub exist: Vec<&'a str>,
    /// Paths with a child watch.
    pub child: Vec<&'a str>,
}

impl Encode for SetWatchesRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        out.put_i64(self.relative_zxid.0);
        put_strings(out, &self.data);
        put_strings(out, &self.exist);
        put_strings(out, &self.child);
    }
}

impl<'a> Decode<'a> for SetWatchesRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("SetWatches");
        Ok(Self {
            relative_zxid: Zxid(r.long("relativeZxid")?),
            data: r.strings("dataWatches")?,
            exist: r.strings("existWatches")?,
            child: r.strings("childWatches")?,
        })
    }
}

/// As [`SetWatchesRequest`], with the persistent watches too. Those get no catch-up of missed events (jute
/// `SetWatches2`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetWatches2Request<'a> {
    /// The one-shot watches.
    pub one_shot: SetWatchesRequest<'a>,
    /// Paths with a persistent watch.
    pub persistent: Vec<&'a str>,
    /// Paths with a persistent recursive watch.
    pub persistent_recursive: Vec<&'a str>,
}

impl Encode for SetWatches2Request<'_> {
    fn encode(&self, out: &mut BytesMut) {
        self.one_shot.encode(out);
        put_strings(out, &self.persistent);
        put_strings(out, &self.persistent_recursive);
    }
}

impl<'a> Decode<'a> for SetWatches2Request<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let one_shot = SetWatchesRequest::decode(r)?;
        r.record("SetWatches2");
        Ok(Self {
            one_shot,
            persistent: r.strings("persistentWatches")?,
            persistent_recursive: r.strings("persistentRecursiveWatches")?,
        })
    }
}
