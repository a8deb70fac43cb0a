use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use super::*;
use crate::{
    task::{ConflictReason, FileConflict},
    workspace::fixture::{Project, odd_name, path, paths, request, run_git, write},
};

const LINES: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";

fn conflicts(result: Result<OperationResult, OperationError>) -> Vec<(GitPath, ConflictReason)> {
    match result {
        Err(OperationError::Conflicts(conflicts)) => {
            conflicts.into_iter().map(|FileConflict { path, reason }| (path, reason)).collect()
        }
        other => panic!("expected conflicts: {other:?}"),
    }
}

fn replace(top: &Path, name: &str, from: &str, to: &str) {
    let text = fs::read_to_string(top.join(name)).expect("it is readable");
    fs::write(top.join(name), text.replace(from, to)).expect("it is writable");
}

/// A repository with all kinds of files.
fn varied() -> Project {
    let project = Project::with(&[
        ("a.txt", LINES),
        ("gone.txt", "gone\n"),
        ("old/name.txt", "a file\nwith several\nlines\n"),
        ("tool.sh", "#!/bin/sh\n"),
        ("crlf.txt", "x\r\ny\r\n"),
        ("binary", "\0\u{1}\u{2}"),
        (".gitignore", "ignored\n"),
        ("dir/file", "file\n"),
    ]);
    symlink("a.txt", project.top.join("link")).expect("it is writable");
    project.write(odd_name(), "odd\n");
    project.commit_all();
    project.write("a.txt", LINES.replace("seven", "SEVEN, staged"));
    project.git(&["add", "a.txt"]);
    project.write("crlf.txt", "x\r\ny\r\nunstaged\r\n");
    project.write("untracked.txt", "mine\n");
    project.write("ignored", "ignored\n");
    project
}

/// Changes all kinds of files, like an agent.
fn change_everything(top: &Path) {
    replace(top, "a.txt", "two", "TWO");
    fs::remove_file(top.join("gone.txt")).expect("it exists");
    fs::rename(top.join("old/name.txt"), top.join("new-name.txt")).expect("it exists");
    fs::set_permissions(top.join("tool.sh"), Permissions::from_mode(0o755)).expect("it exists");
    replace(top, "crlf.txt", "x\r\n", "X\r\n");
    fs::write(top.join("binary"), b"\0\x01\x03").expect("it is writable");
    fs::remove_file(top.join("link")).expect("it exists");
    fs::write(top.join("link"), "a file now\n").expect("it is writable");
    fs::remove_file(top.join("dir/file")).expect("it exists");
    fs::remove_dir(top.join("dir")).expect("it is empty");
    fs::write(top.join("dir"), "a file instead of a directory\n").expect("it is writable");
    write(top, "tool.d/added.txt", "added\n");
    fs::write(top.join(odd_name()), "changed\n").expect("it is writable");
    replace(top, "untracked.txt", "mine", "changed");
}

#[test]
fn undo_restores_every_kind_of_change_and_redo_brings_it_back() {
    let project = varied();
    let (files, private) = (project.files_now(), project.private());
    let task = project.task(&[], change_everything);
    let changed = project.files_now();
    let everything = |kind| OperationRequest { all: true, ..request(kind, &task) };
    let undone = project.operate(&everything(OperationKind::Undo)).expect("there is no conflict");
    assert_eq!(project.files_now(), files);
    assert_eq!(undone.files.len(), 13, "{:?}", undone.files);
    assert!(matches!(project.operate(&everything(OperationKind::Undo)), Err(OperationError::AlreadyUndone)));
    project.operate(&everything(OperationKind::Redo)).expect("there is no conflict");
    assert_eq!(project.files_now(), changed);
    assert!(matches!(project.operate(&everything(OperationKind::Redo)), Err(OperationError::NotUndone)));
    project.operate(&everything(OperationKind::Undo)).expect("there is no conflict");
    assert_eq!(project.files_now(), files);
    assert_eq!(project.private(), private, "the index, refs and settings of the user are the same");
    let refs = project.git(&["for-each-ref", "--format=%(refname:lstrip=3)", "refs/codex-connector"]);
    assert_eq!(refs.lines().collect::<Vec<_>>(), ["after", "before", "op-1", "op-2", "op-3"]);
    let shown = |name: &str| project.git(&["show", &format!("refs/codex-connector/{task}/{name}:a.txt")]);
    assert!(shown("op-1^").contains("TWO") && !shown("op-1").contains("TWO"), "the snapshot before it is its parent");
    let states: Vec<_> = project.workspace(&task).operations.iter().map(|done| (done.kind, done.state)).collect();
    let done = |kind| (kind, OperationState::Done);
    assert_eq!(states, [done(OperationKind::Undo), done(OperationKind::Redo), done(OperationKind::Undo)]);
}

