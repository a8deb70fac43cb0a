//! Tests of the snapshots after the first one.

use std::{fs, os::unix::fs::symlink};

use super::{
    Base, Shadow, Snapshot, SnapshotError,
    scratch_tests::{MAX_FILE, Scratch, after, before, files_of, omitted},
};
use crate::task::{GitPath, Omission, OmissionReason};

#[test]
fn files_and_directories_may_replace_each_other() {
    let scratch = Scratch::new();
    let mut shadow = scratch.shadow();
    let first = before(&mut shadow);
    scratch.remove("a.txt");
    scratch.write("a.txt/inside", "inside\n");
    fs::remove_dir_all(scratch.top.join("dir")).expect("the test owns it");
    scratch.write("dir", "a file\n");
    let second = after(&mut shadow, &first.commit);
    let content = files_of(&shadow, &second);
    assert_eq!(content.keys().collect::<Vec<_>>(), [".gitignore", "a.txt/inside", "dir"]);
    fs::remove_file(scratch.top.join("dir")).expect("it exists");
    symlink("/etc", scratch.top.join("dir")).expect("it is writable");
    let third = after(&mut shadow, &second.commit);
    assert_eq!(files_of(&shadow, &third)["dir"], "/etc", "the link is not followed");
}

#[test]
fn files_that_existed_before_never_seem_to_be_new() {
    let scratch = Scratch::new();
    scratch.write("x.log", "existed\n");
    scratch.write("large", vec![b'x'; MAX_FILE as usize + 1]);
    scratch.write("nested/file", "nested\n");
    scratch.git_in(&scratch.top.join("nested"), &["init", "-q"]);
    scratch.write("covered", "covered\n");
    let mut shadow = scratch.shadow();
    let first = before(&mut shadow);
    // The agent changes what is ignored, too large, or a repository.
    scratch.write(".gitignore", "covered\n");
    scratch.write("large", "small\n");
    scratch.write("covered", "changed\n");
    fs::remove_dir_all(scratch.top.join("nested/.git")).expect("it exists");
    scratch.write("created", "created\n");
    let check = |shadow: &Shadow, second: &Snapshot| {
        let content = files_of(shadow, second);
        let paths: Vec<_> = content.keys().map(String::as_str).collect();
        assert_eq!(paths, [".gitignore", "a.txt", "covered", "created", "dir/b.txt"]);
        assert_eq!(content["covered"], "changed\n");
        assert_eq!(omitted(second), ["large", "nested/file", "x.log"]);
    };
    shadow.publish().expect("it is writable");
    let base = Base { commit: first.commit.clone(), omitted: first.omitted.clone() };
    let mut other = scratch.shadow_at(&scratch.place(), Some(base));
    let second = after(&mut shadow, &first.commit);
    check(&shadow, &second);
    let second = after(&mut other, &first.commit);
    check(&other, &second);
}

#[test]
fn files_in_a_directory_that_ignored_itself_never_seem_to_be_new() {
    let scratch = Scratch::new();
    scratch.write("cache/.gitignore", "*\n");
    scratch.write("cache/data", "existed\n");
    scratch.write("cache/more/data", "existed\n");
    scratch.write("logs/x.log", "existed\n");
    let mut shadow = scratch.shadow();
    let first = before(&mut shadow);
    scratch.remove("cache/.gitignore");
    scratch.write("cache/created", "created\n");
    scratch.write("logs/created", "created\n");
    let second = after(&mut shadow, &first.commit);
    let content = files_of(&shadow, &second);
    let paths: Vec<_> = content.keys().map(String::as_str).collect();
    assert_eq!(paths, [".gitignore", "a.txt", "cache/created", "dir/b.txt", "logs/created"]);
    assert_eq!(omitted(&second), ["cache/data", "cache/more"]);
    // As for an undo.
    let base = Base { commit: second.commit.clone(), omitted: second.omitted };
    shadow.publish().expect("it is writable");
    let mut other = scratch.shadow_at(&scratch.place(), Some(base));
    let third = after(&mut other, &second.commit);
    assert_eq!(third.tree, second.tree);
}

