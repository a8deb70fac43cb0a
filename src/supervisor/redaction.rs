//! Redacts everything that a supervisor writes or sends.
//!
//! Texts are redacted before they are cut, indented or escaped, because a secret may not be recognizable afterwards. A
//! session reads stdout unredacted, because a word of its protocol may happen to equal a secret. The session's events
//! are redacted instead.

use std::{borrow::Cow, env, ffi::OsString, path::PathBuf};

use connector_api::{AgentEvent, AgentFailure, FileChange, FileChangeKind, Outcome, TodoItem, Verdict, Warning};

use super::{
    Assignment,
    render::{changed_files, tool_call},
    stream::OutputStream,
};
use crate::{
    process::LineChunk,
    redact::{self, Redactor},
    registry::Registry,
    task::{TaskRecord, TaskSpec},
};

/// A redactor for the secrets in our own environment, and for those in the agents' configured environments.
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

/// A [`LineChunk`], redacted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RedactedChunk<'a> {
    Line(Cow<'a, [u8]>),
    LongStart(Cow<'a, [u8]>),
    LongPart(Cow<'a, [u8]>),
    /// The last part of the line.
    LongEnd(Vec<u8>),
}

/// Redacts the output of one agent, on both streams.
#[derive(Debug)]
pub(super) struct Redaction {
    redactor: Redactor,
    stdout: redact::StreamRedactor,
    stderr: redact::StreamRedactor,
}

impl Redaction {
    /// Both streams before their first chunk.
    pub(super) fn new(redactor: Redactor) -> Self {
        let stream = || redact::StreamRedactor::new(redactor.clone());
        Self { stdout: stream(), stderr: stream(), redactor }
    }

    /// Redacts the next chunk of this stream.
    pub(super) fn clean<'a>(&mut self, stream: OutputStream, chunk: &LineChunk<'a>) -> RedactedChunk<'a> {
        let parts = match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        };
        match chunk {
            LineChunk::Line(line) => RedactedChunk::Line(self.redactor.bytes(line)),
            LineChunk::LongStart(part) => RedactedChunk::LongStart(parts.part(part)),
            LineChunk::LongPart(part) => RedactedChunk::LongPart(parts.part(part)),
            LineChunk::LongEnd { .. } => RedactedChunk::LongEnd(parts.end()),
        }
    }

    /// Redacts one of our own texts, which may contain untrusted parts.
    pub(super) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.redactor.text(text)
    }

    /// Redacts the first bytes of a line that was too long to keep.
    pub(super) fn head<'a>(&self, head: &'a [u8]) -> Cow<'a, [u8]> {
        self.redactor.beginning(head)
    }

    /// Redacts an event, except the ID that connects a command's start and end.
    ///
    /// The log and the timeline join some texts on one line. If a secret appears only there, the joined text takes the
    /// place of its parts.
    pub(super) fn event(&self, mut event: AgentEvent) -> AgentEvent {
        if self.redactor.is_idle() {
            return event;
        }
        let clean = |text: &mut String| self.redactor.redact(text);
        // Name every field, so that none is forgotten.
        match &mut event {
            AgentEvent::SessionStarted { id: text }
            | AgentEvent::Message { text }
            | AgentEvent::Reasoning { text }
            | AgentEvent::CommandStarted { id: _, command: text }
            | AgentEvent::Warning { message: text }
            | AgentEvent::TransientError { message: text, .. }
            | AgentEvent::FatalError { message: text } => clean(text),
            AgentEvent::CommandFinished { id: _, command, status: _, exit_code: _, output } => {
                [command, output].into_iter().for_each(clean);
            }
            AgentEvent::FilesChanged { changes, applied: _ } => {
                let joined = self.redactor.text(&changed_files(changes)).into_owned();
                for FileChange { path, kind } in &mut *changes {
                    clean(path);
                    match kind {
                        FileChangeKind::Added | FileChangeKind::Updated | FileChangeKind::Deleted => {}
                        FileChangeKind::Other(word) => clean(word),
                    }
                }
                if changed_files(changes) != joined {
                    let (word, path) = joined.split_once(' ').unwrap_or((&joined, ""));
                    *changes = vec![FileChange { path: path.into(), kind: FileChangeKind::Other(word.into()) }];
                }
            }
            AgentEvent::McpToolCall { server, tool, error } => {
                let joined = self.redactor.text(&tool_call(server, tool, error.as_deref())).into_owned();
                [&mut *server, &mut *tool].into_iter().chain(error.as_mut()).for_each(clean);
                if tool_call(server, tool, error.as_deref()) != joined {
                    let (first, rest) = joined.split_once('.').unwrap_or((&joined, ""));
                    (*server, *tool) = (first.into(), rest.into());
                    // It is in the text of the tool now.
                    error.iter_mut().for_each(String::clear);
                }
            }
            AgentEvent::TodoList { items } => {
                items.iter_mut().for_each(|TodoItem { text, completed: _ }| clean(text));
            }
            AgentEvent::Other { kind, raw } => [kind, raw].into_iter().for_each(clean),
            AgentEvent::Usage(_) => {}
        }
        event
    }
}

