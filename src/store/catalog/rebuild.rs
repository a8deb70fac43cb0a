//! Building the catalog from the records.

use std::{
    borrow::Borrow,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, params};
use tempfile::TempPath;

use super::{
    aside::set_aside,
    error::{CatalogError, CatalogErrorSource},
    open::{Catalog, LOCK_TIMEOUT, without_links},
    row::Row,
    schema::{ALL_TALLIES, ExistingRow, INDEXES, TABLES, VERSION, put},
    verify::RecordParser,
};
use crate::store::{fault, files};

/// Prefix of temporary files. `atomic::remove_leftovers` removes them if their writer was killed.
const TEMPORARY_PREFIX: &str = ".new-";

/// Settings while the new file is filled. No other process sees it yet.
const SETTINGS: &str = "
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA cache_size = -2048;
PRAGMA temp_store = MEMORY;
";

/// Numbers all ended tasks in the order in which they ended. The rows are changed in the order in which they are stored,
/// because most rows fill a page of the file.
const NUMBER_ALL: &str = "
CREATE TEMP TABLE numbers AS SELECT task, place FROM
    (SELECT rowid AS task, row_number() OVER (ORDER BY ended_at, id) AS place FROM tasks WHERE ended_at IS NOT NULL)
    ORDER BY task;
UPDATE tasks SET seq = place FROM temp.numbers WHERE tasks.rowid = task;
UPDATE meta SET last_seq = (SELECT count(*) FROM tasks WHERE seq IS NOT NULL);
";

/// How thoroughly a [`rebuild`] checks the existing catalog before it keeps it.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum Check {
    /// It opens.
    Opens,
    /// It opens, and all of it is readable, including the records in its rows. For use after something in it was not.
    Full(RecordParser),
}

/// The result of a [`rebuild`].
#[derive(Debug)]
pub(in crate::store) struct Rebuilt {
    /// The current catalog.
    pub(in crate::store) catalog: Catalog,
    /// Whether it was just built. If not, another process has already built one.
    pub(in crate::store) is_new: bool,
    /// The path under which an unusable catalog was kept.
    pub(in crate::store) aside: Option<PathBuf>,
}

/// Builds a new catalog from `rows` at `path`, unless a usable one exists.
///
/// An unusable catalog is set aside *before* the first row is requested, and `rows` must not read any record earlier.
/// From that moment on, writers find no catalog and mark their tasks as pending, so no change is missed. If there are
/// several rows for a task, the first is kept. Only one row is held at a time. The complete file is renamed to `path` at the end; a crash before that
/// leaves no catalog. Each rebuild holds the lock on the file `lock`. Fails with [`CatalogError::Locked`] if another
/// rebuild holds it longer than [`LOCK_TIMEOUT`].
pub(in crate::store) fn rebuild(
    path: &Path,
    lock: &Path,
    check: Check,
    rows: impl IntoIterator<Item: Borrow<Row>>,
) -> Result<Rebuilt, CatalogError> {
    let path = &without_links(path)?;
    let lock = files::lock(lock, LOCK_TIMEOUT).map_err(|error| CatalogError::from(error.source))?;
    let Some(_lock) = lock else { return Err(CatalogError::Locked) };
    let opened = Catalog::open_to_write(path).and_then(|catalog| match check {
        Check::Opens => Ok(catalog),
        Check::Full(parse) => catalog.verify(parse).map(|()| catalog),
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

/// Builds a complete database in a temporary file next to `path`.
fn build(path: &Path, rows: impl IntoIterator<Item: Borrow<Row>>) -> Result<TempPath, CatalogError> {
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
        put(&connection, row.borrow(), None, ExistingRow::Kept)?;
    }
    connection.execute_batch(NUMBER_ALL)?;
    connection.execute_batch(INDEXES)?;
    connection.execute_batch(&format!("INSERT INTO tallies {ALL_TALLIES}"))?;
    connection.execute_batch("COMMIT; PRAGMA journal_mode = WAL;")?;
    fault::point("catalog built")?;
    connection.close().map_err(|(_, error)| error)?;
    // Sync the content before the file gets its name. Otherwise a power cut could leave an incomplete file with the
    // final name, and its damage might be noticed only later.
    files::open(&file)?.sync_data()?;
    Ok(file)
}
