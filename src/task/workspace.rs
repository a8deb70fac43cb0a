//! A task's workspace: where it works in git, its snapshots, and what was done with them since.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{GitPath, ObjectId, Omission, TaskId};

/// The format of the workspace file that this version writes.
pub const WORKSPACE_FORMAT: u32 = 1;

/// The content of a task's workspace file. It is kept until the task's refs and its worktree are gone, so it can outlive
/// the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskWorkspace {
    /// [`WORKSPACE_FORMAT`].
    pub format: u32,
    /// The task.
    pub task: TaskId,
    /// Where its changes belong. For a task with a worktree, this is the place that the worktree was made from.
    pub place: Place,
    /// The task's own worktree, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worktree: Option<Worktree>,
    /// The task in whose worktree this one continues, with that task's changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<TaskId>,
    /// The settings before the task. All later commands on its files use them.
    #[serde(default)]
    pub settings: FrozenSettings,
    /// The snapshot before the task.
    pub before: ObjectId,
    /// Files that existed before the task and that `before` does not contain. No later snapshot contains them either,
    /// because otherwise they would appear to have been added by the task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omitted: Vec<Omission>,
    /// The snapshot after it; `None` while it runs, or if none could be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ObjectId>,
    /// The files that the agent's events name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<GitPath>,
    /// Permissions of changed files that are narrower than git's, before and after the task. At most 1,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modes: Vec<NarrowMode>,
    /// Every undo, redo and apply of the task's changes, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<Operation>,
}

/// Where a task works in git. Found before the agent starts, and never searched for again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The top of the work tree: an absolute, real path.
    pub top: PathBuf,
    /// The git directory of this work tree.
    pub git_dir: PathBuf,
    /// The git directory that all work trees of the repository share.
    pub common_dir: PathBuf,
    /// The working directory, relative to `top`.
    pub prefix: PathBuf,
    /// The hash function of the repository.
    pub object_format: ObjectFormat,
}

/// The user's git settings before a task, reduced to those that affect the content of files. A setting that an agent
/// adds later has no effect.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrozenSettings {
    /// Keys and values, in git's order: the last value of a key wins.
    pub values: Vec<FrozenSetting>,
    /// Names of filters that are never run, because the project determines what they do. Files with such a filter are
    /// not covered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unusable_filters: Vec<GitPath>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrozenSetting {
    /// The key as git prints it, such as `core.autocrlf`.
    pub key: GitPath,
    /// The value.
    pub value: GitPath,
}

/// The hash function of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectFormat {
    /// SHA-1, the default.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// A worktree that was made for one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Worktree {
    /// The top of the worktree, an absolute path.
    pub path: PathBuf,
    /// Its git directory, in the directory `worktrees` of the repository.
    pub git_dir: PathBuf,
    /// Whether it was removed, after its snapshot was taken, or a later task continues in it.
    #[serde(default)]
    pub is_removed: bool,
    /// Whether it was made for an earlier task, whose session this one resumes.
    #[serde(default)]
    pub is_continued: bool,
    /// Whether processes of the agent may run after the task and use it (`on_agent_exit = "leave"`).
    #[serde(default)]
    pub may_be_in_use: bool,
    /// The result of the last cleanup that kept it. Boxed, because few worktrees have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub examined: Option<Box<ExaminedTree>>,
    /// The tree with the user's staged files, which were staged in it at first; `None` if HEAD has the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<ObjectId>,
    /// Ignored files that were copied into it according to `.worktreeinclude`. They never appear in a diff.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copied: Vec<GitPath>,
    /// The content of these files, as objects that need not exist. New files with the same content are copies of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copied_content: Vec<ObjectId>,
}

/// The result of a cleanup that kept the worktree of an ended task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExaminedTree {
    /// When.
    pub at: DateTime<Utc>,
    /// The snapshot after the task that it was compared with.
    pub after: ObjectId,
    /// The latest change of the top directory and of the main files of its git directory, in nanoseconds since 1970.
    pub changed: i64,
    /// Why it was kept, in one sentence of our own for people.
    pub why: String,
    /// The space that it took up, in bytes.
    pub bytes: u64,
}

/// One undo, redo or apply. Written before the first file is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// The kind.
    pub kind: OperationKind,
    /// When it began.
    pub at: DateTime<Utc>,
    /// The snapshot of the work tree before it.
    pub ours: ObjectId,
    /// The content that it writes: a commit with `ours` and the changed files, whose parent is `ours`.
    pub target: ObjectId,
    /// The files that it changes.
    pub paths: Vec<GitPath>,
    /// The files that the task changed and that the operation covers. They can differ from `paths`, for example because
    /// somebody renamed a file meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<GitPath>,
    /// Permissions of these files that are narrower than git's, before and after the operation. At most 1,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modes: Vec<NarrowMode>,
    /// The branch that an apply created instead of writing files. Then `ours` was checked out, and `target` is on the
    /// branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<GitPath>,
    /// The marker of the processes that write its files. If it was interrupted, they may still run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<TaskId>,
    /// Whether git failed while it wrote the files. If it was interrupted then, several of them may be missing or
    /// incomplete; after a kill, only one.
    #[serde(default)]
    pub has_failed: bool,
    /// Its progress.
    pub state: OperationState,
}

/// Permissions of a changed file that are narrower than those that git gives it, as the usual octal number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NarrowMode {
    /// Its path.
    pub path: GitPath,
    /// Those before the change; `None` if there was no such file, or they were git's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u32>,
    /// Those after it; `None` likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u32>,
}

/// The kind of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationKind {
    /// It reverts what the task did.
    Undo,
    /// It does again what an undo reverted.
    Redo,
    /// It writes what the task did in its worktree to the user's work tree.
    Apply,
}

/// How far an operation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationState {
    /// Files are being written, or the process that wrote them was killed.
    Begun,
    /// All files are written.
    Done,
    /// Nothing of it remains.
    Reverted,
    /// It was interrupted, and it can be neither finished nor reverted, because the repository no longer contains its
    /// snapshots.
    Abandoned,
}
