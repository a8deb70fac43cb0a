//! Cleans up after tasks: their worktrees, and, once their records are removed, their refs and workspace files.
//!
//! | the task | its worktree | its refs and its workspace file |
//! |---|---|---|
//! | is running | is left alone | are left alone |
//! | has ended | is removed if it is the same as the snapshot after the task; otherwise it is unlocked and kept | are kept |
//! | has ended and left processes running (`on_agent_exit = "leave"`) | is left alone while they run | are kept |
//! | was removed | the same | are removed, unless the worktree is kept or an undo, redo or apply cannot be finished |
//!
//! If a supervisor was killed, the snapshot after the task is taken here, so the work in a worktree is not lost.
//! If an undo, redo or apply of a removed task was interrupted, it is finished here, because nothing could restore the
//! files without the refs. Everything can be interrupted and repeated.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, Utc};

use super::{
    examined::{known, remember},
    git::Git,
    git_error::GitError,
    locking::lock_within,
    operation::Operator,
    operation_error::OperationError,
    refs::{delete_refs, list_refs, ref_name, update_ref},
    rest::Removal,
    run::{AFTER, message},
    shadow::{Base, Shadow},
    tree::real_path,
    tree_error::TreeError,
    tree_files::{MAKING, is_directory, moved_to, read_mark},
    tree_removal::{WhyKept, delete, remove_if_unchanged, snapshot_of_worktree, unlock},
};
use crate::{
    process::{Deadline, has_processes},
    store::{Reader, RepositoryLocking, StoreError, Workspaces, is_repository_key},
    task::{Place, RecoveredOperation, TaskId, TaskWorkspace, Worktree},
};

/// How long another process may work in the repository before it is skipped.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// How long git may take for one task.
const GIT_DEADLINE: Duration = Duration::from_secs(60);

/// The state of the task that a workspace file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskPhase {
    /// It is running, or its end is not complete.
    Running,
    /// It has ended.
    Ended,
    /// Its record was removed.
    Removed,
}

impl TaskPhase {
    /// The phase of a task.
    pub fn of(task: &TaskId, reader: &Reader) -> Result<Self, StoreError> {
        if reader.run_age(task).is_some() {
            return Ok(Self::Running);
        }
        Ok(match reader.record(task)? {
            None => Self::Removed,
            Some(record) if record.is_final() => Self::Ended,
            Some(_) => Self::Running,
        })
    }
}

/// A worktree that could not be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptTree {
    /// Its task.
    pub task: TaskId,
    /// Its path.
    pub path: PathBuf,
    /// Whether the task still has a record.
    pub phase: TaskPhase,
    /// Why it is kept.
    pub why: WhyKept,
}

/// The result of a cleanup.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CleanedUp {
    /// Removed tasks whose changes can no longer be shown, undone or applied.
    pub forgotten: Vec<TaskId>,
    /// Worktrees that are kept.
    pub kept: Vec<KeptTree>,
    /// Interrupted operations of removed tasks that were finished, or given up.
    pub recovered: Vec<RecoveredOperation>,
    /// Removed tasks whose snapshots are kept, because an interrupted operation could not be finished. That is tried
    /// again at the next cleanup.
    pub unfinished: Vec<TaskId>,
}

/// Cleans up in one data directory.
#[derive(Debug, Clone)]
pub struct CleanUp {
    /// The workspace files.
    pub files: Workspaces,
    /// The records.
    pub reader: Reader,
    /// The size limit of an untracked file in a snapshot, in bytes.
    pub max_file: u64,
    /// The current time.
    pub now: DateTime<Utc>,
}

/// Whether a worktree is compared with its snapshot again if it was kept a short time ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Examination {
    Always,
    UnlessRecent,
}

impl CleanUp {
    /// Cleans up after these tasks, or after all. A task for which that fails is tried again next time. Without `only`,
    /// worktrees that were examined a short time ago and seem to be the same are left alone.
    pub fn run(&self, only: Option<&[TaskId]>) -> CleanedUp {
        let all = || {
            let found = self.files.ids();
            found.unwrap_or_else(|error| {
                tracing::warn!(%error, "the workspace files cannot be listed");
                vec![]
            })
        };
        let examination = if only.is_some() { Examination::Always } else { Examination::UnlessRecent };
        let ids = only.map_or_else(all, <[TaskId]>::to_vec);
        self.clean_up_all(ids, examination, || Deadline::after(GIT_DEADLINE))
    }

    /// Cleans up after these tasks, until the deadline.
    pub(super) fn run_until(&self, only: &[TaskId], deadline: &Deadline) -> CleanedUp {
        self.clean_up_all(only.to_vec(), Examination::Always, || deadline.clone())
    }

