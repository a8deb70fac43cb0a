//! The traits that an agent's crate implements.

use std::fmt;

use serde_json::Value;

use crate::{
    AgentRequest, AgentSession, BackendName, EnvRules, Installed, Launch, Login, ProbeAnswer, ProbeCommand,
    ProbeProblem, ProgramSettings, Sandbox, SettingsProblem, Unsupported, UsageScope,
};

/// One configured agent.
pub trait AgentBackend: fmt::Debug + Send + Sync {
    /// The name it is configured under.
    fn name(&self) -> &BackendName;

    /// The settings that it has like every other backend.
    fn settings(&self) -> &ProgramSettings;

    /// The program: a name to be found on `PATH`, an absolute path, or one that starts with `~/`.
    fn program(&self) -> &str {
        &self.settings().program
    }

    /// Which environment variables the program gets, in a run as in a probe.
    fn environment(&self) -> &EnvRules {
        &self.settings().env
    }

    /// One sentence that tells a user how to get the program.
    fn install_hint(&self) -> String;

    /// What this backend can do with the best version of its agent.
    fn capabilities(&self) -> Capabilities;

    /// What to ask the installed program, once per program file. Each probe is stopped after 10 s.
    fn probe(&self) -> Vec<ProbeCommand>;

    /// Reads the answers to [`probe`](Self::probe), in the same order.
    ///
    /// Fails when the program cannot be used at all.
    fn understand(&self, answers: &[ProbeAnswer]) -> Result<Installed, ProbeProblem>;

    /// The command line for `request`. Also called as a dry run, to refuse a request before there is a task.
    ///
    /// Fails when the installed program cannot do exactly what is asked.
    fn launch(&self, request: &AgentRequest, installed: &Installed) -> Result<Launch, Unsupported>;

    /// What this agent's `workspace-write` may leave open besides the working directory. If the files of codex-connector are
    /// in such an area, the area is [closed](Self::close_area), or else the task is refused.
    ///
    /// Without an answer everything is taken to be open.
    fn open_areas(&self) -> &'static [OpenArea] {
        &[OpenArea::Temporary, OpenArea::Repository]
    }

    /// The launch with this area closed to the agent, if the agent can be told to. Used where leaving it open would let the
    /// agent change the files of codex-connector.
    fn close_area(&self, area: OpenArea, launch: Launch) -> Option<Launch> {
        let _ = (area, launch);
        None
    }

    /// A new session, to follow the run of one launch.
    fn session(&self, request: &AgentRequest) -> Box<dyn AgentSession>;

    /// The scope of the token counts of the installed program. This matters when a session is resumed.
    fn usage_scope(&self, installed: &Installed) -> UsageScope {
        let _ = installed;
        UsageScope::Run
    }

    /// A command that makes the program run nothing in its own sandbox, to find out whether the sandbox can start on this
    /// machine. Its output is given to [`sandbox_failure`](fn@crate::sandbox_failure).
    fn sandbox_probe(&self) -> Option<ProbeCommand> {
        None
    }

    /// What to ask the program to learn whether it is logged in, where that can be asked.
    fn login_probe(&self) -> Option<ProbeCommand> {
        None
    }

    /// Reads the answer to [`login_probe`](Self::login_probe).
    fn understand_login(&self, answer: &ProbeAnswer) -> Login {
        let _ = answer;
        Login::Unknown
    }
}

/// A place in which a `workspace-write` sandbox may let an agent write, besides the working directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenArea {
    /// `/tmp`, and the directory that the agent's `TMPDIR` names.
    Temporary,
    /// The whole git repository that the working directory is in.
    Repository,
}

/// What a backend can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The sandboxes that it can enforce, weakest first.
    pub sandboxes: Vec<Sandbox>,
    /// Whether `model` in a request is taken; otherwise a request with one is refused.
    pub model: bool,
    /// Whether `resume` in a request is taken; otherwise a request with one is refused.
    pub resume: bool,
    /// Whether the working directory must be inside a git repository.
    pub requires_git: bool,
}

impl Capabilities {
    /// A backend that can enforce `sandboxes`, takes a model and resumes sessions, and requires git if its settings say so.
    pub fn with_models_and_sessions(sandboxes: impl Into<Vec<Sandbox>>, settings: &ProgramSettings) -> Self {
        Self { sandboxes: sandboxes.into(), model: true, resume: true, requires_git: settings.require_git }
    }
}

/// A kind of backend, of which configuration makes any number of instances: `[backends.NAME] kind = "KIND"`.
pub trait BackendKind: AgentBackend + Sized + 'static {
    /// The word for `kind`.
    const KIND: &'static str;

    /// Environment variables that agents of this kind need, as [`NamePattern`](crate::NamePattern)s. They come to
    /// [`build`](Self::build) as `env.admit`, so that the `remove` of `[agent_env]`, which is for all agents, does not
    /// take them away; a `remove` of the backend's own does.
    const NEEDS: &'static [&'static str] = &[];

    /// The JSON schema of the settings: an object schema whose `properties` describe every key but `kind` and `ceiling`,
    /// which are not the kind's.
    fn schema() -> Value;

    /// An instance from its settings: a JSON object with the keys of its configuration section, without `kind` and
    /// `ceiling`.
    ///
    /// Fails when a key is unknown, missing, or has a wrong value.
    fn build(name: BackendName, settings: Value) -> Result<Self, SettingsProblem>;
}
