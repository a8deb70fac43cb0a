//! The settings of a Codex backend, and the arguments that they may not contain.

use connector_api::{ProgramRules, ProgramSettings, ReservedOptions, SettingsProblem};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// The keys of `[backends.NAME]` with `kind = "codex"`.
const RULES: ProgramRules = ProgramRules {
    keys: &["program", "model", "extra_args", "env", "require_git", "project_settings"],
    descriptions: &[
        ("program", "The Codex program: a name on `PATH`, an absolute path, or one that starts with `~/`."),
        ("extra_args", "Additional arguments for `codex exec`, such as `[\"--profile\", \"work\"]`."),
        ("env", "Which environment variables Codex gets."),
    ],
    check_args,
    ..ProgramRules::new("Codex", "codex")
};

/// The keys that only Codex has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CodexSettings {
    /// Whether Codex reads a project's own settings in `read-only` and `workspace-write`; `ignore` by default.
    pub(crate) project_settings: ProjectSettings,
}

/// How the settings, MCP servers, hooks and rules in a project's `.codex` directory are treated in a sandboxed task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum ProjectSettings {
    /// Codex ignores them.
    Ignore,
    /// Codex reads them if you trust the project in Codex. They can widen the sandbox.
    Trust,
}

impl Default for CodexSettings {
    fn default() -> Self {
        Self { project_settings: ProjectSettings::Ignore }
    }
}

pub(crate) fn schema() -> Value {
    RULES.schema_with(schemars::schema_for!(CodexSettings).to_value())
}

pub(crate) fn read(settings: Value) -> Result<(ProgramSettings, CodexSettings), SettingsProblem> {
    RULES.read_with(settings)
}

/// Options that `extra_args` may not contain, and what decides them instead.
const RESERVED: ReservedOptions = ReservedOptions::new(&[
    (&["--json", "--experimental-json"], "codex-connector sets the options of the event stream itself"),
    (
        &["-s", "--sandbox", "--full-auto", "--approve-for-me", "--yolo", "--dangerously-bypass-approvals-and-sandbox"],
        "each task gets the `sandbox` of its call",
    ),
    (&["-a", "--ask-for-approval"], "there is no user to ask"),
    (
        &["--add-dir"],
        "it widens the sandbox; add the directory to `sandbox_workspace_write` in Codex's own config.toml",
    ),
    (
        &["--trust", "--dangerously-bypass-hook-trust"],
        "trust a project in Codex itself; `project_settings` determines whether that trust applies here",
    ),
    (&["-m", "--model"], "each task gets the `model` of its call, or this backend's `model`"),
    (&["-C", "--cd"], "each task gets the `workingDirectory` of its call"),
    (&["-o", "--output-last-message"], "codex-connector writes the result file"),
    (&["-h", "--help", "-V", "--version"], "Codex would not run the task"),
    (&["--", "-"], "codex-connector passes the prompt"),
]);

/// Keys of Codex's own configuration that would override our flags or widen the sandbox, and what to do instead.
const RESERVED_CONFIG: [(&[&str], &str); 3] = [
    (
        &["sandbox_mode", "sandbox_permissions", "approval_policy", "permissions", "default_permissions"],
        "each task gets the `sandbox` of its call",
    ),
    (&["projects"], "`project_settings` determines whether a project's own settings apply"),
    (
        &["sandbox_workspace_write", "mcp_servers", "hooks"],
        "it lets a sandboxed task do more; if that is what you want, write it in Codex's own config.toml",
    ),
];

fn check_args(args: &[String]) -> Result<(), SettingsProblem> {
    (0..args.len()).try_for_each(|at| check_arg(args, at))
}

