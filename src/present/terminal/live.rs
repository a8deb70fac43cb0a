//! Live lines: one line per task that is redrawn, and plain lines where nothing can be redrawn.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{
    Line, Screen, Tone, age, length,
    options::with_options,
    state::{elapsed, tone, word},
    step::step,
    tokens,
    workspace::totals,
};
use crate::task::{
    LiveTask, Outcome, ResultText, TaskId, TaskRecord, TaskState, TaskSummary, TimelineEntry, TimelineEvent, TreeUse,
    Trouble, Untrusted,
};

/// Below this width, a live line has no agent and no tokens.
const MIN_FULL_WIDTH: usize = 60;

/// Characters of a message and a result that are compared.
const COMPARED_CHARACTERS: usize = 500;

/// Space before the words of an agent that are shown between our own lines.
const INDENT: &str = "  ";

/// A task in one line: state, ID, agent, time, tokens, and its current step or its outcome.
pub(crate) fn live_line(task: &LiveTask, screen: Screen, now: DateTime<Utc>) -> String {
    live_row(task, screen, now).render(screen)
}

/// The same line, not rendered and not cut.
pub(super) fn live_row(task: &LiveTask, screen: Screen, now: DateTime<Utc>) -> Line {
    let TaskSummary { record, state, step: newest, trouble } = &task.summary;
    let outcome = Outcome::of(record);
    let tone = tone(*state, outcome);
    let is_narrow = screen.width.is_some_and(|width| width < MIN_FULL_WIDTH);
    let mut line = Line::of(tone, screen.symbols.of(*state, outcome))
        .with(Tone::Plain, " ")
        .with(Tone::Strong, record.id.as_str());
    if let Some(backend) = record.progress.backend.as_ref().filter(|_| !is_narrow) {
        line = line.with(Tone::Plain, " ").with(Tone::Plain, backend.as_str());
    }
    line = line.with(Tone::Plain, "  ").with(Tone::Plain, &length(elapsed(&task.summary, now)));
    if let Some(count) = task.tokens().filter(|_| !is_narrow) {
        line = line.with(Tone::Plain, "  ").with(Tone::Faint, &format!("{} tokens", tokens(count)));
    }
    line = line.with(Tone::Plain, "  ");
    match state {
        TaskState::Ended => {
            line = line.with(tone, word(*state, outcome));
            if is_unapplied(record) {
                line = line.with(Tone::Attention, " (not applied)");
            }
            match record.failure_reason().filter(|_| outcome != Some(Outcome::Cancelled)) {
                Some(reason) => line.with(Tone::Plain, ": ").with(Tone::Plain, reason),
                None => line,
            }
        }
        TaskState::Queued | TaskState::Running => match (trouble, newest) {
            (Some(trouble), _) => line.then(current_trouble(trouble, now)),
            (None, Some(newest)) => line.then(current_step(newest, screen, now)),
            (None, None) => line.with(Tone::Faint, state.as_str()),
        },
    }
}

/// The current step of a running task below its row in a list.
pub(super) fn step_row(task: &TaskSummary, screen: Screen, now: DateTime<Utc>) -> Option<String> {
    let line = Line::default().padded(3).then(Line::of(Tone::Faint, screen.symbols.choose("└ ", "`- ")));
    Some(line.then(steps_of(task, screen, now)?).render(screen))
}

/// The current step of a task that has not ended, and what it waits for.
pub(super) fn steps_of(task: &TaskSummary, screen: Screen, now: DateTime<Utc>) -> Option<Line> {
    if task.state == TaskState::Ended {
        return None;
    }
    let step = task.step.as_ref().map(|newest| current_step(newest, screen, now));
    let trouble = task.trouble.as_ref().map(|trouble| current_trouble(trouble, now));
    match (step, trouble) {
        (Some(step), Some(trouble)) => Some(step.with(Tone::Attention, screen.symbols.dot()).then(trouble)),
        (step, trouble) => step.or(trouble),
    }
}

/// A problem, and for how long the agent has only been waiting for the network.
pub(super) fn current_trouble(trouble: &Trouble, now: DateTime<Utc>) -> Line {
    let Some(since) = trouble.offline_since else { return Line::of(Tone::Attention, &trouble.text) };
    let waited = (now - since).to_std().unwrap_or_default();
    Line::of(Tone::Attention, &format!("waiting for the network, {}: ", length(waited)))
        .with(Tone::Attention, &trouble.text)
}

/// A step and how long ago it began.
fn current_step(entry: &TimelineEntry, screen: Screen, now: DateTime<Utc>) -> Line {
    let text = step(&entry.event).unwrap_or_default();
    let is_ongoing = matches!(entry.event, TimelineEvent::CommandStarted { .. });
    let line = Line::of(Tone::Plain, &text);
    match is_ongoing {
        true => line.with(Tone::Faint, &format!("{}{}", screen.symbols.dot(), age(entry.at, now))),
        false => line,
    }
}

