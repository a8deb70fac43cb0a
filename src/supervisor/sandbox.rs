//! Detects an agent's sandbox in which nothing could run.
//!
//! In a container without user namespaces, every command and every file change of Codex fails before it starts. The
//! agent may or may not mention that, and completes its turn either way.

use connector_api::{AgentEvent, CommandStatus, Line, Sandbox, Warning, sandbox_failure};

/// The outcome of an agent's commands and file changes so far.
#[derive(Debug, Default)]
pub(super) struct SandboxWatch {
    /// Whether a command ran, successfully or not.
    has_run: bool,
    has_changed: bool,
    /// Number of file changes that failed.
    refused_changes: usize,
    /// The first report of a sandbox that could not start.
    failure: Option<Warning>,
}

impl SandboxWatch {
    /// Takes note of an event.
    pub(super) fn observe(&mut self, event: &AgentEvent) {
        match event {
            AgentEvent::CommandFinished { status: CommandStatus::Failed, output, .. } => {
                let failure = sandbox_failure(output);
                self.has_run |= failure.is_none();
                self.failure = self.failure.take().or(failure);
            }
            AgentEvent::CommandFinished { status: CommandStatus::Completed, .. } => self.has_run = true,
            // A declined command says nothing about the sandbox.
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

    /// Takes note of a line on stderr, the only place where Codex reports some failed commands (0.105 to 0.171).
    pub(super) fn observe_stderr(&mut self, line: Line<'_>) {
        if !self.has_run && self.failure.is_none() {
            self.failure = sandbox_failure(&line.text());
        }
    }

    /// Returns a warning if nothing that the agent tried could run in its `sandbox`.
    pub(super) fn warning(&self, sandbox: Sandbox) -> Option<Warning> {
        if sandbox == Sandbox::DangerFullAccess || self.has_run {
            return None;
        }
        if let Some(Warning { message, advice }) = self.failure.clone() {
            return Some(Warning { message: format!("no command could run: {message}"), advice });
        }
        (self.refused_changes > 0 && !self.has_changed && sandbox == Sandbox::WorkspaceWrite).then(|| Warning {
            message: format!("none of the agent's file changes were applied ({} failed)", self.refused_changes),
            advice: Some("see the log for the reason; the sandbox may not work on this machine".to_owned()),
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

    fn warn(events: &[AgentEvent], stderr: &[&str], sandbox: Sandbox) -> Option<String> {
        let mut watch = SandboxWatch::default();
        events.iter().for_each(|event| watch.observe(event));
        stderr.iter().for_each(|line| watch.observe_stderr(Line::Whole(line.as_bytes())));
        watch.warning(sandbox).map(|warning| warning.message)
    }

    const BWRAP: &str = "bwrap: setting up uid map: Permission denied\n";

    #[test]
    fn a_sandbox_that_cannot_start_is_reported() {
        let failed = [command(CommandStatus::Failed, BWRAP), command(CommandStatus::Failed, BWRAP)];
        for sandbox in [Sandbox::ReadOnly, Sandbox::WorkspaceWrite] {
            for message in [warn(&failed, &[], sandbox), warn(&[], &[BWRAP], sandbox)] {
                let message = message.unwrap_or_default();
                assert!(message.starts_with("no command could run: ") && message.contains("uid map"), "{message}");
            }
        }
        assert_eq!(warn(&failed, &[], Sandbox::DangerFullAccess), None, "there is no sandbox");
    }

    #[test]
    fn a_command_that_ran_prevents_the_warning() {
        let failed = command(CommandStatus::Failed, BWRAP);
        for ran in [command(CommandStatus::Completed, ""), command(CommandStatus::Failed, "make: *** [all] Error 2")] {
            assert_eq!(warn(&[failed.clone(), ran], &[], Sandbox::WorkspaceWrite), None);
        }
        assert_eq!(warn(&[command(CommandStatus::Declined, "")], &[], Sandbox::ReadOnly), None);
        assert_eq!(warn(&[], &["WARNING: proceeding, even though we could not update PATH"], Sandbox::ReadOnly), None);
    }

    #[test]
    fn file_changes_that_all_failed_are_reported_where_changes_are_allowed() {
        let change = |applied| AgentEvent::FilesChanged { changes: vec![], applied };
        let refused = [change(false), change(false)];
        let message = warn(&refused, &[], Sandbox::WorkspaceWrite).unwrap_or_default();
        assert!(message.contains("none of the agent's file changes") && message.contains("2 failed"), "{message}");
        assert_eq!(warn(&refused, &[], Sandbox::ReadOnly), None, "they are expected to fail");
        assert_eq!(warn(&[change(false), change(true)], &[], Sandbox::WorkspaceWrite), None);
        assert_eq!(warn(&[change(false), command(CommandStatus::Completed, "")], &[], Sandbox::WorkspaceWrite), None);
        let with_words = [change(false), command(CommandStatus::Failed, BWRAP)];
        assert!(warn(&with_words, &[], Sandbox::WorkspaceWrite).is_some_and(|message| message.contains("bwrap")));
    }
}
