//! Quotas: the znodes that `setquota` of ZooKeeper's shell leaves below `/zookeeper/quota`.
//!
//! A quota on `/p` is the znode `/zookeeper/quota/p/zookeeper_limits`; its sibling `zookeeper_stats` is kept up to
//! date by the server, without a trace in the stat. Both hold a [`Track`]. Of the limits only the hard ones are
//! enforced, and only where the server is told to, which is also the real one's default.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use zk_proto::ErrorCode;
use zk_proto::path::parent;

use super::tree::{Before, Change, QUOTA, Tree};

const LIMITS: &str = "/zookeeper_limits";
const STATS: &str = "/zookeeper_stats";

/// The paths that have a quota.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    limited: BTreeSet<String>,
}

impl Quotas {
    /// Takes notice of a znode that was always there.
    pub(super) fn learn(&mut self, path: &str) {
        self.limited.extend(limit_path(path));
    }

    /// Whether a znode may be created, or get other data.
    ///
    /// # Errors
    /// `QuotaExceeded`: a hard limit would be exceeded. `MarshallingError`: the limits or the statistics are not such.
    pub(super) fn check(
        &self,
        tree: &Tree,
        path: &str,
        bytes: i64,
        count: i64,
    ) -> Result<(), ErrorCode> {
        let Some(limited) = self.limit_of(path) else {
            return Ok(());
        };
        let track = |name: &str| {
            let znode = tree.get(&format!("{QUOTA}{limited}{name}"));
            let data = znode.map(|znode| znode.data.as_deref().unwrap_or_default());
            data.map(|data| Track::parse(data).ok_or(ErrorCode::MARSHALLING_ERROR))
                .transpose()
        };
        let (Some(limits), Some(stats)) = (track(LIMITS)?, track(STATS)?) else {
            return Ok(());
        };
        // What does not grow or shrink is not looked at, even over its limit.
        let exceeds = |limit: Option<i64>, used: i64, more: i64| {
            more != 0 && limit.is_some_and(|limit| limit > -1 && used.saturating_add(more) > limit)
        };
        if exceeds(limits.count_hard(), stats.count, count)
            || exceeds(limits.bytes_hard(), stats.bytes, bytes)
        {
            return Err(ErrorCode::QUOTA_EXCEEDED);
        }
        Ok(())
    }

    /// Brings the statistics up to date after a transaction.
    pub(super) fn account(&mut self, tree: &mut Tree, changes: &[Change]) {
        // These have seen the whole transaction.
        let mut recounted = BTreeSet::new();
        for change in changes {
            match &change.before {
                Before::Missing { .. } => {
                    self.limited.extend(limit_path(&change.path));
                    let counted = change.path.strip_prefix(QUOTA);
                    if let Some(path) = counted.and_then(|path| path.strip_suffix(STATS)) {
                        recount(tree, path);
                        recounted.insert(path.to_owned());
                    }
                }
                Before::Existing { .. } => {
                    if let Some(path) = limit_path(&change.path) {
                        self.limited.remove(&path);
                    }
                }
                Before::Data { .. } | Before::Acl { .. } => {}
            }
            if let Some(path) = self.limit_of(&change.path)
                && !recounted.contains(path)
            {
                add(tree, path, change);
            }
        }
    }

    /// The nearest path with a quota, from `path` upwards.
    fn limit_of<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.limited.is_empty() {
            return None;
        }
        let mut at = Some(path);
        while let Some(path) = at {
            if self.limited.contains(path) {
                return Some(path);
            }
            at = parent(path);
        }
        None
    }
}

/// The path that a quota's limits are for. The root has none.
fn limit_path(path: &str) -> Option<String> {
    let limited = path.strip_prefix(QUOTA)?.strip_suffix(LIMITS)?;
    (!limited.is_empty()).then(|| limited.to_owned())
}

fn recount(tree: &mut Tree, path: &str) {
    let mut bytes = 0;
    let count = tree.visit(path, |_, znode| bytes += length(znode.data.as_ref()));
    let track = Track {
        count: i64::try_from(count).unwrap_or(i64::MAX),
        bytes,
        others: BTreeMap::new(),
    };
    tree.set_silently(&format!("{QUOTA}{path}{STATS}"), track.to_string().into());
}

fn add(tree: &mut Tree, path: &str, change: &Change) {
    let count = match change.before {
        Before::Missing { .. } => 1,
        Before::Existing { .. } => -1,
        Before::Data { .. } | Before::Acl { .. } => 0,
    };
    if (count, change.bytes) == (0, 0) {
        return;
    }
    let stats = format!("{QUOTA}{path}{STATS}");
    let data = tree.get(&stats).map(|znode| znode.data.as_deref());
    // Clients can write nonsense there; it stays.
    if let Some(mut track) = data.and_then(|data| Track::parse(data.unwrap_or_default())) {
        track.count = track.count.saturating_add(count);
        track.bytes = track.bytes.saturating_add(change.bytes);
        tree.set_silently(&stats, track.to_string().into());
    }
}

pub(super) fn length(data: Option<&Bytes>) -> i64 {
    data.map_or(0, |data| i64::try_from(data.len()).unwrap_or(i64::MAX))
}

/// What limits and statistics are written as: `count=3,bytes=7`, and since 3.7 behind that, of limits,
/// `=;byteHardLimit=10;countHardLimit=3`. The `=` in between makes older releases read the first two. -1 is no limit.
#[derive(Debug, PartialEq, Eq)]
struct Track {
    count: i64,
    bytes: i64,
    others: BTreeMap<String, i64>,
}

impl Track {
    /// `None` where a value is not a number.
    fn parse(data: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(data).ok()?;
        let mut track = Self {
            count: -1,
            bytes: -1,
            others: BTreeMap::new(),
        };
        for pair in text.split([',', ';']).filter(|pair| !pair.is_empty()) {
            let mut parts = pair.split('=');
            let name = parts.next()?;
            let value = match parts.next()? {
                "" => -1,
                value => value.parse().ok()?,
            };
            match name {
                "count" => track.count = value,
                "bytes" => track.bytes = value,
                name => {
                    track.others.insert(name.to_owned(), value);
                }
            }
        }
        Some(track)
    }

    fn count_hard(&self) -> Option<i64> {
        self.others.get("countHardLimit").copied()
    }

    fn bytes_hard(&self) -> Option<i64> {
        self.others.get("byteHardLimit").copied()
    }
}

impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count={},bytes={}", self.count, self.bytes)?;
        let mut before = "=;";
        for (name, value) in &self.others {
            write!(f, "{before}{name}={value}")?;
            before = ";";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracks_are_written_as_real_servers_do() {
        for text in [
            "count=2,bytes=3",
            "count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=3",
            "count=2,bytes=2=;foo=3",
        ] {
            assert_eq!(Track::parse(text.as_bytes()).unwrap().to_string(), text);
        }
        let empty = Track::parse(b"").unwrap();
        assert_eq!((empty.count, empty.count_hard()), (-1, None));
        for nonsense in ["count", "count=x", "count=1,bytes=9999999999999999999"] {
            assert_eq!(Track::parse(nonsense.as_bytes()), None, "{nonsense}");
        }
        assert_eq!(Track::parse(&[0xff]), None);
    }
}
