//! One-line summaries of events, for progress messages and the live view.

use std::borrow::Cow;

use super::{ChangedFile, CommandOutcome, TimelineEvent, WarningSource};
use crate::task::{first_line, span};

impl TimelineEvent {
    /// A one-line summary for people who follow the task. `None` if the event is neither a step of the agent nor about
    /// the queue.
    pub fn headline(&self) -> Option<String> {
        let line = |label: &str, text: &str| Some(format!("{label}: {}", first_line(text)));
        match self {
            Self::Queued { ahead, max_running: 0 } => {
                Some(format!(r#"queued: {ahead} ahead (workspace.parallel = "queue")"#))
            }
            Self::Queued { ahead, max_running } => {
                Some(format!("queued: {ahead} ahead (limits.max_running = {max_running})"))
            }
            Self::Message { text } => line("message", text),
            Self::Reasoning { text } => line("reasoning", text),
            Self::CommandStarted { command } => line("command started", &script(command)),
            Self::CommandFinished { command, status, exit_code, took, output: _ } => {
                let how = outcome(*status, *exit_code);
                let how = took.map_or_else(|| how.clone(), |took| format!("{how}, {}", span(took)));
                line(&format!("command finished ({how})"), &script(command))
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
            Self::Warning { source, text, .. } => match source {
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

/// The script in a command such as `/bin/bash -lc 'make test'`, the form in which Codex reports every command; or the whole
/// command.
pub(crate) fn script(command: &str) -> Cow<'_, str> {
    let is_wrapped = command.split_once(' ').is_some_and(|(shell, rest)| {
        let shell = shell.rsplit('/').next().unwrap_or(shell);
        ["bash", "zsh", "sh"].contains(&shell) && ["-lc ", "-c "].iter().any(|flag| rest.starts_with(flag))
    });
    if is_wrapped
        && let Some(words) = shlex::split(command)
        && let Ok([_, _, script]) = <[String; 3]>::try_from(words)
    {
        return script.into();
    }
    command.into()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_around_a_command_is_left_out() {
        for (command, headline) in [
            ("/bin/bash -lc 'sleep 0.3; echo hi'", "sleep 0.3; echo hi"),
            ("bash -lc ls", "ls"),
            ("/usr/bin/zsh -c \"echo 'a b'\"", "echo 'a b'"),
            // Not a shell, or more than a script.
            ("make 'a b'", "make 'a b'"),
            ("bash script.sh", "bash script.sh"),
            ("bash -lc 'echo $0' name", "bash -lc 'echo $0' name"),
            ("bash -lc 'unclosed", "bash -lc 'unclosed"),
        ] {
            let event = TimelineEvent::CommandStarted { command: command.to_owned() };
            assert_eq!(event.headline(), Some(format!("command started: {headline}")));
        }
    }
}
