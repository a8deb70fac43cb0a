use std::path::PathBuf;

use serde_json::json;

use super::*;

/// The workspace file of a task with these operations: their kinds, their files, and the branch.
fn workspace(has_tree: bool, operations: &[(&str, &[&str], Option<&str>)]) -> TaskWorkspace {
    let id = "1111111111111111111111111111111111111111";
    let operations: Vec<_> = operations
        .iter()
        .map(|(kind, covers, branch)| {
            json!({"kind": kind, "at": "2026-01-02T03:04:05Z", "ours": id, "target": id, "paths": covers,
                "covers": covers, "branch": branch, "state": "done"})
        })
        .collect();
    let tree = has_tree.then(|| json!({"path": "/tree", "gitDir": "/git"}));
    let place =
        json!({"top": "/top", "gitDir": "/git", "commonDir": "/git", "prefix": PathBuf::new(), "objectFormat": "sha1"});
    let file = json!({"format": 1, "task": "1a2b3c4d", "place": place, "worktree": tree, "before": id,
        "operations": operations});
    serde_json::from_value(file).expect("it is a workspace file")
}

fn place(has_tree: bool, operations: &[(&str, &[&str], Option<&str>)]) -> ChangesPlace {
    let id = "1111111111111111111111111111111111111111";
    let file = |path: &str, old: Option<&str>| json!({"path": path, "oldPath": old, "kind": "modified", "added": 1, "removed": 1});
    let paths = [file("a", None), file("new", Some("old"))];
    let changes = json!({"base": id, "head": id, "files": 2, "added": 2, "removed": 2, "paths": paths});
    let changes: Changes = serde_json::from_value(changes).expect("they are changes");
    ChangesPlace::of(&workspace(has_tree, operations), &changes)
}

#[test]
fn operations_determine_where_the_changes_of_a_task_in_the_users_files_are() {
    assert_eq!(place(false, &[]), ChangesPlace::Made);
    assert_eq!(place(false, &[("undo", &["new", "old"], None)]), ChangesPlace::PartlyUndone { files: 1 });
    assert_eq!(place(false, &[("undo", &["a", "new", "old"], None)]), ChangesPlace::Undone);
    let redone = [("undo", &["a"][..], None), ("redo", &["a"][..], None)];
    assert_eq!(place(false, &redone), ChangesPlace::Redone);
}

#[test]
fn operations_determine_where_the_changes_of_a_task_in_a_worktree_are() {
    let all = ["a", "new", "old"];
    assert!(place(true, &[]).is_unapplied());
    assert_eq!(place(true, &[("apply", &all, Some("b"))]), ChangesPlace::Branch(GitPath::from_bytes("b")));
    assert_eq!(place(true, &[("apply", &["a"], None)]), ChangesPlace::PartlyApplied { files: 1 });
    assert_eq!(place(true, &[("apply", &all, None)]), ChangesPlace::Applied);
    assert_eq!(place(true, &[("apply", &all, None), ("undo", &all, None)]), ChangesPlace::Undone);
    let partly = [("apply", &all[..], None), ("undo", &["a"][..], None)];
    assert_eq!(place(true, &partly), ChangesPlace::PartlyUndone { files: 1 });
}
