//! Errors of the catalog, grouped by what the caller can do about them.

use std::{io, path::Path};

use rusqlite::{ErrorCode, ffi};

use crate::{store::error::StoreError, task::TaskId};

/// An error of an operation on the catalog.
#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum CatalogError {
    /// The catalog does not exist.
    #[error("index.sqlite does not exist")]
    Missing,
    /// The file is not a catalog, or is corrupt.
    #[error("index.sqlite is damaged")]
    Damaged(#[source] rusqlite::Error),
    /// The catalog was created by a later version of this program.
    #[error("index.sqlite has format {0}, which is from a later version")]
    Newer(i32),
    /// The catalog was created by the version before, and no process has opened it for writing since.
    #[error("index.sqlite is from an earlier version and is not upgraded yet")]
    Older,
    /// The path holds a link, a directory, or a file of another user.
    #[error("index.sqlite is {0}")]
    Foreign(&'static str),
    /// Another process held the lock longer than [`LOCK_TIMEOUT`](super::open::LOCK_TIMEOUT).
    #[error("index.sqlite is locked by another process")]
    Locked,
    /// The file was replaced, renamed or removed while it was open. Anything written may be lost.
    #[error("index.sqlite was replaced while it was open")]
    Moved,
    /// The file can be read but not written.
    #[error("index.sqlite is read-only")]
    ReadOnly(#[source] CatalogErrorSource),
    /// The disk is full.
    #[error("there is no space left for index.sqlite")]
    Full(#[source] CatalogErrorSource),
    /// Any other failure, such as a directory in which SQLite's `-shm` and `-wal` files cannot be created.
    #[error("index.sqlite cannot be used")]
    Io(#[source] CatalogErrorSource),
}

/// The cause of a [`CatalogError`].
#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum CatalogErrorSource {
    /// Reported by SQLite.
    #[error(transparent)]
    Sqlite(rusqlite::Error),
    /// Reported by the operating system.
    #[error(transparent)]
    System(io::Error),
}

impl CatalogError {
    /// The error for a row with an unreadable record.
    pub(in crate::store) fn unreadable(id: &TaskId) -> Self {
        Self::inconsistent(id.to_string())
    }

    /// The error for content that this program did not write.
    pub(super) fn inconsistent(problem: String) -> Self {
        Self::Damaged(rusqlite::Error::InvalidColumnName(problem))
    }

    /// The error for another file that could not be read. It says nothing about the catalog itself.
    pub(in crate::store) fn of_other_file(error: StoreError) -> Self {
        Self::Io(CatalogErrorSource::System(error.source))
    }

    /// Converts this to an error of the store.
    pub(in crate::store) fn about(self, path: &Path) -> StoreError {
        StoreError::at("use", path)(io::Error::other(self))
    }

    /// Whether a writer should [rebuild](super::rebuild::rebuild) the catalog, or upgrade it, which a rebuild does. Any other error only means that the
    /// catalog is unavailable now.
    pub(in crate::store) fn needs_rebuild(&self) -> bool {
        match self {
            Self::Missing | Self::Damaged(_) | Self::Newer(_) | Self::Older | Self::Foreign(_) => true,
            Self::Locked | Self::Moved | Self::ReadOnly(_) | Self::Full(_) | Self::Io(_) => false,
        }
    }
}

impl From<rusqlite::Error> for CatalogError {
    fn from(error: rusqlite::Error) -> Self {
        let rusqlite::Error::SqliteFailure(ffi::Error { code, extended_code }, _) = &error else {
            // A row is missing or has a value of the wrong type: we did not write this file.
            return Self::Damaged(error);
        };
        match code {
            _ if *extended_code == ffi::SQLITE_READONLY_DBMOVED => Self::Moved,
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => Self::Locked,
            ErrorCode::ReadOnly => Self::ReadOnly(CatalogErrorSource::Sqlite(error)),
            ErrorCode::DiskFull => Self::Full(CatalogErrorSource::Sqlite(error)),
            // A missing table also counts as damage, and so does a violated constraint, which only a damaged file can
            // cause.
            ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::ConstraintViolation
            | ErrorCode::TypeMismatch
            | ErrorCode::Unknown => Self::Damaged(error),
            _ => Self::Io(CatalogErrorSource::Sqlite(error)),
        }
    }
}

impl From<io::Error> for CatalogError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly(CatalogErrorSource::System(error)),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(CatalogErrorSource::System(error)),
            _ => Self::Io(CatalogErrorSource::System(error)),
        }
    }
}