/// An entry of a task's timeline as a line in a pipe: ID, time, kind and text, separated by tabs. `None` for an entry
/// that a person need not see.
pub(crate) fn step_line(id: &TaskId, entry: &TimelineEntry, screen: Screen) -> Option<String> {
    let text = step(&entry.event)?;
    Some(tabbed(id, entry.at, entry.event.kind(), Line::of(Tone::Plain, &text), screen))
}

/// The end of a task as a line in a pipe, in the same columns.
pub(crate) fn end_row(task: &TaskSummary, screen: Screen) -> String {
    let outcome = Outcome::of(&task.record);
    let mut line = Line::of(tone(TaskState::Ended, outcome), word(TaskState::Ended, outcome));
    if let Some(reason) = task.record.failure_reason() {
        line = line.with(Tone::Plain, ": ").with(Tone::Plain, reason);
    }
    if is_unapplied(&task.record) {
        line = line.with(Tone::Plain, "; ").with(Tone::Plain, &unapplied(&task.record));
    }
    let at = task.record.completed_at().unwrap_or(task.record.start.started_at);
    tabbed(&task.record.id, at, "ended", line, screen)
}

fn tabbed(id: &TaskId, at: DateTime<Utc>, kind: &str, text: Line, screen: Screen) -> String {
    let at = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let cells = [Line::of(Tone::Strong, id.as_str()), Line::of(Tone::Faint, &at), Line::of(Tone::Plain, kind), text];
    cells.map(|cell| cell.render(screen)).join("\t") + "\n"
}

/// The beginning of `run`: ID, agent, sandbox and directory, or the directory that the task gets a copy of.
pub(crate) fn begin_line(task: &TaskSummary, tree: TreeUse, screen: Screen) -> String {
    let progress = &task.record.progress;
    let mut line = Line::of(Tone::Plain, "Task ").with(Tone::Strong, task.record.id.as_str());
    if let Some(backend) = &progress.backend {
        line = line.with(Tone::Faint, screen.symbols.dot()).with(Tone::Plain, backend.as_str());
    }
    if let Some(sandbox) = task.record.start.sandbox {
        line = line.with(Tone::Faint, screen.symbols.dot()).with(Tone::Plain, sandbox.as_str());
    }
    let directory = progress.working_directory.to_string_lossy().into_owned();
    let directory = match tree {
        TreeUse::Never => directory,
        TreeUse::Always => format!("in its own worktree of {directory}"),
    };
    line.with(Tone::Faint, screen.symbols.dot()).with(Tone::Faint, &directory).render(uncut(screen))
}

/// The words of an agent between our own lines: indented, so that they cannot pass for one of them.
pub(crate) fn agent_words(text: &(impl super::OutsideText + ?Sized), screen: Screen) -> String {
    let width = screen.width.map_or(usize::MAX, |width| width.saturating_sub(INDENT.len()).max(1));
    let mut shown = String::new();
    for line in text.text().trim_end().lines() {
        for part in Line::default().with_exact(Tone::Plain, line).wrapped(width) {
            shown.push_str(&Line::of(Tone::Plain, INDENT).then(part).render(uncut(screen)));
            shown.push('\n');
        }
    }
    shown
}

/// Whether the result begins like this message, which is shortened if it is long.
pub(crate) fn repeats(message: &str, result: &ResultText) -> bool {
    let beginning = |text: &str| text.trim().chars().take(COMPARED_CHARACTERS).collect::<String>();
    beginning(message) == beginning(result.head.raw())
}

/// Our own line about a step, such as a warning, between the words of the agent.
pub(crate) fn remark(event: &TimelineEvent, screen: Screen) -> Option<String> {
    let tone = match event {
        TimelineEvent::Warning { .. } | TimelineEvent::Fallback { .. } => Tone::Attention,
        TimelineEvent::Stopping { .. } => Tone::Faint,
        TimelineEvent::Queued { .. }
        | TimelineEvent::Started { .. }
        | TimelineEvent::Session { .. }
        | TimelineEvent::Message { .. }
        | TimelineEvent::Reasoning { .. }
        | TimelineEvent::CommandStarted { .. }
        | TimelineEvent::CommandFinished { .. }
        | TimelineEvent::FilesChanged { .. }
        | TimelineEvent::Tool { .. }
        | TimelineEvent::Plan { .. }
        | TimelineEvent::Usage { .. }
        | TimelineEvent::Output { .. }
        | TimelineEvent::Silence { .. }
        | TimelineEvent::Changes { .. }
        | TimelineEvent::Ended { .. }
        | TimelineEvent::Omitted { .. }
        | TimelineEvent::Unknown { .. } => return None,
    };
    let text = step(event)?;
    Some(Line::of(tone, screen.symbols.choose("· ", "- ")).with(tone, &text).render(uncut(screen)))
}

