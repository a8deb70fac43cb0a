//! What an installed agent can do: asked once for each program file, kept on disk, understood anew each time.

use std::{env, path::PathBuf};

use connector_api::{AgentBackend, Exit, Installed, ProbeAnswer, ProbeProblem};

use crate::{
    process::{ProbeError, ProgramProblem, find_program, probe},
    redact::Redactor,
    store::{ProbeKey, Store},
};

/// Whether answers from an earlier run will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// They will, unless the program file changed.
    Kept,
    /// They will not: the program did not behave as they said.
    Fresh,
}

/// Finds the backend's program and what it can do.
///
/// A refusal never rests on kept answers: version managers put a new agent behind the same file. Fails with
/// [`NotUsable`].
pub async fn installed(
    backend: &dyn AgentBackend,
    store: &Store,
    freshness: Freshness,
) -> Result<(PathBuf, Installed), NotUsable> {
    let program = find_program(backend.program(), env::var_os("PATH").as_deref(), env::var_os("HOME").as_deref())?;
    let key = ProbeKey::of(&program);
    let questions: Vec<Vec<String>> = backend.probe().into_iter().map(|question| question.args).collect();
    let kept = key.as_ref().filter(|_| freshness == Freshness::Kept).and_then(|key| store.probed(key, &questions));
    if let Some(installed) = kept.and_then(|answers| backend.understand(&answers).ok()) {
        return Ok((program, installed));
    }
    let answers = match ask(backend, &program).await {
        // The first run of a program of 400 MB on a busy machine can take that long; the second finds it in memory.
        Err(ProbeError::NoAnswer { .. }) => ask(backend, &program).await?,
        answers => answers?,
    };
    let installed = backend.understand(&answers)?;
    if let Some(key) = key {
        store.keep_probed(&key, &questions, &without_secrets(backend, answers));
    }
    Ok((program, installed))
}

/// Answers fit to be kept: some programs print the values of variables in their help.
fn without_secrets(backend: &dyn AgentBackend, mut answers: Vec<ProbeAnswer>) -> Vec<ProbeAnswer> {
    let redactor = Redactor::of(backend.environment().apply(env::vars_os()));
    for answer in &mut answers {
        redactor.redact(&mut answer.stdout);
        redactor.redact(&mut answer.stderr);
    }
    answers
}

/// Asks the program everything its backend wants to know, all at once.
async fn ask(backend: &dyn AgentBackend, program: &std::path::Path) -> Result<Vec<ProbeAnswer>, ProbeError> {
    let environment = backend.environment().apply(env::vars_os());
    let questions = backend.probe();
    let asked = questions.iter().map(|question| probe(program, question, &environment));
    futures_util::future::try_join_all(asked).await
}

/// Why a backend's program cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotUsable {
    /// It is not there, or cannot be executed.
    #[error(transparent)]
    Program(#[from] ProgramProblem),
    /// It did not answer.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// It answered, and is not what is needed.
    #[error(transparent)]
    Problem(#[from] ProbeProblem),
}

impl NotUsable {
    /// Whether the program is there and is the wrong one, so that no task can come of it. Any other problem is shown
    /// as a task that failed, with the documented reason.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Program(_) | Self::Probe(ProbeError::NotStarted { .. }) => false,
            Self::Problem(ProbeProblem::NotUnderstood { exit, .. }) => *exit == Exit::Code(0),
            Self::Probe(ProbeError::NoAnswer { .. })
            | Self::Problem(ProbeProblem::TooOld { .. } | ProbeProblem::NotAsked { .. }) => true,
        }
    }
}