#[test]
fn undo_keeps_what_was_done_since() {
    let project = varied();
    let task = project.task(&["a.txt", "tool.d/added.txt"], change_everything);
    replace(&project.top, "a.txt", "five", "FIVE, later");
    project.write("later.txt", "later\n");
    let before = project.files_now();
    let undone = project.run(OperationKind::Undo, &task).expect("there is no conflict");
    assert_eq!(undone.files, paths(&["a.txt", "tool.d/added.txt"]));
    assert_eq!(project.read("a.txt"), "one\ntwo\nthree\nfour\nFIVE, later\nsix\nSEVEN, staged\n");
    let mut expected = before.clone();
    expected.remove(Path::new("tool.d/added.txt"));
    let mut now = project.files_now();
    expected.remove(Path::new("a.txt"));
    now.remove(Path::new("a.txt"));
    assert_eq!(now, expected, "all other files are the same");
}

#[test]
fn undo_leaves_unnamed_files_unless_all_are_wanted() {
    let project = Project::with(&[("agent.txt", "1\n"), ("user.txt", "1\n"), ("moved.txt", "some\nlines\nof text\n")]);
    let task = project.task(&["agent.txt", "renamed.txt"], |top| {
        write(top, "agent.txt", "2\n");
        write(top, "user.txt", "2\n");
        fs::rename(top.join("moved.txt"), top.join("renamed.txt")).expect("it exists");
    });
    let by_path = OperationRequest { paths: paths(&["user.txt"]), ..request(OperationKind::Undo, &task) };
    let nothing = project.operate(&by_path).expect("it is not an error");
    assert_eq!((nothing.files, nothing.unnamed), (vec![], paths(&["user.txt"])));
    let undone = project.run(OperationKind::Undo, &task).expect("there is no conflict");
    // Only one path of the renamed file is named, so somebody else may have made the other.
    assert_eq!((undone.files, undone.unnamed), (paths(&["agent.txt"]), paths(&["renamed.txt", "user.txt"])));
    assert_eq!((project.read("agent.txt"), project.read("user.txt")), ("1\n".to_owned(), "2\n".to_owned()));
    let all = OperationRequest { all: true, ..request(OperationKind::Undo, &task) };
    assert_eq!(project.operate(&all).expect("there is no conflict").files.len(), 3);
    assert_eq!((project.read("user.txt"), project.read("moved.txt")), ("1\n".into(), "some\nlines\nof text\n".into()));
    let redone = project.run(OperationKind::Redo, &task).expect("there is no conflict");
    assert_eq!(redone.files.len(), 4, "a redo brings back everything that was undone: {redone:?}");
}

#[test]
fn an_operation_can_be_limited_to_files_and_directories() {
    let project = Project::with(&[("a/x", "1\n"), ("a/y", "1\n"), ("ab", "1\n")]);
    let task = project.task(&["a/x", "a/y", "ab"], |top| {
        for path in ["a/x", "a/y", "ab"] {
            write(top, path, "2\n");
        }
    });
    let only =
        |kind, files: &[&str]| project.operate(&OperationRequest { paths: paths(files), ..request(kind, &task) });
    assert_eq!(only(OperationKind::Undo, &["a"]).expect("no conflict").files, paths(&["a/x", "a/y"]));
    assert!(matches!(only(OperationKind::Undo, &["a/x"]), Err(OperationError::AlreadyUndone)));
    assert_eq!(only(OperationKind::Redo, &["a/x"]).expect("no conflict").files, paths(&["a/x"]));
    assert!(matches!(only(OperationKind::Redo, &["ab"]), Err(OperationError::NotUndone)));
    assert!(matches!(only(OperationKind::Undo, &["other"]), Err(OperationError::Unchanged)));
    assert_eq!(project.run(OperationKind::Undo, &task).expect("no conflict").files, paths(&["a/x", "ab"]));
}

