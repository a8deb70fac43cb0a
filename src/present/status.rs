//! The answer of `codex_status`: everything about one task.

use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use connector_api::Sandbox;

use super::{
    MAX_LOG_CHARACTERS, MAX_STATUS_RESULT_CHARACTERS, excerpt,
    fields::{Page, duration, exit_code, exit_signal, time_since, tokens},
    markdown,
    text::{cell, one_line},
};
use crate::{
    present::StatusPoll,
    task::{LiveView, Steps, TaskRecord, TaskView, span},
};

/// Every status is shorter than this, in characters, not counting its log lines and its result.
#[cfg(test)]
pub(super) const MAX_STATUS_CHARACTERS: usize = 1_600
    + super::fields::MAX_WARNINGS_CHARACTERS
    + super::task_changes::MAX_CHANGES_CHARACTERS
    + super::task_changes::MAX_WORKSPACE_CHARACTERS;

/// Maximum length of the facts at the top and the paths at the bottom, in characters.
const MAX_FACTS_CHARACTERS: usize = 900;

/// Maximum length of these and the agent's explanation, in characters. The rest is the table and the headings.
const MAX_SUMMARY_CHARACTERS: usize = 1_200;

/// Maximum length of a result that the client has seen before, in characters.
const MAX_REPEATED_RESULT_CHARACTERS: usize = 300;

/// Maximum length of a path, in characters. A longer path is replaced by the URI of its resource.
const MAX_PATH_CHARACTERS: usize = 160;

/// A task at `now`, and the changes since the poll `before`.
pub(crate) fn status(view: TaskView, before: Option<&StatusPoll>, now: DateTime<Utc>) -> String {
    let TaskView { record, live, tail, result } = view;
    let new_lines = before.map(|before| excerpt::lines_after(&tail, before.last_line.as_ref()));
    let changes = before.zip(new_lines).map(|(before, lines)| changes(before, &record, lines, now));
    // Values are cut only as far as necessary. Ordinary values are never cut; only absurdly long ones are.
    let caps = [300, 120, 60, 40, 20];
    let facts =
        caps.map(|cap| Facts { cap, record: &record, live: live.as_ref(), changes: changes.as_deref() }.page(now));
    let files = files(&record, result.is_some());
    let fits = |page: &&String| page.chars().count() + files.chars().count() <= MAX_FACTS_CHARACTERS;
    let facts = facts.iter().find(fits).unwrap_or(&facts[4]);
    let mut page = Page::continued(facts.clone());
    page.resumption(&record);
    page.workspace(&record);
    page.warnings(&record);
    page.explanation(&record, MAX_SUMMARY_CHARACTERS.saturating_sub(facts.chars().count() + files.chars().count()));
    page.changed_files(&record);
    page.part(&diagnostics(&record));
    page.part(&excerpt::log(&tail, new_lines, record.start.log_file.as_deref(), MAX_LOG_CHARACTERS));
    let was_shown = before.is_some_and(|before| before.status.is_final());
    page.result(&record, result, if was_shown { MAX_REPEATED_RESULT_CHARACTERS } else { MAX_STATUS_RESULT_CHARACTERS });
    page.part(&files);
    page.end()
}

/// A short status, if nothing has changed since the poll `before`.
pub(crate) fn unchanged(view: &TaskView, before: &StatusPoll, now: DateTime<Utc>) -> Option<String> {
    let TaskView { record, live, tail, result } = view;
    let lines = excerpt::lines_after(tail, before.last_line.as_ref());
    let is_same = StatusPoll { at: before.at, ..StatusPoll::of(view, now) } == *before;
    if lines > 0 || !is_same {
        return None;
    }
    let mut page = Page::begin("Task Status");
    page.field("Task ID", record.id.as_str());
    page.field("Status", record.status().as_str());
    page.field("New", &changes(before, record, 0, now));
    if let Some(live) = live {
        activity(&mut page, live, now);
    }
    page.field_if("Failure reason", record.failure_reason());
    page.field(if record.is_final() { "Duration" } else { "Elapsed" }, &duration(record, now));
    page.result(record, result.clone(), MAX_REPEATED_RESULT_CHARACTERS);
    page.part("To see the other facts and the log again, call `codex_status` with `tailLines`.");
    Some(page.end())
}

/// The changes since the poll `before`.
fn changes(before: &StatusPoll, record: &TaskRecord, lines: usize, now: DateTime<Utc>) -> String {
    let mut changes = vec![];
    if before.status != record.status() {
        changes.push(format!("status (previously {})", before.status));
    }
    let steps = steps(before.steps);
    if steps.is_empty() && lines > 0 {
        changes.push(format!("{lines} log line{}", if lines == 1 { "" } else { "s" }));
    }
    changes.extend(steps);
    let output = (record.progress.stdout_bytes + record.progress.stderr_bytes).saturating_sub(before.output);
    if output > 0 {
        changes.push(format!("{output} bytes of output"));
    }
    let changes = if changes.is_empty() { "no change".to_owned() } else { changes.join(", ") };
    format!("{changes} since you last checked ({} ago)", span((now - before.at).to_std().unwrap_or_default()))
}

