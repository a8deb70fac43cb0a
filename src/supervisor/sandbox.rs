//! Whether an agent could run anything in its sandbox at all.
//!
//! In a container without user namespaces every command of Codex fails before it begins, and so does every change of a
//! file. The agent says something about it or does not, and ends its turn as if all were well. Agents that sandbox their
//! commands use the same few programs for it, so what they print is looked for here, for every kind.

use connector_api::{AgentEvent, CommandStatus, Line, Sandbox, Warning};

/// Parts of what the programs print that make a sandbox, in lower case: bubblewrap, Codex's own helper (0.44 to 0.171) and
/// `sandbox-exec` of macOS.
const CANNOT_START: [&str; 8] = [
    "bwrap: ",
    "bubblewrap is unavailable",
    "failed rtm_newaddr",
    "failed rtm_newlink",
    "needs access to create user namespaces",
    "landlockrestrict",
    "error running landlock",
    "sandbox_apply: operation not permitted",
];

/// What a sandbox prints when it cannot start is short. In a longer text the words are somebody's output.
const LONGEST: usize = 2_000;

/// What an agent's commands and changes came to so far.
#[derive(Debug, Default)]
pub(super) struct SandboxWatch {
    /// A command ran, whatever came of it.
    has_run: bool,
    has_changed: bool,
    /// Changes that were not made.
    refused_changes: usize,
    /// The first words of a sandbox that could not start.
    words: Option<String>,
}

impl SandboxWatch {
    /// Something that the agent did.
    pub(super) fn hear(&mut self, event: &AgentEvent) {
        match event {
            AgentEvent::CommandFinished { status: CommandStatus::Failed, output, .. } => {
                let was_stopped = self.notice(output);
                self.has_run |= !was_stopped;
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
        if !self.has_run && self.words.is_none() {
            self.notice(&line.text());
        }
    }

    /// Whether `text` comes from a sandbox that could not start.
    fn notice(&mut self, text: &str) -> bool {
        if text.len() > LONGEST {
            return false;
        }
        let cannot_start = |line: &&str| {
            let line = line.to_lowercase();
            CANNOT_START.iter().any(|words| line.contains(words))
        };
        let Some(line) = text.lines().find(cannot_start) else { return false };
        self.words.get_or_insert_with(|| line.trim().to_owned());
        true
    }

    /// What to tell the user, when nothing that the agent tried could run in its `sandbox`.
    pub(super) fn warning(&self, sandbox: Sandbox) -> Option<Warning> {
        if sandbox == Sandbox::DangerFullAccess || self.has_run {
            return None;
        }
        if let Some(words) = &self.words {
            return Some(Warning {
                message: format!("no command could run, because the agent's sandbox could not start: {words}"),
                advice: Some(
                    "install bubblewrap and allow user namespaces on this machine (for a container, run it without the \
                     seccomp profile that forbids them), or ask for `danger-full-access` where the container is the \
                     sandbox"
                        .to_owned(),
                ),
            });
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

    /// What real programs printed, as command output or on stderr.
    const REAL: [&str; 7] = [
        "bwrap: Creating new namespace failed: nesting depth or /proc/sys/user/max_*_namespaces exceeded (ENOSPC)\n",
        "bwrap: No permissions to create a new namespace, likely because the kernel does not allow non-privileged user \
         namespaces. On e.g. debian this can be enabled with 'sysctl kernel.unprivileged_userns_clone=1'.\n",
        "bwrap: setting up uid map: Permission denied",
        "bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted",
        "bubblewrap is unavailable: no system bwrap was found on PATH and no bundled codex-resources/bwrap binary was found",
        "thread 'main' panicked at linux-sandbox/src/linux_run_main.rs:30:9:\nerror running landlock: Sandbox(LandlockRestrict)",
        "sandbox-exec: sandbox_apply: Operation not permitted",
    ];

    #[test]
    fn every_known_word_of_a_sandbox_that_cannot_start_is_told_in_the_weaker_sandboxes() {
        for words in REAL {
            let failed = [command(CommandStatus::Failed, words), command(CommandStatus::Failed, words)];
            for sandbox in [Sandbox::ReadOnly, Sandbox::WorkspaceWrite] {
                for message in [told(&failed, &[], sandbox), told(&[], &[words], sandbox)] {
                    assert!(message.is_some_and(|message| message.contains("sandbox could not start: ")), "{words}");
                }
            }
            assert_eq!(told(&failed, &[], Sandbox::DangerFullAccess), None, "there is no sandbox");
        }
    }

    #[test]
    fn one_command_that_ran_is_enough_to_say_nothing() {
        let failed = command(CommandStatus::Failed, REAL[0]);
        for ran in [command(CommandStatus::Completed, ""), command(CommandStatus::Failed, "make: *** [all] Error 2")] {
            assert_eq!(told(&[failed.clone(), ran], &[], Sandbox::WorkspaceWrite), None);
        }
        let long = format!("{}{}", "x\n".repeat(LONGEST), REAL[0]);
        assert_eq!(told(&[command(CommandStatus::Failed, &long)], &[], Sandbox::WorkspaceWrite), None);
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
        let with_words = [change(false), command(CommandStatus::Failed, REAL[0])];
        assert!(told(&with_words, &[], Sandbox::WorkspaceWrite).is_some_and(|message| message.contains("bwrap")));
    }
}
