//! Formats an agent's events for the log.

use std::{borrow::Cow, time::Duration};

use connector_api::{AgentEvent, CommandStatus, FileChange, TodoItem, UnfinishedItems, Usage};

use super::entries::{change_word, outcome_of};
use crate::task::{TaskRecord, outcome, span};

/// The log text of an event, in two parts, so that a long text in the event is not copied.
#[derive(Debug)]
pub(super) struct Words<'a> {
    /// The first part, or the whole text.
    pub(super) head: Cow<'a, str>,
    /// The second part.
    pub(super) text: &'a str,
}

impl<'a> From<String> for Words<'a> {
    fn from(all: String) -> Self {
        Self { head: all.into(), text: "" }
    }
}

impl<'a> Words<'a> {
    fn new(label: &'static str, text: &'a str) -> Self {
        Self { head: label.into(), text }
    }
}

/// Formats events. Remembers when each command began, because agents do not report how long it took.
#[derive(Debug, Default)]
pub(super) struct Renderer {
    commands: UnfinishedItems<Duration>,
}

impl Renderer {
    /// The complete log text of an event. `now` is the time since the agent's start. Also returns the duration of a
    /// finished command.
    pub(super) fn words<'a>(&mut self, event: &'a AgentEvent, now: Duration) -> (Words<'a>, Option<Duration>) {
        let mut took = None;
        let words = match event {
            AgentEvent::SessionStarted { id } => Words::new("SESSION: ", id),
            AgentEvent::Message { text } => Words::new("MESSAGE: ", text),
            AgentEvent::Reasoning { text } => Words::new("REASONING: ", text),
            AgentEvent::CommandStarted { id, command } => {
                self.commands.begin(id, now, 0);
                Words::new("COMMAND STARTED: ", command)
            }
            AgentEvent::CommandFinished { id, command, status, exit_code, output } => {
                took = self.commands.end(id).map(|began| now.saturating_sub(began));
                command_finished(command, *status, *exit_code, took, output)
            }
            AgentEvent::FilesChanged { changes, applied } => {
                let label = if *applied { "FILES CHANGED" } else { "FILES NOT CHANGED" };
                format!("{label}: {}", changed_files(changes)).into()
            }
            AgentEvent::McpToolCall { server, tool, error } => {
                let label = if error.is_none() { "MCP TOOL" } else { "MCP TOOL FAILED" };
                format!("{label}: {}", tool_call(server, tool, error.as_deref())).into()
            }
            AgentEvent::TodoList { items } => todo_list(items).into(),
            AgentEvent::Usage(usage) => format!("USAGE: {}", tokens(usage)).into(),
            AgentEvent::Warning { message } => Words::new("AGENT WARNING: ", message),
            AgentEvent::TransientError { message, .. } => Words::new("AGENT TROUBLE: ", message),
            AgentEvent::FatalError { message } => Words::new("AGENT ERROR: ", message),
            AgentEvent::Other { raw, .. } => Words::new("STDOUT: ", raw),
        };
        (words, took)
    }
}

fn tokens(usage: &Usage) -> String {
    format!(
        "input={} (cached {}), output={} (reasoning {})",
        usage.input_tokens, usage.cached_input_tokens, usage.output_tokens, usage.reasoning_output_tokens
    )
}

/// The last entry of a log.
pub(super) fn summary(record: &TaskRecord) -> String {
    let Some(end) = &record.end else { return format!("END: {}", record.status()) };
    let or_none = |word: Option<String>| word.unwrap_or_else(|| "none".to_owned());
    let mut lines = format!(
        "END: {}\nExit code: {}\nExit signal: {}\nDuration: {}\nStdout: {}B\nStderr: {}B",
        record.status(),
        or_none(end.exit_code.map(|code| code.to_string())),
        or_none(end.exit_signal.clone()),
        or_none(end.duration_formatted.clone()),
        record.progress.stdout_bytes,
        record.progress.stderr_bytes
    );
    // If there was no agent, the text is our own.
    let explanation = if record.did_not_start() { "Why it did not start" } else { "The agent said" };
    let more = [("Failure reason", &end.failure_reason), (explanation, &end.agent_said), ("What to do", &end.advice)];
    for (label, text) in more {
        if let Some(text) = text {
            lines.push_str(&format!("\n{label}: {}", text.raw()));
        }
    }
    match (end.usage, end.session_usage) {
        (Some(run), Some(_)) => lines.push_str(&format!("\nTokens of this run: {}", tokens(&run))),
        (None, Some(session)) => lines.push_str(&format!("\nTokens of the session so far: {}", tokens(&session))),
        (_, None) => {}
    }
    if end.turn_completed {
        lines.push_str("\nTurn status: completed; the agent exited afterwards");
    }
    for warning in &end.warnings {
        lines.push_str(&format!("\nWarning: {}", warning.message));
        if let Some(advice) = &warning.advice {
            lines.push_str(&format!("; what to do: {advice}"));
        }
    }
    lines
}

