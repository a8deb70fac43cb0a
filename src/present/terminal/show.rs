//! `show`: everything about one task.

use chrono::{DateTime, SecondsFormat, Utc};
use connector_api::{Sandbox, Usage};

use super::{
    Line, LocalTime, Screen, Symbols, Tone, age,
    fields::{FieldLine, Fields},
    length,
    live::current_trouble,
    options::with_options,
    state::{elapsed, tone, word},
    step::step,
    time::local,
    workspace::workspace_fields,
};
use crate::{
    task::{ChangesPlace, Outcome, ResultText, TaskRecord, TaskState, TaskSummary, TaskView, Untrusted, span},
    visible::fully_visible,
};

/// Maximum number of lines of the prompt on a terminal.
const MAX_TASK_LINES: usize = 10;

/// Maximum number of lines of the result on a terminal.
const MAX_RESULT_LINES: usize = 20;

/// Commands for a person who wants to do more with a task.
#[derive(Debug, Clone, Default)]
pub(crate) struct NextSteps {
    /// Whether the task's session can be resumed by another task.
    pub(crate) can_resume: bool,
    /// The command that opens the session in the agent's own terminal interface.
    pub(crate) agent_command: Option<String>,
}

/// A task at `now`.
pub(crate) fn show(
    task: &TaskSummary,
    view: &TaskView,
    next: &NextSteps,
    screen: Screen,
    zone: LocalTime,
    now: DateTime<Utc>,
) -> String {
    let mut fields = Fields::default();
    let head = if screen.is_terminal() { head(task, &mut fields, screen, now) } else { String::new() };
    if !screen.is_terminal() {
        pipe_head(task, &mut fields, now);
    }
    add_facts(task, view, next, &mut fields, (screen, zone, now));
    head + &fields.render(screen)
}

/// The same facts as lines with names, without the first line. Nothing is cut to a width.
pub(crate) fn show_fields(
    task: &TaskSummary,
    view: &TaskView,
    next: &NextSteps,
    zone: LocalTime,
    now: DateTime<Utc>,
) -> Vec<(&'static str, Vec<Line>)> {
    let mut fields = Fields::default();
    let screen = Screen { width: Some(usize::MAX), has_color: false, symbols: Symbols::Unicode };
    add_facts(task, view, next, &mut fields, (screen, zone, now));
    fields.into_lines()
}

fn add_facts(
    task: &TaskSummary,
    view: &TaskView,
    next: &NextSteps,
    fields: &mut Fields,
    (screen, zone, now): (Screen, LocalTime, DateTime<Utc>),
) {
    let record = &view.record;
    let prompt = limited(record.start.task.raw(), MAX_TASK_LINES, screen, |more| format!("{more} more lines"));
    fields.push("task", prompt);
    place_and_time(record, fields, screen, zone, now);
    if let Some(end) = &record.end {
        fields.add("usage", Line::of(Tone::Plain, &end.usage.map_or_else(String::new, |usage| tokens(usage, screen))));
    }
    workspace_fields(record, fields, screen);
    failure(record, fields);
    activity(task, fields, screen, now);
    if let Some(result) = &view.result {
        fields.push("result", result_lines(record, result, screen));
    }
    let outcome = Outcome::of(record);
    if outcome != Some(Outcome::Completed) {
        let log = view.tail.lines.iter().map(|line| Line::default().with_exact(Tone::Plain, line)).collect();
        fields.add_cut("log", log);
    }
    if screen.is_terminal() {
        let commands = commands(record, next, task.state, screen);
        fields.push("next", commands.iter().map(|line| FieldLine::Whole(Line::of(Tone::Plain, line))).collect());
    }
}

/// A part of the final message: exact in a pipe, with unsafe characters escaped on a terminal.
pub(crate) fn result_text(text: &Untrusted, screen: Screen) -> Vec<u8> {
    let text = text.raw();
    if screen.is_terminal() { fully_visible(text).into_owned().into_bytes() } else { text.as_bytes().to_vec() }
}

/// The first line on a terminal: the state on the left, the agent on the right, or as a field if it does not fit.
fn head(task: &TaskSummary, fields: &mut Fields, screen: Screen, now: DateTime<Utc>) -> String {
    let outcome = Outcome::of(&task.record);
    let tone = tone(task.state, outcome);
    let took = length(elapsed(task, now));
    let took = match task.state {
        TaskState::Ended => format!(" in {took}"),
        TaskState::Running | TaskState::Queued => format!(" for {took}"),
    };
    let left = Line::of(tone, screen.symbols.of(task.state, outcome))
        .with(Tone::Plain, " ")
        .with(Tone::Strong, task.record.id.as_str())
        .with(Tone::Plain, " ")
        .with(tone, word(task.state, outcome))
        .with(Tone::Plain, &took);
    let right = agent(&task.record, screen);
    let room = screen.width.unwrap_or(usize::MAX).saturating_sub(left.width());
    let line = if right.width() + 2 <= room {
        let width = left.width() + room - right.width();
        left.padded(width).then(right)
    } else {
        fields.add("agent", right);
        left
    };
    line.render(screen) + "\n"
}

