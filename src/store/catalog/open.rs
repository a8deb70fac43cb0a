//! Opening the catalog.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{
    error::CatalogError,
    schema::VERSION,
    upgrade::{UPGRADABLE, upgrade},
};
use crate::store::fault;

/// How long one operation waits for a lock that another process holds.
pub(in crate::store) const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// How long work that can be done later waits for a lock.
const SHORT_LOCK_TIMEOUT: Duration = Duration::from_millis(100);

/// Suffixes of SQLite's companion files.
pub(super) const COMPANION_SUFFIXES: [&str; 2] = ["-wal", "-shm"];

/// Settings of each connection.
///
/// - `cache_size`: 64 KiB is enough, because the operating system caches the file too, and a server keeps a connection
///   open.
/// - `synchronous = NORMAL`: only a checkpoint waits for the disk. A power cut may undo the newest commits but does not
///   corrupt the file. With `OFF` it could, and nobody would notice.
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

/// Size of the write-ahead log, in bytes, at which it is written back to the database and truncated.
///
/// SQLite's automatic checkpoint is not enough. It runs after 4 MB of writes, but the counter is in shared memory and
/// is lost when the last process closes the file. If each write is made by another process, as by supervisors without a
/// server, the log would grow forever. Writing it back on every close would wait for the disk each time. The first
/// process that opens the file reads the whole log, at about 1 ms per MB; therefore a server that runs tasks keeps the
/// file open.
pub(super) const MAX_LOG_BYTES: u64 = 1 << 20;

/// An open catalog.
#[derive(Debug)]
pub(in crate::store) struct Catalog {
    pub(super) connection: Connection,
    path: PathBuf,
    file: CatalogFile,
    generation: String,
}

/// The identity of the file that a path leads to.
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
    /// Opens the catalog for reading and writing, and upgrades one of the version before. Does not create it; only a
    /// [rebuild](super::rebuild::rebuild) does.
    pub(in crate::store) fn open_to_write(path: &Path) -> Result<Self, CatalogError> {
        Self::open(path, Access::Write, LOCK_TIMEOUT)
    }

    /// The same, for work that can be done later. Hardly waits for locks.
    pub(in crate::store) fn open_to_write_soon(path: &Path) -> Result<Self, CatalogError> {
        Self::open(path, Access::Write, SHORT_LOCK_TIMEOUT)
    }

    /// Opens the catalog for reading. Writes nothing, except that SQLite may create its companion files.
    pub(in crate::store) fn open_to_read(path: &Path) -> Result<Self, CatalogError> {
        Self::open(path, Access::Read, LOCK_TIMEOUT)
    }

    /// The random name that the catalog got when it was created. Sequence numbers of different generations are not
    /// comparable.
    pub(in crate::store) fn generation(&self) -> &str {
        &self.generation
    }

    fn open(path: &Path, access: Access, lock_timeout: Duration) -> Result<Self, CatalogError> {
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
        connection.busy_timeout(lock_timeout)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.execute_batch(SETTINGS)?;
        if access == Access::Write && version(&connection)? == UPGRADABLE {
            upgrade(&connection)?;
            connection.execute_batch(SETTINGS)?;
        }
        let generation = check_format(&connection)?;
        if access == Access::Write {
            // SQLite has created its companion files now, with modes that depend on the umask.
            make_private(&path)?;
        }
        let catalog = Self { connection, path, file, generation };
        catalog.check_path()?;
        Ok(catalog)
    }

    /// Writes the log back if it is longer than `max` bytes and no other process is using it. If that fails, nothing is
    /// lost: the data is still in the log.
    pub(in crate::store) fn empty_log(&self, max: u64) {
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
            tracing::debug!(%error, "the log of index.sqlite was not written back");
        }
    }

    /// Fails with [`CatalogError::Moved`] if the path no longer leads to the open file.
    pub(in crate::store) fn check_path(&self) -> Result<(), CatalogError> {
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

    /// The identity of our regular file. Does not open the file, because closing it would release SQLite's locks.
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

/// Resolves links in the path's directory. SQLite would reject those too, but the user's data directory may be behind a
/// link.
pub(super) fn without_links(path: &Path) -> Result<PathBuf, CatalogError> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(CatalogError::Foreign("not a file name"));
    };
    Ok(dir.canonicalize()?.join(name))
}

/// The path of a companion file, such as `index.sqlite-wal` for the suffix `-wal`.
pub(super) fn companion(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Sets the modes of the database and its companion files to 0600.
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
    match version(connection)? {
        VERSION => {}
        UPGRADABLE => return Err(CatalogError::Older),
        newer @ VERSION.. => return Err(CatalogError::Newer(newer)),
        _ => return Err(CatalogError::Damaged(rusqlite::Error::InvalidQuery)),
    }
    Ok(connection.query_row("SELECT generation FROM meta WHERE one = 1", [], |row| row.get(0))?)
}

fn version(connection: &Connection) -> Result<i32, CatalogError> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}
