//! The settings of a Gemini CLI backend, and the arguments that they may not contain.

use connector_api::{ProgramRules, ProgramSettings, ReservedOptions, SettingsProblem};
use serde_json::Value;

/// The variable that keeps Gemini CLI from starting itself again with more memory. If it does, the first of the two
/// processes ignores signals and can only be killed (0.61.0). A single process stops as soon as it is asked to.
const NO_RELAUNCH: &str = "GEMINI_CLI_NO_RELAUNCH";

/// The keys of `[backends.NAME]` with `kind = "gemini"`.
pub(crate) const RULES: ProgramRules = ProgramRules {
    descriptions: &[
        (
            "extra_args",
            "Additional arguments for `gemini`, such as `[\"--extensions=none\"]`: long options only, with values after a `=`.",
        ),
        (
            "env",
            "Which environment variables Gemini CLI gets. `GEMINI_CLI_NO_RELAUNCH` is set so that Gemini CLI reacts to signals; \
             set it to an empty string if Gemini CLI needs more memory than Node allows by default.",
        ),
    ],
    check_args: |args| args.iter().try_for_each(|arg| check_argument(arg)),
    ..ProgramRules::new("Gemini CLI", "gemini")
};

/// Options that `extra_args` may not contain, without dashes and in lower case, and what decides them instead. Gemini
/// CLI also accepts `--approvalMode` for `--approval-mode`, and `--no-` before any option.
const RESERVED: ReservedOptions = ReservedOptions::new(&[
    (
        &[
            "approvalmode",
            "yolo",
            "sandbox",
            "skiptrust",
            "policy",
            "adminpolicy",
            "allowedtools",
            "allowedmcpservernames",
            "includedirectories",
        ],
        "each task gets the `sandbox` of its call",
    ),
    (&["worktree"], "each task gets the `workingDirectory` of its call"),
    (
        &["outputformat", "prompt", "promptinteractive", "query", "acp", "experimentalacp"],
        "codex-connector sets the options of the event stream itself, and passes the task on stdin",
    ),
    (&["model"], "each task gets the `model` of its call, or this backend's `model`"),
    (
        &["resume", "sessionid", "sessionfile", "listsessions", "deletesession"],
        "sessions are resumed with codex_resume",
    ),
    (&["help", "version", "listextensions", ""], "Gemini CLI would not run the task"),
]);

/// Reads the settings. Unless they say otherwise, Gemini CLI runs as a single process.
pub(crate) fn read(settings: Value) -> Result<ProgramSettings, SettingsProblem> {
    let mut settings = RULES.read(settings)?;
    settings.env.set.entry(NO_RELAUNCH.to_owned()).or_insert_with(|| "true".to_owned());
    Ok(settings)
}

fn check_argument(arg: &str) -> Result<(), SettingsProblem> {
    let refused = |why: &str| SettingsProblem::of("extra_args", &format!("must not contain `{arg}`{why}"));
    if !arg.starts_with('-') {
        return Err(refused(", which would be read as part of the task; write --option=value"));
    }
    // A short option could hide another one: `-dy` means `-d -y`, and `-mx` means `-m x`.
    let Some(option) = arg.strip_prefix("--") else {
        return Err(refused(": write the long option, as --option or --option=value"));
    };
    let option = option.split('=').next().unwrap_or(option).to_lowercase();
    let option = option.strip_prefix("no-").unwrap_or(&option);
    // The part after a dot is a key inside the option's value.
    let name: String = option.split('.').next().unwrap_or(option).chars().filter(|letter| *letter != '-').collect();
    if ["m", "p", "i", "w", "s", "y", "r", "o", "v", "h", "l"].contains(&name.as_str()) {
        return Err(refused(": it is short for a reserved option"));
    }
    RESERVED.check(arg, &name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reserved_options_are_refused_in_every_spelling() {
        for arg in [
            "--approval-mode=plan",
            "--approvalMode=plan",
            "--no-skip-trust",
            "--yolo",
            "-y",
            "-dy",
            "--y",
            "--sandbox.x=1",
            "--model=x",
            "-mx",
            "--resume=latest",
            "--worktree=x",
            "--output-format=json",
            "--acp",
            "--",
            "x",
        ] {
            let problem = read(json!({"extra_args": [arg]})).expect_err(arg);
            assert!(problem.key == "extra_args" && problem.problem.contains(arg), "{problem:?}");
        }
        assert!(read(json!({"extra_args": ["--extensions=none", "--debug"]})).is_ok());
    }

    #[test]
    fn gemini_runs_as_one_process_by_default() {
        let relaunch = |settings| read(settings).expect("valid settings").env.set.remove(NO_RELAUNCH);
        assert_eq!(relaunch(json!({})).as_deref(), Some("true"));
        assert_eq!(relaunch(json!({"env": {"set": {NO_RELAUNCH: ""}}})).as_deref(), Some(""));
    }
}
