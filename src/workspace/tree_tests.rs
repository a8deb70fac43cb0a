//! Tests.

use std::{collections::BTreeSet, os::unix::fs::symlink};

use super::*;
use crate::{
    task::{FrozenSettings, GitPath},
    workspace::{
        Base, Removal, WhyKept, read_settings, remove_if_unchanged,
        scratch_tests::{MAX_FILE, Scratch, before},
        tree_removal::{snapshot_of_worktree, unlock},
    },
};

/// A worktree of a scratch repository, and what a task knows about it.
struct MadeForTest {
    task: TaskId,
    made: MadeTree,
    before: ObjectId,
    settings: FrozenSettings,
}

fn trees(scratch: &Scratch) -> PathBuf {
    scratch.root.join("trees")
}

fn make_with(scratch: &Scratch, task: &TaskId, symlink: &[PathBuf]) -> Result<MadeForTest, TreeError> {
    let mut shadow = scratch.shadow();
    let snapshot = before(&mut shadow);
    let settings = read_settings(&scratch.tool(), &scratch.place()).expect("git lists its settings");
    let supervisor = ProcessIdentity { pid: 7, start_time: 8, boot_id: "boot".to_owned() };
    let request = TreeRequest {
        task,
        supervisor: Some(&supervisor),
        source: &shadow,
        start: TreeStart::User(&snapshot),
        trees_dir: &trees(scratch),
        symlink,
        files: None,
    };
    let made = create_tree(&request)?;
    made.confirm()?;
    Ok(MadeForTest { task: task.clone(), made, before: snapshot.commit, settings })
}

fn make(scratch: &Scratch) -> MadeForTest {
    make_with(scratch, &TaskId::random(), &[]).expect("a worktree can be made")
}

impl MadeForTest {
    fn path(&self) -> &Path {
        &self.made.worktree.path
    }

    fn shadow(&self, scratch: &Scratch) -> Shadow {
        let base = Base { commit: self.before.clone(), omitted: self.made.omitted.clone() };
        let (git, dir) = (scratch.tool(), scratch.shadow_dir());
        Shadow::create(&git, &self.made.place, &self.settings, Some(base), MAX_FILE, &dir).expect("it can be made")
    }

    /// The snapshot after a task.
    fn after(&self, scratch: &Scratch) -> ObjectId {
        let mut shadow = self.shadow(scratch);
        let after = snapshot_of_worktree(&mut shadow, "after", &self.before).expect("a snapshot can be taken");
        shadow.publish().expect("it is writable");
        after.commit
    }

    fn remove(&self, scratch: &Scratch, after: &ObjectId) -> Option<WhyKept> {
        let mut shadow = self.shadow(scratch);
        let (task, staged) = (&self.task, self.made.worktree.staged.as_ref());
        let removal = Removal { task, after, omitted: &self.made.omitted, staged };
        remove_if_unchanged(&mut shadow, &removal).expect("it can be examined")
    }
}

/// The worktrees that the repository knows, without the user's.
fn registered(scratch: &Scratch) -> usize {
    scratch.git(&["worktree", "list", "--porcelain"]).matches("worktree ").count() - 1
}

