//! Tests of what only the git directory of a worktree has, when the worktree is removed.

use super::*;

/// The names of the task's refs.
fn refs(scratch: &Scratch, tree: &MadeForTest) -> Vec<String> {
    let pattern = format!("refs/codex-connector/{}", tree.task);
    scratch.git(&["for-each-ref", "--format=%(refname:lstrip=3)", &pattern]).lines().map(str::to_owned).collect()
}

fn rest(tree: &MadeForTest) -> String {
    format!("refs/codex-connector/{}/rest", tree.task)
}

#[test]
fn commits_that_only_the_reflog_has_are_kept_by_a_ref() {
    let scratch = Scratch::new();
    let tree = make(&scratch);
    let git = |args: &[&str]| scratch.git_in(tree.path(), args);
    for text in ["one", "two"] {
        fs::write(tree.path().join("work"), text).expect("it is writable");
        git(&["add", "work"]);
        git(&["commit", "-q", "-m", text]);
    }
    let lost = git(&["rev-parse", "HEAD"]);
    git(&["reset", "-q", "--hard", "HEAD~2"]);
    fs::write(tree.path().join("a.txt"), "other work").expect("it is writable");
    let after = tree.after(&scratch);
    assert_eq!(tree.remove(&scratch, &after), None);
    assert_eq!(refs(&scratch, &tree), ["rest"]);
    let parents = scratch.git(&["log", "-1", "--format=%P", &rest(&tree)]);
    assert_eq!(parents, format!("{after} {lost}"), "the latest of the two commits");
    assert_eq!(scratch.git(&["show", &format!("{}:a.txt", rest(&tree))]), "other work");
}

#[test]
fn a_commit_on_a_branch_of_the_user_needs_no_ref() {
    let scratch = Scratch::new();
    let tree = make(&scratch);
    let git = |args: &[&str]| scratch.git_in(tree.path(), args);
    git(&["commit", "-q", "--allow-empty", "-m", "on a branch"]);
    git(&["branch", "kept"]);
    git(&["reset", "-q", "--hard", "HEAD~1"]);
    let after = tree.after(&scratch);
    assert_eq!(tree.remove(&scratch, &after), None);
    assert!(refs(&scratch, &tree).is_empty());
}

#[test]
fn staged_files_and_refs_of_the_worktree_are_kept_by_a_ref() {
    let scratch = Scratch::new();
    let tree = make(&scratch);
    let git = |args: &[&str]| scratch.git_in(tree.path(), args);
    fs::write(tree.path().join("staged"), "only staged").expect("it is writable");
    git(&["add", "staged"]);
    fs::remove_file(tree.path().join("staged")).expect("it exists");
    let tip = git(&["commit-tree", "HEAD^{tree}", "-m", "own ref"]);
    git(&["update-ref", "refs/worktree/mine", &tip]);
    let after = tree.after(&scratch);
    assert_eq!(tree.remove(&scratch, &after), None);
    assert_eq!(refs(&scratch, &tree), ["rest"]);
    assert_eq!(scratch.git(&["show", &format!("{}:staged", rest(&tree))]), "only staged");
    assert_eq!(scratch.git(&["rev-parse", &format!("{}^2", rest(&tree))]), tip);
}

#[test]
fn the_user_s_own_staged_files_need_no_ref() {
    let scratch = Scratch::new();
    edit(&scratch);
    let tree = make(&scratch);
    let after = tree.after(&scratch);
    assert_eq!(tree.remove(&scratch, &after), None);
    assert!(refs(&scratch, &tree).is_empty());
}

#[test]
fn a_worktree_with_staged_conflicts_is_kept() {
    let scratch = Scratch::new();
    let tree = make(&scratch);
    let git = |args: &[&str]| scratch.git_in(tree.path(), args);
    let blob = git(&["rev-parse", "HEAD:a.txt"]);
    let after = tree.after(&scratch);
    let entries = tree.path().with_file_name("entries");
    fs::write(&entries, format!("100644 {blob} 2\tconflict\n100644 {blob} 3\tconflict\n")).expect("it is writable");
    let input = fs::File::open(&entries).expect("it exists");
    let mut command = std::process::Command::new("git");
    command.args(["update-index", "--index-info"]).current_dir(tree.path()).stdin(input);
    assert!(command.status().expect("git is installed").success());
    assert_eq!(tree.remove(&scratch, &after), Some(WhyKept::Unmerged));
}
