//! What has to be kept to start again: transactions as they happen, and everything at once.
//!
//! Both are records: plain bytes, numbers big endian, texts and data behind their length in 4 bytes (data of null has
//! the length -1). Who stores them frames and checks them; a record that does not make sense is refused all the same.
//!
//! ```text
//! transaction  zxid i64, time i64, session part, operations up to the end
//! session part 0 | 1 began: number i64, timeout i32 | 2 has another timeout: likewise | 3 ended: number i64
//! operation    1 create: path, data, ACL, kind | 2 delete: path | 3 set data: path, data | 4 set ACL: path, ACL
//! ACL          count u32, then perms i32, scheme, id of each
//! kind         0 persistent | 1 ephemeral: session i64 | 2 container | 3 TTL: milliseconds i64
//!
//! snapshot     1 header: format u32, secret u64, next session i64, zxid i64
//!              2 session: number i64, timeout i32
//!              3 znode: path, data, ACL, kind, creates, version, aversion i32, czxid, mzxid, pzxid, ctime, mtime i64
//!              4 end: number of records before it u64
//! ```
//!
//! Quota statistics are not in the transactions: they follow from them.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use zk_proto::{Acl, Perms, SessionId, Zxid};

use super::tree::{After, Change, Kind, Stamp, Znode};
use super::{Core, Now};

/// The number in the header of a snapshot; another one is refused.
const FORMAT: u32 = 1;

/// A record that does not make sense where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the record {0}")]
pub struct RecordError(pub(super) &'static str);

const SHORT: RecordError = RecordError("ends too early");

/// What a transaction does to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionPart {
    None,
    Began { id: SessionId, timeout_ms: i32 },
    Renegotiated { id: SessionId, timeout_ms: i32 },
    Ended { id: SessionId },
}

/// Transactions that nobody has taken yet.
#[derive(Debug, Default)]
pub(super) struct Journal {
    bytes: BytesMut,
    ends: Vec<usize>,
    /// Up to where transactions are in it.
    last_zxid: Zxid,
}

impl Journal {
    pub(super) fn push(&mut self, stamp: Stamp, session: SessionPart, changes: &[Change]) {
        let out = &mut self.bytes;
        out.put_i64(stamp.zxid.0);
        out.put_i64(stamp.wall_ms);
        match session {
            SessionPart::None => out.put_u8(0),
            SessionPart::Began { id, timeout_ms } => {
                out.put_u8(1);
                put_session(out, id, timeout_ms);
            }
            SessionPart::Renegotiated { id, timeout_ms } => {
                out.put_u8(2);
                put_session(out, id, timeout_ms);
            }
            SessionPart::Ended { id } => {
                out.put_u8(3);
                out.put_i64(id.0);
            }
        }
        for change in changes {
            match &change.after {
                After::Created { data, acl, kind } => {
                    out.put_u8(1);
                    put_text(out, &change.path);
                    put_data(out, data.as_ref());
                    put_acl(out, acl);
                    put_kind(out, *kind);
                }
                After::Deleted => {
                    out.put_u8(2);
                    put_text(out, &change.path);
                }
                After::Data(data) => {
                    out.put_u8(3);
                    put_text(out, &change.path);
                    put_data(out, data.as_ref());
                }
                After::Acl(acl) => {
                    out.put_u8(4);
                    put_text(out, &change.path);
                    put_acl(out, acl);
                }
            }
        }
        self.ends.push(self.bytes.len());
        self.last_zxid = stamp.zxid;
    }
}

impl Core {
    /// From now on keeps the transactions for [`Self::take_log`].
    pub fn keep_log(&mut self) {
        self.journal = Some(Journal {
            last_zxid: self.last_zxid,
            ..Journal::default()
        });
    }

    /// Gives `each` transaction since this was last called to who keeps them, in order. They have to be kept before
    /// anything that [`Self::take_output`] gives from now on reaches a client.
    pub fn take_log(&mut self, mut each: impl FnMut(&[u8])) {
        let Some(journal) = &mut self.journal else {
            return;
        };
        // Writes that failed count as transactions. Clients have seen their numbers.
        if journal.last_zxid < self.last_zxid {
            let stamp = Stamp {
                zxid: self.last_zxid,
                wall_ms: 0,
            };
            journal.push(stamp, SessionPart::None, &[]);
        }
        let mut start = 0;
        for end in journal.ends.drain(..) {
            each(journal.bytes.get(start..end).unwrap_or_default());
            start = end;
        }
        journal.bytes.clear();
    }

