//! Answers and terminal output about a task's changes, also with hostile file names.

use super::{
    answer_reader::{assert_only_our_markup, is_forbidden},
    hostile_tests::HOSTILE,
    json_output::{Output, schema},
    operations::{self, PatchPart},
    repository_refusals,
    terminal::{self, Screen, Symbols},
    workspace_refusals::{self as refusals, Audience},
};
use crate::task::{
    ChangeKind, ChangedPath, Compared, ConflictReason, FileConflict, GitPath, NewBranch, ObjectId, OperationKind,
    OperationResult, RecoveredOperation, RecoveryState, TaskDiff, TaskId,
};

fn id() -> TaskId {
    TaskId::parse("1a2b3c4d").expect("a valid task ID")
}

fn object() -> ObjectId {
    "0123456789abcdef0123456789abcdef01234567".parse().expect("a valid name")
}

fn file(path: &str, kind: ChangeKind, lines: Option<(u64, u64)>) -> ChangedPath {
    ChangedPath {
        path: GitPath::from_bytes(path),
        old_path: None,
        kind,
        added: lines.map(|(added, _)| added),
        removed: lines.map(|(_, removed)| removed),
        is_named: true,
    }
}

fn diff(files: Vec<ChangedPath>) -> TaskDiff {
    TaskDiff {
        id: id(),
        base: object(),
        head: object(),
        compared: Compared::End,
        files,
        worktree: None,
        undone: 0,
        interrupted: None,
    }
}

/// A change of every kind.
fn files() -> Vec<ChangedPath> {
    let renamed = ChangedPath {
        old_path: Some(GitPath::from_bytes("old name.rs")),
        ..file("new.rs", ChangeKind::Renamed, Some((1, 0)))
    };
    vec![
        file("bin/logo.png", ChangeKind::Added, None),
        renamed,
        file("run.sh", ChangeKind::Mode, Some((0, 0))),
        file("src/parser.rs", ChangeKind::Modified, Some((41, 7))),
    ]
}

fn result(kind: OperationKind, paths: &[&str]) -> OperationResult {
    OperationResult {
        kind,
        top: "/repo".into(),
        is_check: false,
        files: paths.iter().map(|path| GitPath::from_bytes(*path)).collect(),
        unnamed: Vec::new(),
        branch: None,
        running: Vec::new(),
        recovered: Vec::new(),
    }
}

fn interrupted(state: RecoveryState) -> RecoveredOperation {
    RecoveredOperation {
        task: id(),
        kind: OperationKind::Apply,
        state,
        files: vec![GitPath::from_bytes("a")],
        left: vec![GitPath::from_bytes("b")],
    }
}

fn terminal(width: usize) -> Screen {
    Screen { width: Some(width), has_color: false, symbols: Symbols::Unicode }
}

#[test]
fn the_list_of_changed_files_fits_the_terminal_and_has_columns_in_a_pipe() {
    let diff = diff(files());
    let expected = [
        " bin/logo.png          | binary added",
        " old name.rs => new.rs | +1 −0 renamed",
        " run.sh                | +0 −0 mode",
        " src/parser.rs         | +41 −7",
        " 4 files, +42 −7",
        "",
    ];
    assert_eq!(terminal::diff_stat(&diff, terminal(80)), expected.join("\n"));
    let narrow = terminal::diff_stat(&diff, terminal(30));
    assert!(narrow.contains(" old name.rs … | +1 −0 renamed\n"), "{narrow}");
    assert!(narrow.lines().all(|line| line.chars().count() <= 30), "{narrow}");
    let expected = [
        "added\t\t\tbin/logo.png\t",
        "renamed\t1\t0\tnew.rs\told name.rs",
        "mode\t0\t0\trun.sh\t",
        "modified\t41\t7\tsrc/parser.rs\t",
        "",
    ];
    assert_eq!(terminal::diff_stat(&diff, Screen::PIPE), expected.join("\n"));
    assert_eq!(terminal::diff_names(&diff), "bin/logo.png\nnew.rs\nrun.sh\nsrc/parser.rs\n");
}

