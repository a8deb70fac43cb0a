//! Tests of snapshots of real repositories.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt, fs::symlink},
    path::Path,
};

use super::*;
use crate::workspace::scratch_tests::{MAX_FILE, Scratch, after, before, files_of, omitted};

fn mkfifo(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().expect("it is installed");
    assert!(made.success());
}

#[test]
fn a_clean_work_tree_needs_no_commit() {
    let scratch = Scratch::new();
    let mut shadow = scratch.shadow();
    let snapshot = before(&mut shadow);
    assert_eq!(Some(snapshot.commit), scratch.head().commit);
    assert_eq!((snapshot.uncommitted, snapshot.omitted), (0, vec![]));
    assert_eq!(snapshot.branch, Some(GitPath::from_bytes("main")));
}

#[test]
fn a_snapshot_contains_what_the_user_sees_and_changes_nothing() {
    let scratch = Scratch::new();
    scratch.write("staged.txt", "staged\n");
    scratch.git(&["add", "staged.txt"]);
    scratch.write("staged.txt", "unstaged\n");
    scratch.write("dir/new file", "untracked\n");
    scratch.write("x.log", "ignored\n");
    scratch.git(&["rm", "-q", "--cached", "dir/b.txt"]);
    scratch.remove("a.txt");
    symlink("/etc/passwd", scratch.top.join("link")).expect("it is writable");
    fs::write(scratch.top.join(OsStr::from_bytes(b"\xff\n\"-x")), "odd\n").expect("it is writable");
    scratch.write("-dash", "dash\n");
    scratch.write("run", "#!/bin/sh\n");
    fs::set_permissions(scratch.top.join("run"), fs::Permissions::from_mode(0o755)).expect("the test owns it");
    let status = scratch.git(&["status", "--porcelain=v2", "--branch"]);
    let unchanged = scratch.git_files();

    let mut shadow = scratch.shadow();
    let snapshot = before(&mut shadow);
    let content = files_of(&shadow, &snapshot);
    let expected = [
        ("-dash", "dash\n"),
        (".gitignore", "*.log\n/build/\n"),
        ("dir/b.txt", "b\n"),
        ("dir/new file", "untracked\n"),
        ("link", "/etc/passwd"),
        ("run", "#!/bin/sh\n"),
        ("staged.txt", "unstaged\n"),
        ("\u{fffd}\n\"-x", "odd\n"),
    ];
    assert_eq!(content, expected.map(|(path, text)| (path.to_owned(), text.to_owned())).into());
    assert_eq!((snapshot.uncommitted, snapshot.omitted), (7, vec![]));
    let mode = shadow.object_command(["ls-tree", snapshot.tree.as_str(), "run"]).run().expect("it is a tree");
    assert!(mode.starts_with(b"100755"));

    shadow.publish().expect("the user's repository is writable");
    assert_eq!(scratch.git_files(), unchanged);
    assert_eq!(scratch.git(&["show", &format!("{}:staged.txt", snapshot.commit)]), "unstaged");
    assert_eq!(
        scratch.git(&["log", "-1", "--format=%P", snapshot.commit.as_str()]),
        scratch.git(&["rev-parse", "HEAD"])
    );
    assert_eq!(scratch.git(&["status", "--porcelain=v2", "--branch"]), status);
}

#[test]
fn nothing_is_in_the_users_repository_before_it_is_published() {
    let scratch = Scratch::new();
    scratch.write("new", "content");
    let objects = || scratch.git(&["count-objects", "-v"]);
    let count = objects();
    let mut shadow = scratch.shadow();
    before(&mut shadow);
    assert_eq!(objects(), count);
    for _ in 0..2 {
        shadow.publish().expect("it can be repeated");
    }
    assert!(objects() != count);
    scratch.git(&["fsck", "--strict"]);
}

