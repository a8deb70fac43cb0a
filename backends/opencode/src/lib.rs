//! OpenCode as a backend of codex-connector: `opencode run --format json`, with the task on stdin.
//!
//! Only `danger-full-access` is supported; the other two sandboxes are refused. OpenCode does not use a sandbox of the
//! operating system. Its permissions are rules in configuration files, and a project's own `opencode.json` overrides
//! the user's: it can allow what the user denied, even for the agent `plan`, which can run shell commands anyway
//! (1.18.33). No option on the command line overrides those files.
//!
//! Where OpenCode would ask the user, the answer is yes. Actions that the user's or the project's rules deny stay
//! denied.

mod advice;
#[cfg(test)]
mod contract;
mod launch;
mod log;
mod probe;
mod session;
#[cfg(test)]
mod session_tests;
mod settings;
mod tools;

use connector_api::{
    AgentBackend, AgentRequest, AgentSession, BackendKind, BackendName, Capabilities, Installed, Launch, ProbeAnswer,
    ProbeCommand, ProbeProblem, ProgramSettings, Sandbox, SettingsProblem, Unsupported,
};
use serde_json::Value;

use crate::session::OpenCodeSession;

/// OpenCode under one configured name.
#[derive(Debug)]
pub struct OpenCode {
    name: BackendName,
    settings: ProgramSettings,
}

impl AgentBackend for OpenCode {
    fn name(&self) -> &BackendName {
        &self.name
    }

    fn settings(&self) -> &ProgramSettings {
        &self.settings
    }

    fn install_hint(&self) -> String {
        "install OpenCode with `npm install -g opencode-ai@latest`".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::with_models_and_sessions([Sandbox::DangerFullAccess], &self.settings)
    }

    fn probe(&self) -> Vec<ProbeCommand> {
        vec![ProbeCommand::new(["--version"]), ProbeCommand::new(["run", "--help"])]
    }

    fn understand(&self, answers: &[ProbeAnswer]) -> Result<Installed, ProbeProblem> {
        probe::understand(answers)
    }

    fn launch(&self, request: &AgentRequest, installed: &Installed) -> Result<Launch, Unsupported> {
        launch::launch(&self.settings, request, installed)
    }

    fn interactive_args(&self, session: &str) -> Option<Vec<String>> {
        Some(vec!["--session".to_owned(), session.to_owned()])
    }

    fn session(&self, request: &AgentRequest) -> Box<dyn AgentSession> {
        Box::new(OpenCodeSession::new(request.resume.clone()))
    }
}

impl BackendKind for OpenCode {
    const KIND: &'static str = "opencode";

    /// Its settings, its account, and the keys of common providers, but not the variables of an OpenCode that started
    /// the server.
    const NEEDS: &'static [&'static str] = &[
        "OPENCODE_API_KEY",
        "OPENCODE_AUTH_CONTENT",
        "OPENCODE_CONFIG*",
        "OPENCODE_DB",
        "OPENCODE_DISABLE_*",
        "OPENCODE_ENABLE_*",
        "OPENCODE_EXPERIMENTAL*",
        "OPENCODE_MODELS_*",
        "OPENCODE_PERMISSION",
        "ANTHROPIC_API_KEY",
        "AZURE_API_KEY",
        "AZURE_RESOURCE_NAME",
        "CEREBRAS_API_KEY",
        "DEEPSEEK_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_GENERATIVE_AI_API_KEY",
        "GROQ_API_KEY",
        "MISTRAL_API_KEY",
        "OPENAI_API_KEY",
        "OPENROUTER_API_KEY",
        "XAI_API_KEY",
    ];

    fn schema() -> Value {
        settings::RULES.schema()
    }

    fn build(name: BackendName, settings: Value) -> Result<Self, SettingsProblem> {
        Ok(Self { name, settings: settings::read(settings)? })
    }
}
