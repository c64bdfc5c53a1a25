use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use futures::future::{BoxFuture, FutureExt, join_all};
use tokio::time::{sleep, timeout};
use zk_client::{
    Client, CreateMode, Error, ErrorCode, EventType, Outcome, SessionEnd, SessionState,
    WatchedEvent, ZnodeVersion,
};

use crate::arena::{Arena, COUNTERS, WATCHED, counter, watched};
use crate::ledger::{Creation, Expected, Ledger};

/// Milliseconds between two things that a worker does.
const PACE_MS: std::ops::Range<u64> = 20..80;

/// How many znodes of a kind a worker keeps before it deletes its oldest.
const KEPT: usize = 10;

/// How many one-shot watches a worker holds at once.
const ARMED_MAX: usize = 6;

/// How many creates go out in one flight.
const BURST: usize = 8;

/// What a worker leaves: its last session lives on.
#[derive(Debug)]
pub(crate) struct Worked {
    pub(crate) client: Client,
    pub(crate) ledger: Ledger,
}

/// Works until the arena says stop, opening a new client whenever a session ends.
pub(crate) async fn run(arena: Arc<Arena>, slot: usize, seed: u64) -> Worked {
    let client = arena.client(slot).await;
    let mut worker = Worker {
        rng: Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(slot as u64)),
        slot,
        count: 0,
        client,
        ledger: Ledger::default(),
        kept: VecDeque::new(),
        kept_ephemerals: VecDeque::new(),
        armed: Vec::new(),
        seen: BTreeMap::new(),
        arena,
    };
    while worker.arena.works() {
        worker.work().await;
        worker.fired().await;
        if matches!(*worker.client.state().borrow(), SessionState::Ended(_)) {
            worker.ledger.tally.sessions_lost += 1;
            worker.begin_again().await;
        }
        sleep(Duration::from_millis(worker.rng.u64(PACE_MS))).await;
    }
    worker.settle().await;
    Worked {
        client: worker.client,
        ledger: worker.ledger,
    }
}

struct Worker {
    arena: Arc<Arena>,
    slot: usize,
    rng: Rng,
    /// Makes names unique.
    count: u64,
    client: Client,
    ledger: Ledger,
    /// The znodes to delete one day, by the path asked for.
    kept: VecDeque<String>,
    /// Of this session.
    kept_ephemerals: VecDeque<String>,
    armed: Vec<Armed>,
    /// The newest version of each counter that this session has seen.
    seen: BTreeMap<usize, i32>,
}

/// A one-shot watch that stands since an answer.
struct Armed {
    path: String,
    /// The version that the answer showed; -1 for a znode that was not there.
    version: i32,
    changed: BoxFuture<'static, Result<WatchedEvent, SessionEnd>>,
}

/// How long an event may take from the client's task to ours: it has come before the answer that showed the change.
const DELIVERED: Duration = Duration::from_secs(2);

impl Worker {
    async fn work(&mut self) {
        match self.rng.u32(0..100) {
            0..30 => self.increment().await,
            30..45 => self.create(CreateMode::PERSISTENT, "/names").await,
            45..58 => {
                self.create(CreateMode::PERSISTENT_SEQUENTIAL, "/names")
                    .await
            }
            58..60 => self.burst().await,
            60..70 => self.create(CreateMode::EPHEMERAL, "/ephemerals").await,
            70..76 => self.own_ephemeral().await,
            76..78 => self.create(CreateMode::PERSISTENT, "/tree").await,
            78..88 => self.touch().await,
            88..99 => self.arm().await,
            // Clients come and go, though seldom.
            _ if self.rng.u32(0..20) == 0 => {
                self.client.close().await;
                self.ledger.tally.sessions_closed += 1;
                self.begin_again().await;
            }
            _ => {}
        }
    }

    /// Notes how a request went. `expected` are refusals that may be; any other is a violation.
    fn note<T>(&mut self, result: &Result<T, Error>, expected: &[ErrorCode]) -> Outcome {
        let outcome = self.ledger.note(result);
        match result {
            Ok(_) => self.arena.succeeded(self.slot),
            Err(error) => {
                if let Some(code) = error.code()
                    && !expected.contains(&code)
                {
                    self.violation(&format!("was refused: {error}"));
                }
                if matches!(error, Error::Answer { .. } | Error::TooManyRequests { .. }) {
                    self.violation(&format!("failed: {error}"));
                }
            }
        }
        outcome
    }

