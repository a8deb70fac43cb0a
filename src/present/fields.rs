//! Parts that several answers share: `**Name:** value` lines, warnings, and the explanation of a failure.

use std::{fmt::Write, path::Path, time::Duration};

use chrono::{DateTime, Utc};
use connector_api::{Sandbox, Usage};

use super::{
    excerpt, markdown,
    text::{OutsideText, one_line},
};
use crate::task::{ResultText, TaskEnd, TaskRecord, Untrusted, span};

/// Maximum length of the value of a field, in characters.
const MAX_VALUE_CHARACTERS: usize = 500;

/// Maximum length of an agent's advice, in characters.
const MAX_ADVICE_CHARACTERS: usize = 500;

/// Maximum length of a duration, in characters.
pub(super) const MAX_DURATION_CHARACTERS: usize = 20;

/// Maximum length of one warning, in characters.
const MAX_WARNING_CHARACTERS: usize = 400;

/// Maximum length of all warnings together, in characters.
pub(super) const MAX_WARNINGS_CHARACTERS: usize = 1_200;

/// Maximum length of a command that resumes a session, in characters. A longer one is left out.
const MAX_COMMAND_CHARACTERS: usize = 300;

/// Minimum space for an agent's explanation, in characters.
const MIN_SAID_CHARACTERS: usize = 120;

/// An answer: a heading, lines below it, and further parts separated by blank lines.
pub(super) struct Page {
    text: String,
    /// Maximum length of the value of a field, in characters.
    max_value: usize,
}

impl Page {
    pub(super) fn begin(heading: &str) -> Self {
        Self::continued(format!("## {heading}\n"))
    }

    /// A page that begins with `text`.
    pub(super) fn continued(text: String) -> Self {
        Self { text, max_value: MAX_VALUE_CHARACTERS }
    }

    /// Cuts every value to `max` characters.
    pub(super) fn with_max_value(self, max: usize) -> Self {
        Self { max_value: max, ..self }
    }

    /// Adds a line `**Name:** value`. The value can come from outside.
    pub(super) fn field(&mut self, name: &str, value: &(impl OutsideText + ?Sized)) {
        let value = markdown::value(&one_line(value, self.max_value));
        write!(self.text, "\n**{name}:** {value}").expect("writing to a string cannot fail");
    }

    /// The same, if there is a value.
    pub(super) fn field_if(&mut self, name: &str, value: Option<&(impl OutsideText + ?Sized)>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }

    /// Adds a line without escaping it.
    pub(super) fn line(&mut self, line: &str) {
        self.text.push('\n');
        self.text.push_str(line);
    }

    /// Adds a separate part, which is our own text or already escaped.
    pub(super) fn part(&mut self, part: &str) {
        self.text.push_str("\n\n");
        self.text.push_str(part);
    }

    pub(super) fn end(self) -> String {
        self.text
    }

    /// Says that the agent's turn was completed, if the failure reason is only about how the agent exited.
    pub(super) fn turn_status(&mut self, record: &TaskRecord) {
        let Some(end) = record.end.as_ref().filter(|end| end.turn_completed) else { return };
        let how = match (end.exit_code, &end.exit_signal) {
            (Some(code), _) => format!("exited with code {code}"),
            (None, Some(signal)) => format!("was killed by {}", markdown::value(&one_line(signal, 50))),
            (None, None) => return,
        };
        self.line(&format!("**Turn Status:** completed; the agent {how} afterwards"));
    }

    /// Adds the warnings, one per line, up to [`MAX_WARNINGS_CHARACTERS`].
    pub(super) fn warnings(&mut self, record: &TaskRecord) {
        let mut room = MAX_WARNINGS_CHARACTERS;
        let warnings = record.end.as_ref().map_or(&[][..], |end| &end.warnings);
        for (shown, warning) in warnings.iter().enumerate() {
            let message = markdown::value(&one_line(&warning.message, MAX_WARNING_CHARACTERS));
            let advice = warning.advice.as_ref().map_or(String::new(), |advice| {
                format!(". What to do: {}", markdown::sentence(&one_line(advice, MAX_WARNING_CHARACTERS)))
            });
            let line = format!("**Warning:** {message}{advice}");
            let length = line.chars().count();
            if length > room {
                let remaining = warnings.len() - shown;
                return self.line(&format!("**Warning:** {remaining} more in the log"));
            }
            room -= length;
            self.line(&line);
        }
    }

    /// Adds the agent's explanation of its failure, and advice, in about `room` characters.
    pub(super) fn explanation(&mut self, record: &TaskRecord, room: usize) {
        let Some(end) = &record.end else { return };
        let advice = end.advice.as_ref().map(|advice| {
            let advice = |max| markdown::sentence(&one_line(advice, max));
            let full = advice(MAX_ADVICE_CHARACTERS);
            if full.chars().count() <= room * 2 / 3 { full } else { advice(room / 3) }
        });
        if let Some(said) = &end.agent_said {
            let remaining = room.saturating_sub(advice.as_ref().map_or(0, |advice| advice.chars().count()));
            // If there was no agent, the text is our own.
            let heading = if record.did_not_start() { "### Why it did not start" } else { "### What the agent said" };
            self.part(&format!("{heading}\n{}", excerpt::agent_text(said, remaining.max(MIN_SAID_CHARACTERS))));
        }
        if let Some(advice) = advice {
            self.part(&format!("### What to do\n{advice}"));
        }
    }

