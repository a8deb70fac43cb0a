//! The settings of an ACP backend, and the presets for some agents.

use std::{collections::BTreeMap, path::Path, time::Duration};

use connector_api::{ProgramRules, ProgramSettings, Sandbox, SettingsProblem};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The placeholder for the model in `model_args`.
pub(crate) const MODEL: &str = "{model}";

/// The default of `answer_seconds`.
const DEFAULT_ANSWER_SECONDS: u64 = 60;

/// The keys of `[backends.NAME]` with `kind = "acp"`.
const RULES: ProgramRules = ProgramRules {
    keys: &[
        "preset",
        "program",
        "args",
        "model_args",
        "model",
        "modes",
        "version_args",
        "answer_seconds",
        "env",
        "require_git",
        "install_hint",
    ],
    without_program: Some("is missing; name the agent's program, or set `preset`"),
    descriptions: &[("model", "The model for calls that do not name one.")],
    ..ProgramRules::new("the agent", "")
};

/// The keys that only this kind has.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AcpSettings {
    /// A known agent whose settings are used for keys that are left out: `gemini`, `opencode`, `codex-acp`,
    /// `claude-agent-acp` or `claude-code-acp`. By default, the one with the same name as `program`.
    pub(crate) preset: Option<String>,
    /// The arguments that make the program speak ACP on stdin and stdout.
    pub(crate) args: Vec<String>,
    /// The arguments that choose a model, containing `{model}`. Without them, the model is chosen in the session if the
    /// agent supports that.
    pub(crate) model_args: Vec<String>,
    /// For each supported sandbox, the agent's mode that enforces it, or a list of modes, of which the first that the
    /// agent offers is used: `{ workspace-write = "sandboxed", danger-full-access = ["autopilot", "full"] }`. An empty
    /// string means the mode in which the agent starts; it is allowed alone, or last in the list for
    /// `danger-full-access`. Without this key, only `danger-full-access` is supported, which needs no enforcement.
    #[schemars(schema_with = "modes_schema")]
    pub(crate) modes: BTreeMap<Sandbox, Modes>,
    /// The arguments that make the program print its version; an empty list skips this.
    pub(crate) version_args: Vec<String>,
    /// How many seconds the agent has to answer requests that need no work, such as `initialize`. The time for its work
    /// is the task's time limit.
    pub(crate) answer_seconds: u64,
    /// One sentence that explains how to install the program, for error messages.
    pub(crate) install_hint: Option<String>,
}

impl Default for AcpSettings {
    fn default() -> Self {
        Self {
            preset: None,
            args: vec![],
            model_args: vec![],
            modes: BTreeMap::from([(Sandbox::DangerFullAccess, Modes::One(String::new()))]),
            version_args: vec!["--version".into()],
            answer_seconds: DEFAULT_ANSWER_SECONDS,
            install_hint: None,
        }
    }
}

/// The modes in which an agent enforces a sandbox, in order of preference.
// `untagged` is acceptable because only people write this; it is never stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected the name of a mode, or a list of names")]
pub(crate) enum Modes {
    One(String),
    Several(Vec<String>),
}

impl Modes {
    pub(crate) fn in_order(&self) -> &[String] {
        match self {
            Self::One(mode) => std::slice::from_ref(mode),
            Self::Several(modes) => modes,
        }
    }
}

/// The environment variables that Claude Code needs. See the kind `claude`.
pub(crate) const CLAUDE_PROGRAMS: &[&str] = &[
    "ANTHROPIC_*",
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_*",
    "CLAUDE_CODE_SKIP_*_AUTH",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
];

/// The known agents.
const PRESETS: [&str; 5] = ["gemini", "opencode", "codex-acp", "claude-agent-acp", "claude-code-acp"];

pub(crate) fn schema() -> Value {
    RULES.schema_with(schemars::schema_for!(AcpSettings).to_value())
}

pub(crate) fn read(written: Value) -> Result<(ProgramSettings, AcpSettings), SettingsProblem> {
    let preset = written["preset"].as_str().or_else(|| named_like(written["program"].as_str()?)).map(str::to_owned);
    let filled = match &preset {
        Some(preset) => with_preset(preset, written)?,
        None => written,
    };
    let (mut settings, own): (ProgramSettings, AcpSettings) = RULES.read_with(filled)?;
    // Only the agents that wrap Claude Code need these variables.
    if !preset.is_some_and(|preset| preset.starts_with("claude-")) {
        settings.env.admit.clear();
    }
    own.check()?;
    Ok((settings, own))
}

