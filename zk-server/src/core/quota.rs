//! Quota statistics: the znodes that `setquota` of ZooKeeper's shell leaves below `/zookeeper/quota`.
//!
//! A quota on `/p` is the znode `/zookeeper/quota/p/zookeeper_limits`; its sibling `zookeeper_stats` is kept up to
//! date by the server, without a trace in the stat. The limits are not enforced, which is also the real server's
//! default.

use std::collections::BTreeSet;

use bytes::Bytes;
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
    /// Brings the statistics up to date after a transaction.
    pub(super) fn account(&mut self, tree: &mut Tree, changes: &[Change]) {
        let mut affected = BTreeSet::new();
        for change in changes {
            if let Some(quota) = change.path.strip_prefix(QUOTA) {
                match (quota.strip_suffix(LIMITS), &change.before) {
                    (Some(path), Before::Missing { .. }) if !path.is_empty() => {
                        self.limited.insert(path.to_owned());
                    }
                    (Some(path), Before::Existing { .. }) => {
                        self.limited.remove(path);
                    }
                    _ => {}
                }
                if let (Some(path), Before::Missing { .. }) =
                    (quota.strip_suffix(STATS), &change.before)
                {
                    affected.insert(path.to_owned());
                }
            } else if let Some(path) = self.limit_of(&change.path) {
                affected.insert(path.to_owned());
            }
        }
        for path in affected {
            let mut bytes = 0;
            let count = tree.visit(&path, |_, znode| {
                bytes += znode.data.as_ref().map_or(0, Bytes::len);
            });
            let stats = format!("count={count},bytes={bytes}");
            tree.set_silently(&format!("{QUOTA}{path}{STATS}"), stats.into());
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
