//! Everything that a supervisor writes or tells, without secrets.
//!
//! Texts are redacted before they are cut, indented or escaped: afterwards a secret may no longer be recognized. The
//! session of a backend reads stdout as it came, because a protocol may use a word that is also somebody's secret; what
//! comes out of it is redacted then.

use std::{borrow::Cow, env, ffi::OsString, path::PathBuf};

use connector_api::{AgentEvent, Outcome, Verdict, Warning};

use super::{Assignment, stream::OutputStream};
use crate::{
    process::LineChunk,
    redact::{self, Redactor},
    registry::Registry,
    task::{TaskRecord, TaskSpec},
};

/// What to look for: secrets of our own environment, and those that the agent is given besides.
pub(super) fn redactor(spec: &TaskSpec, assignment: &Assignment, registry: &Registry) -> Redactor {
    if !spec.policy.redact {
        return Redactor::default();
    }
    let backends = std::iter::once(&spec.backend).chain(spec.fallbacks.iter().map(|fallback| &fallback.backend));
    let given = backends.filter_map(|backend| registry.build(backend).ok());
    let given = given
        .flat_map(|backend| backend.environment().set.clone())
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let paths = [&spec.request.working_directory, &assignment.data_dir, &assignment.log_dir];
    Redactor::of(env::vars_os().chain(given)).sparing(&paths.map(PathBuf::as_path))
}

/// A [`LineChunk`] of a line, without secrets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RedactedChunk<'a> {
    Line(Cow<'a, [u8]>),
    LongStart(Cow<'a, [u8]>),
    LongPart(Cow<'a, [u8]>),
    /// With the last part of the line.
    LongEnd(Vec<u8>),
}

/// What comes from one agent, on both streams.
#[derive(Debug)]
pub(super) struct Redaction {
    redactor: Redactor,
    stdout: redact::StreamRedactor,
    stderr: redact::StreamRedactor,
}

impl Redaction {
    /// Streams of which nothing has come yet.
    pub(super) fn new(redactor: Redactor) -> Self {
        let stream = || redact::StreamRedactor::new(redactor.clone());
        Self { stdout: stream(), stderr: stream(), redactor }
    }

    /// The next piece of this stream.
    pub(super) fn clean<'a>(&mut self, stream: OutputStream, piece: &LineChunk<'a>) -> RedactedChunk<'a> {
        let parts = match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        };
        match piece {
            LineChunk::Line(line) => RedactedChunk::Line(self.redactor.bytes(line)),
            LineChunk::LongStart(part) => RedactedChunk::LongStart(parts.part(part)),
            LineChunk::LongPart(part) => RedactedChunk::LongPart(parts.part(part)),
            LineChunk::LongEnd { .. } => RedactedChunk::LongEnd(parts.end()),
        }
    }

    /// A text of our own, which may name foreign things.
    pub(super) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.redactor.text(text)
    }

    /// The first bytes of a line that was too long to hold.
    pub(super) fn head<'a>(&self, head: &'a [u8]) -> Cow<'a, [u8]> {
        self.redactor.beginning(head)
    }

    /// An event. What only pairs a command's start with its end is left alone.
    pub(super) fn event(&self, mut event: AgentEvent) -> AgentEvent {
        if self.redactor.is_idle() {
            return event;
        }
        let clean = |text: &mut String| self.redactor.redact(text);
        match &mut event {
            AgentEvent::SessionStarted { id: text }
            | AgentEvent::Message { text }
            | AgentEvent::Reasoning { text }
            | AgentEvent::CommandStarted { command: text, .. }
            | AgentEvent::Warning { message: text }
            | AgentEvent::TransientError { message: text }
            | AgentEvent::FatalError { message: text } => clean(text),
            AgentEvent::CommandFinished { command, output, .. } => [command, output].into_iter().for_each(clean),
            AgentEvent::FilesChanged { changes, .. } => changes.iter_mut().for_each(|change| clean(&mut change.path)),
            AgentEvent::McpToolCall { server, tool, error } => [server, tool].into_iter().chain(error).for_each(clean),
            AgentEvent::TodoList { items } => items.iter_mut().for_each(|item| clean(&mut item.text)),
            AgentEvent::Other { kind, raw } => [kind, raw].into_iter().for_each(clean),
            AgentEvent::Usage(_) => {}
        }
        event
    }
}

/// Takes the secrets out of what a session made of a run.
pub(super) fn verdict(redactor: &Redactor, verdict: &mut Verdict) {
    let said = match &mut verdict.outcome {
        Outcome::Completed => None,
        Outcome::Failed(complaint) | Outcome::CommandLineRefused(complaint) => Some(complaint),
    };
    if let Some(complaint) = said {
        redactor.redact(&mut complaint.message);
        complaint.advice.iter_mut().for_each(|advice| redactor.redact(advice));
    }
    verdict.answer.iter_mut().chain(&mut verdict.session_id).for_each(|text| redactor.redact(text));
}

/// Redacts warnings, which may quote the agent.
pub(super) fn warnings(redactor: &Redactor, warnings: &mut [Warning]) {
    let texts = warnings.iter_mut().flat_map(|warning| [&mut warning.message].into_iter().chain(&mut warning.advice));
    texts.for_each(|text| redactor.redact(text));
}

/// Takes the secrets out of a record. The names of our own files, and of the working directory, stay: they have to lead
/// there.
pub(super) fn record(redactor: &Redactor, record: &mut TaskRecord) {
    record.untrusted_texts().for_each(|text| redactor.redact(text));
}
