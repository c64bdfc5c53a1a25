//! Misbehaviour on command, for tests of clients.

use crate::{Server, SessionId};

impl Server {
    /// The living sessions, by number.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionId> {
        self.shared.with(|core, _| core.sessions().collect())
    }

    /// Ends a session as if its time were up: its ephemerals go, watchers are told, its connection is closed. `false`
    /// when there is no such session.
    pub fn expire_session(&self, session: SessionId) -> bool {
        self.shared
            .with(|core, now| core.expire_session(now, session))
    }

    /// Cuts every connection. Sessions live on, and clients may come back at once.
    pub fn drop_connections(&self) {
        self.shared.with(|core, _| core.drop_connections());
    }

    /// From now on closes new connections as they come, or no more. Those that are there stay.
    pub fn refuse_connections(&self, refuse: bool) {
        self.shared
            .faults
            .send_modify(|faults| faults.refuse = refuse);
    }

    /// Becomes the read-only server of an ensemble that has lost its quorum, or a writable one again. Either way its
    /// connections are cut. A read-only server closes the connections of clients that did not say that they accept one,
    /// and answers writes with `NotReadOnly` (-119). Its clients' new sessions are its own: they are gone when it is
    /// writable again. The sessions of before do not expire meanwhile, and have their full timeout afterwards.
    pub fn set_read_only(&self, read_only: bool) {
        self.shared
            .with(|core, now| core.set_read_only(now, read_only));
    }

    /// Falls silent, or goes on. A paused server reads and writes nothing and lets no time pass for sessions, but keeps
    /// its connections, like a process that is stopped; sessions whose time was up meanwhile expire when it goes on.
    pub fn pause(&self, pause: bool) {
        self.shared
            .faults
            .send_modify(|faults| faults.pause = pause);
    }
}
