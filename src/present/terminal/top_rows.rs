//! `top`: the row of a task, the heading of the selected one, and the lines of its activity.

use chrono::{DateTime, Utc};

use super::{
    Line, LocalTime, NextSteps, Screen, Symbols, Tone, age,
    live::{live_row, steps_of},
    log::{event_tone, log_row},
    result_text,
    show::commands,
    state::{tone, word},
    step::{detail, step},
    top::line_is_cut,
    workspace::line_counts,
};
use crate::task::{
    CommandOutcome, LiveTask, Outcome, PageLine, ResultText, TaskSummary, TimelineEntry, TimelineEvent, Untrusted,
};

/// Widths of the columns: the state, the agent and the age.
const STATE_WIDTH: usize = 11;
const AGENT_WIDTH: usize = 10;
const AGE_WIDTH: usize = 3;

/// Width of the column of changes: `+1234 −1234`.
const CHANGES_WIDTH: usize = 11;

/// Minimum widths of a list with the state, the agent and the changes.
const MIN_WITH_STATE: usize = 40;
const MIN_WITH_AGENT: usize = 64;
const MIN_WITH_CHANGES: usize = 90;

/// Longest part of a prompt in a row, in characters. A row is never wider.
const MAX_PROMPT: usize = 1_000;

/// Maximum number of lines of a message, and of the output of a failed command.
const MAX_MESSAGE_LINES: usize = 400;
const MAX_OUTPUT_LINES: usize = 20;

/// Space below the time at the beginning of an entry.
const INDENT: &str = "         ";

/// Shortens texts that no row shows in full, so that long lists stay small in memory.
pub(crate) fn shorten(task: &mut TaskSummary) {
    let prompt = &task.record.start.task;
    if let Some((end, _)) = prompt.raw().char_indices().nth(MAX_PROMPT) {
        task.record.start.task = Untrusted::from(&prompt.raw()[..end]);
    }
}

/// A task in a list of this width, at `now`.
pub(crate) fn top_row(task: &TaskSummary, width: usize, symbols: Symbols, now: DateTime<Utc>) -> Line {
    let outcome = Outcome::of(&task.record);
    let tone = tone(task.state, outcome);
    let mut line = Line::of(tone, symbols.of(task.state, outcome))
        .with(Tone::Plain, " ")
        .with(Tone::Strong, task.record.id.as_str());
    let column = |line: Line, cell: Line, columns: usize| {
        let width = line.width() + 2 + columns;
        line.with_exact(Tone::Plain, "  ").then(cell.cut(columns, symbols)).padded(width)
    };
    if width >= MIN_WITH_STATE {
        line = column(line, Line::of(tone, word(task.state, outcome)), STATE_WIDTH);
    }
    if width >= MIN_WITH_AGENT {
        let agent = task.record.progress.backend.as_ref().map_or("", |backend| backend.as_str());
        line = column(line, Line::of(Tone::Plain, agent), AGENT_WIDTH);
    }
    let age = Line::of(Tone::Faint, &age(task.record.start.started_at, now));
    let mut right = Line::default().padded(AGE_WIDTH.saturating_sub(age.width())).then(age);
    if width >= MIN_WITH_CHANGES {
        let screen = Screen { width: Some(width), has_color: false, symbols };
        let changes = task.record.file_changes();
        let changes = changes.map(|changes| line_counts(changes.added, changes.removed, screen)).unwrap_or_default();
        let changes = Line::of(Tone::Plain, &changes).cut(CHANGES_WIDTH, symbols);
        let space = Line::default().padded(CHANGES_WIDTH.saturating_sub(changes.width()));
        right = space.then(changes).with_exact(Tone::Plain, "  ").then(right);
    }
    let room = width.saturating_sub(line.width() + right.width() + 4);
    if room < 4 {
        return line.with_exact(Tone::Plain, "  ").with(Tone::Plain, &task.record.start.task).cut(width, symbols);
    }
    column(line, Line::of(Tone::Plain, &task.record.start.task), room).with_exact(Tone::Plain, "  ").then(right)
}

/// The line below the row of a task that has not ended: its current step.
pub(crate) fn top_step(task: &TaskSummary, symbols: Symbols, now: DateTime<Utc>) -> Option<Line> {
    let screen = Screen { width: None, has_color: false, symbols };
    let mark = Line::of(Tone::Faint, symbols.choose("  └ ", "  `- "));
    Some(Line::default().with_exact(Tone::Faint, &mark.text()).then(steps_of(task, screen, now)?))
}

/// Whether the row of a task has a second line.
pub(crate) fn has_step(task: &TaskSummary) -> bool {
    task.record.end.is_none() && (task.step.is_some() || task.trouble.is_some())
}