    /// Adds the agent's final message, if there is one, in about `room` characters.
    pub(super) fn result(&mut self, record: &TaskRecord, result: Option<ResultText>, room: usize) {
        // A task of the original program may have no result file, only a record that contains the result.
        let recorded = || record.end.as_ref()?.result.clone();
        let recorded = || recorded().map(|head| ResultText { head, left_out: 0, tail: Untrusted::default() });
        if let Some(result) = result.or_else(recorded) {
            self.part(&format!("### Result\n{}", excerpt::result(&result, record, room)));
        }
    }

    pub(super) fn backend(&mut self, record: &TaskRecord) {
        if let Some(backend) = &record.progress.backend {
            let version =
                record.progress.agent_version.as_ref().map_or(String::new(), |version| format!(" ({})", version.raw()));
            self.field("Backend", &format!("{backend}{version}"));
        }
        self.field_if("Model", record.progress.model.as_ref());
        let fell_back = (!record.progress.fell_back.is_empty()).then(|| {
            format!(
                "these could not run: {}",
                record.progress.fell_back.iter().map(Untrusted::raw).collect::<Vec<_>>().join("; ")
            )
        });
        if let Some(fell_back) = fell_back {
            // Our own sentences, in which code spans name programs and settings.
            let line = markdown::sentence(&one_line(&fell_back, self.max_value));
            self.line(&format!("**Fallback:** {line}"));
        }
    }

    /// Adds the sandbox, the directory, the session and the tokens: the facts about a run that its result leaves open.
    pub(super) fn run(&mut self, record: &TaskRecord) {
        self.field_if("Sandbox", record.start.sandbox.map(Sandbox::as_str));
        self.field("Working directory", &record.progress.working_directory.display().to_string());
        self.field_if("Session ID", record.progress.session_id.as_ref());
        self.resumption(record);
        self.field_if("Tokens", tokens(record).as_ref());
    }

    /// Says how the session of an ended task can be continued.
    pub(super) fn resumption(&mut self, record: &TaskRecord) {
        let tool = record.resumption.by_tool.then(|| format!("call `codex_resume` with `taskId` `{}`", record.id));
        let command = record.resumption.command.as_ref().map(|command| one_line(command, MAX_COMMAND_CHARACTERS + 1));
        // A command that was cut would not work.
        let command = command.filter(|command| command.chars().count() <= MAX_COMMAND_CHARACTERS);
        let command = command.map(|command| format!("run {} in a terminal", markdown::code(&command)));
        let ways: Vec<_> = tool.into_iter().chain(command).collect();
        if !ways.is_empty() {
            self.line(&format!("**Resume:** {}", ways.join(", or ")));
        }
    }

    pub(super) fn path(&mut self, name: &str, path: Option<&Path>) {
        self.field_if(name, path.map(Untrusted::from).as_ref());
    }
}

/// The tokens of this run and, for a resumed session, the total of the session. Only the total if the run's share is
/// unknown.
pub(super) fn tokens(record: &TaskRecord) -> Option<String> {
    let count = |usage: Usage| {
        format!(
            "input {} (cached {}), output {} (reasoning {})",
            usage.input_tokens, usage.cached_input_tokens, usage.output_tokens, usage.reasoning_output_tokens
        )
    };
    let end = record.end.as_ref()?;
    match (end.usage, end.session_usage) {
        (Some(run), None) => Some(count(run)),
        (Some(run), Some(session)) => {
            let (input, output) = (session.input_tokens, session.output_tokens);
            Some(format!("{}; whole session so far: input {input}, output {output}", count(run)))
        }
        (None, Some(session)) => Some(format!("{}, for the whole session so far", count(session))),
        (None, None) => None,
    }
}

/// How long the task ran, or has been running.
pub(super) fn duration(record: &TaskRecord, now: DateTime<Utc>) -> String {
    if let Some(formatted) = record.end.as_ref().and_then(|end| end.duration_formatted.as_ref()) {
        return formatted.clone();
    }
    let end = record.completed_at().unwrap_or(now);
    span((end - record.start.started_at).to_std().unwrap_or(Duration::ZERO))
}

/// The time from `since` to `now`.
pub(super) fn time_since(since: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (now - since).to_std().unwrap_or_default()
}

/// The exit code, `none`, or `(running)`.
pub(super) fn exit_code(record: &TaskRecord) -> String {
    known(record, |end| end.exit_code.map(|code| code.to_string()))
}

/// The exit signal, `none`, or `(running)`.
pub(super) fn exit_signal(record: &TaskRecord) -> String {
    known(record, |end| end.exit_signal.clone())
}

fn known(record: &TaskRecord, value: impl FnOnce(&TaskEnd) -> Option<String>) -> String {
    match &record.end {
        Some(end) => value(end).unwrap_or_else(|| "none".to_owned()),
        None => "(running)".to_owned(),
    }
}
