//! How much one user, or one address, may hold open at the same time.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Config;
use crate::error::Failure;

/// How many things of one kind each key has, with a limit.
#[derive(Debug)]
pub(crate) struct Counted<K> {
    limit: usize,
    counts: Mutex<HashMap<K, usize>>,
}

/// One more of them; dropped, one fewer.
#[derive(Debug)]
pub(crate) struct Ticket<K: Eq + Hash> {
    counted: Arc<Counted<K>>,
    /// `None` where nothing is limited, and so nothing counted.
    key: Option<K>,
}

impl<K: Eq + Hash + Clone> Counted<K> {
    /// With 0, as many as come.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            counts: Mutex::default(),
        })
    }

    /// One more, or else the limit.
    pub(crate) fn take(self: &Arc<Self>, key: K) -> Result<Ticket<K>, usize> {
        let counted = Arc::clone(self);
        if self.limit == 0 {
            return Ok(Ticket { counted, key: None });
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_default();
        if *count >= self.limit {
            return Err(self.limit);
        }
        *count += 1;
        Ok(Ticket {
            counted: Arc::clone(self),
            key: Some(key),
        })
    }
}

impl<K: Eq + Hash> Drop for Ticket<K> {
    fn drop(&mut self) {
        let Some(key) = &self.key else {
            return;
        };
        let mut counts = self
            .counted
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(key)),
        }
    }
}

/// The limits of sessions: `hive.server2.limit.connections.*`, which count sessions in Hive too.
#[derive(Debug)]
pub(crate) struct SessionQuota {
    per_user: Arc<Counted<String>>,
    per_address: Arc<Counted<IpAddr>>,
    per_user_address: Arc<Counted<(String, IpAddr)>>,
}

/// What a session holds of them.
#[derive(Debug)]
#[allow(dead_code, reason = "held until the session is gone")]
pub(crate) struct SessionTicket(Ticket<String>, Ticket<IpAddr>, Ticket<(String, IpAddr)>);

impl SessionQuota {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            per_user: Counted::new(config.sessions_per_user_max),
            per_address: Counted::new(config.sessions_per_address_max),
            per_user_address: Counted::new(config.sessions_per_user_address_max),
        }
    }

    /// One more session of a user at an address.
    pub(crate) fn take(&self, user: &str, address: IpAddr) -> Result<SessionTicket, Failure> {
        // Hive's words.
        let reached = |what: &str, who: &dyn fmt::Display, limit: usize| {
            let text =
                format!("Connection limit per {what} reached ({what}: {who} limit: {limit})");
            Failure::new("08004", text)
        };
        let address = address.to_canonical();
        let by_user = self.per_user.take(user.to_owned());
        let by_user = by_user.map_err(|limit| reached("user", &user, limit))?;
        let by_address = self.per_address.take(address);
        let by_address = by_address.map_err(|limit| reached("ipaddress", &address, limit))?;
        let by_both = self.per_user_address.take((user.to_owned(), address));
        let by_both = by_both
            .map_err(|limit| reached("user:ipaddress", &format_args!("{user}:{address}"), limit))?;
        Ok(SessionTicket(by_user, by_address, by_both))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_count_until_they_are_gone() {
        let mut config = Config::default();
        config
            .apply_text(
                "hive.server2.limit.connections.per.user = 2\nhive.server2.limit.connections.per.ipaddress = 3\nhive.server2.limit.connections.per.user.ipaddress = 1",
            )
            .unwrap();
        let quota = SessionQuota::new(&config);
        let [a, b] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse::<IpAddr>().unwrap());
        let said = |user: &str, address| quota.take(user, address).unwrap_err().message;
        let first = quota.take("scott", a).unwrap();
        assert_eq!(
            said("scott", a),
            "Connection limit per user:ipaddress reached (user:ipaddress: scott:10.0.0.1 limit: 1)"
        );
        let _second = quota.take("scott", b).unwrap();
        assert_eq!(
            said("scott", a),
            "Connection limit per user reached (user: scott limit: 2)"
        );
        let _others = ["king", "queen"].map(|user| quota.take(user, a).unwrap());
        assert_eq!(
            said("jack", a),
            "Connection limit per ipaddress reached (ipaddress: 10.0.0.1 limit: 3)"
        );
        drop(first);
        assert!(
            quota
                .take("jack", "::ffff:10.0.0.1".parse().unwrap())
                .is_ok()
        );
        // What was refused counts nowhere.
        assert!(quota.take("scott", a).is_ok());
        let unlimited = SessionQuota::new(&Config::default());
        let _many: Vec<_> = (0..100)
            .map(|_| unlimited.take("scott", a).unwrap())
            .collect();
        assert!(unlimited.per_user.counts.lock().unwrap().is_empty());
    }
}