    /// Gives `each` record of a snapshot, with which [`Self::load`] makes an equal server. What [`Self::take_log`]
    /// would give is in it.
    pub fn snapshot(&self, mut each: impl FnMut(&[u8])) {
        let mut out = BytesMut::new();
        let mut count = 0_u64;
        let mut emit = |out: &mut BytesMut| {
            each(out);
            count += 1;
            out.clear();
        };
        out.put_u8(1);
        out.put_u32(FORMAT);
        out.put_u64(self.sessions.secret());
        out.put_i64(self.sessions.next_id().0);
        out.put_i64(self.last_zxid.0);
        emit(&mut out);
        for (id, session) in self
            .sessions
            .iter()
            .filter(|(_, session)| !session.is_local)
        {
            out.put_u8(2);
            put_session(&mut out, id, session.timeout_ms);
            emit(&mut out);
        }
        self.tree.visit("/", |path, znode| {
            out.put_u8(3);
            put_text(&mut out, path);
            put_data(&mut out, znode.data.as_ref());
            put_acl(&mut out, &znode.acl);
            put_kind(&mut out, znode.kind);
            znode.put_stat(&mut out);
            emit(&mut out);
        });
        out.put_u8(4);
        out.put_u64(count);
        each(&out);
    }

    /// Takes a record of a snapshot in; `true` when it was the last. The first one empties the server.
    ///
    /// # Errors
    /// The record is not one, or not one that can stand there.
    pub fn load(&mut self, now: Now, record: &[u8]) -> Result<bool, RecordError> {
        let mut r = record;
        match r.try_get_u8().map_err(|_| SHORT)? {
            1 => {
                if r.try_get_u32().map_err(|_| SHORT)? != FORMAT {
                    return Err(RecordError("is of another format than this version reads"));
                }
                let secret = r.try_get_u64().map_err(|_| SHORT)?;
                let next = SessionId(get_i64(&mut r)?);
                self.last_zxid = Zxid(get_i64(&mut r)?);
                self.sessions.restore(secret, next);
                self.tree.clear();
                self.loaded = 0;
            }
            _ if self.tree.len() == 0 && self.loaded == 0 => {
                return Err(RecordError("comes before the header"));
            }
            2 => {
                let (id, timeout_ms) = get_session(&mut r)?;
                self.sessions.insert(id, timeout_ms, now.monotonic_ms);
            }
            3 => {
                let path = get_text(&mut r)?;
                let data = get_data(&mut r)?;
                let acl = get_acl(&mut r)?;
                let kind = get_kind(&mut r)?;
                let znode = Znode::get(&mut r, data, acl, kind).ok_or(SHORT)?;
                if !self.tree.restore(path, znode) {
                    return Err(RecordError(
                        "is of a znode without a parent, or a second one",
                    ));
                }
                self.quotas.learn(path);
            }
            4 => {
                let count = r.try_get_u64().map_err(|_| SHORT)?;
                return if count == self.loaded {
                    Ok(true)
                } else {
                    Err(RecordError("counts other records than there were"))
                };
            }
            _ => return Err(RecordError("is of an unknown kind")),
        }
        self.loaded += 1;
        Ok(false)
    }

    /// Does a transaction again. Nobody is told of it.
    ///
    /// # Errors
    /// The record is not one, or not one that can follow what was there before.
    pub fn replay(&mut self, now: Now, record: &[u8]) -> Result<(), RecordError> {
        let mut r = record;
        let stamp = Stamp {
            zxid: Zxid(get_i64(&mut r)?),
            wall_ms: get_i64(&mut r)?,
        };
        if stamp.zxid < self.last_zxid {
            return Err(RecordError(
                "is of an earlier transaction than the one before it",
            ));
        }
        match r.try_get_u8().map_err(|_| SHORT)? {
            0 => {}
            1 | 2 => {
                let (id, timeout_ms) = get_session(&mut r)?;
                self.sessions.insert(id, timeout_ms, now.monotonic_ms);
            }
            3 => {
                self.sessions.remove(SessionId(get_i64(&mut r)?));
            }
            _ => return Err(RecordError("does something unknown to a session")),
        }
        let mut changes = Vec::new();
        while r.has_remaining() {
            let operation = r.try_get_u8().map_err(|_| SHORT)?;
            let path = get_text(&mut r)?;
            let change = match operation {
                1 => {
                    let data = get_data(&mut r)?;
                    let acl = get_acl(&mut r)?;
                    let kind = get_kind(&mut r)?;
                    self.tree.create(path, data, acl, kind, stamp)
                }
                2 => self.tree.delete(path, stamp),
                3 => self.tree.set_data(path, get_data(&mut r)?, stamp),
                4 => self.tree.set_acl(path, get_acl(&mut r)?),
                _ => return Err(RecordError("has an unknown operation")),
            };
            changes.push(change.ok_or(RecordError(
                "changes a znode that is not there, or makes one that is",
            ))?);
        }
        self.quotas.account(&mut self.tree, &changes);
        self.last_zxid = stamp.zxid;
        Ok(())
    }

