//! The thread that writes.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::file::frame;
use super::{Folder, Log, StorageError, snapshot_frames};
use crate::core::Core;
use crate::options::{Durability, ServerOptions};

/// So many bytes may wait to be written; with more, no requests are read.
const PENDING_BYTES_MAX: usize = 16 << 20;

/// How far the folder is behind the server.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    /// So many bytes of all that were queued are kept.
    pub(crate) kept: u64,
    /// Nothing will be kept any more: what was wrong.
    pub(crate) failure: Option<Arc<StorageError>>,
}

/// What waits to be written.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    pub(crate) progress: watch::Sender<Progress>,
}

#[derive(Debug, Default)]
struct State {
    pending: Vec<u8>,
    /// How many bytes were ever queued.
    queued: u64,
    is_stopped: bool,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            progress: watch::Sender::new(Progress {
                kept: 0,
                failure: None,
            }),
        }
    }

    pub(crate) fn push(&self, record: &[u8]) {
        let mut state = self.lock();
        let before = state.pending.len();
        frame(&mut state.pending, record);
        state.queued += (state.pending.len() - before) as u64;
        drop(state);
        self.changed.notify_one();
    }

    /// How many bytes were ever queued.
    pub(crate) fn queued(&self) -> u64 {
        self.lock().queued
    }

    /// Whether more has to wait until some is written.
    pub(crate) fn is_full(&self) -> bool {
        self.lock().pending.len() > PENDING_BYTES_MAX
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to write, and takes all of it with what will have been kept then; `None` at the end.
    fn take(&self, spare: Vec<u8>) -> Option<(Vec<u8>, u64)> {
        let mut state = self.lock();
        while state.pending.is_empty() {
            if state.is_stopped {
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        Some((std::mem::replace(&mut state.pending, spare), state.queued))
    }
}

/// The thread. It ends with this, once everything that was queued is written.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts it. `snapshot` takes one, between two transactions.
    pub(crate) fn start(
        folder: Folder,
        log: Log,
        queue: Arc<Queue>,
        options: &ServerOptions,
        snapshot: impl FnMut(&Queue) -> Snapshot + Send + 'static,
    ) -> Result<Self, StorageError> {
        let mut work = Work {
            folder,
            log,
            queue: Arc::clone(&queue),
            make_durable: options.durability == Durability::Disk,
            log_bytes_max: options.log_bytes_max,
            snapshot_at: options.log_bytes_max,
            snapshot,
        };
        let path = work.folder.path.clone();
        let thread = std::thread::Builder::new()
            .name("zk-server-storage".to_owned())
            .spawn(move || work.run())
            .map_err(StorageError::io("start the thread that writes to", &path))?;
        Ok(Self {
            queue,
            thread: Some(thread),
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.lock().is_stopped = true;
        self.queue.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It does not panic, and if it did, what it has kept is kept.
            let _ = thread.join();
        }
    }
}

/// Everything at one moment.
pub(crate) struct Snapshot {
    frames: Vec<u8>,
    /// What was queued before that moment and is not written.
    rest: Vec<u8>,
    queued: u64,
}

impl Snapshot {
    /// Takes it; nothing may be queued meanwhile.
    pub(crate) fn take(queue: &Queue, core: &Core) -> Self {
        let frames = snapshot_frames(core);
        let mut state = queue.lock();
        Self {
            frames,
            rest: std::mem::take(&mut state.pending),
            queued: state.queued,
        }
    }
}

struct Work<S> {
    folder: Folder,
    log: Log,
    queue: Arc<Queue>,
    make_durable: bool,
    log_bytes_max: u64,
    /// How long the log may get.
    snapshot_at: u64,
    snapshot: S,
}

impl<S: FnMut(&Queue) -> Snapshot> Work<S> {
    fn run(&mut self) {
        let mut spare = Vec::new();
        while let Some((frames, queued)) = self.queue.take(std::mem::take(&mut spare)) {
            if let Err(error) = self.keep(&frames, queued) {
                // Nobody is told of what is not kept. The log may end within a record, so nothing may follow it.
                tracing::error!(%error, "cannot keep what clients write: the server stops");
                let failure = Some(Arc::new(error));
                self.queue
                    .progress
                    .send_modify(|progress| progress.failure = failure);
                return;
            }
            spare = frames;
            spare.clear();
            spare.shrink_to(1 << 20);
        }
    }

    fn keep(&mut self, frames: &[u8], queued: u64) -> Result<(), StorageError> {
        self.log.append(frames, self.make_durable)?;
        self.tell(queued);
        if self.log.bytes > self.snapshot_at {
            let snapshot = (self.snapshot)(&self.queue);
            self.log.append(&snapshot.rest, self.make_durable)?;
            self.tell(snapshot.queued);
            let begun = self.folder.begin(&snapshot.frames);
            match begun {
                Ok(log) => {
                    self.log = log;
                    self.snapshot_at = self.log_bytes_max;
                    self.folder.remove_older();
                }
                // The log alone is enough; later there may be room again.
                Err(error) if self.log.path == self.folder.log_path() => {
                    self.snapshot_at = self.log.bytes.saturating_mul(2);
                    tracing::warn!(%error, "no snapshot: the log grows on");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn tell(&self, kept: u64) {
        self.queue
            .progress
            .send_modify(|progress| progress.kept = kept);
    }
}
