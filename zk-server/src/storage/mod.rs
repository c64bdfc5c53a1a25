//! The folder that a server outlives its process in.
//!
//! ```text
//! lock          held, by the operating system, as long as a server uses the folder
//! snapshot.N    everything, as it was when log N was begun
//! log.N         the transactions since
//! ```
//!
//! N counts up in 16 hex digits. A log that has grown is followed by a new snapshot: it is written beside the old one
//! as `snapshot.new`, made durable, and named `snapshot.N+1`, which is the moment from which on it counts; then the
//! older files are removed. So there is always one snapshot that is whole, and what is older or unfinished is of no
//! account. What the records hold is the core's matter; how a file frames them is in [`file`].
//!
//! One thread writes ([`writer`]): what has come together while it was writing goes in one piece, and answers wait for
//! it.

mod error;
mod file;
mod writer;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

pub use error::StorageError;
pub(crate) use writer::{Progress, Queue, Snapshot, Writer};

use crate::core::{Core, Now};
use file::Records;

/// A folder that this server has locked.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Unlocked when it is closed.
    _lock: File,
    generation: u64,
}

impl Folder {
    /// Locks the folder, which is made where it is missing, and brings `core` to the state that is in it.
    pub(crate) fn open(
        path: &Path,
        core: &mut Core,
        now: impl Fn() -> Now,
    ) -> Result<(Self, Log), StorageError> {
        fs::create_dir_all(path).map_err(StorageError::io("make the folder", path))?;
        let lock_path = path.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(StorageError::io("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StorageError::Locked {
                    folder: path.to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => {
                return Err(StorageError::io("lock", &lock_path)(error));
            }
        }
        let files = list(path)?;
        let newest = files
            .iter()
            .filter(|file| file.is_snapshot)
            .map(|file| file.generation)
            .max();
        let mut folder = Self {
            path: path.to_owned(),
            _lock: lock,
            generation: newest.unwrap_or(0),
        };
        if let Some(orphan) = files
            .iter()
            .find(|file| !file.is_snapshot && newest.is_none_or(|newest| file.generation > newest))
        {
            return Err(StorageError::Damaged {
                file: orphan.path.clone(),
                offset: 0,
                reason: "it goes on from a snapshot that is missing".to_owned(),
            });
        }
        let log = if newest.is_some() {
            folder.load(core, &now)?;
            folder.replay(core, &now)?
        } else {
            folder.begin(&snapshot_frames(core))?
        };
        core.resume(now());
        folder.remove_older();
        Ok((folder, log))
    }

    fn load(&self, core: &mut Core, now: &impl Fn() -> Now) -> Result<(), StorageError> {
        let path = self.snapshot_path();
        let mut records = Records::open(&path)?;
        let damaged = |offset, reason: String| StorageError::Damaged {
            file: path.clone(),
            offset,
            reason,
        };
        let mut is_whole = false;
        while let Some(record) = records.next()? {
            if is_whole {
                return Err(damaged(
                    records.record_offset(),
                    "something follows its end".to_owned(),
                ));
            }
            is_whole = core
                .load(now(), &record)
                .map_err(|error| damaged(records.record_offset(), error.to_string()))?;
        }
        if is_whole && !records.is_torn() {
            Ok(())
        } else {
            Err(damaged(records.offset(), "its end is missing".to_owned()))
        }
    }

    /// Does the log's transactions again. A record that was not written to its end is cut off: nobody was told of it.
    fn replay(&self, core: &mut Core, now: &impl Fn() -> Now) -> Result<Log, StorageError> {
        let path = self.log_path();
        if !path.exists() {
            return Log::create(path);
        }
        let mut records = Records::open(&path)?;
        let mut count = 0_u64;
        while let Some(record) = records.next()? {
            core.replay(now(), &record)
                .map_err(|error| StorageError::Damaged {
                    file: path.clone(),
                    offset: records.record_offset(),
                    reason: error.to_string(),
                })?;
            count += 1;
        }
        let bytes = records.offset();
        tracing::info!(file = %path.display(), count, bytes, torn = records.is_torn(), "log replayed");
        Log::open(path, bytes)
    }

    /// Writes the next snapshot and begins the log behind it. The older files stay.
    fn begin(&mut self, frames: &[u8]) -> Result<Log, StorageError> {
        let unfinished = self.path.join("snapshot.new");
        let written = File::create(&unfinished).and_then(|mut file| {
            file.write_all(file::MAGIC)?;
            file.write_all(frames)?;
            file.sync_all()
        });
        if let Err(error) = written {
            // It has no name that counts; the room may be needed.
            let _ = fs::remove_file(&unfinished);
            return Err(StorageError::io("write", &unfinished)(error));
        }
        self.generation += 1;
        let path = self.snapshot_path();
        fs::rename(&unfinished, &path).map_err(StorageError::io("rename to", &path))?;
        self.sync()?;
        Log::create(self.log_path())
    }

    /// Makes names durable.
    fn sync(&self) -> Result<(), StorageError> {
        let synced = File::open(&self.path).and_then(|folder| folder.sync_all());
        synced.map_err(StorageError::io("make durable", &self.path))
    }

    /// Removes what is of no account any more. What cannot be removed does no harm.
    fn remove_older(&self) {
        for file in list(&self.path).unwrap_or_default() {
            if file.generation < self.generation
                && let Err(error) = fs::remove_file(&file.path)
            {
                tracing::warn!(file = %file.path.display(), %error, "an old file stays");
            }
        }
    }

    fn snapshot_path(&self) -> PathBuf {
        self.path.join(format!("snapshot.{:016x}", self.generation))
    }

    fn log_path(&self) -> PathBuf {
        self.path.join(format!("log.{:016x}", self.generation))
    }
}

/// The log that is written.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Log {
    fn create(path: PathBuf) -> Result<Self, StorageError> {
        let created = File::create(&path).and_then(|mut file| {
            file.write_all(file::MAGIC)?;
            file.sync_all()?;
            Ok(file)
        });
        let file = created.map_err(StorageError::io("create", &path))?;
        Ok(Self {
            path,
            file,
            bytes: file::MAGIC.len() as u64,
        })
    }