impl AcpSettings {
    fn check(&self) -> Result<(), SettingsProblem> {
        if self.modes.is_empty() {
            return Err(SettingsProblem::of("modes", "is empty, so every task would be refused"));
        }
        for (sandbox, modes) in &self.modes {
            check_modes(*sandbox, modes.in_order())
                .map_err(|why| SettingsProblem::of(&format!("modes.{sandbox}"), why))?;
        }
        if !self.model_args.is_empty() && !self.model_args.iter().any(|arg| arg.contains(MODEL)) {
            return Err(SettingsProblem::of("model_args", &format!("does not contain `{MODEL}`")));
        }
        if self.answer_seconds == 0 {
            return Err(SettingsProblem::of("answer_seconds", "is 0, but an agent needs time to answer"));
        }
        Ok(())
    }

    /// The time limit for an answer to any request but the prompt.
    pub(crate) fn answer_timeout(&self) -> Duration {
        Duration::from_secs(self.answer_seconds)
    }
}

/// Checks that these modes can enforce a sandbox. Fails with the end of a sentence about the mistake. An agent's
/// initial mode may change with its next version, so it cannot replace a mode that enforces a sandbox.
fn check_modes(sandbox: Sandbox, modes: &[String]) -> Result<(), &'static str> {
    let initial = modes.iter().position(String::is_empty);
    match initial {
        _ if modes.is_empty() => Err("is an empty list; remove it to refuse this sandbox"),
        Some(at) if at + 1 < modes.len() => {
            Err("has an empty text before its end, so the modes after it are never used")
        }
        Some(1..) if sandbox != Sandbox::DangerFullAccess => {
            Err("mixes modes with an empty text, which does not enforce it; write only modes, or only the empty text")
        }
        _ => Ok(()),
    }
}

/// The preset with the same name as a program.
fn named_like(program: &str) -> Option<&str> {
    let name = Path::new(program).file_name()?.to_str()?;
    PRESETS.contains(&name).then_some(name)
}

/// The written settings, with those of the preset as defaults.
fn with_preset(preset: &str, written: Value) -> Result<Value, SettingsProblem> {
    let mut settings = match preset {
        // In its modes below `yolo`, some tools still write without asking, so those modes are not a sandbox.
        "gemini" => json!({
            "program": "gemini",
            "args": ["--acp"],
            "model_args": ["-m", MODEL],
            "modes": {"danger-full-access": ["yolo", ""]},
            "install_hint": "install the Gemini CLI with `npm install -g @google/gemini-cli`"
        }),
        "opencode" => json!({
            "program": "opencode",
            "args": ["acp"],
            "install_hint": "install OpenCode with `npm install -g opencode-ai`"
        }),
        // The names of one mode, newest first (2.6.0, 0.16.0). In its other modes, commands silently have no effect.
        "codex-acp" => json!({
            "program": "codex-acp",
            "modes": {"danger-full-access": ["agent-full-access", "full-access"]},
            "version_args": [],
            "install_hint": "install it with `npm install -g @agentclientprotocol/codex-acp`"
        }),
        // Root cannot use `bypassPermissions`. In the other modes, it asks for permission and gets it.
        "claude-agent-acp" => json!({
            "program": "claude-agent-acp",
            "modes": {"danger-full-access": ["bypassPermissions", "default", ""]},
            "install_hint": "install it with `npm install -g @agentclientprotocol/claude-agent-acp`"
        }),
        "claude-code-acp" => json!({
            "program": "claude-code-acp",
            "modes": {"danger-full-access": ["bypassPermissions", "default", ""]},
            "version_args": [],
            "install_hint": "install it with `npm install -g @zed-industries/claude-code-acp`"
        }),
        other => {
            let meant = connector_api::nearest(other, &PRESETS)
                .map(|near| format!(" (did you mean `{near}`?)"))
                .unwrap_or_default();
            let known = PRESETS.join("`, `");
            return Err(SettingsProblem::of("preset", &format!("is `{other}`{meant}; valid presets: `{known}`")));
        }
    };
    if let (Value::Object(settings), Value::Object(written)) = (&mut settings, written) {
        settings.extend(written);
    }
    Ok(settings)
}