#[test]
fn objects_are_not_published_through_a_link() {
    let scratch = Scratch::new();
    scratch.write("new", "content");
    let mut shadow = scratch.shadow();
    before(&mut shadow);
    let elsewhere = scratch.root.join("elsewhere");
    fs::create_dir(&elsewhere).expect("it is writable");
    for directory in 0..=255 {
        let directory = scratch.top.join(format!(".git/objects/{directory:02x}"));
        if !directory.exists() {
            symlink(&elsewhere, directory).expect("it is writable");
        }
    }
    shadow.publish().expect_err("a directory is a link");
    assert_eq!(fs::read_dir(elsewhere).expect("it exists").count(), 0);
}

#[test]
fn a_repository_without_a_commit_has_snapshots() {
    let scratch = Scratch::unborn(&["--object-format=sha256"]);
    scratch.write("new", "content\n");
    let mut shadow = scratch.shadow();
    let first = before(&mut shadow);
    assert_eq!((first.head, first.uncommitted, first.commit.as_str().len()), (None, 1, 64));
    scratch.write("new", "changed\n");
    scratch.git(&["add", "-A"]);
    scratch.git(&["commit", "-q", "-m", "the agent commits"]);
    let second = after(&mut shadow, &first.commit);
    assert_eq!(files_of(&shadow, &second)["new"], "changed\n");
    assert!(second.head.is_some());
}

#[test]
fn a_linked_worktree_a_detached_head_and_a_split_index_are_no_obstacle() {
    let scratch = Scratch::new();
    scratch.git(&["worktree", "add", "-q", "--detach", "../linked"]);
    let linked = scratch.root.join("linked");
    scratch.git_in(&linked, &["update-index", "--split-index"]);
    fs::write(linked.join("a.txt"), "changed\n").expect("it is writable");
    scratch.git_in(&linked, &["add", "a.txt"]);
    let place = crate::workspace::find_place(&scratch.tool(), &linked).expect("it is a worktree");
    let mut shadow = scratch.shadow_at(&place, None);
    let snapshot = before(&mut shadow);
    assert_eq!((snapshot.branch, snapshot.uncommitted), (None, 1));
    shadow.publish().expect("the common directory is writable");
    assert_eq!(scratch.git(&["show", &format!("{}:a.txt", snapshot.commit)]), "changed");
}

#[test]
fn an_unmerged_index_is_covered_with_the_markers() {
    let scratch = Scratch::new();
    scratch.git(&["checkout", "-q", "-b", "other"]);
    scratch.write("a.txt", "other\n");
    scratch.git(&["commit", "-q", "-a", "-m", "other"]);
    scratch.git(&["checkout", "-q", "main"]);
    scratch.write("a.txt", "main\n");
    scratch.git(&["commit", "-q", "-a", "-m", "main"]);
    let merge = std::panic::catch_unwind(|| scratch.git(&["merge", "-q", "other"]));
    merge.expect_err("it conflicts");
    let unchanged = scratch.git_files();
    let mut shadow = scratch.shadow();
    let first = before(&mut shadow);
    assert!(files_of(&shadow, &first)["a.txt"].starts_with("<<<<<<< HEAD\nmain\n"));
    scratch.remove("a.txt");
    let second = after(&mut shadow, &first.commit);
    assert!(!files_of(&shadow, &second).contains_key("a.txt"));
    assert_eq!(scratch.git_files(), unchanged);
}

#[test]
fn a_missing_damaged_or_locked_index_is_no_obstacle() {
    for damage in ["", "nonsense", "lock"] {
        let scratch = Scratch::new();
        scratch.write("a.txt", "changed\n");
        let index = scratch.top.join(".git/index");
        match damage {
            "" => fs::remove_file(index),
            "lock" => fs::write(scratch.top.join(".git/index.lock"), ""),
            text => fs::write(index, text),
        }
        .expect("the test owns it");
        let mut shadow = scratch.shadow();
        let snapshot = before(&mut shadow);
        assert_eq!(snapshot.uncommitted, 1, "{damage}");
        assert_eq!(files_of(&shadow, &snapshot)["a.txt"], "changed\n", "{damage}");
    }
}

