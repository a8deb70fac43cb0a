//! Whether an agent could run anything in its sandbox at all.
//!
//! In a container without user namespaces every command of Codex fails before it begins, and so does every change of a
//! file. The agent says something about it or does not, and ends its turn as if all were well.

use connector_api::{AgentEvent, CommandStatus, Line, Sandbox, Warning, sandbox_failure};

/// What an agent's commands and changes came to so far.
#[derive(Debug, Default)]
pub(super) struct SandboxWatch {
    /// A command ran, whatever came of it.
    has_run: bool,
    has_changed: bool,
    /// Changes that were not made.
    refused_changes: usize,
    /// The first time that a sandbox could not start.
    failure: Option<Warning>,
}

impl SandboxWatch {
    /// Something that the agent did.
    pub(super) fn hear(&mut self, event: &AgentEvent) {
        match event {
            AgentEvent::CommandFinished { status: CommandStatus::Failed, output, .. } => {
                let failure = sandbox_failure(output);
                self.has_run |= failure.is_none();
                self.failure = self.failure.take().or(failure);
            }
            AgentEvent::CommandFinished { status: CommandStatus::Completed, .. } => self.has_run = true,
            // It was not allowed to.
            AgentEvent::CommandFinished { status: CommandStatus::Declined, .. } => {}
            AgentEvent::FilesChanged { applied: true, .. } => self.has_changed = true,
            AgentEvent::FilesChanged { applied: false, .. } => self.refused_changes += 1,
            AgentEvent::SessionStarted { .. }
            | AgentEvent::Message { .. }
            | AgentEvent::Reasoning { .. }
            | AgentEvent::CommandStarted { .. }
            | AgentEvent::McpToolCall { .. }
            | AgentEvent::TodoList { .. }
            | AgentEvent::Usage(_)
            | AgentEvent::Warning { .. }
            | AgentEvent::TransientError { .. }
            | AgentEvent::FatalError { .. }
            | AgentEvent::Other { .. } => {}
        }
    }

    /// A line of stderr: Codex reports some failures of commands only there (0.105 to 0.171).
    pub(super) fn hear_stderr(&mut self, line: Line<'_>) {
        if !self.has_run && self.failure.is_none() {
            self.failure = sandbox_failure(&line.text());
        }
    }

    /// What to tell the user, when nothing that the agent tried could run in its `sandbox`.
    pub(super) fn warning(&self, sandbox: Sandbox) -> Option<Warning> {
        if sandbox == Sandbox::DangerFullAccess || self.has_run {
            return None;
        }
        if let Some(Warning { message, advice }) = self.failure.clone() {
            return Some(Warning { message: format!("no command could run: {message}"), advice });
        }
        (self.refused_changes > 0 && !self.has_changed && sandbox == Sandbox::WorkspaceWrite).then(|| Warning {
            message: format!("none of the agent's changes to files was made ({} failed)", self.refused_changes),
            advice: Some("look at the log for the reason; the sandbox may not work on this machine".to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(status: CommandStatus, output: &str) -> AgentEvent {
        let exit_code = Some(i64::from(status != CommandStatus::Completed));
        AgentEvent::CommandFinished { id: "1".into(), command: "x".into(), status, exit_code, output: output.into() }
    }

    fn told(events: &[AgentEvent], stderr: &[&str], sandbox: Sandbox) -> Option<String> {
        let mut watch = SandboxWatch::default();
        events.iter().for_each(|event| watch.hear(event));
        stderr.iter().for_each(|line| watch.hear_stderr(Line::Whole(line.as_bytes())));
        watch.warning(sandbox).map(|warning| warning.message)
    }

    const BWRAP: &str = "bwrap: setting up uid map: Permission denied\n";

    #[test]
    fn a_sandbox_that_cannot_start_is_told_in_the_weaker_sandboxes() {
        let failed = [command(CommandStatus::Failed, BWRAP), command(CommandStatus::Failed, BWRAP)];
        for sandbox in [Sandbox::ReadOnly, Sandbox::WorkspaceWrite] {
            for message in [told(&failed, &[], sandbox), told(&[], &[BWRAP], sandbox)] {
                let message = message.unwrap_or_default();
                assert!(message.starts_with("no command could run: ") && message.contains("uid map"), "{message}");
            }
        }
        assert_eq!(told(&failed, &[], Sandbox::DangerFullAccess), None, "there is no sandbox");
    }

    #[test]
    fn one_command_that_ran_is_enough_to_say_nothing() {
        let failed = command(CommandStatus::Failed, BWRAP);
        for ran in [command(CommandStatus::Completed, ""), command(CommandStatus::Failed, "make: *** [all] Error 2")] {
            assert_eq!(told(&[failed.clone(), ran], &[], Sandbox::WorkspaceWrite), None);
        }
        assert_eq!(told(&[command(CommandStatus::Declined, "")], &[], Sandbox::ReadOnly), None);
        assert_eq!(told(&[], &["WARNING: proceeding, even though we could not update PATH"], Sandbox::ReadOnly), None);
    }

    #[test]
    fn changes_of_which_none_was_made_are_told_where_they_are_allowed() {
        let change = |applied| AgentEvent::FilesChanged { changes: vec![], applied };
        let refused = [change(false), change(false)];
        let message = told(&refused, &[], Sandbox::WorkspaceWrite).unwrap_or_default();
        assert!(message.contains("none of the agent's changes") && message.contains("2 failed"), "{message}");
        assert_eq!(told(&refused, &[], Sandbox::ReadOnly), None, "nothing else was to be expected");
        assert_eq!(told(&[change(false), change(true)], &[], Sandbox::WorkspaceWrite), None);
        assert_eq!(told(&[change(false), command(CommandStatus::Completed, "")], &[], Sandbox::WorkspaceWrite), None);
        let with_words = [change(false), command(CommandStatus::Failed, BWRAP)];
        assert!(told(&with_words, &[], Sandbox::WorkspaceWrite).is_some_and(|message| message.contains("bwrap")));
    }
}