/// The heading of the selected task.
pub(crate) fn top_heading(task: &LiveTask, symbols: Symbols, now: DateTime<Utc>) -> Line {
    live_row(task, Screen { width: None, has_color: false, symbols }, now)
}

/// Whether a task matches all words, which are lower case: in its ID, its prompt, its agent or its state.
pub(crate) fn matches(task: &TaskSummary, words: &[String]) -> bool {
    let record = &task.record;
    let agent = record.progress.backend.as_ref().map_or("", |backend| backend.as_str());
    let state = word(task.state, Outcome::of(record));
    let prompt = record.start.task.raw().to_lowercase();
    let texts = [record.id.as_str(), agent, state, &prompt];
    words.iter().all(|word| texts.iter().any(|text| text.contains(word)))
}

/// An entry of a timeline: its time and its first line, and the further lines of a message or of the output of a failed
/// command.
pub(crate) fn activity_rows(entry: &TimelineEntry, symbols: Symbols, zone: LocalTime) -> Vec<Line> {
    let event = &entry.event;
    let at = zone(entry.at).format("%H:%M:%S").to_string();
    let tone = event_tone(event);
    let start = Line::of(Tone::Faint, &at).with(Tone::Plain, " ");
    let below = |text: &str, tone: Tone| Line::default().with_exact(tone, INDENT).with_exact(tone, text);
    let text = step(event).unwrap_or_else(|| format!("{}: {}", event.kind().replace('_', " "), detail(event)));
    if matches!(event, TimelineEvent::Message { .. } | TimelineEvent::Reasoning { .. }) {
        let mut lines = text.trim_end().lines();
        let first = start.with_exact(tone, lines.next().unwrap_or_default());
        let more = lines.clone().count().saturating_sub(MAX_MESSAGE_LINES);
        let rest = lines.take(MAX_MESSAGE_LINES).map(|line| below(line, tone));
        return std::iter::once(first).chain(rest).chain(left_out(more, symbols)).collect();
    }
    let first = start.with(tone, &text);
    let mut lines = Vec::new();
    if let TimelineEvent::CommandFinished { output, status, .. } = event
        && *status != CommandOutcome::Completed
    {
        lines.extend(output.trim_end().lines());
    }
    let more = lines.len().saturating_sub(MAX_OUTPUT_LINES);
    let last = lines.iter().skip(more).map(|line| below(line, Tone::Faint));
    std::iter::once(first).chain(left_out(more, symbols)).chain(last).collect()
}

fn left_out(lines: usize, symbols: Symbols) -> Option<Line> {
    let text = format!("{INDENT}{} {lines} more lines", symbols.choose("…", "..."));
    (lines > 0).then(|| Line::default().with_exact(Tone::Faint, &text))
}

/// The result of a task. The omitted middle of a long one is counted.
pub(crate) fn result_rows(result: &ResultText, symbols: Symbols) -> Vec<Line> {
    let lines = |text: &Untrusted| {
        let screen = Screen { width: Some(0), has_color: false, symbols };
        let shown = result_text(text, screen);
        let shown = String::from_utf8_lossy(&shown);
        shown.trim_end().lines().map(|line| Line::default().with_exact(Tone::Plain, line)).collect::<Vec<_>>()
    };
    let mut rows = lines(&result.head);
    if result.left_out > 0 {
        let text = format!("{} {} bytes left out", symbols.choose("…", "..."), result.left_out);
        rows.push(Line::of(Tone::Faint, &text));
        rows.extend(lines(&result.tail));
    }
    rows
}

/// The ID of a task, and the commands to continue with it.
pub(crate) fn copy_rows(task: &TaskSummary, next: &NextSteps, symbols: Symbols) -> Vec<Line> {
    let record = &task.record;
    let screen = Screen { width: None, has_color: false, symbols };
    let shown = format!("codex-connector show {}", record.id);
    let commands = [record.id.to_string(), shown].into_iter().chain(commands(record, next, task.state, screen));
    commands.map(|command| Line::of(Tone::Plain, &command)).collect()
}

/// A line of a log, and how many bytes of it are missing. `time_of` finds the time at its beginning.
pub(crate) fn page_row(
    line: &PageLine,
    time_of: fn(&[u8]) -> Option<DateTime<Utc>>,
    symbols: Symbols,
    zone: LocalTime,
) -> Line {
    let text = line.text.raw().as_bytes();
    let row = log_row(text, time_of(text), zone);
    if line.omitted > 0 { row.then(line_is_cut(line.omitted, symbols)) } else { row }
}
