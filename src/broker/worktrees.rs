//! Cleaning up after tasks in their repositories, and the worktrees that exist.

use std::path::Path;

use chrono::Utc;
use connector_api::Sandbox;

use super::{Broker, NewTask, NotOperable, Refusal};
use crate::{
    config::ExtraTool,
    present::notices,
    store::{Filter, StoreError, Workspaces},
    task::{ChangesPlace, Parallel, Standing, TaskId, TaskRecord, TaskWorkspace, TreeUse},
    workspace::{CleanUp, CleanedUp, ExistingTree, TaskPhase, TreeSizes, existing_trees},
};

/// The number of tasks, of those that began last before the end of a task, that may have run at the same time.
const MAX_COMPARED: usize = 50;

impl Broker {
    /// Cleans up the workspaces of these tasks, or of all. Adds a notice for each worktree of a removed task that is
    /// kept, and for each interrupted operation of one, if `only` names tasks. Blocks.
    pub(super) fn clean_up_workspaces(&self, only: Option<&[TaskId]>) -> CleanedUp {
        let clean_up = CleanUp {
            files: Workspaces::of(&self.upkeep),
            reader: self.reader.clone(),
            max_file: self.config.workspace.max_file,
            now: Utc::now(),
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

    /// The worktrees that exist, with the space that each takes up, or took up at the last cleanup.
    pub async fn worktrees(&self) -> Result<Vec<ExistingTree>, Refusal> {
        let found = self
            .in_background(|broker| {
                existing_trees(&Workspaces::of(&broker.upkeep), &broker.reader, TreeSizes::Remembered)
            })
            .await;
        Ok(found.unwrap_or(Ok(vec![]))?)
    }

    /// Where the changes of an ended task are now; `None` if it changed nothing, or if that is unknown. Blocks.
    pub(super) fn standing_of(&self, record: &TaskRecord) -> Option<Standing> {
        let changes = record.file_changes()?;
        let workspace = Workspaces::of(&self.upkeep).read(&record.id).ok()??;
        let has_tool = |tool| self.config.serving.extra_tools.contains(&tool);
        Some(Standing {
            place: ChangesPlace::of(&workspace, changes),
            continues: workspace.continues,
            beside: Vec::new(),
            diff_by_tool: has_tool(ExtraTool::Diff),
            apply_by_tool: has_tool(ExtraTool::Apply),
        })
    }

    /// The record, redacted, with the tasks that may have changed files at the same time. Blocks.
    pub(super) fn clean_with_neighbors(&self, record: TaskRecord) -> TaskRecord {
        let mut record = self.clean(record);
        let beside = self.tasks_beside(&record);
        if let Some(standing) = &mut record.standing {
            standing.beside = beside;
        }
        record
    }

    /// Other tasks that may have changed files in the same work tree while this one ran, newest first; none if the agent
    /// named all changed files. Blocks.
    fn tasks_beside(&self, record: &TaskRecord) -> Vec<TaskId> {
        let is_uncertain = record.file_changes().is_some_and(|changes| changes.unnamed > 0);
        // In a queue, they waited for each other.
        if !is_uncertain || self.config.workspace.parallel == Parallel::Queue {
            return Vec::new();
        }
        let Some(top) = work_tree(&record.progress.working_directory) else { return Vec::new() };
        let repository = record.start.repository.as_ref().map(|path| path.to_string_lossy().into_owned());
        let filter = Filter { repository, until: record.completed_at(), ..Filter::default() };
        let found = self.reader.find(&filter, MAX_COMPARED).map(|listing| listing.records).unwrap_or_default();
        let was_running = |other: &TaskRecord| {
            let has_changed = other.end.is_none() || other.file_changes().is_some();
            has_changed && other.completed_at().is_none_or(|at| at > record.start.started_at)
        };
        let beside =
            found.into_iter().filter(|other| other.id != record.id && writes_in(other, top) && was_running(other));
        beside.map(|other| other.id).collect()
    }

    /// The tasks whose agents are running and may change files in the work tree with this top, except for one. Blocks.
    pub(super) fn running_in(&self, top: &Path, except: &TaskId) -> Result<Vec<TaskId>, StoreError> {
        let queued = self.reader.queued()?;
        let mut running = Vec::new();
        for id in self.reader.running_ids()? {
            let is_running = id != *except && !queued.contains(&id) && self.reader.is_leased(&id)?;
            if is_running && self.reader.record(&id)?.is_some_and(|record| writes_in(&record, top)) {
                running.push(id);
            }
        }
        Ok(running)
    }

    /// Fails with [`NotOperable::BasedOn`] if this task continued in the worktree of a task whose changes are not in the
    /// user's files, because its own changes are based on them. Names the first such task. Blocks.
    pub(super) fn check_base_applied(&self, workspace: &TaskWorkspace) -> Result<(), Refusal> {
        let files = Workspaces::of(&self.upkeep);
        let mut first = None;
        let mut earlier = workspace.continues.clone();
        while let Some(id) = earlier {
            // Once it is removed, its changes cannot be applied any more.
            let (Some(base), Some(record)) = (files.read(&id)?, self.reader.record(&id)?) else { break };
            let changes = record.end.as_ref().and_then(|end| end.changes.as_ref());
            let place = changes.filter(|changes| changes.files > 0).map(|changes| ChangesPlace::of(&base, changes));
            if matches!(place, Some(ChangesPlace::Worktree | ChangesPlace::Undone)) {
                first = Some(id);
            }
            earlier = base.continues;
        }
        match first {
            Some(earlier) => Err(NotOperable::BasedOn { id: workspace.task.clone(), earlier }.into()),
            None => Ok(()),
        }
    }

    /// Whether this task will get its own worktree, as far as that is known before it starts.
    pub fn tree_use(&self, task: &NewTask) -> TreeUse {
        let backend = task.backend.as_ref().unwrap_or(&self.config.default_backend);
        let earlier = task.resume.as_ref().and_then(|resume| resume.sandbox);
        let sandbox = task.sandbox.or(earlier).unwrap_or_else(|| self.config.default_sandbox_of(backend).0);
        let continues = task.resume.as_ref().is_some_and(|resume| resume.continues.is_some());
        match task.worktree {
            _ if continues => TreeUse::Always,
            _ if sandbox == Sandbox::ReadOnly => TreeUse::Never,
            Some(wanted) => wanted,
            None if self.gets_worktree(Some(backend)) => TreeUse::Always,
            None => TreeUse::Never,
        }
    }

    /// Whether a worktree of this task is expected, as far as the configuration says.
    pub(super) fn gets_worktree(&self, backend: Option<&connector_api::BackendName>) -> bool {
        let own = backend.and_then(|name| self.config.workspaces.get(name));
        own.unwrap_or(&self.config.workspace).tree == TreeUse::Always
    }
}

/// Whether a task may change, or may have changed, files in the work tree with this top.
fn writes_in(record: &TaskRecord, top: &Path) -> bool {
    record.start.sandbox != Some(Sandbox::ReadOnly)
        && record.progress.workspace.as_ref().is_none_or(|state| state.worktree.is_none())
        && work_tree(&record.progress.working_directory) == Some(top)
}

/// The top of the work tree that contains a directory; `None` outside git.
pub(super) fn work_tree(directory: &Path) -> Option<&Path> {
    directory.ancestors().find(|level| crate::directory::is_repository(level))
}
