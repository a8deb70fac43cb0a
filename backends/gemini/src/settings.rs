//! The settings of a Gemini CLI backend, and the arguments that no setting may carry.

use connector_api::{ProgramRules, ProgramSettings, ReservedOptions, SettingsProblem};
use serde_json::Value;

/// Gemini CLI otherwise starts itself a second time, with more memory, and the first of the two processes takes no notice
/// of signals (0.61.0): idle or not, it has to be killed. Without the second process it ends at once when it is asked to.
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

/// What a caller may not pass, without dashes and in small letters, and what decides it instead. Gemini CLI also takes
/// `--approvalMode` for `--approval-mode`, and `--no-` before any of them.
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
        "the sandbox of each task is the call's `sandbox`",
    ),
    (&["worktree"], "the directory is the call's `working_directory`"),
    (
        &["outputformat", "prompt", "promptinteractive", "query", "acp", "experimentalacp"],
        "the stream that is read is asked for already, and the task goes through stdin",
    ),
    (&["model"], "the model is the call's `model`, or this backend's `model`"),
    (&["resume", "sessionid", "sessionfile", "listsessions", "deletesession"], "sessions are codex_resume's business"),
    (&["help", "version", "listextensions", ""], "Gemini CLI would do something else"),
]);

/// Reads the settings, and makes Gemini CLI run as one process unless they say otherwise.
pub(crate) fn read(settings: Value) -> Result<ProgramSettings, SettingsProblem> {
    let mut settings = RULES.read(settings)?;
    settings.env.set.entry(NO_RELAUNCH.to_owned()).or_insert_with(|| "true".to_owned());
    Ok(settings)
}

fn check_argument(arg: &str) -> Result<(), SettingsProblem> {
    let refused = |why: &str| SettingsProblem::of("extra_args", &format!("may not have `{arg}`{why}"));
    if !arg.starts_with('-') {
        return Err(refused(", which would be read as part of the task; write --option=value"));
    }
    // `-dy` is `-d` and `-y`, and `-mx` is `-m x`.
    let Some(option) = arg.strip_prefix("--") else {
        return Err(refused(": write the long option, as --option or --option=value"));
    };
    let option = option.split('=').next().unwrap_or(option).to_lowercase();
    let option = option.strip_prefix("no-").unwrap_or(&option);
    // What follows a point is a key inside the option's value.
    let name: String = option.split('.').next().unwrap_or(option).chars().filter(|letter| *letter != '-').collect();
    if ["m", "p", "i", "w", "s", "y", "r", "o", "v", "h", "l"].contains(&name.as_str()) {
        return Err(refused(": it is short for an option of which something else decides"));
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
        let relaunch = |settings| read(settings).expect("good settings").env.set.remove(NO_RELAUNCH);
        assert_eq!(relaunch(json!({})).as_deref(), Some("true"));
        assert_eq!(relaunch(json!({"env": {"set": {NO_RELAUNCH: ""}}})).as_deref(), Some(""));
    }
}