fn names(dir: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(dir).expect("it exists").flatten();
    names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Changes that a user has not committed: staged, unstaged, deleted, untracked, ignored.
fn edit(scratch: &Scratch) {
    scratch.write("a.txt", "one\nstaged\n");
    scratch.git(&["add", "a.txt"]);
    scratch.write("a.txt", "one\nstaged\nunstaged\n");
    scratch.remove("dir/b.txt");
    scratch.write("new file.txt", "new");
    scratch.write("added.txt", "added");
    scratch.git(&["add", "added.txt"]);
    scratch.write("build/out.o", "object");
    scratch.write("forced.log", "forced");
    scratch.git(&["add", "-f", "forced.log"]);
}

#[test]
fn a_worktree_contains_what_the_user_sees_and_git_status_says_the_same() {
    let scratch = Scratch::new();
    edit(&scratch);
    symlink("a.txt", scratch.top.join("link")).expect("it is writable");
    let (files, status) = (scratch.git_files(), scratch.git(&["status", "--porcelain=v2"]));
    let tree = make(&scratch);
    assert_eq!(scratch.git_in(tree.path(), &["status", "--porcelain=v2"]), status);
    assert_eq!(fs::read_to_string(tree.path().join("a.txt")).expect("it exists"), "one\nstaged\nunstaged\n");
    assert_eq!(fs::read_link(tree.path().join("link")).expect("it is a link"), Path::new("a.txt"));
    assert!(!tree.path().join("build").exists(), "ignored files are not copied");
    let head = ["rev-parse", "HEAD"];
    assert_eq!(scratch.git_in(tree.path(), &head), scratch.git(&head));
    assert_eq!(scratch.git_in(tree.path(), &["branch", "--show-current"]), "", "HEAD is detached");
    assert_eq!(scratch.git(&["status", "--porcelain=v2"]), status);
    let now: Vec<_> = scratch.git_files().into_iter().filter(|(path, _)| !files.contains_key(path)).collect();
    assert!(now.iter().all(|(path, _)| path.starts_with(scratch.top.join(".git/worktrees"))), "{now:?}");
    let changed: Vec<_> =
        files.iter().filter(|(path, content)| scratch.git_files().get(*path) != Some(content)).collect();
    assert_eq!(changed, [], "the user's git directory is unchanged");
}

#[test]
fn it_is_private_and_locked_with_the_task_and_its_supervisor() {
    use std::os::unix::fs::PermissionsExt;

    let scratch = Scratch::new();
    let task = TaskId::random();
    let tree = make_with(&scratch, &task, &[]).expect("a worktree can be made");
    let place = scratch.place();
    let key = repository_key(&place.common_dir);
    assert_eq!(tree.path(), trees(&scratch).join(key).join(task.as_str()).join("repo"));
    for dir in tree.path().ancestors().skip(1).take(3) {
        let mode = fs::metadata(dir).expect("it exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", dir.display());
    }
    let locked = fs::read_to_string(tree.made.worktree.git_dir.join("locked")).expect("it is locked");
    assert_eq!(locked, format!("codex-connector {task} pid 7 start 8\n"));
    unlock(tree.path(), &tree.made.worktree.git_dir, &place.common_dir).expect("we own it");
    assert!(!tree.made.worktree.git_dir.join("locked").exists());
}

#[test]
fn the_working_directory_is_kept_if_it_exists_there() {
    let scratch = Scratch::new();
    scratch.write("build/out.o", "ignored");
    for (below, prefix) in [("dir", "dir"), ("build", "")] {
        let place = find(&scratch, below);
        let mut shadow = scratch.shadow_at(&place, None);
        let snapshot = before(&mut shadow);
        let (task, trees_dir) = (TaskId::random(), &trees(&scratch));
        let (source, start) = (&shadow, TreeStart::User(&snapshot));
        let request =
            TreeRequest { task: &task, supervisor: None, source, start, trees_dir, symlink: &[], files: None };
        let made = create_tree(&request).expect("a worktree can be made");
        assert_eq!(made.directory(), made.worktree.path.join(prefix));
    }
}

fn find(scratch: &Scratch, below: &str) -> Place {
    crate::workspace::find_place(&scratch.tool(), &scratch.top.join(below)).expect("it is a repository")
}

#[test]
fn a_repository_without_a_commit_can_have_a_worktree() {
    let scratch = Scratch::unborn(&[]);
    scratch.write("first.txt", "first");
    let tree = make(&scratch);
    assert_eq!(fs::read_to_string(tree.path().join("first.txt")).expect("it exists"), "first");
    assert_eq!(scratch.git_in(tree.path(), &["status", "--porcelain"]), "", "HEAD is the snapshot");
    assert_eq!(scratch.git_in(tree.path(), &["rev-parse", "HEAD"]), tree.before.as_str());
}

#[test]
fn unmerged_files_are_in_the_worktree_with_their_markers() {
    let scratch = Scratch::new();
    scratch.git(&["checkout", "-q", "-b", "other"]);
    scratch.write("a.txt", "other\n");
    scratch.git(&["commit", "-q", "-a", "-m", "other"]);
    scratch.git(&["checkout", "-q", "main"]);
    scratch.write("a.txt", "mine\n");
    scratch.git(&["commit", "-q", "-a", "-m", "mine"]);
    let merge = std::panic::catch_unwind(|| scratch.git(&["merge", "-q", "other"]));
    assert!(merge.is_err(), "it conflicts");
    let tree = make(&scratch);
    assert!(fs::read_to_string(tree.path().join("a.txt")).expect("it exists").contains("<<<<<<<"));
    assert_eq!(scratch.git_in(tree.path(), &["status", "--porcelain"]), " M a.txt");
}

#[test]
fn a_linked_worktree_and_a_bare_repository_are_fine_as_the_source() {
    let scratch = Scratch::new();
    let bare = scratch.root.join("bare.git");
    scratch.git(&["clone", "-q", "--bare", ".", &bare.display().to_string()]);
    scratch.git_in(&bare, &["worktree", "add", "-q", "../linked", "main"]);
    let linked = scratch.root.join("linked");
    fs::write(linked.join("a.txt"), "linked").expect("it is writable");
    let place = crate::workspace::find_place(&scratch.tool(), &linked).expect("it is a repository");
    let mut shadow = scratch.shadow_at(&place, None);
    let snapshot = before(&mut shadow);
    let (task, trees_dir) = (TaskId::random(), trees(&scratch));
    let (source, start) = (&shadow, TreeStart::User(&snapshot));
    let request =
        TreeRequest { task: &task, supervisor: None, source, start, trees_dir: &trees_dir, symlink: &[], files: None };
    let made = create_tree(&request).expect("a worktree can be made");
    assert_eq!(fs::read_to_string(made.worktree.path.join("a.txt")).expect("it exists"), "linked");
    assert!(made.worktree.git_dir.starts_with(bare.join("worktrees")));
    delete(&made.worktree.path, &place.common_dir).expect("we own it");
    assert_eq!(names(&bare.join("worktrees")), BTreeSet::from(["linked".to_owned()]));
}

#[test]
fn a_sparse_checkout_is_inherited() {
    let scratch = Scratch::new();
    scratch.write("far/c.txt", "c");
    scratch.git(&["add", "-A"]);
    scratch.git(&["commit", "-q", "-m", "far"]);
    scratch.git(&["sparse-checkout", "set", "dir"]);
    assert!(!scratch.top.join("far").exists());
    let tree = make(&scratch);
    assert_eq!(names(tree.path()), names(&scratch.top));
    assert_eq!(scratch.git_in(tree.path(), &["status", "--porcelain"]), "");
    let after = tree.after(&scratch);
    assert_eq!(scratch.git(&["diff", "--name-only", tree.before.as_str(), after.as_str()]), "");
}

#[test]
fn copies_of_included_files_are_never_in_a_snapshot() {
    let scratch = Scratch::new();
    scratch.write(".worktreeinclude", "*.log\n");
    scratch.write("one.log", "secret one\n");
    scratch.write("two.log", "secret two\n");
    let tree = make(&scratch);
    let worktree = &tree.made.worktree;
    fs::copy(tree.path().join("one.log"), tree.path().join("copy.txt")).expect("it is writable");
    fs::rename(tree.path().join("two.log"), tree.path().join("renamed.txt")).expect("it is writable");
    fs::write(tree.path().join("other.txt"), "other\n").expect("it is writable");
    let base = Base { commit: tree.before.clone(), omitted: tree.made.omitted.clone() };
    let mut shadow = scratch.shadow_at(&tree.made.place, Some(base));
    shadow.copied_content.clone_from(&worktree.copied_content);
    let after = shadow.snapshot("after", Some(std::slice::from_ref(&tree.before))).expect("it can be taken");
    let listed = shadow.object_command(["ls-tree", "-r", "--name-only", after.tree.as_str()]).run();
    let listed = String::from_utf8(listed.expect("it is a tree")).expect("it is UTF-8");
    assert!(listed.contains("other.txt") && !listed.contains("copy.txt") && !listed.contains("renamed"), "{listed}");
}

#[test]
fn included_files_are_copied_and_never_in_a_snapshot() {
    let scratch = Scratch::new();
    scratch.write(".worktreeinclude", "*.log\n/secrets/\nlink\n!no.log\n");
    scratch.write(".gitignore", "*.log\n/secrets/\nlink\n");
    for path in ["one.log", "no.log", "secrets/deep/key", "other/two.log"] {
        scratch.write(path, path);
    }
    symlink("/etc/hostname", scratch.top.join("link")).expect("it is writable");
    let tree = make(&scratch);
    let copied: Vec<_> = tree.made.worktree.copied.iter().map(|path| path.as_path().display().to_string()).collect();
    assert_eq!(copied, ["one.log", "other/two.log", "secrets/deep/key"]);
    assert_eq!(fs::read_to_string(tree.path().join("secrets/deep/key")).expect("it exists"), "secrets/deep/key");
    assert!(!tree.path().join("no.log").exists() && !tree.path().join("link").is_symlink());
    // The agent stops ignoring them.
    fs::write(tree.path().join(".gitignore"), "").expect("it is writable");
    let after = tree.after(&scratch);
    assert_eq!(scratch.git(&["diff", "--name-only", tree.before.as_str(), after.as_str()]), ".gitignore");
    assert_eq!(tree.remove(&scratch, &after), None);
}

#[test]
fn configured_directories_are_links_and_not_changes() {
    let scratch = Scratch::new();
    // `/build/` in `.gitignore` does not match a link.
    scratch.write("build/x", "x");
    let links = ["build", "missing", "../outside", "dir"].map(PathBuf::from);
    let tree = make_with(&scratch, &TaskId::random(), &links).expect("a worktree can be made");
    assert_eq!(fs::read_link(tree.path().join("build")).expect("it is a link"), scratch.top.join("build"));
    assert!(tree.path().join("dir").is_dir() && !tree.path().join("dir").is_symlink(), "it is in the repository");
    assert!(!trees(&scratch).join("outside").is_symlink());
    assert_eq!(tree.made.warnings.len(), 1, "{:?}", tree.made.warnings);
    let after = tree.after(&scratch);
    assert_eq!(scratch.git(&["diff", "--name-only", tree.before.as_str(), after.as_str()]), "");
    assert_eq!(tree.remove(&scratch, &after), None);
    assert!(scratch.top.join("build/x").exists(), "the link is removed, not the directory");
}

#[test]
fn no_hook_and_no_planted_filter_runs() {
    let scratch = Scratch::new();
    let trap = scratch.trap();
    for hook in ["post-checkout", "post-index-change", "reference-transaction"] {
        fs::copy(&trap, scratch.top.join(".git/hooks").join(hook)).expect("it is writable");
    }
    scratch.git(&["config", "core.fsmonitor", &trap]);
    let tree = make(&scratch);
    // The agent plants a filter in the repository, and points its worktree to it.
    scratch.git(&["config", "filter.trap.clean", &trap]);
    scratch.git(&["config", "filter.trap.smudge", &trap]);
    fs::write(tree.path().join(".gitattributes"), "* filter=trap\n").expect("it is writable");
    fs::write(tree.path().join("a.txt"), "changed").expect("it is writable");
    let after = tree.after(&scratch);
    let _ = tree.remove(&scratch, &after);
    assert!(!scratch.has_run());
}

#[test]
fn submodules_are_filled_without_a_connection_and_kept_if_they_changed() {
    let scratch = Scratch::new();
    let library = scratch.root.join("library");
    scratch.git_in(&scratch.root, &["init", "-q", "-b", "main", "library"]);
    fs::write(library.join("l.txt"), "library").expect("it is writable");
    scratch.git_in(&library, &["add", "-A"]);
    scratch.git_in(&library, &["commit", "-q", "-m", "library"]);
    let url = library.display().to_string();
    scratch.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "lib"]);
    scratch.git(&["commit", "-q", "-m", "submodule"]);
    fs::rename(&library, scratch.root.join("gone")).expect("it is writable");
    let config = fs::read(scratch.top.join(".git/config")).expect("it exists");
    let tree = make(&scratch);
    assert_eq!(tree.made.warnings, Vec::<String>::new());
    assert_eq!(fs::read_to_string(tree.path().join("lib/l.txt")).expect("it exists"), "library");
    assert_eq!(scratch.git_in(&tree.path().join("lib"), &["remote", "get-url", "origin"]), url);
    assert_eq!(fs::read(scratch.top.join(".git/config")).expect("it exists"), config, "the user's settings");
    let after = tree.after(&scratch);
    fs::write(tree.path().join("lib/l.txt"), "changed").expect("it is writable");
    assert_eq!(tree.remove(&scratch, &after), Some(WhyKept::Repository(GitPath::from_bytes("lib"))));
    fs::write(tree.path().join("lib/l.txt"), "library").expect("it is writable");
    assert_eq!(tree.remove(&scratch, &after), None);
    assert_eq!(registered(&scratch), 0);
}

