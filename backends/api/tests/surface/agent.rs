//! A backend that implements every method of the traits.

use std::{collections::BTreeSet, time::Duration};

use connector_api::{
    AgentBackend, AgentEvent, AgentFailure, AgentRequest, AgentSession, BackendKind, BackendName, Capabilities, Cause,
    EnvRules, Exit, Installed, Interrupt, Launch, Line, Login, OpenArea, Outcome, ProbeAnswer, ProbeCommand,
    ProbeProblem, ProgramRules, ProgramSettings, PromptDelivery, ReservedOptions, Sandbox, SettingsProblem, Step,
    StopSignal, Tail, Unsupported, Usage, UsageScope, Verdict, Warning, check_model, sandbox_failure, without_colours,
};
use serde_json::Value;

#[derive(Debug)]
pub(crate) struct SurfaceAgent(BackendName, ProgramSettings);

const RESERVED: ReservedOptions = ReservedOptions::new(&[(&["--json"], "it is always set")]);

pub(crate) const RULES: ProgramRules = ProgramRules {
    agent: "Agent",
    program: "agent",
    without_program: Some("is missing"),
    keys: &ProgramSettings::KEYS,
    descriptions: &[("model", "A model.")],
    check_args: |args| args.iter().try_for_each(|arg| RESERVED.check(arg, arg)),
};

impl AgentBackend for SurfaceAgent {
    fn name(&self) -> &BackendName {
        &self.0
    }
    fn settings(&self) -> &ProgramSettings {
        &self.1
    }
    fn program(&self) -> &str {
        &self.settings().program
    }
    fn environment(&self) -> &EnvRules {
        &self.settings().env
    }
    fn install_hint(&self) -> String {
        "build it".into()
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities { sandboxes: vec![Sandbox::DangerFullAccess], model: true, resume: true, requires_git: false }
    }
    fn probe(&self) -> Vec<ProbeCommand> {
        vec![ProbeCommand::new(["--version"]), ProbeCommand { args: vec![] }]
    }
    fn understand(&self, answers: &[ProbeAnswer]) -> Result<Installed, ProbeProblem> {
        match answers {
            [answer, ..] if answer.exit == Exit::Code(70) && answer.bare_version().is_none() => {
                Err(answer.not_understood())
            }
            [ProbeAnswer { args, exit, stdout, stderr }, ..] if *exit != Exit::Code(0) => {
                let said = without_colours(&format!("{stdout}{stderr}"));
                Err(ProbeProblem::NotUnderstood { command: args.join(" "), exit: *exit, said })
            }
            [] => Err(ProbeProblem::TooOld { found: "0".into(), oldest: "1".into() }),
            _ => {
                let sandboxes = vec![Sandbox::DangerFullAccess];
                Ok(Installed { version: "1".into(), sandboxes, features: BTreeSet::from(["--x".into()]) })
            }
        }
    }
    fn launch(&self, request: &AgentRequest, _: &Installed) -> Result<Launch, Unsupported> {
        let AgentRequest { prompt: _, working_directory: _, sandbox, model, resume } = request;
        if *sandbox != Sandbox::DangerFullAccess {
            return Err(Unsupported::Sandbox { sandbox: *sandbox, found: "agent 1".into(), why: "it cannot".into() });
        }
        request.check_not_blank("agent")?;
        let _: &str = request.directory_as_text()?;
        let _: Option<&str> = request.model_to_pass(model.as_deref().filter(|model| check_model(model).is_ok()))?;
        if let Some(session) = resume.as_ref().filter(|session| session.is_empty() || session.starts_with('-')) {
            return Err(Unsupported::resume(session, "agent", "no"));
        }
        let args = model.iter().chain(resume).map(|word| format!("--x={word}")).collect();
        Ok(Launch { args, prompt: PromptDelivery::Session, stop_signal: StopSignal::Interrupt })
    }
    fn open_areas(&self) -> &'static [OpenArea] {
        &[OpenArea::Temporary, OpenArea::Repository]
    }
    fn close_area(&self, area: OpenArea, launch: Launch) -> Option<Launch> {
        (area == OpenArea::Repository).then_some(launch)
    }
    fn session(&self, request: &AgentRequest) -> Box<dyn AgentSession> {
        Box::new(SurfaceSession {
            prompt: request.prompt.clone(),
            said: Tail::new(10, 1_000),
            stderr: Tail::for_failures(),
        })
    }
    fn usage_scope(&self, _: &Installed) -> UsageScope {
        UsageScope::Session
    }
    fn sandbox_probe(&self) -> Option<ProbeCommand> {
        sandbox_failure("").map(|_| ProbeCommand::new(["x"]))
    }
    fn login_probe(&self) -> Option<ProbeCommand> {
        None
    }
    fn understand_login(&self, answer: &ProbeAnswer) -> Login {
        match answer.exit {
            Exit::Code(0) => Login::Yes(answer.stdout.clone()),
            Exit::Code(_) => Login::No { said: answer.stderr.clone(), advice: "log in".into() },
            Exit::Signal(_) => Login::Unknown,
        }
    }
}

impl BackendKind for SurfaceAgent {
    const KIND: &'static str = "agent";
    const NEEDS: &'static [&'static str] = &["AGENT_*"];
    fn schema() -> Value {
        RULES.schema()
    }
    fn build(name: BackendName, settings: Value) -> Result<Self, SettingsProblem> {
        Ok(Self(name, RULES.read(settings)?))
    }
}

struct SurfaceSession {
    prompt: String,
    said: Tail,
    stderr: Tail,
}

impl AgentSession for SurfaceSession {
    fn start(&mut self) -> Vec<Step> {
        vec![
            Step::Send(self.prompt.clone().into_bytes()),
            Step::CloseStdin,
            Step::Deadline(Some(Duration::from_secs(1))),
        ]
    }
    fn stdout(&mut self, line: Line<'_>) -> Vec<Step> {
        self.said.push(line);
        vec![Step::Event(AgentEvent::Message { text: line.text().into_owned() }), Step::Deadline(None)]
    }
    fn stderr(&mut self, line: Line<'_>) -> Vec<Step> {
        self.stderr.push(line);
        vec![]
    }
    fn overdue(&mut self) -> Vec<Step> {
        vec![Step::Finished]
    }
    fn interrupt(&mut self) -> Interrupt {
        if self.said.is_cut() { Interrupt::Signal } else { Interrupt::Steps(vec![Step::CloseStdin]) }
    }
    fn has_completed(&self) -> bool {
        self.said.text().is_some()
    }
    fn warnings(&self) -> Vec<Warning> {
        self.stderr.is_cut().then(|| Warning::new("it complained a lot")).into_iter().collect()
    }
    fn finish(self: Box<Self>, exit: Exit) -> Verdict {
        let answer = self.said.text();
        let outcome = match (exit, &answer, self.stderr.text()) {
            (Exit::Code(0), Some(_), _) => Outcome::Completed,
            (Exit::Code(2), _, Some(said)) => Outcome::CommandLineRefused(AgentFailure::new(said)),
            (_, _, said) => Outcome::Failed(AgentFailure {
                message: said.unwrap_or_else(|| exit.to_string()),
                advice: None,
                cause: Some(Cause::NotLoggedIn),
            }),
        };
        Verdict { outcome, answer, session_id: None, usage: Some(Usage::default()) }
    }
}
