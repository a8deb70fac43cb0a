//! Shows what a task changed in its repository.

use std::{io, path::Path, time::Duration};

use connector_api::Sandbox;

use super::{
    Broker, NotOperable, PathSelection, Refusal, TaskPatch,
    path_selection::Selectors,
    workspace_problem::{git_problem, shadow_problem, snapshot_problem},
};
use crate::{
    blocking::{BlockingTimeout, Lane},
    store::Workspaces,
    task::{
        ChangedPath, Compared, GitPath, OperationKind, OperationState, Place, RecoveredOperation, RecoveryState,
        TaskDiff, TaskId, TaskRecord, TaskWorkspace, last_operations,
    },
    workspace::{
        Base, Deadline, Git, GitError, PatchForm, PatchRequest, Shadow, ShadowError, changed_paths, hide_paths,
        write_patch,
    },
};

/// Threads for git. Each request runs several commands one after the other.
static GIT: Lane = Lane::new(8);

/// How long all commands of git for one request may take together.
const GIT_DEADLINE: Duration = Duration::from_secs(300);

/// How long a request may take. Longer than [`GIT_DEADLINE`] and two writes of files, each of which may take ten minutes, so
/// that git's own deadline is reported and no operation is still writing when it is reported as failed.
const REQUEST_DEADLINE: Duration = Duration::from_secs(330 + 2 * 600);

/// The content of a diff in addition to the list of changed files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiffContent {
    /// Nothing.
    Files,
    /// A patch for people and models: without the content of binary files, and with secrets redacted.
    ShownPatch,
    /// A patch for `git apply`: complete, and not redacted.
    ExactPatch,
}

/// The opened workspace of a task.
pub(super) struct Opened {
    pub(super) workspace: TaskWorkspace,
    pub(super) git: Git,
    pub(super) files: Workspaces,
}

impl Broker {
    /// The changes of a task, in all files or in selected ones, with a patch if `content` asks for one. While the task is
    /// running, and if it left no second snapshot, compares with the current files.
    ///
    /// Fails with [`Refusal::NotOperable`] if there are no snapshots, or if git fails.
    pub async fn diff(
        &self,
        id: &TaskId,
        selection: PathSelection,
        content: DiffContent,
    ) -> Result<(TaskDiff, Option<TaskPatch>), Refusal> {
        let (record, is_running) = self.record_and_state(id).await?;
        self.with_git(id, move |broker| {
            let opened = broker.open_workspace(&record, None)?;
            opened.diff(broker, &record, is_running, &selection, content)
        })
        .await
    }

    /// The refusal for a patch that cannot be read from its temporary file.
    pub(crate) fn patch_unreadable(&self, id: &TaskId, problem: &io::Error) -> Refusal {
        NotOperable::Failed { id: id.clone(), problem: problem.to_string() }.into()
    }

    /// The record of a task, and whether it is running. Finalizes a task whose supervisor is gone.
    pub(super) async fn record_and_state(&self, id: &TaskId) -> Result<(TaskRecord, bool), Refusal> {
        if let Some(ended) = self.ended(id).await? {
            return Ok((ended, false));
        }
        let id = id.clone();
        Ok((self.on_disk(move |broker| broker.record(&id)).await??, true))
    }

