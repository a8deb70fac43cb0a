//! The settings of a Codex backend, and the arguments that no setting may carry.

use connector_api::{EnvRules, SettingsProblem, read_settings, why_no_model};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// The keys of `[backends.NAME]` with `kind = "codex"`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The Codex program: a name on `PATH`, an absolute path, or one that starts with `~/`.
    pub(crate) program: String,
    /// The model, unless a call names one. Without both, Codex's own configuration decides.
    pub(crate) model: Option<String>,
    /// More arguments for `codex exec`, such as `["--profile", "work"]`.
    pub(crate) extra_args: Vec<String>,
    /// Which environment variables Codex gets.
    pub(crate) env: EnvRules,
    /// Whether the working directory must be inside a git repository.
    pub(crate) require_git: bool,
    /// Whether a project's own Codex settings count in `read-only` and `workspace-write`: `ignore` never reads them, and
    /// `trust` reads them if you trust the project in Codex.
    pub(crate) project_settings: ProjectSettings,
}

/// How the settings, MCP servers, hooks and rules in a project's `.codex` directory are treated in a sandboxed task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum ProjectSettings {
    /// Codex ignores them.
    Ignore,
    /// Codex reads them if its user trusts the project. They can widen the sandbox.
    Trust,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            program: "codex".into(),
            model: None,
            extra_args: vec![],
            env: EnvRules::default(),
            require_git: true,
            project_settings: ProjectSettings::Ignore,
        }
    }
}

impl Settings {
    const KEYS: [&str; 6] = ["program", "model", "extra_args", "env", "require_git", "project_settings"];

    pub(crate) fn schema() -> Value {
        schemars::schema_for!(Self).to_value()
    }

    pub(crate) fn read(settings: Value) -> Result<Self, SettingsProblem> {
        let settings: Self = read_settings(settings, &Self::KEYS)?;
        if settings.program.trim().is_empty() {
            return Err(SettingsProblem::new("program", "`program` is empty; leave it out for `codex` on PATH"));
        }
        if let Some(why) = settings.model.as_deref().and_then(why_no_model) {
            return Err(SettingsProblem::new("model", format!("`model` {why}; leave it out to let Codex decide")));
        }
        match settings.extra_args.iter().enumerate().find_map(|(at, _)| why_forbidden(&settings.extra_args, at)) {
            Some(why) => Err(SettingsProblem::new("extra_args", format!("`extra_args` {why}"))),
            None => Ok(settings),
        }
    }
}

/// What a caller may not pass, and what decides it instead.
const OWNED: [(&[&str], &str); 10] = [
    (&["--json", "--experimental-json"], "codex-connector always asks for the event stream that it reads"),
    (
        &["-s", "--sandbox", "--full-auto", "--approve-for-me", "--yolo", "--dangerously-bypass-approvals-and-sandbox"],
        "the sandbox of each task is the call's `sandbox`",
    ),
    (&["-a", "--ask-for-approval"], "nobody is there to be asked"),
    (
        &["--add-dir"],
        "it widens the sandbox; add the directory to Codex's own config.toml, to `sandbox_workspace_write`",
    ),
    (
        &["--trust", "--dangerously-bypass-hook-trust"],
        "trust is given in Codex itself; `project_settings` says whether it counts here",
    ),
    (&["-m", "--model"], "the model is the call's `model`, or this backend's `model`"),
    (&["-C", "--cd"], "the working directory is the call's `workingDirectory`"),
    (&["-o", "--output-last-message"], "the result file is written by codex-connector"),
    (&["-h", "--help", "-V", "--version"], "Codex would print and do nothing"),
    (&["--", "-"], "the prompt is passed by codex-connector"),
];

/// Keys of Codex's own configuration that would undo a flag that we pass, or widen the sandbox, and what to do instead.
const OWNED_CONFIG: [(&[&str], &str); 3] = [
    (
        &["sandbox_mode", "sandbox_permissions", "approval_policy", "permissions", "default_permissions"],
        "the sandbox of each task is the call's `sandbox`",
    ),
    (&["projects"], "`project_settings` says whether a project's own settings count"),
    (
        &["sandbox_workspace_write", "mcp_servers", "hooks"],
        "it lets a sandboxed task do more; if that is what you want, write it in Codex's own config.toml",
    ),
];

