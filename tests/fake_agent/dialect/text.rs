//! A program that prints plain text, for the backend kind `command`: `--model`, `--resume` and `--sandbox`, with the
//! prompt on stdin or after `--`.

use std::process::ExitCode;

use super::{
    super::call::{SandboxLevel, has, value_of, words_after_dashes},
    AgentCommandLine, Dialect, EditKind, FailedRun, FakeAgentError, FileEdit, FinishedCommand, Invocation, OutputLine,
    SignalBehaviour, TokenCounts, UsageError, print, refused, table,
};

const OPTIONS: &[(&str, &str)] = &[
    ("--model MODEL", "the model"),
    ("--resume SESSION", "resume a session"),
    ("--sandbox SANDBOX", "read-only, workspace-write or danger-full-access"),
    ("--version", "print the version"),
];

/// The command line.
pub(crate) struct TextCommandLine;

impl AgentCommandLine for TextCommandLine {
    fn answer(&self, args: &[&str]) -> Result<Option<ExitCode>, FakeAgentError> {
        if has(args, "--version") {
            return print("text-agent 1.0.0");
        }
        if has(args, "--help") {
            return print(&format!("usage: text-agent [options] < prompt\n\n{}", table(OPTIONS, 22)));
        }
        Ok(refused(args).map(|flag| UsageError::new(format!("unknown option: {flag}"), 2).exit_with_message()))
    }

    fn call(&self, args: &[&str]) -> Invocation {
        Invocation {
            resumed: value_of(args, &["--resume"]).map(str::to_owned),
            model: value_of(args, &["--model"]).map(str::to_owned),
            sandbox: match value_of(args, &["--sandbox"]) {
                Some("read-only") => SandboxLevel::ReadOnly,
                Some("workspace-write") => SandboxLevel::WorkspaceWrite,
                Some(_) | None => SandboxLevel::Full,
            },
            directory: None,
            prompt: words_after_dashes(args),
        }
    }

    fn lost_session(&self, session: &str) -> UsageError {
        UsageError::new(format!("unknown session {session}"), 1)
    }

    fn no_prompt(&self) -> UsageError {
        UsageError::new("missing prompt", 1)
    }

    fn signal_behaviour(&self) -> SignalBehaviour {
        SignalBehaviour::Default
    }

    fn dialect(&self, _: &Invocation, _: &str) -> Box<dyn Dialect> {
        Box::new(TextEvents)
    }
}

/// Lines of plain text.
#[derive(Debug)]
struct TextEvents;

impl Dialect for TextEvents {
    fn begin(&mut self, _: &str) -> Vec<OutputLine> {
        vec![]
    }

    fn say(&mut self, text: &str) -> Vec<OutputLine> {
        vec![OutputLine::Out(text.to_owned())]
    }

    fn command_begins(&mut self, command: &str) -> Vec<OutputLine> {
        vec![OutputLine::Out(format!("$ {command}"))]
    }

    fn command_ends(&mut self, ran: &FinishedCommand) -> Vec<OutputLine> {
        let output = ran.output.trim_end();
        let output = (!output.is_empty()).then(|| OutputLine::Out(output.to_owned()));
        let exit = (ran.exit != 0).then(|| OutputLine::Out(format!("(exit code {})", ran.exit)));
        output.into_iter().chain(exit).collect()
    }

    fn file(&mut self, change: &FileEdit) -> Vec<OutputLine> {
        let what = match change.what {
            EditKind::Added => "added",
            EditKind::Updated => "updated",
            EditKind::Denied => "may not write",
        };
        vec![OutputLine::Out(format!("{what} {}", change.path))]
    }

    fn error(&mut self, message: &str) -> Vec<OutputLine> {
        vec![OutputLine::Err(format!("warning: {message}"))]
    }

    fn fail(&mut self, message: &str) -> FailedRun {
        FailedRun { lines: vec![OutputLine::Err(format!("error: {message}"))], code: 1 }
    }

    fn unknown_model(&mut self, model: &str, _: &str) -> FailedRun {
        self.fail(&format!("unknown model {model}"))
    }

    fn end(&mut self, _: &TokenCounts) -> Vec<OutputLine> {
        vec![]
    }
}
