use std::time::Duration;

use chrono::{DateTime, Utc};
use connector_api::Usage;
use serde_json::json;

use super::{live::step_row, *};
use crate::task::{
    LiveTask, ResultText, TaskRecord, TaskState, TaskSummary, TimelineEntry, TimelineEvent, TreeUse, Trouble,
    WarningSource,
};

fn screen(width: usize) -> Screen {
    Screen { width: Some(width), has_color: false, symbols: Symbols::Unicode }
}

fn now() -> DateTime<Utc> {
    "2026-01-02T03:07:17Z".parse().expect("a valid time")
}

fn entry(event: TimelineEvent) -> TimelineEntry {
    TimelineEntry { seq: 3, at: now() - Duration::from_secs(12), event }
}

fn task(fields: serde_json::Value, state: TaskState) -> LiveTask {
    let bare = json!({
        "id": "1a2b3c4d", "task": "write the missing tests", "backend": "codex", "status": "running",
        "startedAt": "2026-01-02T03:04:05Z", "workingDirectory": "/srv/shop", "sandbox": "read-only",
    });
    let record = serde_json::from_value::<TaskRecord>(bare).expect("a record needs no more").with(fields);
    LiveTask::new(TaskSummary { record, state, step: None, trouble: None })
}

fn running() -> LiveTask {
    let mut task = task(json!({}), TaskState::Running);
    task.apply(&entry(TimelineEvent::CommandStarted { command: "/bin/bash -lc 'cargo test -p parser'".to_owned() }));
    task.usage = Some(Usage { input_tokens: 83_000, output_tokens: 1_200, ..Usage::default() });
    task
}

fn failed() -> LiveTask {
    let end = json!({
        "status": "failed", "completedAt": "2026-01-02T03:04:06Z", "duration": 1_000,
        "failureReason": "Codex CLI exited with code 1", "agentSaid": "not\u{1b}[2J logged in", "advice": "run `codex login`",
    });
    task(end, TaskState::Ended)
}

#[test]
fn a_live_line_fits_80_and_20_columns() {
    for (task, wide, narrow) in [
        (running(), "● 1a2b3c4d codex  3m12s  84k tokens  runs: cargo test -p parser · 12s", "● 1a2b3c4d  3m12s  …"),
        (task(json!({}), TaskState::Queued), "◌ 1a2b3c4d codex  3m12s  queued", "◌ 1a2b3c4d  3m12s  …"),
        (failed(), "✗ 1a2b3c4d codex  1s  failed: Codex CLI exited with code 1", "✗ 1a2b3c4d  1s  fai…"),
    ] {
        assert_eq!(live_line(&task, screen(80), now()), wide);
        assert_eq!(live_line(&task, screen(20), now()), narrow);
    }
}

#[test]
fn in_an_ascii_locale_every_line_of_ours_is_ascii() {
    let screen = Screen { symbols: Symbols::Ascii, ..screen(80) };
    for task in [running(), task(json!({}), TaskState::Queued), failed()] {
        let step = step_row(&task.summary, screen, now()).unwrap_or_default();
        for text in [
            live_line(&task, screen, now()),
            begin_line(&task.summary, TreeUse::Never, screen),
            end_lines(&task, screen, now()),
            step,
        ] {
            assert!(text.is_ascii(), "{text}");
        }
    }
}

#[test]
fn the_trouble_of_an_agent_replaces_its_step() {
    let mut task = running();
    let text = "offline\n\u{202e}".to_owned();
    task.apply(&entry(TimelineEvent::Warning { source: WarningSource::AgentTrouble, text, offline: false }));
    let line = live_line(&task, screen(80), now());
    assert_eq!(line, "● 1a2b3c4d codex  3m12s  84k tokens  offline \\u{202e}");
}

#[test]
fn a_wait_for_the_network_is_shown_with_its_length() {
    let mut task = task(json!({}), TaskState::Running);
    let text = "Connection failed".to_owned();
    task.apply(&entry(TimelineEvent::Warning { source: WarningSource::AgentTrouble, text, offline: true }));
    let waiting = "waiting for the network, 12s: Connection failed";
    assert_eq!(live_line(&task, screen(80), now()), format!("● 1a2b3c4d codex  3m12s  {waiting}"));
    assert_eq!(step_row(&task.summary, screen(80), now()), Some(format!("   └ {waiting}")));
    let mut task = running();
    task.summary.trouble = Some(Trouble { text: "no".into(), offline_since: Some(now()) });
    let row = step_row(&task.summary, screen(80), now());
    assert_eq!(row.as_deref(), Some("   └ runs: cargo test -p parser · 12s · waiting for the network, 0s: no"));
}

#[test]
fn a_step_in_a_pipe_is_complete_and_has_four_columns() {
    let id = running().summary.record.id;
    let message = entry(TimelineEvent::Message { text: format!("a\tb\n{}", "x".repeat(300)) });
    let line = step_line(&id, &message, Screen::PIPE).expect("a message is shown");
    assert_eq!(line, format!("1a2b3c4d\t2026-01-02T03:07:05.000Z\tmessage\tsays: a b {}\n", "x".repeat(300)));
    let session = entry(TimelineEvent::Session { id: "s".to_owned() });
    assert_eq!(step_line(&id, &session, Screen::PIPE), None);
    let end = "1a2b3c4d\t2026-01-02T03:04:06.000Z\tended\tfailed: Codex CLI exited with code 1\n";
    assert_eq!(end_row(&failed().summary, Screen::PIPE), end);
}

