//! The shortened copy of a record in a list of tasks.

use serde_json::value::RawValue;

use super::{
    archive,
    catalog::{CatalogError, Changes, Row, StoredState},
    repository::Repositories,
};
use crate::task::{TaskRecord, Untrusted, cut_middle};

/// Maximum length of a text in an entry, in characters, unless the task specifies other limits.
pub(super) const MAX_TEXT_CHARS: usize = 2_000;

/// The entry for a record in `tasks.json`, with texts cut to `text` characters. It says nothing about changes, because
/// other programs expect what version 2.0.0 wrote.
pub(super) fn entry(record: &TaskRecord, text: usize) -> Box<RawValue> {
    let mut record = record.clone();
    record.progress.workspace = None;
    if let Some(end) = &mut record.end {
        end.changes = None;
    }
    shortened(record, text)
}

fn shortened(mut record: TaskRecord, text: usize) -> Box<RawValue> {
    let cut = |long: &Untrusted| Untrusted::from(cut_middle(long.raw(), text));
    record.start.task = cut(&record.start.task);
    let of_end = record.end.iter_mut().flat_map(|end| [&mut end.result, &mut end.agent_said]);
    for long in [&mut record.progress.command, &mut record.progress.model].into_iter().chain(of_end) {
        *long = long.take().map(|long| cut(&long));
    }
    record.progress.environment.clear();
    serde_json::value::to_raw_value(&record).expect("a record has only string keys")
}

/// The record in a catalog row: like an entry, and with the numbers of changed files and lines.
fn listed(record: &TaskRecord, text: usize) -> Box<RawValue> {
    let mut record = record.clone();
    if let Some(changes) = record.end.as_mut().and_then(|end| end.changes.as_mut()) {
        changes.paths.clear();
        changes.omitted.clear();
    }
    shortened(record, text)
}

/// The row for a record in the catalog. Texts of the original program's tasks are not cut, because reading an archived
/// one from its archive would take too long.
pub(super) fn row(record: &TaskRecord, text: usize, repositories: &mut Repositories) -> Row {
    let is_original = record.is_original();
    let directory = &record.progress.working_directory;
    let end = record.end.as_ref();
    Row {
        id: record.id.clone(),
        state: StoredState::of(record),
        started_at: record.start.started_at,
        completed_at: record.completed_at(),
        backend: record.progress.backend.as_ref().map(ToString::to_string).unwrap_or_default(),
        model: record.progress.model.as_ref().map(|model| cut_middle(model.raw(), MAX_TEXT_CHARS)).unwrap_or_default(),
        repository: match &record.start.repository {
            Some(repository) => repository.to_string_lossy().into_owned(),
            None => repositories.of(directory),
        },
        directory: directory.to_string_lossy().into_owned(),
        session: record.progress.session_id.clone().map(Untrusted::into_raw),
        usage: end.and_then(|end| end.usage),
        changes: end.and_then(|end| end.changes.as_ref()).map(|changes| Changes {
            files: changes.files,
            added: changes.added,
            removed: changes.removed,
        }),
        from_original: is_original,
        record: Box::<str>::from(listed(record, if is_original { usize::MAX } else { text })).into(),
    }
}

/// Parses the record in a catalog row. Fails with [`CatalogError::Damaged`] if it is unreadable.
pub(super) fn record_of(row: &Row) -> Result<TaskRecord, CatalogError> {
    let raw = serde_json::from_str::<&RawValue>(&row.record).ok();
    let record = raw.and_then(|raw| archive::understand(row.id.as_str(), raw));
    record.ok_or_else(|| CatalogError::unreadable(&row.id))
}
