//! Making the catalog from the records.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};
use tempfile::TempPath;

use super::{
    aside::set_aside,
    error::{CatalogError, CatalogErrorSource},
    open::{Catalog, LOCK_TIMEOUT, without_links},
    row::Row,
    schema::{COUNT_ALL, ExistingRow, INDEXES, TABLES, VERSION, put},
};
use crate::store::{fault, files};

/// How the name of a file begins that `atomic::remove_leftovers` removes if its writer was killed.
const TEMPORARY_PREFIX: &str = ".new-";

/// Settings while the new file is filled, which nobody else sees yet.
const SETTINGS: &str = "
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA cache_size = -2048;
PRAGMA temp_store = MEMORY;
";

/// Gives each ended task a number, in the order in which they ended.
const NUMBER_ALL: &str = "
UPDATE tasks SET seq = place FROM
    (SELECT rowid AS task, row_number() OVER (ORDER BY ended_at, id) AS place FROM tasks WHERE ended_at IS NOT NULL)
    WHERE rowid = task;
UPDATE meta SET last_seq = (SELECT count(*) FROM tasks WHERE seq IS NOT NULL);
";

/// How a [`rebuild`] finds out whether the catalog that there is can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Check {
    /// It opens.
    Opens,
    /// It opens, and all of it can be read: something in it could not.
    Full,
}

/// The result of a [`rebuild`].
#[derive(Debug)]
pub(in crate::store) struct Rebuilt {
    /// The catalog that there is now.
    pub(in crate::store) catalog: Catalog,
    /// Whether it is new. If not, another process had made one first.
    pub(in crate::store) is_new: bool,
    /// The name under which an unusable one was kept.
    pub(in crate::store) aside: Option<PathBuf>,
}

/// Makes a new catalog from `rows` and puts it at `path`, unless there is one that can be used.
///
/// An unusable one is set aside *before* the first row is asked for, so `rows` has to read each record only then: from
/// that moment on, a writer finds no catalog and marks its task as pending, and nothing is missed. Of several rows of one
/// task the first is kept. The new file gets its name in one step when it is complete; a crash before leaves none. `lock`
/// is the file that one rebuild at a time holds. Fails with [`CatalogError::Locked`] if another takes longer than
/// [`LOCK_TIMEOUT`].
pub(in crate::store) fn rebuild(
    path: &Path,
    lock: &Path,
    check: Check,
    rows: impl IntoIterator<Item = Row>,
) -> Result<Rebuilt, CatalogError> {
    let path = &without_links(path)?;
    let lock = files::lock(lock, LOCK_TIMEOUT).map_err(|error| CatalogError::from(error.source))?;
    let Some(_lock) = lock else { return Err(CatalogError::Locked) };
    let opened = Catalog::open_to_write(path).and_then(|catalog| match check {
        Check::Opens => Ok(catalog),
        Check::Full => catalog.verify().map(|()| catalog),
    });
    match opened {
        Ok(catalog) => return Ok(Rebuilt { catalog, is_new: false, aside: None }),
        Err(error) if error.needs_rebuild() => {}
        Err(error) => return Err(error),
    }
    let aside = set_aside(path)?;
    let file = build(path, rows)?;
    fault::point("catalog install")?;
    file.persist_noclobber(path)
        .map_err(|failed| CatalogErrorSource::System(failed.error))
        .map_err(CatalogError::Io)?;
    fault::point("named")?;
    Ok(Rebuilt { catalog: Catalog::open_to_write(path)?, is_new: true, aside })
}

/// A complete new database under a temporary name beside `path`.
fn build(path: &Path, rows: impl IntoIterator<Item = Row>) -> Result<TempPath, CatalogError> {
    fault::point("catalog build")?;
    let dir = path.parent().unwrap_or(Path::new("/"));
    let file = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempfile_in(dir)?.into_temp_path();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(&file, flags)?;
    connection.execute_batch(SETTINGS)?;
    connection.execute_batch(&format!("BEGIN; {TABLES} PRAGMA user_version = {VERSION};"))?;
    connection.execute(
        "INSERT INTO meta (one, generation, last_seq) VALUES (1, ?1, 0)",
        params![uuid::Uuid::new_v4().simple().to_string()],
    )?;
    for row in rows {
        put(&connection, &row, None, ExistingRow::Kept)?;
    }
    connection.execute_batch(NUMBER_ALL)?;
    connection.execute_batch(INDEXES)?;
    connection.execute_batch(COUNT_ALL)?;
    connection.execute_batch("COMMIT; PRAGMA journal_mode = WAL;")?;
    fault::point("catalog built")?;
    connection.close().map_err(|(_, error)| error)?;
    // The name must not survive a power cut that the content does not: what is half there looks like damage only later.
    files::open(&file)?.sync_data()?;
    Ok(file)
}