    fn violation(&self, what: &str) {
        let session = self.client.session_id();
        let slot = self.slot;
        self.arena
            .violation(format!("client {slot}, session {session}: {what}"));
    }

    /// Reads a counter and writes the next number, if nobody else was faster.
    async fn increment(&mut self) {
        let number = self.rng.usize(0..COUNTERS);
        let path = counter(number);
        let read = self.client.get_data(&path).await;
        self.note(&read, &[]);
        let Ok((data, stat)) = read else { return };
        if data != stat.version.to_string() {
            self.violation(&format!(
                "{path} of version {} holds {data:?}",
                stat.version
            ));
        }
        self.see(number, stat.version);
        let next = stat.version + 1;
        let data = next.to_string();
        let written = self
            .client
            .set_data(&path, data.as_bytes(), ZnodeVersion(stat.version))
            .await;
        match self.note(&written, &[ErrorCode::BAD_VERSION]) {
            Outcome::Applied => {
                self.ledger.increments.push((number, next));
                self.see(number, next);
            }
            Outcome::Unknown => {
                self.ledger.unknown_increments.insert((number, next));
            }
            Outcome::NotApplied => {}
        }
        if let Ok(stat) = written
            && stat.version != next
        {
            self.violation(&format!(
                "{path}: setData at version {} led to {}",
                next - 1,
                stat.version
            ));
        }
    }

    /// A session never goes back in time.
    fn see(&mut self, number: usize, version: i32) {
        let seen = self.seen.entry(number).or_insert(version);
        let newest = *seen;
        *seen = newest.max(version);
        if version < newest {
            self.violation(&format!(
                "{} showed version {version} after {newest}",
                counter(number)
            ));
        }
    }

    fn new_path(&mut self, folder: &str, mode: CreateMode) -> String {
        self.count += 1;
        let separator = if mode == CreateMode::PERSISTENT_SEQUENTIAL {
            "-"
        } else {
            ""
        };
        format!("{folder}/{}.{}{separator}", self.slot, self.count)
    }

    async fn create(&mut self, mode: CreateMode, folder: &str) {
        let path = self.new_path(folder, mode);
        let watched =
            mode == CreateMode::PERSISTENT && self.armed.len() < ARMED_MAX && self.rng.bool();
        if watched {
            let absent = self.client.exists_and_watch(&path).await;
            self.note(&absent, &[]);
            match absent {
                Ok((None, watch)) => self.hold(&path, -1, watch),
                Ok((Some(_), _)) => {
                    self.violation(&format!("{path} is there before it is created"))
                }
                Err(_) => {}
            }
        }
        let created = self.client.create(&path, b"", mode).await;
        self.created(&path, mode, &created);
        if folder != "/tree" {
            self.delete_oldest(mode).await;
        }
    }

    /// Several creates in one flight.
    async fn burst(&mut self) {
        let mode = CreateMode::PERSISTENT_SEQUENTIAL;
        let paths: Vec<_> = (0..BURST).map(|_| self.new_path("/names", mode)).collect();
        let creates = paths.iter().map(|path| self.client.create(path, b"", mode));
        let results = join_all(creates).await;
        for (path, created) in paths.iter().zip(&results) {
            self.created(path, mode, created);
        }
        for _ in 0..BURST {
            self.delete_oldest(mode).await;
        }
    }

    fn created(&mut self, path: &str, mode: CreateMode, created: &Result<String, Error>) {
        // Nobody else uses the name: NodeExists would mean that the client has sent it twice.
        let expected = match self.note(created, &[]) {
            Outcome::Applied => Expected::There,
            Outcome::Unknown => Expected::Either,
            Outcome::NotApplied => Expected::Gone,
        };
        let ephemeral = mode == CreateMode::EPHEMERAL;
        if expected == Expected::There && !path.starts_with("/tree") {
            let kept = if ephemeral {
                &mut self.kept_ephemerals
            } else {
                &mut self.kept
            };
            kept.push_back(path.to_owned());
        }
        let creation = Creation {
            path: created.as_ref().ok().cloned(),
            owner: ephemeral.then(|| self.client.session_id()),
            expected,
        };
        self.ledger.creations.insert(path.to_owned(), creation);
    }

