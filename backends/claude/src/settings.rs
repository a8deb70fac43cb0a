//! The settings of a Claude Code backend, and the arguments that no setting may carry.

use connector_api::{EnvRules, SettingsProblem, read_settings, why_no_model};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// The keys of `[backends.NAME]` with `kind = "claude"`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The program: a name on `PATH`, an absolute path, or one that starts with `~/`.
    pub(crate) program: String,
    /// The model, unless a call names one. Without both, Claude Code's own configuration decides.
    pub(crate) model: Option<String>,
    /// More arguments for `claude -p`, such as `["--append-system-prompt=Be brief."]`. One that takes a value has it after
    /// a `=`.
    pub(crate) extra_args: Vec<String>,
    /// Which environment variables it gets.
    pub(crate) env: EnvRules,
    /// Whether the working directory must be inside a git repository.
    pub(crate) require_git: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { program: "claude".into(), model: None, extra_args: vec![], env: EnvRules::default(), require_git: true }
    }
}

/// What a caller may not pass, and what decides it instead.
const OWNED: [(&[&str], &str); 5] = [
    (
        &[
            "--permission-mode",
            "--dangerously-skip-permissions",
            "--allow-dangerously-skip-permissions",
            "--tools",
            "--allowedTools",
            "--allowed-tools",
            "--disallowedTools",
            "--disallowed-tools",
            "--add-dir",
            "--settings",
            "--mcp-config",
            "--strict-mcp-config",
            "--permission-prompt-tool",
            "--plugin-dir",
            "--agents",
        ],
        "the sandbox of each task is the call's `sandbox`",
    ),
    (
        &["-p", "--print", "--output-format", "--input-format", "--verbose"],
        "the stream that is read is asked for already",
    ),
    (&["--model"], "the model is the call's `model`, or this backend's `model`"),
    (&["-r", "--resume", "-c", "--continue", "--session-id", "--fork-session"], "sessions are codex_resume's business"),
    (&["-h", "--help", "-v", "--version", "--"], "Claude Code would do something else"),
];

impl Settings {
    const KEYS: [&str; 5] = ["program", "model", "extra_args", "env", "require_git"];

    pub(crate) fn schema() -> Value {
        schemars::schema_for!(Self).to_value()
    }

    pub(crate) fn read(settings: Value) -> Result<Self, SettingsProblem> {
        let settings: Self = read_settings(settings, &Self::KEYS)?;
        if settings.program.trim().is_empty() {
            return Err(SettingsProblem::new("program", "`program` is empty; leave it out for `claude` on PATH"));
        }
        if let Some(why) = settings.model.as_deref().and_then(why_no_model) {
            return Err(SettingsProblem::new(
                "model",
                format!("`model` {why}; leave it out to let Claude Code decide"),
            ));
        }
        match settings.extra_args.iter().find_map(|arg| why_forbidden(arg)) {
            Some(why) => Err(SettingsProblem::new("extra_args", format!("`extra_args` {why}"))),
            None => Ok(settings),
        }
    }
}

/// Why an argument may not be passed, as the end of a sentence.
fn why_forbidden(arg: &str) -> Option<String> {
    let flag = arg.split('=').next().unwrap_or(arg);
    if !arg.starts_with('-') {
        return Some(format!("may not have `{arg}`, which would be read as part of the task; write --option=value"));
    }
    let owner = OWNED.iter().find(|(flags, _)| flags.contains(&flag));
    owner.map(|(_, why)| format!("may not have `{arg}`: {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_would_undo_a_sandbox_is_refused() {
        for arg in [
            "--dangerously-skip-permissions",
            "--tools=Bash",
            "--allowedTools=Bash",
            "--settings=x.json",
            "--add-dir=/",
            "x",
        ] {
            let problem = Settings::read(json!({"extra_args": [arg]})).expect_err(arg);
            assert!(problem.key == "extra_args" && problem.problem.contains(arg), "{problem:?}");
        }
        assert!(Settings::read(json!({"extra_args": ["--append-system-prompt=Be brief."]})).is_ok());
    }
}
