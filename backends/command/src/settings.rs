//! The settings of a command backend. All of them are checked before anything is launched.

use std::collections::{BTreeMap, BTreeSet};

use connector_api::{ProgramRules, ProgramSettings, Sandbox, SettingsProblem};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    json_lines::{JsonLines, check_rule},
    template::{Placeholder, Template, Values},
};

/// In `args`, the placeholder for the arguments of the sandbox.
pub(crate) const SANDBOX_ARGS: &str = "{sandbox_args}";
/// In `args`, the placeholder for the arguments of the model.
pub(crate) const MODEL_ARGS: &str = "{model_args}";

/// In `resume_args`, the placeholder for the session's ID.
pub(crate) const SESSION: &str = "{session}";

/// The placeholders in `args` and in `sandboxes`.
pub(crate) const IN_ARGS: [Placeholder; 2] = [Placeholder::Workdir, Placeholder::Sandbox];
/// The placeholders in `model_args`.
pub(crate) const IN_MODEL_ARGS: [Placeholder; 3] = [Placeholder::Model, Placeholder::Workdir, Placeholder::Sandbox];

/// The keys of `[backends.NAME]` with `kind = "command"`.
const RULES: ProgramRules = ProgramRules {
    keys: &[
        "program",
        "args",
        "model_args",
        "model",
        "sandboxes",
        "resume_args",
        "json_lines",
        "prompt",
        "version_args",
        "install_hint",
        "stop_signal",
        "env",
        "require_git",
    ],
    descriptions: &[
        ("program", "The agent's program: a name on `PATH`, an absolute path, or one that starts with `~/`."),
        ("model", "The model for calls that do not name one."),
        ("env", "Which environment variables the agent gets."),
    ],
    ..ProgramRules::new("the agent", "")
};

/// The keys that only this kind has.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["program", "sandboxes"]))]
pub(crate) struct CommandSettings {
    /// The program's arguments. `{workdir}` and `{sandbox}` are replaced anywhere in them. An argument that is exactly
    /// `{sandbox_args}` or `{model_args}` is replaced by the arguments from `sandboxes` or `model_args`; without it,
    /// these are added at the end.
    pub(crate) args: Vec<String>,
    /// The arguments that choose a model, such as `["--model", "{model}"]`; left out if no model is named. Without this
    /// key, calls that name a model are rejected.
    pub(crate) model_args: Vec<String>,
    /// For each sandbox, the arguments that make the agent enforce it. Calls for any other sandbox are rejected.
    #[schemars(schema_with = "sandboxes_schema")]
    pub(crate) sandboxes: BTreeMap<Sandbox, Vec<String>>,
    /// The arguments that resume an earlier session, such as `["--resume", "{session}"]`; they are added at the end.
    /// Without this key, sessions cannot be resumed.
    pub(crate) resume_args: Vec<String>,
    /// How to read the output of a program that prints JSON, one object per line. Without this key, all of stdout is
    /// the answer.
    pub(crate) json_lines: Option<JsonLines>,
    /// How the agent gets the prompt; `stdin` by default.
    pub(crate) prompt: Prompt,
    /// The arguments that make the program print its version; an empty list skips this.
    pub(crate) version_args: Vec<String>,
    /// One sentence that explains how to install the program, for error messages.
    pub(crate) install_hint: Option<String>,
    /// The signal that makes the agent stop cleanly; `interrupt` by default.
    pub(crate) stop_signal: StopSignalSetting,
}

/// How the agent gets the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Prompt {
    /// On stdin. It can have any length, and is never read as an option.
    #[default]
    Stdin,
    /// As the last argument, after `--`.
    Argument,
}

/// The signal that asks the agent to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StopSignalSetting {
    /// SIGINT, like Ctrl-C.
    #[default]
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Default for CommandSettings {
    fn default() -> Self {
        Self {
            args: vec![],
            model_args: vec![],
            sandboxes: BTreeMap::new(),
            resume_args: vec![],
            json_lines: None,
            prompt: Prompt::default(),
            version_args: vec!["--version".into()],
            install_hint: None,
            stop_signal: StopSignalSetting::default(),
        }
    }
}

pub(crate) fn schema() -> Value {
    RULES.schema_with(schemars::schema_for!(CommandSettings).to_value())
}

pub(crate) fn read(settings: Value) -> Result<(ProgramSettings, CommandSettings), SettingsProblem> {
    let (settings, own): (ProgramSettings, CommandSettings) = RULES.read_with(settings)?;
    own.check_templates()?;
    own.check_model(settings.model.as_deref())?;
    own.check_sandboxes()?;
    own.check_output()?;
    Ok((settings, own))
}

