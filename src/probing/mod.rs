//! Determines the capabilities of an installed agent.
//!
//! Each program file is probed once, and its answers are cached on disk. The backend interprets the answers on every
//! use.

mod login;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
};

use connector_api::{AgentBackend, Exit, Installed, ProbeAnswer, ProbeProblem};

pub use self::login::LoginState;
use crate::{
    agent_environment::{Project, environment},
    process::{ProbeError, ProgramProblem, errno_of, find_program, probe},
    redact::Redactor,
    store::{ProbeCache, ProbeKey},
};

/// Whether cached answers may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Yes, unless the program file has changed.
    Kept,
    /// No, the program must be probed again.
    Fresh,
}

/// Finds the backend's program and determines its capabilities. Fails with [`NotUsable`].
///
/// The files of `project` cannot influence which program is found or what it runs.
///
/// A refusal is never based on cached answers, because a version manager can install a new agent behind the same file.
pub async fn installed(
    backend: &dyn AgentBackend,
    cache: &ProbeCache,
    freshness: Freshness,
    project: Option<&Project>,
) -> Result<(PathBuf, Installed), NotUsable> {
    let program = find(backend.program(), project, env::var_os("PATH").as_deref(), env::var_os("HOME").as_deref())?;
    let variables = environment(backend.environment(), env::vars_os(), project).0;
    match understood(backend, cache, freshness, &program, &variables).await {
        Err(problem) if problem.names_an_install_script() || is_placeholder(&program) => {
            Err(NotUsable::Placeholder { program })
        }
        found => found.map(|installed| (program, installed)),
    }
}

/// Finds the program in the entries of `path` that are outside the project.
fn find(
    program: &str,
    project: Option<&Project>,
    path: Option<&OsStr>,
    home: Option<&OsStr>,
) -> Result<PathBuf, ProgramProblem> {
    let Some(project) = project else { return find_program(program, path, home) };
    let trusted = path.and_then(|path| project.without_project_entries(path));
    find_program(program, trusted.as_deref(), home).map_err(|problem| {
        match (problem, find_program(program, path, home)) {
            (ProgramProblem::NotOnPath { .. }, Ok(found)) => ProgramProblem::InProject { program: found },
            (problem, Ok(_) | Err(_)) => problem,
        }
    })
}

async fn understood(
    backend: &dyn AgentBackend,
    cache: &ProbeCache,
    freshness: Freshness,
    program: &Path,
    variables: &BTreeMap<OsString, OsString>,
) -> Result<Installed, NotUsable> {
    let key = ProbeKey::of(program);
    let questions: Vec<Vec<String>> = backend.probe().into_iter().map(|question| question.args).collect();
    let kept = key.as_ref().filter(|_| freshness == Freshness::Kept).and_then(|key| cache.answers(key, &questions));
    if let Some(installed) = kept.and_then(|answers| backend.understand(&answers).ok()) {
        return Ok(installed);
    }
    let answers = match ask(backend, program, variables).await {
        // On a busy machine, the first run of a program of 400 MB can take too long. The second run finds it in memory.
        Err(ProbeError::TimedOut { .. }) => ask(backend, program, variables).await?,
        answers => answers?,
    };
    let installed = backend.understand(&answers)?;
    if let Some(key) = key {
        cache.keep(&key, &questions, &without_secrets(backend, answers));
    }
    Ok(installed)
}

/// Upper bound on the length of a placeholder, in bytes. Those of Claude Code 2.1.332 and OpenCode 1.18.33 have 500.
const MAX_PLACEHOLDER_BYTES: u64 = 4096;

/// Whether this file is a placeholder. Some npm packages ship one for a program that their install script downloads: a
/// few lines of shell, without an interpreter line, that report the problem.
fn is_placeholder(program: &Path) -> bool {
    let is_short = program.metadata().is_ok_and(|file| file.is_file() && file.len() < MAX_PLACEHOLDER_BYTES);
    let content = is_short.then(|| fs::read(program)).and_then(Result::ok).unwrap_or_default();
    !content.starts_with(b"#!") && String::from_utf8_lossy(&content).contains(INSTALL_SCRIPT)
}

