//! OpenCode 1.18.33: `opencode run --format json …`.
//!
//! A tool call is reported only when it has ended. There is no event for the end of a run; the exit code shows how it
//! ended.

use std::{path::Path, process::ExitCode};

use serde_json::{Value, json};

use super::{
    super::{
        call::{SandboxLevel, has, value_of, words_after_dashes},
        sessions::new_uuid,
    },
    AgentCommandLine, Dialect, EditKind, FailedRun, FakeAgentError, FileEdit, FinishedCommand, Invocation, OutputLine,
    SignalBehaviour, TokenCounts, UsageError, event, output, print, refused, table,
};

const OPTIONS: &[(&str, &str)] = &[
    ("-h, --help", "show help                                            [boolean]"),
    ("-v, --version", "show version number                                  [boolean]"),
    ("    --print-logs", "print logs to stderr                            [boolean]"),
    ("    --log-level", "log level                                         [string]"),
    ("-c, --continue", "continue the last session                            [boolean]"),
    ("-s, --session", "session id to continue                                [string]"),
    ("    --fork", "fork the session before continuing                   [boolean]"),
    ("-m, --model", "model to use in the format of provider/model          [string]"),
    ("    --agent", "agent to use                                          [string]"),
    ("    --format", "format: default (formatted) or json (raw JSON events) [string]"),
    ("    --dir", "directory to run in                                   [string]"),
    ("    --variant", "model variant                                         [string]"),
    ("    --thinking", "show thinking blocks                                 [boolean]"),
    ("    --auto", "auto-approve permissions that are not denied         [boolean]"),
];

/// The command line.
pub(crate) struct OpenCodeCommandLine;

impl AgentCommandLine for OpenCodeCommandLine {
    /// The help goes to stderr, even when it was requested.
    fn answer(&self, args: &[&str]) -> Result<Option<ExitCode>, FakeAgentError> {
        if has(args, "--version") || has(args, "-v") {
            return print("1.18.33");
        }
        let help = format!(
            "opencode run [message..]\n\nrun opencode with a message\n\nOptions:\n{}",
            table(OPTIONS, 20).trim_end()
        );
        if has(args, "--help") || has(args, "-h") {
            output::print_error(&help);
            return Ok(Some(ExitCode::SUCCESS));
        }
        let is_understood = args.first() == Some(&"run") && refused(args).is_none();
        Ok((!is_understood).then(|| UsageError::new(help, 1).exit_with_message()))
    }

    fn call(&self, args: &[&str]) -> Invocation {
        let agent = value_of(args, &["--agent"]);
        Invocation {
            resumed: value_of(args, &["-s", "--session"]).map(str::to_owned),
            model: value_of(args, &["-m", "--model"]).map(str::to_owned),
            sandbox: if agent == Some("plan") { SandboxLevel::ReadOnly } else { SandboxLevel::Full },
            directory: value_of(args, &["--dir"]).map(Into::into),
            prompt: words_after_dashes(args),
        }
    }

    fn session(&self, call: &Invocation) -> String {
        call.resumed.clone().unwrap_or_else(|| format!("ses_{}", new_uuid().replace('-', "")))
    }

    fn lost_session(&self, _: &str) -> UsageError {
        UsageError::new("\u{1b}[91m\u{1b}[1mError: \u{1b}[0mSession not found", 1)
    }

    fn no_prompt(&self) -> UsageError {
        UsageError::new("\u{1b}[91m\u{1b}[1mError: \u{1b}[0mYou must provide a message or a command", 1)
    }

    fn signal_behaviour(&self) -> SignalBehaviour {
        SignalBehaviour::Default
    }

    fn dialect(&self, _: &Invocation, session: &str) -> Box<dyn Dialect> {
        Box::new(OpenCodeEvents { session: session.to_owned(), parts: 0, is_in_step: false })
    }
}

/// The lines of `--format json`.
#[derive(Debug)]
struct OpenCodeEvents {
    session: String,
    parts: u32,
    /// Whether a response of the model is in progress.
    is_in_step: bool,
}

impl OpenCodeEvents {
    fn event(&mut self, kind: &str, part: Value) -> OutputLine {
        self.parts += 1;
        let mut whole = json!({"id": format!("prt_{}", self.parts), "messageID": "msg_1", "sessionID": self.session});
        if let (Some(whole), Value::Object(part)) = (whole.as_object_mut(), part) {
            whole.extend(part);
        }
        event(json!({"type": kind, "timestamp": 1_795_697_473_937_u64, "sessionID": self.session, "part": whole}))
    }

