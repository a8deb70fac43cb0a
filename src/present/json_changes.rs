//! The objects that `diff`, `undo`, `redo` and `apply` print with `--json`.

use base64::{Engine, prelude::BASE64_STANDARD};
use schemars::JsonSchema;
use serde::Serialize;

use super::operations::{PatchPart, conflict_words, kind_word};
use crate::task::{
    ChangedPath, Compared, ConflictReason, FileConflict, GitPath, OperationKind, OperationResult, TaskDiff, TaskId,
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
    /// Whether it was done. False with `--check`, and if there are conflicts.
    done: bool,
    /// The top of the work tree to which the paths belong; null if there are conflicts.
    directory: Option<String>,
    /// The paths of the files that were written, or would be.
    files: Vec<PathObject>,
    /// The paths of files that were left as they are, because the agent did not report changing them.
    skipped: Vec<PathObject>,
    /// The files that were changed in another way. If there are any, nothing was written.
    conflicts: Vec<ConflictObject>,
    /// The branch that was created.
    branch: Option<String>,
    /// The new commit on that branch.
    commit: Option<String>,
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

/// A path.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PathObject {
    /// The path relative to the top of the work tree. Bytes that are not UTF-8 are replaced.
    path: String,
    /// The exact bytes of the path in Base64, if they are not UTF-8.
    path_base64: Option<String>,
}

/// A file that was changed in another way.
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
        }
    }

    /// The conflicts that prevented an operation.
    pub(super) fn of_conflicts(id: &TaskId, kind: OperationKind, conflicts: &[FileConflict]) -> Self {
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