    fn clean_up_all(&self, ids: Vec<TaskId>, examination: Examination, deadline: impl Fn() -> Deadline) -> CleanedUp {
        let mut done = CleanedUp::default();
        for id in ids {
            match self.clean_up(&id, examination, &deadline()) {
                Ok(Cleaned { kept, recovered, is_forgotten }) => {
                    done.kept.extend(kept);
                    done.recovered.extend(recovered);
                    done.forgotten.extend(is_forgotten.then_some(id));
                }
                Err(error) => {
                    tracing::warn!(%error, task = %id, "the workspace of a task was not cleaned up");
                    done.unfinished.extend(matches!(error, CleanUpError::Operation(_)).then_some(id));
                }
            }
        }
        done
    }

    /// Removes worktrees in `trees_dir` that were never finished, because their supervisor was killed. No agent has
    /// worked in them.
    pub fn remove_unfinished(&self, trees_dir: &Path) {
        let entries = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
        // `trees_dir` may contain directories of the user's, even empty ones. The marks name real paths.
        let name_of = |path: &Path| path.file_name().and_then(OsStr::to_str).map(str::to_owned).unwrap_or_default();
        let is_ours = |path: &PathBuf| is_repository_key(&name_of(path));
        let repositories: Vec<PathBuf> = entries(&real_path(trees_dir)).filter(is_ours).collect();
        let tasks = repositories.iter().flat_map(|repository| entries(repository));
        for dir in tasks.filter(|path| TaskId::parse(&name_of(path)).is_ok()) {
            // Succeeds only if it is empty.
            if fs::remove_dir(&dir).is_ok() {
                continue;
            }
            let mark = dir.join(MAKING);
            let Ok(file) = fs::File::open(&mark) else { continue };
            // The process that makes the worktree has locked the mark. It may use another data directory.
            let (Ok(()), Ok((common_dir, path))) = (file.try_lock(), read_mark(&mark)) else { continue };
            if path.parent() == Some(&dir)
                && let Err(error) = delete(&path, &common_dir)
            {
                tracing::warn!(%error, "an unfinished worktree was not removed");
            }
        }
        repositories.iter().for_each(|repository| drop(fs::remove_dir(repository)));
    }

    fn clean_up(&self, id: &TaskId, examination: Examination, deadline: &Deadline) -> Result<Cleaned, CleanUpError> {
        let phase = TaskPhase::of(id, &self.reader)?;
        let Some(found) = self.files.read(id)? else { return Ok(Cleaned::default()) };
        let has_tree = found.worktree.as_ref().is_some_and(|tree| !tree.is_removed);
        if phase == TaskPhase::Running || (phase == TaskPhase::Ended && !has_tree) {
            return Ok(Cleaned::default());
        }
        if examination == Examination::UnlessRecent
            && phase == TaskPhase::Ended
            && let Some(tree) = &found.worktree
            && let Some(why) = known(tree, found.after.as_ref(), self.now)
        {
            let kept = KeptTree { task: id.clone(), path: tree.path.clone(), phase, why };
            return Ok(Cleaned { kept: Some(kept), ..Cleaned::default() });
        }
        let locking = lock_within(&self.files, &found.place.common_dir, id, LOCK_TIMEOUT, deadline)?;
        let RepositoryLocking::Locked(_lock) = locking else { return Ok(Cleaned::default()) };
        // It may have changed before we had the lock.
        let Some(mut workspace) = self.files.read(id)? else { return Ok(Cleaned::default()) };
        let recovered = match phase {
            TaskPhase::Removed => self.finish_interrupted(&mut workspace, deadline)?,
            TaskPhase::Running | TaskPhase::Ended => None,
        };
        if let Some(tree) = workspace.worktree.clone().filter(|tree| !tree.is_removed)
            && let Some(why) = self.settle(&mut workspace, &tree, deadline)?
        {
            let kept = KeptTree { task: id.clone(), path: tree.path, phase, why };
            return Ok(Cleaned { kept: Some(kept), recovered, is_forgotten: false });
        }
        if phase == TaskPhase::Removed {
            remove_refs(&workspace, deadline)?;
            self.files.remove(id)?;
            return Ok(Cleaned { kept: None, recovered, is_forgotten: true });
        }
        Ok(Cleaned::default())
    }

