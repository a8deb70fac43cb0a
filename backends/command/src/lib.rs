//! Any command-line agent as a backend of codex-connector, described in the configuration, without code.
//!
//! ```toml
//! [backends.my-agent]
//! kind = "command"
//! program = "my-agent"
//! args = ["run", "--dir", "{workdir}"]
//! model_args = ["--model", "{model}"]          # added when there is a model
//! sandboxes.read-only = ["--no-write"]         # added when this sandbox is asked for
//! sandboxes.danger-full-access = ["--allow-all"]
//! ```
//!
//! This runs `my-agent run --dir /project --no-write --model gpt-x`, with the prompt on stdin. The agent's answer is
//! its whole stdout. A run succeeds if it exits with code 0 and has an answer.
//!
//! If the agent prints one JSON object per line, the table `json_lines` can describe where its messages are. An agent
//! with a more complicated output needs its own crate.

#[cfg(test)]
mod contract;
mod json_lines;
mod launch;
mod probe;
mod session;
mod settings;
mod template;

use connector_api::{
    AgentBackend, AgentRequest, AgentSession, BackendKind, BackendName, Capabilities, Installed, Launch, ProbeAnswer,
    ProbeCommand, ProbeProblem, ProgramSettings, SettingsProblem, Unsupported,
};
use serde_json::Value;

use crate::{json_lines::JsonSession, session::CommandSession, settings::CommandSettings};

/// A command-line agent under one configured name.
#[derive(Debug)]
pub struct Command {
    name: BackendName,
    settings: ProgramSettings,
    own: CommandSettings,
}

impl AgentBackend for Command {
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
        Capabilities {
            sandboxes: self.own.sandboxes.keys().copied().collect(),
            model: !self.own.model_args.is_empty(),
            resume: !self.own.resume_args.is_empty(),
            requires_git: self.settings.require_git,
        }
    }

    fn probe(&self) -> Vec<ProbeCommand> {
        let args = &self.own.version_args;
        if args.is_empty() { vec![] } else { vec![ProbeCommand { args: args.clone() }] }
    }

    fn understand(&self, answers: &[ProbeAnswer]) -> Result<Installed, ProbeProblem> {
        probe::understand(&self.own, answers)
    }

    fn launch(&self, request: &AgentRequest, _installed: &Installed) -> Result<Launch, Unsupported> {
        launch::launch(&self.settings, &self.own, request)
    }

    fn session(&self, _request: &AgentRequest) -> Box<dyn AgentSession> {
        match &self.own.json_lines {
            Some(rules) => Box::new(JsonSession::new(&self.settings.program, rules.clone())),
            None => Box::new(CommandSession::new(&self.settings.program)),
        }
    }
}

impl BackendKind for Command {
    const KIND: &'static str = "command";

    fn schema() -> Value {
        settings::schema()
    }

    fn build(name: BackendName, settings: Value) -> Result<Self, SettingsProblem> {
        let (settings, own) = settings::read(settings)?;
        Ok(Self { name, settings, own })
    }
}
