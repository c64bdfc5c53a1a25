//! The folder of a node's result files, and what dead nodes left beside it.

use hs2_proto::rowset::ColumnKind;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

use super::room::{Room, Share};
use super::{Progress, SpoolError, SpoolLimits, SpoolReader, SpoolWriter};

/// Name of the lock file in each folder. The operating system lets go of its lock when the process ends, however it
/// ends, and that is how a dead node is told from a living one.
const LOCK: &str = "lock";
/// Begins the name of every node's folder.
const PREFIX: &str = "hs2-node-";

/// A node's own folder for result files, in the spool folder that nodes of one machine may share. Only its user may
/// look inside. Dropped, it is removed.
#[derive(Debug)]
pub struct SpoolDir {
    path: PathBuf,
    room: Arc<Room>,
    /// Locked as long as the node lives.
    _lock: File,
}

impl SpoolDir {
    /// Makes a folder of this node's own in `root`, and removes those of nodes that are dead.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn open(root: &Path) -> Result<Self, SpoolError> {
        Self::open_with(root, SpoolLimits::default())
    }

    /// As [`Self::open`], with bounds on what the results may take.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn open_with(root: &Path, limits: SpoolLimits) -> Result<Self, SpoolError> {
        let make = DirBuilder::new().recursive(true).mode(0o700).create(root);
        make.map_err(|error| SpoolError::io("create the result folder", root, error))?;
        // Nobody looks for dead nodes while a folder exists whose lock is not taken yet.
        let guard = lock_file(&root.join(LOCK))?;
        guard
            .lock()
            .map_err(|error| SpoolError::io("lock the result folder", root, error))?;
        remove_dead(root);
        let path = root.join(format!(
            "{PREFIX}{}-{:08x}",
            std::process::id(),
            fastrand::u32(..)
        ));
        let make = DirBuilder::new().mode(0o700).create(&path);
        make.map_err(|error| SpoolError::io("create the node's result folder", &path, error))?;
        let lock = lock_file(&path.join(LOCK))?;
        lock.lock()
            .map_err(|error| SpoolError::io("lock the node's result folder", &path, error))?;
        let room = Room::new(&path, limits);
        Ok(Self {
            path,
            room,
            _lock: lock,
        })
    }

    /// Where the result files are.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a result with these columns, in a file of this name and the ending `.spool`.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn create(
        &self,
        name: &str,
        kinds: Vec<ColumnKind>,
    ) -> Result<(SpoolWriter, Spool), SpoolError> {
        let path = self.path.join(format!("{name}.spool"));
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        let file = file.map_err(|error| SpoolError::io("create the result file", &path, error))?;
        let (sender, progress) = watch::channel(Progress::default());
        let (file, share) = (Arc::new(file), self.room.share());
        let writer = SpoolWriter::new(
            Arc::clone(&file),
            path.clone(),
            &kinds,
            sender,
            Arc::clone(&share),
        );
        Ok((
            writer,
            Spool {
                file,
                share,
                path,
                kinds: kinds.into(),
                progress,
                removed: AtomicBool::new(false),
                discarded: AtomicBool::new(false),
            },
        ))
    }
}

impl Drop for SpoolDir {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the node's result folder is left behind");
        }
    }
}

/// A result's file. Dropped, it is removed and emptied: writer and readers should be gone by then.
#[derive(Debug)]
pub struct Spool {
    file: Arc<File>,
    share: Arc<Share>,
    path: PathBuf,
    kinds: Arc<[ColumnKind]>,
    progress: watch::Receiver<Progress>,
    removed: AtomicBool,
    discarded: AtomicBool,
}

impl Spool {
    /// A reader at the first row.
    ///
    /// # Errors
    /// The file was removed.
    pub fn reader(&self) -> Result<SpoolReader, SpoolError> {
        if self.removed.load(Ordering::Acquire) {
            return Err(SpoolError::Abandoned);
        }
        Ok(SpoolReader::new(
            Arc::clone(&self.file),
            self.path.clone(),
            Arc::clone(&self.kinds),
            self.progress.clone(),
        ))
    }

    /// Waits until a page can be read, or the result has ended without one, or was given up.
    pub async fn ready(&self) {
        let mut progress = self.progress.clone();
        // An error means that the writer is gone: given up.
        let _ = progress
            .wait_for(|progress| progress.rows > 0 || progress.complete)
            .await;
    }

    /// Rows and bytes written so far.
    #[must_use]
    pub fn written(&self) -> (u64, u64) {
        let progress = *self.progress.borrow();
        (progress.rows, progress.bytes)
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file. Its space is free when the writer and the readers are gone too.
    pub fn remove(&self) {
        if self.removed.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "a result file is left behind");
        }
    }

    /// Removes the file and frees its space at once, for a result that nobody can fetch any more. Writer and readers
    /// find nothing where they go on.
    pub fn discard(&self) {
        self.remove();
        if self.discarded.swap(true, Ordering::AcqRel) {
            return;
        }
        let (file, share) = (Arc::clone(&self.file), Arc::clone(&self.share));
        let free = move || {
            // It is about space only, which the file's end frees at the latest.
            let _ = file.set_len(0);
            share.give_back();
        };
        // To free gigabytes takes the file system a while.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(free)),
            Err(_) => free(),
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.discard();
    }
}

fn lock_file(path: &Path) -> Result<File, SpoolError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path);
    file.map_err(|error| SpoolError::io("create the lock file", path, error))
}

/// Removes the folders whose lock could be taken: their nodes are dead. A folder without a lock, or whose lock cannot be
/// tried, may be anybody's, and stays.
fn remove_dead(root: &Path) {
    let folders = std::fs::read_dir(root).into_iter().flatten().flatten();
    for folder in folders.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let path = folder.path();
        let Ok(lock) = File::open(path.join(LOCK)) else {
            // A node that died before it made its lock left an empty folder, and only such a one goes.
            let _ = std::fs::remove_dir(&path);
            continue;
        };
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(error)) => {
                tracing::warn!(path = %path.display(), %error, "cannot tell whether the node of these result files is dead");
                continue;
            }
        }
        match std::fs::remove_dir_all(&path) {
            Ok(()) => {
                tracing::info!(path = %path.display(), "removed the result files of a node that is dead")
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot remove the result files of a dead node")
            }
        }
    }
}
