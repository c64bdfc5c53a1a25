//! The znodes, and the five things that change them. Nothing here asks who may do it: see `write`.
//!
//! Every change can be taken back, which makes a multi atomic: its operations are applied one by one, and when one
//! fails those before it are reverted.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use zk_proto::path::{join, name};
use zk_proto::{Acl, Perms, SessionId, Stat, Zxid};

use super::quota::length;

/// One znode.
#[derive(Debug)]
pub(super) struct Znode {
    /// `None` where it was created with null, which is not the same as empty.
    pub(super) data: Option<Bytes>,
    pub(super) acl: Arc<[Acl]>,
    pub(super) kind: Kind,
    /// Names, not paths.
    pub(super) children: BTreeSet<Arc<str>>,
    /// How many children were ever created here; the next sequential name takes this number. The reported `cversion`
    /// is computed from it. Wraps as a signed number, as the real one.
    pub(super) creates: i32,
    pub(super) version: i32,
    aversion: i32,
    czxid: Zxid,
    pub(super) mzxid: Zxid,
    pub(super) pzxid: Zxid,
    ctime_ms: i64,
    pub(super) mtime_ms: i64,
}

/// How long a znode lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Until it is deleted.
    Persistent,
    /// As long as its session.
    Ephemeral(SessionId),
    /// Until its last child has gone.
    Container,
    /// Until it was left alone, without children, for so many milliseconds.
    Ttl(i64),
}

impl Znode {
    pub(super) fn stat(&self) -> Stat {
        let num_children = saturating(self.children.len());
        Stat {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime_ms: self.ctime_ms,
            mtime_ms: self.mtime_ms,
            version: self.version,
            // Creations and deletions together, as the real server computes it. The built-in znodes were never
            // created, so theirs is negative at first.
            cversion: self.creates.wrapping_mul(2).wrapping_sub(num_children),
            aversion: self.aversion,
            ephemeral_owner: match self.kind {
                Kind::Ephemeral(session) => session,
                _ => SessionId::NONE,
            },
            data_length: saturating(self.data.as_ref().map_or(0, Bytes::len)),
            num_children,
            pzxid: self.pzxid,
        }
    }

    /// Writes what [`Self::get`] reads.
    pub(super) fn put_stat(&self, out: &mut BytesMut) {
        out.put_i32(self.creates);
        out.put_i32(self.version);
        out.put_i32(self.aversion);
        out.put_i64(self.czxid.0);
        out.put_i64(self.mzxid.0);
        out.put_i64(self.pzxid.0);
        out.put_i64(self.ctime_ms);
        out.put_i64(self.mtime_ms);
    }

    /// Reads what [`Self::put_stat`] has written; `None` where that ends too early. It has no children yet.
    pub(super) fn get(
        r: &mut &[u8],
        data: Option<Bytes>,
        acl: Arc<[Acl]>,
        kind: Kind,
    ) -> Option<Self> {
        Some(Self {
            data,
            acl,
            kind,
            children: BTreeSet::new(),
            creates: r.try_get_i32().ok()?,
            version: r.try_get_i32().ok()?,
            aversion: r.try_get_i32().ok()?,
            czxid: Zxid(r.try_get_i64().ok()?),
            mzxid: Zxid(r.try_get_i64().ok()?),
            pzxid: Zxid(r.try_get_i64().ok()?),
            ctime_ms: r.try_get_i64().ok()?,
            mtime_ms: r.try_get_i64().ok()?,
        })
    }

    /// The version that `setACL` compares.
    pub(super) const fn aversion(&self) -> i32 {
        self.aversion
    }
}

/// The transaction that a change belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    pub(super) zxid: Zxid,
    pub(super) wall_ms: i64,
}

/// What was done to one znode: enough to notify its watchers and to take it back.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) path: Arc<str>,
    /// The ACL of the znode, for the watchers' permission to know.
    pub(super) acl: Arc<[Acl]>,
    /// The ACL of its parent, likewise.
    pub(super) parent_acl: Arc<[Acl]>,
    /// How many bytes of data more there are.
    pub(super) bytes: i64,
    pub(super) before: Before,
    pub(super) after: After,
}

