use serde_json::json;

use super::*;
use crate::{
    task::{ChangeKind, TaskId},
    workspace::fixture::{path, paths},
};

fn file(name: &str, is_named: bool) -> ChangedPath {
    ChangedPath { path: path(name), old_path: None, kind: ChangeKind::Modified, added: None, removed: None, is_named }
}

fn history(operations: &[(&str, &str, &[&str])]) -> History {
    let id = "a".repeat(40);
    let operations: Vec<_> = operations
        .iter()
        .map(|(kind, state, covers)| {
            json!({"kind": kind, "at": "2026-01-01T00:00:00Z", "ours": id, "target": id, "paths": [], "state": state,
                   "covers": covers})
        })
        .collect();
    let workspace = json!({
        "format": 1, "task": TaskId::random(), "before": id, "operations": operations,
        "place": {"top": "/", "gitDir": "/", "commonDir": "/", "prefix": "", "objectFormat": "sha1"}
    });
    History::of(&serde_json::from_value(workspace).expect("these fields are enough"))
}

fn wanted(kind: OperationKind) -> Wanted<'static> {
    Wanted { kind, paths: &[], all: false, is_worktree: false }
}

fn group(source: Source, names: &[&str]) -> (Source, BTreeSet<GitPath>) {
    (source, paths(names).into_iter().collect())
}

#[test]
fn each_change_is_taken_back_to_what_made_it() {
    let changed = [file("a", true), file("b", true), file("c", true), file("d", false)];
    let history = history(&[
        ("undo", "done", &["a", "b"]),
        ("redo", "done", &["b"]),
        ("undo", "reverted", &["c"]),
        ("undo", "begun", &["c"]),
    ]);
    let undo = select(&changed, &history, wanted(OperationKind::Undo)).expect("there is something to do");
    let groups = [group(Source::Operation(Reverse(1)), &["b"]), group(Source::Task, &["c"])];
    assert_eq!(undo, Selection { groups: groups.into(), unnamed: paths(&["d"]) });
    let redo = select(&changed, &history, wanted(OperationKind::Redo)).expect("there is something to do");
    assert_eq!(redo.groups, [group(Source::Operation(Reverse(0)), &["a"])].into());
    let apply = Wanted { is_worktree: true, ..wanted(OperationKind::Apply) };
    let apply = select(&changed, &history, apply).expect("there is something to do");
    assert_eq!(apply.groups, [group(Source::Task, &["a", "b", "c", "d"])].into());
}

#[test]
fn later_operations_come_first() {
    let changed = [file("a", true), file("b", true)];
    let history = history(&[("apply", "done", &["a"]), ("apply", "done", &["b"])]);
    let wanted = Wanted { is_worktree: true, ..wanted(OperationKind::Undo) };
    let undo = select(&changed, &history, wanted).expect("there is something to do");
    let sources: Vec<_> = undo.groups.into_keys().collect();
    assert_eq!(sources, [Source::Operation(Reverse(1)), Source::Operation(Reverse(0))]);
}

#[test]
fn it_is_said_why_there_is_nothing_to_do() {
    let changed = [file("a", true), file("b", false)];
    let undone = [("undo", "done", &["a", "b"][..])];
    let redo = wanted(OperationKind::Redo);
    let undo = wanted(OperationKind::Undo);
    let other = paths(&["other"]);
    for (expected, operations, wanted) in [
        (NothingSelected::AlreadyUndone, &undone[..], undo),
        (NothingSelected::NotUndone, &[], redo),
        (NothingSelected::NotUndone, &[("redo", "done", &["a", "b"][..])], redo),
        (NothingSelected::NotApplied, &[], Wanted { is_worktree: true, ..undo }),
        (NothingSelected::AlreadyUndone, &undone[..], Wanted { is_worktree: true, ..undo }),
        (NothingSelected::Unchanged, &[], Wanted { paths: &other, ..undo }),
    ] {
        assert_eq!(select(&changed, &history(operations), wanted), Err(expected), "{wanted:?}");
    }
    assert_eq!(select(&[], &history(&[]), undo), Err(NothingSelected::Unchanged));
}

#[test]
fn a_renamed_file_is_selected_with_both_paths() {
    let renamed = ChangedPath { old_path: Some(path("old/x")), ..file("new/x", true) };
    for wanted_path in ["old", "new", "old/x", ""] {
        let only = paths(&[wanted_path]);
        let wanted = Wanted { paths: &only, ..wanted(OperationKind::Undo) };
        let selected = select(std::slice::from_ref(&renamed), &history(&[]), wanted).expect("it is wanted");
        assert_eq!(selected.groups, [group(Source::Task, &["new/x", "old/x"])].into(), "{wanted_path}");
    }
    let only = paths(&["ol"]);
    let wanted = Wanted { paths: &only, ..wanted(OperationKind::Undo) };
    assert_eq!(select(&[renamed], &history(&[]), wanted), Err(NothingSelected::Unchanged));
}
