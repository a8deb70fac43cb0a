//! Gemini CLI as a backend of codex-connector: `gemini` without a terminal, with its JSON event stream.
//!
//! Only `danger-full-access` is supported. Gemini CLI has stricter modes, but without a user to ask, its model can
//! leave all of them (observed in 0.61.0): it calls `enter_plan_mode`, writes a plan, and calls `exit_plan_mode`, which
//! approves the plan automatically and continues in a mode that allows everything. In `plan`, `default` and
//! `auto_edit`, a shell command then wrote outside the working directory.

mod advice;
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
    AgentBackend, AgentRequest, AgentSession, BackendKind, BackendName, Capabilities, Installed, Launch, ProbeAnswer,
    ProbeCommand, ProbeProblem, ProgramSettings, Sandbox, SettingsProblem, Unsupported,
};
use serde_json::Value;

use crate::session::GeminiSession;

/// Gemini CLI under one configured name.
#[derive(Debug)]
pub struct Gemini {
    name: BackendName,
    settings: ProgramSettings,
}

impl AgentBackend for Gemini {
    fn name(&self) -> &BackendName {
        &self.name
    }

    fn settings(&self) -> &ProgramSettings {
        &self.settings
    }

    fn install_hint(&self) -> String {
        "install the Gemini CLI with `npm install -g @google/gemini-cli@latest`".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::with_models_and_sessions([Sandbox::DangerFullAccess], &self.settings)
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

    fn resume_in_terminal(&self, session: &str) -> Option<Vec<String>> {
        Some(vec![self.program().to_owned(), "--resume".to_owned(), session.to_owned()])
    }

    fn session(&self, request: &AgentRequest) -> Box<dyn AgentSession> {
        Box::new(GeminiSession::new(request.resume.clone()))
    }
}

impl BackendKind for Gemini {
    const KIND: &'static str = "gemini";

    /// Its keys, account and settings, but not the variables of an editor or a session that started the server.
    const NEEDS: &'static [&'static str] = &[
        "GEMINI_API_KEY*",
        "GEMINI_MODEL",
        "GEMINI_CLI_HOME",
        "GEMINI_CLI_CUSTOM_HEADERS",
        "GEMINI_CLI_SYSTEM_*_PATH",
        "GEMINI_CLI_USE_COMPUTE_ADC",
        "GOOGLE_API_KEY",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_CLOUD_*",
        "GOOGLE_GENAI_*",
        "GOOGLE_GEMINI_BASE_URL",
        "GOOGLE_VERTEX_BASE_URL",
        "CLOUDSDK_CONFIG",
    ];

    fn schema() -> Value {
        settings::RULES.schema()
    }

    fn build(name: BackendName, settings: Value) -> Result<Self, SettingsProblem> {
        Ok(Self { name, settings: settings::read(settings)? })
    }
}