#[test]
fn a_conflict_is_named_and_nothing_is_written() {
    let project = varied();
    let task = project.task(&[], change_everything);
    replace(&project.top, "a.txt", "TWO", "zwei");
    fs::remove_file(project.top.join("new-name.txt")).expect("it exists");
    project.write("gone.txt", "another file\n");
    let (files, private) = (project.files_now(), project.private());
    let undo = OperationRequest { all: true, ..request(OperationKind::Undo, &task) };
    let check = OperationRequest { is_check: true, ..undo.clone() };
    for undo in [check, undo] {
        let conflicts = conflicts(project.operate(&undo));
        assert!(conflicts.contains(&(path("a.txt"), ConflictReason::Content)), "{conflicts:?}");
        assert!(conflicts.contains(&(path("gone.txt"), ConflictReason::Content)), "{conflicts:?}");
        assert_eq!((project.files_now(), project.private()), (files.clone(), private.clone()));
    }
    assert!(project.workspace(&task).operations.is_empty());
}

#[test]
fn a_check_writes_nothing() {
    let project = varied();
    let task = project.task(&["a.txt"], change_everything);
    let (files, private) = (project.files_now(), project.private());
    let refs = || project.git(&["for-each-ref"]);
    let refs_before = refs();
    let check = OperationRequest { is_check: true, ..request(OperationKind::Undo, &task) };
    let result = project.operate(&check).expect("there is no conflict");
    assert!(result.is_check && result.files == paths(&["a.txt"]), "{result:?}");
    assert_eq!((project.files_now(), project.private(), refs()), (files, private, refs_before));
}

#[test]
fn nothing_that_a_snapshot_lacks_is_overwritten() {
    let project = Project::with(&[("a", "1\n"), ("dir/b", "1\n"), ("c", "1\n"), (".gitignore", "*.log\n")]);
    let task = project.task(&["a", "dir/b", "c"], |top| {
        for path in ["a", "dir/b", "c"] {
            fs::remove_file(top.join(path)).expect("it exists");
        }
        let _ = fs::remove_dir(top.join("dir"));
    });
    // A file that is too large for a snapshot, and a directory with an ignored file.
    project.write("a", vec![b'x'; 200_000]);
    project.write("c/debug.log", "ignored\n");
    let files = project.files_now();
    let in_the_way = [(path("a"), ConflictReason::InTheWay), (path("c"), ConflictReason::InTheWay)];
    assert_eq!(conflicts(project.run(OperationKind::Undo, &task)), in_the_way);
    assert_eq!(project.files_now(), files);
    fs::remove_file(project.top.join("a")).expect("it exists");
    fs::remove_dir_all(project.top.join("c")).expect("it exists");
    // A link to another directory.
    let outside = project.outside().join("outside");
    fs::create_dir(&outside).expect("it is writable");
    symlink(&outside, project.top.join("dir")).expect("it is writable");
    let files = project.files_now();
    let conflicts = conflicts(project.run(OperationKind::Undo, &task));
    assert!(conflicts.iter().all(|(name, _)| name.as_bytes().starts_with(b"dir")), "{conflicts:?}");
    assert_eq!(project.files_now(), files);
    assert_eq!(fs::read_dir(&outside).expect("it exists").count(), 0);
}

