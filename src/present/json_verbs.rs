//! The objects that each verb prints with `--json`.

use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};

use super::{
    Refused,
    json_changes::{DiffObject, OperationObject},
    json_output::Output,
    json_parts::{ProblemObject, SettingObject, TotalObject},
    message::plain,
    operations::PatchPart,
};
use crate::task::{
    FileConflict, OperationKind, OperationResult, RecoveredOperation, TaskDiff, TaskId, Totals, UsageReport,
};

impl Output {
    /// The settings in force.
    pub(crate) fn config(
        file: Option<&Path>,
        exists: bool,
        settings: Vec<SettingObject>,
        problems: &[Refused],
    ) -> Self {
        let problem = |refused: &Refused| ProblemObject {
            problem: plain(&refused.problem),
            next: refused.next.as_ref().map(plain),
        };
        Self::Config {
            file: file.map(|file| file.to_string_lossy().into_owned()),
            exists,
            settings,
            problems: problems.iter().map(problem).collect(),
        }
    }

    /// A line of a task's log, which begins at `at` if it begins an entry.
    pub(crate) fn log_line(id: &TaskId, at: Option<DateTime<Utc>>, line: &[u8]) -> Self {
        let text = String::from_utf8_lossy(line);
        let text = at.and_then(|_| text.split_once("] ")).map_or(&*text, |(_, text)| text).to_owned();
        Self::LogLine { id: id.to_string(), at: at.map(time), text }
    }

    /// The tasks that were removed, or would be.
    pub(crate) fn removed(ids: &[TaskId], dry_run: bool) -> Self {
        Self::Removed { ids: ids.iter().map(TaskId::to_string).collect(), dry_run }
    }

    /// The changes of a task, with the beginning of the patch if it was requested.
    pub(crate) fn diff(diff: &TaskDiff, patch: Option<&PatchPart>) -> Self {
        Self::Diff(Box::new(DiffObject::of(diff, patch)))
    }

    /// The result of an undo, a redo or an apply.
    pub(crate) fn operation(id: &TaskId, result: &OperationResult) -> Self {
        Self::Operation(Box::new(OperationObject::of(id, result)))
    }

    /// An undo, a redo or an apply that was refused: the conflicts that prevented it, and the interrupted operations
    /// that were completed before.
    pub(crate) fn refused_operation(
        id: &TaskId,
        kind: OperationKind,
        conflicts: &[FileConflict],
        recovered: &[RecoveredOperation],
    ) -> Self {
        Self::Operation(Box::new(OperationObject::of_refused(id, kind, conflicts, recovered)))
    }

    /// The tokens used.
    pub(crate) fn usage(report: &UsageReport, repository: Option<&Path>) -> Self {
        Self::Usage {
            by: report.by.as_str().to_owned(),
            groups: report.groups.iter().map(|(name, totals)| total(name, *totals)).collect(),
            total: total("", report.total()),
            repository: repository.map(|path| path.to_string_lossy().into_owned()),
        }
    }
}

fn total(name: &str, totals: Totals) -> TotalObject {
    TotalObject {
        name: Some(name.to_owned()).filter(|name| !name.is_empty()),
        tasks: totals.tasks,
        unreported: totals.unreported,
        usage: totals.usage.into(),
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