fn modes_schema(_: &mut SchemaGenerator) -> Schema {
    let one_or_several = json!({
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
    });
    let words = Sandbox::ALL.map(|sandbox| (sandbox.as_str().to_owned(), one_or_several.clone()));
    schemars::json_schema!({
        "type": "object",
        "properties": serde_json::Map::from_iter(words),
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_agent_needs_only_its_name() {
        for preset in PRESETS {
            let (settings, own) = read(json!({"preset": preset})).expect("the preset exists");
            assert!(!settings.program.is_empty() && own.install_hint.is_some(), "{preset}");
            assert_eq!(own.modes.keys().copied().collect::<Vec<_>>(), [Sandbox::DangerFullAccess], "{preset}");
        }
        let keys = |preset: &str| {
            let env = json!({"remove": ["ANTHROPIC_*"], "admit": CLAUDE_PROGRAMS});
            let rules = read(json!({"preset": preset, "env": env})).map(|(settings, _)| settings.env);
            let theirs = rules.expect("the preset exists").apply([("ANTHROPIC_API_KEY".into(), "x".into())]);
            theirs.contains_key(std::ffi::OsStr::new("ANTHROPIC_API_KEY"))
        };
        let all = ["claude-code-acp", "claude-agent-acp", "codex-acp"].map(keys);
        assert_eq!(all, [true, true, false], "only Claude Code gets its keys");
        let own = read(json!({"preset": "claude-agent-acp", "env": {"remove": ["ANTHROPIC_*"]}}));
        assert!(own.expect("the preset exists").0.env.admit.is_empty(), "the user's own `remove` is respected");
        let settings = read(json!({"preset": "gemini", "program": "/opt/gemini", "args": ["--acp", "-d"]}));
        let (settings, own) = settings.expect("written settings override the preset");
        assert_eq!((settings.program.as_str(), own.args.len(), own.model_args.len()), ("/opt/gemini", 2, 2));
    }

    #[test]
    fn a_known_agent_is_recognized_by_its_program() {
        for (program, is_known) in [("gemini", true), ("/opt/bin/gemini", true), ("~/gemini", true), ("gemini2", false)]
        {
            let (settings, own) = read(json!({"program": program})).expect("valid settings");
            assert_eq!((settings.program.as_str(), own.args == ["--acp"]), (program, is_known));
        }
        let (_, own) = read(json!({"program": "gemini", "preset": "opencode"})).expect("valid settings");
        assert_eq!(own.args, ["acp"], "an explicit preset overrides the program's name");
    }

    #[test]
    fn a_sandbox_has_one_mode_or_several() {
        let modes = json!({"read-only": "plan", "danger-full-access": ["all", ""]});
        let (_, own) = read(json!({"program": "x", "modes": modes})).expect("valid settings");
        let of = |sandbox| own.modes[&sandbox].in_order().join(",");
        assert_eq!((of(Sandbox::ReadOnly), of(Sandbox::DangerFullAccess)), ("plan".into(), "all,".into()));
    }

    #[test]
    fn each_problem_names_its_key() {
        for (settings, key, words) in [
            (json!({}), "program", "is missing"),
            (json!({"preset": "gemni"}), "preset", "(did you mean `gemini`?)"),
            (json!({"program": "x", "modes": {}}), "modes", "every task would be refused"),
            (json!({"program": "x", "modes": {"all": ""}}), "modes.all", "all"),
            (json!({"program": "x", "modes": {"read-only": 1}}), "modes.read-only", "a list of names"),
            (json!({"program": "x", "modes": {"read-only": []}}), "modes.read-only", "is an empty list"),
            (json!({"program": "x", "modes": {"read-only": ["plan", ""]}}), "modes.read-only", "does not enforce"),
            (
                json!({"program": "x", "modes": {"danger-full-access": ["", "all"]}}),
                "modes.danger-full-access",
                "never used",
            ),
            (json!({"program": "x", "model_args": ["-m"]}), "model_args", "{model}"),
            (json!({"program": "x", "model": "-m"}), "model", "option"),
            (json!({"program": "x", "answer_seconds": 0}), "answer_seconds", "0"),
            (json!({"modess": {}}), "modess", "(did you mean `modes`?)"),
            (json!({"preset": 1}), "preset", "expected a string"),
            (json!({"program": "x", "modess": {}}), "modess", "(did you mean `modes`?)"),
        ] {
            let problem = read(settings.clone()).expect_err("these settings are invalid");
            assert!(problem.problem.contains(words), "{settings}: {problem:?}");
            assert_eq!(problem.key, key, "{settings}: {problem:?}");
        }
    }
}
