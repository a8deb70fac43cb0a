//! Marks: the IDs of tasks that could not be written to the catalog when they changed.
//!
//! The file of marks has one ID per line. To catch up, a process renames the file, stores the tasks, and removes the
//! renamed file. After a crash at any point the IDs are still in one of these files.

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

/// Adds a task to the file of marks, because its latest change is not in the catalog.
pub(in crate::store) fn mark(pending: &Path, id: &TaskId) -> Result<(), StoreError> {
    let mut file = open_to_mark(pending)?;
    while !write_mark(&mut file, pending, id)? {
        file = open_to_mark(pending)?;
    }
    Ok(())
}

/// Writes an ID to the open file of marks. Returns `false` if the file was renamed before, because it may have been
/// read already.
pub(super) fn write_mark(file: &mut fs::File, pending: &Path, id: &TaskId) -> Result<bool, StoreError> {
    // The leading line break ends a line that a crash may have left incomplete.
    let line = format!("\n{id}\n");
    fault::point("catalog mark")
        .and_then(|()| file.write_all(line.as_bytes()))
        .map_err(StoreError::at("write", pending))?;
    let written = file.metadata().map_err(StoreError::at("inspect", pending))?;
    let is_written = |found: fs::Metadata| (found.dev(), found.ino()) == (written.dev(), written.ino());
    Ok(fs::symlink_metadata(pending).is_ok_and(is_written))
}

/// The marked tasks. A reader must read their records, because the catalog may lack them. It must read the marks before
/// the catalog, so that it does not miss a task that is stored in between.
pub(in crate::store) fn marked(pending: &Path) -> Result<BTreeSet<TaskId>, StoreError> {
    // Read renamed files last: a mark that is renamed in the meantime is then seen twice rather than missed.
    let mut ids = ids_in(pending)?;
    for file in renamed(pending)? {
        ids.extend(ids_in(&file)?);
    }
    Ok(ids)
}

impl Catalog {
    /// Stores the marked tasks, and removes the marks. `find` returns the current state of a task, or `None` if it no
    /// longer exists. Returns the number of marked tasks.
    pub(in crate::store) fn catch_up(
        &mut self,
        pending: &Path,
        mut find: impl FnMut(&TaskId) -> Option<Row>,
    ) -> Result<usize, CatalogError> {
        let system = |error: StoreError| CatalogError::from(error.source);
        if pending.symlink_metadata().is_ok_and(|found| found.is_file()) {
            // The name is unique, so no other process removes marks that have not been stored.
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
            // If a task's files are removed now, the task is removed from the catalog once we release the lock.
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

/// How many tasks are stored in one transaction. The number is limited, because other processes wait for the write
/// lock.
const TASKS_PER_TRANSACTION: usize = 64;

/// Opens the file of marks, and creates it if it does not exist.
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

/// Renamed files of marks: another process is catching up on them, or crashed while doing so.
fn renamed(pending: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let dir = pending.parent().unwrap_or(Path::new("/"));
    let name = pending.file_name().unwrap_or_default().to_string_lossy();
    let is_renamed = |file: &fs::DirEntry| {
        file.file_name().to_str().and_then(|file| file.strip_prefix(&*name)).is_some_and(|rest| rest.starts_with('-'))
    };
    let files = fs::read_dir(dir).map_err(StoreError::at("read", dir))?;
    Ok(files.flatten().filter(is_renamed).map(|file| file.path()).collect())
}

/// The IDs in a file of marks. Skips a line that a crash left incomplete.
fn ids_in(file: &Path) -> Result<BTreeSet<TaskId>, StoreError> {
    let content = match if_exists(files::read(file, files::MAX_SMALL_FILE_BYTES)) {
        Err(error) if files::is_foreign(&error) => None,
        content => content.map_err(StoreError::at("read", file))?,
    };
    let content = String::from_utf8_lossy(&content.unwrap_or_default()).into_owned();
    Ok(content.lines().filter_map(|line| TaskId::parse(line).ok()).collect())
}
