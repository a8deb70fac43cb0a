//! What an agent did, in words: for the log in full, for a status or a progress message in one line.

use std::{collections::HashMap, time::Duration};

use connector_api::{AgentEvent, CommandStatus, FileChange, FileChangeKind, TodoItem, Usage};

use crate::task::{TaskRecord, span};

/// Turns events into words. Remembers when each command began, because agents do not tell how long one took.
#[derive(Debug, Default)]
pub(super) struct Renderer {
    commands: HashMap<String, Duration>,
}

/// An event in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// Everything the event carries.
    pub(super) log: String,
    /// One line; `None`: not worth showing to anyone who does not read the log.
    pub(super) short: Option<String>,
}

impl Renderer {
    /// The words for an event that came at `now`, counted from the start of the agent.
    pub(super) fn words(&mut self, event: &AgentEvent, now: Duration) -> Words {
        let both = |label: &str, text: &str| Words {
            log: format!("{label}: {text}"),
            short: Some(format!("{}: {}", label.to_lowercase(), first_line(text))),
        };
        match event {
            AgentEvent::SessionStarted { id } => Words { log: format!("SESSION: {id}"), short: None },
            AgentEvent::Message { text } => both("MESSAGE", text),
            AgentEvent::Reasoning { text } => both("REASONING", text),
            AgentEvent::CommandStarted { id, command } => {
                self.commands.insert(id.clone(), now);
                both("COMMAND STARTED", command)
            }
            AgentEvent::CommandFinished { id, command, status, exit_code, output } => {
                let took = self.commands.remove(id).map(|began| now.saturating_sub(began));
                command_finished(command, *status, *exit_code, took, output)
            }
            AgentEvent::FilesChanged { changes, applied } => {
                let label = if *applied { "FILES CHANGED" } else { "FILES NOT CHANGED" };
                both(label, &changes.iter().map(change).collect::<Vec<_>>().join(", "))
            }
            AgentEvent::McpToolCall { server, tool, error: None } => both("MCP TOOL", &format!("{server}.{tool}")),
            AgentEvent::McpToolCall { server, tool, error: Some(error) } => {
                both("MCP TOOL FAILED", &format!("{server}.{tool}: {error}"))
            }
            AgentEvent::TodoList { items } => todo_list(items),
            AgentEvent::Usage(usage) => Words { log: format!("USAGE: {}", tokens(usage)), short: None },
            AgentEvent::Warning { message } => both("AGENT WARNING", message),
            AgentEvent::TransientError { message } => both("AGENT TROUBLE", message),
            AgentEvent::FatalError { message } => both("AGENT ERROR", message),
            AgentEvent::Other { raw, .. } => Words { log: format!("STDOUT: {raw}"), short: None },
        }
    }
}

fn tokens(usage: &Usage) -> String {
    format!(
        "input={} (cached {}), output={} (reasoning {})",
        usage.input_tokens, usage.cached_input_tokens, usage.output_tokens, usage.reasoning_output_tokens
    )
}

/// The end of a log.
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
    let more =
        [("Failure reason", &end.failure_reason), ("The agent said", &end.agent_said), ("What to do", &end.advice)];
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

fn command_finished(
    command: &str,
    status: CommandStatus,
    exit_code: Option<i64>,
    took: Option<Duration>,
    output: &str,
) -> Words {
    let how = match (status, exit_code) {
        (CommandStatus::Declined, _) => "declined".to_owned(),
        (CommandStatus::Completed | CommandStatus::Failed, Some(code)) => format!("exit code {code}"),
        (CommandStatus::Completed, None) => "completed".to_owned(),
        (CommandStatus::Failed, None) => "failed".to_owned(),
    };
    let how = took.map_or_else(|| how.clone(), |took| format!("{how}, {}", span(took)));
    let output = output.strip_suffix('\n').unwrap_or(output);
    let separator = if output.is_empty() { "" } else { "\n" };
    Words {
        log: format!("COMMAND FINISHED ({how}): {command}{separator}{output}"),
        short: Some(format!("command finished ({how}): {}", first_line(command))),
    }
}

fn change(change: &FileChange) -> String {
    let kind = match &change.kind {
        FileChangeKind::Added => "added",
        FileChangeKind::Updated => "updated",
        FileChangeKind::Deleted => "deleted",
        FileChangeKind::Other(kind) => kind,
    };
    format!("{kind} {}", change.path)
}

fn todo_list(items: &[TodoItem]) -> Words {
    let lines: String =
        items.iter().map(|item| format!("\n[{}] {}", if item.completed { 'x' } else { ' ' }, item.text)).collect();
    let done = items.iter().filter(|item| item.completed).count();
    let next = items.iter().find(|item| !item.completed).map_or("nothing", |item| &item.text);
    Words {
        log: format!("TODO LIST: {done} of {} done{lines}", items.len()),
        short: Some(format!("todo list: {done} of {} done, next: {}", items.len(), first_line(next))),
    }
}

/// The first line with something in it, of at most 160 characters.
pub(super) fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    match line.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(event: &AgentEvent) -> Words {
        Renderer::default().words(event, Duration::ZERO)
    }

    #[test]
    fn a_finished_command_tells_its_exit_code_and_how_long_it_took() {
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
        let words = renderer.words(&finished, Duration::from_millis(3_500));
        assert_eq!(words.log, "COMMAND FINISHED (exit code 101, 2.5s): cargo test\n--all\none\ntwo");
        assert_eq!(words.short.as_deref(), Some("command finished (exit code 101, 2.5s): cargo test"));
    }

    #[test]
    fn a_long_message_is_whole_in_the_log_and_one_line_elsewhere() {
        let text = format!("\n{}\nsecond", "x".repeat(500));
        let words = words(&AgentEvent::Message { text: text.clone() });
        assert_eq!(words.log, format!("MESSAGE: {text}"));
        assert_eq!(words.short.map(|short| short.chars().count()), Some("message: ".len() + 161));
    }

    #[test]
    fn changed_files_and_todo_lists_are_listed() {
        let changes = vec![
            FileChange { path: "a".into(), kind: FileChangeKind::Added },
            FileChange { path: "b".into(), kind: FileChangeKind::Other("moved".into()) },
        ];
        assert_eq!(words(&AgentEvent::FilesChanged { changes, applied: true }).log, "FILES CHANGED: added a, moved b");
        let items =
            vec![TodoItem { text: "one".into(), completed: true }, TodoItem { text: "two".into(), completed: false }];
        assert_eq!(words(&AgentEvent::TodoList { items }).log, "TODO LIST: 1 of 2 done\n[x] one\n[ ] two");
    }

    #[test]
    fn what_is_not_known_stands_as_it_came() {
        let raw = "{\"type\":\"new.thing\"}".to_owned();
        assert_eq!(
            words(&AgentEvent::Other { kind: "new.thing".into(), raw: raw.clone() }).log,
            format!("STDOUT: {raw}")
        );
    }
}
