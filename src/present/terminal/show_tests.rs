use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use serde_json::json;

use super::*;
use crate::task::{LogTail, ResultText, TaskRecord, TaskState, TaskSummary, TaskView, Trouble, Untrusted};

pub(super) fn screen(width: usize) -> Screen {
    Screen { width: Some(width), has_color: false, symbols: Symbols::Unicode }
}

/// Two hours east of Greenwich.
pub(super) fn zone(at: DateTime<Utc>) -> DateTime<FixedOffset> {
    at.with_timezone(&FixedOffset::east_opt(7_200).expect("a valid offset"))
}

fn now() -> DateTime<Utc> {
    "2026-01-02T05:04:05Z".parse().expect("a valid time")
}

fn record(fields: serde_json::Value) -> TaskRecord {
    let bare = json!({
        "id": "1a2b3c4d", "task": "write the missing tests\n\tfor the parser", "backend": "codex", "status": "completed",
        "agentVersion": "0.171.0", "model": "gpt-6-sol", "sandbox": "read-only", "workingDirectory": "/home/x/shop",
        "startedAt": "2026-01-02T03:04:05Z", "completedAt": "2026-01-02T03:07:17Z", "duration": 192_000,
        "sessionId": "0198-5dc2", "usage": {"inputTokens": 31_204, "cachedInputTokens": 22_016, "outputTokens": 890},
    });
    serde_json::from_value::<TaskRecord>(bare).expect("a record needs no more").with(fields)
}

fn shown(record: TaskRecord, state: TaskState, result: Option<&str>, log: &[&str], screen: Screen) -> Vec<String> {
    let task = TaskSummary { record: record.clone(), state, step: None, trouble: None };
    let result = result.map(|text| ResultText { head: text.into(), left_out: 0, tail: Untrusted::default() });
    let tail = LogTail { lines: log.iter().map(|line| Untrusted::from(*line)).collect(), has_more: true };
    let view = TaskView { record, live: None, tail, result };
    let next = NextSteps { can_resume: true, agent_command: Some("codex resume 0198-5dc2".to_owned()) };
    show(&task, &view, &next, screen, zone, now()).split('\n').map(str::to_owned).collect()
}

#[test]
fn a_task_that_waits_for_the_network_says_for_how_long() {
    let running = record(json!({"status": "running", "completedAt": null, "duration": null, "usage": null}));
    let trouble = Trouble { text: "Connection failed".into(), offline_since: Some(now() - TimeDelta::seconds(192)) };
    let task = TaskSummary { record: running.clone(), state: TaskState::Running, step: None, trouble: Some(trouble) };
    let view = TaskView { record: running, live: None, tail: LogTail::default(), result: None };
    let next = NextSteps { can_resume: false, agent_command: None };
    let text = show(&task, &view, &next, screen(80), zone, now());
    assert!(text.contains("  trouble   waiting for the network, 3m12s: Connection failed\n"), "{text}");
}

#[test]
fn a_completed_task_on_a_terminal() {
    let result: String = (1..=23).map(|line| format!("{}line {line}\n", if line == 2 { "  " } else { "" })).collect();
    let lines = shown(record(json!({})), TaskState::Ended, Some(&result), &["a log line"], screen(80));
    let expected_start = [
        "✓ 1a2b3c4d completed in 3m12s              codex 0.171.0 · gpt-6-sol · read-only",
        "  task      write the missing tests",
        "                for the parser",
        "  where     /home/x/shop",
        "  started   2026-01-02 05:04:05 (2h ago)",
        "  ended     2026-01-02 05:07:17 (1h ago)",
        "  session   0198-5dc2",
        "  usage     31,204 in (22,016 cached) · 890 out",
        "  snapshot  none, because the sandbox is read-only",
        "  result    line 1",
        "              line 2",
    ];
    assert_eq!(lines[..11], expected_start);
    let expected_end = [
        "            line 20",
        "            … 3 lines more: codex-connector show 1a2b3c4d --result",
        "  next      codex-connector resume 1a2b3c4d \"…\"",
        "            codex-connector logs 1a2b3c4d",
        "            codex resume 0198-5dc2",
        "",
    ];
    assert_eq!(lines[lines.len() - 6..], expected_end);
}

