//! Everything about one task: the answer of `codex_status`.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{
    LOG_ROOM, STATUS_RESULT_ROOM, excerpt,
    fields::{Page, duration, exit_code, exit_signal},
    text::cell,
};
use crate::{
    broker::TaskView,
    task::{LiveView, TaskRecord},
};

/// What there is to see of a task at `now`.
pub(in crate::mcp) fn status(view: TaskView, now: DateTime<Utc>) -> String {
    let TaskView { record, live, tail, result } = view;
    let has_result_file = result.is_some();
    let mut page = Page::begin("Task Status");
    page.field("Task ID", record.id.as_str());
    page.field("Status", record.status.as_str());
    if let Some(live) = &live {
        doing(&mut page, live);
    }
    page.field_if("Failure reason", record.failure_reason.as_ref());
    facts(&mut page, &record, now);
    page.explanation(&record);
    page.part(&diagnostics(&record));
    page.part(&excerpt::log(&tail, record.log_file.as_deref(), LOG_ROOM));
    page.result(&record, result, STATUS_RESULT_ROOM);
    page.part("### Files");
    page.path("Log", record.log_file.as_deref());
    page.path("Result", record.result_file.as_deref().filter(|_| has_result_file));
    page.path("Record", record.debug_file.as_deref());
    page.end()
}

/// What a running agent is doing.
fn doing(page: &mut Page, live: &LiveView) {
    page.field_if("⚠ Trouble", live.trouble.as_ref().map(|trouble| format!("{trouble} (the agent is trying again)")));
    page.field("Phase", &live.phase);
    page.field_if("Last event", live.last_event.as_ref());
}

fn facts(page: &mut Page, record: &TaskRecord, now: DateTime<Utc>) {
    let length = if record.status.is_final() { "Duration" } else { "Elapsed" };
    page.field(length, &duration(record, now));
    page.field("Started", &moment(record.started_at));
    let activity = record.last_activity_at.map(|at| match record.last_activity_type {
        Some(kind) => format!("{} ({kind})", moment(at)),
        None => moment(at),
    });
    page.field("Last activity", activity.as_deref().unwrap_or("none"));
    page.field("Heartbeats", &record.heartbeat_count.to_string());
    page.field("Task", &super::one_line(&record.task, 200));
    page.field("Working directory", &record.working_directory.display().to_string());
    page.backend(record);
    page.field_if("Sandbox", record.sandbox.map(|sandbox| sandbox.as_str()));
    page.field_if("Session ID", record.session_id.as_ref());
    page.field_if(
        "Tokens",
        record.usage.as_ref().map(|usage| {
            format!(
                "input {} (cached {}), output {} (reasoning {})",
                usage.input_tokens, usage.cached_input_tokens, usage.output_tokens, usage.reasoning_output_tokens
            )
        }),
    );
}

/// The documented table: always five rows.
fn diagnostics(record: &TaskRecord) -> String {
    let timeout =
        record.timeout_ms.filter(|millis| *millis > 0).map_or("none".to_owned(), |millis| format!("{millis}ms"));
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
        record.stdout_bytes,
        record.stderr_bytes,
    )
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
