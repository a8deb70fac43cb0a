//! The settings of an OpenCode backend, and the arguments that they may not contain.

use connector_api::{ProgramRules, ProgramSettings, ReservedOptions, SettingsProblem};
use serde_json::Value;

/// The keys of `[backends.NAME]` with `kind = "opencode"`.
pub(crate) const RULES: ProgramRules = ProgramRules {
    descriptions: &[
        (
            "model",
            "The model for calls that do not name one, as PROVIDER/MODEL. If neither does, OpenCode uses its own default.",
        ),
        (
            "extra_args",
            "Additional arguments for `opencode run`, such as `[\"--variant=high\"]`. Write values after a `=`.",
        ),
    ],
    check_args: |args| args.iter().try_for_each(|arg| check_argument(arg)),
    ..ProgramRules::new("OpenCode", "opencode")
};

/// The variable that keeps OpenCode from updating itself, which would replace the program while tasks run.
const NO_UPDATE: &str = "OPENCODE_DISABLE_AUTOUPDATE";

/// Options that `extra_args` may not contain, as normalized by [`bare`], and what decides them instead.
const RESERVED: ReservedOptions = ReservedOptions::new(&[
    (&["auto", "yolo", "dangerouslyskippermissions", "agent"], "each task gets the `sandbox` of its call"),
    (&["format", "thinking", "printlogs", "loglevel"], "codex-connector sets the options of the event stream itself"),
    (&["model"], "each task gets the `model` of its call, or this backend's `model`"),
    (&["session", "continue", "fork"], "sessions are resumed with codex_resume"),
    (&["dir", "attach"], "it works in the call's `workingDirectory`"),
    (
        &["", "help", "version", "command", "interactive", "mini", "demo", "prompt", "replay", "replaylimit"],
        "OpenCode would not run the task",
    ),
]);

/// Reads the settings. Unless they say otherwise, OpenCode does not update itself.
pub(crate) fn read(settings: Value) -> Result<ProgramSettings, SettingsProblem> {
    let mut settings = RULES.read(settings)?;
    if settings.model.as_ref().is_some_and(|model| !model.contains('/')) {
        let why = "has no provider; write PROVIDER/MODEL, or remove it to let OpenCode choose the model";
        return Err(SettingsProblem::of("model", why));
    }
    settings.env.set.entry(NO_UPDATE.to_owned()).or_insert_with(|| "1".to_owned());
    Ok(settings)
}

fn check_argument(arg: &str) -> Result<(), SettingsProblem> {
    let Some(long) = arg.strip_prefix("--") else {
        let advice = if arg.starts_with('-') { "write its long form" } else { "write --option=value" };
        let why = format!("must not contain `{arg}`, because it is not a complete option; {advice}");
        return Err(SettingsProblem::of("extra_args", &why));
    };
    let name = bare(long);
    RESERVED.check(arg, &name)?;
    // `--no-auto` is `--auto=false`.
    RESERVED.check(arg, name.strip_prefix("no").unwrap_or(&name))
}

/// The name of an option, normalized: OpenCode accepts `--logLevel` for `--log-level`, and reads `--format.x=y` as a
/// part of `--format`.
fn bare(long: &str) -> String {
    let name = long.split(['=', '.']).next().unwrap_or_default();
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reserved_options_are_refused_in_every_spelling() {
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
            let problem = read(json!({"extra_args": [arg]})).expect_err(arg);
            assert!(problem.key == "extra_args" && problem.problem.contains(arg), "{problem:?}");
        }
        assert!(read(json!({"extra_args": ["--variant=high", "--pure", "--title=x"]})).is_ok());
    }

    #[test]
    fn a_model_has_a_provider() {
        for model in ["gpt-5", "", "--auto/x"] {
            assert_eq!(read(json!({"model": model})).expect_err(model).key, "model");
        }
        assert!(read(json!({"model": "openrouter/openai/gpt-5"})).is_ok());
    }

    #[test]
    fn opencode_does_not_update_itself_by_default() {
        let set = |settings| read(settings).expect("valid settings").env.set;
        assert_eq!(set(json!({}))[NO_UPDATE], "1");
        let asked = set(json!({"env": {"set": {NO_UPDATE: "0", "A": "b"}}}));
        assert_eq!((asked[NO_UPDATE].as_str(), asked["A"].as_str()), ("0", "b"));
    }
}
