//! One-line summaries of events, for progress messages and the live view.

use super::{ChangedFile, CommandOutcome, TimelineEvent, WarningSource};
use crate::task::{first_line, span};

impl TimelineEvent {
    /// A one-line summary for people who follow the task. `None` if the event is neither a step of the agent nor about
    /// the queue.
    pub fn headline(&self) -> Option<String> {
        let line = |label: &str, text: &str| Some(format!("{label}: {}", first_line(text)));
        match self {
            Self::Queued { ahead, max_running } => {
                Some(format!("queued: {ahead} ahead (limits.max_running = {max_running})"))
            }
            Self::Message { text } => line("message", text),
            Self::Reasoning { text } => line("reasoning", text),
            Self::CommandStarted { command } => line("command started", command),
            Self::CommandFinished { command, status, exit_code, took, output: _ } => {
                let how = outcome(*status, *exit_code);
                let how = took.map_or_else(|| how.clone(), |took| format!("{how}, {}", span(took)));
                line(&format!("command finished ({how})"), command)
            }
            Self::FilesChanged { files, applied, omitted: _ } => {
                let label = if *applied { "files changed" } else { "files not changed" };
                line(label, &files.iter().map(changed).collect::<Vec<_>>().join(", "))
            }
            Self::Tool { server, tool, error: None } => line("mcp tool", &format!("{server}.{tool}")),
            Self::Tool { server, tool, error: Some(error) } => {
                line("mcp tool failed", &format!("{server}.{tool}: {error}"))
            }
            Self::Plan { done, total, items } => {
                let next = match items.iter().find(|item| !item.done) {
                    Some(item) => first_line(&item.text),
                    None if done == total => "nothing".to_owned(),
                    None => "…".to_owned(),
                };
                Some(format!("todo list: {done} of {total} done, next: {next}"))
            }
            Self::Warning { source, text } => match source {
                WarningSource::Agent => line("agent warning", text),
                WarningSource::AgentTrouble => line("agent trouble", text),
                WarningSource::AgentError => line("agent error", text),
                WarningSource::Connector => None,
            },
            Self::Started { .. }
            | Self::Session { .. }
            | Self::Usage { .. }
            | Self::Output { .. }
            | Self::Silence { .. }
            | Self::Fallback { .. }
            | Self::Stopping { .. }
            | Self::Changes { .. }
            | Self::Ended { .. }
            | Self::Omitted { .. }
            | Self::Unknown { .. } => None,
        }
    }
}

/// How a command ended, as text.
pub(crate) fn outcome(status: CommandOutcome, exit_code: Option<i64>) -> String {
    match (status, exit_code) {
        (CommandOutcome::Declined, _) => "declined".to_owned(),
        (CommandOutcome::Completed | CommandOutcome::Failed, Some(code)) => format!("exit code {code}"),
        (CommandOutcome::Completed, None) => "completed".to_owned(),
        (CommandOutcome::Failed, None) => "failed".to_owned(),
    }
}

fn changed(file: &ChangedFile) -> String {
    format!("{} {}", file.change, file.path)
}
