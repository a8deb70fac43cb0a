//! The preparations for the task: a Codex, a model for it, and a repository.

use std::process::{Command, Stdio};

use connector_testing::{
    GitProject, ScriptStep, ScriptedModel,
    codex::{self, CodexHome},
};

use crate::{
    DelegateError,
    show::{say, show},
};

/// The file in the repository, with its content before and after the scripted model's change.
pub(crate) const FILE: &str = "greet.sh";
pub(crate) const BEFORE: &str = "echo \"Hello\"\n";
pub(crate) const AFTER: &str = "echo \"Hello, ${1:-world}\"\n";

pub(crate) const TASK: &str = "greet.sh always prints the same greeting. Make it greet the name in its first argument, \
                               or `world` if there is none. Test it, then say in one sentence what you changed.";

/// The scripted model's answer.
pub(crate) const FINAL_ANSWER: &str =
    "greet.sh now greets the name in its first argument, or the world if there is none.";

/// The Codex to use, and the model for it.
pub(crate) struct Scene {
    /// The server's arguments for finding Codex.
    pub(crate) arguments: Vec<String>,
    /// The home in which Codex is configured for the scripted model; `None` for your own home.
    pub(crate) home: Option<CodexHome>,
    /// Runs until the scene is dropped.
    _model: Option<ScriptedModel>,
}

impl Scene {
    /// Your Codex, with your login.
    pub(crate) fn live() -> Result<Scene, DelegateError> {
        say("1. Your Codex");
        let next = "install it (npm install -g @openai/codex) and log in (codex login), or run this without --live";
        show(must_run("codex", next)?);
        say("\n2. A real model: this USES YOUR ACCOUNT and counts towards its limits");
        Ok(Scene { arguments: vec![], home: None, _model: None })
    }

    /// Codex from npm, and a model that plays a script.
    pub(crate) fn scripted() -> Result<Scene, DelegateError> {
        must_run("node", "install Node.js with npm (https://nodejs.org) and put both on PATH")?;
        say(format_args!("1. Codex {}; the first time npm downloads it into target/", codex::NEWEST));
        let program = codex::install(codex::NEWEST)?;
        show(program.display());
        say("\n2. A scripted model on loopback: no login, no key, no bill");
        let model = ScriptedModel::with_script(script());
        show(model.base_url());
        // Codex offers the tool that applies patches only to models whose names it knows.
        let home = CodexHome::new(&model.base_url(), "gpt-5.5");
        let arguments = vec!["--set".into(), format!("backends.codex.program={}", program.display())];
        Ok(Scene { arguments, home: Some(home), _model: Some(model) })
    }

    /// The sandbox for Codex. The script is known to be harmless, so it also runs where no sandbox is available.
    pub(crate) fn sandbox(&self) -> &'static str {
        if self.home.is_some() { "danger-full-access" } else { "workspace-write" }
    }
}

/// A repository with [`FILE`] committed.
pub(crate) fn project() -> GitProject {
    let project = GitProject::new();
    project.write(FILE, BEFORE);
    project.git(&["add", FILE]);
    project.git(&["-c", "user.name=You", "-c", "user.email=you@example.com", "commit", "--quiet", "-m", "Say hello"]);
    project
}

/// Fails if `program` cannot be run. Returns its answer to `--version`.
pub(crate) fn must_run(program: &'static str, next: &'static str) -> Result<String, DelegateError> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let output = output.map_err(|source| DelegateError::Missing { program, next, source })?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The scripted model's decisions; Codex carries them out.
fn script() -> Vec<ScriptStep> {
    let patch = format!("*** Begin Patch\n*** Update File: {FILE}\n@@\n-{BEFORE}+{AFTER}*** End Patch\n");
    // Real models take time, and progress is reported about once a second.
    let thought = || ScriptStep::Sleep(1.2);
    vec![
        ScriptStep::Say("I'll look at the script first.".into()),
        thought(),
        ScriptStep::Shell(format!("cat {FILE}")),
        thought(),
        ScriptStep::Patch(patch),
        thought(),
        ScriptStep::Say("I changed it. Now I'll test it.".into()),
        thought(),
        ScriptStep::Shell(format!("sh {FILE} Ada; sh {FILE}")),
        thought(),
        ScriptStep::Say(FINAL_ANSWER.into()),
    ]
}
