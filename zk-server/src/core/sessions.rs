//! Sessions: their numbers and passwords, and when they expire.

use std::collections::{BTreeMap, BTreeSet};

use zk_proto::SessionId;
use zk_proto::record::PASSWORD_BYTES;

use super::{ConnectionId, Loss};

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) timeout_ms: i32,
    /// The connection it has at the moment. A session outlives its connections.
    pub(super) connection: Option<ConnectionId>,
    /// Whether it is known to a read-only server alone: it takes no transaction, and is gone when that one is writable.
    pub(super) is_local: bool,
    /// What happens to its next write.
    loss: Option<Loss>,
    deadline_ms: u64,
}

/// All sessions.
///
/// Time is cut into ticks, and a session expires at the first tick boundary behind its timeout: never early, up to one
/// tick late, like the real server's buckets. Every request and ping moves it on.
#[derive(Debug)]
pub(super) struct Sessions {
    by_id: BTreeMap<SessionId, Session>,
    deadlines: BTreeSet<(u64, SessionId)>,
    tick_ms: u64,
    next: i64,
    secret: u64,
    /// On a read-only server only local sessions begin and expire.
    read_only: bool,
}

impl Sessions {
    /// `secret` makes the passwords, `wall_ms` the first session's number.
    pub(super) const fn new(tick_ms: u64, secret: u64, wall_ms: i64) -> Self {
        // The server's number, 1, in the first byte; five bytes of time; two to count with.
        let time = ((wall_ms << 24).cast_unsigned() >> 8).cast_signed();
        Self {
            by_id: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            tick_ms,
            next: time | (1 << 56),
            secret,
            read_only: false,
        }
    }

    /// Starts a session for `connection`.
    pub(super) fn create(
        &mut self,
        timeout_ms: i32,
        connection: ConnectionId,
        now_ms: u64,
    ) -> SessionId {
        let id = SessionId(self.next);
        self.next = self.next.wrapping_add(1);
        let deadline_ms = self.deadline_ms(timeout_ms, now_ms);
        self.deadlines.insert((deadline_ms, id));
        self.by_id.insert(
            id,
            Session {
                timeout_ms,
                connection: Some(connection),
                is_local: self.read_only,
                loss: None,
                deadline_ms,
            },
        );
        id
    }

    /// Forgets every session and goes on as the one that had this secret and would have begun `next`.
    pub(super) fn restore(&mut self, secret: u64, next: SessionId) {
        self.by_id.clear();
        self.deadlines.clear();
        self.secret = secret;
        self.next = next.0;
    }

    /// Takes in a session that began before, or has another timeout than it was taken in with.
    pub(super) fn insert(&mut self, id: SessionId, timeout_ms: i32, now_ms: u64) {
        self.remove(id);
        let deadline_ms = self.deadline_ms(timeout_ms, now_ms);
        self.deadlines.insert((deadline_ms, id));
        self.by_id.insert(
            id,
            Session {
                timeout_ms,
                connection: None,
                is_local: false,
                loss: None,
                deadline_ms,
            },
        );
        self.next = self.next.max(id.0.wrapping_add(1));
    }

    pub(super) const fn secret(&self) -> u64 {
        self.secret
    }