/// The end of `run`: outcome, time and tokens, and, if the task did not complete, the reason and advice.
pub(crate) fn end_lines(task: &LiveTask, screen: Screen, now: DateTime<Utc>) -> String {
    let record = &task.summary.record;
    let outcome = Outcome::of(record);
    let tone = tone(TaskState::Ended, outcome);
    let mut line = Line::of(tone, screen.symbols.of(TaskState::Ended, outcome))
        .with(Tone::Plain, " ")
        .with(Tone::Strong, record.id.as_str())
        .with(Tone::Plain, " ")
        .with(tone, word(TaskState::Ended, outcome))
        .with(Tone::Plain, &format!(" in {}", length(elapsed(&task.summary, now))));
    if let Some(count) = task.tokens() {
        line = line.with(Tone::Faint, &format!("{}{} tokens", screen.symbols.dot(), tokens(count)));
    }
    let changes = changes_line(record, screen).map(|text| Line::of(Tone::Plain, INDENT).with(Tone::Faint, &text));
    let reason = detail("reason", record.failure_reason().filter(|_| outcome != Some(Outcome::Cancelled)));
    let not_applied =
        is_unapplied(record).then(|| Line::of(Tone::Plain, INDENT).with(Tone::Attention, &unapplied(record)));
    let lines = std::iter::once(line).chain(changes).chain(not_applied).chain(reason);
    lines.map(|line| line.render(uncut(screen)) + "\n").collect::<String>() + &explanation_lines(record, screen)
}

/// Whether the task's changes are only in its own worktree.
fn is_unapplied(record: &TaskRecord) -> bool {
    record.standing.as_ref().is_some_and(|standing| standing.place.is_unapplied())
}

/// Says that a task's changes are not in the user's files, and how to write them there.
fn unapplied(record: &TaskRecord) -> String {
    format!(
        "its changes are in its own worktree, not in your files; to write them there: codex-connector apply {}",
        record.id
    )
}

/// How much an ended task changed, and the command that shows it; `None` if it changed nothing, or if that is unknown.
fn changes_line(record: &TaskRecord, screen: Screen) -> Option<String> {
    let changes = record.file_changes()?;
    Some(format!("{}: codex-connector diff {}", totals(changes, screen), record.id))
}

/// An indented line with a label, if there is a text.
fn detail(label: &str, text: Option<&Untrusted>) -> Option<Line> {
    Some(Line::of(Tone::Plain, INDENT).with(Tone::Faint, &format!("{label}: ")).with(Tone::Plain, text?))
}

/// Explains why a task did not complete, with the agent's words and advice, and lists its warnings. Empty if there is
/// nothing to say.
pub(crate) fn explanation_lines(record: &TaskRecord, screen: Screen) -> String {
    let end = record.end.as_ref();
    let mut lines = Vec::new();
    if Outcome::of(record) != Some(Outcome::Cancelled) {
        let said = if record.did_not_start() { "why" } else { "the agent says" };
        lines.extend(detail(said, end.and_then(|end| end.agent_said.as_ref())));
        let advice =
            end.and_then(|end| end.advice.as_ref()).map(|advice| with_options(advice.raw()).into_owned().into());
        lines.extend(detail("next", advice.as_ref()));
    }
    for warning in end.into_iter().flat_map(|end| &end.warnings) {
        let label = Line::of(Tone::Plain, INDENT).with(Tone::Attention, "warning: ");
        lines.push(label.with(Tone::Plain, &warning.message));
    }
    lines.into_iter().map(|line| line.render(uncut(screen)) + "\n").collect()
}

/// The result of `cancel` for one task.
pub(crate) fn cancel_line(task: &TaskSummary, had_ended: bool, screen: Screen) -> String {
    let (id, state) = (task.record.id.as_str(), task.state);
    let outcome = Outcome::of(&task.record);
    let shown = if had_ended { "had already ended: " } else { "" };
    if !screen.is_terminal() {
        let tone = tone(state, outcome);
        let words = [state.as_str(), outcome.map_or("", Outcome::as_str)].map(|word| Line::of(tone, word));
        let cells = [Line::of(Tone::Strong, id)].into_iter().chain(words).map(|cell| cell.render(screen));
        return cells.collect::<Vec<_>>().join("\t") + "\n";
    }
    let how = match state {
        TaskState::Ended => word(state, outcome),
        TaskState::Queued | TaskState::Running => "is still being stopped",
    };
    let tone = tone(state, outcome);
    let line = Line::of(tone, screen.symbols.of(state, outcome))
        .with(Tone::Plain, " ")
        .with(Tone::Strong, id)
        .with(Tone::Plain, " ")
        .with(Tone::Plain, shown)
        .with(tone, how)
        .with(Tone::Plain, "  ")
        .with(Tone::Faint, &task.record.start.task);
    line.render(screen) + "\n"
}

/// A screen on which lines are not cut: the terminal wraps them.
fn uncut(screen: Screen) -> Screen {
    Screen { width: None, ..screen }
}
