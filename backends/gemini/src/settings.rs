//! The settings of a Gemini CLI backend, and the arguments that no setting may carry.

use connector_api::{EnvRules, SettingsProblem, read_settings, why_no_model};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Gemini CLI otherwise starts itself a second time, with more memory, and the first of the two processes takes no notice
/// of signals (0.61.0): idle or not, it has to be killed. Without the second process it ends at once when it is asked to.
const NO_RELAUNCH: &str = "GEMINI_CLI_NO_RELAUNCH";

/// The keys of `[backends.NAME]` with `kind = "gemini"`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The program: a name on `PATH`, an absolute path, or one that starts with `~/`.
    pub(crate) program: String,
    /// The model, unless a call names one. Without both, Gemini CLI's own configuration decides.
    pub(crate) model: Option<String>,
    /// More arguments for `gemini`, such as `["--extensions=none"]`. Each is a long option; one that takes a value has it
    /// after a `=`.
    pub(crate) extra_args: Vec<String>,
    /// Which environment variables it gets. `GEMINI_CLI_NO_RELAUNCH` is set, so that it stops when it is asked to; set it
    /// to an empty text where Gemini CLI needs more memory than Node gives by itself.
    pub(crate) env: EnvRules,
    /// Whether the working directory must be inside a git repository.
    pub(crate) require_git: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { program: "gemini".into(), model: None, extra_args: vec![], env: EnvRules::default(), require_git: true }
    }
}

/// What a caller may not pass, without dashes and in small letters, and what decides it instead. Gemini CLI also takes
/// `--approvalMode` for `--approval-mode`, and `--no-` before any of them.
const OWNED: [(&[&str], &str); 6] = [
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
];

impl Settings {
    const KEYS: [&str; 5] = ["program", "model", "extra_args", "env", "require_git"];

    pub(crate) fn schema() -> Value {
        schemars::schema_for!(Self).to_value()
    }

    pub(crate) fn read(settings: Value) -> Result<Self, SettingsProblem> {
        let mut settings: Self = read_settings(settings, &Self::KEYS)?;
        if settings.program.trim().is_empty() {
            return Err(SettingsProblem::new("program", "`program` is empty; leave it out for `gemini` on PATH"));
        }
        if let Some(why) = settings.model.as_deref().and_then(why_no_model) {
            return Err(SettingsProblem::new("model", format!("`model` {why}; leave it out to let Gemini CLI decide")));
        }
        if let Some(why) = settings.extra_args.iter().find_map(|arg| why_forbidden(arg)) {
            return Err(SettingsProblem::new("extra_args", format!("`extra_args` {why}")));
        }
        settings.env.set.entry(NO_RELAUNCH.to_owned()).or_insert_with(|| "true".to_owned());
        Ok(settings)
    }
}

/// Why an argument may not be passed, as the end of a sentence.
fn why_forbidden(arg: &str) -> Option<String> {
    if !arg.starts_with('-') {
        return Some(format!("may not have `{arg}`, which would be read as part of the task; write --option=value"));
    }
    // `-dy` is `-d` and `-y`, and `-mx` is `-m x`.
    let Some(option) = arg.strip_prefix("--") else {
        return Some(format!("may not have `{arg}`: write the long option, as --option or --option=value"));
    };
    let option = option.split('=').next().unwrap_or(option).to_lowercase();
    let option = option.strip_prefix("no-").unwrap_or(&option);
    // What follows a point is a key inside the option's value.
    let name: String = option.split('.').next().unwrap_or(option).chars().filter(|letter| *letter != '-').collect();
    let short = ["m", "p", "i", "w", "s", "y", "r", "o", "v", "h", "l"];
    if short.contains(&name.as_str()) {
        return Some(format!("may not have `{arg}`: it is short for an option of which something else decides"));
    }
    let owner = OWNED.iter().find(|(names, _)| names.contains(&name.as_str()));
    owner.map(|(_, why)| format!("may not have `{arg}`: {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_something_else_decides_is_refused_in_every_spelling() {
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
            let problem = Settings::read(json!({"extra_args": [arg]})).expect_err(arg);
            assert!(problem.key == "extra_args" && problem.problem.contains(arg), "{problem:?}");
        }
        assert!(Settings::read(json!({"extra_args": ["--extensions=none", "--debug"]})).is_ok());
    }

    #[test]
    fn it_runs_as_one_process_unless_the_settings_say_otherwise() {
        let relaunch = |settings| Settings::read(settings).expect("good settings").env.set.remove(NO_RELAUNCH);
        assert_eq!(relaunch(json!({})).as_deref(), Some("true"));
        assert_eq!(relaunch(json!({"env": {"set": {NO_RELAUNCH: ""}}})).as_deref(), Some(""));
    }
}