#[test]
fn a_worktree_is_removed_only_if_it_is_the_same_as_its_snapshot() {
    let scratch = Scratch::new();
    let tree = make(&scratch);
    fs::write(tree.path().join("a.txt"), "by the agent").expect("it is writable");
    let after = tree.after(&scratch);
    fs::write(tree.path().join("later.txt"), "by the user").expect("it is writable");
    assert_eq!(tree.remove(&scratch, &after), Some(WhyKept::Newer));
    fs::remove_file(tree.path().join("later.txt")).expect("it exists");
    fs::write(tree.path().join("large.bin"), vec![0; 2000]).expect("it is writable");
    assert_eq!(tree.remove(&scratch, &after), Some(WhyKept::NotCovered(GitPath::from_bytes("large.bin"))));
    fs::remove_file(tree.path().join("large.bin")).expect("it exists");
    fs::write(tree.made.worktree.git_dir.join("MERGE_HEAD"), "x").expect("it is writable");
    assert_eq!(tree.remove(&scratch, &after), Some(WhyKept::InProgress));
    fs::remove_file(tree.made.worktree.git_dir.join("MERGE_HEAD")).expect("it exists");
    fs::create_dir_all(tree.path().join("build/cache")).expect("it is writable");
    fs::write(tree.path().join("build/cache/x"), "ignored").expect("it is writable");
    assert_eq!(tree.remove(&scratch, &after), None);
    assert_eq!((registered(&scratch), tree.path().exists(), trees(&scratch).exists()), (0, false, true));
    assert_eq!(names(&trees(&scratch)), BTreeSet::new());
    assert_eq!(scratch.git(&["show", &format!("{after}:a.txt")]), "by the agent");
}

