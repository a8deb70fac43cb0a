//! Opening the catalog.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{error::CatalogError, schema::VERSION};
use crate::store::fault;

/// How long one operation waits for a lock that another process holds.
pub(in crate::store) const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// The endings of the names of SQLite's own files beside the database.
pub(super) const COMPANION_SUFFIXES: [&str; 2] = ["-wal", "-shm"];

/// Settings of each connection.
///
/// - `cache_size`: 64 KiB. The operating system caches the file as well, and a server keeps a connection open.
/// - `synchronous = NORMAL`: only a checkpoint waits for the disk. A power cut may take the newest commits, but
///   it does not corrupt the file. With `OFF` it could, and nobody would notice.
/// - `wal_autocheckpoint = 0`: see [`MAX_LOG_BYTES`].
const SETTINGS: &str = "
PRAGMA cache_size = -64;
PRAGMA mmap_size = 0;
PRAGMA synchronous = NORMAL;
PRAGMA wal_autocheckpoint = 0;
PRAGMA temp_store = MEMORY;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
";

/// The length of the write-ahead log, in bytes, at which it is written back and emptied.
///
/// SQLite would do that after 4 MB of writes, but it counts from the last time in shared memory, which is gone with the
/// last process: where each write is by a process of its own, as by supervisors without a server, the log would grow
/// forever and be written back each time. Nor is it written back when it is closed, which waits for the disk each time.
/// The first process to open the file reads the whole log, in about 1 ms for each MB.
pub(super) const MAX_LOG_BYTES: u64 = 1 << 20;

/// An open catalog.
#[derive(Debug)]
pub(in crate::store) struct Catalog {
    pub(super) connection: Connection,
    path: PathBuf,
    file: CatalogFile,
    generation: String,
}

/// Which file a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CatalogFile {
    device: u64,
    inode: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

impl Catalog {
    /// Opens the catalog to read and write it. It is not created; a [rebuild](super::rebuild::rebuild) does that.
    pub(in crate::store) fn open_to_write(path: &Path) -> Result<Self, CatalogError> {
        Self::open(path, Access::Write)
    }

    /// Opens the catalog to read it. Nothing is written, except that SQLite may create its own files beside it.
    pub(in crate::store) fn open_to_read(path: &Path) -> Result<Self, CatalogError> {
        Self::open(path, Access::Read)
    }

    /// The random name that the catalog got when it was made. Sequence numbers of two generations cannot be compared.
    pub(in crate::store) fn generation(&self) -> &str {
        &self.generation
    }

    fn open(path: &Path, access: Access) -> Result<Self, CatalogError> {
        fault::point("catalog open")?;
        let path = without_links(path)?;
        let file = CatalogFile::of_ours(&path)?;
        let writes = match access {
            Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        };
        if access == Access::Write {
            make_private(&path)?;
        }
        let flags = writes | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(&path, flags)?;
        connection.busy_timeout(LOCK_TIMEOUT)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.execute_batch(SETTINGS)?;
        let generation = check_format(&connection)?;
        if access == Access::Write {
            // SQLite has made its own files by now, as far as the umask let it.
            make_private(&path)?;
        }
        let catalog = Self { connection, path, file, generation };
        catalog.check_path()?;
        Ok(catalog)
    }

    /// Writes the log back if it is longer than `max` bytes and no other process uses it now. That it could not be is no
    /// failure: everything is in the log.
    pub(super) fn empty_log(&self, max: u64) {
        let log = companion(&self.path, COMPANION_SUFFIXES[0]);
        if fs::symlink_metadata(log).map_or(0, |log| log.len()) <= max || fault::point("catalog checkpoint").is_err() {
            return;
        }
        let emptied = self
            .connection
            .busy_timeout(Duration::ZERO)
            .and_then(|()| self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)"))
            .and(self.connection.busy_timeout(LOCK_TIMEOUT));
        if let Err(error) = emptied {
            tracing::debug!(%error, "the log of index.sqlite stays as it is");
        }
    }

    /// Fails with [`CatalogError::Moved`] if the name no longer leads to the open file.
    pub(super) fn check_path(&self) -> Result<(), CatalogError> {
        match fs::symlink_metadata(&self.path) {
            Ok(found) if CatalogFile::of(&found) == self.file => Ok(()),
            Ok(_) => Err(CatalogError::Moved),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(CatalogError::Moved),
            Err(error) => Err(error.into()),
        }
    }
}

impl CatalogFile {
    fn of(found: &fs::Metadata) -> Self {
        Self { device: found.dev(), inode: found.ino() }
    }

    /// The identity of a regular file of ours. The file is not opened: closing it would release SQLite's locks.
    fn of_ours(path: &Path) -> Result<Self, CatalogError> {
        let found = fs::symlink_metadata(path)?;
        if !found.is_file() {
            return Err(CatalogError::Foreign("not a regular file"));
        }
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(CatalogError::Foreign("owned by another user"));
        }
        Ok(Self::of(&found))
    }
}

/// The path with the links in its directory resolved. SQLite would refuse links there too, and a user may keep the data
/// directory behind one.
pub(super) fn without_links(path: &Path) -> Result<PathBuf, CatalogError> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(CatalogError::Foreign("not a file name"));
    };
    Ok(dir.canonicalize()?.join(name))
}

/// A database's companion: `index.sqlite-wal` for `-wal`.
pub(super) fn companion(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Takes from everyone else what they may do with the database and its companions, and gives us what the umask took.
fn make_private(path: &Path) -> Result<(), CatalogError> {
    for file in [path.to_owned(), companion(path, COMPANION_SUFFIXES[0]), companion(path, COMPANION_SUFFIXES[1])] {
        let is_private = |found: fs::Metadata| !found.is_file() || found.mode() & 0o777 == 0o600;
        if !fs::symlink_metadata(&file).map_or(true, is_private) {
            fault::point("chmod")?;
            fs::set_permissions(&file, Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
}

/// Checks that this version can use the database, and reads its generation.
fn check_format(connection: &Connection) -> Result<String, CatalogError> {
    let version: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version > VERSION {
        return Err(CatalogError::Newer(version));
    }
    if version < VERSION {
        return Err(CatalogError::Damaged(rusqlite::Error::InvalidQuery));
    }
    Ok(connection.query_row("SELECT generation FROM meta WHERE one = 1", [], |row| row.get(0))?)
}
