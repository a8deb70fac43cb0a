//! Codex 0.169.0: `--version`, `exec --help`, `login status`, and `exec --json … -`.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use serde_json::{Value, json};

use super::{
    super::call::{SandboxLevel, has, value_of, words_after_dashes},
    AgentCommandLine, Dialect, EditKind, FailedRun, FakeAgentError, FileEdit, FinishedCommand, Invocation, OutputLine,
    SessionLookup, SignalBehaviour, TokenCounts, UsageError, event, new_uuid, output,
};

/// The command line.
pub(crate) struct CodexCommandLine;

impl AgentCommandLine for CodexCommandLine {
    fn answer(&self, args: &[&str]) -> Result<Option<ExitCode>, FakeAgentError> {
        match args {
            ["exec", rest @ ..] if has(rest, "--help") => exec_help().map(Some),
            ["exec", rest @ ..] => Ok(refusal(rest).map(|said| UsageError::new(said, 2).exit_with_message())),
            _ => answer(args).map(Some),
        }
    }

    fn call(&self, args: &[&str]) -> Invocation {
        Invocation {
            resumed: value_of(args, &["resume"]).map(str::to_owned),
            model: value_of(args, &["-m", "--model"]).map(str::to_owned),
            sandbox: match value_of(args, &["-s", "--sandbox"]) {
                Some("read-only") => SandboxLevel::ReadOnly,
                Some("workspace-write") => SandboxLevel::WorkspaceWrite,
                Some(_) | None => SandboxLevel::Full,
            },
            directory: value_of(args, &["-C", "--cd"]).map(Into::into),
            prompt: words_after_dashes(args).filter(|prompt| prompt != "-"),
        }
    }

    fn session(&self, call: &Invocation) -> String {
        call.resumed.clone().filter(|_| !is_set("FAKE_CODEX_STRAYS")).unwrap_or_else(new_uuid)
    }

    /// Without a session directory, it resumes any session, except those with IDs that no real session has.
    fn has_lost(&self, session: &str, known: SessionLookup) -> bool {
        known == SessionLookup::No || session.starts_with("00000000-")
    }

    fn lost_session(&self, _: &str) -> UsageError {
        UsageError::new("Error: thread/resume: no rollout found for thread id (code -32600)", 1)
    }

    fn no_prompt(&self) -> UsageError {
        UsageError::new("No prompt provided via stdin.", 1)
    }

    fn signal_behaviour(&self) -> SignalBehaviour {
        SignalBehaviour::Codex
    }

    fn dialect(&self, _: &Invocation, session: &str) -> Box<dyn Dialect> {
        Box::new(CodexEvents { thread_id: session.to_owned(), items: 0, open: Value::Null })
    }
}

/// The events of `codex exec --json`.
#[derive(Debug)]
struct CodexEvents {
    thread_id: String,
    items: u32,
    /// The item that has started and not yet completed.
    open: Value,
}

impl CodexEvents {
    /// An item that completes at once, such as a message. `fields` has everything but the ID.
    fn item(&mut self, fields: Value) -> OutputLine {
        let item = self.numbered(fields);
        event(json!({"type": "item.completed", "item": item}))
    }

    /// Starts an item that takes time, with its initial fields.
    fn item_begins(&mut self, fields: Value) -> OutputLine {
        self.open = self.numbered(fields);
        event(json!({"type": "item.started", "item": self.open}))
    }

    /// Completes the item with the fields that changed.
    fn item_ends(&mut self, end: Value) -> OutputLine {
        let mut item = self.open.take();
        extend(&mut item, end);
        event(json!({"type": "item.completed", "item": item}))
    }

    fn numbered(&mut self, fields: Value) -> Value {
        let mut item = json!({"id": format!("item_{}", self.items)});
        self.items += 1;
        extend(&mut item, fields);
        item
    }
}

impl Dialect for CodexEvents {
    fn begin(&mut self, _: &str) -> Vec<OutputLine> {
        vec![
            event(json!({"type": "thread.started", "thread_id": self.thread_id})),
            event(json!({"type": "turn.started"})),
        ]
    }

    fn say(&mut self, text: &str) -> Vec<OutputLine> {
        vec![self.item(json!({"type": "agent_message", "text": text}))]
    }

    fn command_begins(&mut self, command: &str) -> Vec<OutputLine> {
        vec![self.item_begins(json!({
            "type": "command_execution",
            "command": format!("/bin/bash -lc '{command}'"),
            "aggregated_output": "",
            "exit_code": null,
            "status": "in_progress",
        }))]
    }

    fn command_ends(&mut self, ran: &FinishedCommand) -> Vec<OutputLine> {
        let status = if ran.exit == 0 { "completed" } else { "failed" };
        vec![self.item_ends(json!({"aggregated_output": ran.output, "exit_code": ran.exit, "status": status}))]
    }

    fn file(&mut self, change: &FileEdit) -> Vec<OutputLine> {
        let (kind, status) = match change.what {
            EditKind::Added => ("add", "completed"),
            EditKind::Updated => ("update", "completed"),
            EditKind::Denied => ("add", "failed"),
        };
        let changes = json!([{"path": change.path, "kind": kind}]);
        let begun = self.item_begins(json!({"type": "file_change", "changes": changes, "status": "in_progress"}));
        vec![begun, self.item_ends(json!({"status": status}))]
    }

    fn error(&mut self, message: &str) -> Vec<OutputLine> {
        vec![event(json!({"type": "error", "message": message}))]
    }

