//! Which server is tried next, and after what pause.

use std::time::Duration;

use fastrand::Rng;
use zk_proto::HostPort;

use crate::error::Attempt;

/// The servers in a shuffled order, walked round and round. A pause comes only where a round has ended without success.
#[derive(Debug)]
pub(super) struct Hosts {
    list: Vec<Attempt>,
    next: usize,
    /// Attempts since the last success.
    failures: usize,
}

/// The first pause; it doubles with each round.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(2);

impl Hosts {
    pub(super) fn new(mut hosts: Vec<HostPort>, rng: &mut Rng) -> Self {
        rng.shuffle(&mut hosts);
        let list = hosts
            .into_iter()
            .map(|host| Attempt {
                host,
                failure: None,
            })
            .collect();
        Self {
            list,
            next: 0,
            failures: 0,
        }
    }

    /// The server to try now.
    pub(super) fn current(&self) -> HostPort {
        self.list.get(self.next).map_or_else(
            || HostPort {
                host: String::new(),
                port: 0,
            },
            |attempt| attempt.host.clone(),
        )
    }

    /// The place of the server to try now.
    pub(super) const fn index(&self) -> usize {
        self.next
    }

    /// The server after the one at `index`, and its place.
    pub(super) fn after(&self, index: usize) -> Option<(usize, HostPort)> {
        let next = (index + 1) % self.len();
        let attempt = self.list.get(next)?;
        Some((next, attempt.host.clone()))
    }

    /// The server at `index` is the one to try now.
    pub(super) const fn prefer(&mut self, index: usize) {
        self.next = index;
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.list.len().max(1)
    }

    /// The current server failed or was lost: the next one is tried, after the pause that is returned.
    pub(super) fn failed(&mut self, reason: String, rng: &mut Rng) -> Duration {
        if let Some(attempt) = self.list.get_mut(self.next) {
            attempt.failure = Some(reason);
        }
        self.next = (self.next + 1) % self.len();
        self.failures += 1;
        if !self.failures.is_multiple_of(self.len()) {
            return Duration::ZERO;
        }
        let round = u32::try_from(self.failures / self.len() - 1).unwrap_or(u32::MAX);
        let pause = PAUSE_MIN
            .saturating_mul(2_u32.saturating_pow(round.min(16)))
            .min(PAUSE_MAX);
        // Between half and all of it, so that a fleet does not come back as one.
        pause.mul_f64(0.5 + rng.f64() / 2.0)
    }

    /// The current server serves: the next failure is a first one. A server that takes the session and answers nothing
    /// is not tried again without a pause.
    pub(super) const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// The current server took the session.
    pub(super) fn connected(&mut self) {
        if let Some(attempt) = self.list.get_mut(self.next) {
            attempt.failure = None;
        }
    }

    /// Every server and what its last attempt met.
    pub(super) fn attempts(&self) -> &[Attempt] {
        &self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(count: u16) -> (Hosts, Rng) {
        let mut rng = Rng::with_seed(7);
        let list = (0..count)
            .map(|port| HostPort {
                host: "h".into(),
                port,
            })
            .collect();
        (Hosts::new(list, &mut rng), rng)
    }

    #[test]
    fn every_server_is_tried_before_the_first_pause() {
        let (mut hosts, mut rng) = hosts(3);
        let mut tried = Vec::new();
        for _ in 0..2 {
            tried.push(hosts.current());
            assert_eq!(hosts.failed("refused".into(), &mut rng), Duration::ZERO);
        }
        tried.push(hosts.current());
        let pause = hosts.failed("refused".into(), &mut rng);
        assert!(pause >= PAUSE_MIN / 2 && pause <= PAUSE_MIN, "{pause:?}");
        tried.sort();
        tried.dedup();
        assert_eq!(tried.len(), 3);
    }

    #[test]
    fn pauses_grow_to_a_bound_and_start_again_after_a_success() {
        let (mut hosts, mut rng) = hosts(1);
        let longest = (0..200)
            .map(|_| hosts.failed("refused".into(), &mut rng))
            .max()
            .unwrap();
        assert!(longest > PAUSE_MAX / 2 && longest <= PAUSE_MAX);
        hosts.succeeded();
        assert!(hosts.failed("lost".into(), &mut rng) <= PAUSE_MIN);
    }
}