/// What was there before.
#[derive(Debug)]
pub(super) enum Before {
    /// Nothing: the znode was created.
    Missing { parent: ParentBefore },
    /// The znode that was deleted.
    Existing {
        znode: Box<Znode>,
        parent: ParentBefore,
    },
    /// Other data.
    Data {
        data: Option<Bytes>,
        version: i32,
        mzxid: Zxid,
        mtime_ms: i64,
    },
    /// Another ACL.
    Acl { acl: Arc<[Acl]>, aversion: i32 },
}

/// What was done, to be done again.
#[derive(Debug)]
pub(super) enum After {
    Created {
        data: Option<Bytes>,
        acl: Arc<[Acl]>,
        kind: Kind,
    },
    Deleted,
    Data(Option<Bytes>),
    Acl(Arc<[Acl]>),
}

/// A parent's part of a creation or deletion.
#[derive(Debug, Clone, Copy)]
pub(super) struct ParentBefore {
    creates: i32,
    pzxid: Zxid,
}

/// All znodes.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: HashMap<Arc<str>, Znode>,
    ephemerals: HashMap<SessionId, BTreeSet<Arc<str>>>,
    /// Containers and znodes with a time to live: what the reaper looks through.
    perishable: BTreeSet<Arc<str>>,
    /// Bytes of all paths and data, as `mntr` reports them.
    data_bytes: usize,
}

/// The root of ZooKeeper's own znodes.
pub(super) const SYSTEM: &str = "/zookeeper";
/// Where quotas live.
pub(super) const QUOTA: &str = "/zookeeper/quota";
/// The ensemble's configuration; empty on a single server.
pub(super) const CONFIG: &str = "/zookeeper/config";

impl Tree {
    /// A tree with the znodes that every server starts with; `/zookeeper/config` came with 3.5.
    pub(super) fn new(has_config: bool) -> Self {
        let open: Arc<[Acl]> = Acl::OPEN.into();
        let built_in = |acl: &Arc<[Acl]>, aversion, children: &[&str]| Znode {
            data: Some(Bytes::new()),
            acl: Arc::clone(acl),
            kind: Kind::Persistent,
            children: children.iter().map(|name| Arc::from(*name)).collect(),
            creates: 0,
            version: 0,
            aversion,
            czxid: Zxid(0),
            mzxid: Zxid(0),
            pzxid: Zxid(0),
            ctime_ms: 0,
            mtime_ms: 0,
        };
        let read_only: Arc<[Acl]> = [Acl::world(Perms::READ)].into();
        let system: &[&str] = if has_config {
            &["config", "quota"]
        } else {
            &["quota"]
        };
        let mut nodes = vec![
            ("/", built_in(&open, 0, &["zookeeper"])),
            (SYSTEM, built_in(&open, 0, system)),
            (QUOTA, built_in(&open, 0, &[])),
        ];
        if has_config {
            nodes.push((CONFIG, built_in(&read_only, -1, &[])));
        }
        Self {
            data_bytes: nodes.iter().map(|(path, _)| path.len()).sum(),
            nodes: nodes
                .into_iter()
                .map(|(path, znode)| (Arc::from(path), znode))
                .collect(),
            ephemerals: HashMap::new(),
            perishable: BTreeSet::new(),
        }
    }

    /// Forgets every znode, the root too.
    pub(super) fn clear(&mut self) {
        *self = Self {
            nodes: HashMap::new(),
            ephemerals: HashMap::new(),
            perishable: BTreeSet::new(),
            data_bytes: 0,
        };
    }

    /// Takes a znode as it was; `false`, and nothing happens, when its parent is missing or its path is taken.
    pub(super) fn restore(&mut self, path: &str, znode: Znode) -> bool {
        let fits = !self.nodes.contains_key(path)
            && (path == "/" || self.nodes.contains_key(parent_of(path)));
        if fits {
            self.insert(&path.into(), znode);
        }
        fits
    }

    pub(super) fn get(&self, path: &str) -> Option<&Znode> {
        self.nodes.get(path)
    }

    /// Replaces data without a trace in the stat and without an event; only the quota statistics are kept so.
    pub(super) fn set_silently(&mut self, path: &str, data: Bytes) {
        if let Some(znode) = self.nodes.get_mut(path) {
            self.data_bytes += data.len();
            self.data_bytes -= znode.data.as_ref().map_or(0, Bytes::len);
            znode.data = Some(data);
        }
    }

