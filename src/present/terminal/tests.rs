use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::json;

use super::*;
use crate::task::{Summaries, TaskRecord, TaskState, TaskSummary};

fn screen(width: usize) -> Screen {
    Screen { width: Some(width), has_color: false, symbols: Symbols::Unicode }
}

fn record(fields: serde_json::Value) -> TaskRecord {
    let bare = json!({
        "id": "1a2b3c4d", "task": "write the missing tests for the parser", "backend": "codex", "status": "completed",
        "startedAt": "2026-01-02T03:04:05Z", "completedAt": "2026-01-02T03:07:17Z", "duration": 192_000,
        "usage": {"inputTokens": 83_000, "outputTokens": 1_200},
    });
    serde_json::from_value::<TaskRecord>(bare).expect("a record needs no more").with(fields)
}

fn tasks() -> Vec<TaskSummary> {
    let summary = |record: TaskRecord, state| TaskSummary { record, state, step: None, trouble: None };
    let running = json!({"id": "aaaaaaaa", "status": "running", "usage": null});
    let failed = json!({"id": "bbbbbbbb", "status": "failed", "failureReason": "Cancelled by user", "backend": "gemini",
                        "task": "a\tb\u{1b}[31m\nc \u{202e}evil 漢字"});
    vec![
        summary(record(running.clone()), TaskState::Running),
        summary(record(json!({"id": "cccccccc", "status": "running", "usage": null})), TaskState::Queued),
        summary(record(json!({})), TaskState::Ended),
        summary(record(failed), TaskState::Ended),
    ]
}

fn now() -> chrono::DateTime<Utc> {
    "2026-01-02T05:04:05Z".parse().expect("a valid time")
}

#[test]
fn a_list_on_a_terminal_is_aligned_and_fits_its_width() {
    let expected = [
        "   ID        STATE      AGENT   TASK                                    AGE   TIME  TOKENS",
        "●  aaaaaaaa  running    codex   write the missing tests for the parser   2h  2h00m",
        "◌  cccccccc  queued     codex   write the missing tests for the parser   2h  2h00m",
        "✓  1a2b3c4d  completed  codex   write the missing tests for the parser   2h  3m12s     84k",
        "■  bbbbbbbb  cancelled  gemini  a b\\x1b[31m c \\u{202e}evil 漢字          2h  3m12s     84k",
        "",
    ];
    assert_eq!(task_list(&tasks(), screen(100), now()).split('\n').collect::<Vec<_>>(), expected);
}

#[test]
fn the_question_before_a_removal_names_the_tasks() {
    let ended = &tasks()[2..];
    let expected = "  1a2b3c4d  completed  write the missing tests for the parser\n  bbbbbbbb  cancelled  a b\\x1b[31m c \\u{202e}evil 漢字\n\
                    Remove 2 tasks with all files (logs, results, records)? [y/N] ";
    assert_eq!(removal_question(ended, ended.len(), lost_changes(ended).as_deref(), screen(80)), expected);
    let many: Vec<_> = ended.iter().cycle().take(13).cloned().collect();
    let question = removal_question(&many, many.len(), lost_changes(&many).as_deref(), screen(80));
    assert_eq!(question.lines().count(), 12, "{question}");
    assert!(question.contains("\n  and 3 more\nRemove 13 tasks "), "{question}");
    assert_eq!(nothing_to_remove(Screen::PIPE), "");
}

#[test]
fn a_narrow_terminal_loses_the_least_important_columns_first() {
    for width in [20, 30, 40, 60, 80, 100, 400] {
        let shown = task_list(&tasks(), screen(width), now());
        for line in shown.lines() {
            assert!(unicode_width::UnicodeWidthStr::width(line) <= width.max(24), "{width}: {line}");
        }
        assert!(shown.contains("1a2b3c4d"), "{width}");
        assert_eq!(shown.contains("completed"), width >= 40, "{width}\n{shown}");
        assert_eq!(shown.contains("TOKENS"), width >= 80, "{width}\n{shown}");
    }
}

#[test]
fn a_pipe_gets_tabs_and_everything_in_full() {
    let shown = task_list(&tasks(), Screen::PIPE, now());
    let rows: Vec<Vec<&str>> = shown.lines().map(|line| line.split('\t').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == 8), "{shown}");
    assert_eq!(
        rows[2],
        [
            "1a2b3c4d",
            "ended",
            "completed",
            "codex",
            "write the missing tests for the parser",
            "2026-01-02T03:04:05Z",
            "192",
            "84200"
        ]
    );
    assert_eq!(rows[3][1..5], ["ended", "cancelled", "gemini", "a b\\x1b[31m c \\u{202e}evil 漢字"]);
    assert_eq!(rows[1][1..3], ["queued", ""]);
}

#[test]
fn colors_and_symbols_depend_on_the_terminal() {
    let colored = task_list(&tasks(), Screen { has_color: true, ..screen(100) }, now());
    assert!(colored.contains("\u{1b}[32m✓"), "{colored:?}");
    assert!(!task_list(&tasks(), screen(100), now()).contains('\u{1b}'));
    let in_a_pipe = task_list(&tasks(), Screen { has_color: true, ..Screen::PIPE }, now());
    assert!(in_a_pipe.contains("\t\u{1b}[32mcompleted\u{1b}[0m\t"), "{in_a_pipe:?}");
    let ascii = task_list(&tasks(), Screen { symbols: Symbols::Ascii, ..screen(60) }, now());
    assert!(!ascii.contains(['●', '✓', '■', '◌', '…']) && ascii.contains("+  1a2b3c4d"), "{ascii}");
}

#[test]
fn the_count_line_never_calls_an_incomplete_list_complete() {
    let line = |shown: usize, total, unfinished, everywhere| {
        let tasks = tasks().into_iter().take(shown).collect();
        count_line(&Summaries { tasks, total, is_partial: false }, unfinished, everywhere)
    };
    assert_eq!(line(4, 4, 2, false), "4 tasks here (2 not finished)");
    assert_eq!(line(4, 90, 0, true), "The newest 4 of 90 tasks in all repositories");
    assert_eq!(line(1, 1, 0, false), "1 task here");
    assert!(line(0, 0, 0, false).contains("ls --all"));
    assert_eq!(line(0, 0, 0, true), "No tasks");
}

#[test]
fn times_and_numbers_are_short() {
    let length_of = |seconds| length(Duration::from_secs(seconds));
    assert_eq!(
        [0, 59, 60, 3_599, 3_600, 86_399, 90_000].map(length_of),
        ["0s", "59s", "1m00s", "59m59s", "1h00m", "23h59m", "1d01h"]
    );
    let age_of = |seconds| age(now() - TimeDelta::seconds(seconds), now());
    assert_eq!([-5, 5, 61, 7_300, 90_000, 1_209_600].map(age_of), ["0s", "5s", "1m", "2h", "1d", "2w"]);
    assert_eq!([0, 999, 1_000, 9_540, 84_200, 1_250_000].map(tokens), ["0", "999", "1.0k", "9.5k", "84k", "1.2M"]);
}

#[test]
fn a_line_is_cut_by_columns_and_keeps_no_control_characters() {
    let line = Line::of(Tone::Plain, "漢字漢字 ").with(Tone::Bad, "a\u{1b}[0mb");
    assert_eq!(line.clone().render(Screen::PIPE), "漢字漢字 a\\x1b[0mb");
    assert_eq!(line.clone().render(screen(6)), "漢字…");
    assert_eq!(line.render(screen(0)), "");
}