#[test]
fn changes_that_the_user_hides_from_git_are_in_snapshots() {
    let scratch = Scratch::new();
    scratch.write("a.txt", "local\n");
    scratch.write("dir/b.txt", "local\n");
    scratch.git(&["update-index", "--assume-unchanged", "a.txt"]);
    scratch.git(&["update-index", "--skip-worktree", "dir/b.txt"]);
    let unchanged = scratch.git_files();
    let mut shadow = scratch.shadow();
    let first = before(&mut shadow);
    assert_eq!(files_of(&shadow, &first)["a.txt"], "local\n");
    scratch.write("dir/b.txt", "changed\n");
    let second = after(&mut shadow, &first.commit);
    let content = files_of(&shadow, &second);
    assert_eq!((content["a.txt"].as_str(), content["dir/b.txt"].as_str()), ("local\n", "changed\n"));
    assert_eq!(scratch.git_files(), unchanged, "the user's index keeps the marks");
}

#[test]
fn an_untracked_file_that_grew_too_large_is_omitted_instead_of_deleted() {
    let scratch = Scratch::new();
    scratch.write("new", "small\n");
    let mut shadow = scratch.shadow();
    let first = before(&mut shadow);
    scratch.write("new", vec![b'x'; MAX_FILE as usize + 1]);
    scratch.write("a.txt", vec![b'x'; MAX_FILE as usize + 1]);
    let second = after(&mut shadow, &first.commit);
    assert_eq!(omitted(&second), ["new"]);
    assert_eq!(files_of(&shadow, &second)["new"], "small\n");
    assert_eq!(files_of(&shadow, &second)["a.txt"].len(), MAX_FILE as usize + 1, "a tracked file has no such limit");
}

#[test]
fn the_users_index_head_and_branch_may_change_meanwhile() {
    let scratch = Scratch::new();
    let mut shadow = scratch.shadow();
    let first = before(&mut shadow);
    scratch.write("a.txt", "changed\n");
    scratch.git(&["checkout", "-q", "-b", "other"]);
    scratch.git(&["commit", "-q", "-a", "-m", "the agent commits"]);
    scratch.git(&["rm", "-q", "--cached", "dir/b.txt"]);
    let second = after(&mut shadow, &first.commit);
    assert_eq!(second.branch, Some(GitPath::from_bytes("other")));
    assert_eq!(files_of(&shadow, &second)["a.txt"], "changed\n");
    assert_eq!(files_of(&shadow, &second)["dir/b.txt"], "b\n");
    fs::write(scratch.top.join(".git/HEAD"), "nonsense").expect("the test owns it");
    let third = after(&mut shadow, &second.commit);
    assert_eq!((third.tree, third.commit, third.head), (second.tree, second.commit, None));
}

#[test]
fn a_snapshot_without_a_repository_fails() {
    let scratch = Scratch::new();
    let mut shadow = scratch.shadow();
    let first = before(&mut shadow);
    fs::remove_dir_all(scratch.top.join(".git")).expect("the test owns it");
    let failed = shadow.snapshot("after", Some(&[first.commit]));
    assert!(matches!(failed, Err(SnapshotError::Moved)), "{failed:?}");
}

#[test]
fn without_untracked_files_before_there_are_none_after() {
    let scratch = Scratch::new();
    let reason = OmissionReason::TooMany { files: 200_000, bytes: 0 };
    let omission = Omission { path: GitPath::from_bytes("."), reason };
    let commit = scratch.head().commit.expect("there is one");
    scratch.write("new", "perhaps not new\n");
    scratch.write("a.txt", "changed\n");
    let mut shadow =
        scratch.shadow_at(&scratch.place(), Some(Base { commit: commit.clone(), omitted: vec![omission] }));
    let snapshot = after(&mut shadow, &commit);
    let content = files_of(&shadow, &snapshot);
    assert_eq!(content.get("new"), None);
    assert_eq!((content["a.txt"].as_str(), omitted(&snapshot)), ("changed\n", vec![".".to_owned()]));
}