    /// Runs work with git on a separate thread.
    pub(super) async fn with_git<T, F>(&self, id: &TaskId, work: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, Refusal> + Send + 'static,
    {
        let broker = self.clone();
        let done = GIT.run(REQUEST_DEADLINE, move || work(&broker)).await;
        done.unwrap_or_else(|BlockingTimeout| {
            let problem = "git or the file system does not respond".to_owned();
            Err(NotOperable::Failed { id: id.clone(), problem }.into())
        })
    }

    /// The workspace of the task with this record, for an operation of this kind or for a diff.
    pub(super) fn open_workspace(&self, record: &TaskRecord, kind: Option<OperationKind>) -> Result<Opened, Refusal> {
        let id = &record.id;
        let files = Workspaces::of(&self.upkeep);
        let Some(workspace) = files.read(id)? else { return Err(no_workspace(record).into()) };
        let (top, common_dir) = (&workspace.place.top, &workspace.place.common_dir);
        if let Some(gone) = [top, common_dir].into_iter().find(|place| !place.is_dir()) {
            return Err(NotOperable::RepositoryGone { id: id.clone(), place: gone.clone() }.into());
        }
        let git = Git::find(top, Deadline::after(GIT_DEADLINE)).map_err(|error| git_problem(id, kind, top, error))?;
        Ok(Opened { workspace, git, files })
    }
}

impl Opened {
    /// The changes of the task.
    pub(super) fn diff(
        self,
        broker: &Broker,
        record: &TaskRecord,
        is_running: bool,
        selection: &PathSelection,
        content: DiffContent,
    ) -> Result<(TaskDiff, Option<TaskPatch>), Refusal> {
        let Self { workspace, git, files } = self;
        let (id, top) = (&record.id, &workspace.place.top);
        let failed = |error: GitError| Refusal::from(git_problem(id, None, top, error));
        let shadow_failed = |error: ShadowError| Refusal::from(shadow_problem(id, None, top, error));
        let own_tree = workspace.worktree.as_ref().filter(|tree| !tree.is_removed);
        let selectors = selection.selectors(id, &tops(&workspace))?;
        // A snapshot of the end needs no files, and the worktree may just be removed.
        let place = match own_tree.filter(|_| workspace.after.is_none()) {
            Some(tree) => Place { top: tree.path.clone(), git_dir: tree.git_dir.clone(), ..workspace.place.clone() },
            None => workspace.place.clone(),
        };
        let base = Base { commit: workspace.before.clone(), omitted: workspace.omitted.clone() };
        let max_file = broker.config.workspace.max_file;
        let temp = files.temp_dir()?;
        let shadow_dir = temp.path().join("git");
        std::fs::create_dir(&shadow_dir).map_err(|problem| broker.patch_unreadable(id, &problem))?;
        let shadow = Shadow::create(&git, &place, &workspace.settings, Some(base), max_file, &shadow_dir);
        let mut shadow = shadow.map_err(shadow_failed)?;
        let (head, compared) = match &workspace.after {
            Some(after) => (after.clone(), Compared::End),
            None => {
                if !place.top.is_dir() {
                    return Err(NotOperable::RepositoryGone { id: id.clone(), place: place.top.clone() }.into());
                }
                let now = shadow.snapshot("now", None).map_err(|error| snapshot_problem(id, None, top, error))?;
                (now.commit, if is_running { Compared::Running } else { Compared::NoSnapshot })
            }
        };
        // Files that were copied into a worktree, such as `.env`, are never shown.
        let copied = workspace.worktree.as_ref().map_or(&[][..], |tree| &tree.copied);
        let shown = hide_paths(&shadow, &workspace.before, &head, copied);
        let shown = shown.map_err(shadow_failed)?;
        let named = workspace.worktree.is_none().then_some(&workspace.named[..]);
        let mut files = changed_paths(&shadow, &workspace.before, &shown, named).map_err(failed)?;
        if workspace.after.is_some() {
            // A misspelled path must not look like a file that was not changed.
            selectors.check_all_changed(id, &files)?;
        }
        files.retain(|file| selectors.has(file));
        let last = last_operations(&workspace);
        let undone = files.iter().filter(|file| last.get(&file.path) == Some(&OperationKind::Undo)).count();
        let patch = match content {
            DiffContent::Files => None,
            DiffContent::ShownPatch | DiffContent::ExactPatch => {
                let paths = patch_paths(&selectors, &files);
                let form = match content {
                    DiffContent::ExactPatch => PatchForm::Patch,
                    DiffContent::Files | DiffContent::ShownPatch => PatchForm::Text,
                };
                let request = PatchRequest { base: &workspace.before, head: &shown, paths: &paths, form };
                let redactor = broker.redactor_for(record);
                let redactor = (content == DiffContent::ShownPatch).then_some(&redactor);
                let spooled =
                    TaskPatch::spool(redactor, |to| write_patch(&shadow, request, to).map_err(PatchError::Git));
                Some(spooled.map_err(|error| match error {
                    PatchError::Git(error) => failed(error),
                    PatchError::File(problem) => broker.patch_unreadable(id, &problem),
                })?)
            }
        };
        let diff = TaskDiff {
            id: id.clone(),
            base: workspace.before.clone(),
            head,
            compared,
            files,
            worktree: own_tree.map(|tree| tree.path.clone()),
            undone,
            interrupted: unfinished(&workspace),
        };
        Ok((diff, patch))
    }
}

/// Why a patch could not be written.
enum PatchError {
    Git(GitError),
    File(io::Error),
}

impl From<io::Error> for PatchError {
    fn from(problem: io::Error) -> Self {
        Self::File(problem)
    }
}

/// The tops of the work trees with a task's files: the user's, and that of the task.
pub(super) fn tops(workspace: &TaskWorkspace) -> Vec<&Path> {
    let own = workspace.worktree.iter().map(|tree| &*tree.path);
    std::iter::once(&*workspace.place.top).chain(own).collect()
}

/// The last operation on a task's changes, if it has not finished.
fn unfinished(workspace: &TaskWorkspace) -> Option<RecoveredOperation> {
    let last = workspace.operations.last().filter(|last| last.state == OperationState::Begun)?;
    Some(RecoveredOperation {
        task: workspace.task.clone(),
        kind: last.kind,
        state: RecoveryState::Pending,
        files: last.paths.clone(),
        left: Vec::new(),
    })
}

/// The paths that a patch is limited to. Both paths of a renamed file are named, or git would show it as a new file.
fn patch_paths(selectors: &Selectors, files: &[ChangedPath]) -> Vec<GitPath> {
    if selectors.is_everything() {
        return Vec::new();
    }
    let renamed = files.iter().filter_map(|file| Some([file.path.clone(), file.old_path.clone()?]));
    selectors.paths().into_iter().chain(renamed.flatten()).collect()
}

/// Why a task has no workspace file.
fn no_workspace(record: &TaskRecord) -> NotOperable {
    match &record.progress.workspace {
        Some(state) if state.before.is_some() => NotOperable::Expired(record.id.clone()),
        state => NotOperable::NoSnapshots {
            id: record.id.clone(),
            reason: match state {
                None if record.start.sandbox == Some(Sandbox::ReadOnly) => {
                    Some("the sandbox was `read-only`, so the task could not change files".to_owned())
                }
                state => state.as_ref().and_then(|state| state.not_covered.clone()),
            },
        },
    }
}
