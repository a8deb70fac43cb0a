//! Converts an agent's events to timeline entries, with their texts cut to size.

use std::time::Duration;

use connector_api::{AgentEvent, Cause, CommandStatus, FileChange, FileChangeKind, TodoItem};

use crate::task::{
    ChangedFile, CommandOutcome, PlanItem, TimelineEvent, WarningSource, excerpt, first_line, fit_items,
};

/// The entry for a redacted event; `None` if the event belongs only in the log. `took` is the duration of a finished
/// command.
pub(super) fn entry_of(event: &AgentEvent, took: Option<Duration>) -> Option<TimelineEvent> {
    let warning = |source, text: &str| TimelineEvent::Warning { source, text: excerpt(text), offline: false };
    Some(match event {
        AgentEvent::SessionStarted { id } => TimelineEvent::Session { id: excerpt(id) },
        AgentEvent::Message { text } => TimelineEvent::Message { text: excerpt(text) },
        AgentEvent::Reasoning { text } => TimelineEvent::Reasoning { text: excerpt(text) },
        AgentEvent::CommandStarted { id: _, command } => TimelineEvent::CommandStarted { command: excerpt(command) },
        AgentEvent::CommandFinished { id: _, command, status, exit_code, output } => TimelineEvent::CommandFinished {
            command: excerpt(command),
            status: outcome_of(*status),
            exit_code: *exit_code,
            took,
            output: excerpt(output),
        },
        AgentEvent::FilesChanged { changes, applied } => files_changed(changes, *applied),
        AgentEvent::McpToolCall { server, tool, error } => {
            TimelineEvent::Tool { server: excerpt(server), tool: excerpt(tool), error: error.as_deref().map(excerpt) }
        }
        AgentEvent::TodoList { items } => plan(items),
        AgentEvent::Usage(usage) => TimelineEvent::Usage { usage: *usage },
        AgentEvent::Warning { message } => warning(WarningSource::Agent, message),
        AgentEvent::TransientError { message, cause } => TimelineEvent::Warning {
            source: WarningSource::AgentTrouble,
            text: excerpt(message),
            offline: *cause == Some(Cause::Network),
        },
        AgentEvent::FatalError { message } => warning(WarningSource::AgentError, message),
        AgentEvent::Other { .. } => return None,
    })
}

/// The outcome of a command, as stored in the timeline.
pub(super) fn outcome_of(status: CommandStatus) -> CommandOutcome {
    match status {
        CommandStatus::Completed => CommandOutcome::Completed,
        CommandStatus::Failed => CommandOutcome::Failed,
        CommandStatus::Declined => CommandOutcome::Declined,
    }
}

/// The word for a file change.
pub(super) fn change_word(kind: &FileChangeKind) -> &str {
    match kind {
        FileChangeKind::Added => "added",
        FileChangeKind::Updated => "updated",
        FileChangeKind::Deleted => "deleted",
        FileChangeKind::Other(kind) => kind,
    }
}

fn files_changed(changes: &[FileChange], applied: bool) -> TimelineEvent {
    let files = changes
        .iter()
        .map(|file| ChangedFile { path: excerpt(&file.path), change: first_line(change_word(&file.kind)) });
    let (files, omitted) = fit_items(files, |file| file.path.len() + file.change.len());
    TimelineEvent::FilesChanged { files, omitted, applied }
}

fn plan(items: &[TodoItem]) -> TimelineEvent {
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let done = count(items.iter().filter(|item| item.completed).count());
    let shown = items.iter().map(|item| PlanItem { text: first_line(&item.text), done: item.completed });
    TimelineEvent::Plan { done, total: count(items.len()), items: fit_items(shown, |item| item.text.len()).0 }
}

/// Whether an event is work. Starting, and failing, is not.
pub(super) fn is_work(event: &AgentEvent) -> bool {
    match event {
        AgentEvent::Message { .. }
        | AgentEvent::Reasoning { .. }
        | AgentEvent::CommandStarted { .. }
        | AgentEvent::CommandFinished { .. }
        | AgentEvent::FilesChanged { .. }
        | AgentEvent::McpToolCall { .. }
        | AgentEvent::TodoList { .. } => true,
        AgentEvent::SessionStarted { .. }
        | AgentEvent::Usage(_)
        | AgentEvent::Warning { .. }
        | AgentEvent::TransientError { .. }
        | AgentEvent::FatalError { .. }
        | AgentEvent::Other { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::MAX_TEXT_BYTES;

    #[test]
    fn long_texts_and_long_lists_fit_into_an_entry() {
        let long = || "x".repeat(100_000);
        let changes = vec![FileChange { path: "p".repeat(300), kind: FileChangeKind::Other(long()) }; 1_000];
        let events = [
            AgentEvent::Message { text: long() },
            AgentEvent::CommandFinished {
                id: "1".into(),
                command: long(),
                status: CommandStatus::Completed,
                exit_code: None,
                output: long(),
            },
            AgentEvent::FilesChanged { changes, applied: true },
            AgentEvent::TodoList { items: vec![TodoItem { text: long(), completed: false }; 1_000] },
        ];
        for event in events {
            let mut entry = entry_of(&event, None).expect("the timeline contains this event");
            let length: usize = entry.untrusted_texts().map(|text| text.len()).sum();
            assert!(length > 100 && length <= 2 * (MAX_TEXT_BYTES + 50), "{length} bytes of {}", entry.kind());
        }
    }

    #[test]
    fn a_shortened_list_says_how_many_items_are_omitted() {
        let changes = vec![FileChange { path: "p".repeat(1_000), kind: FileChangeKind::Added }; 10];
        let Some(TimelineEvent::FilesChanged { files, omitted, applied: true }) =
            entry_of(&AgentEvent::FilesChanged { changes, applied: true }, None)
        else {
            panic!("the timeline contains this event");
        };
        assert_eq!((files.len() as u64 + omitted, files[0].change.as_str()), (10, "added"));
        let items = (0..500).map(|number| TodoItem { text: format!("item {number}"), completed: number < 450 });
        let Some(TimelineEvent::Plan { done: 450, total: 500, items }) =
            entry_of(&AgentEvent::TodoList { items: items.collect() }, None)
        else {
            panic!("the timeline contains this event");
        };
        assert!(items.len() < 450 && items.iter().all(|item| item.done));
    }

    #[test]
    fn unknown_events_are_only_in_the_log() {
        assert_eq!(entry_of(&AgentEvent::Other { kind: "x".into(), raw: "{}".into() }, None), None);
    }
}