    /// Finishes an interrupted operation in the user's work tree, if that still exists.
    fn finish_interrupted(
        &self,
        workspace: &mut TaskWorkspace,
        deadline: &Deadline,
    ) -> Result<Option<RecoveredOperation>, CleanUpError> {
        let Place { top, common_dir, .. } = &workspace.place;
        if !top.is_dir() || !common_dir.is_dir() {
            return Ok(None);
        }
        let git = Git::find(top, deadline.clone())?;
        let operator = Operator { git: &git, files: &self.files, max_file: self.max_file };
        Ok(operator.finish_interrupted(workspace)?)
    }

    /// Removes the worktree of a task that no longer runs, or returns why it is kept.
    fn settle(
        &self,
        workspace: &mut TaskWorkspace,
        tree: &Worktree,
        deadline: &Deadline,
    ) -> Result<Option<WhyKept>, CleanUpError> {
        // Nothing else of the agent runs any more.
        if tree.may_be_in_use && has_processes(&workspace.task) {
            return Ok(Some(WhyKept::InUse));
        }
        let common_dir = workspace.place.common_dir.clone();
        let unlock = || {
            if let Err(error) = unlock(&tree.path, &tree.git_dir, &common_dir) {
                tracing::warn!(%error, "a worktree remains locked");
            }
        };
        if let Some(path) = moved_to(&tree.path, &tree.git_dir) {
            unlock();
            return Ok(Some(WhyKept::Moved(path)));
        }
        let is_used = !tree.path.with_file_name(MAKING).exists();
        if is_directory(&tree.path) && is_used {
            if !common_dir.is_dir() {
                return Ok(Some(WhyKept::Unknown(format!("the repository {} does not exist", common_dir.display()))));
            }
            if let Some(why) = self.settle_used(workspace, tree, deadline)? {
                unlock();
                remember(workspace, &why, self.now);
                self.files.write(workspace)?;
                return Ok(Some(why));
            }
        } else {
            delete(&tree.path, &common_dir)?;
        }
        if let Some(tree) = &mut workspace.worktree {
            tree.is_removed = true;
        }
        self.files.write(workspace)?;
        Ok(None)
    }

    /// The same for a worktree that an agent has worked in.
    fn settle_used(
        &self,
        workspace: &mut TaskWorkspace,
        tree: &Worktree,
        deadline: &Deadline,
    ) -> Result<Option<WhyKept>, CleanUpError> {
        let git = Git::find(&workspace.place.top, deadline.clone())?;
        let temp = self.files.temp_dir()?;
        let dir = temp.path().join("shadow");
        fs::create_dir(&dir).map_err(TreeError::file("create", &dir))?;
        let place = Place { top: tree.path.clone(), git_dir: tree.git_dir.clone(), ..workspace.place.clone() };
        let base = Base { commit: workspace.before.clone(), omitted: workspace.omitted.clone() };
        let settings = &workspace.settings;
        let mut shadow =
            Shadow::create(&git, &place, settings, Some(base), self.max_file, &dir).map_err(TreeError::Shadow)?;
        shadow.copied_content.clone_from(&tree.copied_content);
        let after = match workspace.after.clone() {
            Some(after) => after,
            None => {
                let message = message(&workspace.task, AFTER);
                let taken = snapshot_of_worktree(&mut shadow, &message, &workspace.before).map_err(TreeError::from)?;
                shadow.publish().map_err(TreeError::Shadow)?;
                update_ref(&git, &workspace.place, &ref_name(&workspace.task, AFTER), &taken.commit)?;
                workspace.after = Some(taken.commit.clone());
                self.files.write(workspace)?;
                taken.commit
            }
        };
        let removal =
            Removal { task: &workspace.task, after: &after, omitted: &workspace.omitted, staged: tree.staged.as_ref() };
        Ok(remove_if_unchanged(&mut shadow, &removal)?)
    }
}

/// The result for one task.
#[derive(Debug, Default)]
struct Cleaned {
    kept: Option<KeptTree>,
    recovered: Option<RecoveredOperation>,
    is_forgotten: bool,
}

/// Removes all refs of a task. If its repository is gone, so are they.
fn remove_refs(workspace: &TaskWorkspace, deadline: &Deadline) -> Result<(), GitError> {
    let place = &workspace.place;
    if !place.common_dir.is_dir() {
        return Ok(());
    }
    let git = Git::find(&place.top, deadline.clone())?;
    let names: Vec<String> = list_refs(&git, place, Some(&workspace.task))?.into_iter().map(|(name, _)| name).collect();
    delete_refs(&git, place, &names)
}

/// A task's workspace could not be cleaned up.
#[derive(Debug, thiserror::Error)]
enum CleanUpError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error("an interrupted operation cannot be finished: {0}")]
    Operation(#[from] OperationError),
}

#[cfg(test)]
#[path = "cleanup_tests.rs"]
mod tests;
