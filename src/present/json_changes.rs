//! The objects that `diff`, `undo`, `redo` and `apply` print with `--json`.

use base64::{Engine, prelude::BASE64_STANDARD};
use schemars::JsonSchema;
use serde::Serialize;

use super::operations::{PatchPart, conflict_words, kind_word};
use crate::task::{
    ChangedPath, Compared, ConflictReason, FileConflict, GitPath, OperationKind, OperationResult, RecoveredOperation,
    RecoveryState, TaskDiff, TaskId,
};

/// The changes of a task.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DiffObject {
    /// The task's ID.
    id: String,
    /// The commit with the files before the task.
    base: String,
    /// The commit with the files after it. If `compared` is not `end`, it is temporary and may not exist any more.
    head: String,
    /// The files that are compared with those before the task.
    compared: ComparedWord,
    /// The changed files, in the order of their paths.
    files: Vec<FileObject>,
    /// The number of lines added in text files.
    added: u64,
    /// The number of lines removed in text files.
    removed: u64,
    /// The task's own worktree; null if it has none.
    worktree: Option<String>,
    /// Whether all of these changes are undone.
    undone: bool,
    /// The number of these files whose changes are undone.
    undone_files: usize,
    /// An operation on these changes that was interrupted, so that some of the files in the work tree may be incomplete.
    recovered: Vec<RecoveredObject>,
    /// The patch, with secrets redacted and bytes that are not UTF-8 replaced; null if it was not requested. To get the
    /// exact patch, run `diff` without `--json` in a pipe.
    patch: Option<String>,
    /// The length of the whole patch in bytes; null if it was not requested.
    patch_bytes: Option<u64>,
    /// Whether `patch` is only the beginning of a longer patch.
    partial: bool,
}

/// The files that a diff compares with those before the task.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ComparedWord {
    /// The snapshot at the end of the task.
    End,
    /// The current files, because the task has not ended.
    Running,
    /// The current files, because no snapshot could be taken at the end of the task.
    NoSnapshot,
}

/// A changed file.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileObject {
    /// Its path relative to the top of the work tree. Bytes that are not UTF-8 are replaced.
    path: String,
    /// The exact bytes of the path in Base64, if they are not UTF-8.
    path_base64: Option<String>,
    /// Its path before it was renamed.
    old_path: Option<String>,
    /// The kind of change: `added`, `modified`, `deleted`, `renamed`, `mode` or `type`.
    kind: String,
    /// The number of lines added; null for a binary file.
    added: Option<u64>,
    /// The number of lines removed; null for a binary file.
    removed: Option<u64>,
    /// Whether a step of the agent names the file. If not, somebody else may have changed it.
    named: bool,
}

/// The result of an undo, a redo or an apply.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperationObject {
    /// The task's ID.
    id: String,
    /// The operation: `undo`, `redo` or `apply`.
    operation: OperationWord,
    /// Whether it was done. False with `--check`, if there are conflicts, and if it failed after interrupted operations were
    /// completed.
    done: bool,
    /// The top of the work tree to which the paths belong; null if it was not done for another reason than `--check`.
    directory: Option<String>,
    /// The paths of the files that were written, or would be.
    files: Vec<PathObject>,
    /// The paths of files that were left as they are, because the agent did not report changing them.
    skipped: Vec<PathObject>,
    /// The files that conflict with the operation. If there are any, it wrote nothing.
    conflicts: Vec<ConflictObject>,
    /// The branch that was created.
    branch: Option<String>,
    /// The new commit on that branch.
    commit: Option<String>,
    /// The IDs of tasks that were running in the work tree and may change its files again.
    running: Vec<String>,
    /// Interrupted operations in the same work tree that were found first.
    recovered: Vec<RecoveredObject>,
}

/// An operation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OperationWord {
    /// The task's changes were reverted.
    Undo,
    /// They were made again.
    Redo,
    /// They were written from the task's worktree to the user's files.
    Apply,
}

/// An operation that was interrupted.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RecoveredObject {
    /// The ID of its task.
    id: String,
    /// The operation: `undo`, `redo` or `apply`.
    operation: OperationWord,
    /// How it was treated.
    state: RecoveryWord,
    /// The files that still had to be written; if it is pending, all its files.
    files: Vec<PathObject>,
    /// Its files that were left as they are, because somebody changed them since. If it was abandoned, all its files.
    left: Vec<PathObject>,
}

/// How an interrupted operation was treated.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RecoveryWord {
    /// It was completed first.
    Finished,
    /// Nothing was done. The next `undo`, `redo` or `apply` without `--check` in the work tree completes it first.
    Pending,
    /// It was given up, because the repository no longer contains its snapshots. Some of its files may be written, and
    /// others not.
    Abandoned,
}

/// A path.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PathObject {
    /// The path relative to the top of the work tree. Bytes that are not UTF-8 are replaced.
    path: String,
    /// The exact bytes of the path in Base64, if they are not UTF-8.
    path_base64: Option<String>,
}

/// A file that conflicts with an operation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ConflictObject {
    /// The path relative to the top of the work tree. Bytes that are not UTF-8 are replaced.
    path: String,
    /// The exact bytes of the path in Base64, if they are not UTF-8.
    path_base64: Option<String>,
    /// The kind of conflict: `content`, `removed`, `in_the_way`, `behind_link`, `changed_meanwhile` or
    /// `not_writable`.
    kind: String,
    /// The same in words.
    reason: String,
}