impl CommandSettings {
    /// The arguments without the prompt. The settings have been checked, so every template is valid.
    pub(crate) fn args(&self, sandbox: Sandbox, workdir: &str, model: Option<&str>) -> Vec<String> {
        let values = Values { model: model.unwrap_or_default(), workdir, sandbox: sandbox.as_str() };
        let fill = |args: &[String], allowed: &[Placeholder]| -> Vec<String> {
            args.iter()
                .filter_map(|arg| Template::read(arg, allowed).ok())
                .map(|template| template.fill(values))
                .collect()
        };
        let sandbox_args = fill(self.sandboxes.get(&sandbox).map_or(&[], Vec::as_slice), &IN_ARGS);
        let model_args = if model.is_some() { fill(&self.model_args, &IN_MODEL_ARGS) } else { vec![] };
        let missing = |list: &&str| !self.args.iter().any(|arg| arg == list);
        let at_the_end = [SANDBOX_ARGS, MODEL_ARGS].into_iter().filter(missing);
        let all_args = self.args.iter().map(String::as_str).chain(at_the_end);
        all_args
            .flat_map(|arg| match arg {
                SANDBOX_ARGS => sandbox_args.clone(),
                MODEL_ARGS => model_args.clone(),
                _ => fill(&[arg.to_owned()], &IN_ARGS),
            })
            .collect()
    }

    fn check_templates(&self) -> Result<(), SettingsProblem> {
        if self.version_args.iter().any(|arg| arg.contains('\0')) {
            return problem("version_args", "has an argument that contains a NUL byte");
        }
        for arg in self.args.iter().filter(|arg| *arg != SANDBOX_ARGS && *arg != MODEL_ARGS) {
            if mentions(arg, "{model}") {
                return problem("args", "must not contain `{model}`; set `model_args = [\"--model\", \"{model}\"]`");
            }
            if let Some(list) = [SANDBOX_ARGS, MODEL_ARGS].into_iter().find(|list| mentions(arg, list)) {
                return problem(
                    "args",
                    &format!(
                        "has `{list}` inside `{arg}`; it must be an argument by itself, because it is replaced by a list"
                    ),
                );
            }
            self.check("args", arg, &IN_ARGS)?;
        }
        for (sandbox, args) in &self.sandboxes {
            let key = format!("sandboxes.{sandbox}");
            args.iter().try_for_each(|arg| self.check(&key, arg, &IN_ARGS))?;
        }
        self.model_args.iter().try_for_each(|arg| self.check("model_args", arg, &IN_MODEL_ARGS))
    }

    fn check(&self, key: &str, arg: &str, allowed: &[Placeholder]) -> Result<(), SettingsProblem> {
        if arg.contains('\0') {
            return problem(key, "has an argument that contains a NUL byte");
        }
        if arg == "--" && self.prompt == Prompt::Argument {
            return problem(key, "must not contain `--`, which `prompt = \"argument\"` puts before the prompt");
        }
        Template::read(arg, allowed).map(|_| ()).or_else(|why| problem(key, &why))
    }

    fn check_output(&self) -> Result<(), SettingsProblem> {
        if !self.resume_args.is_empty() && !self.resume_args.iter().any(|arg| arg.contains(SESSION)) {
            return problem("resume_args", "does not contain `{session}`, so the agent would begin a new session");
        }
        let Some(rules) = &self.json_lines else { return Ok(()) };
        for (key, rule) in rules.rules() {
            if let Err(why) = check_rule(rule) {
                return problem(&format!("json_lines.{key}"), &format!("has a rule that {why}"));
            }
        }
        if rules.message.is_empty() {
            return problem(
                "json_lines.message",
                "is required: a list of rules for the agent's messages, such as [\"type=text part.text\"]",
            );
        }
        Ok(())
    }

    fn check_model(&self, model: Option<&str>) -> Result<(), SettingsProblem> {
        if !self.model_args.is_empty() && !self.model_args.iter().any(|arg| mentions(arg, "{model}")) {
            return problem("model_args", "does not contain `{model}`, so the model would not reach the agent");
        }
        if self.model_args.is_empty() && self.args.iter().any(|arg| arg == MODEL_ARGS) {
            return problem("args", "contains `{model_args}`, but the key `model_args` is missing");
        }
        if model.is_some() && self.model_args.is_empty() {
            return problem("model", "needs `model_args` to reach the agent, such as `[\"--model\", \"{model}\"]`");
        }
        Ok(())
    }

    /// Checks that each sandbox has its own command line. If two are the same, one of them is not enforced.
    fn check_sandboxes(&self) -> Result<(), SettingsProblem> {
        if self.sandboxes.is_empty() {
            return problem(
                "sandboxes",
                "is required: the arguments for each sandbox that the agent can enforce, such as \
                 `sandboxes.danger-full-access = []` for an agent without a sandbox",
            );
        }
        let mut seen = BTreeSet::new();
        for sandbox in self.sandboxes.keys() {
            if !seen.insert(self.args(*sandbox, "/", None)) {
                return problem(
                    &format!("sandboxes.{sandbox}"),
                    "gives the same command line as another sandbox, so one of them is not enforced; remove it",
                );
            }
        }
        Ok(())
    }
}