/// The agent's steps, counted.
fn steps(steps: Steps) -> Vec<String> {
    let counted = [
        (steps.messages, "message"),
        (steps.commands, "command"),
        (steps.changes, "file change"),
        (steps.tools, "tool call"),
        (steps.warnings, "warning"),
    ];
    let counted = counted.into_iter().filter(|(count, _)| *count > 0);
    counted.map(|(count, noun)| format!("{count} {noun}{}", if count == 1 { "" } else { "s" })).collect()
}

/// The lines at the top.
struct Facts<'a> {
    /// Maximum length of a value, in characters.
    cap: usize,
    record: &'a TaskRecord,
    live: Option<&'a LiveView>,
    changes: Option<&'a str>,
}

impl Facts<'_> {
    fn page(&self, now: DateTime<Utc>) -> String {
        let Self { cap, record, live, changes } = *self;
        let mut page = Page::begin("Task Status").with_max_value(cap);
        page.field("Task ID", record.id.as_str());
        page.field("Status", record.status().as_str());
        page.field_if("New", changes);
        if let Some(live) = live {
            activity(&mut page, live, now);
        }
        page.field_if("Failure reason", record.failure_reason());
        page.turn_status(record);
        let length = if record.is_final() { "Duration" } else { "Elapsed" };
        page.field(length, &duration(record, now));
        page.line(&format!("**Started:** {}", timestamp(record.start.started_at)));
        let activity = record.progress.last_activity_at.map(|at| match record.progress.last_activity_type {
            Some(kind) => format!("{} ({kind})", timestamp(at)),
            None => timestamp(at),
        });
        page.line(&format!("**Last activity:** {}", activity.as_deref().unwrap_or("none")));
        page.field("Heartbeats", &record.progress.heartbeat_count.to_string());
        page.field("Task", &one_line(&record.start.task, 100));
        page.field("Working directory", &record.progress.working_directory.display().to_string());
        page.backend(record);
        page.field_if("Sandbox", record.start.sandbox.map(Sandbox::as_str));
        page.field_if("Session ID", record.progress.session_id.as_ref());
        page.field_if("Tokens", tokens(record).as_ref());
        page.end()
    }
}

/// The activity of a running agent at `now`.
fn activity(page: &mut Page, live: &LiveView, now: DateTime<Utc>) {
    let trouble = live.trouble.as_ref().map(|trouble| format!("{} (the agent is retrying)", trouble.raw()));
    page.field_if("⚠ Trouble", trouble.as_ref());
    page.field_if("Waiting for the network", live.offline_since.map(|since| span(time_since(since, now))).as_ref());
    page.field("Phase", &live.phase);
    page.field_if("Last event", live.last_event.as_ref().map(|event| one_line(event, 120)).as_ref());
}

/// The paths of the task's files.
fn files(record: &TaskRecord, has_result_file: bool) -> String {
    let mut files = "### Files".to_owned();
    let mut file = |name: &str, path: Option<&Path>, resource: &str| {
        let Some(path) = path else { return };
        let path = markdown::value(&one_line(&path.display().to_string(), MAX_PATH_CHARACTERS * 2));
        let resource = format!("resource `task://{}{resource}`", record.id);
        files.push_str(&format!(
            "\n**{name}:** {}",
            if path.chars().count() > MAX_PATH_CHARACTERS { &resource } else { &path }
        ));
    };
    file("Log", record.start.log_file.as_deref(), "/log");
    file("Result", record.start.result_file.as_deref().filter(|_| has_result_file), "/result");
    file("Record", record.start.debug_file.as_deref(), "");
    files
}

/// The documented table, which always has these five rows.
pub(crate) fn diagnostics(record: &TaskRecord) -> String {
    let timeout =
        record.start.timeout_ms.filter(|millis| *millis > 0).map_or("none".to_owned(), |millis| format!("{millis}ms"));
    format!(
        "### Diagnostics\n\
         | Metric | Value |\n\
         |--------|-------|\n\
         | Exit code | {} |\n\
         | Exit signal | {} |\n\
         | Stdout bytes | {} |\n\
         | Stderr bytes | {} |\n\
         | Timeout | {timeout} |",
        exit_code(record),
        cell(&exit_signal(record), 40),
        record.progress.stdout_bytes,
        record.progress.stderr_bytes,
    )
}

/// A time in the format of all answers.
pub(crate) fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
