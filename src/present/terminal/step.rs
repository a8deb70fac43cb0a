//! A step of an agent, as a sentence for a person.

use super::length;
use crate::task::{TimelineEvent, WarningSource, first_line, outcome};

/// Shells whose name is left out before their script.
const SHELLS: [&str; 3] = ["bash", "sh", "zsh"];

/// The step in one sentence, not escaped; `None` if a person need not see it.
pub(crate) fn step(event: &TimelineEvent) -> Option<String> {
    let tasks = |count: u64| if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") };
    Some(match event {
        TimelineEvent::Queued { ahead: 0, .. } => "waits for a free slot".to_owned(),
        TimelineEvent::Queued { ahead, .. } => format!("waits, {} ahead", tasks(*ahead)),
        TimelineEvent::Started { backend, version, attempt: _ } => {
            let version = version.as_ref().map_or(String::new(), |version| format!(" {version}"));
            format!("{backend}{version} started")
        }
        TimelineEvent::Message { text } => format!("says: {text}"),
        TimelineEvent::Reasoning { text } => format!("thinks: {}", first_line(text)),
        TimelineEvent::CommandStarted { command } => format!("runs: {}", script(command)),
        TimelineEvent::CommandFinished { command, status, exit_code, took, output: _ } => {
            let took = took.map_or(String::new(), |took| format!(", {}", length(took)));
            format!("ran: {} ({}{took})", script(command), outcome(*status, *exit_code))
        }
        TimelineEvent::FilesChanged { files, omitted, applied } => {
            let paths = files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>().join(", ");
            let more = if *omitted > 0 { format!(" and {omitted} more") } else { String::new() };
            let verb = if *applied { "changed" } else { "could not change" };
            format!("{verb}: {paths}{more}")
        }
        TimelineEvent::Tool { server, tool, error: None } => format!("called: {server}.{tool}"),
        TimelineEvent::Tool { server, tool, error: Some(error) } => {
            format!("call failed: {server}.{tool}: {}", first_line(error))
        }
        TimelineEvent::Plan { done, total, items } => match items.iter().find(|item| !item.done) {
            Some(item) => format!("plan: {done} of {total} done, next: {}", first_line(&item.text)),
            None => format!("plan: {done} of {total} done"),
        },
        TimelineEvent::Output { text } => format!("prints: {text}"),
        TimelineEvent::Warning { source, text, .. } => match source {
            WarningSource::Connector => format!("warning: {text}"),
            WarningSource::Agent => format!("warning of the agent: {text}"),
            WarningSource::AgentTrouble => format!("trouble: {text}"),
            WarningSource::AgentError => format!("error of the agent: {text}"),
        },
        TimelineEvent::Silence { lasting } => format!("silent for {}", length(*lasting)),
        TimelineEvent::Fallback { reason, to: Some(backend) } => format!("{backend} takes over: {reason}"),
        TimelineEvent::Fallback { reason, to: None } => format!("no fallback is left: {reason}"),
        TimelineEvent::Stopping { cause } => format!("stopping: {cause}"),
        TimelineEvent::Changes { files, added, removed, .. } => {
            format!("changed {files} files in total, +{added} -{removed} lines")
        }
        TimelineEvent::Omitted { count } => format!("{count} entries left out"),
        TimelineEvent::Session { .. }
        | TimelineEvent::Usage { .. }
        | TimelineEvent::Ended { .. }
        | TimelineEvent::Unknown { .. } => return None,
    })
}

/// The script of `bash -lc SCRIPT`, as Codex writes most commands, or the command itself.
fn script(command: &str) -> String {
    let words = shlex::split(command).unwrap_or_default();
    match words.as_slice() {
        [shell, option, script]
            if SHELLS.contains(&shell.rsplit('/').next().unwrap_or_default())
                && ["-c", "-lc"].contains(&option.as_str()) =>
        {
            script.clone()
        }
        _ => command.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::task::{ChangedFile, CommandOutcome};

    #[test]
    fn a_step_is_a_short_sentence() {
        let command = |command: &str| TimelineEvent::CommandStarted { command: command.to_owned() };
        let finished = TimelineEvent::CommandFinished {
            command: "/bin/bash -lc 'cargo test -p parser'".to_owned(),
            status: CommandOutcome::Failed,
            exit_code: Some(101),
            took: Some(Duration::from_secs(72)),
            output: "much".to_owned(),
        };
        let file = |path: &str| ChangedFile { path: path.to_owned(), change: "updated".to_owned() };
        let changed =
            TimelineEvent::FilesChanged { files: vec![file("a.rs"), file("b.rs")], omitted: 3, applied: true };
        for (event, expected) in [
            (command("/bin/bash -lc 'cargo test -p parser'"), Some("runs: cargo test -p parser")),
            (command("bash -lc 'unfinished"), Some("runs: bash -lc 'unfinished")),
            (command("bash -x script"), Some("runs: bash -x script")),
            (finished, Some("ran: cargo test -p parser (exit code 101, 1m12s)")),
            (changed, Some("changed: a.rs, b.rs and 3 more")),
            (TimelineEvent::Queued { ahead: 1, max_running: 2 }, Some("waits, 1 task ahead")),
            (TimelineEvent::Message { text: "one\ntwo".to_owned() }, Some("says: one\ntwo")),
            (TimelineEvent::Session { id: "s".to_owned() }, None),
        ] {
            assert_eq!(step(&event).as_deref(), expected);
        }
    }
}
