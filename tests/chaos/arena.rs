use std::sync::{Arc, Mutex};
use std::time::Duration;

use tests::ensemble::Ensemble;
use tokio::sync::watch;
use tokio::time::Instant;
use zk_client::{Client, ConnectOptions, CreateMode, SessionState};

use crate::outage::{Outages, Spans};

/// All clients; each is a session of its own.
pub(crate) const CLIENTS: usize = 50;

/// How many of them hold a recursive watch.
pub(crate) const WATCHERS: usize = 10;

/// Long enough for an election on a busy machine, short enough for sessions to end now and then.
pub(crate) const SESSION_TIMEOUT: Duration = Duration::from_secs(10);

/// The counters that all workers increment.
pub(crate) const COUNTERS: usize = 8;

/// The znodes that workers change and watch.
pub(crate) const WATCHED: usize = 16;

/// Counters, named and sequential znodes, ephemeral ones, those that are watched one by one, those below the recursive
/// watch.
pub(crate) const FOLDERS: [&str; 5] = ["/counters", "/names", "/ephemerals", "/watched", "/tree"];

/// Times between two successful requests of a client that are worth a note.
const LONG: Duration = Duration::from_secs(1);

/// More violations than anybody reads.
const VIOLATIONS_MAX: usize = 50;

/// What all clients share.
#[derive(Debug)]
pub(crate) struct Arena {
    servers: String,
    start: Instant,
    phase: watch::Sender<Phase>,
    violations: Mutex<Vec<String>>,
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Working,
    /// Workers settle and end.
    Settling,
    /// Watchers, too.
    Ending,
}

/// The place of one client, which is another client after the end of a session.
#[derive(Debug, Default)]
struct Slot {
    /// When it had a session with a server that answers.
    connected: Mutex<Spans>,
    /// When the last request succeeded.
    succeeded: Mutex<Duration>,
    /// From success to success, where that took long.
    silences: Mutex<Vec<(Duration, Duration)>>,
}

impl Arena {
    /// Makes the folders and the znodes that are there from the beginning.
    pub(crate) async fn prepare(ensemble: &Ensemble) -> Self {
        let arena = Self {
            servers: ensemble.connect_string(),
            start: Instant::now(),
            phase: watch::Sender::new(Phase::Working),
            violations: Mutex::default(),
            slots: (0..CLIENTS).map(|_| Slot::default()).collect(),
        };
        let client = Client::connect_with(&arena.servers, options())
            .await
            .unwrap();
        let created = async |path: &str| {
            let created = client.create(path, b"0", CreateMode::PERSISTENT);
            created.await.unwrap();
        };
        for folder in FOLDERS {
            created(folder).await;
        }
        for number in 0..COUNTERS {
            created(&counter(number)).await;
        }
        for number in 0..WATCHED {
            created(&watched(number)).await;
        }
        client.close().await;
        arena
    }

    /// A client for this slot, once a server takes its session; its states are followed to its end. `None` when all is
    /// over before.
    pub(crate) async fn client(self: &Arc<Self>, slot: usize) -> Client {
        loop {
            match Client::connect_with(&self.servers, options()).await {
                Ok(client) => {
                    tokio::spawn(follow(Arc::clone(self), slot, client.state()));
                    return client;
                }
                // The ensemble is away for longer than a connect waits.
                Err(error) => eprintln!("{:?} client {slot}: {error}", self.now()),
            }
        }
    }

    /// A client of all members or of one that is in no slot, for the verdict: lists are long.
    pub(crate) async fn judge(&self, servers: &str) -> Client {
        let options = options().max_incoming_bytes(64 << 20);
        Client::connect_with(servers, options).await.unwrap()
    }

    /// All members as a connect string.
    pub(crate) fn servers(&self) -> &str {
        &self.servers
    }

    /// The time since the start.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn stop(&self) {
        self.phase.send_replace(Phase::Settling);
    }

    pub(crate) fn stop_watchers(&self) {
        self.phase.send_replace(Phase::Ending);
    }

    /// Whether workers go on.
    pub(crate) fn works(&self) -> bool {
        *self.phase.borrow() == Phase::Working
    }

    /// Waits until the watchers are to end.
    pub(crate) async fn ending(&self) {
        let mut phase = self.phase.subscribe();
        // It ends with the arena at the latest.
        let _ = phase.wait_for(|phase| *phase == Phase::Ending).await;
    }

    /// Something was found that must not be.
    pub(crate) fn violation(&self, what: String) {
        let mut violations = self.violations.lock().unwrap();
        eprintln!("{:?} VIOLATION: {what}", self.now());
        if violations.len() < VIOLATIONS_MAX {
            violations.push(format!("{:?} {what}", self.now()));
        }
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap().clone()
    }

    /// A request of this slot has succeeded.
    pub(crate) fn succeeded(&self, slot: usize) {
        let (slot, now) = (&self.slots[slot], self.now());
        let last = std::mem::replace(&mut *slot.succeeded.lock().unwrap(), now);
        if now - last > LONG {
            slot.silences.lock().unwrap().push((last, now));
        }
    }

    /// The slots of which no request has succeeded since then.
    pub(crate) fn silent_since(&self, since: Duration) -> Vec<usize> {
        let silent = |slot: &usize| *self.slots[*slot].succeeded.lock().unwrap() < since;
        (0..CLIENTS).filter(silent).collect()
    }

    /// How long clients had no session, and no answer.
    pub(crate) fn outages(&self, leaders: &Mutex<Vec<Spans>>) -> Outages {
        let leading = Spans::any(&leaders.lock().unwrap(), self.now());
        let longest = |gaps: &[(Duration, Duration)]| {
            let within = gaps
                .iter()
                .map(|gap| leading.longest_within(*gap, self.now()));
            within.max().unwrap_or_default()
        };
        let slots = self.slots.iter();
        let sessions = slots.map(|slot| longest(&slot.connected.lock().unwrap().gaps()));
        let slots = self.slots.iter();
        let answers = slots.map(|slot| longest(&slot.silences.lock().unwrap()));
        let leaders = leading.gaps().into_iter().map(|(from, to)| to - from);
        Outages {
            longest_without_session: sessions.max().unwrap_or_default(),
            longest_without_answer: answers.max().unwrap_or_default(),
            longest_without_leader: leaders.max().unwrap_or_default(),
        }
    }
}

pub(crate) fn counter(number: usize) -> String {
    format!("/counters/{number}")
}

pub(crate) fn watched(number: usize) -> String {
    format!("/watched/{number}")
}

fn options() -> ConnectOptions {
    ConnectOptions::new()
        .session_timeout(SESSION_TIMEOUT)
        .connect_timeout(Duration::from_secs(60))
}

/// Notes when a client has a session and when not.
async fn follow(arena: Arc<Arena>, slot: usize, mut state: watch::Receiver<SessionState>) {
    loop {
        let now = state.borrow_and_update().clone();
        let connected = now == SessionState::Connected;
        arena.slots[slot]
            .connected
            .lock()
            .unwrap()
            .note(arena.now(), connected);
        if let SessionState::Ended(_) = now {
            return;
        }
        if state.changed().await.is_err() {
            return;
        }
    }
}
