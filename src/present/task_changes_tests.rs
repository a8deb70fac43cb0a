//! A task's changes in answers.

use serde_json::{Value, json};

use super::{
    answer_reader::{now, record},
    ended, json_output,
    task_changes::MAX_CHANGES_CHARACTERS,
    terminal::{NextSteps, Screen, Symbols, show, task_list},
};
use crate::task::{LogTail, TaskRecord, TaskSummary, TaskView};

/// A record of a completed task with this workspace and these changes.
fn with(workspace: Value, changes: Value) -> TaskRecord {
    record("completed", "x").with(json!({"workspace": workspace, "changes": changes, "warnings": []}))
}

fn state() -> Value {
    json!({"before": "a".repeat(40), "head": "63b59dd".repeat(10)[..40], "branch": "main", "uncommitted": 3})
}

fn file(path: &Value, kind: &str, lines: Option<(u64, u64)>) -> Value {
    let (added, removed) = lines.map_or((Value::Null, Value::Null), |(added, removed)| (json!(added), json!(removed)));
    json!({"path": path, "kind": kind, "added": added, "removed": removed})
}

fn changes(files: u64, paths: &[Value]) -> Value {
    json!({"base": "a".repeat(40), "head": "b".repeat(40), "files": files, "added": 41, "removed": 7, "paths": paths})
}

#[test]
fn an_answer_lists_the_changed_files() {
    let paths = [
        file(&json!("src/a.rs"), "modified", Some((40, 7))),
        file(&json!("logo.png"), "added", None),
        json!({"path": "new", "oldPath": "old", "kind": "renamed", "added": 1, "removed": 0}),
    ];
    let answer = ended(&with(state(), changes(3, &paths)), None);
    assert!(answer.contains("\n**Changes:** 3 files, +41 −7\n"), "{answer}");
    let list = "### Changes\n- `src/a.rs` (modified, +40 −7)\n- `logo.png` (added, binary)\n- `new` (renamed from `old`, +1 −0)\n\n\
                To see the patch, run `codex-connector diff 1a2b3c4d`, or read the resource `task://1a2b3c4d/diff`.";
    assert!(answer.contains(list), "{answer}");
    assert!(!answer.contains("**Note:**") && !answer.contains("**Based on:**"), "{answer}");
    let none = ended(&with(state(), changes(0, &[])), None);
    assert!(none.contains("\n**Changes:** none\n") && !none.contains("### Changes"), "{none}");
}

#[test]
fn an_answer_says_what_is_uncertain_or_not_covered() {
    let mut uncertain = changes(1, &[file(&json!("a"), "modified", Some((1, 1)))]);
    uncertain["unnamed"] = json!(1);
    uncertain["omittedFiles"] = json!(5);
    uncertain["omitted"] = json!([
        {"path": ".env", "reason": "secret"}, {"path": "big", "reason": "too_large", "bytes": 30_000_000},
        {"path": "vendor/x", "reason": "nested_repository"}, {"path": "y", "reason": "unreadable"}
    ]);
    let answer = ended(&with(state(), uncertain), None);
    assert!(answer.contains("**Note:** the agent did not name 1 file among its changes"), "{answer}");
    let omitted = "**Not covered:** 5 files: `.env` (its name suggests a secret), `big` (30000000 bytes, above \
                   `workspace.max_file`), `vendor/x` (a repository inside the repository), …";
    assert!(answer.contains(omitted), "{answer}");
    let mut by_agent = changes(0, &[]);
    by_agent["omittedFiles"] = json!(2);
    by_agent["omittedNamed"] = json!(1);
    by_agent["omitted"] =
        json!([{"path": ".env", "reason": "ignored"}, {"path": "vendor/x", "reason": "nested_repository"}]);
    let answer = ended(&with(state(), by_agent.clone()), None);
    let expected = "**Not covered, but changed by the agent:** 1 file: `.env` (ignored by git). `undo` cannot restore it.\n\
                    **Not covered:** 1 file: `vendor/x` (a repository inside the repository)";
    assert!(answer.contains(expected), "{answer}");
    let mut worktree = state();
    worktree["worktree"] = json!("/trees/1a2b3c4d/repo");
    let answer = ended(&with(worktree, by_agent), None);
    assert!(answer.contains("`.env` (ignored by git). `apply` does not write it.\n"), "{answer}");
    let why = json!({"before": null, "head": null, "branch": null, "uncommitted": 0,
        "notCovered": "git is not installed, or not on PATH"});
    let uncovered = ended(&with(why, Value::Null), None);
    assert!(uncovered.contains("**Changes:** unknown, because git is not installed, or not on PATH\n"), "{uncovered}");
    let killed = ended(&with(state(), Value::Null), None);
    assert!(killed.contains("**Changes:** unknown, because there is no snapshot of the end of the task"), "{killed}");
    let damaged = ended(&with(json!("x"), json!({"files": "y"})), None);
    assert!(!damaged.contains("**Changes:**"), "a damaged value is ignored: {damaged}");
}

