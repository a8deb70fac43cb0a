//! An agent in under a hundred lines: it receives its task on stdin, and its output is the answer.

use connector_api::{
    AgentBackend, AgentFailure, AgentRequest, AgentSession, BackendKind, BackendName, Capabilities, Exit, Installed,
    Launch, Line, Outcome, ProbeAnswer, ProbeCommand, ProbeProblem, ProgramRules, ProgramSettings, PromptDelivery,
    Sandbox, SettingsProblem, Step, StopSignal, Unsupported, Verdict,
};
use serde_json::Value;

/// A parrot has no models, takes no arguments, and does not need git.
const RULES: ProgramRules = ProgramRules { keys: &["program", "env"], ..ProgramRules::new("the parrot", "cat") };

#[derive(Debug)]
pub struct Parrot {
    name: BackendName,
    settings: ProgramSettings,
}

impl AgentBackend for Parrot {
    fn name(&self) -> &BackendName {
        &self.name
    }

    fn settings(&self) -> &ProgramSettings {
        &self.settings
    }

    fn install_hint(&self) -> String {
        "it comes with every Unix".into()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { sandboxes: vec![Sandbox::ReadOnly], model: false, resume: false, requires_git: false }
    }

    fn probe(&self) -> Vec<ProbeCommand> {
        vec![]
    }

    fn understand(&self, _: &[ProbeAnswer]) -> Result<Installed, ProbeProblem> {
        Ok(Installed { version: "1".into(), sandboxes: vec![Sandbox::ReadOnly], features: Default::default() })
    }

    fn launch(&self, request: &AgentRequest, _: &Installed) -> Result<Launch, Unsupported> {
        let refuse = |parameter, why: &str| Err(Unsupported::value(parameter, why));
        match request {
            AgentRequest { sandbox: Sandbox::ReadOnly, model: None, resume: None, .. } => {
                Ok(Launch { args: vec![], prompt: PromptDelivery::Stdin, stop_signal: StopSignal::Terminate })
            }
            AgentRequest { sandbox: Sandbox::ReadOnly, .. } => {
                refuse("model", "a parrot has no models and no sessions")
            }
            _ => refuse("sandbox", "a parrot cannot write; use read-only"),
        }
    }

    fn session(&self, _: &AgentRequest) -> Box<dyn AgentSession> {
        Box::new(Said(Vec::new()))
    }
}

struct Said(Vec<String>);

impl AgentSession for Said {
    fn stdout(&mut self, line: Line<'_>) -> Vec<Step> {
        self.0.push(line.text().into_owned());
        vec![]
    }

    fn finish(self: Box<Self>, exit: Exit) -> Verdict {
        let answer = Some(self.0.join("\n")).filter(|text| !text.trim().is_empty());
        let outcome = match (exit, &answer) {
            (Exit::Code(0), Some(_)) => Outcome::Completed,
            _ => Outcome::Failed(AgentFailure::new(format!("it ended with {exit} and printed nothing"))),
        };
        Verdict { outcome, answer, session_id: None, usage: None }
    }
}

impl BackendKind for Parrot {
    const KIND: &'static str = "parrot";

    fn schema() -> Value {
        RULES.schema()
    }

    fn build(name: BackendName, settings: Value) -> Result<Self, SettingsProblem> {
        Ok(Self { name, settings: RULES.read(settings)? })
    }
}