fn command_finished<'a>(
    command: &str,
    status: CommandStatus,
    exit_code: Option<i64>,
    took: Option<Duration>,
    output: &'a str,
) -> Words<'a> {
    let how = outcome(outcome_of(status), exit_code);
    let how = took.map_or_else(|| how.clone(), |took| format!("{how}, {}", span(took)));
    let output = output.strip_suffix('\n').unwrap_or(output);
    let separator = if output.is_empty() { "" } else { "\n" };
    Words { head: format!("COMMAND FINISHED ({how}): {command}{separator}").into(), text: output }
}

/// File changes, as one text.
pub(super) fn changed_files(changes: &[FileChange]) -> String {
    let change = |change: &FileChange| format!("{} {}", change_word(&change.kind), change.path);
    changes.iter().map(change).collect::<Vec<_>>().join(", ")
}

/// A call of a tool, as one text.
pub(super) fn tool_call(server: &str, tool: &str, error: Option<&str>) -> String {
    match error {
        Some(error) => format!("{server}.{tool}: {error}"),
        None => format!("{server}.{tool}"),
    }
}

fn todo_list(items: &[TodoItem]) -> String {
    let lines: String =
        items.iter().map(|item| format!("\n[{}] {}", if item.completed { 'x' } else { ' ' }, item.text)).collect();
    let done = items.iter().filter(|item| item.completed).count();
    format!("TODO LIST: {done} of {} done{lines}", items.len())
}

#[cfg(test)]
mod tests {
    use connector_api::FileChangeKind;

    use super::*;
    use crate::supervisor::entries::entry_of;

    fn all(words: &Words<'_>) -> String {
        format!("{}{}", words.head, words.text)
    }

    fn words(event: &AgentEvent) -> String {
        all(&Renderer::default().words(event, Duration::ZERO).0)
    }

    fn headline(event: &AgentEvent, took: Option<Duration>) -> Option<String> {
        entry_of(event, took)?.headline()
    }

    #[test]
    fn commands_that_never_end_are_bounded() {
        let mut renderer = Renderer::default();
        for number in 0..3_000 {
            let event = AgentEvent::CommandStarted { id: format!("id-{number}"), command: "ls".into() };
            renderer.words(&event, Duration::ZERO);
        }
        let remembered = format!("{renderer:?}").matches("id-").count();
        assert!((1..=1_000).contains(&remembered), "{remembered}");
    }

    #[test]
    fn a_finished_command_shows_its_exit_code_and_duration() {
        let mut renderer = Renderer::default();
        let (id, command) = ("item_1".to_owned(), "cargo test\n--all".to_owned());
        renderer
            .words(&AgentEvent::CommandStarted { id: id.clone(), command: command.clone() }, Duration::from_secs(1));
        let finished = AgentEvent::CommandFinished {
            id,
            command,
            status: CommandStatus::Failed,
            exit_code: Some(101),
            output: "one\ntwo\n".into(),
        };
        let (words, took) = renderer.words(&finished, Duration::from_millis(3_500));
        assert_eq!(all(&words), "COMMAND FINISHED (exit code 101, 2.5s): cargo test\n--all\none\ntwo");
        let headline = headline(&finished, took);
        assert_eq!(headline.as_deref(), Some("command finished (exit code 101, 2.5s): cargo test"));
    }

    #[test]
    fn a_long_message_is_complete_in_the_log_and_one_line_elsewhere() {
        let text = format!("\n{}\nsecond", "x".repeat(500));
        let message = AgentEvent::Message { text: text.clone() };
        assert_eq!(words(&message), format!("MESSAGE: {text}"));
        assert_eq!(headline(&message, None).map(|short| short.chars().count()), Some("message: ".len() + 161));
    }

    #[test]
    fn changed_files_and_todo_lists_are_listed() {
        let changes = vec![
            FileChange { path: "a".into(), kind: FileChangeKind::Added },
            FileChange { path: "b".into(), kind: FileChangeKind::Other("moved".into()) },
        ];
        let changed = AgentEvent::FilesChanged { changes, applied: true };
        assert_eq!(words(&changed), "FILES CHANGED: added a, moved b");
        assert_eq!(headline(&changed, None).as_deref(), Some("files changed: added a, moved b"));
        let items =
            vec![TodoItem { text: "one".into(), completed: true }, TodoItem { text: "two".into(), completed: false }];
        let list = AgentEvent::TodoList { items };
        assert_eq!(words(&list), "TODO LIST: 1 of 2 done\n[x] one\n[ ] two");
        assert_eq!(headline(&list, None).as_deref(), Some("todo list: 1 of 2 done, next: two"));
    }

    #[test]
    fn unknown_events_are_shown_unchanged() {
        let raw = "{\"type\":\"new.thing\"}".to_owned();
        assert_eq!(words(&AgentEvent::Other { kind: "new.thing".into(), raw: raw.clone() }), format!("STDOUT: {raw}"));
    }
}