    fn step_begins(&mut self) -> Vec<OutputLine> {
        if self.is_in_step {
            return vec![];
        }
        self.is_in_step = true;
        vec![self.event("step_start", json!({"type": "step-start"}))]
    }

    fn step_ends(&mut self, reason: &str, tokens: [u64; 3]) -> OutputLine {
        self.is_in_step = false;
        let [input, output, cached] = tokens;
        let tokens = json!({
            "total": input + output + cached, "input": input, "output": output, "reasoning": 0,
            "cache": {"write": 0, "read": cached},
        });
        self.event("step_finish", json!({"type": "step-finish", "reason": reason, "tokens": tokens, "cost": 0}))
    }

    /// A complete response that calls a tool.
    fn tool(&mut self, name: &str, state: Value) -> Vec<OutputLine> {
        let mut lines = self.step_begins();
        let call = format!("call_{}", self.parts);
        lines.push(self.event("tool_use", json!({"type": "tool", "tool": name, "callID": call, "state": state})));
        lines.push(self.step_ends("tool-calls", [0, 0, 0]));
        lines
    }

    fn error_event(&self, error: Value) -> OutputLine {
        event(json!({
            "type": "error", "timestamp": 1_795_697_473_937_u64, "sessionID": self.session, "error": error
        }))
    }
}

impl Dialect for OpenCodeEvents {
    fn begin(&mut self, _: &str) -> Vec<OutputLine> {
        self.step_begins()
    }

    fn say(&mut self, text: &str) -> Vec<OutputLine> {
        let mut lines = self.step_begins();
        lines.push(self.event("text", json!({"type": "text", "text": text, "time": {"start": 1, "end": 2}})));
        lines
    }

    fn command_begins(&mut self, _: &str) -> Vec<OutputLine> {
        self.step_begins()
    }

    fn command_ends(&mut self, ran: &FinishedCommand) -> Vec<OutputLine> {
        let state = json!({
            "status": "completed",
            "input": {"command": ran.command, "description": "a command"},
            "output": ran.output,
            "metadata": {"output": ran.output, "exit": ran.exit, "truncated": false},
            "title": ran.command,
            "time": {"start": 1, "end": 2},
        });
        self.tool("bash", state)
    }

    fn file(&mut self, change: &FileEdit) -> Vec<OutputLine> {
        let path = &change.path;
        let title = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
        let input = json!({"filePath": path, "content": change.text});
        let written = |exists: bool| {
            json!({
                "status": "completed",
                "input": input,
                "output": "Wrote file successfully.",
                "metadata": {"diagnostics": {}, "filepath": path, "exists": exists, "truncated": false},
                "title": title,
                "time": {"start": 1, "end": 2},
            })
        };
        let state = match change.what {
            EditKind::Added => written(false),
            EditKind::Updated => written(true),
            EditKind::Denied => json!({
                "status": "error",
                "input": input,
                "error": "The user has specified a rule which prevents you from using this specific tool call.",
                "time": {"start": 1, "end": 2},
            }),
        };
        self.tool("write", state)
    }

    fn error(&mut self, message: &str) -> Vec<OutputLine> {
        vec![self.error_event(json!({"name": "UnknownError", "data": {"message": message}}))]
    }

    fn fail(&mut self, message: &str) -> FailedRun {
        let data = json!({"message": message, "statusCode": 400, "isRetryable": false});
        FailedRun { lines: vec![self.error_event(json!({"name": "APIError", "data": data}))], code: 1 }
    }

    fn unknown_model(&mut self, _: &str, _: &str) -> FailedRun {
        let data = json!({"message": "Unexpected server error. Check server logs for details.", "ref": "err_248e708c"});
        FailedRun { lines: vec![self.error_event(json!({"name": "UnknownError", "data": data}))], code: 1 }
    }

    fn end(&mut self, usage: &TokenCounts) -> Vec<OutputLine> {
        let mut lines = self.step_begins();
        let tokens = [usage.input().saturating_sub(usage.cached()), usage.output(), usage.cached()];
        lines.push(self.step_ends("stop", tokens));
        lines
    }
}