#[test]
fn a_patch_on_a_terminal_is_colored_by_its_hunks() {
    let patch = "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n same  two\n--- gone\n+++ \u{1b}[2J new\t\n";
    let screen = Screen { has_color: true, ..terminal(10) };
    let text = terminal::patch_lines(&patch.into(), screen);
    let lines: Vec<_> = text.lines().collect();
    let (bold, cyan, red, green, end) = ("\u{1b}[1m", "\u{1b}[36m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[0m");
    assert_eq!(lines[2], format!("{bold}--- a/x{end}"));
    assert_eq!(lines[4], format!("{cyan}@@ -1,3 +1,3 @@{end}"));
    assert_eq!(lines[5], " same  two", "spaces and long lines are kept");
    assert_eq!(lines[6], format!("{red}--- gone{end}"));
    assert_eq!(lines[7], format!("{green}+++ \\x1b[2J new    {end}"));
    assert!(!terminal::patch_lines(&patch.into(), terminal(80)).contains('\u{1b}'));
}

#[test]
fn an_answer_has_the_files_at_the_beginning_of_the_patch_only() {
    let diff = diff(files());
    let part = |offset, next| PatchPart { text: "+x\n".into(), offset, next, size: 9 };
    let first = operations::diff(&diff, Some(&part(0, Some(3))));
    let expected = "\
## Task Changes

**Task ID:** 1a2b3c4d
**Changes:** 4 files, +42 −7

- `bin/logo.png` (added, binary)
- `new.rs` (renamed from `old name.rs`, +1 −0)
- `run.sh` (mode, +0 −0)
- `src/parser.rs` (modified, +41 −7)

Bytes 0 to 3 of 9. To continue, call `codex_diff` with the same arguments and `offset` 3, or with `paths`.

```
+x
```";
    assert_eq!(first, expected);
    let last = operations::diff(&diff, Some(&part(6, None)));
    assert!(!last.contains("`run.sh`") && last.contains("This is the end of the patch."), "{last}");
    let beyond = operations::diff(&diff, Some(&part(10, None)));
    assert_eq!(beyond, "`offset` 10 is past the end: the patch of task 1a2b3c4d has 9 bytes.");
    let many = self::diff((0..60).map(|number| file(&format!("f{number}"), ChangeKind::Added, None)).collect());
    assert!(operations::diff(&many, None).contains("- `f49` (added, binary)\n- and 10 more"));
    let running = TaskDiff { compared: Compared::Running, undone: 4, ..diff };
    let text = operations::diff(&running, None);
    assert!(text.contains("still running") && text.contains("these changes were undone"), "{text}");
}

#[test]
fn an_operation_says_what_it_wrote_and_what_it_left_alone() {
    let mut undone = result(OperationKind::Undo, &["src/a.rs"]);
    undone.unnamed = vec![GitPath::from_bytes("notes.txt")];
    let text = operations::operation(&id(), &undone);
    let expected = "\
## Changes Undone

**Task ID:** 1a2b3c4d
**Directory:** /repo

Reverted the task's changes in 1 file. To make them again, call `codex_undo` with `redo: true`.

- `src/a.rs`

1 file changed too while the task ran, but the agent did not name it among its changes, so somebody else may have changed \
it. Left as it is. To include it, pass `all: true`.

- `notes.txt`";
    assert_eq!(text, expected);
    assert_eq!(terminal::operation(&id(), &undone, Screen::PIPE), "changed\tsrc/a.rs\nskipped\tnotes.txt\n");
    let text = terminal::operation(&id(), &undone, terminal(100));
    assert!(
        text.starts_with("Reverted the changes of task 1a2b3c4d in 1 file:\n  src/a.rs\nSkipped 1 file that"),
        "{text}"
    );
    assert!(text.ends_with("  notes.txt\nto make them again: codex-connector redo 1a2b3c4d\n"), "{text}");
    let check = OperationResult { is_check: true, ..undone.clone() };
    let text = terminal::operation(&id(), &check, terminal(100));
    assert!(text.contains("\nWould skip 1 file that the agent did not report"), "{text}");
    let check = OperationResult { is_check: true, ..result(OperationKind::Apply, &["a", "b"]) };
    assert!(operations::operation(&id(), &check).contains("Applying would change 2 files. Nothing was written."));
    let branch = NewBranch { name: GitPath::from_bytes("codex/x"), commit: object() };
    let committed = OperationResult { branch: Some(branch), ..result(OperationKind::Apply, &["a"]) };
    let text = operations::operation(&id(), &committed);
    assert!(
        text.contains("**Branch:** `codex/x`\n**Commit:** 0123456789") && text.contains("were not changed"),
        "{text}"
    );
    assert!(terminal::operation(&id(), &committed, terminal(100)).starts_with("Created branch codex/x with"));
    let nothing = terminal::operation(&id(), &result(OperationKind::Redo, &[]), terminal(100));
    assert_eq!(nothing, "Nothing to do: no file has to be changed.\n");
}

