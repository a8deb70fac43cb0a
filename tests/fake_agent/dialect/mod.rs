//! The agents that the fake agent can imitate: each dialect has a command line, error messages, and events.
//!
//! `FAKE_AGENT` selects a dialect; the default is Codex. A dialect only turns steps into lines: it prints nothing, and
//! touches no file.

mod acp;
mod claude;
mod codex;
mod gemini;
mod opencode;
mod text;

use std::{
    env,
    fmt::Debug,
    io::{self, Write},
    process::ExitCode,
};

use serde_json::{Map, Value, json};

use super::{
    FakeAgentError,
    call::Invocation,
    interrupt::SignalBehaviour,
    output::{self, OutputLine},
    sessions::{SessionLookup, new_uuid},
};

pub(crate) use acp::{AcpEvents, MODES as ACP_MODES, REFUSED as ACP_REFUSED};

/// How a client talks to an agent.
pub(crate) enum Protocol {
    /// One process per prompt.
    Run(Box<dyn AgentCommandLine>),
    /// A conversation on stdin and stdout.
    Conversation,
}

/// The agent selected by `FAKE_AGENT`.
pub(crate) fn protocol() -> Result<Protocol, FakeAgentError> {
    let name = env::var("FAKE_AGENT").unwrap_or_else(|_| "codex".into());
    Ok(Protocol::Run(match name.as_str() {
        "codex" => Box::new(codex::CodexCommandLine),
        "claude" => Box::new(claude::ClaudeCommandLine),
        "gemini" => Box::new(gemini::GeminiCommandLine),
        "opencode" => Box::new(opencode::OpenCodeCommandLine),
        "text" => Box::new(text::TextCommandLine),
        "acp" => return Ok(Protocol::Conversation),
        _ => return Err(FakeAgentError::Script(format!("unknown agent {name:?}"))),
    }))
}

/// The command line of an agent that runs once per prompt, and how it rejects a command line.
pub(crate) trait AgentCommandLine {
    /// Answers everything that is not a task: version, help, an unknown option.
    fn answer(&self, args: &[&str]) -> Result<Option<ExitCode>, FakeAgentError>;

    /// Parses the command line.
    fn call(&self, args: &[&str]) -> Invocation;

    /// The ID of the new or resumed session.
    fn session(&self, call: &Invocation) -> String {
        call.resumed.clone().unwrap_or_else(new_uuid)
    }

    /// Whether it cannot resume this session.
    fn has_lost(&self, _session: &str, known: SessionLookup) -> bool {
        known != SessionLookup::Yes
    }

    /// The error for an unknown session.
    fn lost_session(&self, session: &str) -> UsageError;

    /// The error for a missing prompt.
    fn no_prompt(&self) -> UsageError;

    /// How it reacts to signals.
    fn signal_behaviour(&self) -> SignalBehaviour;

    /// The events of one run.
    fn dialect(&self, call: &Invocation, session: &str) -> Box<dyn Dialect>;
}

/// An error before any event, with its exit code.
#[derive(Debug)]
pub(crate) struct UsageError {
    pub(crate) said: String,
    pub(crate) code: u8,
}

impl UsageError {
    pub(crate) fn new(said: impl Into<String>, code: u8) -> UsageError {
        UsageError { said: said.into(), code }
    }

    /// Prints the error and returns its exit code.
    pub(crate) fn exit_with_message(&self) -> ExitCode {
        output::print_error(&self.said);
        ExitCode::from(self.code)
    }
}

/// The events of one run: the lines that each step produces.
pub(crate) trait Dialect: Debug + Send {
    /// The first lines of a run.
    fn begin(&mut self, prompt: &str) -> Vec<OutputLine>;

    fn say(&mut self, text: &str) -> Vec<OutputLine>;

    fn command_begins(&mut self, command: &str) -> Vec<OutputLine>;

    /// The command that began last has ended.
    fn command_ends(&mut self, ran: &FinishedCommand) -> Vec<OutputLine>;

    /// A file was written, or the write was denied.
    fn file(&mut self, change: &FileEdit) -> Vec<OutputLine>;

    /// An error occurred, and the agent continues.
    fn error(&mut self, message: &str) -> Vec<OutputLine>;

    /// The model failed, which ends the run.
    fn fail(&mut self, message: &str) -> FailedRun;

    /// A complete run with a model that does not exist.
    fn unknown_model(&mut self, model: &str, prompt: &str) -> FailedRun;

    /// The run succeeds.
    fn end(&mut self, usage: &TokenCounts) -> Vec<OutputLine>;
}

/// A command that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FinishedCommand {
    pub(crate) command: String,
    pub(crate) output: String,
    pub(crate) exit: i64,
}

/// A change to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileEdit {
    /// Absolute.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) what: EditKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EditKind {
    Added,
    Updated,
    /// The sandbox denied the write, so nothing changed.
    Denied,
}

/// The end of a failed run.
#[derive(Debug)]
pub(crate) struct FailedRun {
    pub(crate) lines: Vec<OutputLine>,
    pub(crate) code: u8,
}

