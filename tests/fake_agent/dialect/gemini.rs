//! Gemini CLI 0.61.0: `gemini -o stream-json …`.
//!
//! Its messages are chunks: two in a row are one message. The exit code of a failure is the low byte of the HTTP
//! status.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{
    super::call::{SandboxLevel, has, value_of},
    AgentCommandLine, Dialect, EditKind, FailedRun, FakeAgentError, FileEdit, FinishedCommand, Invocation, OutputLine,
    SignalBehaviour, TokenCounts, UsageError, event, print, refused, table,
};

/// The low bytes of 400 and 404.
const BAD_REQUEST: u8 = 144;
const NOT_FOUND: u8 = 148;

const DEFAULT_MODEL: &str = "gemini-2.5-pro";

const OPTIONS: &[(&str, &str)] = &[
    ("-m, --model", "Model  [string]"),
    ("-p, --prompt", "Run in non-interactive (headless) mode with the given prompt  [string]"),
    ("    --skip-trust", "Trust the current workspace for this session.  [boolean] [default: false]"),
    ("-s, --sandbox", "Run in sandbox?  [boolean]"),
    ("-y, --yolo", "Automatically accept all actions  [boolean] [default: false]"),
    (
        "    --approval-mode",
        "Set the approval mode  [string] [choices: \"default\", \"auto_edit\", \"yolo\", \"plan\"]",
    ),
    ("    --acp", "Starts the agent in ACP mode  [boolean]"),
    ("-e, --extensions", "A list of extensions to use  [array]"),
    ("-r, --resume", "Resume a previous session  [string]"),
    ("    --session-id", "Start a new session with a manually provided UUID.  [string]"),
    ("    --include-directories", "Additional directories to include in the workspace  [array]"),
    ("-o, --output-format", "The format of the CLI output.  [string] [choices: \"text\", \"json\", \"stream-json\"]"),
    ("-v, --version", "Show version number  [boolean]"),
    ("-h, --help", "Show help  [boolean]"),
];

/// The command line.
pub(crate) struct GeminiCommandLine;

impl AgentCommandLine for GeminiCommandLine {
    fn answer(&self, args: &[&str]) -> Result<Option<ExitCode>, FakeAgentError> {
        if has(args, "--version") || has(args, "-v") {
            return print("0.61.0");
        }
        let usage = "Usage: gemini [options] [command]\n\nGemini CLI - Defaults to interactive mode. Use -p/--prompt for \
                     non-interactive (headless) mode.\n\nOptions:";
        let help = format!("{usage}\n{}", table(OPTIONS, 32).trim_end());
        if has(args, "--help") || has(args, "-h") {
            return print(&help);
        }
        let name = |flag: &str| flag.split('=').next().unwrap_or(flag).trim_start_matches('-').to_owned();
        Ok(refused(args)
            .map(|flag| UsageError::new(format!("Unknown argument: {}\n{help}", name(flag)), 1).exit_with_message()))
    }

    fn call(&self, args: &[&str]) -> Invocation {
        let mode = value_of(args, &["--approval-mode"]);
        Invocation {
            resumed: value_of(args, &["-r", "--resume"]).map(str::to_owned),
            model: value_of(args, &["-m", "--model"]).map(str::to_owned),
            sandbox: match mode {
                Some("yolo") => SandboxLevel::Full,
                None if has(args, "-y") || has(args, "--yolo") => SandboxLevel::Full,
                Some("auto_edit") => SandboxLevel::WorkspaceWrite,
                Some(_) | None => SandboxLevel::ReadOnly,
            },
            directory: None,
            prompt: value_of(args, &["-p", "--prompt"]).map(str::to_owned),
        }
    }

    fn lost_session(&self, session: &str) -> UsageError {
        let said = format!(
            "Error resuming session: Invalid session identifier \"{session}\".\n  \
             Use --list-sessions to see available sessions, then use --resume {{number}}, --resume {{uuid}}, or --resume \
             latest."
        );
        UsageError::new(said, 1)
    }

    fn no_prompt(&self) -> UsageError {
        let said = "No input provided via stdin. Input can be provided by piping data into gemini or using the --prompt \
                    option.";
        UsageError::new(said, 42)
    }

    fn signal_behaviour(&self) -> SignalBehaviour {
        SignalBehaviour::Gemini
    }

