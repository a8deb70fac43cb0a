//! Pins the lines of the file, because other programs and later versions read them.

use std::time::Duration;

use connector_api::{BackendName, Usage};

use super::*;
use crate::task::TaskStatus;

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_768_473_000_007).expect("a valid time")
}

fn line(seq: u64, event: TimelineEvent) -> String {
    let line = TimelineEntry { seq, at: at(), event }.to_line();
    String::from_utf8(line).expect("a line is text")
}

fn backend() -> BackendName {
    BackendName::new("codex").expect("a valid name")
}

/// One event of each kind, with the fields written after those that all entries have.
fn one_of_each() -> Vec<(TimelineEvent, &'static str)> {
    use TimelineEvent as E;
    let usage = Usage { input_tokens: 5, cached_input_tokens: 4, output_tokens: 3, reasoning_output_tokens: 2 };
    let files = vec![ChangedFile { path: "a.rs".into(), change: "added".into() }];
    let items = vec![PlanItem { text: "one".into(), done: true }, PlanItem { text: "two".into(), done: false }];
    vec![
        (E::Queued { ahead: 2, max_running: 1 }, r#""kind":"queued","ahead":2,"maxRunning":1"#),
        (
            E::Started { backend: backend(), version: Some("0.169.0".into()), attempt: 1 },
            r#""kind":"started","backend":"codex","version":"0.169.0","attempt":1"#,
        ),
        (E::Session { id: "s-1".into() }, r#""kind":"session","id":"s-1""#),
        (E::Message { text: "Done.\n\u{1b}".into() }, r#""kind":"message","text":"Done.\n\u001b""#),
        (E::Reasoning { text: "hm".into() }, r#""kind":"reasoning","text":"hm""#),
        (E::CommandStarted { command: "ls".into() }, r#""kind":"command_started","command":"ls""#),
        (
            E::CommandFinished {
                command: "ls".into(),
                status: CommandOutcome::Failed,
                exit_code: Some(2),
                took: Some(Duration::from_millis(2_500)),
                output: "no\n".into(),
            },
            r#""kind":"command_finished","command":"ls","status":"failed","exitCode":2,"durationMs":2500,"output":"no\n""#,
        ),
        (
            E::FilesChanged { files, omitted: 0, applied: true },
            r#""kind":"files_changed","files":[{"path":"a.rs","change":"added"}],"applied":true"#,
        ),
        (
            E::Tool { server: "s".into(), tool: "t".into(), error: None },
            r#""kind":"tool","server":"s","tool":"t","error":null"#,
        ),
        (
            E::Plan { done: 1, total: 2, items },
            r#""kind":"plan","done":1,"total":2,"items":[{"text":"one","done":true},{"text":"two","done":false}]"#,
        ),
        (
            E::Usage { usage },
            r#""kind":"usage","usage":{"inputTokens":5,"cachedInputTokens":4,"outputTokens":3,"reasoningOutputTokens":2}"#,
        ),
        (E::Output { text: "50 %".into() }, r#""kind":"output","text":"50 %""#),
        (
            E::Warning { source: WarningSource::AgentTrouble, text: "again".into(), offline: false },
            r#""kind":"warning","source":"agent_trouble","text":"again""#,
        ),
        (E::Silence { lasting: Duration::from_secs(300) }, r#""kind":"silence","durationMs":300000"#),
        (
            E::Fallback { reason: "no login".into(), to: Some(backend()) },
            r#""kind":"fallback","reason":"no login","to":"codex""#,
        ),
        (E::Stopping { cause: "cancelled by user".into() }, r#""kind":"stopping","cause":"cancelled by user""#),
        (
            E::Changes { base: "a1".into(), head: "b2".into(), files: 3, added: 10, removed: 4, omitted: 1 },
            r#""kind":"changes","base":"a1","head":"b2","files":3,"added":10,"removed":4,"omitted":1"#,
        ),
        (
            E::Ended {
                status: TaskStatus::Failed,
                reason: Some("Exited with code 1".into()),
                exit_code: Some(1),
                exit_signal: None,
                took: Some(Duration::from_secs(9)),
            },
            r#""kind":"ended","status":"failed","reason":"Exited with code 1","exitCode":1,"exitSignal":null,"durationMs":9000"#,
        ),
        (E::Omitted { count: 7 }, r#""kind":"omitted","count":7"#),
    ]
}

#[test]
fn each_kind_is_written_as_documented_and_round_trips() {
    for (event, fields) in one_of_each() {
        let written = line(12, event.clone());
        assert_eq!(written, format!("{{\"v\":1,\"seq\":12,\"at\":\"2026-01-15T10:30:00.007Z\",{fields}}}\n"));
        assert!(fields.starts_with(&format!("\"kind\":\"{}\"", event.kind())), "{fields}");
        let read = TimelineEntry::read(written.as_bytes());
        assert_eq!(read, Some(TimelineEntry { seq: 12, at: at(), event }));
    }
}

#[test]
fn unknown_kinds_and_fields_of_a_later_version_are_readable() {
    let later = r#"{"v":2,"seq":3,"at":"2026-01-15T10:30:00.007Z","kind":"question","text":"may I?","to":{"x":1}}"#;
    let event = TimelineEvent::Unknown { kind: "question".into() };
    assert_eq!(TimelineEntry::read(later.as_bytes()), Some(TimelineEntry { seq: 3, at: at(), event }));
    let later =
        r#"{"v":2,"new":[1],"seq":4,"at":"2026-01-15T10:30:00.007Z","kind":"message","text":"x","tone":"kind"}"#;
    let event = TimelineEvent::Message { text: "x".into() };
    assert_eq!(TimelineEntry::read(later.as_bytes()), Some(TimelineEntry { seq: 4, at: at(), event }));
    let lacking = r#"{"v":1,"seq":5,"at":"2026-01-15T10:30:00.007Z","kind":"message"}"#;
    let event = TimelineEvent::Unknown { kind: "message".into() };
    assert_eq!(TimelineEntry::read(lacking.as_bytes()), Some(TimelineEntry { seq: 5, at: at(), event }));
}

#[test]
fn torn_and_damaged_lines_are_not_entries() {
    let whole = line(1, TimelineEvent::Message { text: "x".into() });
    for length in 0..whole.trim_end().len() {
        assert_eq!(TimelineEntry::read(&whole.as_bytes()[..length]), None, "the first {length} bytes");
    }
    for damaged in ["[]", "{}", "null", "{\"v\":1,\"seq\":-1}", "\0\0\0"] {
        assert_eq!(TimelineEntry::read(damaged.as_bytes()), None, "{damaged}");
    }
}

#[test]
fn the_milestones_of_a_task_are_exempt_from_limits() {
    let exempt: Vec<_> = one_of_each().into_iter().map(|(event, _)| event).filter(TimelineEvent::is_exempt).collect();
    let kinds: Vec<_> = exempt.iter().map(TimelineEvent::kind).collect();
    assert_eq!(kinds, ["queued", "started", "fallback", "stopping", "changes", "ended"]);
}

#[test]
fn only_steps_have_a_headline() {
    let headlines: Vec<_> = one_of_each().into_iter().filter_map(|(event, _)| event.headline()).collect();
    assert_eq!(
        headlines,
        [
            "queued: 2 ahead (limits.max_running = 1)",
            "message: Done.",
            "reasoning: hm",
            "command started: ls",
            "command finished (exit code 2, 2.5s): ls",
            "files changed: added a.rs",
            "mcp tool: s.t",
            "todo list: 1 of 2 done, next: two",
            "agent trouble: again",
        ]
    );
}
