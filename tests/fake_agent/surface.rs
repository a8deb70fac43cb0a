//! What the fake agent says about itself: version, help, login, and the flags it does not know.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use super::{Problem, output};

/// The options that `exec --help` lists, as clap prints them.
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

/// Answers every command but `exec`.
pub(crate) fn answer(args: &[&str]) -> Result<ExitCode, Problem> {
    match args {
        ["--version" | "-V"] => {
            let version = env::var("FAKE_CODEX_VERSION").unwrap_or_else(|_| "0.169.0".into());
            writeln!(io::stdout(), "codex-cli {version}")?;
            Ok(ExitCode::SUCCESS)
        }
        ["login", "status"] if is_set("FAKE_CODEX_LOGGED_OUT") => {
            output::complain("Not logged in");
            Ok(ExitCode::from(1))
        }
        ["login", "status"] => {
            output::complain("API key configured - ***\nAuthentication is checked when you send a request.");
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            let what = args.first().unwrap_or(&"nothing");
            output::complain(&format!("error: unrecognized subcommand '{what}'\n\nUsage: codex [OPTIONS] <COMMAND>"));
            Ok(ExitCode::from(2))
        }
    }
}

/// Answers `exec --help`.
pub(crate) fn exec_help() -> Result<ExitCode, Problem> {
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

/// What clap says if `args` hold the flag that `FAKE_CODEX_REFUSES` names.
pub(crate) fn refusal(args: &[&str]) -> Option<String> {
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