#[test]
fn a_failed_task_shows_why_and_the_end_of_its_log() {
    let failed = json!({
        "status": "failed", "failureReason": "Agent exited with code 1", "exitCode": 1, "usage": null, "sessionId": null,
        "agentSaid": "401 Unauthorized\u{1b}[31m\nplease log in", "advice": "run `codex login`",
    });
    let lines = shown(record(failed), TaskState::Ended, None, &["[x] a", "    b\tc"], screen(80));
    let expected = [
        "✗ 1a2b3c4d failed in 3m12s                 codex 0.171.0 · gpt-6-sol · read-only",
        "  task      write the missing tests",
        "                for the parser",
        "  where     /home/x/shop",
        "  started   2026-01-02 05:04:05 (2h ago)",
        "  ended     2026-01-02 05:07:17 (1h ago)",
        "  snapshot  none, because the sandbox is read-only",
        "  failure   Agent exited with code 1",
        "            401 Unauthorized\\x1b[31m",
        "            please log in",
        "            run `codex login`",
        "  exit      code 1",
        "  log       [x] a",
        "                b    c",
        "  next      codex-connector logs 1a2b3c4d",
        "            codex resume 0198-5dc2",
        "",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_narrow_terminal_wraps_values_and_cuts_the_log() {
    let running = json!({"status": "running", "usage": null, "completedAt": null, "duration": null});
    let lines = shown(record(running), TaskState::Running, None, &["a log line that is much too long"], screen(20));
    let next = lines.iter().position(|line| line.starts_with("  next")).expect("there are commands");
    assert!(lines[..next].iter().all(|line| unicode_width::UnicodeWidthStr::width(&**line) <= 20), "{lines:#?}");
    // Commands can be copied.
    assert_eq!(
        lines[next..],
        ["  next      codex-connector logs -f 1a2b3c4d", "            codex-connector cancel 1a2b3c4d", ""]
    );
    assert_eq!(lines[0], "● 1a2b3c4d running …");
    assert!(lines.contains(&"  log       a log l…".to_owned()), "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.contains('…')).count(), 2, "{lines:#?}");
}

#[test]
fn a_pipe_gets_names_tabs_and_everything_in_full() {
    let result: String = (1..=23).map(|line| format!("line {line}\n")).collect();
    let lines = shown(record(json!({})), TaskState::Ended, Some(&result), &["a log line"], Screen::PIPE);
    let expected = [
        "id\t1a2b3c4d",
        "state\tended",
        "outcome\tcompleted",
        "seconds\t192",
        "agent\tcodex",
        "sandbox\tread-only",
        "version\t0.171.0",
        "model\tgpt-6-sol",
        "task\twrite the missing tests",
        "task\t    for the parser",
        "where\t/home/x/shop",
        "started\t2026-01-02T03:04:05Z",
        "ended\t2026-01-02T03:07:17Z",
        "session\t0198-5dc2",
        "usage\t31,204 in (22,016 cached) · 890 out",
        "snapshot\tnone, because the sandbox is read-only",
        "result\tline 1",
    ];
    assert_eq!(lines[..17], expected);
    assert_eq!((lines.len(), &*lines[lines.len() - 2]), (17 + 23, "result\tline 23"));
}

#[test]
fn a_color_can_be_wanted_in_a_pipe_and_ascii_everywhere() {
    let colored = Screen { has_color: true, ..Screen::PIPE };
    let lines = shown(record(json!({})), TaskState::Ended, None, &[], colored);
    assert_eq!(lines[1], "\u{1b}[2mstate\u{1b}[0m\t\u{1b}[32mended\u{1b}[0m");
    for width in [None, Some(30), Some(80)] {
        let ascii = Screen { width, has_color: false, symbols: Symbols::Ascii };
        let result = "line\n".repeat(30);
        let lines = shown(record(json!({})), TaskState::Ended, Some(&result), &[], ascii);
        assert!(lines.iter().all(|line| line.is_ascii()), "{lines:#?}");
    }
}

#[test]
fn a_result_is_exact_in_a_pipe_and_escaped_on_a_terminal() {
    let text = Untrusted::from("a\u{200b}\u{1b}[31m\n\n");
    assert_eq!(result_text(&text, Screen::PIPE), text.raw().as_bytes());
    assert_eq!(result_text(&text, screen(80)), b"a\\u{200b}\\x1b[31m\n\n");
}
