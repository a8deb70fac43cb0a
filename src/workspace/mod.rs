//! Workspaces: what a task finds in its git repository, what it changed there, and how that is reverted or applied. The
//! only code that runs git.
//!
//! The words:
//!
//! - A *place* is where a task works in git: the top of the work tree and its git directories. It is determined once,
//!   before the agent starts. Afterwards, nothing is searched for again.
//! - A *shadow repository* is a temporary git directory of our own outside the project. All commands that read files of
//!   the work tree run in it. It has a copy of the user's index, the frozen settings and an empty object directory
//!   (the *quarantine*), and reads the user's objects as alternates.
//! - The *frozen settings* are the user's settings before the agent started, reduced to those that affect the content of
//!   files.
//! - A *snapshot* is a commit with what the user sees: tracked, changed and untracked files.
//!
//! ```text
//! Git::find ─▶ find_place ─▶ check_place ─▶ FrozenSettings ─▶ Shadow::create ─▶ capture ─▶ complete ─▶ publish ─▶ refs
//! ```
//!
//! Two rules hold everywhere:
//!
//! - **The user's index, HEAD, branches, stash, configuration and hooks are never changed.** The only additions to the
//!   user's repository are objects, `refs/codex-connector/*`, and the registration of a task's worktree.
//! - **No code that an agent planted runs.** An agent can write a filter, a hook or a file system monitor into
//!   `.git/config`, into the configuration of a nested repository, or into another git directory to which it points
//!   `.git`. None of these is read: git always gets the shadow repository and the work tree explicitly, and nested
//!   repositories are not entered.
//!
//! Everything here blocks: async callers use a blocking thread.

#[cfg(test)]
mod after_tests;
#[cfg(test)]
mod attack_tests;
mod begin;
mod beneath;
mod branch;
mod candidates;
mod change;
mod changes;
mod checkout;
mod cleanup;
mod copies;
mod copying;
mod examined;
mod filters;
#[cfg(test)]
#[path = "fixture_tests.rs"]
mod fixture;
mod git;
mod git_error;
mod git_paths;
mod git_version;
mod guards;
mod hidden;
mod ignored;
mod ignored_before;
mod interrupted;
mod locking;
mod merge;
mod named;
mod operation;
mod operation_error;
#[cfg(test)]
mod operation_property_tests;
mod operation_recovery;
#[cfg(test)]
mod operation_states_tests;
mod patch;
mod permissions;
mod place;
mod preflight;
mod presence;
mod publishing;
mod raw_diff;
mod recovery;
mod refs;
mod rest;
mod restrict;
mod run;
mod run_tree;
#[cfg(test)]
mod scratch_tests;
mod selection;
mod settings;
mod shadow;
mod snapshot;
mod tree;
mod tree_content;
mod tree_error;
mod tree_files;
#[cfg(test)]
mod tree_limits_tests;
mod tree_removal;
mod tree_submodules;
mod trees;
mod unblocking;
mod uncovered;
mod unfiltered;

pub use crate::process::Deadline;
pub use begin::{Begun, CapturedWorkspace};
pub use changes::{changed_paths, summarize};
pub use cleanup::{CleanUp, CleanedUp, KeptTree, TaskPhase};
pub use git::{Git, GitCommand, GitOutput};
pub use git_error::GitError;
pub use git_version::{GIT_FOR_MERGES, GIT_FOR_SNAPSHOTS, GitVersion};
pub use guards::check_place;
pub use named::NamedFiles;
pub use operation::{OperationRequest, Operator};
pub use operation_error::OperationError;
pub use patch::{BoundedPatch, PatchForm, PatchRequest, bounded_patch, hide_paths, write_patch};
pub use place::{Head, NotCovered, find_place, head};
pub use refs::{delete_ref, delete_refs, list_refs, ref_name, update_ref};
pub use rest::Removal;
pub use run::{Beginning, Workspace, WorkspaceProblem};
pub use settings::read_settings;
pub use shadow::{Base, Shadow, ShadowError};
pub use snapshot::{Snapshot, SnapshotError};
pub use tree::{MadeTree, TreeRequest, create_tree};
pub use tree_content::TreeStart;
pub use tree_error::TreeError;
pub use tree_removal::{WhyKept, remove_if_unchanged};
pub use trees::{ExistingTree, TreeSizes, existing_trees, make_room};
