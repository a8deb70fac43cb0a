//! Cleaning up after tasks in their repositories, and the worktrees that exist.

use std::path::Path;

use super::{Broker, Refusal};
use crate::{
    present::notices,
    store::Workspaces,
    task::{TaskId, TreeUse},
    workspace::{CleanUp, CleanedUp, ExistingTree, TaskPhase, existing_trees},
};

impl Broker {
    /// Cleans up the workspaces of these tasks, or of all. Adds a notice for each worktree of a removed task that is
    /// kept, and for each interrupted operation of one, if `only` names tasks. Blocks.
    pub(super) fn clean_up_workspaces(&self, only: Option<&[TaskId]>) -> CleanedUp {
        let clean_up = CleanUp {
            files: Workspaces::of(&self.upkeep),
            reader: self.reader.clone(),
            max_file: self.config.workspace.max_file,
        };
        let done = clean_up.run(only);
        if only.is_none() {
            clean_up.remove_unfinished(&self.config.workspace.trees_dir);
            for spec in self.config.workspaces.values() {
                clean_up.remove_unfinished(&spec.trees_dir);
            }
        } else {
            for kept in done.kept.iter().filter(|kept| kept.phase == TaskPhase::Removed) {
                self.reader.notices().add(notices::kept_worktree(&kept.task, &kept.path, &kept.why.to_string()));
            }
            for recovered in &done.recovered {
                self.reader.notices().add(notices::recovered(recovered));
            }
            for id in &done.unfinished {
                self.reader.notices().add(notices::unfinished(id));
            }
        }
        done
    }

    /// The worktrees that exist, with the space that each takes up.
    pub async fn worktrees(&self) -> Result<Vec<ExistingTree>, Refusal> {
        let found = self.in_background(|broker| existing_trees(&Workspaces::of(&broker.upkeep), &broker.reader)).await;
        Ok(found.unwrap_or(Ok(vec![]))?)
    }

    /// Whether a worktree of this task is expected, as far as the configuration says.
    pub(super) fn gets_worktree(&self, backend: Option<&connector_api::BackendName>) -> bool {
        let own = backend.and_then(|name| self.config.workspaces.get(name));
        own.unwrap_or(&self.config.workspace).tree == TreeUse::Always
    }
}

/// The top of the work tree that contains a directory; `None` outside git.
pub(super) fn work_tree(directory: &Path) -> Option<&Path> {
    directory.ancestors().find(|level| crate::directory::is_repository(level))
}
