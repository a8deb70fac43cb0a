//! For tests: reads an answer as a Markdown reader would, to check that text from outside cannot pass for our own.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use regex::Regex;
use serde_json::json;

use crate::task::{ActivityKind, LiveView, ResultText, TaskRecord};

/// Whether the character may not appear outside a fence. Deliberately independent of the list in `visible`.
pub(crate) fn is_forbidden(letter: char) -> bool {
    letter.is_control()
        || ('\u{200b}'..='\u{200f}').contains(&letter)
        || ('\u{2028}'..='\u{202e}').contains(&letter)
        || ('\u{2060}'..='\u{206f}').contains(&letter)
        || ('\u{e0000}'..='\u{e007f}').contains(&letter)
        || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{feff}')
}

/// The lines of an answer, outside and inside fences.
pub(crate) struct RenderedAnswer {
    pub(crate) outside: Vec<String>,
    pub(crate) inside: Vec<String>,
}

/// Splits an answer by the rules of Markdown alone.
pub(crate) fn read(answer: &str) -> RenderedAnswer {
    let mut read = RenderedAnswer { outside: vec![], inside: vec![] };
    let mut fence = None;
    for line in answer.split('\n') {
        let ticks = line.bytes().take_while(|byte| *byte == b'`').count();
        match fence {
            Some(length) if ticks >= length && ticks == line.trim_end().len() => fence = None,
            Some(_) => read.inside.push(line.to_owned()),
            None if ticks >= 3 && !line[ticks..].contains('`') => fence = Some(ticks),
            None => read.outside.push(line.to_owned()),
        }
    }
    assert_eq!(fence, None, "a fence is not closed:\n{answer}");
    read
}

fn expression(expression: &str) -> Regex {
    Regex::new(expression).expect("valid regular expression")
}

/// A line with a dot in place of each escaped character and each code span.
fn without_escapes(line: &str) -> String {
    let mut without_escapes = String::new();
    let mut remaining = line;
    while let Some(letter) = remaining.chars().next() {
        let after = &remaining[letter.len_utf8()..];
        let (read, shown) = match letter {
            '\\' if after.starts_with(|next: char| next.is_ascii_punctuation()) => (2, "·"),
            '`' => {
                let ticks = remaining.len() - remaining.trim_start_matches('`').len();
                end_of_code(remaining, ticks).map_or((ticks, &remaining[..ticks]), |end| (end, "·"))
            }
            _ => (letter.len_utf8(), &remaining[..letter.len_utf8()]),
        };
        without_escapes.push_str(shown);
        remaining = &remaining[read..];
    }
    without_escapes
}

/// The end of the code span that `text` begins with: after the next run of `ticks` backticks.
fn end_of_code(text: &str, ticks: usize) -> Option<usize> {
    let mut from = ticks;
    loop {
        let start = from + text[from..].find('`')?;
        let length = text[start..].len() - text[start..].trim_start_matches('`').len();
        from = start + length;
        if length == ticks {
            return Some(from);
        }
    }
}

const KNOWN_FIELDS: [&str; 41] = [
    "Warning",
    "Turn Status",
    "Fallback",
    "Task ID",
    "Status",
    "New",
    "⚠ Trouble",
    "Phase",
    "Last event",
    "Failure reason",
    "Duration",
    "Elapsed",
    "Started",
    "Last activity",
    "Heartbeats",
    "Waiting for the network",
    "Task",
    "Working directory",
    "Backend",
    "Model",
    "Sandbox",
    "Session ID",
    "Resume",
    "Tokens",
    "Exit code",
    "Exit signal",
    "Log",
    "Result",
    "Record",
    "Stdout",
    "Stderr",
    "Changes",
    "Note",
    "Branch",
    "Commit",
    "Worktree",
    "Based on",
    "Directory",
    "Continues in the worktree of",
    "Not covered",
    "Not covered, but changed by the agent",
];

const KNOWN_HEADINGS: [&str; 18] = [
    "## Task Ended",
    "## Codex Agent Result",
    "## Task Status",
    "## Task Cancelled",
    "## Task Not Cancelled",
    "## Task Changes",
    "## Changes Undone",
    "## Changes Redone",
    "## Changes Applied",
    "## Check Passed",
    "### Changes",
    "### What the agent said",
    "### Why it did not start",
    "### What to do",
    "### Diagnostics",
    "### Files",
    "### Result",
    "### Notices",
];