    /// How many znodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) const fn data_bytes(&self) -> usize {
        self.data_bytes
    }

    /// The paths of a session's ephemerals, in order.
    pub(super) fn ephemerals(&self, session: SessionId) -> impl Iterator<Item = &Arc<str>> {
        self.ephemerals.get(&session).into_iter().flatten()
    }

    /// Every session with ephemerals.
    pub(super) fn ephemeral_owners(&self) -> BTreeSet<SessionId> {
        self.ephemerals.keys().copied().collect()
    }

    pub(super) fn ephemerals_count(&self) -> usize {
        self.ephemerals.values().map(BTreeSet::len).sum()
    }

    /// Containers and znodes with a time to live, in order.
    pub(super) fn perishable(&self) -> impl Iterator<Item = (&Arc<str>, &Znode)> {
        self.perishable
            .iter()
            .filter_map(|path| Some((path, self.nodes.get(path)?)))
    }

    pub(super) fn has_perishable(&self) -> bool {
        !self.perishable.is_empty()
    }

    /// Visits the znode at `path` and all below it, and returns how many that were.
    pub(super) fn visit(&self, path: &str, mut visitor: impl FnMut(&str, &Znode)) -> usize {
        let mut count = 0;
        let mut stack = vec![path.to_owned()];
        while let Some(path) = stack.pop() {
            if let Some(znode) = self.nodes.get(path.as_str()) {
                count += 1;
                visitor(&path, znode);
                stack.extend(znode.children.iter().map(|name| join(&path, name)));
            }
        }
        count
    }

    /// Creates a znode. `None`, and nothing happens, when the parent is missing or the path is taken.
    pub(super) fn create(
        &mut self,
        path: &str,
        data: Option<Bytes>,
        acl: Arc<[Acl]>,
        kind: Kind,
        stamp: Stamp,
    ) -> Option<Change> {
        if self.nodes.contains_key(path) {
            return None;
        }
        let parent = self.nodes.get_mut(parent_of(path))?;
        let before = ParentBefore {
            creates: parent.creates,
            pzxid: parent.pzxid,
        };
        let parent_acl = Arc::clone(&parent.acl);
        parent.creates = parent.creates.wrapping_add(1);
        parent.pzxid = stamp.zxid;
        let path: Arc<str> = path.into();
        let bytes = length(data.as_ref());
        let after = After::Created {
            data: data.clone(),
            acl: Arc::clone(&acl),
            kind,
        };
        self.insert(
            &path,
            Znode {
                data,
                acl: Arc::clone(&acl),
                kind,
                children: BTreeSet::new(),
                creates: 0,
                version: 0,
                aversion: 0,
                czxid: stamp.zxid,
                mzxid: stamp.zxid,
                pzxid: stamp.zxid,
                ctime_ms: stamp.wall_ms,
                mtime_ms: stamp.wall_ms,
            },
        );
        Some(Change {
            path,
            acl,
            parent_acl,
            bytes,
            before: Before::Missing { parent: before },
            after,
        })
    }

    /// Deletes a znode. `None`, and nothing happens, when it is missing or has children.
    pub(super) fn delete(&mut self, path: &str, stamp: Stamp) -> Option<Change> {
        if !self.nodes.get(path)?.children.is_empty() {
            return None;
        }
        let parent = self.nodes.get_mut(parent_of(path))?;
        let before = ParentBefore {
            creates: parent.creates,
            pzxid: parent.pzxid,
        };
        let parent_acl = Arc::clone(&parent.acl);
        parent.pzxid = parent.pzxid.max(stamp.zxid);
        let (path, znode) = self.remove(path)?;
        Some(Change {
            path,
            acl: Arc::clone(&znode.acl),
            parent_acl,
            bytes: -length(znode.data.as_ref()),
            before: Before::Existing {
                znode: Box::new(znode),
                parent: before,
            },
            after: After::Deleted,
        })
    }

    /// Replaces a znode's data. `None` when it is missing.
    pub(super) fn set_data(
        &mut self,
        path: &str,
        data: Option<Bytes>,
        stamp: Stamp,
    ) -> Option<Change> {
        let znode = self.nodes.get_mut(path)?;
        let before = Before::Data {
            version: znode.version,
            mzxid: znode.mzxid,
            mtime_ms: znode.mtime_ms,
            data: std::mem::replace(&mut znode.data, data),
        };
        znode.version = znode.version.wrapping_add(1);
        znode.mzxid = stamp.zxid;
        znode.mtime_ms = stamp.wall_ms;
        let acl = Arc::clone(&znode.acl);
        self.data_bytes += znode.data.as_ref().map_or(0, Bytes::len);
        if let Before::Data {
            data: Some(old), ..
        } = &before
        {
            self.data_bytes -= old.len();
        }
        let old_bytes = match &before {
            Before::Data { data, .. } => length(data.as_ref()),
            _ => 0,
        };
        Some(Change {
            path: path.into(),
            bytes: length(znode.data.as_ref()) - old_bytes,
            parent_acl: Arc::clone(&acl),
            acl,
            before,
            after: After::Data(znode.data.clone()),
        })
    }

    /// Replaces a znode's ACL. `None` when it is missing.
    pub(super) fn set_acl(&mut self, path: &str, acl: Arc<[Acl]>) -> Option<Change> {
        let znode = self.nodes.get_mut(path)?;
        let before = Before::Acl {
            aversion: znode.aversion,
            acl: std::mem::replace(&mut znode.acl, Arc::clone(&acl)),
        };
        znode.aversion = znode.aversion.wrapping_add(1);
        Some(Change {
            path: path.into(),
            bytes: 0,
            parent_acl: Arc::clone(&acl),
            after: After::Acl(Arc::clone(&acl)),
            acl,
            before,
        })
    }

    /// Takes a change back. Changes are reverted in the reverse of the order in which they were made.
    pub(super) fn revert(&mut self, change: Change) {
        let restore_parent = |tree: &mut Self, path: &str, before: ParentBefore| {
            if let Some(parent) = tree.nodes.get_mut(parent_of(path)) {
                parent.creates = before.creates;
                parent.pzxid = before.pzxid;
            }
        };
        match change.before {
            Before::Missing { parent } => {
                self.remove(&change.path);
                restore_parent(self, &change.path, parent);
            }
            Before::Existing { znode, parent } => {
                self.insert(&change.path, *znode);
                restore_parent(self, &change.path, parent);
            }
            Before::Data {
                data,
                version,
                mzxid,
                mtime_ms,
            } => {
                if let Some(znode) = self.nodes.get_mut(&change.path) {
                    self.data_bytes += data.as_ref().map_or(0, Bytes::len);
                    self.data_bytes -= znode.data.as_ref().map_or(0, Bytes::len);
                    znode.data = data;
                    znode.version = version;
                    znode.mzxid = mzxid;
                    znode.mtime_ms = mtime_ms;
                }
            }
            Before::Acl { acl, aversion } => {
                if let Some(znode) = self.nodes.get_mut(&change.path) {
                    znode.acl = acl;
                    znode.aversion = aversion;
                }
            }
        }
    }

    /// Puts a znode in all books.
    fn insert(&mut self, path: &Arc<str>, znode: Znode) {
        if let Some(parent) = self.nodes.get_mut(parent_of(path)) {
            parent.children.insert(name(path).into());
        }
        match znode.kind {
            Kind::Persistent => {}
            Kind::Ephemeral(session) => {
                let paths = self.ephemerals.entry(session).or_default();
                paths.insert(Arc::clone(path));
            }
            Kind::Container | Kind::Ttl(_) => {
                self.perishable.insert(Arc::clone(path));
            }
        }
        self.data_bytes += path.len() + znode.data.as_ref().map_or(0, Bytes::len);
        self.nodes.insert(Arc::clone(path), znode);
    }

    /// Takes a znode out of all books.
    fn remove(&mut self, path: &str) -> Option<(Arc<str>, Znode)> {
        let (path, znode) = self.nodes.remove_entry(path)?;
        if let Some(parent) = self.nodes.get_mut(parent_of(&path)) {
            parent.children.remove(name(&path));
        }
        match znode.kind {
            Kind::Persistent => {}
            Kind::Ephemeral(session) => {
                if let Some(paths) = self.ephemerals.get_mut(&session) {
                    paths.remove(&path);
                    if paths.is_empty() {
                        self.ephemerals.remove(&session);
                    }
                }
            }
            Kind::Container | Kind::Ttl(_) => {
                self.perishable.remove(&path);
            }
        }
        self.data_bytes -= path.len() + znode.data.as_ref().map_or(0, Bytes::len);
        Some((path, znode))
    }
}

/// The parent's path; of a text that is no path, one that no znode has.
fn parent_of(path: &str) -> &str {
    zk_proto::path::parent(path).unwrap_or_default()
}

fn saturating(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
