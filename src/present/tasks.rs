//! Tables of tasks: the answers of `codex_tasks` and `codex_sessions`.

use std::{collections::BTreeSet, path::Path};

use chrono::{DateTime, Utc};

use super::{
    fields::{MAX_DURATION_CHARACTERS, duration, exit_code, time_since},
    text::{cell, tail},
};
use crate::task::{Listing, TaskRecord, TaskStatus, Untrusted, WaitsFor, span};

/// Maximum length of a task's text in a table, in characters.
const MAX_TASK_CHARACTERS: usize = 80;

/// Maximum length of a task's directory in the list, in characters.
const MAX_DIRECTORY_CHARACTERS: usize = 60;

/// Maximum length of a table, in characters.
const MAX_LIST_CHARACTERS: usize = 36_000;

/// The tasks of `listing` at `now`, as many as fit into an answer. A last column names their backends if there are
/// several.
pub(crate) fn tasks(listing: &Listing, now: DateTime<Utc>) -> String {
    if listing.records.is_empty() {
        return if listing.is_partial { "No tasks found among the newest ones." } else { "No tasks found." }.to_owned();
    }
    let backends: BTreeSet<_> = listing.records.iter().filter_map(|record| record.progress.backend.as_ref()).collect();
    let (title, line) = if backends.len() > 1 { (" Backend |", "---------|") } else { ("", "") };
    let mut table = format!(
        "| ID | Status | Duration | Exit | Task | Started | Directory |{title}\n\
         |----|--------|----------|------|------|---------|-----------|{line}"
    );
    let mut remaining = MAX_LIST_CHARACTERS;
    let mut shown = 0;
    for record in &listing.records {
        let mut row = row(record, listing.waiting.get(&record.id), now);
        if backends.len() > 1 {
            row.push_str(&format!(" {} |", record.progress.backend.as_ref().map_or("", |backend| backend.as_str())));
        }
        let length = row.chars().count();
        if length > remaining {
            break;
        }
        remaining -= length;
        shown += 1;
        table.push_str(&row);
    }
    if shown < listing.total || listing.is_partial {
        let why = if shown < listing.records.len() {
            "; the others do not fit into one answer: filter by `status`"
        } else if shown < listing.total {
            "; use a larger `limit` to see more"
        } else {
            ""
        };
        let at_least = if listing.is_partial { "at least " } else { "" };
        table.push_str(&format!("\n\nThe newest {shown} of {at_least}{} tasks are shown{why}.", listing.total));
    }
    table
}

fn row(record: &TaskRecord, waits_for: Option<&WaitsFor>, now: DateTime<Utc>) -> String {
    let signal = record.end.as_ref().filter(|end| end.exit_code.is_none()).and_then(|end| end.exit_signal.clone());
    let exit = signal.unwrap_or_else(|| exit_code(record));
    format!(
        "\n| {} | {} | {} | {} | {} | {} | {} |",
        record.id,
        qualified_status(record, waits_for, now),
        cell(&duration(record, now), MAX_DURATION_CHARACTERS),
        cell(&exit, 20),
        cell(&record.start.task, MAX_TASK_CHARACTERS),
        record.start.started_at.format("%Y-%m-%d %H:%M UTC"),
        cell(&tail_of_path(&record.progress.working_directory), MAX_DIRECTORY_CHARACTERS + 2)
    )
}

/// The documented status at `now`, with an explanation in parentheses.
fn qualified_status(record: &TaskRecord, waits_for: Option<&WaitsFor>, now: DateTime<Utc>) -> String {
    let status = record.status();
    let is_timeout = record.failure_reason().is_some_and(|reason| reason.raw().starts_with("Timeout after "));
    match (status, waits_for) {
        (TaskStatus::Failed, _) if record.is_cancelled() => format!("{status} (cancelled)"),
        (TaskStatus::Failed, _) if is_timeout => format!("{status} (timed out)"),
        (TaskStatus::Running, Some(WaitsFor::Turn)) => format!("{status} (queued)"),
        (TaskStatus::Running, Some(WaitsFor::Network { since })) => {
            format!("{status} (waiting for the network, {})", span(time_since(*since, now)))
        }
        (TaskStatus::Running | TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Interrupted, _) => {
            status.to_string()
        }
    }
}

/// A directory; only the end of a long path, because that tells more.
fn tail_of_path(directory: &Path) -> String {
    let path = directory.display().to_string();
    if path.chars().count() <= MAX_DIRECTORY_CHARACTERS {
        return path;
    }
    format!("…{}", tail(&path, MAX_DIRECTORY_CHARACTERS))
}

/// The newest `limit` tasks of `records`, which are those whose session can be resumed.
pub(crate) fn sessions(records: &[&TaskRecord], limit: usize, now: DateTime<Utc>) -> String {
    if records.is_empty() {
        return "No sessions found.".to_owned();
    }
    let mut table = "| ID | Session | Backend | Status | Ended | Directory | Task |\n\
                     |----|---------|---------|--------|-------|-----------|------|"
        .to_owned();
    let mut remaining = MAX_LIST_CHARACTERS;
    let mut shown = 0;
    for record in records.iter().take(limit) {
        let ago = record.completed_at().and_then(|at| (now - at).to_std().ok()).map_or_else(String::new, span);
        let row = format!(
            "\n| {} | {} | {} | {} | {ago} ago | {} | {} |",
            record.id,
            cell(record.progress.session_id.as_ref().map_or("", Untrusted::raw), 60),
            record.progress.backend.as_ref().map_or("", |backend| backend.as_str()),
            record.status(),
            cell(&record.progress.working_directory.display().to_string(), 200),
            cell(&record.start.task, MAX_TASK_CHARACTERS)
        );
        remaining = match remaining.checked_sub(row.chars().count()) {
            Some(remaining) => remaining,
            None => break,
        };
        shown += 1;
        table.push_str(&row);
    }
    if shown < records.len() {
        table.push_str(&format!("\n\nThe newest {shown} of {} tasks are shown.", records.len()));
    }
    table
}

#[cfg(test)]
#[path = "tasks_tests.rs"]
mod tests;