#[test]
fn a_change_of_the_same_size_right_after_the_index_was_written_is_seen() {
    for _ in 0..20 {
        let scratch = Scratch::new();
        scratch.write("a.txt", "ONE\n");
        scratch.git(&["add", "a.txt"]);
        scratch.write("a.txt", "TWO\n");
        let mut shadow = scratch.shadow();
        let snapshot = before(&mut shadow);
        assert_eq!(files_of(&shadow, &snapshot)["a.txt"], "TWO\n");
    }
}

#[test]
fn a_file_that_is_skipped_and_does_not_exist_keeps_its_content() {
    let scratch = Scratch::new();
    scratch.git(&["update-index", "--assume-unchanged", "a.txt"]);
    scratch.git(&["update-index", "--skip-worktree", "dir/b.txt"]);
    scratch.write("intended", "intended\n");
    scratch.git(&["add", "-N", "intended"]);
    scratch.write("a.txt", "changed\n");
    scratch.remove("dir/b.txt");
    let mut shadow = scratch.shadow();
    let snapshot = before(&mut shadow);
    let content = files_of(&shadow, &snapshot);
    assert_eq!((content["a.txt"].as_str(), content["dir/b.txt"].as_str()), ("changed\n", "b\n"));
    assert_eq!(content["intended"], "intended\n");
}

#[test]
fn a_sparse_checkout_keeps_the_files_outside() {
    let scratch = Scratch::new();
    scratch.write("other/c.txt", "c\n");
    scratch.git(&["add", "-A"]);
    scratch.git(&["commit", "-q", "-m", "second"]);
    scratch.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "dir"]);
    assert!(!scratch.top.join("other").exists());
    let mut shadow = scratch.shadow();
    let first = before(&mut shadow);
    assert_eq!(first.uncommitted, 0);
    scratch.write("dir/b.txt", "changed\n");
    let second = after(&mut shadow, &first.commit);
    let content = files_of(&shadow, &second);
    assert_eq!((content["other/c.txt"].as_str(), content["dir/b.txt"].as_str()), ("c\n", "changed\n"));
}

#[test]
fn line_endings_are_stored_as_the_user_stores_them() {
    let scratch = Scratch::new();
    scratch.git(&["config", "core.autocrlf", "true"]);
    scratch.write("new", "x\r\ny\r\n");
    scratch.write("binary", "x\r\n\0");
    let mut shadow = scratch.shadow();
    let snapshot = before(&mut shadow);
    let content = files_of(&shadow, &snapshot);
    assert_eq!((content["new"].as_str(), content["binary"].as_str()), ("x\ny\n", "x\r\n\0"));
}

#[test]
fn files_that_do_not_belong_into_a_snapshot_are_named() {
    let scratch = Scratch::new();
    scratch.write("large", vec![b'x'; MAX_FILE as usize + 1]);
    scratch.write(".env", "SECRET=1\n");
    scratch.write("small", vec![b'x'; MAX_FILE as usize]);
    fs::create_dir(scratch.top.join("nested")).expect("it is writable");
    scratch.git_in(&scratch.top.join("nested"), &["init", "-q"]);
    scratch.write("nested/file", "nested\n");
    scratch.remove("a.txt");
    for fifo in ["fifo", "a.txt"] {
        mkfifo(&scratch.top.join(fifo));
    }
    let mut shadow = scratch.shadow();
    let snapshot = before(&mut shadow);
    assert_eq!(omitted(&snapshot), [".env", "a.txt", "large", "nested"]);
    let content = files_of(&shadow, &snapshot);
    assert_eq!(content.keys().collect::<Vec<_>>(), [".gitignore", "a.txt", "dir/b.txt", "small"]);
}