#[test]
fn an_interrupted_operation_that_was_finished_first_is_reported() {
    let recovered = vec![interrupted(RecoveryState::Finished)];
    let result = OperationResult { recovered, ..result(OperationKind::Undo, &["c"]) };
    let words = "an interrupted apply of task 1a2b3c4d was completed first (1 file written); 1 file had changed meanwhile, and \
                 was left as found: b";
    assert!(operations::operation(&id(), &result).contains(&format!("**Note:** {words}")));
    assert_eq!(terminal::operation_notes(&result, true), [format!("Note: {words}")]);
    let refused = refusals::after_recovery(&result.recovered, refusals::nothing_to_redo(&id(), Audience::Terminal));
    let text = refused.plain();
    assert!(text.contains(&format!("they were not undone; {words}\nnext: run")), "{text}");
    for (state, words) in [
        (RecoveryState::Pending, "has to be completed first (1 file), so only its files are listed"),
        (RecoveryState::Abandoned, "no longer contains its snapshots; these files may be incomplete: b"),
    ] {
        let recovered = vec![RecoveredOperation { state, ..result.recovered[0].clone() }];
        let notes = terminal::operation_notes(&OperationResult { recovered, ..result.clone() }, true);
        assert!(notes.len() == 1 && notes[0].contains(words), "{notes:?}");
    }
    let recovered = vec![interrupted(RecoveryState::Pending)];
    let question = terminal::undo_question(&id(), &OperationResult { recovered, ..result.clone() });
    assert_eq!(question, "  c\nComplete that first, and then revert the changes of task 1a2b3c4d? [y/N] ");
    let running = |number: usize| vec![id(); number];
    for (number, words) in [
        (1, "task 1a2b3c4d is running"),
        (2, "tasks 1a2b3c4d and 1a2b3c4d are running"),
        (3, "tasks 1a2b3c4d, 1a2b3c4d and 1a2b3c4d are running"),
        (5, "tasks 1a2b3c4d, 1a2b3c4d, 1a2b3c4d and 2 more are running"),
    ] {
        let beside = OperationResult { running: running(number), recovered: vec![], ..result.clone() };
        let words = format!("{words} in this work tree: ");
        assert!(terminal::operation_notes(&beside, true)[0].starts_with(&format!("Note: {words}")));
        assert!(operations::operation(&id(), &beside).contains(&format!("**Note:** {words}")));
    }
    let question = terminal::undo_question(&id(), &result);
    assert_eq!(question, "  c\nRevert the changes of task 1a2b3c4d in 1 file? [y/N] ");
    let diff = TaskDiff { interrupted: Some(interrupted(RecoveryState::Pending)), ..diff(files()) };
    let words =
        "the last apply of these changes has not finished, so some of the files may be incomplete (1 file in all)";
    assert!(operations::diff(&diff, None).contains(&format!("\n**Note:** {words}")));
    assert!(terminal::diff_notes(&diff)[0].contains(words));
}

