//! A task's workspace and its changes in the output of `--json`.

use schemars::JsonSchema;
use serde::Serialize;

use super::json_changes::FileObject;
use crate::task::{Changes, ChangesPlace, Omission, OmissionReason, Standing, WorkspaceState};

/// The changes that a task made to its repository.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangesObject {
    /// The commit with the files before the task.
    base: String,
    /// The commit with the files after it.
    head: String,
    /// The number of changed files.
    files: u64,
    /// The number of lines added in text files.
    added: u64,
    /// The number of lines removed in text files.
    removed: u64,
    /// The number of changed files that the agent did not report changing. Somebody else may have changed them.
    unnamed: u64,
    /// The first changed files. Empty in lists of tasks; `diff` lists all.
    list: Vec<FileObject>,
    /// Where the changes are now: `made` (in place), `worktree` (only in the task's worktree), `branch`, `applied`,
    /// `partly_applied`, `redone`, `undone` or `partly_undone`; null if unknown.
    standing: Option<String>,
    /// The number of files that are not covered, because the snapshots do not contain them.
    omitted_files: u64,
    /// The number of these files that the agent reported changing. `undo` cannot restore them.
    omitted_named: u64,
    /// The first of these files, those that the agent reported changing first. Empty in lists of tasks.
    omitted: Vec<OmittedFile>,
}

/// A file that the snapshots do not contain.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct OmittedFile {
    /// Its path relative to the top of the work tree. Bytes that are not UTF-8 are replaced.
    path: String,
    /// Why: `too_large`, `secret`, `nested_repository`, `unreadable`, `filter`, `was_ignored`, `ignored` or `too_many`.
    reason: String,
}

/// The repository when a task began.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WorkspaceObject {
    /// The commit with the files before the task; null if no snapshot was taken.
    before: Option<String>,
    /// The commit that was checked out; null if there was none.
    head: Option<String>,
    /// The branch that was checked out; null if there was none.
    branch: Option<String>,
    /// The number of files with uncommitted changes.
    uncommitted: u64,
    /// The task's own worktree; null if it works in the working directory of the call.
    worktree: Option<String>,
    /// Why there is no snapshot, in one sentence; null if there is one.
    not_covered: Option<String>,
}

impl ChangesObject {
    pub(super) fn of(changes: &Changes, standing: Option<&Standing>) -> Self {
        Self {
            base: changes.base.to_string(),
            head: changes.head.to_string(),
            files: changes.files,
            added: changes.added,
            removed: changes.removed,
            unnamed: changes.unnamed,
            list: changes.paths.iter().map(FileObject::of).collect(),
            standing: standing.map(|standing| place_word(&standing.place).to_owned()),
            omitted_files: changes.omitted_files,
            omitted_named: changes.omitted_named,
            omitted: changes.omitted.iter().map(OmittedFile::of).collect(),
        }
    }
}

/// Where changes are, in one word for programs.
fn place_word(place: &ChangesPlace) -> &'static str {
    match place {
        ChangesPlace::Made => "made",
        ChangesPlace::Worktree => "worktree",
        ChangesPlace::Branch(_) => "branch",
        ChangesPlace::Applied => "applied",
        ChangesPlace::PartlyApplied { .. } => "partly_applied",
        ChangesPlace::Redone => "redone",
        ChangesPlace::Undone => "undone",
        ChangesPlace::PartlyUndone { .. } => "partly_undone",
    }
}

impl OmittedFile {
    fn of(omission: &Omission) -> Self {
        let reason = match omission.reason {
            OmissionReason::TooLarge { .. } => "too_large",
            OmissionReason::Secret => "secret",
            OmissionReason::NestedRepository => "nested_repository",
            OmissionReason::Unreadable => "unreadable",
            OmissionReason::Filter => "filter",
            OmissionReason::WasIgnored => "was_ignored",
            OmissionReason::Ignored => "ignored",
            OmissionReason::TooMany { .. } => "too_many",
        };
        Self { path: omission.path.to_untrusted().into_raw(), reason: reason.to_owned() }
    }
}

impl WorkspaceObject {
    pub(super) fn of(state: &WorkspaceState) -> Self {
        Self {
            before: state.before.as_ref().map(ToString::to_string),
            head: state.head.as_ref().map(ToString::to_string),
            branch: state.branch.as_ref().map(|branch| branch.to_untrusted().into_raw()),
            uncommitted: state.uncommitted,
            worktree: state.worktree.as_ref().map(|path| path.to_string_lossy().into_owned()),
            not_covered: state.not_covered.clone(),
        }
    }
}