#[test]
fn commits_of_the_agent_are_kept_and_later_ones_keep_the_worktree() {
    let scratch = Scratch::new();
    let tree = make(&scratch);
    let commit = |text: &str| {
        fs::write(tree.path().join("a.txt"), text).expect("it is writable");
        scratch.git_in(tree.path(), &["commit", "-q", "-a", "-m", text]);
        scratch.git_in(tree.path(), &["rev-parse", "HEAD"])
    };
    let own = commit("agent");
    let after = tree.after(&scratch);
    assert_eq!(scratch.git(&["rev-parse", &format!("{after}^1")]), own);
    assert_eq!(scratch.git(&["rev-parse", &format!("{after}^2")]), tree.before.as_str());
    commit("later");
    scratch.git_in(tree.path(), &["revert", "-n", "HEAD"]);
    scratch.git_in(tree.path(), &["commit", "-q", "-m", "back"]);
    assert_eq!(tree.remove(&scratch, &after), Some(WhyKept::Newer), "the same files, but other commits");
    scratch.git_in(tree.path(), &["reset", "-q", "--hard", &own]);
    assert_eq!(tree.remove(&scratch, &after), None);
}

#[test]
fn an_interrupted_removal_is_completed() {
    let scratch = Scratch::new();
    let tree = make(&scratch);
    fs::rename(tree.path(), tree.path().with_file_name(".removing")).expect("we own it");
    delete(tree.path(), &scratch.place().common_dir).expect("we own it");
    assert_eq!((registered(&scratch), names(&trees(&scratch))), (0, BTreeSet::new()));
    delete(tree.path(), &scratch.place().common_dir).expect("nothing is left");
}

#[path = "tree_failure_tests.rs"]
mod more;
#[path = "tree_rest_tests.rs"]
mod rest;
