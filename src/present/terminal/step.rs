//! Descriptions of an agent's steps.

use super::length;
use crate::task::{ChangedFile, Outcome, TimelineEvent, WarningSource, outcome, script};

/// The step in one sentence, not escaped; `None` if a person need not see it.
pub(crate) fn step(event: &TimelineEvent) -> Option<String> {
    let label = match event {
        TimelineEvent::Started { .. } => "started: ",
        TimelineEvent::Message { .. } => "says: ",
        TimelineEvent::Reasoning { .. } => "thinks: ",
        TimelineEvent::CommandStarted { .. } => "runs: ",
        TimelineEvent::CommandFinished { .. } => "ran: ",
        TimelineEvent::Tool { error: None, .. } => "called: ",
        TimelineEvent::Tool { error: Some(_), .. } => "call failed: ",
        TimelineEvent::Plan { .. } => "plan: ",
        TimelineEvent::Output { .. } => "prints: ",
        TimelineEvent::Warning { source, .. } => match source {
            WarningSource::Connector => "warning: ",
            WarningSource::Agent => "agent warning: ",
            WarningSource::AgentTrouble => "agent trouble: ",
            WarningSource::AgentError => "agent error: ",
        },
        TimelineEvent::Stopping { .. } => "stopping: ",
        TimelineEvent::Queued { .. }
        | TimelineEvent::FilesChanged { .. }
        | TimelineEvent::Silence { .. }
        | TimelineEvent::Fallback { .. }
        | TimelineEvent::Changes { .. }
        | TimelineEvent::Omitted { .. } => "",
        TimelineEvent::Session { .. }
        | TimelineEvent::Usage { .. }
        | TimelineEvent::Ended { .. }
        | TimelineEvent::Unknown { .. } => return None,
    };
    Some(format!("{label}{}", detail(event)))
}

/// The content of an event without its kind, not escaped.
pub(crate) fn detail(event: &TimelineEvent) -> String {
    match event {
        TimelineEvent::Queued { ahead: 0, .. } => "waits for a free slot".to_owned(),
        TimelineEvent::Queued { ahead: 1, .. } => "waits, 1 task ahead".to_owned(),
        TimelineEvent::Queued { ahead, .. } => format!("waits, {ahead} tasks ahead"),
        TimelineEvent::Started { backend, version, attempt } => {
            let version = version.as_ref().map_or(String::new(), |version| format!(" {version}"));
            let attempt = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
            format!("{backend}{version}{attempt}")
        }
        TimelineEvent::Session { id } => id.clone(),
        TimelineEvent::Message { text }
        | TimelineEvent::Reasoning { text }
        | TimelineEvent::Output { text }
        | TimelineEvent::Warning { text, .. } => text.clone(),
        TimelineEvent::CommandStarted { command } => script(command).into_owned(),
        TimelineEvent::CommandFinished { command, status, exit_code, took, output: _ } => {
            let took = took.map_or(String::new(), |took| format!(", {}", length(took)));
            format!("{} ({}{took})", script(command), outcome(*status, *exit_code))
        }
        TimelineEvent::FilesChanged { files, omitted, applied } => {
            let changed = |file: &ChangedFile| format!("{} {}", file.change, file.path);
            let path = |file: &ChangedFile| file.path.clone();
            let (label, names): (_, Vec<_>) = match applied {
                true => ("", files.iter().map(changed).collect()),
                false => ("could not change ", files.iter().map(path).collect()),
            };
            let more = if *omitted > 0 { format!(" and {omitted} more") } else { String::new() };
            format!("{label}{}{more}", names.join(", "))
        }
        TimelineEvent::Tool { server, tool, error: None } => format!("{server}.{tool}"),
        TimelineEvent::Tool { server, tool, error: Some(error) } => format!("{server}.{tool}: {error}"),
        TimelineEvent::Plan { done, total, items } => {
            let next = items.iter().find(|item| !item.done);
            let next = next.map_or(String::new(), |item| format!(", next: {}", item.text));
            format!("{done} of {total} done{next}")
        }
        TimelineEvent::Usage { usage } => format!("{} in, {} out", usage.input_tokens, usage.output_tokens),
        TimelineEvent::Silence { lasting } => format!("no output for {}", length(*lasting)),
        TimelineEvent::Fallback { reason, to: Some(backend) } => format!("{backend} takes over: {reason}"),
        TimelineEvent::Fallback { reason, to: None } => format!("no fallback is left: {reason}"),
        TimelineEvent::Stopping { cause } => cause.clone(),
        TimelineEvent::Changes { files, added, removed, .. } => {
            let files = if *files == 1 { "1 file".to_owned() } else { format!("{files} files") };
            format!("changed {files} in total, +{added} -{removed} lines")
        }
        TimelineEvent::Ended { status, reason, .. } => {
            let raw_reason = reason.as_deref();
            let reason = raw_reason.map_or(String::new(), |reason| format!(": {reason}"));
            // The same word as in lists of tasks.
            let outcome = status.end().map(|end| Outcome::of_end(end, raw_reason).as_str());
            format!("{}{reason}", outcome.unwrap_or(status.as_str()))
        }
        TimelineEvent::Omitted { count } => format!("{count} entries left out"),
        TimelineEvent::Unknown { .. } => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::task::{CommandOutcome, TaskStatus};

    #[test]
    fn an_end_has_the_same_word_as_in_lists() {
        let end = |status, reason: Option<&str>| TimelineEvent::Ended {
            status,
            reason: reason.map(str::to_owned),
            exit_code: None,
            exit_signal: None,
            took: None,
        };
        let timeout = "Timeout after 1m 0s (limit: 1m 0s)";
        assert_eq!(detail(&end(TaskStatus::Failed, Some(timeout))), format!("timed_out: {timeout}"));
        assert_eq!(detail(&end(TaskStatus::Failed, Some("Cancelled by user"))), "cancelled: Cancelled by user");
        assert_eq!(detail(&end(TaskStatus::Completed, None)), "completed");
    }

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
        let files =
            |applied| TimelineEvent::FilesChanged { files: vec![file("a.rs"), file("b.rs")], omitted: 3, applied };
        let tool =
            TimelineEvent::Tool { server: "db".to_owned(), tool: "query".to_owned(), error: Some("down".to_owned()) };
        let trouble =
            TimelineEvent::Warning { source: WarningSource::AgentTrouble, text: "offline".to_owned(), offline: true };
        for (event, expected) in [
            (command("/bin/bash -lc 'cargo test -p parser'"), Some("runs: cargo test -p parser")),
            (finished, Some("ran: cargo test -p parser (exit code 101, 1m12s)")),
            (files(true), Some("updated a.rs, updated b.rs and 3 more")),
            (files(false), Some("could not change a.rs, b.rs and 3 more")),
            (tool, Some("call failed: db.query: down")),
            (trouble, Some("agent trouble: offline")),
            (TimelineEvent::Queued { ahead: 1, max_running: 2 }, Some("waits, 1 task ahead")),
            (TimelineEvent::Message { text: "one\ntwo".to_owned() }, Some("says: one\ntwo")),
            (TimelineEvent::Session { id: "s".to_owned() }, None),
        ] {
            assert_eq!(step(&event).as_deref(), expected);
        }
    }
}