impl DiffObject {
    /// The changes of a task, with the beginning of the patch if it was requested.
    pub(super) fn of(diff: &TaskDiff, patch: Option<&PatchPart>) -> Self {
        Self {
            id: diff.id.to_string(),
            base: diff.base.to_string(),
            head: diff.head.to_string(),
            compared: match diff.compared {
                Compared::End => ComparedWord::End,
                Compared::Running => ComparedWord::Running,
                Compared::NoSnapshot => ComparedWord::NoSnapshot,
            },
            files: diff.files.iter().map(FileObject::of).collect(),
            added: diff.added(),
            removed: diff.removed(),
            worktree: diff.worktree.as_ref().map(|path| path.to_string_lossy().into_owned()),
            undone: diff.undone > 0 && diff.undone == diff.files.len(),
            undone_files: diff.undone,
            recovered: diff.interrupted.iter().map(RecoveredObject::of).collect(),
            patch: patch.map(|part| part.text.raw().to_owned()),
            patch_bytes: patch.map(|part| part.size),
            partial: patch.is_some_and(|part| part.next.is_some()),
        }
    }
}

impl OperationObject {
    /// The result of an operation.
    pub(super) fn of(id: &TaskId, result: &OperationResult) -> Self {
        Self {
            id: id.to_string(),
            operation: result.kind.into(),
            done: !result.is_check,
            directory: Some(result.top.to_string_lossy().into_owned()),
            files: result.files.iter().map(PathObject::of).collect(),
            skipped: result.unnamed.iter().map(PathObject::of).collect(),
            conflicts: Vec::new(),
            branch: result.branch.as_ref().map(|branch| lossy(&branch.name)),
            commit: result.branch.as_ref().map(|branch| branch.commit.to_string()),
            running: result.running.iter().map(ToString::to_string).collect(),
            recovered: result.recovered.iter().map(RecoveredObject::of).collect(),
        }
    }

    /// An operation that was refused, with the conflicts that prevented it, and the interrupted operations that were
    /// completed before.
    pub(super) fn of_refused(
        id: &TaskId,
        kind: OperationKind,
        conflicts: &[FileConflict],
        recovered: &[RecoveredOperation],
    ) -> Self {
        Self {
            id: id.to_string(),
            operation: kind.into(),
            done: false,
            directory: None,
            files: Vec::new(),
            skipped: Vec::new(),
            conflicts: conflicts.iter().map(ConflictObject::of).collect(),
            branch: None,
            commit: None,
            running: Vec::new(),
            recovered: recovered.iter().map(RecoveredObject::of).collect(),
        }
    }
}

impl From<OperationKind> for OperationWord {
    fn from(kind: OperationKind) -> Self {
        match kind {
            OperationKind::Undo => Self::Undo,
            OperationKind::Redo => Self::Redo,
            OperationKind::Apply => Self::Apply,
        }
    }
}

impl FileObject {
    pub(super) fn of(file: &ChangedPath) -> Self {
        Self {
            path: lossy(&file.path),
            path_base64: base64(&file.path),
            old_path: file.old_path.as_ref().map(lossy),
            kind: kind_word(file.kind).to_owned(),
            added: file.added,
            removed: file.removed,
            named: file.is_named,
        }
    }
}

impl RecoveredObject {
    fn of(recovered: &RecoveredOperation) -> Self {
        let paths = |paths: &[GitPath]| paths.iter().map(PathObject::of).collect();
        Self {
            id: recovered.task.to_string(),
            operation: recovered.kind.into(),
            state: match recovered.state {
                RecoveryState::Finished => RecoveryWord::Finished,
                RecoveryState::Pending => RecoveryWord::Pending,
                RecoveryState::Abandoned => RecoveryWord::Abandoned,
            },
            files: paths(&recovered.files),
            left: paths(&recovered.left),
        }
    }
}

impl PathObject {
    fn of(path: &GitPath) -> Self {
        Self { path: lossy(path), path_base64: base64(path) }
    }
}

impl ConflictObject {
    fn of(conflict: &FileConflict) -> Self {
        let kind = match conflict.reason {
            ConflictReason::Content => "content",
            ConflictReason::Removed => "removed",
            ConflictReason::InTheWay => "in_the_way",
            ConflictReason::BehindLink => "behind_link",
            ConflictReason::ChangedMeanwhile => "changed_meanwhile",
            ConflictReason::NotWritable => "not_writable",
        };
        Self {
            path: lossy(&conflict.path),
            path_base64: base64(&conflict.path),
            kind: kind.to_owned(),
            reason: conflict_words(conflict.reason).to_owned(),
        }
    }
}

fn lossy(path: &GitPath) -> String {
    String::from_utf8_lossy(path.as_bytes()).into_owned()
}

/// The bytes of a path, unless its text is exact.
fn base64(path: &GitPath) -> Option<String> {
    let is_exact = str::from_utf8(path.as_bytes()).is_ok();
    (!is_exact).then(|| BASE64_STANDARD.encode(path.as_bytes()))
}
