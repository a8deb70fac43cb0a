//! The settings of a task's workspace.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::TaskId;

/// How a task treats its repository. Part of the spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkspaceSpec {
    /// Whether snapshots are taken.
    pub snapshots: Snapshots,
    /// Whether the task gets its own worktree.
    pub tree: TreeUse,
    /// How to treat the task if another task that may write works in the same work tree.
    pub parallel: Parallel,
    /// Where worktrees are made.
    pub trees_dir: PathBuf,
    /// The size limit of an untracked file in a snapshot, in bytes.
    pub max_file: u64,
    /// The size limit of all worktrees together, in bytes; `None` means no limit.
    pub trees_max_bytes: Option<u64>,
    /// Ignored directories that a worktree gets as symbolic links to the original ones.
    pub symlink: Vec<PathBuf>,
    /// The task whose worktree this one continues in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<TaskId>,
}

impl Default for WorkspaceSpec {
    /// No snapshots and no worktree.
    fn default() -> Self {
        Self {
            snapshots: Snapshots::Off,
            tree: TreeUse::Never,
            parallel: Parallel::Warn,
            trees_dir: PathBuf::new(),
            max_file: u64::MAX,
            trees_max_bytes: None,
            symlink: vec![],
            continues: None,
        }
    }
}

/// Whether snapshots are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Snapshots {
    /// In every git repository, if the agent may change files.
    Auto,
    /// Never.
    Off,
}

/// Whether a task gets its own worktree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TreeUse {
    /// It works in the user's work tree.
    Never,
    /// It works in a worktree that begins with what the user sees.
    Always,
}

/// How to treat a second task that may write in the same work tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parallel {
    /// It starts, with a warning.
    Warn,
    /// It waits for the first one to end.
    Queue,
    /// It gets its own worktree.
    Tree,
}
