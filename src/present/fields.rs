//! Parts that several answers share: `**Name:** value` lines, and what there is to say about a failure.

use std::{fmt::Write, path::Path, time::Duration};

use chrono::{DateTime, Utc};

use super::{
    excerpt, markdown,
    text::{Foreign, one_line},
};
use crate::task::{ResultText, TaskEnd, TaskRecord, Untrusted, span};

/// The most characters of a value that stands on one line.
const MAX_VALUE_CHARACTERS: usize = 500;

/// The most characters of an advice.
const MAX_ADVICE_CHARACTERS: usize = 500;

/// The most characters of a duration.
pub(super) const MAX_DURATION_CHARACTERS: usize = 20;
/// Maximum number of characters in one warning, and in all of them.
const MAX_WARNING_CHARACTERS: usize = 400;
pub(super) const MAX_WARNINGS_CHARACTERS: usize = 1_200;

/// What an agent said has this much room at least.
const MIN_SAID_CHARACTERS: usize = 120;

/// A heading and lines below it, then further parts.
pub(super) struct Page {
    text: String,
    /// The most characters of a value that stands on one line.
    value: usize,
}

impl Page {
    pub(super) fn begin(heading: &str) -> Self {
        Self::continued(format!("## {heading}\n"))
    }

    /// A page that begins with `text`.
    pub(super) fn continued(text: String) -> Self {
        Self { text, value: MAX_VALUE_CHARACTERS }
    }

    /// Cuts every value to `max` characters.
    pub(super) fn with_max_value(self, max: usize) -> Self {
        Self { value: max, ..self }
    }

    /// A line `**Name:** value`. The value is foreign, as far as this knows.
    pub(super) fn field(&mut self, name: &str, value: &(impl Foreign + ?Sized)) {
        let value = markdown::value(&one_line(value, self.value));
        write!(self.text, "\n**{name}:** {value}").expect("a string takes everything");
    }

    /// The same, if there is a value.
    pub(super) fn field_if(&mut self, name: &str, value: Option<&(impl Foreign + ?Sized)>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }

    /// A plain line of ours.
    pub(super) fn line(&mut self, line: &str) {
        self.text.push('\n');
        self.text.push_str(line);
    }

    /// A part of its own, of ours or made harmless.
    pub(super) fn part(&mut self, part: &str) {
        self.text.push_str("\n\n");
        self.text.push_str(part);
    }

    pub(super) fn end(self) -> String {
        self.text
    }

    /// Explains a failure reason that is only about how the agent exited.
    pub(super) fn turn_status(&mut self, record: &TaskRecord) {
        let Some(end) = record.end.as_ref().filter(|end| end.turn_completed) else { return };
        let how = match (end.exit_code, &end.exit_signal) {
            (Some(code), _) => format!("exited with code {code}"),
            (None, Some(signal)) => format!("was ended by {}", markdown::value(&one_line(signal, 50))),
            (None, None) => return,
        };
        self.line(&format!("**Turn Status:** completed; the agent {how} afterwards"));
    }

    /// The warnings, one per line, as far as there is room.
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

    /// What the agent said about its end, and what to do, in about `room` characters.
    pub(super) fn explanation(&mut self, record: &TaskRecord, room: usize) {
        let Some(end) = &record.end else { return };
        let advice = end.advice.as_ref().map(|advice| {
            let advice = |max| markdown::sentence(&one_line(advice, max));
            let full = advice(MAX_ADVICE_CHARACTERS);
            if full.chars().count() <= room * 2 / 3 { full } else { advice(room / 3) }
        });
        if let Some(said) = &end.agent_said {
            let remaining = room.saturating_sub(advice.as_ref().map_or(0, |advice| advice.chars().count()));
            // There was no agent then, and the words are our own.
            let is_ours = end.failure_reason.as_ref().is_some_and(|reason| reason.raw().ends_with("(spawn failed)"));
            let heading = if is_ours { "### Why it did not start" } else { "### What the agent said" };
            self.part(&format!("{heading}\n{}", excerpt::agent_text(said, remaining.max(MIN_SAID_CHARACTERS))));
        }
        if let Some(advice) = advice {
            self.part(&format!("### What to do\n{advice}"));
        }
    }

    /// The agent's final message, if there is one.
    pub(super) fn result(&mut self, record: &TaskRecord, result: Option<ResultText>, room: usize) {
        // Of a task of the original program there may be no more than its record.
        let kept = || record.end.as_ref()?.result.clone();
        let kept = || kept().map(|head| ResultText { head, left_out: 0, tail: Untrusted::default() });
        if let Some(result) = result.or_else(kept) {
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
                "could not work: {}",
                record.progress.fell_back.iter().map(Untrusted::raw).collect::<Vec<_>>().join("; ")
            )
        });
        self.field_if("Fallback", fell_back.as_ref());
    }

    pub(super) fn path(&mut self, name: &str, path: Option<&Path>) {
        self.field_if(name, path.map(Untrusted::from).as_ref());
    }
}

/// How long the task ran, or has run.
pub(super) fn duration(record: &TaskRecord, now: DateTime<Utc>) -> String {
    if let Some(formatted) = record.end.as_ref().and_then(|end| end.duration_formatted.as_ref()) {
        return formatted.clone();
    }
    let end = record.completed_at().unwrap_or(now);
    span((end - record.start.started_at).to_std().unwrap_or(Duration::ZERO))
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