/// Token counts with Codex's field names. A script may add fields.
#[derive(Debug, Clone)]
pub(crate) struct TokenCounts(Map<String, Value>);

impl TokenCounts {
    pub(crate) fn add(&mut self, fields: &Value) {
        self.0.extend(fields.as_object().cloned().unwrap_or_default());
    }

    fn all(&self) -> Value {
        Value::Object(self.0.clone())
    }

    fn count(&self, key: &str) -> u64 {
        self.0.get(key).and_then(Value::as_u64).unwrap_or(0)
    }

    fn input(&self) -> u64 {
        self.count("input_tokens")
    }

    fn cached(&self) -> u64 {
        self.count("cached_input_tokens")
    }

    fn output(&self) -> u64 {
        self.count("output_tokens")
    }
}

impl Default for TokenCounts {
    fn default() -> TokenCounts {
        let names = ["input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens"];
        let counts = names.into_iter().chain(["reasoning_output_tokens"]).zip([100, 0, 0, 10, 0]);
        TokenCounts(counts.map(|(name, count)| (name.to_owned(), json!(count))).collect())
    }
}

/// Formats an event as a line.
fn event(event: Value) -> OutputLine {
    OutputLine::Out(event.to_string())
}

/// The option among `args` that this agent must reject: the one that `FAKE_AGENT_REFUSES` names.
pub(crate) fn refused<'a>(args: &[&'a str]) -> Option<&'a str> {
    let flag = env::var("FAKE_AGENT_REFUSES").ok()?;
    args.iter()
        .copied()
        .find(|arg| arg.strip_prefix(flag.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))
}

/// Prints text that is not an event, such as the help.
fn print(text: &str) -> Result<Option<ExitCode>, FakeAgentError> {
    writeln!(io::stdout(), "{text}")?;
    Ok(Some(ExitCode::SUCCESS))
}

/// The options of a help text, with their meanings aligned in one column.
fn table(options: &[(&str, &str)], column: usize) -> String {
    options.iter().map(|(option, meaning)| format!("  {option:column$}{meaning}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every dialect, each in a run of session `s`.
    fn all() -> Vec<(&'static str, Box<dyn Dialect>)> {
        let call = Invocation::default();
        vec![
            ("codex", codex::CodexCommandLine.dialect(&call, "s")),
            ("claude", claude::ClaudeCommandLine.dialect(&call, "s")),
            ("gemini", gemini::GeminiCommandLine.dialect(&call, "s")),
            ("opencode", opencode::OpenCodeCommandLine.dialect(&call, "s")),
            ("text", text::TextCommandLine.dialect(&call, "s")),
            ("acp", Box::new(AcpEvents::new("s", json!(4)))),
        ]
    }

    fn shown(lines: &[OutputLine]) -> String {
        lines.iter().map(|line| format!("{}\n", line.text())).collect()
    }

    #[test]
    fn every_dialect_reports_every_step() {
        for (name, mut dialect) in all() {
            let ran = FinishedCommand { command: "make it".into(), output: "no rule".into(), exit: 2 };
            let file = |what| FileEdit { path: "/p/new.txt".into(), text: "x".into(), what };
            dialect.begin("the prompt");
            assert!(shown(&dialect.say("some words")).contains("some words"), "{name}");
            let begun = dialect.command_begins("make it");
            let lines = shown(&begun) + &shown(&dialect.command_ends(&ran));
            assert!(lines.contains("make it") && lines.contains("no rule") && lines.contains('2'), "{name}: {lines}");
            let [added, denied] = [EditKind::Added, EditKind::Denied].map(|what| shown(&dialect.file(&file(what))));
            assert!(added.contains("/p/new.txt") && denied.contains("/p/new.txt"), "{name}: {added}{denied}");
            assert_ne!(added, denied, "{name}");
            assert!(shown(&dialect.error("a hiccup")).contains("a hiccup"), "{name}");
            let failure = dialect.fail("out of luck");
            assert!(shown(&failure.lines).contains("out of luck"), "{name}");
            assert!(failure.code != 0 || name == "acp", "{name}");
        }
    }

    #[test]
    fn every_line_except_plain_text_is_one_json_object() {
        for (name, mut dialect) in all().into_iter().filter(|(name, _)| *name != "text") {
            let mut lines = dialect.begin("two\nlines");
            lines.extend(dialect.say("two\nlines"));
            lines.extend(dialect.end(&TokenCounts::default()));
            for line in lines {
                let is_object = serde_json::from_str::<Value>(line.text()).is_ok_and(|event| event.is_object());
                assert!(is_object && !line.text().contains('\n'), "{name}: {}", line.text());
            }
        }
    }

    #[test]
    fn every_dialect_except_opencode_names_the_unknown_model() {
        for (name, mut dialect) in all() {
            let lines = shown(&dialect.unknown_model("no-such-model", "x").lines);
            // OpenCode only points to its logs.
            assert_eq!(lines.contains("no-such-model"), name != "opencode", "{name}: {lines}");
            assert!(!lines.is_empty(), "{name}");
        }
    }
}