/// Asserts that all Markdown outside fences is ours: `rows` table rows, and `statuses` fields `**Status:**`.
pub(crate) fn assert_only_our_markup(answer: &str, rows: usize, statuses: usize) {
    let outside = read(answer).outside;
    static ACTIVE: LazyLock<Regex> =
        LazyLock::new(|| expression(r"\]\(|\]\[|\]:|<[a-zA-Z/!]|&#?[0-9A-Za-z]+;|~~|```|(^|\W)_\w"));
    static FIELD: LazyLock<Regex> = LazyLock::new(|| expression(r"^\*\*([^*]+):\*\* "));
    static OPENER: LazyLock<Regex> = LazyLock::new(|| expression(r"^\s*([#>+=]|~~~|---|\d+[.)]|    |\t)"));
    for line in &outside {
        assert!(!line.contains(is_forbidden), "{line:?} in\n{answer}");
        let without_escapes = without_escapes(line);
        let is_heading = KNOWN_HEADINGS.contains(&line.as_str()) || line.starts_with("### Recent log (last ");
        assert!(is_heading || !OPENER.is_match(&without_escapes), "{line:?} opens a Markdown block in\n{answer}");
        let without_escapes = match FIELD.captures(&without_escapes) {
            Some(name) if KNOWN_FIELDS.contains(&&name[1]) => without_escapes[name[0].len()..].to_owned(),
            _ => without_escapes,
        };
        assert!(
            !without_escapes.contains('*') && !ACTIVE.is_match(&without_escapes),
            "{line:?} contains active Markdown in\n{answer}"
        );
        assert!(!line.starts_with('|') || without_escapes.matches('|').count() >= 3, "{line:?} in\n{answer}");
    }
    let table_rows: Vec<_> = outside.iter().filter(|line| line.starts_with('|')).collect();
    assert_eq!(table_rows.len(), rows, "{answer}");
    let columns = table_rows.first().map_or(0, |row| row.matches('|').count());
    assert!(table_rows.iter().all(|row| without_escapes(row).matches('|').count() == columns), "{answer}");
    assert_eq!(outside.iter().map(|line| line.matches("**Status:**").count()).sum::<usize>(), statuses, "{answer}");
}

/// The current time in these tests.
pub(crate) fn now() -> DateTime<Utc> {
    "2024-01-15T10:30:00Z".parse().expect("valid timestamp")
}

/// A record with `text` wherever a damaged record, or one of another program, may contain it.
pub(crate) fn record(status: &str, text: &str) -> TaskRecord {
    serde_json::from_value(json!({
        "id": "1a2b3c4d", "status": status, "startedAt": "2024-01-15T10:30:00Z", "backend": "codex", "task": text,
        "workingDirectory": text, "model": text, "command": text, "agentVersion": text, "exitSignal": text,
        "failureReason": text, "agentSaid": text, "advice": text, "durationFormatted": text, "result": text,
        "sessionId": text, "warnings": [{"message": text, "advice": text}], "turnCompleted": true, "exitCode": 1,
        "fellBack": [text], "logFile": text, "resultFile": text, "debugFile": text,
        "workspace": {"before": null, "head": null, "branch": text, "uncommitted": 2, "worktree": text,
            "notCovered": text},
        "changes": {"base": "a".repeat(40), "head": "b".repeat(40), "files": 30, "added": 3, "removed": 0, "unnamed": 1,
            "paths": vec![json!({"path": text, "oldPath": text, "kind": "renamed", "added": 3, "removed": null}); 20],
            "omitted": vec![json!({"path": text, "reason": "secret"}); 4], "omittedFiles": 5,
            "omittedNamed": 1}
    }))
    .expect("valid record")
}

/// The live view of a running task, with `text` wherever possible.
pub(crate) fn live(text: &str) -> LiveView {
    LiveView {
        format: 1,
        phase: text.into(),
        last_event: Some(text.into()),
        trouble: Some(text.into()),
        offline_since: Some(now()),
        stdout_bytes: 0,
        stderr_bytes: 0,
        last_activity_at: now(),
        last_activity_type: ActivityKind::Stdout,
        heartbeat_count: 0,
    }
}

/// A result that consists of `text`.
pub(crate) fn result(text: &str) -> Option<ResultText> {
    Some(ResultText { head: text.into(), left_out: 0, tail: "".into() })
}
