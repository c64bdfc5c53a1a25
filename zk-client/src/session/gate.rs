//! What the server that serves is known to understand. An opcode that a server does not know costs the connection and
//! the answers ahead of it, so nothing newer than 3.4 is sent blind.

use zk_proto::four_letter::ServerVersion;

/// Knowledge of the server at the other end, and what the ensemble's members have refused before.
#[derive(Debug)]
pub(super) struct Gate {
    known: Known,
    /// By the host's place in the list.
    refusals: Vec<Option<Refusal>>,
    asks: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Nothing; nobody has asked.
    Unasked,
    /// It is being asked.
    Asking,
    /// It told its version.
    Told(ServerVersion),
    /// It does not tell, but has answered a request that needs this version.
    Silent { at_least: ServerVersion },
}

#[derive(Debug, Clone, Copy)]
struct Refusal {
    /// The server is older than this.
    older_than: ServerVersion,
    /// It had told a version that should do: what answers `srvr` there is not what answers requests.
    contradicts: bool,
}

/// Whether a request may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may.
    Yes,
    /// The server is to be asked for its version first.
    Ask,
    /// The answer to that is under way.
    Pending,
    /// The server does not tell: with nothing else in flight, it may be tried.
    Alone,
    /// The server is too old; its version, where it told.
    No(Option<ServerVersion>),
}

impl Gate {
    pub(super) fn new(hosts: usize) -> Self {
        Self {
            known: Known::Unasked,
            refusals: vec![None; hosts.max(1)],
            asks: 0,
        }
    }

    /// Another connection, perhaps to another server.
    pub(super) const fn reset(&mut self) {
        self.known = Known::Unasked;
    }

    /// Whether the server at `host` may be sent what needs version `since`.
    pub(super) fn admits(&self, host: usize, since: ServerVersion) -> Admission {
        if since <= ServerVersion::OLDEST {
            return Admission::Yes;
        }
        let refused = self
            .refusal(host)
            .is_some_and(|refusal| since >= refusal.older_than);
        match self.known {
            Known::Unasked => Admission::Ask,
            Known::Asking => Admission::Pending,
            Known::Told(version) if version < since => Admission::No(Some(version)),
            Known::Silent { at_least } if at_least >= since => Admission::Yes,
            _ if refused => Admission::No(None),
            Known::Told(_) => Admission::Yes,
            Known::Silent { .. } => Admission::Alone,
        }
    }

    /// The version is being asked for; the answer comes back under this number.
    pub(super) const fn ask(&mut self) -> u64 {
        self.known = Known::Asking;
        self.asks += 1;
        self.asks
    }

    /// The answer to a question. `false` when it is not the question that was asked last.
    pub(super) fn told(&mut self, host: usize, ask: u64, version: Option<ServerVersion>) -> bool {
        if self.known != Known::Asking || ask != self.asks {
            return false;
        }
        self.known = match version {
            Some(version) => Known::Told(version),
            None => Known::Silent {
                at_least: ServerVersion::OLDEST,
            },
        };
        // A server that tells has been upgraded since it refused.
        if version.is_some()
            && let Some(refusal) = self.refusals.get_mut(host)
            && refusal.is_some_and(|refusal| !refusal.contradicts)
        {
            *refusal = None;
        }
        true
    }

    /// The server has answered what needs version `since`.
    pub(super) fn answered(&mut self, since: ServerVersion) {
        if let Known::Silent { at_least } = &mut self.known {
            *at_least = (*at_least).max(since);
        }
    }

    /// The server does not know what needs version `since`.
    pub(super) fn refused(&mut self, host: usize, since: ServerVersion) {
        let contradicts = matches!(self.known, Known::Told(_));
        if let Some(refusal) = self.refusals.get_mut(host) {
            *refusal = Some(Refusal {
                older_than: refusal.map_or(since, |known| known.older_than.min(since)),
                contradicts,
            });
        }
    }

    fn refusal(&self, host: usize) -> Option<Refusal> {
        self.refusals.get(host).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V36: ServerVersion = ServerVersion::new(3, 6, 0);
    const V37: ServerVersion = ServerVersion::new(3, 7, 0);
    const V38: ServerVersion = ServerVersion::new(3, 8, 0);

    #[test]
    fn what_every_server_has_needs_no_question() {
        let gate = Gate::new(1);
        assert_eq!(gate.admits(0, ServerVersion::OLDEST), Admission::Yes);
        assert_eq!(gate.admits(0, V36), Admission::Ask);
    }

    #[test]
    fn a_told_version_decides() {
        let mut gate = Gate::new(1);
        let ask = gate.ask();
        assert_eq!(gate.admits(0, V36), Admission::Pending);
        assert!(!gate.told(0, ask + 1, Some(V38)));
        assert!(gate.told(0, ask, Some(V36)));
        assert_eq!(gate.admits(0, V36), Admission::Yes);
        assert_eq!(gate.admits(0, V37), Admission::No(Some(V36)));
        gate.reset();
        assert_eq!(gate.admits(0, V36), Admission::Ask);
    }

    #[test]
    fn a_silent_server_is_tried_alone_and_its_refusal_is_remembered() {
        let mut gate = Gate::new(2);
        let silent = |gate: &mut Gate, host| {
            gate.reset();
            let ask = gate.ask();
            assert!(gate.told(host, ask, None));
        };
        silent(&mut gate, 0);
        assert_eq!(gate.admits(0, V36), Admission::Alone);
        gate.answered(V36);
        assert_eq!(gate.admits(0, V36), Admission::Yes);
        assert_eq!(gate.admits(0, V37), Admission::Alone);
        gate.refused(0, V37);
        silent(&mut gate, 0);
        assert_eq!(gate.admits(0, V38), Admission::No(None));
        assert_eq!(gate.admits(0, V36), Admission::Alone);
        silent(&mut gate, 1);
        assert_eq!(gate.admits(1, V37), Admission::Alone);
        // It was upgraded, and tells.
        gate.reset();
        let ask = gate.ask();
        gate.told(0, ask, Some(V38));
        assert_eq!(gate.admits(0, V37), Admission::Yes);
    }

    #[test]
    fn a_server_whose_srvr_is_anothers_is_not_believed_twice() {
        let mut gate = Gate::new(1);
        for expected in [Admission::Yes, Admission::No(None)] {
            gate.reset();
            let ask = gate.ask();
            gate.told(0, ask, Some(V38));
            assert_eq!(gate.admits(0, V36), expected);
            gate.refused(0, V36);
        }
    }
}