/// Why the argument at `at` may not be passed, as the end of a sentence.
///
/// An argument that is the value of the one before it is looked at like any other: Codex takes no value that starts
/// with `-`, so nothing that is meant well is lost.
fn why_forbidden(args: &[String], at: usize) -> Option<String> {
    let arg = args[at].as_str();
    if arg.contains('\0') {
        return Some("has an argument with a NUL byte in it".into());
    }
    let flag = match arg.strip_prefix("--") {
        Some(_) => arg.split('=').next().unwrap_or(arg),
        None if arg.starts_with('-') => arg.char_indices().nth(2).map_or(arg, |(end, _)| &arg[..end]),
        None => "",
    };
    if let Some((_, why)) = OWNED.iter().find(|(flags, _)| flags.contains(&flag)) {
        return Some(format!("may not have `{arg}`: {why}"));
    }
    let before = at.checked_sub(1).map(|before| args[before].as_str());
    let assignment = match flag {
        "--config" => arg.strip_prefix("--config="),
        "-c" => arg.strip_prefix("-c").map(|rest| rest.strip_prefix('=').unwrap_or(rest)),
        _ if matches!(before, Some("-c" | "--config")) => Some(arg),
        _ => None,
    };
    let key = assignment?.split('=').next().unwrap_or_default().trim();
    let table = key.split('.').next().unwrap_or(key).trim_matches(['"', '\'', ' ']);
    let (_, why) = OWNED_CONFIG.iter().find(|(tables, _)| tables.contains(&table))?;
    Some(format!("may not set `{key}`: {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(extra_args: &[&str]) -> Option<String> {
        Settings::read(json!({ "extra_args": extra_args })).err().map(|problem| problem.to_string())
    }

    #[test]
    fn every_key_is_optional_and_described() {
        assert_eq!(Settings::read(json!({})), Ok(Settings::default()));
        let schema = Settings::schema();
        let described: Vec<_> = schema["properties"].as_object().expect("an object schema").keys().collect();
        assert_eq!(described.len(), Settings::KEYS.len());
        assert!(described.into_iter().all(|key| Settings::KEYS.contains(&key.as_str())));
        assert_eq!(schema["properties"]["program"]["default"], "codex");
        assert_eq!(schema["properties"]["env"]["additionalProperties"], false);
    }

    #[test]
    fn arguments_that_carry_safety_or_the_protocol_are_refused_in_every_spelling() {
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
            let said = refusal(&["--color", "never", forbidden]).unwrap_or_else(|| panic!("{forbidden} was taken"));
            assert!(said.contains(&format!("`{forbidden}`")), "{said}");
        }
    }

    #[test]
    fn configuration_that_undoes_the_sandbox_is_refused_in_every_spelling() {
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
            assert!(refusal(args).is_some_and(|said| said.contains("may not set")), "{args:?}");
        }
    }

    #[test]
    fn other_arguments_are_taken() {
        let args = ["-c", "model_reasoning_effort=high", "--profile", "work", "-c", "model_providers.mcp_servers.x=1"];
        assert_eq!(refusal(&args), None);
    }

    #[test]
    fn a_project_is_ignored_unless_it_is_to_be_trusted() {
        let read = |word: &str| Settings::read(json!({ "project_settings": word }));
        assert_eq!(Settings::default().project_settings, ProjectSettings::Ignore);
        assert_eq!(read("ignore"), Ok(Settings::default()));
        assert_eq!(read("trust").map(|settings| settings.project_settings), Ok(ProjectSettings::Trust));
        assert_eq!(read("always").expect_err("not one of the values").key, "project_settings");
    }

    #[test]
    fn a_model_that_is_none_is_refused() {
        for model in ["", " ", "-m", "a\nb"] {
            assert_eq!(Settings::read(json!({ "model": model })).expect_err("no name of a model").key, "model");
        }
        assert_eq!(Settings::read(json!({"program": ""})).expect_err("no program").key, "program");
    }
}