#[test]
fn the_beginning_and_the_end_of_a_run_say_what_a_person_asks_next() {
    assert_eq!(
        begin_line(&running().summary, TreeUse::Never, screen(20)),
        "Task 1a2b3c4d · codex · read-only · /srv/shop",
        "it is not cut"
    );
    let expected = "\
✗ 1a2b3c4d failed in 1s
  reason: Codex CLI exited with code 1
  the agent says: not\\x1b[2J logged in
  next: run `codex login`
";
    assert_eq!(end_lines(&failed(), screen(20), now()), expected);
    let explained: Vec<_> = expected.lines().skip(2).collect();
    let in_a_pipe = explanation_lines(&failed().summary.record, Screen::PIPE);
    assert_eq!(in_a_pipe.lines().collect::<Vec<_>>(), explained, "the row in a pipe has the reason");
    let usage = json!({"inputTokens": 83_000, "outputTokens": 1_200});
    let completed =
        json!({"status": "completed", "completedAt": "2026-01-02T03:04:06Z", "duration": 61_000, "usage": usage});
    let completed = task(completed, TaskState::Ended);
    assert_eq!(end_lines(&completed, screen(80), now()), "✓ 1a2b3c4d completed in 1m01s · 84k tokens\n");
}

#[test]
fn the_words_of_an_agent_are_indented_on_every_row_of_the_terminal() {
    let words = "first line\n    indented code\n✓ 1a2b3c4d completed in 1s, or so it says\n\u{1b}[2J\n\n";
    let shown = agent_words(words, screen(20));
    assert_eq!(
        shown.lines().collect::<Vec<_>>(),
        ["  first line", "      indented code", "  ✓ 1a2b3c4d", "  completed in 1s,", "  or so it says", "  \\x1b[2J"]
    );
}

#[test]
fn only_warnings_and_changes_of_course_are_remarks() {
    let warning = TimelineEvent::Warning {
        source: WarningSource::Connector,
        text: "the sandbox failed".to_owned(),
        offline: false,
    };
    assert_eq!(remark(&warning, screen(80)).as_deref(), Some("· warning: the sandbox failed"));
    let stopping = TimelineEvent::Stopping { cause: "cancelled".to_owned() };
    assert_eq!(remark(&stopping, screen(80)).as_deref(), Some("· stopping: cancelled"));
    assert_eq!(remark(&TimelineEvent::Message { text: "x".to_owned() }, screen(80)), None);
}

#[test]
fn a_message_that_is_the_result_is_recognized() {
    let result = |text: &str| ResultText { head: text.into(), left_out: 0, tail: "".into() };
    assert!(repeats("the answer", &result("the answer\n")));
    assert!(repeats(&format!("{}…", "x".repeat(600)), &result(&"x".repeat(9_000))));
    assert!(!repeats("the answer", &result("another")));
}

#[test]
fn a_list_shows_the_step_of_a_running_task_below_its_row() {
    let ended = task(json!({"status": "completed", "duration": 1_000}), TaskState::Ended).summary;
    let tasks = [running().summary, ended];
    let expected = [
        "   ID        STATE      AGENT  TASK                     AGE   TIME  TOKENS",
        "●  1a2b3c4d  running    codex  write the missing tests   3m  3m12s",
        "   └ runs: cargo test -p parser · 12s",
        "✓  1a2b3c4d  completed  codex  write the missing tests   3m     1s",
    ];
    assert_eq!(task_list(&tasks, screen(80), now()).lines().collect::<Vec<_>>(), expected);
    let narrow = task_list(&tasks, screen(20), now());
    assert!(narrow.contains("\n   └ runs: cargo te…\n"), "{narrow}");
    assert_eq!(task_list(&tasks, Screen::PIPE, now()).lines().count(), 2);
}

#[test]
fn cancel_says_what_happened() {
    let stopping = task(json!({}), TaskState::Running).summary;
    let cancelled = json!({"status": "failed", "failureReason": "Cancelled by user", "duration": 1_000});
    let cancelled = task(cancelled, TaskState::Ended).summary;
    let completed = task(json!({"status": "completed", "duration": 1_000}), TaskState::Ended).summary;
    for (task, had_ended, line, row) in [
        (&cancelled, false, "■ 1a2b3c4d cancelled  write the missing tests\n", "1a2b3c4d\tended\tcancelled\n"),
        (
            &completed,
            true,
            "✓ 1a2b3c4d had already ended: completed  write the missing tests\n",
            "1a2b3c4d\tended\tcompleted\n",
        ),
        (&stopping, false, "● 1a2b3c4d is still being stopped  write the missing tests\n", "1a2b3c4d\trunning\t\n"),
    ] {
        assert_eq!(cancel_line(task, had_ended, screen(80)), line);
        assert_eq!(cancel_line(task, had_ended, Screen::PIPE), row);
    }
}
