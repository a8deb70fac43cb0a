//! Worktrees that are not ours, or that cannot be made.

use super::*;

#[test]
fn only_our_directories_are_ever_deleted() {
    let scratch = Scratch::new();
    for path in [scratch.top.clone(), scratch.top.join("dir"), scratch.root.clone()] {
        delete(&path, &scratch.place().common_dir).expect_err("it is not one of our worktrees");
        assert!(path.exists());
    }
}

#[test]
fn nothing_remains_of_a_worktree_that_could_not_be_made() {
    let scratch = Scratch::new();
    let task = TaskId::random();
    let dir = trees(&scratch).join(repository_key(&scratch.place().common_dir)).join(task.as_str());
    fs::create_dir_all(&dir).expect("it is writable");
    let error = make_with(&scratch, &task, &[]).err().expect("the directory exists");
    assert!(matches!(&error, TreeError::File { path, .. } if *path == dir), "{error}");
    // A required filter that fails.
    scratch.write(".gitattributes", "a.txt filter=broken\n");
    scratch.git(&["config", "--global", "filter.broken.smudge", "false"]);
    scratch.git(&["config", "--global", "filter.broken.required", "true"]);
    scratch.git(&["config", "--global", "filter.broken.clean", "cat"]);
    make_with(&scratch, &TaskId::random(), &[]).err().expect("the filter fails");
    assert_eq!(registered(&scratch), 0);
    assert_eq!(names(dir.parent().expect("it has one")), BTreeSet::from([task.to_string()]));
}

#[test]
fn a_directory_inside_the_repository_is_refused() {
    let scratch = Scratch::new();
    let mut shadow = scratch.shadow();
    let snapshot = before(&mut shadow);
    let (task, trees_dir) = (TaskId::random(), scratch.top.join("trees"));
    let (source, start) = (&shadow, TreeStart::User(&snapshot));
    let request =
        TreeRequest { task: &task, supervisor: None, source, start, trees_dir: &trees_dir, symlink: &[], files: None };
    let refused = create_tree(&request).expect_err("it would be in the user's status");
    assert!(matches!(refused, TreeError::InsideRepository { .. }), "{refused}");
    assert!(!trees_dir.exists());
}