    async fn delete_oldest(&mut self, mode: CreateMode) {
        let ephemeral = mode == CreateMode::EPHEMERAL;
        let kept = if ephemeral {
            &mut self.kept_ephemerals
        } else {
            &mut self.kept
        };
        if kept.len() <= KEPT {
            return;
        }
        let Some(asked) = kept.pop_front() else {
            return;
        };
        let path = self.ledger.creations[&asked]
            .path
            .clone()
            .unwrap_or_default();
        let deleted = self.client.delete(&path, ZnodeVersion::ANY).await;
        // What was created is there: NoNode would mean that it was lost, or deleted twice.
        let expected = match self.note(&deleted, &[]) {
            Outcome::Applied => Expected::Gone,
            Outcome::Unknown => Expected::Either,
            Outcome::NotApplied => Expected::There,
        };
        if let Some(creation) = self.ledger.creations.get_mut(&asked) {
            creation.expected = expected;
        }
    }

    /// An ephemeral znode is there as long as its session answers.
    async fn own_ephemeral(&mut self) {
        let Some(path) = self.rng.choice(&self.kept_ephemerals).cloned() else {
            return;
        };
        let session = self.client.session_id();
        let stat = self.client.exists(&path).await;
        self.note(&stat, &[]);
        if let Ok(stat) = stat
            && stat.is_none_or(|stat| stat.ephemeral_owner != session)
        {
            self.violation(&format!("its {path} is gone, or another's: {stat:?}"));
        }
    }

    async fn touch(&mut self) {
        let path = watched(self.rng.usize(0..WATCHED));
        let data = self.count.to_string();
        let written = self
            .client
            .set_data(&path, data.as_bytes(), ZnodeVersion::ANY)
            .await;
        self.note(&written, &[]);
    }

    async fn arm(&mut self) {
        if self.armed.len() >= ARMED_MAX {
            return;
        }
        let path = watched(self.rng.usize(0..WATCHED));
        let read = self.client.get_data_and_watch(&path).await;
        self.note(&read, &[]);
        if let Ok((_, stat, watch)) = read {
            self.hold(&path, stat.version, watch);
        }
    }

    fn hold(&mut self, path: &str, version: i32, watch: zk_client::Watch) {
        self.armed.push(Armed {
            path: path.to_owned(),
            version,
            changed: watch.changed().boxed(),
        });
    }

    /// Looks after watches that have fired: each has seen something.
    async fn fired(&mut self) {
        for mut armed in std::mem::take(&mut self.armed) {
            match (&mut armed.changed).now_or_never() {
                None => self.armed.push(armed),
                Some(Ok(event)) => self.judge(&armed.path, armed.version, &event).await,
                // The session has ended, and the watch with it.
                Some(Err(_)) => {}
            }
        }
    }

    async fn judge(&mut self, path: &str, version: i32, event: &WatchedEvent) {
        self.ledger.tally.watches_fired += 1;
        let expected = match version {
            -1 => EventType::NODE_CREATED,
            _ => EventType::NODE_DATA_CHANGED,
        };
        if (event.event_type, event.path.as_str()) != (expected, path) {
            self.violation(&format!(
                "the watch on {path} of version {version} told of {event:?}"
            ));
        }
        if version < 0 {
            return;
        }
        let read = self.client.get_data(path).await;
        self.note(&read, &[]);
        if let Ok((_, stat)) = read
            && stat.version <= version
        {
            let now = stat.version;
            self.violation(&format!(
                "the watch on {path} of version {version} fired, and the version is {now}"
            ));
        }
    }

    async fn begin_again(&mut self) {
        let before = self.client.session_id();
        self.ledger.ended.insert(before);
        self.kept_ephemerals.clear();
        self.seen.clear();
        self.armed.clear();
        self.client = self.arena.client(self.slot).await;
    }

    /// After the last fault: no watch that stands has missed a change.
    async fn settle(&mut self) {
        while self.client.sync("/").await.is_err() {
            if matches!(*self.client.state().borrow(), SessionState::Ended(_)) {
                self.begin_again().await;
            }
            sleep(Duration::from_millis(100)).await;
        }
        for armed in std::mem::take(&mut self.armed) {
            let Armed {
                path,
                version,
                changed,
            } = armed;
            let Ok(stat) = self.client.exists(&path).await else {
                continue;
            };
            let now = stat.map_or(-1, |stat| stat.version);
            if now != version && timeout(DELIVERED, changed).await.is_err() {
                self.violation(&format!("the watch on {path} of version {version} has not fired, and the version is {now}"));
            }
        }
    }
}