#[test]
fn an_undo_of_an_apply_restores_what_somebody_had_done_in_the_same_way() {
    let project = Project::with(&[("a.txt", LINES), ("gone.txt", "gone\n")]);
    let change = |top: &Path| {
        replace(top, "a.txt", "two", "TWO");
        fs::remove_file(top.join("gone.txt")).expect("it exists");
    };
    let task = project.worktree_task(|top| {
        change(top);
        replace(top, "a.txt", "six", "SIX");
    });
    change(&project.top);
    let files = project.files_now();
    assert_eq!(project.run(OperationKind::Apply, &task).expect("no conflict").files, paths(&["a.txt"]));
    project.run(OperationKind::Undo, &task).expect("there is no conflict");
    assert_eq!(project.files_now(), files);
}

#[test]
fn a_file_that_becomes_a_directory_is_not_undone_by_half() {
    let project = Project::with(&[("x", "a file\n")]);
    let task = project.task(&["x"], |top| {
        fs::remove_file(top.join("x")).expect("it exists");
        write(top, "x/other", "somebody else's\n");
    });
    let files = project.files_now();
    assert_eq!(conflicts(project.run(OperationKind::Undo, &task)), [(path("x"), ConflictReason::InTheWay)]);
    assert_eq!(project.files_now(), files);
    let all = OperationRequest { all: true, ..request(OperationKind::Undo, &task) };
    project.operate(&all).expect("there is no conflict");
    assert_eq!(project.read("x"), "a file\n");
}

#[test]
fn files_copied_into_a_worktree_are_never_applied() {
    let project = Project::with(&[("a.txt", "1\n"), (".gitignore", "local.conf\n")]);
    let task = project.worktree_task(|top| {
        write(top, "a.txt", "2\n");
        write(top, "local.conf", "copied\n");
        write(top, ".gitignore", "");
        run_git(top, &["add", "-f", "local.conf"]);
    });
    let mut workspace = project.workspace(&task);
    workspace.worktree.as_mut().expect("it has one").copied = paths(&["local.conf"]);
    project.files.write(&workspace).expect("it is writable");
    let applied = project.run(OperationKind::Apply, &task).expect("there is no conflict");
    assert_eq!(applied.files, paths(&[".gitignore", "a.txt"]));
}

#[test]
fn apply_merges_a_worktree_into_the_users_files_and_undo_takes_it_out() {
    let project = varied();
    let task = project.worktree_task(change_everything);
    assert!(matches!(project.run(OperationKind::Undo, &task), Err(OperationError::NotApplied)));
    replace(&project.top, "a.txt", "five", "FIVE, later");
    let (files, private) = (project.files_now(), project.private());
    let applied = project.run(OperationKind::Apply, &task).expect("there is no conflict");
    assert_eq!((applied.files.len(), applied.unnamed.len()), (13, 0), "{applied:?}");
    assert_eq!(project.read("a.txt"), "one\nTWO\nthree\nfour\nFIVE, later\nsix\nSEVEN, staged\n");
    assert!(project.run(OperationKind::Apply, &task).expect("it is applied already").files.is_empty());
    project.run(OperationKind::Undo, &task).expect("there is no conflict");
    assert_eq!((project.files_now(), project.private()), (files, private));
    let in_place = project.task(&[], |top| write(top, "a.txt", "x"));
    assert!(matches!(project.run(OperationKind::Apply, &in_place), Err(OperationError::NoWorktree)));
}

