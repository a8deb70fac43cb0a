//! More cleanups after tasks.

use super::*;
use crate::workspace::tree_files::git_dir_of;

#[test]
fn a_worktree_is_not_made_while_another_process_works_on_the_repository() {
    let home = Home::new();
    let task = TaskId::random();
    let common_dir = home.scratch.place().common_dir;
    let lock = home.files().lock(&common_dir, &TaskId::random(), Duration::ZERO).expect("it is writable");
    let is_cancelled = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let problem = thread::scope(|scope| {
        scope.spawn(|| {
            // Until it waits for the lock.
            let trees = home.scratch.root.join("trees");
            let end = Instant::now() + Duration::from_secs(60);
            while !trees.exists() && Instant::now() < end {
                thread::yield_now();
            }
            is_cancelled.store(true, Ordering::Relaxed);
        });
        let deadline = Deadline::new(Duration::from_secs(60), Arc::clone(&is_cancelled));
        home.begin_until(&task, deadline, |_| {})
    });
    let problem = problem.expect_err("the repository is locked");
    assert!(matches!(problem, WorkspaceProblem::Tree(TreeError::File { action: "lock", .. })), "{problem}");
    assert!(begun.elapsed() < Duration::from_secs(15), "it does not wait longer than necessary");
    drop(lock);
    assert_eq!((home.refs(&task), home.files().ids().expect("it is readable")), (String::new(), vec![]));
}

#[test]
fn symbolic_links_in_the_path_of_the_worktrees_make_no_difference() {
    let home = Home::new();
    let (real, link) = (home.scratch.root.join("real"), home.scratch.root.join("link"));
    fs::create_dir(&real).and_then(|()| symlink(&real, &link)).expect("it is writable");
    let workspace = home.begin(&TaskId::random(), |spec| spec.trees_dir = link.join("trees")).expect("it can begin");
    let tree = workspace.worktree().expect("it has a worktree").0;
    drop(workspace);
    let common_dir = home.scratch.place().common_dir;
    let content = [common_dir.as_os_str().as_encoded_bytes(), b"\0", tree.as_os_str().as_encoded_bytes()].concat();
    fs::write(tree.with_file_name(MAKING), content).expect("it is writable");
    home.clean_up().remove_unfinished(&link.join("trees"));
    assert!(!tree.exists());
    let inside = home.scratch.root.join("inside");
    symlink(&home.scratch.top, &inside).expect("it is writable");
    let problem =
        home.begin(&TaskId::random(), |spec| spec.trees_dir = inside.join("trees")).expect_err("it is inside");
    assert!(matches!(problem, WorkspaceProblem::Tree(TreeError::InsideRepository { .. })), "{problem}");
}

#[test]
fn a_worktree_that_was_renamed_or_moved_is_unlocked_and_kept() {
    let home = Home::new();
    let locked = |tree: &Path| {
        let listed = home.scratch.git(&["worktree", "list", "--porcelain"]);
        listed.split("\n\n").any(|entry| entry.contains(tree.to_str().expect("UTF-8")) && entry.contains("\nlocked"))
    };
    for is_repaired in [false, true] {
        let task = TaskId::random();
        let workspace = home.begin(&task, |_| {}).expect("it can begin");
        let tree = workspace.worktree().expect("it has a worktree").1.to_owned();
        assert!(locked(&tree));
        let moved = if is_repaired { home.scratch.root.join("moved") } else { tree.with_file_name("renamed") };
        fs::rename(&tree, &moved).expect("it is writable");
        symlink(&home.scratch.top, &tree).expect("it is writable");
        if is_repaired {
            // As `git worktree repair` does.
            let registration = git_dir_of(&moved).expect("it is a worktree").join("gitdir");
            fs::write(registration, format!("{}\n", moved.join(".git").display())).expect("it is writable");
        }
        drop(workspace);
        home.record(&task, "completed");
        home.remove_record(&task);
        let cleaned = home.clean_up().run(Some(std::slice::from_ref(&task)));
        let kept = KeptTree { task, path: tree.clone(), phase: TaskPhase::Removed, why: WhyKept::Moved(moved.clone()) };
        assert_eq!(cleaned.kept, [kept]);
        assert!(!locked(&tree) && !locked(&moved), "{}", home.scratch.git(&["worktree", "list"]));
        assert!(moved.join("a.txt").exists() && home.scratch.top.join("a.txt").exists());
        assert!(home.existing().is_empty(), "the link is not a worktree");
    }
}

#[test]
fn a_worktree_that_is_kept_is_not_examined_again_for_some_time() {
    let home = Home::new();
    let (task, tree, _) = home.task("agent\n", |_| {});
    fs::write(tree.join("dir/later"), "later").expect("it is writable");
    let at = |minutes| CleanUp { now: DateTime::UNIX_EPOCH + chrono::TimeDelta::minutes(minutes), ..home.clean_up() };
    let why = |cleaned: CleanedUp| cleaned.kept.into_iter().map(|kept| kept.why).collect::<Vec<_>>();
    assert_eq!(why(at(0).run(None)), [WhyKept::Newer]);
    let known = WhyKept::Examined(WhyKept::Newer.to_string());
    assert_eq!(why(at(59).run(None)), std::slice::from_ref(&known));
    let bytes = |sizes| existing_trees(&home.files(), home.upkeep.reader(), sizes).expect("it is readable")[0].bytes;
    let before = bytes(TreeSizes::Measured);
    (0..99).for_each(|number| fs::write(tree.join(format!("dir/{number}")), "x").expect("it is writable"));
    assert_eq!(bytes(TreeSizes::Remembered), before);
    assert!(bytes(TreeSizes::Measured) > before);
    assert_eq!(why(at(61).run(None)), [WhyKept::Newer], "an hour later");
    assert_eq!(why(at(62).run(None)), [known]);
    fs::write(tree.join("top"), "x").expect("it is writable");
    assert_eq!(why(at(63).run(None)), [WhyKept::Newer], "the top directory was changed");
    fs::remove_file(tree.join("top")).and_then(|()| fs::remove_dir_all(tree.join("dir"))).expect("they exist");
    fs::create_dir(tree.join("dir")).and_then(|()| fs::write(tree.join("dir/b.txt"), "b\n")).expect("it is writable");
    assert_eq!(why(at(64).run(Some(std::slice::from_ref(&task)))), []);
    assert!(!tree.exists(), "if it is asked for, it is always examined");
}
