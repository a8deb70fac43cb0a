//! Any agent that speaks the Agent Client Protocol (ACP, version 1) over stdio, as a backend of codex-connector.
//!
//! Instead of a command line, the protocol has a conversation:
//!
//! ```text
//! connector                                agent
//! initialize                            ─▶ its protocol version and capabilities
//! session/new or session/load           ─▶ the session ID, its modes and models
//! session/set_model, session/set_mode   ─▶ (only if needed)
//! session/prompt                        ─▶ session/update, … and at last the reason why the turn ended
//!                                       ◀─ session/request_permission, at any time during the turn
//! ```
//!
//! `session.rs` conducts it, `requests.rs` lists the requests, `choices.rs` chooses the mode and the model,
//! `updates.rs` reads the updates, and `permission.rs` answers the agent's requests for permission. Agents differ in
//! the names of their modes and in how they are started: `settings.rs` has presets for some agents and accepts any
//! other.

mod advice;
#[cfg(test)]
mod answer_tests;
mod choices;
#[cfg(test)]
mod contract;
mod permission;
mod probe;
mod requests;
mod session;
#[cfg(test)]
mod session_tests;
mod settings;
mod updates;

use connector_api::{
    AgentBackend, AgentRequest, AgentSession, BackendKind, BackendName, Capabilities, Installed, Launch, ProbeAnswer,
    ProbeCommand, ProbeProblem, ProgramSettings, PromptDelivery, SettingsProblem, StopSignal, Unsupported,
    slash_command,
};
use serde_json::Value;

use crate::{
    session::AcpSession,
    settings::{AcpSettings, MODEL, Modes},
};

/// An agent that speaks ACP, under one configured name.
#[derive(Debug)]
pub struct Acp {
    name: BackendName,
    settings: ProgramSettings,
    own: AcpSettings,
}

impl AgentBackend for Acp {
    fn name(&self) -> &BackendName {
        &self.name
    }

    fn settings(&self) -> &ProgramSettings {
        &self.settings
    }

    fn install_hint(&self) -> String {
        let otherwise = || format!("install `{}`", self.settings.program);
        self.own.install_hint.clone().unwrap_or_else(otherwise)
    }

    fn capabilities(&self) -> Capabilities {
        let sandboxes: Vec<_> = self.own.modes.keys().copied().collect();
        Capabilities::with_models_and_sessions(sandboxes, &self.settings)
    }

    fn probe(&self) -> Vec<ProbeCommand> {
        let args = &self.own.version_args;
        if args.is_empty() { vec![] } else { vec![ProbeCommand { args: args.clone() }] }
    }

    fn understand(&self, answers: &[ProbeAnswer]) -> Result<Installed, ProbeProblem> {
        probe::understand(&self.own, answers)
    }

    fn launch(&self, request: &AgentRequest, _: &Installed) -> Result<Launch, Unsupported> {
        let agent = format!("`{}`", self.settings.program);
        if !self.own.modes.contains_key(&request.sandbox) {
            let setting = format!("modes.{}", request.sandbox);
            return Err(Unsupported::sandbox_not_configured(request.sandbox, &agent, setting));
        }
        let model = request.model_to_pass(self.settings.model.as_deref())?;
        if let Some(session) = request.resume.as_ref().filter(|id| id.trim().is_empty() || id.starts_with('-')) {
            return Err(Unsupported::resume(session, &agent, "it is not a valid session ID"));
        }
        // codex-acp 2.6.0 runs `/logout` and the like instead of calling the model, also after white space.
        if slash_command(request.prompt.trim_start()).is_some() {
            let why = "it starts with `/` and a word, which ACP agents may run as a command; start with another word";
            return Err(Unsupported::value("task", why));
        }
        request.directory_as_text()?;
        let filled =
            model.into_iter().flat_map(|model| self.own.model_args.iter().map(move |arg| arg.replace(MODEL, model)));
        let args = self.own.args.iter().cloned().chain(filled).collect();
        Ok(Launch { args, prompt: PromptDelivery::Session, stop_signal: StopSignal::Terminate })
    }

    fn session(&self, request: &AgentRequest) -> Box<dyn AgentSession> {
        let modes = self.own.modes.get(&request.sandbox).map(Modes::in_order).unwrap_or_default();
        // If no argument names the model, the session sets it.
        let model = request.model.clone().or_else(|| self.settings.model.clone());
        let model = model.filter(|_| self.own.model_args.is_empty());
        Box::new(AcpSession::new(request.clone(), modes.to_vec(), model, self.own.answer_timeout()))
    }
}

impl BackendKind for Acp {
    const KIND: &'static str = "acp";

    /// Only the presets that wrap Claude Code get these variables.
    const NEEDS: &'static [&'static str] = settings::CLAUDE_PROGRAMS;

    fn schema() -> Value {
        settings::schema()
    }

    fn build(name: BackendName, settings: Value) -> Result<Self, SettingsProblem> {
        let (settings, own) = settings::read(settings)?;
        Ok(Self { name, settings, own })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use connector_api::Sandbox;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_task_that_looks_like_a_command_is_refused() {
        let name = BackendName::new("agent").expect("`agent` is a valid name");
        let agent = Acp::build(name, json!({"program": "codex-acp"})).expect("valid settings");
        let installed = Installed { version: "1".into(), sandboxes: vec![], features: BTreeSet::new() };
        let launched = |prompt: &str| {
            let request = AgentRequest::new(prompt, "/", Sandbox::DangerFullAccess);
            agent.launch(&request, &installed)
        };
        for prompt in ["/logout", " /status", "\n/review the parser"] {
            let refusal = launched(prompt).expect_err("it is a command");
            assert!(refusal.to_string().contains("start with another word"), "{refusal}");
        }
        for prompt in ["/src/x.rs is broken", "// TODO", "run /logout"] {
            assert!(launched(prompt).is_ok(), "{prompt:?}");
        }
    }
}
