//! Claude Code 2.1.330: `claude -p --output-format stream-json --verbose …`.
//!
//! Its last event contains the answer, the usage, and the denied permissions. A model failure is reported in that
//! event too, and the exit code is 1.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{
    super::{
        call::{SandboxLevel, has, value_of, words_after_dashes},
        sessions::new_uuid,
    },
    AgentCommandLine, Dialect, EditKind, FailedRun, FakeAgentError, FileEdit, FinishedCommand, Invocation, OutputLine,
    SignalBehaviour, TokenCounts, UsageError, event, print, refused, table,
};

const VERSION: &str = "2.1.330";

const OPTIONS: &[(&str, &str)] = &[
    ("--add-dir <directories...>", "More directories Claude can access"),
    ("--append-system-prompt <prompt>", "Add text to the system prompt"),
    ("--allowedTools, --allowed-tools <tools...>", "Tools to allow"),
    ("--dangerously-skip-permissions", "Bypass all permission checks"),
    ("--disallowedTools, --disallowed-tools <tools...>", "Tools to deny"),
    ("--fork-session", "When resuming, create a new session"),
    ("-h, --help", "Display help for command"),
    ("--mcp-config <configs...>", "Load MCP servers"),
    ("--model <model>", "Model for the current session"),
    ("--output-format <format>", "Output format (choices: \"text\", \"json\", \"stream-json\")"),
    ("--permission-mode <mode>", "Permission mode to use for the session"),
    ("-p, --print", "Print response and exit"),
    ("-r, --resume [value]", "Resume a conversation by session ID"),
    ("--session-id <uuid>", "Use a specific session ID"),
    ("--setting-sources <sources>", "Setting sources to load"),
    ("--strict-mcp-config", "Only use MCP servers from --mcp-config"),
    ("--tools <tools...>", "The available tools"),
    ("--verbose", "Override verbose mode setting"),
    ("-v, --version", "Output the version number"),
];

/// The command line.
pub(crate) struct ClaudeCommandLine;

impl AgentCommandLine for ClaudeCommandLine {
    fn answer(&self, args: &[&str]) -> Result<Option<ExitCode>, FakeAgentError> {
        if has(args, "--version") || has(args, "-v") {
            return print(&format!("{VERSION} (Claude Code)"));
        }
        if has(args, "--help") || has(args, "-h") {
            let usage = "Usage: claude [options] [command] [prompt]\n\nClaude Code - use -p/--print for non-interactive \
                         output\n\nOptions:";
            return print(&format!("{usage}\n{}", table(OPTIONS, 52).trim_end()));
        }
        if let Some(flag) = refused(args) {
            return Ok(Some(UsageError::new(format!("error: unknown option '{flag}'"), 1).exit_with_message()));
        }
        let streams = value_of(args, &["--output-format"]) == Some("stream-json");
        let is_refused = streams && !has(args, "--verbose");
        let why = "Error: When using --print, --output-format=stream-json requires --verbose";
        Ok(is_refused.then(|| UsageError::new(why, 1).exit_with_message()))
    }

    fn call(&self, args: &[&str]) -> Invocation {
        let skips_permissions = has(args, "--dangerously-skip-permissions");
        Invocation {
            resumed: value_of(args, &["-r", "--resume"]).map(str::to_owned),
            model: value_of(args, &["--model"]).map(str::to_owned),
            // A permission that would have to be asked for is denied, because there is no user to ask.
            sandbox: match value_of(args, &["--permission-mode"]) {
                Some("bypassPermissions") => SandboxLevel::Full,
                Some(_) | None if skips_permissions => SandboxLevel::Full,
                Some("acceptEdits") => SandboxLevel::WorkspaceWrite,
                Some(_) | None => SandboxLevel::ReadOnly,
            },
            directory: None,
            prompt: words_after_dashes(args),
        }
    }

    fn lost_session(&self, session: &str) -> UsageError {
        UsageError::new(format!("No conversation found with session ID: {session}"), 1)
    }

    fn no_prompt(&self) -> UsageError {
        let said = "Error: Input must be provided either through stdin or as a prompt argument when using --print";
        UsageError::new(said, 1)
    }

    fn signal_behaviour(&self) -> SignalBehaviour {
        SignalBehaviour::Claude
    }

    fn dialect(&self, call: &Invocation, session: &str) -> Box<dyn Dialect> {
        let model = call.model.clone().unwrap_or_else(|| "claude-fake-1".into());
        Box::new(ClaudeEvents { session: session.to_owned(), model, calls: 0, said: String::new(), denied: vec![] })
    }
}

/// The lines of `--output-format stream-json`.
#[derive(Debug)]
struct ClaudeEvents {
    session: String,
    model: String,
    /// The number of tool calls.
    calls: u32,
    said: String,
    denied: Vec<Value>,
}

