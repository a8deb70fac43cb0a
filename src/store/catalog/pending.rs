//! Tasks that the catalog lacks, because it could not be written when they changed.
//!
//! Their ids stand in a file, one a line. Who catches up renames that file, stores the tasks, and removes it, so that a
//! crash at any point leaves the ids where the next one finds them.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{
    error::CatalogError,
    open::{Catalog, MAX_LOG_BYTES},
    row::Row,
    write::put_counted,
};
use crate::{
    store::{
        aside::set_aside,
        error::{StoreError, if_exists},
        fault, files,
    },
    task::TaskId,
};

/// Notes in the file `pending` that a task has changed and the catalog does not know.
pub(in crate::store) fn mark(pending: &Path, id: &TaskId) -> Result<(), StoreError> {
    let mut file = open_to_mark(pending)?;
    while !write_mark(&mut file, pending, id)? {
        file = open_to_mark(pending)?;
    }
    Ok(())
}

/// Writes an id to the open file of marks. `false`: the file was renamed before, and may have been read by then.
pub(super) fn write_mark(file: &mut fs::File, pending: &Path, id: &TaskId) -> Result<bool, StoreError> {
    // Ends a line that a crash may have left incomplete.
    let line = format!("\n{id}\n");
    fault::point("catalog mark")
        .and_then(|()| file.write_all(line.as_bytes()))
        .map_err(StoreError::at("write", pending))?;
    let written = file.metadata().map_err(StoreError::at("look at", pending))?;
    let is_written = |there: fs::Metadata| (there.dev(), there.ino()) == (written.dev(), written.ino());
    Ok(fs::symlink_metadata(pending).is_ok_and(is_written))
}

/// The marked tasks. A reader has to read their records, because the catalog may lack them. It asks for the marks before
/// it asks the catalog, so that a task that is caught up on in between is not missed.
pub(in crate::store) fn marked(pending: &Path) -> Result<BTreeSet<TaskId>, StoreError> {
    // Renamed files last: a mark that is renamed while we look is then seen twice rather than not at all.
    let mut ids = ids_in(pending)?;
    for file in renamed(pending)? {
        ids.extend(ids_in(&file)?);
    }
    Ok(ids)
}

impl Catalog {
    /// Stores the tasks that are marked in the file `pending`, and removes the marks. `find` returns what is known of a
    /// task now, and `None` if it is gone. Returns the number of marks.
    pub(in crate::store) fn catch_up(
        &mut self,
        pending: &Path,
        mut find: impl FnMut(&TaskId) -> Option<Row>,
    ) -> Result<usize, CatalogError> {
        let system = |error: StoreError| CatalogError::from(error.source);
        if pending.symlink_metadata().is_ok_and(|found| found.is_file()) {
            // No other file ever has this name, so that nobody removes marks but those that were stored.
            let taken = renamed_name(pending, &uuid::Uuid::new_v4().simple().to_string());
            fault::point("catalog catch up")?;
            if_exists(fs::rename(pending, taken))?;
        }
        let files = renamed(pending).map_err(system)?;
        let mut ids = BTreeSet::new();
        for file in &files {
            ids.extend(ids_in(file).map_err(system)?);
        }
        let all: Vec<_> = ids.iter().collect();
        for some in all.chunks(TASKS_PER_TRANSACTION) {
            // A task whose files are removed now is removed from the catalog when we let go of the lock.
            self.writing(|transaction| {
                some.iter().filter_map(|id| find(id)).try_for_each(|row| put_counted(transaction, &row).map(drop))
            })?;
        }
        for file in &files {
            files::remove(file)?;
        }
        self.empty_log(MAX_LOG_BYTES);
        Ok(ids.len())
    }
}

/// How many tasks are stored in one transaction: others wait for the write lock.
const TASKS_PER_TRANSACTION: usize = 64;

/// Opens the file of marks, and makes it when it is not there.
pub(super) fn open_to_mark(pending: &Path) -> Result<fs::File, StoreError> {
    let opened = match files::append(pending) {
        Err(error) if files::is_foreign(&error) => {
            set_aside(pending)?;
            files::append(pending)
        }
        opened => opened,
    };
    opened.map_err(StoreError::at("open", pending))
}

fn renamed_name(pending: &Path, by: &str) -> PathBuf {
    let mut name = pending.as_os_str().to_owned();
    name.push("-");
    name.push(by);
    name.into()
}

/// The files of marks that someone is catching up on, or was before a crash.
fn renamed(pending: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let dir = pending.parent().unwrap_or(Path::new("/"));
    let name = pending.file_name().unwrap_or_default().to_string_lossy();
    let is_renamed = |file: &fs::DirEntry| {
        file.file_name().to_str().and_then(|file| file.strip_prefix(&*name)).is_some_and(|rest| rest.starts_with('-'))
    };
    let files = fs::read_dir(dir).map_err(StoreError::at("read", dir))?;
    Ok(files.flatten().filter(is_renamed).map(|file| file.path()).collect())
}

/// The ids in a file of marks; a line that a crash left incomplete is skipped.
fn ids_in(file: &Path) -> Result<BTreeSet<TaskId>, StoreError> {
    let content = match if_exists(files::read(file, files::MAX_SMALL_FILE_BYTES)) {
        Err(error) if files::is_foreign(&error) => None,
        content => content.map_err(StoreError::at("read", file))?,
    };
    let content = String::from_utf8_lossy(&content.unwrap_or_default()).into_owned();
    Ok(content.lines().filter_map(|line| TaskId::parse(line).ok()).collect())
}