#[test]
fn an_answer_names_the_base_of_a_worktree() {
    let mut state = state();
    state["worktree"] = json!("/trees/1a2b3c4d/repo");
    let answer = ended(&with(state.clone(), changes(0, &[])), None);
    assert!(answer.contains("\n**Worktree:** /trees/1a2b3c4d/repo\n"), "{answer}");
    assert!(answer.contains("\n**Based on:** main @63b59dd + your 3 uncommitted files\n"), "{answer}");
    (state["branch"], state["uncommitted"]) = (Value::Null, json!(1));
    let detached = ended(&with(state.clone(), changes(0, &[])), None);
    assert!(detached.contains("\n**Based on:** @63b59dd + your uncommitted file\n"), "{detached}");
    (state["head"], state["branch"], state["uncommitted"]) = (Value::Null, json!("main"), json!(0));
    let unborn = ended(&with(state, changes(0, &[])), None);
    assert!(unborn.contains("\n**Based on:** main (no commit yet)\n"), "{unborn}");
}

#[test]
fn a_long_list_stays_within_its_limit() {
    let long = vec![file(&json!("*_`".repeat(1_000)), "modified", Some((1, 1))); 20];
    let answer = ended(&with(state(), changes(5_000, &long)), None);
    let list = &answer[answer.find("### Changes").expect("there is a list")..];
    let list = &list[..list.find("### Result").unwrap_or(list.len())];
    assert!(list.chars().count() <= MAX_CHANGES_CHARACTERS, "{}", list.chars().count());
    assert!(list.contains("more\n") && list.contains("codex-connector diff"), "{list}");
}

#[test]
fn a_terminal_shows_changes_and_lists_their_numbers() {
    let hostile = json!("a\n\u{1b}[2J\u{202e}b");
    let mut changed = changes(21, &[file(&hostile, "added", Some((1, 0)))]);
    changed["omitted"] = json!([{"path": ".env", "reason": "secret"}]);
    changed["omittedNamed"] = json!(1);
    let record = with(state(), changed);
    let view = TaskView { record: record.clone(), live: None, tail: LogTail::default(), result: None };
    let task = TaskSummary::ended(record.clone());
    let screen = |width| Screen { width, has_color: false, symbols: Symbols::Unicode };
    let shown = show(&task, &view, &NextSteps::default(), screen(None), |at| at.fixed_offset(), now());
    assert!(shown.contains("changes\t21 files, +41 −7\n"), "{shown}");
    assert!(shown.contains("changes\tadded a\\x0a\\x1b[2J\\u{202e}b +1 −0\n"), "{shown}");
    assert!(shown.contains("20 more: codex-connector diff 1a2b3c4d --stat\n"), "{shown}");
    assert!(shown.contains("uncovered\t.env (its name suggests a secret), changed by the agent\n"), "{shown}");
    let list = task_list(std::slice::from_ref(&task), screen(Some(200)), now());
    assert!(list.contains("CHANGES") && list.contains("+41 −7"), "{list}");
    let json = json_output::Output::task(&task, now()).line();
    let json: Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(json["task"]["changes"]["list"][0]["path"], hostile, "programs get the exact path");
    assert_eq!(json["task"]["changes"]["omitted"][0]["reason"], "secret");
    assert_eq!(json["task"]["workspace"]["branch"], "main");
}