    fn fail(&mut self, message: &str) -> FailedRun {
        let lines = vec![
            event(json!({"type": "error", "message": message})),
            event(json!({"type": "turn.failed", "error": {"message": message}})),
        ];
        FailedRun { lines, code: 1 }
    }

    fn unknown_model(&mut self, model: &str, prompt: &str) -> FailedRun {
        let mut lines = self.begin(prompt);
        let warning = format!(
            "Model metadata for `{model}` not found. Defaulting to fallback metadata; this can degrade performance and \
             cause issues."
        );
        lines.insert(1, self.item(json!({"type": "error", "message": warning})));
        let failure = self.fail(&format!("The model `{model}` does not exist"));
        lines.extend(failure.lines);
        FailedRun { lines, code: failure.code }
    }

    fn end(&mut self, usage: &TokenCounts) -> Vec<OutputLine> {
        vec![event(json!({"type": "turn.completed", "usage": usage.all()}))]
    }
}

fn extend(item: &mut Value, more: Value) {
    if let (Some(item), Value::Object(more)) = (item.as_object_mut(), more) {
        item.extend(more);
    }
}

/// The options in `exec --help`, as clap prints them.
const OPTIONS: &[(&str, &str)] = &[
    ("-c, --config <key=value>", "Override a configuration value"),
    ("-m, --model <MODEL>", "Model the agent should use"),
    (
        SANDBOX,
        "Sandbox for model-generated commands\n\n          [possible values: read-only, workspace-write, danger-full-access]",
    ),
    (FULL_AUTO, "Convenience alias for sandboxed automatic execution"),
    ("-p, --profile <CONFIG_PROFILE>", "Configuration profile"),
    ("    --dangerously-bypass-approvals-and-sandbox", "Skip all confirmation prompts and execute without a sandbox"),
    ("-C, --cd <DIR>", "Working root of the agent"),
    ("    --add-dir <DIR>", "Additional writable directories"),
    ("    --skip-git-repo-check", "Allow running outside a Git repository"),
    ("    --ephemeral", "Keep no session files"),
    ("    --output-schema <FILE>", "JSON Schema of the final response"),
    (
        "    --color <COLOR>",
        "Color settings\n\n          [default: auto]\n          [possible values: always, never, auto]",
    ),
    ("    --json", "Print events to stdout as JSONL"),
    ("-o, --output-last-message <FILE>", "File for the last message of the agent"),
    ("-h, --help", "Print help"),
    ("-V, --version", "Print version"),
];

const SANDBOX: &str = "-s, --sandbox <SANDBOX_MODE>";
const FULL_AUTO: &str = "    --full-auto";

/// Answers every command except `exec`.
fn answer(args: &[&str]) -> Result<ExitCode, FakeAgentError> {
    match args {
        ["--version" | "-V"] => {
            let version = env::var("FAKE_CODEX_VERSION").unwrap_or_else(|_| "0.169.0".into());
            writeln!(io::stdout(), "codex-cli {version}")?;
            Ok(ExitCode::SUCCESS)
        }
        ["login", "status"] if is_set("FAKE_CODEX_LOGGED_OUT") => {
            output::print_error("Not logged in");
            Ok(ExitCode::from(1))
        }
        ["login", "status"] => {
            output::print_error("API key configured - ***\nAuthentication is checked when you send a request.");
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            let what = args.first().unwrap_or(&"nothing");
            output::print_error(&format!(
                "error: unrecognized subcommand '{what}'\n\nUsage: codex [OPTIONS] <COMMAND>"
            ));
            Ok(ExitCode::from(2))
        }
    }
}

/// Answers `exec --help`.
fn exec_help() -> Result<ExitCode, FakeAgentError> {
    let mut help = String::from(
        "Run Codex non-interactively\n\n\
         Usage: codex exec [OPTIONS] [PROMPT]\n       codex exec [OPTIONS] <COMMAND> [ARGS]\n\n\
         Commands:\n  resume  Resume a previous session\n  help    Print this message\n\n\
         Arguments:\n  [PROMPT]\n          Initial instructions; `-` reads them from stdin\n\n\
         Options:\n",
    );
    let is_listed = |flag: &str| match flag {
        SANDBOX => !is_set("FAKE_CODEX_NO_SANDBOX"),
        FULL_AUTO => is_set("FAKE_CODEX_FULL_AUTO"),
        _ => true,
    };
    for (flag, meaning) in OPTIONS.iter().filter(|(flag, _)| is_listed(flag)) {
        help.push_str(&format!("  {flag}\n          {meaning}\n\n"));
    }
    io::stdout().write_all(help.trim_end().as_bytes())?;
    writeln!(io::stdout())?;
    Ok(ExitCode::SUCCESS)
}

/// The error that clap prints if `args` contain the flag that `FAKE_CODEX_REFUSES` names.
fn refusal(args: &[&str]) -> Option<String> {
    let flag = env::var("FAKE_CODEX_REFUSES").ok()?;
    let is_refused = |arg: &&str| arg.strip_prefix(&*flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
    args.iter().any(is_refused).then(|| {
        format!(
            "error: unexpected argument '{flag}' found\n\n  \
             tip: to pass '{flag}' as a value, use '-- {flag}'\n\n\
             Usage: codex exec [OPTIONS] [PROMPT]\n       codex exec [OPTIONS] <COMMAND> [ARGS]\n\n\
             For more information, try '--help'."
        )
    })
}

fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some()
}
