//! Tests of what a worktree does not get.

use std::fs;

use super::{
    TreeRequest, TreeStart, create_tree,
    scratch_tests::{Scratch, before},
};
use crate::task::TaskId;

fn make(scratch: &Scratch) -> super::MadeTree {
    let mut shadow = scratch.shadow();
    let snapshot = before(&mut shadow);
    let request = TreeRequest {
        task: &TaskId::random(),
        supervisor: None,
        source: &shadow,
        start: TreeStart::User(&snapshot),
        trees_dir: &scratch.root.join("trees"),
        symlink: &[],
        files: None,
    };
    create_tree(&request).expect("a worktree can be made")
}

#[test]
fn ignored_files_beyond_the_limit_are_not_copied() {
    let scratch = Scratch::new();
    scratch.write(".worktreeinclude", "*.log\n");
    scratch.write("a.log", "small");
    scratch.write("b.log", "");
    let file = fs::File::options().write(true).open(scratch.top.join("b.log")).expect("it exists");
    file.set_len((1 << 30) + 1).expect("it is a sparse file");
    scratch.write("c.log", "small");
    let made = make(&scratch);
    let copied = ["a.log", "b.log", "c.log"].map(|name| made.worktree.path.join(name).exists());
    assert_eq!(copied, [true, false, false]);
    let [warning] = &made.warnings[..] else { panic!("{:?}", made.warnings) };
    assert!(warning.contains("only the first 1 files") && warning.contains("1 GiB"), "{warning}");
}

#[test]
fn a_push_from_a_submodule_of_a_worktree_never_reaches_the_users_clone() {
    let scratch = Scratch::new();
    let library = scratch.root.join("library");
    scratch.git_in(&scratch.root, &["init", "-q", "-b", "main", "library"]);
    scratch.git_in(&library, &["commit", "-q", "--allow-empty", "-m", "library"]);
    let url = library.display().to_string();
    scratch.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "lib"]);
    scratch.git(&["commit", "-q", "-m", "submodule"]);
    scratch.git_in(&scratch.top.join("lib"), &["config", "--unset", "remote.origin.url"]);
    let made = make(&scratch);
    assert_eq!(made.warnings, Vec::<String>::new());
    let settings = scratch.git_in(&made.worktree.path.join("lib"), &["config", "--list", "--local"]);
    assert!(!settings.contains("remote.origin.url"), "{settings}");
}
