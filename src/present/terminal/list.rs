//! `ls`: one row per task.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{
    Line, Screen, Tone, age, length,
    live::step_row,
    state::{elapsed, tone, word},
    table::{Column, table},
    tokens,
    workspace::line_counts,
};
use crate::{
    present::task_changes::place_words,
    task::{Outcome, Summaries, TaskSummary},
};

const COLUMNS: [Column; 7] = [
    Column { title: "", is_flexible: false, is_number: false, rank: 0 },
    Column { title: "ID", is_flexible: false, is_number: false, rank: 0 },
    Column { title: "STATE", is_flexible: false, is_number: false, rank: 2 },
    Column { title: "AGENT", is_flexible: false, is_number: false, rank: 4 },
    Column { title: "TASK", is_flexible: true, is_number: false, rank: 0 },
    Column { title: "AGE", is_flexible: false, is_number: true, rank: 3 },
    Column { title: "TIME", is_flexible: false, is_number: true, rank: 5 },
];
const TOKENS: Column = Column { title: "TOKENS", is_flexible: false, is_number: true, rank: 6 };
const CHANGES: Column = Column { title: "CHANGES", is_flexible: false, is_number: true, rank: 7 };

/// The tasks at `now`, one per row. On a terminal, the row of a running task is followed by its current step.
///
/// In a pipe, the columns are: ID, state, outcome, agent, task, start time, seconds, tokens.
pub(crate) fn task_list(tasks: &[TaskSummary], screen: Screen, now: DateTime<Utc>) -> String {
    if !screen.is_terminal() {
        let columns = COLUMNS.into_iter().chain([TOKENS]).collect::<Vec<_>>();
        return table(&columns, tasks.iter().map(|task| raw_row(task, now)).collect(), screen);
    }
    let has_changes = tasks.iter().any(|task| !changed(task, screen).is_empty());
    let columns = COLUMNS.into_iter().chain([TOKENS]).chain(has_changes.then_some(CHANGES)).collect::<Vec<_>>();
    let row = |task| row(task, screen, now).into_iter().take(columns.len()).collect();
    let rows = table(&columns, tasks.iter().map(row).collect(), screen);
    let mut text = String::new();
    let steps = std::iter::once(None).chain(tasks.iter().map(|task| step_row(task, screen, now)));
    for (row, step) in rows.lines().zip(steps) {
        for line in [Some(row), step.as_deref()].into_iter().flatten() {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

fn row(task: &TaskSummary, screen: Screen, now: DateTime<Utc>) -> Vec<Line> {
    let outcome = Outcome::of(&task.record);
    let tone = tone(task.state, outcome);
    vec![
        Line::of(tone, screen.symbols.of(task.state, outcome)),
        Line::of(Tone::Strong, task.record.id.as_str()),
        Line::of(tone, word(task.state, outcome)),
        Line::of(Tone::Plain, agent(task)),
        Line::of(Tone::Plain, &task.record.start.task),
        Line::of(Tone::Plain, &age(task.record.start.started_at, now)),
        Line::of(Tone::Plain, &length(elapsed(task, now))),
        Line::of(Tone::Plain, &used(task).map_or_else(String::new, tokens)),
        Line::of(Tone::Plain, &changed(task, screen)),
    ]
}

fn raw_row(task: &TaskSummary, now: DateTime<Utc>) -> Vec<Line> {
    let outcome = Outcome::of(&task.record);
    let tone = tone(task.state, outcome);
    vec![
        Line::of(Tone::Strong, task.record.id.as_str()),
        Line::of(tone, task.state.as_str()),
        Line::of(tone, outcome.map_or("", Outcome::as_str)),
        Line::of(Tone::Plain, agent(task)),
        Line::of(Tone::Plain, &task.record.start.task),
        Line::of(Tone::Plain, &task.record.start.started_at.to_rfc3339_opts(SecondsFormat::Secs, true)),
        Line::of(Tone::Plain, &elapsed(task, now).as_secs().to_string()),
        Line::of(Tone::Plain, &used(task).map_or_else(String::new, |count| count.to_string())),
    ]
}

/// The line below a list: how many tasks are shown, exist and run, and where.
pub(crate) fn count_line(found: &Summaries, unfinished: usize, is_everywhere: bool) -> String {
    let place = if is_everywhere { "in all repositories" } else { "here" };
    let running = if unfinished > 0 { format!(" ({unfinished} not finished)") } else { String::new() };
    let tasks = |count: usize| if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") };
    let partial = if found.is_partial { ". Older tasks may be missing" } else { "" };
    let line = match (found.tasks.len(), found.total) {
        (0, _) if is_everywhere => "No tasks".to_owned(),
        (0, _) => "No tasks here; `codex-connector ls --all` lists the tasks of all repositories".to_owned(),
        (shown, total) if shown < total => format!("The newest {shown} of {} {place}{running}", tasks(total)),
        (_, total) => format!("{} {place}{running}", tasks(total)),
    };
    line + partial
}

/// The line below a list that says how much space worktrees take up. Empty without worktrees.
pub(crate) fn worktrees_line(number: usize, bytes: u64) -> String {
    let size = bytesize::ByteSize(bytes).display().si();
    match number {
        0 => String::new(),
        1 => format!("1 worktree takes up {size}; `codex-connector check` names it\n"),
        _ => format!("{number} worktrees take up {size}; `codex-connector check` lists them\n"),
    }
}

fn agent(task: &TaskSummary) -> &str {
    task.record.progress.backend.as_ref().map_or("", |backend| backend.as_str())
}

/// Input and output tokens together.
pub(crate) fn used(task: &TaskSummary) -> Option<u64> {
    let usage = task.record.end.as_ref()?.usage?;
    Some(usage.input_tokens.saturating_add(usage.output_tokens))
}

/// The numbers of added and removed lines, and where they are now; empty if nothing was changed, or if that is unknown.
fn changed(task: &TaskSummary, screen: Screen) -> String {
    let standing = task.record.standing.as_ref().and_then(|standing| place_words(&standing.place));
    let words = standing.map_or_else(String::new, |words| format!(" {words}"));
    task.record
        .file_changes()
        .map_or_else(String::new, |changes| line_counts(changes.added, changes.removed, screen) + &words)
}