    /// Goes on behind the first so many bytes.
    fn open(path: PathBuf, bytes: u64) -> Result<Self, StorageError> {
        if bytes == 0 {
            return Self::create(path);
        }
        let opened = OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|file| {
                file.set_len(bytes)?;
                Ok(file)
            });
        let file = opened.map_err(StorageError::io("cut", &path))?;
        Ok(Self { path, file, bytes })
    }

    /// The same log, as on a disk that takes nothing.
    #[cfg(test)]
    pub(crate) fn that_cannot_be_written(self) -> Self {
        let file = File::open(&self.path).expect("the file that is open");
        Self { file, ..self }
    }

    fn append(&mut self, frames: &[u8], make_durable: bool) -> Result<(), StorageError> {
        let written = self.file.write_all(frames).and_then(|()| {
            if make_durable {
                self.file.sync_data()
            } else {
                Ok(())
            }
        });
        written.map_err(StorageError::io("write", &self.path))?;
        self.bytes += frames.len() as u64;
        Ok(())
    }
}

fn snapshot_frames(core: &Core) -> Vec<u8> {
    let mut frames = Vec::new();
    core.snapshot(|record| file::frame(&mut frames, record));
    frames
}

struct Listed {
    path: PathBuf,
    generation: u64,
    is_snapshot: bool,
}

/// The snapshots and logs in a folder; other files are none of ours.
fn list(folder: &Path) -> Result<Vec<Listed>, StorageError> {
    let entries = fs::read_dir(folder).map_err(StorageError::io("list", folder))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(StorageError::io("list", folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some((kind, number)) = name.and_then(|name| name.split_once('.'))
            && ["snapshot", "log"].contains(&kind)
            && number.len() == 16
            && let Ok(generation) = u64::from_str_radix(number, 16)
        {
            let is_snapshot = kind == "snapshot";
            files.push(Listed {
                path,
                generation,
                is_snapshot,
            });
        }
    }
    Ok(files)
}

fn reader(path: &Path) -> Result<(BufReader<File>, u64), StorageError> {
    let opened = File::open(path).and_then(|file| {
        let bytes = file.metadata()?.len();
        Ok((BufReader::new(file), bytes))
    });
    opened.map_err(StorageError::io("open", path))
}
