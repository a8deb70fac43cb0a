//! Tests of private files in undo, redo and apply.

use std::time::Duration;

use super::*;
use crate::{
    process::Deadline,
    store::Upkeep,
    task::{OperationKind, OperationState, TaskId, TreeUse, WorkspaceSpec},
    workspace::{
        Beginning, Begun, NamedFiles, OperationRequest, Workspace,
        fixture::{MAX_FILE, Project, request, write},
    },
};

/// A task from its beginning to its end, whose agent is `agent`.
fn run_task(project: &Project, tree: TreeUse, agent: impl FnOnce(&Path)) -> TaskId {
    let data = project.outside().join("data");
    let upkeep = Upkeep::open(&data, &data.join("logs")).expect("it is writable");
    let trees_dir = project.outside().join("trees");
    let beginning = Beginning {
        task: TaskId::random(),
        spec: WorkspaceSpec { tree, trees_dir, max_file: MAX_FILE, ..WorkspaceSpec::default() },
        directory: project.top.clone(),
        home: None,
        data_dir: data,
        files: project.files.clone(),
        reader: upkeep.reader().clone(),
        supervisor: None,
    };
    let deadline = || Deadline::after(Duration::from_secs(60));
    let workspace = match Workspace::begin(&beginning, deadline()).expect("it can begin") {
        Begun::Tree(workspace) => *workspace,
        Begun::Captured(captured) => captured.keep(deadline()).expect("it can be kept"),
    };
    agent(&workspace.worktree().map_or_else(|| project.top.clone(), |(directory, _)| directory));
    workspace.finish(&NamedFiles::new(), deadline()).expect("it can be finished");
    beginning.task
}

fn set_mode(top: &Path, path: &str, mode: u32) {
    fs::set_permissions(top.join(path), Permissions::from_mode(mode)).expect("we own it");
}

fn mode_of(top: &Path, path: &str) -> u32 {
    fs::metadata(top.join(path)).expect("it exists").permissions().mode() & ALL
}

/// Replaces a file by a new one, so that it has the permissions of a new file.
fn replace(top: &Path, path: &str, content: &str) {
    fs::remove_file(top.join(path)).expect("it exists");
    write(top, path, content);
    set_mode(top, path, 0o644);
}

fn everything(kind: OperationKind, task: &TaskId) -> OperationRequest {
    OperationRequest { all: true, ..request(kind, task) }
}

/// A project with private files: `deleted`, `replaced`, `untracked` and `tool`, which is executable.
fn private_files() -> Project {
    let project = Project::with(&[("deleted", "1\n"), ("replaced", "1\n"), ("tool", "1\n"), ("public", "1\n")]);
    project.write("untracked", "1\n");
    for (path, mode) in [("deleted", 0o600), ("replaced", 0o640), ("untracked", 0o600), ("tool", 0o700)] {
        set_mode(&project.top, path, mode);
    }
    project
}

fn change_private_files(top: &Path) {
    for path in ["deleted", "untracked", "tool", "public"] {
        fs::remove_file(top.join(path)).expect("it exists");
    }
    replace(top, "replaced", "2\n");
    write(top, "created", "2\n");
    set_mode(top, "created", 0o600);
}

#[test]
fn an_undo_restores_permissions_that_are_narrower_than_those_of_git() {
    let project = private_files();
    let before = project.files_now();
    let task = run_task(&project, TreeUse::Never, change_private_files);
    project.operate(&everything(OperationKind::Undo, &task)).expect("there is no conflict");
    assert_eq!(project.files_now(), before);
    project.operate(&everything(OperationKind::Redo, &task)).expect("there is no conflict");
    assert_eq!(mode_of(&project.top, "created"), 0o600);
    project.operate(&everything(OperationKind::Undo, &task)).expect("there is no conflict");
    assert_eq!(project.files_now(), before);
}

#[test]
fn an_undo_leaves_permissions_that_the_task_did_not_change() {
    let project = private_files();
    let task = run_task(&project, TreeUse::Never, |top| write(top, "replaced", "2\n"));
    set_mode(&project.top, "replaced", 0o644);
    project.operate(&everything(OperationKind::Undo, &task)).expect("there is no conflict");
    assert_eq!(mode_of(&project.top, "replaced"), 0o644, "the user changed them since");
    assert_eq!(mode_of(&project.top, "public"), 0o644);
}

#[test]
fn an_apply_creates_private_files_and_its_undo_restores_them() {
    let project = private_files();
    let before = project.files_now();
    let task = run_task(&project, TreeUse::Always, change_private_files);
    assert_eq!(project.files_now(), before);
    project.operate(&everything(OperationKind::Apply, &task)).expect("there is no conflict");
    assert_eq!((mode_of(&project.top, "created"), mode_of(&project.top, "replaced")), (0o600, 0o640));
    project.operate(&everything(OperationKind::Undo, &task)).expect("there is no conflict");
    assert_eq!(project.files_now(), before);
}

#[test]
fn the_recovery_of_an_operation_restores_permissions() {
    let project = private_files();
    let before = project.files_now();
    let task = run_task(&project, TreeUse::Never, change_private_files);
    project.operate(&everything(OperationKind::Undo, &task)).expect("there is no conflict");
    // As if it had been killed when git had written all files.
    let mut workspace = project.workspace(&task);
    workspace.operations[0].state = OperationState::Begun;
    project.files.write(&workspace).expect("it is writable");
    for path in ["deleted", "replaced", "untracked"] {
        set_mode(&project.top, path, 0o644);
    }
    fs::remove_file(project.top.join("created")).unwrap_or_default();
    project
        .operate(&OperationRequest { is_check: false, ..everything(OperationKind::Undo, &task) })
        .expect_err("the operation is refused");
    assert_eq!(project.files_now(), before);
}