impl ClaudeEvents {
    fn assistant(&self, model: &str, block: Value) -> OutputLine {
        let message = json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": [block],
            "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 10, "output_tokens": 1},
        });
        event(json!({
            "type": "assistant", "message": message, "parent_tool_use_id": null, "session_id": self.session,
            "uuid": new_uuid(),
        }))
    }

    fn tool_begins(&mut self, name: &str, input: Value) -> OutputLine {
        self.calls += 1;
        self.assistant(&self.model, json!({"type": "tool_use", "id": self.call_id(), "name": name, "input": input}))
    }

    fn tool_ends(&self, content: &str, is_error: bool) -> OutputLine {
        let result =
            json!({"tool_use_id": self.call_id(), "type": "tool_result", "content": content, "is_error": is_error});
        event(json!({
            "type": "user", "message": {"role": "user", "content": [result]}, "parent_tool_use_id": null,
            "session_id": self.session, "uuid": new_uuid(),
        }))
    }

    fn call_id(&self) -> String {
        format!("toolu_{}", self.calls)
    }

    fn result(&self, said: &str, is_error: bool, usage: &TokenCounts) -> OutputLine {
        event(json!({
            "type": "result", "subtype": "success", "is_error": is_error, "result": said,
            "session_id": self.session, "num_turns": self.calls + 1, "duration_ms": 10, "duration_api_ms": 5,
            "total_cost_usd": 0.0002,
            "usage": {
                "input_tokens": usage.input().saturating_sub(usage.cached()),
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": usage.cached(),
                "output_tokens": usage.output(),
            },
            "permission_denials": self.denied, "uuid": new_uuid(),
        }))
    }

    /// A failure appears both in a separate message and in the result.
    fn failed(&self, said: &str) -> FailedRun {
        let message = self.assistant("<synthetic>", json!({"type": "text", "text": said}));
        FailedRun { lines: vec![message, self.result(said, true, &TokenCounts::default())], code: 1 }
    }
}

impl Dialect for ClaudeEvents {
    fn begin(&mut self, _: &str) -> Vec<OutputLine> {
        vec![event(json!({
            "type": "system", "subtype": "init", "session_id": self.session, "model": self.model,
            "tools": ["Bash", "Edit", "Read", "Write"], "mcp_servers": [], "claude_code_version": VERSION,
            "uuid": new_uuid(),
        }))]
    }

    fn say(&mut self, text: &str) -> Vec<OutputLine> {
        text.clone_into(&mut self.said);
        vec![self.assistant(&self.model, json!({"type": "text", "text": text}))]
    }

    fn command_begins(&mut self, command: &str) -> Vec<OutputLine> {
        vec![self.tool_begins("Bash", json!({"command": command, "description": "a command"}))]
    }

    fn command_ends(&mut self, ran: &FinishedCommand) -> Vec<OutputLine> {
        let output = ran.output.trim_end();
        vec![match ran.exit {
            0 if output.is_empty() => self.tool_ends("(Bash completed with no output)", false),
            0 => self.tool_ends(output, false),
            code => self.tool_ends(format!("Exit code {code}\n{output}").trim_end(), true),
        }]
    }

    fn file(&mut self, change: &FileEdit) -> Vec<OutputLine> {
        let path = &change.path;
        let input = json!({"file_path": path, "content": change.text});
        let begun = self.tool_begins("Write", input.clone());
        vec![
            begun,
            match change.what {
                EditKind::Added => self.tool_ends(&format!("File created successfully at: {path}"), false),
                EditKind::Updated => self.tool_ends(&format!("The file {path} has been updated."), false),
                EditKind::Denied => {
                    let id = self.call_id();
                    self.denied.push(json!({"tool_name": "Write", "tool_use_id": id, "tool_input": input}));
                    let said =
                        format!("Claude requested permissions to write to {path}, but you haven't granted it yet.");
                    self.tool_ends(&said, true)
                }
            },
        ]
    }

    fn error(&mut self, message: &str) -> Vec<OutputLine> {
        vec![event(json!({
            "type": "system", "subtype": "api_retry", "attempt": 1, "max_retries": 10, "retry_delay_ms": 500,
            "error": message, "session_id": self.session, "uuid": new_uuid(),
        }))]
    }

    fn fail(&mut self, message: &str) -> FailedRun {
        self.failed(&format!("API Error: 400 {message}"))
    }

    fn unknown_model(&mut self, model: &str, prompt: &str) -> FailedRun {
        let said = format!(
            "There's an issue with the selected model ({model}). It may not exist or you may not have access to it. Run \
             --model to pick a different model."
        );
        let mut failure = self.failed(&said);
        failure.lines.splice(0..0, self.begin(prompt));
        failure
    }

    fn end(&mut self, usage: &TokenCounts) -> Vec<OutputLine> {
        vec![self.result(&self.said, false, usage)]
    }
}
