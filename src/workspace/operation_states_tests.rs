//! Undo, redo and apply in repositories in every state.

use std::{fs, path::Path};

use super::fixture::{Project, paths, request, run_git, write};
use crate::{
    task::OperationKind,
    workspace::{OperationRequest, changed_paths},
};

const LINES: &str = "one\ntwo\nthree\nfour\nfive\n";

/// A repository in `project` with one commit.
fn committed(root: &Path, args: &[&str]) {
    fs::create_dir(root.join("project")).expect("it is writable");
    let git = |args: &[&str]| run_git(&root.join("project"), args);
    git(&[&["init", "-q", "-b", "main"], args].concat());
    write(&root.join("project"), "a.txt", LINES);
    write(&root.join("project"), "b.txt", "b\n");
    write(&root.join("project"), "dir/c.txt", "c\n");
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "base"]);
}

fn plain(root: &Path) {
    committed(root, &[]);
}

/// A name, and what makes the work tree `project`.
type State = (&'static str, fn(&Path));

const STATES: [State; 17] = [
    ("clean", plain),
    ("no commit yet", |root| {
        fs::create_dir(root.join("project")).expect("it is writable");
        run_git(&root.join("project"), &["init", "-q", "-b", "main"]);
        write(&root.join("project"), "a.txt", LINES);
    }),
    ("staged, unstaged and untracked files", |root| {
        plain(root);
        let top = root.join("project");
        write(&top, "b.txt", "staged\n");
        write(&top, "staged.txt", "staged\n");
        run_git(&top, &["add", "-A"]);
        write(&top, "b.txt", "unstaged\n");
        write(&top, "untracked.txt", "untracked\n");
    }),
    ("detached HEAD", |root| {
        plain(root);
        run_git(&root.join("project"), &["checkout", "-q", "--detach"]);
    }),
    ("linked worktree", |root| {
        plain(root);
        fs::rename(root.join("project"), root.join("main")).expect("the test owns it");
        run_git(&root.join("main"), &["worktree", "add", "-q", "-b", "linked", "../project"]);
    }),
    ("bare repository with a worktree", |root| {
        plain(root);
        run_git(root, &["clone", "-q", "--bare", "project", "bare.git"]);
        fs::remove_dir_all(root.join("project")).expect("the test owns it");
        run_git(&root.join("bare.git"), &["worktree", "add", "-q", "../project", "main"]);
    }),
    ("SHA-256", |root| committed(root, &["--object-format=sha256"])),
    ("sparse checkout", |root| {
        plain(root);
        run_git(&root.join("project"), &["sparse-checkout", "set", "--cone"]);
        assert!(!root.join("project/dir").exists());
    }),
    ("split index", |root| {
        plain(root);
        run_git(&root.join("project"), &["update-index", "--split-index"]);
    }),
    ("index version 4, with a file that will be added", |root| {
        plain(root);
        write(&root.join("project"), "later.txt", "later\n");
        run_git(&root.join("project"), &["add", "-N", "later.txt"]);
        run_git(&root.join("project"), &["update-index", "--index-version", "4"]);
    }),
    ("locked index", |root| {
        plain(root);
        write(&root.join("project"), ".git/index.lock", "");
    }),
    ("unmerged index", |root| {
        plain(root);
        let git = |args: &[&str]| run_git(&root.join("project"), args);
        git(&["checkout", "-q", "-b", "other"]);
        write(&root.join("project"), "b.txt", "other\n");
        git(&["commit", "-qam", "other"]);
        git(&["checkout", "-q", "main"]);
        write(&root.join("project"), "b.txt", "main\n");
        git(&["commit", "-qam", "main"]);
        let merge = std::panic::catch_unwind(|| run_git(&root.join("project"), &["merge", "-q", "other"]));
        assert!(merge.is_err(), "there is a conflict");
    }),
    ("submodule with changes", |root| {
        plain(root);
        fs::rename(root.join("project"), root.join("module")).expect("the test owns it");
        plain(root);
        let top = root.join("project");
        run_git(&top, &["-c", "protocol.file.allow=always", "submodule", "add", "-q", "../module", "module"]);
        run_git(&top, &["commit", "-qm", "module"]);
        write(&top, "module/b.txt", "changed\n");
    }),
    ("nested repository", |root| {
        plain(root);
        fs::rename(root.join("project"), root.join("nested")).expect("the test owns it");
        plain(root);
        fs::rename(root.join("nested"), root.join("project/nested")).expect("the test owns it");
    }),
    ("line endings of Windows", |root| {
        plain(root);
        run_git(&root.join("project"), &["config", "core.autocrlf", "true"]);
        write(&root.join("project"), "a.txt", LINES.replace('\n', "\r\n"));
    }),
    ("shallow clone", |root| {
        plain(root);
        fs::rename(root.join("project"), root.join("origin")).expect("the test owns it");
        write(&root.join("origin"), "b.txt", "second\n");
        run_git(&root.join("origin"), &["commit", "-qam", "second"]);
        let origin = format!("file://{}", root.join("origin").display());
        run_git(root, &["clone", "-q", "--depth", "1", &origin, "project"]);
    }),
    ("stash, tags and a replaced commit", |root| {
        plain(root);
        let git = |args: &[&str]| run_git(&root.join("project"), args);
        write(&root.join("project"), "b.txt", "stashed\n");
        git(&["stash", "-q"]);
        git(&["tag", "v1"]);
        let other = git(&["commit-tree", "-m", "other", "HEAD^{tree}"]);
        git(&["replace", "HEAD", &other]);
    }),
];

fn status(project: &Project) -> String {
    project.git(&["--no-optional-locks", "status", "--porcelain=v2", "--untracked-files=all"])
}

fn agent(top: &Path) {
    let text = fs::read_to_string(top.join("a.txt")).expect("it is readable");
    write(top, "a.txt", text.replace("two", "TWO"));
    // With the line endings of the project, because git does not store which ones a file has.
    write(top, "new/file.txt", if text.contains('\r') { "new\r\n" } else { "new\n" });
}

#[test]
fn a_task_in_place_can_be_undone_in_every_state() {
    for (name, make) in STATES {
        let project = Project::made_by(make);
        let (files, private, clean) = (project.files_now(), project.private(), status(&project));
        let task = project.task(&["a.txt", "new/file.txt"], agent);
        let (changed, dirty) = (project.files_now(), status(&project));
        let workspace = project.workspace(&task);
        let after = workspace.after.as_ref().expect("it was taken");
        let shadow = project.shadow(&project.place, None);
        let found = changed_paths(&shadow, &workspace.before, after, None).expect("git works");
        let found: Vec<_> = found.into_iter().map(|file| file.path).collect();
        assert_eq!(found, paths(&["a.txt", "new/file.txt"]), "{name}");

        let run = |kind| project.run(kind, &task).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        run(OperationKind::Undo);
        assert_eq!((project.files_now(), status(&project)), (files, clean), "{name}");
        run(OperationKind::Redo);
        assert_eq!((project.files_now(), status(&project)), (changed, dirty), "{name}");
        assert_eq!(project.private(), private, "{name}");
    }
}

#[test]
fn a_worktree_can_be_applied_in_every_state() {
    for (name, make) in STATES {
        let project = Project::made_by(make);
        let task = project.worktree_task(agent);
        let (files, private, clean) = (project.files_now(), project.private(), status(&project));
        let run = |kind| project.run(kind, &task).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let applied = run(OperationKind::Apply);
        assert_eq!(applied.files, paths(&["a.txt", "new/file.txt"]), "{name}");
        assert!(project.read("a.txt").contains("TWO"), "{name}");
        run(OperationKind::Undo);
        assert_eq!((project.files_now(), status(&project)), (files, clean), "{name}");
        assert_eq!(project.private(), private, "{name}");
    }
}

#[test]
fn the_user_may_switch_branches_and_the_agent_may_commit() {
    let project = Project::made_by(plain);
    project.git(&["checkout", "-q", "-b", "other"]);
    project.write("b.txt", "other\n");
    project.git(&["commit", "-qam", "other"]);
    project.git(&["checkout", "-q", "main"]);
    let task = project.task(&["a.txt", "new/file.txt"], |top| {
        agent(top);
        run_git(top, &["add", "-A"]);
        run_git(top, &["commit", "-qm", "the agent's"]);
    });
    project.git(&["checkout", "-q", "other"]);
    project.write("a.txt", LINES.replace("two", "TWO").replace("five", "FIVE"));
    let private = project.private();
    let undone = project.run(OperationKind::Undo, &task).expect("there is no conflict");
    assert_eq!(undone.files, paths(&["a.txt"]), "the new file is not in this branch");
    assert_eq!(project.read("a.txt"), LINES.replace("five", "FIVE"));
    assert_eq!((project.read("b.txt"), project.private()), ("other\n".to_owned(), private));
}

#[test]
fn ignored_files_of_the_task_are_undone() {
    let project = Project::made_by(plain);
    let task = project.task(&["new.log"], |top| write(top, "new.log", "log\n"));
    project.write(".gitignore", "*.log\n");
    let undone = project.run(OperationKind::Undo, &task).expect("there is no conflict");
    assert_eq!(undone.files, paths(&["new.log"]));
    assert!(!project.top.join("new.log").exists());
    let redo = OperationRequest { is_check: true, ..request(OperationKind::Redo, &task) };
    assert_eq!(project.operate(&redo).expect("there is no conflict").files, paths(&["new.log"]));
}

#[test]
fn files_that_the_agent_creates_outside_the_sparse_patterns_are_undone() {
    let project = Project::with(&[("in/a", "1\n"), ("out/b", "1\n"), ("out/c", "1\n")]);
    project.git(&["sparse-checkout", "set", "in"]);
    let private = project.private();
    let task = project.task(&[], |top| {
        write(top, "in/a", "2\n");
        write(top, "out/b", "2\n");
        write(top, "out/new", "2\n");
    });
    let undone = project.operate(&OperationRequest { all: true, ..request(OperationKind::Undo, &task) });
    assert_eq!(undone.expect("there is no conflict").files, paths(&["in/a", "out/b", "out/new"]));
    assert_eq!((project.read("in/a"), project.read("out/b")), ("1\n".to_owned(), "1\n".to_owned()));
    assert!(!project.top.join("out/new").exists() && !project.top.join("out/c").exists());
    assert_eq!((project.private(), project.git(&["status", "--porcelain"])), (private, String::new()));
}