#[test]
fn no_file_name_can_forge_an_answer_or_control_a_terminal() {
    let assert_lines = |text: &str, lines: usize| {
        assert_eq!(text.lines().count(), lines, "{text:?}");
        assert!(!text.contains(|letter| letter != '\n' && letter != '\t' && is_forbidden(letter)), "{text:?}");
    };
    for text in HOSTILE {
        let path = GitPath::from_bytes(text);
        let renamed = ChangedPath { old_path: Some(path.clone()), ..file(text, ChangeKind::Renamed, Some((1, 2))) };
        let diff = diff(vec![renamed]);
        let part = PatchPart { text: text.into(), offset: 0, next: None, size: 9 };
        assert_only_our_markup(&operations::diff(&diff, Some(&part)), 0, 0);
        let recovered = RecoveredOperation {
            task: id(),
            kind: OperationKind::Undo,
            state: RecoveryState::Finished,
            files: vec![path.clone()],
            left: vec![path.clone()],
        };
        let result = OperationResult {
            unnamed: vec![path.clone()],
            branch: Some(NewBranch { name: path.clone(), commit: object() }),
            recovered: vec![recovered],
            ..result(OperationKind::Apply, &[text])
        };
        assert_only_our_markup(&operations::operation(&id(), &result), 0, 0);
        assert_lines(&terminal::diff_stat(&diff, terminal(60)), 2);
        assert_lines(&terminal::diff_stat(&diff, Screen::PIPE), 1);
        assert_lines(&terminal::diff_names(&diff), 1);
        assert_lines(&terminal::operation(&id(), &result, Screen::PIPE), 2);
        assert_lines(&terminal::operation(&id(), &result, terminal(60)), 4);
        assert_lines(&terminal::operation_notes(&result, true)[0], 1);
        assert_lines(&terminal::undo_question(&id(), &result), 2);
        let shown = terminal::patch_lines(&text.into(), terminal(60));
        assert!(!shown.contains(|letter: char| letter != '\n' && letter.is_control()), "{shown:?}");
        let conflict = FileConflict { path: path.clone(), reason: ConflictReason::Content };
        let all = [
            refusals::commit_conflicts(&id(), std::slice::from_ref(&conflict), Audience::Model),
            refusals::conflicts(&id(), OperationKind::Undo, &[conflict], Audience::Model),
            refusals::only_unnamed(&id(), std::slice::from_ref(&path), Audience::Terminal),
            refusals::no_snapshots(&id(), Some(text)),
            refusals::unchanged_path(&id(), path.as_path(), Audience::Model),
            repository_refusals::outside_repository(&id(), path.as_path(), path.as_path()),
            repository_refusals::branch_exists(&path),
            repository_refusals::invalid_branch(&path),
            repository_refusals::repository_gone(&id(), path.as_path()),
            repository_refusals::repository_busy(path.as_path(), Some(&(1, id()))),
            refusals::not_restored(&id(), OperationKind::Undo, std::slice::from_ref(&path), &text, true),
            refusals::not_restored(&id(), OperationKind::Undo, std::slice::from_ref(&path), &text, false),
            repository_refusals::workspace_failed(&id(), &text),
        ];
        for refused in all {
            assert_lines(&refused.plain(), 2);
            assert_only_our_markup(&refused.markdown().replace('`', "'"), 0, 0);
        }
    }
}

#[test]
fn json_has_exact_paths_and_the_conflicts() {
    let validator = jsonschema::validator_for(&schema()).expect("the schema is valid");
    let odd = ChangedPath { path: GitPath::from_bytes(*b"a\xff\n"), ..file("x", ChangeKind::Added, None) };
    let part = PatchPart { text: "+x\n".into(), offset: 0, next: Some(3), size: 9 };
    let conflict = FileConflict { path: GitPath::from_bytes("b"), reason: ConflictReason::InTheWay };
    for output in [
        Output::diff(&diff(vec![odd]), Some(&part)),
        Output::diff(&diff(files()), None),
        Output::diff(&TaskDiff { interrupted: Some(interrupted(RecoveryState::Pending)), ..diff(files()) }, None),
        Output::operation(&id(), &result(OperationKind::Undo, &["a"])),
        Output::refused_operation(&id(), OperationKind::Apply, &[conflict], &[interrupted(RecoveryState::Finished)]),
    ] {
        let object: serde_json::Value = serde_json::from_str(&output.line()).expect("it is JSON");
        assert!(validator.is_valid(&object), "{object:#}");
        match &*object["type"].to_string() {
            "\"diff\"" if object["partial"] == true => {
                assert_eq!(
                    (&object["files"][0]["path"], &object["files"][0]["pathBase64"]),
                    (&"a\u{fffd}\n".into(), &"Yf8K".into())
                );
            }
            "\"diff\"" if object["recovered"] != serde_json::json!([]) => {
                assert_eq!(object["recovered"][0]["state"], "pending");
            }
            "\"operation\"" if object["done"] == false => {
                assert_eq!(object["conflicts"][0]["kind"], "in_the_way");
                let recovered = &object["recovered"][0];
                assert_eq!((&recovered["operation"], &recovered["state"]), (&"apply".into(), &"finished".into()));
                assert_eq!((&recovered["files"][0]["path"], &recovered["left"][0]["path"]), (&"a".into(), &"b".into()));
            }
            _ => {}
        }
    }
}