/// Agent, version, model and sandbox.
fn agent(record: &TaskRecord, screen: Screen) -> Line {
    let progress = &record.progress;
    let backend = progress.backend.as_ref().map_or("", |backend| backend.as_str());
    let mut line = Line::of(Tone::Plain, backend);
    if let Some(version) = &progress.agent_version {
        line = line.with(Tone::Plain, " ").with(Tone::Plain, version);
    }
    let dot = screen.symbols.dot();
    if let Some(model) = &progress.model {
        line = line.with(Tone::Faint, dot).with(Tone::Plain, model);
    }
    if let Some(sandbox) = record.start.sandbox {
        line = line.with(Tone::Faint, dot).with(Tone::Plain, sandbox.as_str());
    }
    line
}

/// The first fields in a pipe.
fn pipe_head(task: &TaskSummary, fields: &mut Fields, now: DateTime<Utc>) {
    let record = &task.record;
    let progress = &record.progress;
    let mut field = |name, value: &str| fields.add(name, Line::of(Tone::Plain, value));
    field("id", record.id.as_str());
    let outcome = Outcome::of(record);
    let tone = tone(task.state, outcome);
    fields.add("state", Line::of(tone, task.state.as_str()));
    fields.add("outcome", Line::of(tone, outcome.map_or("", Outcome::as_str)));
    let mut field = |name, value: &str| fields.add(name, Line::of(Tone::Plain, value));
    field("seconds", &elapsed(task, now).as_secs().to_string());
    field("agent", progress.backend.as_ref().map_or("", |backend| backend.as_str()));
    field("sandbox", record.start.sandbox.map_or("", Sandbox::as_str));
    for (name, text) in [("version", &progress.agent_version), ("model", &progress.model)] {
        if let Some(text) = text {
            fields.add(name, Line::of(Tone::Plain, text));
        }
    }
}

fn place_and_time(record: &TaskRecord, fields: &mut Fields, screen: Screen, zone: LocalTime, now: DateTime<Utc>) {
    let time = |at: DateTime<Utc>| match screen.is_terminal() {
        true => format!("{} ({} ago)", local(at, zone), age(at, now)),
        false => at.to_rfc3339_opts(SecondsFormat::Secs, true),
    };
    fields.add("where", Line::of(Tone::Plain, &record.progress.working_directory.to_string_lossy().into_owned()));
    fields.add("started", Line::of(Tone::Plain, &time(record.start.started_at)));
    if let Some(at) = record.completed_at() {
        fields.add("ended", Line::of(Tone::Plain, &time(at)));
    }
    if let Some(session) = &record.progress.session_id {
        fields.add("session", Line::of(Tone::Plain, session));
    }
    if let Some(earlier) = &record.start.resumed_from {
        fields.add("resumes", Line::of(Tone::Plain, earlier.as_str()));
    }
    if let Some(limit) = record.start.timeout_ms.filter(|millis| *millis > 0) {
        fields.add("limit", Line::of(Tone::Plain, &span(std::time::Duration::from_millis(limit))));
    }
}

/// The tokens of a run.
fn tokens(usage: Usage, screen: Screen) -> String {
    let cached = match usage.cached_input_tokens {
        0 => String::new(),
        cached => format!(" ({} cached)", grouped(cached)),
    };
    let dot = screen.symbols.dot();
    format!("{} in{cached}{dot}{} out", grouped(usage.input_tokens), grouped(usage.output_tokens))
}