/// Redacts a session's verdict.
pub(super) fn verdict(redactor: &Redactor, verdict: &mut Verdict) {
    let Verdict { outcome, answer, session_id, usage: _ } = verdict;
    match outcome {
        Outcome::Completed => {}
        Outcome::Failed(failure) | Outcome::CommandLineRefused(failure) => {
            let AgentFailure { message, advice, cause: _ } = failure;
            [message].into_iter().chain(advice).for_each(|text| redactor.redact(text));
        }
    }
    answer.iter_mut().chain(session_id).for_each(|text| redactor.redact(text));
}

/// Redacts warnings, which may quote the agent.
pub(super) fn warnings(redactor: &Redactor, warnings: &mut [Warning]) {
    let texts = warnings.iter_mut().flat_map(|Warning { message, advice }| [message].into_iter().chain(advice));
    texts.for_each(|text| redactor.redact(text));
}

/// Redacts a record, except the paths of our own files and of the working directory, which must remain usable.
pub(super) fn record(redactor: &Redactor, record: &mut TaskRecord) {
    record.untrusted_texts().for_each(|text| redactor.redact(text));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use connector_api::{CommandStatus, Usage};

    use super::*;
    use crate::supervisor::{entries::entry_of, render::Renderer};

    const SECRET: &str = "Hunter2SecretValue99";

    fn redaction(secret: &str) -> Redaction {
        Redaction::new(Redactor::of([("API_TOKEN".into(), secret.into())]))
    }

    /// An event of each kind, with `text` in each of its texts.
    fn events(text: &str) -> [AgentEvent; 13] {
        let text = || text.to_owned();
        [
            AgentEvent::SessionStarted { id: text() },
            AgentEvent::Message { text: text() },
            AgentEvent::Reasoning { text: text() },
            AgentEvent::CommandStarted { id: "1".into(), command: text() },
            AgentEvent::CommandFinished {
                id: "1".into(),
                command: text(),
                status: CommandStatus::Completed,
                exit_code: None,
                output: text(),
            },
            AgentEvent::FilesChanged {
                changes: vec![FileChange { path: text(), kind: FileChangeKind::Other(text()) }],
                applied: true,
            },
            AgentEvent::McpToolCall { server: text(), tool: text(), error: Some(text()) },
            AgentEvent::TodoList { items: vec![TodoItem { text: text(), completed: false }] },
            AgentEvent::Usage(Usage::default()),
            AgentEvent::Warning { message: text() },
            AgentEvent::TransientError { message: text(), cause: None },
            AgentEvent::FatalError { message: text() },
            AgentEvent::Other { kind: text(), raw: text() },
        ]
    }

    #[test]
    fn each_text_of_each_event_is_redacted() {
        let redaction = redaction(SECRET);
        let redacted = events(&format!("a {SECRET} b")).map(|event| redaction.event(event));
        assert_eq!(redacted, events("a [redacted:API_TOKEN] b"));
    }

    #[test]
    fn a_secret_that_appears_only_in_the_joined_text_is_redacted() {
        let call = |error: Option<&str>| AgentEvent::McpToolCall {
            server: "abcdefgh1".into(),
            tool: "ijklmnop2".into(),
            error: error.map(str::to_owned),
        };
        let changed = |path: &str| FileChange { path: path.into(), kind: FileChangeKind::Other("moved9".into()) };
        let changes = AgentEvent::FilesChanged { changes: vec![changed("a1"), changed("b2")], applied: true };
        for (secret, event, expected) in [
            ("abcdefgh1.ijklmnop2", call(None), "MCP TOOL: [redacted:API_TOKEN]."),
            ("abcdefgh1.ijklmnop2", call(Some("no")), "MCP TOOL FAILED: [redacted:API_TOKEN]: no.: "),
            ("ijklmnop2: no", call(Some("no")), "MCP TOOL FAILED: abcdefgh1.[redacted:API_TOKEN]: "),
            ("abcdefgh1", call(None), "MCP TOOL: [redacted:API_TOKEN].ijklmnop2"),
            ("moved9 a1, moved9", changes.clone(), "FILES CHANGED: [redacted:API_TOKEN] b2"),
            ("moved9 b2", changes.clone(), "FILES CHANGED: moved9 a1, [redacted:API_TOKEN]"),
        ] {
            let redacted = redaction(secret).event(event);
            let (words, _) = Renderer::default().words(&redacted, Duration::ZERO);
            assert_eq!(format!("{}{}", words.head, words.text), expected, "{secret}");
            let headline = entry_of(&redacted, None).and_then(|entry| entry.headline()).unwrap_or_default();
            assert!(headline.contains("[redacted:API_TOKEN]") && !headline.contains(secret), "{headline}");
        }
    }
}
