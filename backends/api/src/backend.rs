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

    /// The settings that all backends share.
    fn settings(&self) -> &ProgramSettings;

    /// The program: a name to look up on `PATH`, an absolute path, or a path that starts with `~/`.
    fn program(&self) -> &str {
        &self.settings().program
    }

    /// The rules for the program's environment variables, in runs and in probes.
    fn environment(&self) -> &EnvRules {
        &self.settings().env
    }

    /// One sentence that tells a user how to get the program.
    fn install_hint(&self) -> String;

    /// The capabilities of this backend with the best version of its agent.
    fn capabilities(&self) -> Capabilities;

    /// Commands that ask the installed program what it can do. They run once per program file, and each is stopped
    /// after 10 s.
    fn probe(&self) -> Vec<ProbeCommand>;

    /// Reads the answers to [`probe`](Self::probe), in the same order.
    ///
    /// Fails when the program cannot be used at all.
    fn understand(&self, answers: &[ProbeAnswer]) -> Result<Installed, ProbeProblem>;

    /// The command line for `request`. Also called as a dry run, so that a request can be refused before a task exists.
    ///
    /// Fails when the installed program cannot do exactly what the request asks for.
    fn launch(&self, request: &AgentRequest, installed: &Installed) -> Result<Launch, Unsupported>;

    /// Areas outside the working directory to which this agent can write in the `workspace-write` sandbox. If such an
    /// area contains files of codex-connector, it is [closed](Self::close_area), or else the task is refused.
    ///
    /// By default, all areas count as open.
    fn open_areas(&self) -> &'static [OpenArea] {
        &[OpenArea::Temporary, OpenArea::Repository]
    }

    /// `launch`, changed so that the agent cannot write to `area`. `None` if the agent has no option for that.
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

    /// The arguments with which a person continues this session in the agent's own terminal interface; `None` if the
    /// agent has none.
    fn interactive_args(&self, session: &str) -> Option<Vec<String>> {
        let _ = session;
        None
    }

    /// A command that starts the program's own sandbox and does nothing in it, to find out whether the sandbox works on
    /// this machine. [`sandbox_failure`](fn@crate::sandbox_failure) examines its output.
    fn sandbox_probe(&self) -> Option<ProbeCommand> {
        None
    }

    /// A command that asks the program whether it is logged in, if it has one.
    fn login_probe(&self) -> Option<ProbeCommand> {
        None
    }

    /// Reads the answer to [`login_probe`](Self::login_probe).
    fn understand_login(&self, answer: &ProbeAnswer) -> Login {
        let _ = answer;
        Login::Unknown
    }
}

/// An area outside the working directory to which a `workspace-write` sandbox may let an agent write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenArea {
    /// `/tmp`, and the directory that the agent's `TMPDIR` names.
    Temporary,
    /// The whole git repository that contains the working directory.
    Repository,
}

/// The capabilities of a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The sandboxes that it can enforce, strictest first.
    pub sandboxes: Vec<Sandbox>,
    /// Whether a request may name a `model`. If not, a request that does is refused.
    pub model: bool,
    /// Whether a request may `resume` a session. If not, a request that does is refused.
    pub resume: bool,
    /// Whether the working directory must be inside a git repository.
    pub requires_git: bool,
}

impl Capabilities {
    /// A backend that can enforce `sandboxes`, takes a model and resumes sessions, and requires git if its settings say
    /// so.
    pub fn with_models_and_sessions(sandboxes: impl Into<Vec<Sandbox>>, settings: &ProgramSettings) -> Self {
        Self { sandboxes: sandboxes.into(), model: true, resume: true, requires_git: settings.require_git }
    }
}

/// A kind of backend. The configuration may define any number of backends of one kind: `[backends.NAME] kind = "KIND"`.
pub trait BackendKind: AgentBackend + Sized + 'static {
    /// The value of `kind`.
    const KIND: &'static str;

    /// Environment variables that agents of this kind need, as [`NamePattern`](crate::NamePattern)s.
    /// [`build`](Self::build) gets them as `env.admit`, which protects them from the `remove` of `[agent_env]`, because
    /// that applies to all agents. The backend's own `remove` still removes them.
    const NEEDS: &'static [&'static str] = &[];

    /// The JSON schema of the settings: an object schema whose `properties` describe every key but `kind` and
    /// `ceiling`, which every kind has.
    fn schema() -> Value;

    /// Builds a backend from its settings: a JSON object with the keys of its configuration section, without `kind` and
    /// `ceiling`.
    ///
    /// Fails when a key is unknown, missing, or has a wrong value.
    fn build(name: BackendName, settings: Value) -> Result<Self, SettingsProblem>;
}
