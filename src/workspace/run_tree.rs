//! The worktree of a task: a new one, or that of the earlier task whose session it resumes.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::Utc;

use super::{
    cleanup::CleanUp,
    git::Git,
    run::{BEFORE, Beginning, Workspace, WorkspaceProblem, message, state_of},
    shadow::{Base, Shadow},
    snapshot::Snapshot,
    tree::{MadeTree, TreeRequest, create_tree_at, lock},
    tree_content::TreeStart,
    tree_files::{is_directory, lock_reason, registrations},
    tree_removal::{delete, snapshot_of_worktree},
    trees::make_room,
};
use crate::{
    process::Deadline,
    store::Workspaces,
    task::{Place, TaskId, TaskWorkspace, WORKSPACE_FORMAT, Worktree},
};

/// How long to wait for another process that works on the repository of the earlier task.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long removing a worktree and a snapshot that are not used may take.
pub(super) const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes a worktree for a task whose first snapshot was taken. If that fails, neither the worktree nor the snapshot
/// remains.
pub(super) fn make_worktree(
    mut workspace: Workspace,
    beginning: &Beginning,
    snapshot: &Snapshot,
) -> Result<Workspace, WorkspaceProblem> {
    let added = free_space(beginning, workspace.shadow.git())
        .and_then(|()| add_worktree(&mut workspace, beginning, TreeStart::User(snapshot), None));
    keep_if_added(workspace, added)
}

/// Discards the workspace if its worktree could not be made.
fn keep_if_added(workspace: Workspace, added: Result<(), WorkspaceProblem>) -> Result<Workspace, WorkspaceProblem> {
    let Err(problem) = added else { return Ok(workspace) };
    if let Err(problem) = workspace.discard(Deadline::after(DISCARD_TIMEOUT)) {
        tracing::warn!(%problem, "the snapshot before the task remains");
    }
    Err(problem)
}

/// Makes room for another worktree. Must not be called with the lock of a repository.
fn free_space(beginning: &Beginning, git: &Git) -> Result<(), WorkspaceProblem> {
    let Beginning { spec, files, reader, .. } = beginning;
    let Some(limit) = spec.trees_max_bytes else { return Ok(()) };
    let clean_up = CleanUp { files: files.clone(), reader: reader.clone(), max_file: spec.max_file, now: Utc::now() };
    Ok(make_room(&clean_up, &spec.trees_dir, limit, git.deadline())?)
}

/// Makes a worktree, at the path `again` if nothing is there, and writes it to the workspace file. The shadow repository
/// is that of the worktree afterwards.
fn add_worktree(
    workspace: &mut Workspace,
    beginning: &Beginning,
    start: TreeStart<'_>,
    again: Option<&Path>,
) -> Result<(), WorkspaceProblem> {
    let Beginning { task, spec, files, supervisor, .. } = beginning;
    let request = TreeRequest {
        task,
        supervisor: supervisor.as_ref(),
        source: &workspace.shadow,
        start,
        trees_dir: &spec.trees_dir,
        symlink: &spec.symlink,
        files: match start {
            TreeStart::User(_) => Some(files),
            // It is locked while the earlier task's workspace is read.
            TreeStart::Commit(_) => None,
        },
    };
    let made = create_tree_at(&request, again)?;
    use_made(workspace, made, spec.max_file).inspect_err(|_| {
        // Only then is it certain that no agent works in it.
        if let Some(tree) = &workspace.file.worktree
            && let Err(error) = delete(&tree.path, &workspace.file.place.common_dir)
        {
            tracing::warn!(%error, "a worktree that is not used was not removed");
        }
    })
}

fn use_made(workspace: &mut Workspace, made: MadeTree, max_file: u64) -> Result<(), WorkspaceProblem> {
    workspace.file.worktree = Some(made.worktree.clone());
    // Files that the user's work tree omits do not exist in the worktree.
    workspace.file.omitted.clone_from(&made.omitted);
    let dir = workspace.temp.path().join("worktree");
    workspace.shadow = shadow_of(workspace.shadow.git(), &workspace.file, &made.place, max_file, &dir)?;
    workspace.files.write(&workspace.file)?;
    made.confirm()?;
    workspace.state.worktree = Some(made.worktree.path);
    workspace.worktree = Some(made.place);
    workspace.warnings = made.warnings;
    Ok(())
}

/// A shadow repository in `dir`, a new directory, for a worktree of the task with this workspace file.
fn shadow_of(
    git: &Git,
    file: &TaskWorkspace,
    place: &Place,
    max_file: u64,
    dir: &Path,
) -> Result<Shadow, WorkspaceProblem> {
    fs::create_dir(dir)?;
    let base = Base { commit: file.before.clone(), omitted: file.omitted.clone() };
    let mut shadow = Shadow::create(git, place, &file.settings, Some(base), max_file, dir)?;
    shadow.copied_content = file.worktree.as_ref().map(|tree| tree.copied_content.clone()).unwrap_or_default();
    Ok(shadow)
}

