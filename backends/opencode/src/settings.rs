//! The settings of an OpenCode backend, and the arguments that no setting may carry.

use connector_api::{EnvRules, SettingsProblem, read_settings, why_no_model};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// The keys of `[backends.NAME]` with `kind = "opencode"`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The program: a name on `PATH`, an absolute path, or one that starts with `~/`.
    pub(crate) program: String,
    /// The model as PROVIDER/MODEL, unless a call names one. Without both, OpenCode's own configuration decides.
    pub(crate) model: Option<String>,
    /// More arguments for `opencode run`, such as `["--variant=high"]`. One that takes a value has it after a `=`.
    pub(crate) extra_args: Vec<String>,
    /// Which environment variables it gets.
    pub(crate) env: EnvRules,
    /// Whether the working directory must be inside a git repository.
    pub(crate) require_git: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            program: "opencode".into(),
            model: None,
            extra_args: vec![],
            env: EnvRules::default(),
            require_git: true,
        }
    }
}

/// It would replace its own program while tasks run.
const NO_UPDATE: &str = "OPENCODE_DISABLE_AUTOUPDATE";

/// What a caller may not pass, without what [`bare`] takes away, and what decides it instead.
const OWNED: [(&[&str], &str); 6] = [
    (&["auto", "yolo", "dangerouslyskippermissions", "agent"], "the sandbox of each task is the call's `sandbox`"),
    (&["format", "thinking", "printlogs", "loglevel"], "the stream that is read is asked for already"),
    (&["model"], "the model is the call's `model`, or this backend's `model`"),
    (&["session", "continue", "fork"], "sessions are codex_resume's business"),
    (&["dir", "attach"], "it works in the call's `workingDirectory`"),
    (
        &["", "help", "version", "command", "interactive", "mini", "demo", "prompt", "replay", "replaylimit"],
        "OpenCode would do something else",
    ),
];

impl Settings {
    const KEYS: [&str; 5] = ["program", "model", "extra_args", "env", "require_git"];

    pub(crate) fn schema() -> Value {
        schemars::schema_for!(Self).to_value()
    }

    pub(crate) fn read(settings: Value) -> Result<Self, SettingsProblem> {
        let mut settings: Self = read_settings(settings, &Self::KEYS)?;
        if settings.program.trim().is_empty() {
            return Err(SettingsProblem::new("program", "`program` is empty; leave it out for `opencode` on PATH"));
        }
        if let Some(model) = &settings.model {
            let no_provider = || (!model.contains('/')).then_some("has no provider; it is written PROVIDER/MODEL");
            if let Some(why) = why_no_model(model).or_else(no_provider) {
                return Err(SettingsProblem::new(
                    "model",
                    format!("`model` {why}; leave it out to let OpenCode decide"),
                ));
            }
        }
        if let Some(why) = settings.extra_args.iter().find_map(|arg| why_forbidden(arg)) {
            return Err(SettingsProblem::new("extra_args", format!("`extra_args` {why}")));
        }
        settings.env.set.entry(NO_UPDATE.to_owned()).or_insert_with(|| "1".to_owned());
        Ok(settings)
    }
}

/// Why an argument may not be passed, as the end of a sentence.
fn why_forbidden(arg: &str) -> Option<String> {
    let Some(long) = arg.strip_prefix("--") else {
        let advice = if arg.starts_with('-') { "write its long form" } else { "write --option=value" };
        return Some(format!("may not have `{arg}`, which is not read as one whole option; {advice}"));
    };
    let name = bare(long);
    // `--no-auto` is `--auto=false`.
    let negated = name.strip_prefix("no").unwrap_or(&name);
    let owner = OWNED.iter().find(|(names, _)| names.contains(&name.as_str()) || names.contains(&negated));
    owner.map(|(_, why)| format!("may not have `{arg}`: {why}"))
}

/// The name of an option without the ways in which it can be spelled: OpenCode takes `--log-level` as `--logLevel`, and
/// `--format.x=y` as something of `--format`.
fn bare(long: &str) -> String {
    let name = long.split(['=', '.']).next().unwrap_or_default();
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_decided_elsewhere_is_refused_in_every_spelling() {
        for arg in [
            "--auto",
            "--no-auto",
            "--agent=plan",
            "--dangerouslySkipPermissions",
            "--format=default",
            "--format.x=y",
            "--logLevel=DEBUG",
            "--model=a/b",
            "--session=ses_1",
            "--fork",
            "--dir=/",
            "--attach=http://127.0.0.1:1",
            "--command=init",
            "--",
            "-s",
            "-mx/y",
            "x",
        ] {
            let problem = Settings::read(json!({"extra_args": [arg]})).expect_err(arg);
            assert!(problem.key == "extra_args" && problem.problem.contains(arg), "{problem:?}");
        }
        assert!(Settings::read(json!({"extra_args": ["--variant=high", "--pure", "--title=x"]})).is_ok());
    }

    #[test]
    fn a_model_has_a_provider() {
        for model in ["gpt-5", "", "--auto/x"] {
            assert_eq!(Settings::read(json!({"model": model})).expect_err(model).key, "model");
        }
        assert!(Settings::read(json!({"model": "openrouter/openai/gpt-5"})).is_ok());
    }

    #[test]
    fn it_does_not_update_itself_unless_its_user_says_so() {
        let set = |settings| Settings::read(settings).expect("good settings").env.set;
        assert_eq!(set(json!({}))[NO_UPDATE], "1");
        let asked = set(json!({"env": {"set": {NO_UPDATE: "0", "A": "b"}}}));
        assert_eq!((asked[NO_UPDATE].as_str(), asked["A"].as_str()), ("0", "b"));
    }
}
