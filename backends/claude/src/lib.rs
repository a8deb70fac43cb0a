//! Claude Code as a backend of codex-connector: `claude -p` with its JSON event stream.
//!
//! Claude Code does not use a sandbox of the operating system unless its user sets one up. Sandboxes are enforced by
//! limiting the model's tools:
//!
//! | sandbox | tools |
//! |---|---|
//! | `read-only` | tools that read files |
//! | `workspace-write` | also tools that edit files; they refuse files outside the working directory |
//! | `danger-full-access` | all tools, including a shell |
//!
//! If the help of the installed version does not list the options for this, the first two are refused.

mod advice;
mod background;
#[cfg(test)]
mod contract;
mod launch;
mod probe;
mod session;
#[cfg(test)]
mod session_tests;
mod settings;
mod tools;

use connector_api::{
    AgentBackend, AgentRequest, AgentSession, BackendKind, BackendName, Capabilities, Installed, Launch, OpenArea,
    ProbeAnswer, ProbeCommand, ProbeProblem, ProgramSettings, Sandbox, SettingsProblem, Unsupported,
};
use serde_json::Value;

use crate::session::ClaudeSession;

/// Claude Code under one configured name.
#[derive(Debug)]
pub struct Claude {
    name: BackendName,
    settings: ProgramSettings,
}

impl AgentBackend for Claude {
    fn name(&self) -> &BackendName {
        &self.name
    }

    fn settings(&self) -> &ProgramSettings {
        &self.settings
    }

    fn install_hint(&self) -> String {
        "install Claude Code with `npm install -g @anthropic-ai/claude-code@latest`".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::with_models_and_sessions(Sandbox::ALL, &self.settings)
    }

    fn probe(&self) -> Vec<ProbeCommand> {
        vec![ProbeCommand::new(["--version"]), ProbeCommand::new(["--help"])]
    }

    fn understand(&self, answers: &[ProbeAnswer]) -> Result<Installed, ProbeProblem> {
        probe::understand(answers)
    }

    fn launch(&self, request: &AgentRequest, installed: &Installed) -> Result<Launch, Unsupported> {
        launch::launch(&self.settings, request, installed)
    }

    /// None: its tools do not edit files outside the working directory.
    fn open_areas(&self) -> &'static [OpenArea] {
        &[]
    }

    fn interactive_args(&self, session: &str) -> Option<Vec<String>> {
        Some(vec!["--resume".to_owned(), session.to_owned()])
    }

    fn session(&self, request: &AgentRequest) -> Box<dyn AgentSession> {
        Box::new(ClaudeSession::new(request.resume.clone(), launch::as_text(&request.prompt)))
    }
}

impl BackendKind for Claude {
    const KIND: &'static str = "claude";

    /// Its keys, account and settings, but not the variables of the Claude Code session that started the server.
    const NEEDS: &'static [&'static str] = &[
        "ANTHROPIC_*",
        "CLAUDE_CONFIG_DIR",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CODE_USE_*",
        "CLAUDE_CODE_SKIP_*_AUTH",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    ];

    fn schema() -> Value {
        settings::RULES.schema()
    }

    fn build(name: BackendName, settings: Value) -> Result<Self, SettingsProblem> {
        Ok(Self { name, settings: settings::RULES.read(settings)? })
    }
}