#[test]
fn apply_can_create_a_branch_instead() {
    let project = Project::with(&[("a.txt", LINES)]);
    project.write("mine.txt", "uncommitted\n");
    let task = project.worktree_task(|top| replace(top, "a.txt", "two", "TWO"));
    let files = project.files_now();
    let head = project.git(&["rev-parse", "HEAD"]);
    project.git(&["config", "user.name", "The user"]);
    let apply = |name: &str| {
        project.operate(&OperationRequest { branch: Some(path(name)), ..request(OperationKind::Apply, &task) })
    };
    let index = fs::read(project.place.git_dir.join("index")).expect("it exists");
    let branch = apply("agent/work").expect("there is no conflict").branch.expect("it is created");
    assert_eq!(branch.name, path("agent/work"));
    assert_eq!(
        project.git(&["log", "--format=%an %H %P", "agent/work", "^main"]),
        format!("The user {} {head}", branch.commit)
    );
    assert_eq!(project.git(&["show", "agent/work:a.txt"]), LINES.replace("two", "TWO").trim_end());
    assert_eq!(project.git(&["ls-tree", "--name-only", "agent/work"]), "a.txt", "the user's other work is not in it");
    assert_eq!(project.files_now(), files);
    assert_eq!(fs::read(project.place.git_dir.join("index")).expect("it exists"), index);
    assert_eq!(project.git(&["symbolic-ref", "HEAD"]), "refs/heads/main");
    assert!(matches!(apply("agent/work"), Err(OperationError::BranchExists(_))));
    for invalid in ["-x", "a..b", "", "a b", "x.lock"] {
        assert!(matches!(apply(invalid), Err(OperationError::InvalidBranch(_))), "{invalid}");
    }
    assert!(matches!(project.run(OperationKind::Undo, &task), Err(OperationError::NotApplied)));
}

#[test]
fn a_task_without_snapshots_or_end_is_refused() {
    let project = Project::with(&[("a.txt", LINES)]);
    let unknown = project.run(OperationKind::Undo, &TaskId::random());
    assert!(matches!(unknown, Err(OperationError::NoSnapshots)), "{unknown:?}");
    let task = project.task(&["a.txt"], |top| replace(top, "a.txt", "two", "TWO"));
    let workspace = project.workspace(&task);
    project.files.write(&TaskWorkspace { after: None, ..workspace.clone() }).expect("it is writable");
    assert!(matches!(project.run(OperationKind::Undo, &task), Err(OperationError::NoAfter)));
    let missing = "1".repeat(40).parse().expect("it is valid");
    project.files.write(&TaskWorkspace { after: Some(missing), ..workspace.clone() }).expect("it is writable");
    assert!(matches!(project.run(OperationKind::Undo, &task), Err(OperationError::SnapshotsGone)));
    project.files.write(&workspace).expect("it is writable");
    fs::rename(&project.top, project.outside().join("moved")).expect("the test owns it");
    assert!(matches!(project.run(OperationKind::Undo, &task), Err(OperationError::PlaceGone { .. })));
    symlink(project.outside().join("moved"), &project.top).expect("it is writable");
    assert!(matches!(project.run(OperationKind::Undo, &task), Err(OperationError::PlaceGone { .. })));
}

#[test]
fn files_keep_their_permissions() {
    let project = Project::with(&[("private", "1\n"), ("group", "1\n"), ("tool", "1\n")]);
    let mode = |name: &str, mode| {
        fs::set_permissions(project.top.join(name), Permissions::from_mode(mode)).expect("it exists");
    };
    for (name, bits) in [("private", 0o600), ("group", 0o664), ("tool", 0o600)] {
        mode(name, bits);
    }
    let files = project.files_now();
    let task = project.task(&["private", "group", "tool"], |top| {
        for name in ["private", "group", "tool"] {
            write(top, name, "2\n");
        }
        fs::set_permissions(top.join("tool"), Permissions::from_mode(0o700)).expect("it exists");
    });
    project.run(OperationKind::Undo, &task).expect("there is no conflict");
    assert_eq!(project.files_now(), files);
}

#[test]
fn one_operation_at_a_time_works_on_a_repository() {
    let project = Project::with(&[("a.txt", LINES)]);
    let task = project.task(&["a.txt"], |top| replace(top, "a.txt", "two", "TWO"));
    let other = TaskId::random();
    let lock = project.files.lock(&project.place.common_dir, &other, Duration::ZERO).expect("it can be locked");
    let operator = Operator { git: &project.git, files: &project.files, max_file: 1 };
    let refused = operator.lock_within(&project.place, &task, Duration::ZERO);
    assert!(matches!(&refused, Err(OperationError::Busy(Some(holder))) if holder.task == other), "{refused:?}");
    drop(lock);
    project.run(OperationKind::Undo, &task).expect("the repository is free");
}
