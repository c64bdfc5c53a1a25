use std::io;
use std::path::{Path, PathBuf};

/// Why a data folder cannot be used, or not any more. [`Server::start`](crate::Server::start) gives it inside of an
/// [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// Another server, of this process or another, is using the folder.
    #[error("the data folder {} is in use by another server: stop that one, or choose another folder", .folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
    /// A file holds something else than what was written. Nothing of the folder was changed.
    #[error(
        "{} is damaged at byte {offset}: {reason}; restore the folder from a copy, remove it to start empty, or, if it is \
         a log, cut it to {offset} bytes to go on without what follows",
        .file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Up to where it is good.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// The operating system refused something: no room, no permission, a broken disk.
    #[error("cannot {doing} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl StorageError {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}

impl From<StorageError> for io::Error {
    fn from(error: StorageError) -> Self {
        let kind = match &error {
            StorageError::Locked { .. } => io::ErrorKind::ResourceBusy,
            StorageError::Damaged { .. } => io::ErrorKind::InvalidData,
            StorageError::Io { source, .. } => source.kind(),
        };
        Self::new(kind, error)
    }
}
