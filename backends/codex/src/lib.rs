//! The OpenAI Codex CLI as a backend of codex-connector: `codex exec --json`, since version 0.44.
//!
//! Codex changes its flags often, so this crate has no table of versions and flags. It asks the installed program
//! (`probe.rs`) and builds the command line from the flags that its help lists (`launch.rs`). It reads the event stream
//! leniently (`wire.rs`) and keeps unknown events unchanged.

mod advice;
#[cfg(test)]
mod answer_tests;
#[cfg(test)]
mod contract;
mod frequent;
mod launch;
mod probe;
#[cfg(test)]
mod recordings;
mod session;
mod settings;
mod stderr;
#[cfg(test)]
mod transcripts;
mod truncated;
mod trust;
mod wire;

use connector_api::{
    AgentBackend, AgentRequest, AgentSession, BackendKind, BackendName, Capabilities, Installed, Launch, Login,
    OpenArea, ProbeAnswer, ProbeCommand, ProbeProblem, ProgramSettings, Sandbox, SettingsProblem, Unsupported,
    UsageScope,
};
use serde_json::Value;

use crate::{
    session::CodexSession,
    settings::{CodexSettings, ProjectSettings},
};

/// The command that installs the newest Codex, for advice.
const INSTALL: &str = "npm install -g @openai/codex@latest";

/// The Codex CLI under one configured name.
#[derive(Debug)]
pub struct Codex {
    name: BackendName,
    settings: ProgramSettings,
    project_settings: ProjectSettings,
}

impl AgentBackend for Codex {
    fn name(&self) -> &BackendName {
        &self.name
    }

    fn settings(&self) -> &ProgramSettings {
        &self.settings
    }

    fn install_hint(&self) -> String {
        format!("install the Codex CLI with `{INSTALL}`")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::with_models_and_sessions(Sandbox::ALL, &self.settings)
    }

    fn probe(&self) -> Vec<ProbeCommand> {
        vec![ProbeCommand::new(["--version"]), ProbeCommand::new(["exec", "--help"])]
    }

    fn understand(&self, answers: &[ProbeAnswer]) -> Result<Installed, ProbeProblem> {
        let mut installed = probe::understand(answers)?;
        if !trust::is_enforced(self.project_settings, &installed.version) {
            installed.sandboxes.retain(|sandbox| *sandbox == Sandbox::DangerFullAccess);
        }
        Ok(installed)
    }

    fn launch(&self, request: &AgentRequest, installed: &Installed) -> Result<Launch, Unsupported> {
        launch::launch(&self.settings, self.project_settings, request, installed)
    }

    /// Its sandbox lets commands write to `/tmp` and `TMPDIR`, unless the user's own config.toml says otherwise. It
    /// does not let them write to the rest of the repository (0.47.0 to 0.171.0).
    fn open_areas(&self) -> &'static [OpenArea] {
        &[OpenArea::Temporary]
    }

    fn close_area(&self, area: OpenArea, launch: Launch) -> Option<Launch> {
        (area == OpenArea::Temporary).then(|| launch::without_temporary(launch))
    }

    fn session(&self, request: &AgentRequest) -> Box<dyn AgentSession> {
        Box::new(CodexSession::resuming(request.resume.clone()))
    }

    fn interactive_args(&self, session: &str) -> Option<Vec<String>> {
        Some(vec!["resume".to_owned(), session.to_owned()])
    }

    fn usage_scope(&self, installed: &Installed) -> UsageScope {
        probe::usage_scope(&installed.version)
    }

    /// Up to 0.125, `linux` is the kind of sandbox. 0.171 reads it as the name of a program, which it does not find,
    /// but it starts the sandbox first.
    fn sandbox_probe(&self) -> Option<ProbeCommand> {
        cfg!(target_os = "linux").then(|| ProbeCommand::new(["sandbox", "linux", "true"]))
    }

    fn login_probe(&self) -> Option<ProbeCommand> {
        Some(ProbeCommand::new(["login", "status"]))
    }

    fn understand_login(&self, answer: &ProbeAnswer) -> Login {
        probe::understand_login(answer)
    }
}

impl BackendKind for Codex {
    const KIND: &'static str = "codex";

    fn schema() -> Value {
        settings::schema()
    }

    fn build(name: BackendName, settings: Value) -> Result<Self, SettingsProblem> {
        let (settings, CodexSettings { project_settings }) = settings::read(settings)?;
        Ok(Self { name, settings, project_settings })
    }
}
