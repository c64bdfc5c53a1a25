//! An instance on the list, and what those who pick from the list share about it.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::instance::InstanceName;
use crate::pick::SetAside;
use crate::published::InstanceData;

/// An instance, as long as it is on the list or in use.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: Arc<InstanceName>,
    /// What its znode holds, where the view reads that.
    pub(crate) data: ArcSwapOption<InstanceData>,
    pub(crate) aside: SetAside,
}

impl Member {
    /// A value that is an attribute of the znode's name, or else a pair of its data.
    fn attribute<T>(&self, key: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        if let Some(value) = self.name.attribute(key) {
            return read(value);
        }
        match self.data.load().as_deref() {
            Some(InstanceData::Configs(pairs)) => {
                let pair = pairs.other.iter().find(|(name, _)| name == key);
                pair.and_then(|(_, value)| read(value))
            }
            _ => None,
        }
    }

    /// Its share under `Strategy::Weighted`. What is no number is no weight.
    pub(crate) fn weight(&self) -> u16 {
        self.attribute("weight", |value| value.parse().ok())
            .unwrap_or(1)
    }

    pub(crate) fn is_in_zone(&self, zone: &str) -> bool {
        let is_it = self.attribute("zone", |value| Some(value == zone));
        is_it == Some(true)
    }

    pub(crate) fn is_on_host(&self, host: &str) -> bool {
        self.name.endpoint().host().eq_ignore_ascii_case(host)
    }
}

/// The place of a member on the list, which all snapshots share.
///
/// So the member itself is referred to from here once, and else by those who have picked it: counting its references
/// counts its sessions, and a pick costs one atomic increment instead of two.
#[derive(Debug)]
pub(crate) struct Slot {
    member: Arc<Member>,
}

impl Slot {
    pub(crate) fn new(name: Arc<InstanceName>) -> Self {
        Self {
            member: Arc::new(Member {
                name,
                data: ArcSwapOption::empty(),
                aside: SetAside::default(),
            }),
        }
    }

    pub(crate) fn member(&self) -> &Member {
        &self.member
    }

    /// The member for a session: counted until it is dropped.
    pub(crate) fn enter(&self) -> Arc<Member> {
        Arc::clone(&self.member)
    }

    /// How many sessions there are.
    pub(crate) fn sessions(&self) -> usize {
        Arc::strong_count(&self.member).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(attributes: &str, data: &str) -> Slot {
        let name = format!("serverUri=h:1;version=1{attributes};sequence=0000000001");
        let slot = Slot::new(Arc::new(name.parse().unwrap()));
        if !data.is_empty() {
            let data = InstanceData::parse(data.as_bytes()).unwrap();
            slot.member.data.store(Some(Arc::new(data)));
        }
        slot
    }

    #[test]
    fn weight_and_zone_come_from_the_name_or_else_from_the_data() {
        for (attributes, data, weight, zone) in [
            ("", "", 1, None),
            ("", "h:1", 1, None),
            (";weight=3;zone=a", "", 3, Some("a")),
            (
                "",
                "hive.server2.use.SSL=false;weight=0;zone=b",
                0,
                Some("b"),
            ),
            (";weight=3", "weight=4;zone=b", 3, Some("b")),
            (";weight=-1", "", 1, None),
            (";weight=65536", "", 1, None),
        ] {
            let slot = member(attributes, data);
            assert_eq!(slot.member().weight(), weight, "{attributes} {data}");
            for other in ["a", "b", ""] {
                let is_it = zone == Some(other);
                assert_eq!(
                    slot.member().is_in_zone(other),
                    is_it,
                    "{attributes} {data}"
                );
            }
        }
    }

    #[test]
    fn sessions_are_counted_while_they_last() {
        let slot = Arc::new(member("", ""));
        let _snapshot = Arc::clone(&slot);
        let sessions = [slot.enter(), slot.enter()];
        assert_eq!(slot.sessions(), 2);
        drop(sessions);
        assert_eq!(slot.sessions(), 0);
    }
}