    fn dialect(&self, call: &Invocation, session: &str) -> Box<dyn Dialect> {
        let model = call.model.clone().unwrap_or_else(|| DEFAULT_MODEL.into());
        Box::new(GeminiEvents { session: session.to_owned(), model, calls: 0, tool: String::new() })
    }
}

/// The lines of `-o stream-json`.
#[derive(Debug)]
struct GeminiEvents {
    session: String,
    model: String,
    /// The number of tool calls, and the ID of the last one.
    calls: u32,
    tool: String,
}

impl GeminiEvents {
    fn event(&self, kind: &str, fields: Value) -> OutputLine {
        let mut whole = json!({"type": kind, "timestamp": "2026-11-26T12:00:00.000Z"});
        if let (Some(whole), Value::Object(fields)) = (whole.as_object_mut(), fields) {
            whole.extend(fields);
        }
        event(whole)
    }

    fn tool_begins(&mut self, name: &str, parameters: Value) -> OutputLine {
        self.calls += 1;
        self.tool = format!("{name}__{name}_{}_0", self.calls);
        self.event("tool_use", json!({"tool_name": name, "tool_id": self.tool, "parameters": parameters}))
    }

    fn result(&self, status: &str, error: Option<&str>, usage: &TokenCounts) -> OutputLine {
        let (input, output) = (usage.input(), usage.output());
        let mut fields = json!({"status": status});
        if let Some(message) = error {
            fields["error"] = json!({"type": "unknown", "message": message});
        }
        fields["stats"] = json!({
            "total_tokens": input + output, "input_tokens": input, "output_tokens": output, "cached": usage.cached(),
            "input": input.saturating_sub(usage.cached()), "duration_ms": 10, "tool_calls": self.calls, "models": {},
        });
        self.event("result", fields)
    }

    fn failed(&self, message: &str, code: u8) -> FailedRun {
        let mut usage = TokenCounts::default();
        usage.add(&json!({"input_tokens": 0, "output_tokens": 0}));
        let failure = OutputLine::Err(format!("Error when talking to Gemini API {message}"));
        let result = self.result("error", Some(&format!("[API Error: {message}]")), &usage);
        FailedRun { lines: vec![failure, result], code }
    }
}

impl Dialect for GeminiEvents {
    fn begin(&mut self, prompt: &str) -> Vec<OutputLine> {
        vec![
            self.event("init", json!({"session_id": self.session, "model": self.model})),
            self.event("message", json!({"role": "user", "content": prompt})),
        ]
    }

    fn say(&mut self, text: &str) -> Vec<OutputLine> {
        vec![self.event("message", json!({"role": "assistant", "content": text, "delta": true}))]
    }

    fn command_begins(&mut self, command: &str) -> Vec<OutputLine> {
        vec![self.tool_begins("run_shell_command", json!({"command": command, "description": "a command"}))]
    }

    /// If there is no output, the exit code is reported instead.
    fn command_ends(&mut self, ran: &FinishedCommand) -> Vec<OutputLine> {
        let output = match ran.output.trim_end() {
            "" if ran.exit != 0 => format!("Command exited with code: {}", ran.exit),
            output => output.to_owned(),
        };
        vec![self.event("tool_result", json!({"tool_id": self.tool, "status": "success", "output": output}))]
    }

    fn file(&mut self, change: &FileEdit) -> Vec<OutputLine> {
        let begun = self.tool_begins("write_file", json!({"file_path": change.path, "content": change.text}));
        let mut fields = json!({"tool_id": self.tool, "status": "success"});
        if change.what == EditKind::Denied {
            let said = "Tool \"write_file\" not found.";
            fields = json!({
                "tool_id": self.tool, "status": "error", "output": said,
                "error": {"type": "tool_not_registered", "message": said},
            });
        }
        vec![begun, self.event("tool_result", fields)]
    }

    fn error(&mut self, message: &str) -> Vec<OutputLine> {
        vec![self.event("error", json!({"severity": "warning", "message": message}))]
    }

    fn fail(&mut self, message: &str) -> FailedRun {
        let said = json!({"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}});
        self.failed(&said.to_string(), BAD_REQUEST)
    }

    fn unknown_model(&mut self, model: &str, prompt: &str) -> FailedRun {
        let mut failure = self.failed(&format!("models/{model} is not found for API version v1beta"), NOT_FOUND);
        failure.lines.splice(0..0, self.begin(prompt));
        failure
    }

    fn end(&mut self, usage: &TokenCounts) -> Vec<OutputLine> {
        vec![self.result("success", None, usage)]
    }
}