/// A number with commas between groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Why the task failed, in our words and in the agent's, the advice, and the warnings.
fn failure(record: &TaskRecord, fields: &mut Fields) {
    let Some(end) = &record.end else { return };
    if let Some(reason) = &end.failure_reason {
        let mut lines = vec![FieldLine::Wrapped(Line::of(Tone::Bad, reason))];
        let said = end.agent_said.iter().flat_map(|said| said.raw().lines());
        lines.extend(said.map(exact));
        // Advice contains commands to copy.
        lines.extend(
            end.advice.iter().map(|advice| FieldLine::Whole(Line::of(Tone::Attention, &*with_options(advice.raw())))),
        );
        fields.push("failure", lines);
    }
    let of_agent = [
        end.exit_code.filter(|code| *code != 0).map(|code| format!("code {code}")),
        end.exit_signal.as_ref().map(|signal| format!("signal {signal}")),
    ];
    let of_agent = of_agent.into_iter().flatten().collect::<Vec<_>>().join(", ");
    fields.add("exit", Line::of(Tone::Plain, &of_agent));
    let warnings = end.warnings.iter().flat_map(|warning| {
        let advice = warning.advice.iter();
        let advice = advice.map(|advice| FieldLine::Whole(Line::of(Tone::Plain, &*with_options(advice))));
        std::iter::once(FieldLine::Wrapped(Line::of(Tone::Attention, &warning.message))).chain(advice)
    });
    fields.push("warning", warnings.collect());
}

/// The current activity of a task that has not ended.
fn activity(task: &TaskSummary, fields: &mut Fields, screen: Screen, now: DateTime<Utc>) {
    if let Some((entry, text)) = task.step.as_ref().and_then(|entry| Some((entry, step(&entry.event)?))) {
        let ago = if screen.is_terminal() { format!(" ({} ago)", age(entry.at, now)) } else { String::new() };
        fields.add("activity", Line::of(Tone::Active, &text).with(Tone::Faint, &ago));
    }
    if let Some(trouble) = &task.trouble {
        fields.add("trouble", current_trouble(trouble, now));
    }
}

fn result_lines(record: &TaskRecord, result: &ResultText, screen: Screen) -> Vec<FieldLine> {
    let rest = |more: &str| format!("{more} more: codex-connector show {} --result", record.id);
    let mut lines = limited(result.head.raw(), MAX_RESULT_LINES, screen, |more| rest(&format!("{more} lines")));
    if result.left_out > 0 {
        let is_cut = screen.is_terminal() && result.head.raw().lines().count() > MAX_RESULT_LINES;
        if is_cut {
            lines.pop();
        }
        let marker = screen.symbols.choose("… ", "... ");
        let note = rest(&format!("{} bytes", result.left_out));
        lines.push(FieldLine::Whole(Line::of(Tone::Faint, marker).with(Tone::Faint, &note)));
        if !screen.is_terminal() {
            lines.extend(result.tail.raw().lines().map(exact));
        }
    }
    lines
}

/// The lines of a text, on a terminal at most `max` of them. `note` describes the number of the others.
fn limited(text: &str, max: usize, screen: Screen, note: impl Fn(usize) -> String) -> Vec<FieldLine> {
    let text = text.trim_end();
    let max = if screen.is_terminal() { max } else { usize::MAX };
    let mut lines: Vec<_> = text.lines().take(max).map(exact).collect();
    let more = text.lines().count() - lines.len();
    if more > 0 {
        let marker = screen.symbols.choose("… ", "... ");
        lines.push(FieldLine::Whole(Line::of(Tone::Faint, marker).with(Tone::Faint, &note(more))));
    }
    lines
}

/// A line of an outside text.
fn exact(line: &str) -> FieldLine {
    FieldLine::Wrapped(Line::default().with_exact(Tone::Plain, line))
}

/// The verb that takes a task's changes further: `apply`, `undo` or `redo`.
pub(crate) fn next_operation(record: &TaskRecord) -> Option<&'static str> {
    let standing = record.standing.as_ref()?;
    Some(match standing.place {
        ChangesPlace::Worktree | ChangesPlace::PartlyApplied { .. } => "apply",
        ChangesPlace::Made | ChangesPlace::Applied | ChangesPlace::Redone => "undo",
        ChangesPlace::Undone | ChangesPlace::PartlyUndone { .. } => "redo",
        ChangesPlace::Branch(_) => return None,
    })
}

/// Commands to continue with.
fn commands(record: &TaskRecord, next: &NextSteps, state: TaskState, screen: Screen) -> Vec<String> {
    let id = &record.id;
    let mut commands = Vec::new();
    match state {
        TaskState::Running | TaskState::Queued => {
            commands.push(format!("codex-connector logs -f {id}"));
            commands.push(format!("codex-connector cancel {id}"));
        }
        TaskState::Ended => {
            if next.can_resume && record.progress.session_id.is_some() {
                let text = screen.symbols.choose("…", "...");
                commands.push(format!("codex-connector resume {id} \"{text}\""));
            }
            if record.file_changes().is_some() {
                commands.push(format!("codex-connector diff {id}"));
                commands.extend(next_operation(record).map(|verb| format!("codex-connector {verb} {id}")));
            }
            commands.push(format!("codex-connector logs {id}"));
            commands.extend(next.agent_command.clone());
        }
    }
    commands
}