/// npm's name for a script that runs after a package is installed. Every placeholder mentions it.
const INSTALL_SCRIPT: &str = "postinstall";

/// The answers with redacted secrets, for the cache: some programs print values of environment variables in their help.
fn without_secrets(backend: &dyn AgentBackend, mut answers: Vec<ProbeAnswer>) -> Vec<ProbeAnswer> {
    let redactor = Redactor::of(backend.environment().apply(env::vars_os()));
    for answer in &mut answers {
        redactor.redact(&mut answer.stdout);
        redactor.redact(&mut answer.stderr);
    }
    answers
}

/// Runs all probes of the backend at the same time.
async fn ask(
    backend: &dyn AgentBackend,
    program: &Path,
    variables: &BTreeMap<OsString, OsString>,
) -> Result<Vec<ProbeAnswer>, ProbeError> {
    let questions = backend.probe();
    let asked = questions.iter().map(|question| probe(program, question, variables));
    futures_util::future::try_join_all(asked).await
}

/// Why a backend's program cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotUsable {
    /// It does not exist or cannot be executed.
    #[error(transparent)]
    Program(#[from] ProgramProblem),
    /// It is the placeholder that npm installs if it does not run install scripts.
    #[error("{} is only a placeholder: npm did not run the install script of its package", program.display())]
    Placeholder {
        /// The program.
        program: PathBuf,
    },
    /// It did not answer.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// It answered, but the backend cannot use it.
    #[error(transparent)]
    Problem(#[from] ProbeProblem),
}

impl NotUsable {
    /// Whether the program exists but cannot run any task, so that the call is refused. Other problems are reported as
    /// a failed task with a documented reason.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Program(_) | Self::Placeholder { .. } | Self::Probe(ProbeError::NotStarted { .. }) => false,
            Self::Problem(ProbeProblem::NotUnderstood { exit, .. }) => *exit == Exit::Code(0),
            Self::Probe(ProbeError::TimedOut { .. })
            | Self::Problem(ProbeProblem::TooOld { .. } | ProbeProblem::NotAsked { .. }) => true,
        }
    }

    /// Whether the problem may disappear by itself, as it does when an update has replaced the program.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Program(ProgramProblem::Dangling { .. }))
    }

    /// The next step for the user.
    pub fn next(&self, backend: &dyn AgentBackend) -> String {
        let install = backend.install_hint();
        let program = format!("set backends.{}.program", backend.name());
        match self {
            Self::Program(ProgramProblem::Dangling { .. }) => {
                format!("wait until its update is finished, or {install}, or {program}")
            }
            Self::Program(ProgramProblem::NotExecutable { program: file }) if file.is_file() => {
                let file = file.display().to_string();
                let word = shlex::try_quote(&file).map(Cow::into_owned).unwrap_or(file);
                format!("run `chmod +x {word}`, or {program}")
            }
            Self::Program(ProgramProblem::NotExecutable { .. } | ProgramProblem::Relative { .. }) => {
                format!("{program} to the absolute path of the program file")
            }
            Self::Program(ProgramProblem::InProject { .. }) => {
                format!("install it outside the project, or {program} to its absolute path if you trust the project")
            }
            Self::Placeholder { .. } => format!("{install} with the option `--ignore-scripts=false`, or {program}"),
            Self::Probe(ProbeError::NotStarted { error, .. }) => {
                advice_for(&errno_of(error)).map_or_else(|| format!("{install}, or {program}"), str::to_owned)
            }
            Self::Program(_) | Self::Probe(ProbeError::TimedOut { .. }) | Self::Problem(_) => {
                format!("{install}, or {program}")
            }
        }
    }

    /// Whether the output shows that a placeholder ran, for example behind a version manager's own program.
    fn names_an_install_script(&self) -> bool {
        matches!(self, Self::Problem(ProbeProblem::NotUnderstood { said, .. }) if said.contains(INSTALL_SCRIPT))
    }
}

