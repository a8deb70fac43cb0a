//! Reading the records of tasks.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    error::{StoreError, if_exists},
    files,
    layout::{Layout, RECORD_SUFFIX},
    notices::{Damage, Notices},
};
use crate::task::{RECORD_FORMAT, TaskId, TaskRecord};

/// The record in the task's own file, not in the index; `None` if there is none.
pub(super) fn own(layout: &Layout, id: &TaskId) -> Result<Option<TaskRecord>, StoreError> {
    let content = read_raw(&layout.record(id))?;
    Ok(content.and_then(|content| parse(id, &content)))
}

/// The same, and reports a damaged record.
pub(super) fn own_or_reported(
    layout: &Layout,
    notices: &Notices,
    id: &TaskId,
) -> Result<Option<TaskRecord>, StoreError> {
    let Some(content) = read_raw(&layout.record(id))? else { return Ok(None) };
    let record = parse(id, &content);
    // The original program wrote a similar file in another format; that is not damage.
    if record.is_none() && is_ours(&content) {
        notices.report(Damage::Record(id.clone()));
    }
    Ok(record)
}

/// Reads one of our files. Empty if the path holds something else, such as a directory; `None` if nothing exists there.
pub(super) fn read_raw(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match if_exists(files::read(path, files::MAX_LARGE_FILE_BYTES)) {
        Err(error) if files::is_foreign(&error) => Ok(Some(Vec::new())),
        read => read.map_err(StoreError::at("read", path)),
    }
}

/// The tasks that have a file named like a record; empty if the log directory does not exist.
pub(super) fn all(layout: &Layout) -> Result<impl Iterator<Item = TaskId> + use<>, StoreError> {
    let logs = &layout.logs;
    let files = if_exists(fs::read_dir(logs)).map_err(StoreError::at("read", logs))?;
    let names = files.into_iter().flatten().flatten().map(|file| file.file_name());
    Ok(names.filter_map(|name| TaskId::parse(name.to_str()?.strip_suffix(RECORD_SUFFIX)?).ok()))
}

/// The tasks with a run directory, running or not finalized; empty if the directory does not exist.
pub(super) fn open(layout: &Layout) -> Result<Vec<TaskId>, StoreError> {
    let root = layout.run_root();
    let names = if_exists(fs::read_dir(&root)).map_err(StoreError::at("read", &root))?;
    let ids = names.into_iter().flatten().flatten();
    Ok(ids.filter_map(|entry| TaskId::parse(entry.file_name().to_str()?).ok()).collect())
}

/// The files of a task outside its run directory; its record is last.
pub(super) fn files_of(layout: &Layout, id: &TaskId) -> [PathBuf; 5] {
    [layout.events(id), layout.timeline(id), layout.log(id), layout.result(id), layout.record(id)]
}

/// Parses the record of this task. Returns `None` if it is another task's record or in an unknown format.
pub(super) fn parse(id: &TaskId, content: &[u8]) -> Option<TaskRecord> {
    let is_known = |record: &TaskRecord| record.id == *id && record.format <= RECORD_FORMAT;
    serde_json::from_slice(content).ok().filter(is_known)
}

/// Whether the bytes are JSON in a later format.
pub(super) fn is_from_later_version(content: &[u8]) -> bool {
    let format = serde_json::from_slice::<serde_json::Value>(content).ok().and_then(|value| value["format"].as_u64());
    format.is_some_and(|format| format > u64::from(RECORD_FORMAT))
}

/// Whether the bytes are, or were meant to be, a record of this program in any version. The original program's records
/// have no format number.
pub(super) fn is_ours(content: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(content).map_or(true, |value| !value["format"].is_null())
}
