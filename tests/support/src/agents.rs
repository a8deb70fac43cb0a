//! Real agents, each with its own home and configured to use a scripted model.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;
use tempfile::TempDir;

use crate::{
    ScriptedModel,
    codex::{CodexHome, InstallProblem, install, install_other},
};

/// An agent that is ready to be used as a backend.
#[derive(Debug)]
pub struct TestAgent {
    /// Its name in tables.
    pub title: String,
    /// The content of `[backends.NAME]` as TOML, without the section header.
    pub settings: String,
    /// The environment variables that it needs in addition to `HOME` and `PATH`.
    pub variables: Vec<(&'static str, OsString)>,
    /// Its home, removed when the agent is dropped.
    home: TempDir,
}

/// The newest version of Claude Code that was tested, as numbered on npm.
pub const CLAUDE: &str = "2.1.332";
/// The newest version of Gemini CLI that was tested.
pub const GEMINI: &str = "0.61.0";
/// The newest version of OpenCode that was tested.
pub const OPENCODE: &str = "1.18.33";
/// The newest version of Qwen Code that was tested.
pub const QWEN: &str = "0.24.4";

/// An ACP agent that wraps another agent. Both packages have been renamed.
#[derive(Debug, Clone, Copy)]
pub struct AcpAdapter {
    /// The npm package.
    pub package: &'static str,
    /// The program in the package; also the name of its preset.
    pub program: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// The ACP agent that wraps Codex.
pub const CODEX_ACP: AcpAdapter =
    AcpAdapter { package: "@agentclientprotocol/codex-acp", program: "codex-acp", version: "2.6.0" };
/// Its last version under the earlier package name.
pub const EARLIER_CODEX_ACP: AcpAdapter =
    AcpAdapter { package: "@zed-industries/codex-acp", program: "codex-acp", version: "0.16.0" };
/// The ACP agent that wraps Claude Code.
pub const CLAUDE_AGENT_ACP: AcpAdapter =
    AcpAdapter { package: "@agentclientprotocol/claude-agent-acp", program: "claude-agent-acp", version: "0.101.0" };
/// Its last version under the earlier package name.
pub const CLAUDE_CODE_ACP: AcpAdapter =
    AcpAdapter { package: "@zed-industries/claude-code-acp", program: "claude-code-acp", version: "0.16.2" };

impl AcpAdapter {
    /// Its name in tables.
    pub fn title(self) -> String {
        format!("{} {}", self.program, self.version)
    }

    fn install(self) -> Result<TestAgent, InstallProblem> {
        let program = install_other(self.package, self.version, self.program)?;
        Ok(TestAgent::new(&self.title(), "acp", &program).preset(self.program))
    }
}

/// The settings of backend `name` in the example file, without its kind and program.
fn rules_for(name: &str) -> String {
    let (_, section) = OTHER_AGENTS.split_once(&format!("[backends.{name}]\n")).expect("the example has this section");
    let end = section.find("\n[backends.").and_then(|own| {
        let is_own = section[own..].starts_with(&format!("\n[backends.{name}."));
        if is_own { section[own + 1..].find("\n[backends.").map(|next| own + 1 + next) } else { Some(own) }
    });
    let section = &section[..end.unwrap_or(section.len())];
    let (_, rules) = section.split_once("program = ").and_then(|(_, rest)| rest.split_once('\n')).expect("a program");
    rules.replace(&format!("[backends.{name}."), "[backends.subject.")
}

const OTHER_AGENTS: &str = include_str!("../../../config/examples/other-agents.toml");

impl TestAgent {
    /// The agent's home directory.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Codex in this version.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be installed. The same is true for every agent below.
    pub fn codex(version: &str, model: &ScriptedModel) -> Result<TestAgent, InstallProblem> {
        let program = install(version)?;
        let agent = TestAgent::new(&format!("Codex CLI {version}"), "codex", &program);
        Ok(agent.with_codex_home(model))
    }

    /// This version of Claude Code. When it runs as root, it needs a variable that says it is in a sandbox.
    ///
    /// # Errors
    ///
    /// See [`TestAgent::codex`].
    pub fn claude(version: &str, model: &ScriptedModel) -> Result<TestAgent, InstallProblem> {
        let program = install_other("@anthropic-ai/claude-code", version, "claude")?;
        Ok(TestAgent::new(&format!("Claude Code {version}"), "claude", &program).with_anthropic(model))
    }

    /// Gemini CLI, as a backend of this kind: `gemini`, or `acp`.
    ///
    /// # Errors
    ///
    /// See [`TestAgent::codex`].
    pub fn gemini(kind: &str, model: &ScriptedModel) -> Result<TestAgent, InstallProblem> {
        let program = install_other("@google/gemini-cli", GEMINI, "gemini")?;
        let mut agent = TestAgent::new(&format!("Gemini CLI {GEMINI}"), kind, &program).preset("gemini");
        agent.settings += "model = \"gemini-2.5-pro\"\n";
        agent.write(
            ".gemini/settings.json",
            &json!({
                "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": false}},
                "privacy": {"usageStatisticsEnabled": false},
                "general": {"disableAutoUpdate": true, "disableUpdateNag": true},
            }),
        );
        agent.variables.extend([
            ("GEMINI_API_KEY", "dummy".into()),
            ("GOOGLE_GEMINI_BASE_URL", model.origin().into()),
            ("TMPDIR", agent.home.path().into()),
        ]);
        Ok(agent)
    }