    /// The number of the session that begins next.
    pub(super) const fn next_id(&self) -> SessionId {
        SessionId(self.next)
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Session> {
        self.by_id.get(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Every session, by number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.by_id.iter().map(|(id, session)| (*id, session))
    }

    /// Sets what happens to a session's next write; `false` when there is no such session.
    pub(super) fn set_loss(&mut self, id: SessionId, loss: Loss) -> bool {
        let session = self.by_id.get_mut(&id);
        session.map(|session| session.loss = Some(loss)).is_some()
    }

    pub(super) fn take_loss(&mut self, id: SessionId) -> Option<Loss> {
        self.by_id.get_mut(&id)?.loss.take()
    }

    /// Gives a session another connection and another timeout.
    pub(super) fn attach(
        &mut self,
        id: SessionId,
        connection: ConnectionId,
        timeout_ms: i32,
        now_ms: u64,
    ) {
        if let Some(session) = self.by_id.get_mut(&id) {
            session.connection = Some(connection);
            session.timeout_ms = timeout_ms;
        }
        self.touch(id, now_ms);
    }

    /// Forgets that a session has this connection.
    pub(super) fn detach(&mut self, id: SessionId, connection: ConnectionId) {
        if let Some(session) = self.by_id.get_mut(&id)
            && session.connection == Some(connection)
        {
            session.connection = None;
        }
    }

    /// Gives a session its full timeout again.
    pub(super) fn touch(&mut self, id: SessionId, now_ms: u64) {
        let Some(session) = self.by_id.get(&id) else {
            return;
        };
        if self.read_only && !session.is_local {
            return;
        }
        let deadline_ms = self.deadline_ms(session.timeout_ms, now_ms);
        if let Some(session) = self.by_id.get_mut(&id)
            && session.deadline_ms != deadline_ms
        {
            self.deadlines.remove(&(session.deadline_ms, id));
            self.deadlines.insert((deadline_ms, id));
            session.deadline_ms = deadline_ms;
        }
    }

    /// Becomes those of a read-only server, or of a writable one again.
    pub(super) fn set_read_only(&mut self, read_only: bool, now_ms: u64) {
        self.read_only = read_only;
        self.deadlines.clear();
        self.by_id.retain(|_, session| !session.is_local);
        for session in self.by_id.values_mut() {
            session.deadline_ms = u64::MAX;
        }
        for id in self.by_id.keys().copied().collect::<Vec<_>>() {
            self.touch(id, now_ms);
        }
    }

    /// Ends a session.
    pub(super) fn remove(&mut self, id: SessionId) -> Option<Session> {
        let session = self.by_id.remove(&id)?;
        self.deadlines.remove(&(session.deadline_ms, id));
        Some(session)
    }

    /// A session whose time is up.
    pub(super) fn next_expired(&self, now_ms: u64) -> Option<SessionId> {
        let (deadline_ms, id) = self.deadlines.first()?;
        (*deadline_ms <= now_ms).then_some(*id)
    }

    /// When the next session expires.
    pub(super) fn next_deadline_ms(&self) -> Option<u64> {
        self.deadlines.first().map(|(deadline_ms, _)| *deadline_ms)
    }

    /// When each session expires, soonest first.
    pub(super) fn deadlines(&self) -> impl Iterator<Item = (u64, SessionId)> {
        self.deadlines.iter().copied()
    }

    /// The password of a session, computed from its number so that it need not be kept.
    pub(super) fn password(&self, id: SessionId) -> [u8; PASSWORD_BYTES] {
        let mut password = [0; PASSWORD_BYTES];
        fastrand::Rng::with_seed(self.secret ^ id.0.cast_unsigned()).fill(&mut password);
        password
    }

    fn deadline_ms(&self, timeout_ms: i32, now_ms: u64) -> u64 {
        let end = now_ms.saturating_add(u64::try_from(timeout_ms).unwrap_or(0));
        (end / self.tick_ms)
            .saturating_add(1)
            .saturating_mul(self.tick_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_expires_at_the_tick_behind_its_timeout() {
        let mut sessions = Sessions::new(2000, 7, 1);
        let id = sessions.create(4000, ConnectionId(1), 500);
        assert_eq!(sessions.next_deadline_ms(), Some(6000));
        sessions.touch(id, 2100);
        assert_eq!(sessions.next_expired(7999), None);
        assert_eq!(sessions.next_expired(8000), Some(id));
    }

    #[test]
    fn numbers_start_with_the_servers_number_and_passwords_differ() {
        let mut sessions = Sessions::new(2000, 7, 0x1a2_019d_70f1);
        let a = sessions.create(4000, ConnectionId(1), 0);
        let b = sessions.create(4000, ConnectionId(2), 0);
        assert_eq!(a, SessionId(0x01a2_019d_70f1_0000));
        assert_eq!(b, SessionId(a.0 + 1));
        assert_ne!(sessions.password(a), sessions.password(b));
        assert_eq!(sessions.password(a), sessions.password(a));
    }
}