    /// Everything is restored: the sessions have their full timeout from now on.
    pub fn resume(&mut self, now: Now) {
        self.sessions
            .set_read_only(self.read_only, now.monotonic_ms);
    }

    pub(super) fn log(&mut self, stamp: Stamp, session: SessionPart, changes: &[Change]) {
        if let Some(journal) = &mut self.journal {
            journal.push(stamp, session, changes);
        }
    }
}

fn put_session(out: &mut BytesMut, id: SessionId, timeout_ms: i32) {
    out.put_i64(id.0);
    out.put_i32(timeout_ms);
}

fn put_length(out: &mut BytesMut, length: usize) {
    // Nothing longer comes in a frame.
    out.put_i32(i32::try_from(length).unwrap_or(i32::MAX));
}

fn put_text(out: &mut BytesMut, text: &str) {
    put_length(out, text.len());
    out.put_slice(text.as_bytes());
}

fn put_data(out: &mut BytesMut, data: Option<&Bytes>) {
    match data {
        None => out.put_i32(-1),
        Some(data) => {
            put_length(out, data.len());
            out.put_slice(data);
        }
    }
}

fn put_acl(out: &mut BytesMut, acl: &[Acl]) {
    put_length(out, acl.len());
    for entry in acl {
        out.put_i32(entry.perms.0);
        put_text(out, &entry.scheme);
        put_text(out, &entry.id);
    }
}

fn put_kind(out: &mut BytesMut, kind: Kind) {
    match kind {
        Kind::Persistent => out.put_u8(0),
        Kind::Ephemeral(session) => {
            out.put_u8(1);
            out.put_i64(session.0);
        }
        Kind::Container => out.put_u8(2),
        Kind::Ttl(ms) => {
            out.put_u8(3);
            out.put_i64(ms);
        }
    }
}

fn get_i64(r: &mut &[u8]) -> Result<i64, RecordError> {
    r.try_get_i64().map_err(|_| SHORT)
}

fn get_i32(r: &mut &[u8]) -> Result<i32, RecordError> {
    r.try_get_i32().map_err(|_| SHORT)
}

fn get_session(r: &mut &[u8]) -> Result<(SessionId, i32), RecordError> {
    Ok((SessionId(get_i64(r)?), get_i32(r)?))
}

fn get_bytes<'a>(r: &mut &'a [u8]) -> Result<Option<&'a [u8]>, RecordError> {
    let length = get_i32(r)?;
    if length == -1 {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| SHORT)?;
    let (bytes, rest) = r.split_at_checked(length).ok_or(SHORT)?;
    *r = rest;
    Ok(Some(bytes))
}

fn get_text<'a>(r: &mut &'a [u8]) -> Result<&'a str, RecordError> {
    let bytes = get_bytes(r)?.ok_or(RecordError("has no text where one has to be"))?;
    std::str::from_utf8(bytes).map_err(|_| RecordError("has a text that is not UTF-8"))
}

fn get_data(r: &mut &[u8]) -> Result<Option<Bytes>, RecordError> {
    Ok(get_bytes(r)?.map(Bytes::copy_from_slice))
}

fn get_acl(r: &mut &[u8]) -> Result<Arc<[Acl]>, RecordError> {
    let count = get_i32(r)?;
    let mut acl = Vec::new();
    for _ in 0..count {
        let perms = Perms(get_i32(r)?);
        let scheme = get_text(r)?.to_owned().into();
        let id = get_text(r)?.to_owned().into();
        acl.push(Acl { perms, scheme, id });
    }
    Ok(acl.into())
}

fn get_kind(r: &mut &[u8]) -> Result<Kind, RecordError> {
    Ok(match r.try_get_u8().map_err(|_| SHORT)? {
        0 => Kind::Persistent,
        1 => Kind::Ephemeral(SessionId(get_i64(r)?)),
        2 => Kind::Container,
        3 => Kind::Ttl(get_i64(r)?),
        _ => return Err(RecordError("is of a znode of an unknown kind")),
    })
}
