//! Misbehaviour on command, for tests of clients.

use std::collections::HashMap;
use std::time::Duration;

use crate::core::Loss;
use crate::{Server, SessionId};

/// Misbehaviour that was asked for, and goes on until it is called off.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    pub(crate) refuse: bool,
    pub(crate) swallow: bool,
    pub(crate) pause: bool,
    delay: Duration,
    /// Of sessions with a delay of their own.
    delays: HashMap<SessionId, Duration>,
}

impl Faults {
    /// How late a connection's bytes go.
    pub(crate) fn delay_of(&self, session: Option<SessionId>) -> Duration {
        let own = session.and_then(|session| self.delays.get(&session));
        own.copied().unwrap_or(self.delay)
    }
}

/// Misbehaviour on command, as real servers and networks show it. What is asked for is in force when the method
/// returns; a request that is being served at that moment may still be answered.
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

    /// Cuts the connection of one session, which lives on; `false` when it has none at the moment.
    pub fn drop_connection(&self, session: SessionId) -> bool {
        self.shared.with(|core, _| core.drop_connection(session))
    }

    /// Applies the next write of a session (`create`, `delete`, `setData`, `setACL`, `multi`) and cuts its connection
    /// instead of answering it; `false` when there is no such session. Answers and events before it still arrive.
    ///
    /// The client cannot know whether the write was applied, which is what clients get wrong most often. See
    /// [`Self::lose_next_request`] for the other half.
    pub fn lose_next_answer(&self, session: SessionId) -> bool {
        self.shared
            .with(|core, _| core.lose_next_write(session, Loss::Answer))
    }

    /// Cuts the connection of a session at its next write, which is not applied; `false` when there is no such
    /// session. To the client it looks like [`Self::lose_next_answer`].
    pub fn lose_next_request(&self, session: SessionId) -> bool {
        self.shared
            .with(|core, _| core.lose_next_write(session, Loss::Request))
    }

    /// From now on everything that is told to clients, answers and events, leaves so much later; zero ends it. Their
    /// order stays, and requests are served when they come, so that this is a slow network and not a slow server.
    /// Sessions with a delay of their own keep it. Four-letter words are late too.
    pub fn delay_replies(&self, delay: Duration) {
        self.shared
            .faults
            .send_modify(|faults| faults.delay = delay);
    }

    /// As [`Self::delay_replies`], for one session; zero exempts it from that, `None` makes it one of all again.
    pub fn delay_replies_to(&self, session: SessionId, delay: Option<Duration>) {
        self.shared.faults.send_modify(|faults| {
            match delay {
                Some(delay) => faults.delays.insert(session, delay),
                None => faults.delays.remove(&session),
            };
        });
    }

    /// From now on swallows what new connections send and never answers, or no more: they are half-open, as to a server
    /// that has lost its power. Those that are there stay as they are, those that were swallowed stay swallowed.
    pub fn swallow_connections(&self, swallow: bool) {
        self.shared
            .faults
            .send_modify(|faults| faults.swallow = swallow);
    }

    /// Makes the connection of a session half-open, for good: what the client sends is swallowed, nothing is answered,
    /// and the session expires unless the client comes back with another connection. `false` when it has no connection.
    pub fn swallow_connection(&self, session: SessionId) -> bool {
        self.shared.swallow_connection_of(session)
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
