//! The settings of a Claude Code backend, and the arguments that they may not contain.

use connector_api::{ProgramRules, ReservedOptions, SettingsProblem};

/// The keys of `[backends.NAME]` with `kind = "claude"`.
pub(crate) const RULES: ProgramRules = ProgramRules {
    descriptions: &[(
        "extra_args",
        "Additional arguments for `claude -p`, such as `[\"--append-system-prompt=Be brief.\"]`. Write values after a `=`.",
    )],
    check_args: |args| args.iter().try_for_each(|arg| check_argument(arg)),
    ..ProgramRules::new("Claude Code", "claude")
};

/// Options that `extra_args` may not contain, and what decides them instead.
const RESERVED: ReservedOptions = ReservedOptions::new(&[
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
        "each task gets the `sandbox` of its call",
    ),
    (
        &["-p", "--print", "--output-format", "--input-format", "--verbose"],
        "codex-connector sets the options of the event stream itself",
    ),
    (&["--model"], "each task gets the `model` of its call, or this backend's `model`"),
    (
        &["-r", "--resume", "-c", "--continue", "--session-id", "--fork-session"],
        "sessions are resumed with codex_resume",
    ),
    (&["-h", "--help", "-v", "--version", "--"], "Claude Code would not run the task"),
]);

fn check_argument(arg: &str) -> Result<(), SettingsProblem> {
    if !arg.starts_with('-') {
        let why = format!("must not contain `{arg}`, which would be read as part of the task; write --option=value");
        return Err(SettingsProblem::of("extra_args", &why));
    }
    RESERVED.check(arg, arg.split('=').next().unwrap_or(arg))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_that_weaken_a_sandbox_are_refused() {
        for arg in [
            "--dangerously-skip-permissions",
            "--tools=Bash",
            "--allowedTools=Bash",
            "--settings=x.json",
            "--add-dir=/",
            "x",
        ] {
            let problem = RULES.read(json!({"extra_args": [arg]})).expect_err(arg);
            assert!(problem.key == "extra_args" && problem.problem.contains(arg), "{problem:?}");
        }
        assert!(RULES.read(json!({"extra_args": ["--append-system-prompt=Be brief."]})).is_ok());
    }
}
