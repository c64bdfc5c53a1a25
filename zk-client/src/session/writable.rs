//! Served read-only, the session looks for a server that takes writes.

use std::time::{Duration, Instant};

use zk_proto::HostPort;

use super::{Output, Session};

/// The pause before the first question; it doubles with each further one.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How long a question may take before the next one is asked.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) struct Search {
    /// When the next server is asked, or the one that is asked has had its time.
    due: Instant,
    /// The server that was asked last, by its place.
    host: usize,
    /// Its number, while the answer is under way.
    asked: Option<u64>,
    pause: Duration,
}

impl Search {
    pub(super) const fn due(&self) -> Instant {
        self.due
    }
}

impl<T> Session<T> {
    pub(super) fn start_search(&mut self, now: Instant) {
        self.search = Some(Search {
            due: now + PAUSE_MIN,
            host: self.hosts.index(),
            asked: None,
            pause: PAUSE_MIN,
        });
    }

    /// Asks the next server, if it is time. The one that serves is asked too: it may have found its ensemble.
    pub(super) fn search_on(&mut self, now: Instant) {
        let Some(search) = self.search.as_mut().filter(|search| now >= search.due) else {
            return;
        };
        let Some((host, address)): Option<(usize, HostPort)> = self.hosts.after(search.host) else {
            return;
        };
        self.probes += 1;
        search.host = host;
        search.asked = Some(self.probes);
        search.due = now + PROBE_TIMEOUT;
        self.outputs
            .push_back(Output::ProbeWritable(self.probes, address));
    }

    pub(super) fn probed(&mut self, now: Instant, probe: u64, writable: bool) {
        let Some(search) = self
            .search
            .as_mut()
            .filter(|search| search.asked == Some(probe))
        else {
            return;
        };
        if writable {
            let host = search.host;
            self.drop_connection(now, "a server that takes writes was found".to_owned());
            self.hosts.prefer(host);
            return;
        }
        search.asked = None;
        // Between half and all of it, so that a fleet does not ask as one.
        search.due = now + search.pause.mul_f64(0.5 + self.rng.f64() / 2.0);
        search.pause = (search.pause * 2).min(PAUSE_MAX);
    }
}
