//! Tests with real repositories.

use std::fs;

use super::*;
use crate::workspace::scratch_tests::Scratch;

#[test]
fn a_place_is_found_from_a_directory_below_the_top() {
    let scratch = Scratch::new();
    let place = find_place(&scratch.tool(), &scratch.top.join("dir")).expect("it is a repository");
    let git_dir = scratch.top.join(".git");
    let expected = Place {
        top: scratch.top.clone(),
        git_dir: git_dir.clone(),
        common_dir: git_dir,
        prefix: "dir".into(),
        object_format: ObjectFormat::Sha1,
    };
    assert_eq!(place, expected);
}

#[test]
fn unusual_repositories_have_a_place() {
    let scratch = Scratch::new();
    let common_dir = scratch.top.join(".git");
    scratch.git(&["worktree", "add", "-q", "../linked"]);
    let linked = find_place(&scratch.tool(), &scratch.root.join("linked")).expect("it is a worktree");
    assert_eq!((linked.git_dir, linked.common_dir), (common_dir.join("worktrees/linked"), common_dir.clone()));

    scratch.git(&["-c", "protocol.file.allow=always", "submodule", "add", "-q", "../repo", "module"]);
    let module = find_place(&scratch.tool(), &scratch.top.join("module")).expect("it is a repository");
    assert_eq!((module.top, module.git_dir), (scratch.top.join("module"), common_dir.join("modules/module")));

    let lines = scratch.root.join("new\nline");
    fs::create_dir(&lines).expect("it is writable");
    scratch.git_in(&lines, &["init", "-q"]);
    let place = find_place(&scratch.tool(), &lines).expect("it is a repository");
    assert_eq!((place.git_dir, place.top), (lines.join(".git"), lines));

    let sha256 = Scratch::unborn(&["--object-format=sha256"]);
    assert_eq!(sha256.place().object_format, ObjectFormat::Sha256);
}

#[test]
fn what_is_checked_out_is_known() {
    let scratch = Scratch::unborn(&[]);
    assert_eq!(scratch.head(), Head { commit: None, tree: None, branch: Some(GitPath::from_bytes("main")) });
    let scratch = Scratch::new();
    let commit = scratch.git(&["rev-parse", "HEAD"]);
    scratch.git(&["checkout", "-q", "-b", "topic/x"]);
    let head = scratch.head();
    assert_eq!(head.commit.map(|id| id.to_string()), Some(commit));
    assert_eq!(head.tree.map(|id| id.to_string()), Some(scratch.git(&["rev-parse", "HEAD^{tree}"])));
    assert_eq!(head.branch, Some(GitPath::from_bytes("topic/x")));
    scratch.git(&["checkout", "-q", "--detach"]);
    assert_eq!(scratch.head().branch, None);
}

#[test]
fn every_refusal_is_one_sentence() {
    let scratch = Scratch::new();
    let message = |directory: &Path| {
        let refused = find_place(&scratch.tool(), directory).expect_err("there is no usable repository");
        refused.to_string()
    };
    assert_eq!(message(&scratch.root), "the directory is not in a git repository");
    scratch.git(&["clone", "-q", "--bare", ".", "../bare.git"]);
    let no_work_tree = "the directory is in a bare repository or in a git directory, so it has no work tree";
    assert_eq!(message(&scratch.root.join("bare.git")), no_work_tree);
    assert_eq!(message(&scratch.top.join(".git/refs")), no_work_tree);
    let broken = scratch.root.join("broken");
    fs::create_dir(&broken).expect("it is writable");
    fs::write(broken.join(".git"), "gitdir: /nowhere\n").expect("it is writable");
    assert_eq!(message(&broken), "the directory is not in a git repository");
}

#[test]
fn the_command_for_a_repository_of_another_user_is_named() {
    let stderr = "fatal: detected dubious ownership in repository at '/srv/x y'\nTo add an exception for this \
                  directory, call:\n\n\tgit config --global --add safe.directory '/srv/x y'\n";
    let failed = |stderr: &str| GitError::Failed {
        command: "rev-parse".into(),
        exit: connector_api::Exit::Code(128),
        stderr: stderr.to_owned().into(),
    };
    let message = refusal(failed(stderr)).to_string();
    assert!(message.ends_with("run `git config --global --add safe.directory '/srv/x y'`"), "{message}");
    assert_eq!(refusal(failed("else")).to_string(), "`git rev-parse` failed with exit code 128");
}

#[test]
fn git_really_refuses_a_repository_of_another_user_like_this() {
    let scratch = Scratch::new();
    let mut environment = scratch.environment();
    environment.push(("PATH".into(), std::env::var_os("PATH").unwrap_or_default()));
    // Only root could change the owner, so git's own test switch simulates another one.
    let question = scratch.tool().command(["rev-parse", "--show-toplevel"]).directory(&scratch.top);
    let refused = question.env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1").run().map_err(refusal);
    assert!(
        matches!(refused, Err(NotCovered::SafeDirectory { ref command }) if command.ends_with("/repo")),
        "{refused:?}"
    );
}

#[test]
fn a_place_that_became_a_link_is_noticed() {
    let scratch = Scratch::new();
    let place = scratch.place();
    assert!(is_unmoved(&place));
    fs::rename(scratch.top.join(".git"), scratch.root.join("moved")).expect("the test owns it");
    std::os::unix::fs::symlink(scratch.root.join("moved"), scratch.top.join(".git")).expect("it is writable");
    assert!(!is_unmoved(&place));
}

#[test]
fn a_place_and_its_head_are_found_with_one_process_or_separately() {
    let found = |scratch: &Scratch, top: &std::path::Path| {
        let (place, head) = find_place_and_head(&scratch.tool(), top).expect("it is a repository");
        assert_eq!(place, find_place(&scratch.tool(), top).expect("it is a repository"));
        head
    };
    let scratch = Scratch::new();
    assert_eq!(found(&scratch, &scratch.top.join("dir")), Some(scratch.head()));
    scratch.git(&["checkout", "-q", "--detach"]);
    assert_eq!(found(&scratch, &scratch.top), Some(scratch.head()));

    // Without a commit, three paths with a newline have as many lines as a repository with a commit.
    let lines = scratch.root.join("new\nline");
    fs::create_dir(&lines).expect("it is writable");
    scratch.git_in(&lines, &["init", "-q"]);
    assert_eq!(found(&scratch, &lines), None);
    scratch.git_in(&lines, &["commit", "-q", "--allow-empty", "-m", "first"]);
    assert_eq!(found(&scratch, &lines), None);
    let unborn = Scratch::unborn(&[]);
    assert_eq!(found(&unborn, &unborn.top), None);
}