/// Checks the argument at `at`.
///
/// An argument that is the value of the previous option is checked like any other. This refuses nothing useful, because
/// Codex does not accept a value that starts with `-`.
fn check_arg(args: &[String], at: usize) -> Result<(), SettingsProblem> {
    let arg = args[at].as_str();
    let option = match arg.strip_prefix("--") {
        Some(_) => arg.split('=').next().unwrap_or(arg),
        None if arg.starts_with('-') => arg.char_indices().nth(2).map_or(arg, |(end, _)| &arg[..end]),
        None => "",
    };
    RESERVED.check(arg, option)?;
    let before = at.checked_sub(1).map(|before| args[before].as_str());
    let assignment = match option {
        "--config" => arg.strip_prefix("--config="),
        "-c" => arg.strip_prefix("-c").map(|rest| rest.strip_prefix('=').unwrap_or(rest)),
        _ if matches!(before, Some("-c" | "--config")) => Some(arg),
        _ => None,
    };
    let key = assignment.and_then(|assignment| assignment.split('=').next()).unwrap_or_default().trim();
    let table = key.split('.').next().unwrap_or(key).trim_matches(['"', '\'', ' ']);
    match RESERVED_CONFIG.iter().find(|(tables, _)| tables.contains(&table)) {
        Some((_, why)) => Err(SettingsProblem::of("extra_args", &format!("must not set `{key}`: {why}"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(extra_args: &[&str]) -> Option<String> {
        read(json!({ "extra_args": extra_args })).err().map(|problem| problem.to_string())
    }

    #[test]
    fn every_key_is_optional_and_described() {
        let settings = read(json!({})).expect("no key is required");
        assert_eq!(settings, (RULES.read(json!({})).expect("no key is required"), CodexSettings::default()));
        let schema = schema();
        let described: Vec<_> = schema["properties"].as_object().expect("an object schema").keys().collect();
        assert_eq!(described.len(), RULES.keys.len());
        assert!(described.into_iter().all(|key| RULES.keys.contains(&key.as_str())));
        assert_eq!(schema["properties"]["program"]["default"], "codex");
        assert_eq!(schema["properties"]["env"]["additionalProperties"], false);
    }

    #[test]
    fn reserved_arguments_are_refused_in_every_spelling() {
        for forbidden in [
            "--json",
            "--experimental-json",
            "-s",
            "-sread-only",
            "--sandbox",
            "--sandbox=read-only",
            "--full-auto",
            "--approve-for-me",
            "--yolo",
            "--dangerously-bypass-approvals-and-sandbox",
            "-a",
            "-anever",
            "--ask-for-approval=never",
            "-m",
            "-mgpt",
            "--model=gpt",
            "-C",
            "--cd=/",
            "-o",
            "-ofile",
            "--output-last-message=x",
            "--add-dir",
            "--add-dir=/",
            "--trust",
            "--dangerously-bypass-hook-trust",
            "--help",
            "--version",
            "--",
            "-",
        ] {
            let said = refusal(&["--color", "never", forbidden]).unwrap_or_else(|| panic!("{forbidden} was accepted"));
            assert!(said.contains(&format!("`{forbidden}`")), "{said}");
        }
    }

    #[test]
    fn configuration_that_weakens_the_sandbox_is_refused_in_every_spelling() {
        for args in [
            &["-c", "sandbox_mode=\"danger-full-access\""][..],
            &["-csandbox_mode=x"],
            &["-c=sandbox_mode=x"],
            &["--config", " approval_policy = never"],
            &["--config=sandbox_permissions=[]"],
            &["-c", "sandbox_workspace_write.network_access=true"],
            &["-c", "sandbox_workspace_write={network_access=true}"],
            &["-c", "\"sandbox_workspace_write\".writable_roots=[\"/\"]"],
            &["-cprojects={\"/\"={trust_level=\"trusted\"}}"],
            &["-c", "mcp_servers.x.command=\"sh\""],
            &["--config=hooks.x=1"],
            &["-c", "default_permissions=x"],
        ] {
            assert!(refusal(args).is_some_and(|said| said.contains("must not set")), "{args:?}");
        }
    }

    #[test]
    fn other_arguments_are_accepted() {
        let args = ["-c", "model_reasoning_effort=high", "--profile", "work", "-c", "model_providers.mcp_servers.x=1"];
        assert_eq!(refusal(&args), None);
    }

    #[test]
    fn project_settings_are_ignored_unless_trusted() {
        let read = |word: &str| read(json!({ "project_settings": word })).map(|(_, own)| own.project_settings);
        assert_eq!(CodexSettings::default().project_settings, ProjectSettings::Ignore);
        assert_eq!(read("ignore"), Ok(ProjectSettings::Ignore));
        assert_eq!(read("trust"), Ok(ProjectSettings::Trust));
        assert_eq!(read("always").expect_err("not one of the values").key, "project_settings");
    }

    #[test]
    fn an_invalid_model_name_is_refused() {
        for model in ["", " ", "-m", "a\nb"] {
            assert_eq!(read(json!({ "model": model })).expect_err("not the name of a model").key, "model");
        }
        assert_eq!(read(json!({"program": ""})).expect_err("no program").key, "program");
    }
}
