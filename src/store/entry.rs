//! A record as it stands in a list of tasks, with its long texts cut.

use serde_json::value::RawValue;

use super::{
    archive,
    catalog::{CatalogError, Row},
    repository::Repositories,
};
use crate::task::{TaskRecord, Untrusted, cut_middle};

/// The characters of a text that an entry keeps if it is not written for a task with limits of its own.
pub(super) const MAX_TEXT_CHARS: usize = 2_000;

/// The entry of a record in `tasks.json`, its texts cut to `text` characters.
pub(super) fn entry(record: &TaskRecord, text: usize) -> Box<RawValue> {
    let mut record = record.clone();
    let cut = |long: &Untrusted| Untrusted::from(cut_middle(long.raw(), text));
    record.start.task = cut(&record.start.task);
    let of_end = record.end.iter_mut().flat_map(|end| [&mut end.result, &mut end.agent_said]);
    for long in [&mut record.progress.command, &mut record.progress.model].into_iter().chain(of_end) {
        *long = long.take().map(|long| cut(&long));
    }
    record.progress.environment.clear();
    serde_json::value::to_raw_value(&record).expect("a record has only string keys")
}

/// The row of a record in the catalog. The texts of a task of the original program are not cut: for an archived one
/// there is no other place to read them from in time.
pub(super) fn row(record: &TaskRecord, text: usize, repositories: &mut Repositories) -> Row {
    let is_original = record.format == 0 || record.from_original;
    let directory = &record.progress.working_directory;
    let end = record.end.as_ref();
    Row {
        id: record.id.clone(),
        state: record.status(),
        started_at: record.start.started_at,
        completed_at: record.completed_at(),
        backend: record.progress.backend.as_ref().map(ToString::to_string).unwrap_or_default(),
        repository: repositories.of(directory),
        directory: directory.to_string_lossy().into_owned(),
        session: record.progress.session_id.clone().map(Untrusted::into_raw),
        usage: end.and_then(|end| end.usage),
        changes: None,
        from_original: is_original,
        record: entry(record, if is_original { usize::MAX } else { text }).get().to_owned(),
    }
}

/// The record in a row of the catalog. Fails with [`CatalogError::Damaged`] if there is none.
pub(super) fn record_of(row: &Row) -> Result<TaskRecord, CatalogError> {
    let raw = serde_json::from_str::<&RawValue>(&row.record).ok();
    let record = raw.and_then(|raw| archive::understand(row.id.as_str(), raw));
    record.ok_or_else(|| CatalogError::unreadable(&row.id))
}