    /// OpenCode, as a backend of this kind: `opencode`, or `acp`.
    ///
    /// # Errors
    ///
    /// See [`TestAgent::codex`].
    pub fn opencode(kind: &str, model: &ScriptedModel) -> Result<TestAgent, InstallProblem> {
        let program = install_other("opencode-ai", OPENCODE, "opencode")?;
        let mut agent = TestAgent::new(&format!("OpenCode {OPENCODE}"), kind, &program).preset("opencode");
        agent.write(
            ".config/opencode/opencode.json",
            &json!({
                "model": "mock/mock-model",
                "small_model": "mock/mock-model",
                "autoupdate": false,
                "provider": {"mock": {
                    "npm": "@ai-sdk/openai-compatible",
                    "options": {"baseURL": model.base_url(), "apiKey": "dummy"},
                    "models": {"mock-model": {"name": "mock-model", "tool_call": true}},
                }},
            }),
        );
        agent
            .variables
            .extend([("OPENCODE_DISABLE_AUTOUPDATE", "1".into()), ("OPENCODE_DISABLE_MODELS_FETCH", "1".into())]);
        Ok(agent)
    }

    /// OpenCode run as a text program, by the rules in `config/examples/other-agents.toml`.
    ///
    /// # Errors
    ///
    /// See [`TestAgent::codex`].
    pub fn opencode_by_rules(model: &ScriptedModel) -> Result<TestAgent, InstallProblem> {
        let mut agent = TestAgent::opencode("command", model)?;
        agent.settings += &rules_for("opencode-json");
        Ok(agent)
    }

    /// Qwen Code, with the rules in `config/examples/other-agents.toml`, because it has no backend kind.
    ///
    /// # Errors
    ///
    /// See [`TestAgent::codex`].
    pub fn qwen_by_rules(model: &ScriptedModel) -> Result<TestAgent, InstallProblem> {
        let mut agent = TestAgent::qwen("command", model)?;
        agent.settings += &rules_for("qwen");
        Ok(agent)
    }

    /// Qwen Code as an ACP agent without a preset.
    ///
    /// # Errors
    ///
    /// See [`TestAgent::codex`].
    pub fn qwen_by_acp(model: &ScriptedModel) -> Result<TestAgent, InstallProblem> {
        let mut agent = TestAgent::qwen("acp", model)?;
        agent.settings += "args = [\"--acp\"]\n";
        Ok(agent)
    }

    fn qwen(kind: &str, model: &ScriptedModel) -> Result<TestAgent, InstallProblem> {
        let program = install_other("@qwen-code/qwen-code", QWEN, "qwen")?;
        let mut agent = TestAgent::new(&format!("Qwen Code {QWEN}"), kind, &program);
        agent.write(".qwen/settings.json", &json!({"security": {"auth": {"selectedType": "openai"}}}));
        agent.variables.extend([
            ("OPENAI_API_KEY", "dummy".into()),
            ("OPENAI_BASE_URL", model.base_url().into()),
            ("OPENAI_MODEL", "mock-model".into()),
        ]);
        Ok(agent)
    }

    /// This ACP agent, which wraps Codex.
    ///
    /// # Errors
    ///
    /// See [`TestAgent::codex`].
    pub fn wrapping_codex(adapter: AcpAdapter, model: &ScriptedModel) -> Result<TestAgent, InstallProblem> {
        Ok(adapter.install()?.with_codex_home(model))
    }

    /// This ACP agent, which wraps Claude Code.
    ///
    /// # Errors
    ///
    /// See [`TestAgent::codex`].
    pub fn wrapping_claude(adapter: AcpAdapter, model: &ScriptedModel) -> Result<TestAgent, InstallProblem> {
        Ok(adapter.install()?.with_anthropic(model))
    }

    /// The fake agent `program` in this dialect, as a backend of this kind with additional `settings`. It needs no
    /// model.
    pub fn fake(kind: &str, dialect: &str, program: &Path, settings: &str) -> TestAgent {
        let mut agent = TestAgent::new(&format!("fake {dialect}"), kind, program);
        agent.settings += settings;
        let sessions = agent.home.path().join("sessions");
        agent.variables.extend([("FAKE_AGENT", dialect.into()), ("FAKE_AGENT_SESSIONS", sessions.into())]);
        agent
    }

    fn new(title: &str, kind: &str, program: &Path) -> TestAgent {
        let home = tempfile::Builder::new().prefix("agent-home-").tempdir().expect("a temporary directory");
        let settings = format!("kind = {kind:?}\nprogram = {program:?}\n");
        TestAgent { title: title.to_owned(), settings, variables: vec![], home }
    }

    /// If the kind is `acp`, selects this preset.
    fn preset(mut self, name: &str) -> TestAgent {
        if self.settings.contains("kind = \"acp\"") {
            self.settings += &format!("preset = {name:?}\n");
            self.title += " by ACP";
        }
        self
    }

    fn with_codex_home(mut self, model: &ScriptedModel) -> TestAgent {
        let home = CodexHome::in_directory(self.home, &model.base_url(), "mock-model");
        self.variables.push(("CODEX_HOME", home.codex_home().into()));
        self.home = home.into_directory();
        self
    }

    fn with_anthropic(mut self, model: &ScriptedModel) -> TestAgent {
        let config: PathBuf = self.home.path().join("claude");
        self.variables.extend([
            ("ANTHROPIC_BASE_URL", model.origin().into()),
            ("ANTHROPIC_API_KEY", "dummy".into()),
            ("CLAUDE_CONFIG_DIR", config.into()),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".into()),
            ("DISABLE_AUTOUPDATER", "1".into()),
            ("IS_SANDBOX", "1".into()),
        ]);
        self
    }

    fn write(&self, path: &str, value: &serde_json::Value) {
        let path = self.home.path().join(path);
        let parent = path.parent().expect("a file in a directory");
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, value.to_string()))
            .expect("our own home is writable");
    }
}