/// Continues in the worktree of the task `earlier`, or, if that was removed, in a new one with its last snapshot, at the
/// same path if possible.
/// Returns `None` if nothing is known about that worktree.
pub(super) fn continue_worktree(
    beginning: &Beginning,
    git: &Git,
    earlier: &TaskId,
) -> Result<Option<Workspace>, WorkspaceProblem> {
    let files = &beginning.files;
    let Some(found) = files.read(earlier)?.filter(|found| found.worktree.is_some()) else { return Ok(None) };
    if !found.worktree.as_ref().is_some_and(exists) {
        free_space(beginning, git)?;
    }
    let _lock = lock(files, &found.place.common_dir, earlier, LOCK_TIMEOUT, git.deadline())?;
    let Some(mut earlier) = files.read(earlier)? else { return Ok(None) };
    let Some(tree) = earlier.worktree.clone() else { return Ok(None) };
    let temp = files.temp_dir()?;
    if exists(&tree) {
        let place = Place { top: tree.path.clone(), git_dir: tree.git_dir.clone(), ..earlier.place.clone() };
        let mut shadow = shadow_of(git, &earlier, &place, beginning.spec.max_file, &temp.path().join("git"))?;
        let last = earlier.after.clone().unwrap_or_else(|| earlier.before.clone());
        let snapshot = snapshot_of_worktree(&mut shadow, &message(&beginning.task, BEFORE), &last)?;
        shadow.publish()?;
        let worktree = Worktree { is_continued: true, may_be_in_use: false, examined: None, ..tree.clone() };
        let file = following(beginning, &earlier, snapshot.commit.clone(), Some(worktree));
        let mut state = state_of(&snapshot);
        state.worktree = Some(tree.path.clone());
        let worktree = Some(with_prefix(place));
        let files = files.clone();
        let workspace = Workspace { file, files, state, shadow, worktree, warnings: vec![], temp };
        take_over(&workspace, &mut earlier)?;
        relock(&tree, &earlier.place.common_dir, beginning);
        return Ok(Some(workspace));
    }
    let tree_path = tree.path;
    let last = earlier.after.clone().unwrap_or_else(|| earlier.before.clone());
    let dir = temp.path().join("git");
    fs::create_dir(&dir)?;
    let max_file = beginning.spec.max_file;
    let shadow = Shadow::create(git, &earlier.place, &earlier.settings, None, max_file, &dir)?;
    let head = super::place::head(git, &earlier.place)?;
    let tree = shadow.object_command(["rev-parse", "--verify", &format!("{last}^{{tree}}")]).run()?;
    let tree = super::place::object_id(&tree)
        .ok_or_else(|| super::git_error::GitError::Unexpected { command: "rev-parse".into() })?;
    let snapshot = Snapshot {
        commit: last.clone(),
        tree,
        head: head.commit,
        branch: head.branch,
        uncommitted: 0,
        omitted: vec![],
    };
    let file = following(beginning, &earlier, last.clone(), None);
    let (files, state) = (files.clone(), state_of(&snapshot));
    let mut workspace = Workspace { file, files, state, shadow, worktree: None, warnings: vec![], temp };
    workspace.keep_before()?;
    let again = (!is_used(&workspace.files, &tree_path)?).then_some(&*tree_path);
    let added = add_worktree(&mut workspace, beginning, TreeStart::Commit(&last), again);
    keep_if_added(workspace, added).map(Some)
}

/// Records that the worktree of `earlier` belongs to another task. If that fails, nothing is recorded of the other one, or
/// a cleanup after one of them would remove it under the other.
pub(super) fn take_over(workspace: &Workspace, earlier: &mut TaskWorkspace) -> Result<(), WorkspaceProblem> {
    // In this order, because a worktree always belongs to a task.
    let recorded = workspace.keep_before().and_then(|()| {
        if let Some(tree) = &mut earlier.worktree {
            tree.is_removed = true;
        }
        Ok(workspace.files.write(earlier)?)
    });
    recorded.inspect_err(|_| {
        if let Err(problem) = workspace.forget() {
            tracing::warn!(%problem, "the snapshot before the task remains");
        }
    })
}

/// Whether the worktree is there and still belongs to its task.
fn exists(tree: &Worktree) -> bool {
    !tree.is_removed && is_directory(&tree.path)
}

/// Whether a task has a worktree at `path`, even if somebody has deleted its files. Cleaning up after that task would
/// remove whatever is there.
fn is_used(files: &Workspaces, path: &Path) -> Result<bool, WorkspaceProblem> {
    for id in files.ids()? {
        let tree = files.read(&id)?.and_then(|workspace| workspace.worktree);
        if tree.is_some_and(|tree| !tree.is_removed && tree.path == path) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The workspace file of a task that continues where `earlier` ended.
fn following(
    beginning: &Beginning,
    earlier: &TaskWorkspace,
    before: crate::task::ObjectId,
    worktree: Option<Worktree>,
) -> TaskWorkspace {
    TaskWorkspace {
        format: WORKSPACE_FORMAT,
        task: beginning.task.clone(),
        place: earlier.place.clone(),
        worktree,
        continues: Some(earlier.task.clone()),
        // Those from before any agent worked there.
        settings: earlier.settings.clone(),
        before,
        omitted: earlier.omitted.clone(),
        after: None,
        named: vec![],
        modes: vec![],
        operations: vec![],
    }
}

/// The place with its prefix, or without one if the worktree does not have that directory.
fn with_prefix(place: Place) -> Place {
    let exists = place.top.join(&place.prefix).is_dir();
    if exists { place } else { Place { prefix: PathBuf::new(), ..place } }
}

/// Writes the new task into the lock of a worktree.
fn relock(tree: &Worktree, common_dir: &Path, beginning: &Beginning) {
    let reason = lock_reason(&beginning.task, beginning.supervisor.as_ref());
    for registration in registrations(&tree.path, common_dir) {
        if let Err(error) = fs::write(registration.join("locked"), &reason) {
            tracing::warn!(%error, "a worktree is not locked");
        }
    }
}