/// Advice for errors of the operating system at the start of a program that a new installation would not fix.
pub fn advice_for(errno: &str) -> Option<&'static str> {
    match errno {
        "EAGAIN" | "ENOMEM" | "EMFILE" | "ENFILE" => {
            Some("try again when the machine has enough free processes, memory and open files")
        }
        "E2BIG" => Some("make `task` shorter, or pass fewer and shorter environment variables to the agent"),
        "ETXTBSY" => Some("try again when the program's update is finished"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::store::Upkeep;

    /// The beginnings of `bin/claude.exe` of 2.1.332 and of `bin/opencode.exe` of 1.18.33.
    const PLACEHOLDERS: [&str; 2] = [
        "echo \"Error: claude native binary not installed.\" >&2\necho \"\" >&2\n\
         echo \"Either postinstall did not run (--ignore-scripts, some pnpm configs)\" >&2\nexit 1\n",
        "echo \"Error: opencode-ai's postinstall script was not run.\" >&2\nexit 1\n",
    ];

    #[test]
    fn the_advice_for_a_file_that_is_not_executable_is_not_to_reinstall_it() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let file = dir.path().join("my agent");
        fs::write(&file, "#!/bin/sh\n").expect("the temporary directory is writable");
        let frozen = crate::task::FrozenBackend {
            name: connector_api::BackendName::new("agent").expect("the name is valid"),
            kind: "claude".into(),
            settings: serde_json::json!({}),
        };
        let mut registry = crate::registry::Registry::default();
        registry.add::<connector_claude::Claude>();
        let backend = registry.build(&frozen).expect("the kind is registered");
        let next = |program: &Path| {
            let problem =
                find_program(&program.display().to_string(), None, None).expect_err("the program cannot be executed");
            NotUsable::from(problem).next(&*backend)
        };
        assert_eq!(next(&file), format!("run `chmod +x '{}'`, or set backends.agent.program", file.display()));
        assert_eq!(next(dir.path()), "set backends.agent.program to the absolute path of the program file");
    }

    #[test]
    fn a_placeholder_is_distinguished_from_a_program() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file can be created");
        let is_recognized = |content: &str| {
            fs::write(file.path(), content).expect("the temporary file is writable");
            is_placeholder(file.path())
        };
        assert!(PLACEHOLDERS.into_iter().all(is_recognized));
        let long = format!("{}{}", PLACEHOLDERS[0], "#".repeat(5_000));
        for program in ["", "\x7fELF", "#!/bin/sh\necho postinstall\n", "echo 1.0\n", &long] {
            assert!(!is_recognized(program), "{program:.30}");
        }
        assert!(!is_placeholder(Path::new("/no/such/file")) && !is_placeholder(Path::new("/")));
    }

    #[tokio::test]
    async fn a_placeholder_is_reported_with_what_to_do() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let upkeep = Upkeep::open(dir.path(), &dir.path().join("logs")).expect("the temporary directory is writable");
        let cache = ProbeCache::of(&upkeep);
        let program = dir.path().join("agent");
        let settings = serde_json::json!({"program": program});
        let frozen = crate::task::FrozenBackend {
            name: connector_api::BackendName::new("agent").expect("the name is valid"),
            kind: "claude".into(),
            settings,
        };
        let mut registry = crate::registry::Registry::default();
        registry.add::<connector_claude::Claude>();
        let backend = registry.build(&frozen).expect("the kind is registered");
        // The file that npm installs, and the same text behind a version manager's own script.
        for content in [PLACEHOLDERS[0].to_owned(), format!("#!/bin/sh\n{}", PLACEHOLDERS[0])] {
            fs::write(&program, content).expect("the directory is writable");
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("the test owns the file");
            let problem =
                installed(&*backend, &cache, Freshness::Fresh, None).await.expect_err("the program is a placeholder");
            assert!(matches!(problem, NotUsable::Placeholder { .. }), "{problem}");
            let next = problem.next(&*backend);
            assert!(next.contains("claude-code@latest") && next.contains("--ignore-scripts=false"), "{next}");
        }
    }
}
