//! Tests of worktrees from the beginning of a task to its removal.

use std::{
    os::unix::fs::symlink,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::*;
use crate::{
    process::Deadline,
    store::{Claim, Upkeep},
    task::{Changes, Operation, OperationKind, OperationState, TaskRecord, TreeUse, WorkspaceSpec},
    workspace::{
        Beginning, Begun, ExistingTree, NamedFiles, TreeError, TreeSizes, Workspace, WorkspaceProblem, existing_trees,
        make_room,
        run_tree::take_over,
        scratch_tests::{MAX_FILE, Scratch},
    },
};

/// A repository and a data directory.
struct Home {
    scratch: Scratch,
    upkeep: Upkeep,
}

impl Home {
    fn new() -> Self {
        let scratch = Scratch::new();
        let data = scratch.root.join("data");
        let upkeep = Upkeep::open(&data, &data.join("logs")).expect("it is writable");
        Self { scratch, upkeep }
    }

    fn files(&self) -> Workspaces {
        Workspaces::of(&self.upkeep)
    }

    fn clean_up(&self) -> CleanUp {
        CleanUp {
            files: self.files(),
            reader: self.upkeep.reader().clone(),
            max_file: MAX_FILE,
            now: chrono::DateTime::UNIX_EPOCH,
        }
    }

    fn begin(&self, task: &TaskId, change: impl FnOnce(&mut WorkspaceSpec)) -> Result<Workspace, WorkspaceProblem> {
        self.begin_until(task, deadline(), change)
    }

    fn begin_until(
        &self,
        task: &TaskId,
        deadline: Deadline,
        change: impl FnOnce(&mut WorkspaceSpec),
    ) -> Result<Workspace, WorkspaceProblem> {
        let mut spec = WorkspaceSpec {
            tree: TreeUse::Always,
            trees_dir: self.scratch.root.join("trees"),
            max_file: MAX_FILE,
            ..WorkspaceSpec::default()
        };
        change(&mut spec);
        let beginning = Beginning {
            task: task.clone(),
            spec,
            directory: self.scratch.top.clone(),
            home: None,
            data_dir: self.scratch.root.join("data"),
            files: self.files(),
            reader: self.upkeep.reader().clone(),
            supervisor: None,
        };
        match Workspace::begin(&beginning, deadline.clone())? {
            Begun::Tree(workspace) => Ok(*workspace),
            Begun::Captured(captured) => captured.keep(deadline),
        }
    }

    /// A task in a worktree whose agent writes `text` to `a.txt`. Returns what it changed.
    fn task(&self, text: &str, change: impl FnOnce(&mut WorkspaceSpec)) -> (TaskId, PathBuf, Changes) {
        let task = TaskId::random();
        let workspace = self.begin(&task, change).expect("it can begin");
        let tree = workspace.worktree().expect("it has a worktree").0;
        fs::write(tree.join("a.txt"), text).expect("it is writable");
        let changes = workspace.finish(&NamedFiles::new(), deadline()).expect("it can be finished");
        self.record(&task, "completed");
        (task, tree, changes)
    }

    /// Writes a task's record; without one, the task counts as removed.
    fn record(&self, id: &TaskId, status: &str) {
        let Ok(Claim::Claimed(task)) = self.upkeep.claim(id) else { panic!("a new ID is free") };
        let record: TaskRecord = serde_json::from_value(serde_json::json!({
            "format": 1, "id": id, "task": "x", "status": status, "startedAt": "2026-01-15T10:30:00Z"
        }))
        .expect("these fields are enough");
        task.write_record(&record).and_then(|()| task.close()).expect("it is writable");
    }

    fn remove_record(&self, id: &TaskId) {
        fs::remove_file(self.upkeep.reader().record_path(id)).expect("it exists");
    }

    fn refs(&self, id: &TaskId) -> String {
        self.scratch.git(&["for-each-ref", "--format=%(refname)", &format!("refs/codex-connector/{id}/")])
    }

    fn existing(&self) -> Vec<ExistingTree> {
        existing_trees(&self.files(), self.upkeep.reader(), TreeSizes::Measured).expect("it is readable")
    }
}

fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

#[test]
fn the_worktree_of_an_ended_task_is_removed_and_its_snapshots_are_kept() {
    let home = Home::new();
    let (task, tree, changes) = home.task("by the agent\n", |_| {});
    assert_eq!((changes.files, changes.unnamed), (1, 0));
    assert_eq!(home.clean_up().run(None), CleanedUp::default());
    assert!(!tree.exists());
    let file = home.files().read(&task).expect("it is readable").expect("it exists");
    assert!(file.worktree.is_some_and(|tree| tree.is_removed) && file.after.is_some());
    assert_eq!(home.refs(&task).lines().count(), 2);
    assert_eq!(fs::read_to_string(home.scratch.top.join("a.txt")).expect("it exists"), "one\ntwo\nthree\n");
}

#[test]
fn the_work_of_a_task_whose_supervisor_was_killed_is_kept() {
    let home = Home::new();
    let task = TaskId::random();
    let workspace = home.begin(&task, |_| {}).expect("it can begin");
    let tree = workspace.worktree().expect("it has a worktree").0;
    fs::write(tree.join("a.txt"), "unfinished").expect("it is writable");
    drop(workspace);
    home.record(&task, "running");
    assert_eq!(home.clean_up().run(None), CleanedUp::default());
    assert!(tree.exists(), "its end is not written yet");
    home.remove_record(&task);
    home.record(&task, "interrupted");
    home.clean_up().run(None);
    assert!(!tree.exists());
    assert_eq!(home.scratch.git(&["show", &format!("refs/codex-connector/{task}/after:a.txt")]), "unfinished");
}

#[test]
fn a_worktree_with_newer_work_is_kept_unlocked_until_it_is_gone() {
    let home = Home::new();
    let (task, tree, _) = home.task("by the agent\n", |_| {});
    fs::write(tree.join("later.txt"), "later").expect("it is writable");
    let kept = |phase| KeptTree { task: task.clone(), path: tree.clone(), phase, why: WhyKept::Newer };
    assert_eq!(home.clean_up().run(None).kept, [kept(TaskPhase::Ended)]);
    assert!(!home.scratch.git(&["worktree", "list", "--porcelain"]).contains("locked"));
    home.remove_record(&task);
    let done = home.clean_up().run(Some(std::slice::from_ref(&task)));
    assert_eq!(done, CleanedUp { kept: vec![kept(TaskPhase::Removed)], ..CleanedUp::default() });
    assert_eq!(home.refs(&task).lines().count(), 2);
    home.scratch.git(&["worktree", "remove", "--force", &tree.display().to_string()]);
    assert_eq!(home.clean_up().run(None), CleanedUp { forgotten: vec![task.clone()], ..CleanedUp::default() });
    assert_eq!((home.refs(&task), home.files().read(&task).expect("it is readable")), (String::new(), None));
}

#[test]
fn everything_of_a_removed_task_is_removed_even_without_its_repository() {
    let home = Home::new();
    let (first, ..) = home.task("first", |_| {});
    let (second, ..) = home.task("second", |_| {});
    home.remove_record(&first);
    assert_eq!(home.clean_up().run(None).forgotten, std::slice::from_ref(&first));
    assert_eq!((home.refs(&first), home.refs(&second).lines().count()), (String::new(), 2));
    home.remove_record(&second);
    fs::remove_dir_all(&home.scratch.top).expect("the test owns it");
    assert_eq!(home.clean_up().run(None).forgotten, [second]);
    assert_eq!(home.files().ids().expect("it is readable"), []);
}

#[test]
fn an_unfinished_worktree_is_removed_unless_it_is_being_made() {
    let home = Home::new();
    let task = TaskId::random();
    let workspace = home.begin(&task, |_| {}).expect("it can begin");
    let tree = workspace.worktree().expect("it has a worktree").0;
    drop(workspace);
    let common_dir = home.scratch.place().common_dir;
    let mark = tree.with_file_name(MAKING);
    let content = [common_dir.as_os_str().as_encoded_bytes(), b"\0", tree.as_os_str().as_encoded_bytes()].concat();
    fs::write(&mark, content).expect("it is writable");
    let maker = fs::File::open(&mark).expect("it exists");
    maker.lock().expect("nobody else has it");
    let trees_dir = home.scratch.root.join("trees");
    home.clean_up().remove_unfinished(&trees_dir);
    assert!(tree.exists());
    drop(maker);
    home.clean_up().remove_unfinished(&trees_dir);
    assert!(!tree.exists() && fs::read_dir(&trees_dir).expect("it exists").next().is_none());
    assert_eq!(home.scratch.git(&["worktree", "list"]).lines().count(), 1);
}

#[test]
fn the_users_empty_directories_next_to_worktrees_are_kept() {
    let home = Home::new();
    let trees_dir = home.scratch.root.join("trees");
    let ours = trees_dir.join("0123456789abcdef").join(TaskId::random().as_str());
    let theirs = [trees_dir.join("lonely"), trees_dir.join("project/empty"), trees_dir.join("0123456789abcdee/notes")];
    for dir in theirs.iter().chain([&ours]) {
        fs::create_dir_all(dir).expect("it is writable");
    }
    home.clean_up().remove_unfinished(&trees_dir);
    assert!(theirs.iter().all(|dir| dir.exists()) && !ours.exists());
}

#[test]
fn nothing_is_left_of_a_task_whose_agent_never_started() {
    let home = Home::new();
    let task = TaskId::random();
    let workspace = home.begin(&task, |_| {}).expect("it can begin");
    let tree = workspace.worktree().expect("it has a worktree").0;
    workspace.discard(deadline()).expect("it can be removed");
    assert!(!tree.exists());
    assert_eq!((home.refs(&task), home.files().ids().expect("it is readable")), (String::new(), vec![]));
}

#[test]
fn a_task_that_must_have_a_worktree_does_not_begin_without_one() {
    let home = Home::new();
    let task = TaskId::random();
    let inside = home.scratch.top.join("trees");
    let problem = home.begin(&task, |spec| spec.trees_dir = inside).expect_err("it is inside the repository");
    assert!(matches!(problem, WorkspaceProblem::Tree(TreeError::InsideRepository { .. })), "{problem}");
    assert_eq!((home.refs(&task), home.files().ids().expect("it is readable")), (String::new(), vec![]));
}

#[test]
fn a_session_continues_in_its_worktree_or_in_a_new_one_with_the_same_files() {
    let home = Home::new();
    let (first, old, _) = home.task("first\n", |_| {});
    home.clean_up().run(None);
    assert!(!old.exists());
    let follow = |earlier: &TaskId, text: &str| home.task(text, |spec| spec.continues = Some(earlier.clone()));
    let (second, tree, changes) = follow(&first, "first\nsecond\n");
    assert_eq!((changes.files, changes.added, changes.removed), (1, 1, 0), "only what the second one did");
    assert_eq!(tree, old, "at the same path");
    let (fourth, other, _) = follow(&first, "first\nanother\n");
    assert_ne!(other, old, "the path is in use");
    fs::remove_dir_all(other.parent().expect("it has one")).expect("it exists");
    let (_, next, _) = follow(&fourth, "first\nanother\n");
    assert_ne!(next, other, "cleaning up after the fourth task would remove it");
    // A user works in it, so it is kept.
    fs::write(tree.join("user.txt"), "user").expect("it is writable");
    assert_eq!(home.clean_up().run(None).kept.len(), 1);
    let (third, same, changes) = follow(&second, "first\nsecond\nthird\n");
    assert_eq!((same, changes.files), (tree.clone(), 1), "the user's file was there before");
    let locked = fs::read_to_string(
        home.files()
            .read(&third)
            .expect("it is readable")
            .expect("it exists")
            .worktree
            .expect("it has a worktree")
            .git_dir
            .join("locked"),
    );
    assert!(locked.expect("it is locked again").contains(third.as_str()));
    home.clean_up().run(Some(&[second]));
    assert!(tree.exists(), "it belongs to the third task");
    home.clean_up().run(None);
    assert!(!tree.exists());
    assert_eq!(home.scratch.git(&["show", &format!("refs/codex-connector/{third}/after:user.txt")]), "user");
}

#[test]
fn worktrees_that_are_not_needed_make_room_for_others() {
    let home = Home::new();
    let (_, removable, _) = home.task(&"x".repeat(100_000), |_| {});
    let trees = home.existing();
    assert!(trees.len() == 1 && trees[0].bytes > 100_000 && trees[0].phase == TaskPhase::Ended, "{trees:?}");
    let (clean_up, trees_dir) = (home.clean_up(), home.scratch.root.join("trees"));
    make_room(&clean_up, &trees_dir, 1_000_000, &deadline()).expect("there is room");
    assert!(removable.exists());
    make_room(&clean_up, &trees_dir, 50_000, &deadline()).expect("one worktree can be removed");
    assert!(!removable.exists());
    let (_, kept, _) = home.task("x", |_| {});
    fs::write(kept.join("large.bin"), vec![1; 100_000]).expect("it is writable");
    let full = make_room(&clean_up, &trees_dir, 50_000, &deadline()).expect_err("it contains work");
    assert!(matches!(full, TreeError::Full { used, limit: 50_000, .. } if used > 100_000), "{full}");
    assert!(kept.exists());
    let problem = home.begin(&TaskId::random(), |spec| spec.trees_max_bytes = Some(50_000)).expect_err("no room");
    assert!(matches!(problem, WorkspaceProblem::Tree(TreeError::Full { .. })), "{problem}");
}

#[test]
fn a_resumed_session_makes_room_for_its_new_worktree() {
    let home = Home::new();
    let (first, old, _) = home.task("first\n", |_| {});
    home.clean_up().run(None);
    assert!(!old.exists());
    let (_, removable, _) = home.task(&"x".repeat(100_000), |_| {});
    let (_, tree, _) = home.task("second\n", |spec| {
        spec.continues = Some(first);
        spec.trees_max_bytes = Some(50_000);
    });
    assert!(tree.exists() && !removable.exists());
}

#[test]
fn applied_worktrees_are_removed_first_and_then_older_ones() {
    let home = Home::new();
    let text = "x".repeat(100_000);
    let [(_, old, _), (_, newer, _), (applied, newest, _)] = [0, 1, 2].map(|_| home.task(&text, |_| {}));
    let mut file = home.files().read(&applied).expect("it is readable").expect("it exists");
    let after = file.after.clone().expect("it has ended");
    file.operations.push(Operation {
        kind: OperationKind::Apply,
        at: chrono::DateTime::UNIX_EPOCH,
        ours: file.before.clone(),
        target: after,
        paths: vec![],
        covers: vec![],
        modes: vec![],
        branch: None,
        marker: None,
        has_failed: false,
        state: OperationState::Done,
    });
    home.files().write(&file).expect("it is writable");
    let exist = || [old.exists(), newer.exists(), newest.exists()];
    let trees_dir = home.scratch.root.join("trees");
    for (limit, expected) in [(300_000, [true, true, false]), (200_000, [false, true, false])] {
        make_room(&home.clean_up(), &trees_dir, limit, &deadline()).expect("worktrees can be removed");
        assert_eq!(exist(), expected);
    }
}

#[test]
fn a_worktree_is_left_alone_while_processes_that_the_agent_left_behind_run() {
    let home = Home::new();
    let task = TaskId::random();
    let mut workspace = home.begin(&task, |_| {}).expect("it can begin");
    let tree = workspace.worktree().expect("it has a worktree").0;
    workspace.leave_processes();
    workspace.finish(&NamedFiles::default(), deadline()).expect("it can be finished");
    home.record(&task, "completed");
    let mut left = Command::new("sleep").arg("60").env("CONNECTOR_TASK_IDS", task.as_str()).spawn().expect("it exists");
    let kept = home.clean_up().run(None).kept;
    let is_left_alone = tree.exists();
    left.kill().and_then(|()| left.wait()).expect("it is our child");
    assert_eq!((kept.into_iter().map(|kept| kept.why).collect(), is_left_alone), (vec![WhyKept::InUse], true));
    home.clean_up().run(None);
    assert!(!tree.exists());
}

#[test]
fn a_worktree_that_cannot_be_taken_over_stays_with_its_task() {
    let home = Home::new();
    let (first, ..) = home.task("first\n", |_| {});
    let second = TaskId::random();
    let workspace = home.begin(&second, |_| {}).expect("it can begin");
    let mut earlier = home.files().read(&first).expect("it is readable").expect("it exists");
    let file = home.scratch.root.join(format!("data/workspaces/{first}.json"));
    fs::remove_file(&file).and_then(|()| fs::create_dir_all(file.join("x"))).expect("the test owns it");
    let problem = take_over(&workspace, &mut earlier);
    assert!(matches!(problem, Err(WorkspaceProblem::Store(_))), "{problem:?}");
    assert_eq!((home.files().ids().expect("it is readable"), home.refs(&second)), (vec![first], String::new()));
}

#[path = "cleanup_more_tests.rs"]
mod more;