/// Whether `arg` contains `placeholder`, ignoring doubled braces.
fn mentions(arg: &str, placeholder: &str) -> bool {
    arg.replace("{{", "").replace("}}", "").contains(placeholder)
}

fn problem(key: &str, why: &str) -> Result<(), SettingsProblem> {
    Err(SettingsProblem::of(key, why))
}

fn sandboxes_schema(_: &mut SchemaGenerator) -> Schema {
    let args = json!({"type": "array", "items": {"type": "string"}});
    let properties: BTreeMap<_, _> = Sandbox::ALL.iter().map(|sandbox| (sandbox.as_str(), &args)).collect();
    let schema = json!({
        "type": "object",
        "description": "For each sandbox, the arguments that make the agent enforce it; calls for any other sandbox are rejected",
        "properties": properties,
        "additionalProperties": false,
        "minProperties": 1,
    });
    Schema::try_from(schema).expect("a schema of properties is an object")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(key: &str, value: Value) -> Value {
        let mut settings = json!({"program": "agent", "sandboxes": {"danger-full-access": []}});
        settings[key] = value;
        settings
    }

    fn refusal(key: &str, value: Value) -> SettingsProblem {
        read(settings(key, value)).expect_err("these settings are invalid")
    }

    #[test]
    fn a_program_and_one_sandbox_are_enough() {
        let (shared, own) = read(settings("args", json!([]))).expect("nothing else is required");
        assert_eq!(
            (own.prompt, own.stop_signal, shared.require_git),
            (Prompt::Stdin, StopSignalSetting::Interrupt, true)
        );
        assert_eq!(own.version_args, ["--version"]);
    }

    #[test]
    fn the_schema_describes_every_key() {
        let schema = schema();
        let described: BTreeSet<_> = schema["properties"].as_object().expect("an object").keys().cloned().collect();
        assert_eq!(described, RULES.keys.iter().map(|key| (*key).to_owned()).collect());
        assert_eq!(schema["required"], json!(["program", "sandboxes"]));
        assert_eq!(schema["properties"]["sandboxes"]["properties"]["read-only"]["type"], "array");
    }

    #[test]
    fn each_mistake_names_its_key_and_what_to_write_instead() {
        for (key, value, at, words) in [
            ("program", json!(""), "program", "is required"),
            ("sandboxes", json!({}), "sandboxes", "sandboxes.danger-full-access = []"),
            ("sandboxes", json!({"none": []}), "sandboxes.none", "read-only"),
            ("sandboxes", json!({"read-only": [], "danger-full-access": []}), "sandboxes.danger-full-access", "same"),
            ("sandboxes", json!({"read-only": ["{model}"]}), "sandboxes.read-only", "unknown placeholder `{model}`"),
            ("args", json!(["{workdri}"]), "args", "`{workdri}` (did you mean `{workdir}`?)"),
            ("args", json!(["--model={model}"]), "args", "model_args"),
            ("args", json!(["x{sandbox_args}"]), "args", "by itself"),
            ("args", json!(["{model_args}"]), "args", "`model_args` is missing"),
            ("args", json!(["{"]), "args", "lone brace"),
            ("args", json!(["a\u{0}b"]), "args", "NUL"),
            ("args", json!("run"), "args", "expected a sequence"),
            ("model_args", json!(["--model"]), "model_args", "not contain `{model}`"),
            ("model", json!("m"), "model", "model_args"),
            ("prompt", json!("file"), "prompt", "`stdin` or `argument`"),
            ("stop_signal", json!("kill"), "stop_signal", "`interrupt` or `terminate`"),
            ("arg", json!([]), "arg", "(did you mean `args`?)"),
            ("env", json!({"unset": []}), "env.unset", "`pass`, `remove`, `set`"),
        ] {
            let problem = refusal(key, value);
            assert_eq!(problem.key, at, "{problem}");
            let message = problem.to_string();
            assert!(message.contains(words) && message.contains(at), "{message}");
        }
    }

    #[test]
    fn a_double_dash_is_reserved_when_the_prompt_is_an_argument() {
        let mut both = settings("prompt", json!("argument"));
        both["args"] = json!(["--"]);
        assert_eq!(read(both.clone()).expect_err("two double dashes").key, "args");
        both["args"] = json!([]);
        both["model_args"] = json!(["--", "{model}"]);
        assert_eq!(read(both).expect_err("two double dashes").key, "model_args");
        assert!(read(settings("args", json!(["--", "x"]))).is_ok());
    }

    #[test]
    fn sandboxes_may_differ_only_by_name() {
        let mut named = settings("args", json!(["--sandbox", "{sandbox}"]));
        named["sandboxes"] = json!({"read-only": [], "workspace-write": []});
        assert!(read(named).is_ok());
    }
}