#[test]
fn a_submodule_is_not_entered() {
    let scratch = Scratch::new();
    scratch.git(&["-c", "protocol.file.allow=always", "submodule", "add", "-q", "../repo", "module"]);
    scratch.git(&["commit", "-q", "-m", "a submodule"]);
    scratch.write("module/a.txt", "changed in the submodule\n");
    let mut shadow = scratch.shadow();
    let snapshot = before(&mut shadow);
    assert_eq!((snapshot.uncommitted, omitted(&snapshot)), (0, vec!["module".to_owned()]));
}

#[test]
fn a_file_whose_filter_fails_is_omitted() {
    let scratch = Scratch::new();
    scratch.git(&["config", "--global", "filter.broken.clean", "false"]);
    scratch.git(&["config", "--global", "filter.broken.required", "true"]);
    scratch.write(".gitattributes", "*.x filter=broken\n");
    for number in 0..5 {
        scratch.write(&format!("{number}.x"), "x\n");
        scratch.write(&format!("{number}.y"), "y\n");
    }
    let mut shadow = scratch.shadow();
    let snapshot = before(&mut shadow);
    assert_eq!(omitted(&snapshot), ["0.x", "1.x", "2.x", "3.x", "4.x"]);
    assert!(files_of(&shadow, &snapshot).contains_key("4.y"));
}

#[test]
fn the_top_may_have_an_odd_name() {
    let scratch = Scratch::new();
    let odd = scratch.root.join(OsStr::from_bytes(b"a \"b\"\n\xff # c"));
    scratch.git(&["clone", "-q", ".", "../clone"]);
    fs::rename(scratch.root.join("clone"), &odd).expect("it is writable");
    fs::write(odd.join("a.txt"), "changed\n").expect("it is writable");
    let place = crate::workspace::find_place(&scratch.tool(), Path::new(&odd)).expect("it is a repository");
    let mut shadow = scratch.shadow_at(&place, None);
    let snapshot = before(&mut shadow);
    assert_eq!(snapshot.uncommitted, 1);
    shadow.publish().expect("it is writable");
}

#[test]
fn a_file_that_is_gone_before_it_is_read_is_left_out() {
    let scratch = Scratch::new();
    scratch.write("new", "new\n");
    let shadow = scratch.shadow();
    let mut failures = Vec::new();
    shadow.add(&[b"gone".to_vec(), b"new".to_vec()], &mut failures).expect("it is not an error");
    assert_eq!(failures, Vec::<Vec<u8>>::new());
    let listed = shadow.command(["ls-files", "gone", "new"]).run().expect("it is an index");
    assert_eq!(listed, b"new\n");
}

#[test]
fn a_snapshot_ends_at_its_deadline() {
    let scratch = Scratch::new();
    let mut shadow = scratch.shadow();
    shadow.set_deadline(crate::process::Deadline::after(std::time::Duration::ZERO));
    let failed = shadow.snapshot("before", None);
    assert!(matches!(failed, Err(SnapshotError::Git(GitError::TimedOut { .. }))), "{failed:?}");
}

#[test]
fn git_does_not_wait_for_a_fifo_with_the_name_of_a_file_that_it_opens() {
    let scratch = Scratch::new();
    scratch.write("sub/new", "new\n");
    scratch.write("a.txt", "changed\n");
    for name in ["sub/.gitignore", "dir/.gitattributes", ".gitattributes", ".gitmodules"] {
        mkfifo(&scratch.top.join(name));
    }
    let started = std::time::Instant::now();
    let mut shadow = scratch.shadow();
    let snapshot = before(&mut shadow);
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
    let content = files_of(&shadow, &snapshot);
    assert_eq!((content["a.txt"].as_str(), content["sub/new"].as_str()), ("changed\n", "new\n"));
    let omitted = omitted(&snapshot);
    for name in [".gitattributes", "dir/.gitattributes", "sub/.gitignore"] {
        assert!(omitted.iter().any(|path| path == name), "{omitted:?}");
    }
}
