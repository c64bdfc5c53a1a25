use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::tests::zookeeper::srvr;

use crate::arena::Arena;

/// How often each member is asked whether it leads.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// What was measured, over all clients.
#[derive(Debug)]
pub(crate) struct Outages {
    /// The longest time for which one client had no session although there was a leader all the while.
    pub(crate) longest_without_session: Duration,
    /// The longest time for which one client had no answer although there was a leader all the while. It includes the time
    /// until a client notices that its server is silent.
    pub(crate) longest_without_answer: Duration,
    /// The longest time without a leader.
    pub(crate) longest_without_leader: Duration,
}

impl fmt::Display for Outages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "while there was a leader, the longest time of a client without a session was {:.1?}, without an answer {:.1?}; the longest without a leader was {:.1?}",
            self.longest_without_session, self.longest_without_answer, self.longest_without_leader
        )
    }
}

/// When something was so: from, to. The last one may still be open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spans {
    closed: Vec<(Duration, Duration)>,
    open: Option<Duration>,
}

impl Spans {
    /// It is so from now on, or not.
    pub(crate) fn note(&mut self, now: Duration, so: bool) {
        match (so, self.open) {
            (true, None) => self.open = Some(now),
            (false, Some(from)) => {
                self.closed.push((from, now));
                self.open = None;
            }
            _ => {}
        }
    }

    /// When any of them was so.
    pub(crate) fn any(all: &[Self], now: Duration) -> Self {
        let mut spans: Vec<_> = all.iter().flat_map(|spans| spans.until(now)).collect();
        spans.sort_unstable();
        let mut closed: Vec<(Duration, Duration)> = Vec::new();
        for (from, to) in spans {
            match closed.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => closed.push((from, to)),
            }
        }
        Self { closed, open: None }
    }

    /// When it was not so, between two times when it was.
    pub(crate) fn gaps(&self) -> Vec<(Duration, Duration)> {
        let starts = self.closed.iter().map(|span| span.0).chain(self.open);
        let ends = self.closed.iter().map(|span| span.1);
        ends.zip(starts.skip(1)).collect()
    }

    /// The longest time within `(from, to)` for which it was so without a break.
    pub(crate) fn longest_within(
        &self,
        (from, to): (Duration, Duration),
        now: Duration,
    ) -> Duration {
        let spans = self.until(now);
        let within = spans.map(|span| span.1.min(to).saturating_sub(span.0.max(from)));
        within.max().unwrap_or_default()
    }

    fn until(&self, now: Duration) -> impl Iterator<Item = (Duration, Duration)> {
        let open = self.open.map(|from| (from, now));
        self.closed.iter().copied().chain(open)
    }
}

/// Notes, to the end of the runtime, when each member says of itself to lead.
pub(crate) fn follow_leaders(
    arena: &Arc<Arena>,
    addresses: &[SocketAddr],
) -> Arc<Mutex<Vec<Spans>>> {
    let leaders = Arc::new(Mutex::new(vec![Spans::default(); addresses.len()]));
    for (member, address) in addresses.iter().copied().enumerate() {
        let (arena, leaders) = (Arc::clone(arena), Arc::clone(&leaders));
        tokio::spawn(async move {
            loop {
                let asked = arena.now();
                let answer = srvr(address).await;
                let leads = answer.is_some_and(|srvr| srvr.mode.as_deref() == Some("leader"));
                // Silence began with the question, leadership with the answer at the latest.
                let when = if leads { arena.now() } else { asked };
                leaders.lock().unwrap()[member].note(when, leads);
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        });
    }
    leaders
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn spans(changes: &[u64]) -> Spans {
        let mut spans = Spans::default();
        for (number, change) in changes.iter().enumerate() {
            spans.note(s(*change), number % 2 == 0);
        }
        spans
    }

    #[test]
    fn an_outage_counts_from_when_there_is_a_leader_again() {
        let connected = spans(&[0, 10, 20]);
        assert_eq!(connected.gaps(), [(s(10), s(20))]);
        // One leader until 11, another from 14 on: of the ten seconds, six had one without a break.
        let leading = Spans::any(&[spans(&[1, 11]), spans(&[14])], s(30));
        assert_eq!(leading.gaps(), [(s(11), s(14))]);
        assert_eq!(leading.longest_within((s(10), s(20)), s(30)), s(6));
        assert_eq!(leading.longest_within((s(11), s(14)), s(30)), s(0));
    }
}
