//! Building an agent's command line from a spec.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use connector_api::{
    AgentBackend, AgentRequest, Installed, Launch, OpenArea, ProbeProblem, PromptDelivery, UsageScope,
};
use tokio::time::sleep;

use super::{
    data_directory::DataDirectory,
    ending::{NotStarted, RunEnd},
    journal::Journal,
};
use crate::{
    agent_environment::{Project, environment},
    blocking::{BlockingTimeout, CALLER_PATHS, PATH_DEADLINE},
    directory::{Directory, DirectoryProblem},
    exposure::{Exposed, Exposure},
    probing::{Freshness, NotUsable, advice_for, installed},
    process::{AgentCommand, ProbeError, SpawnError, StdinKind, TASK_MARKER, errno_of},
    store::{ProbeCache, Reader},
    task::{AboveCeiling, ChosenBy, SandboxChoice, TaskId, TaskRequest, TaskSpec, span},
};

/// Everything that is determined before an agent starts.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The request, with the real path of the working directory.
    pub(super) request: AgentRequest,
    pub(super) command: AgentCommand,
    pub(super) launch: Launch,
    pub(super) version: String,
    /// The scope of the agent's token counts.
    pub(super) usage_scope: UsageScope,
    /// Names of variables, and whether they are set. Never contains values.
    pub(super) environment: BTreeMap<String, String>,
}

/// Variables that matter to agents so often that the record mentions them even if they are not set.
const RECORDED_VARIABLES: [&str; 8] =
    ["HOME", "PATH", "SHELL", "CODEX_HOME", "OPENAI_API_KEY", "HTTP_PROXY", "HTTPS_PROXY", "SSL_CERT_FILE"];

/// Finds the program, asks it what it can do, and builds its command line.
///
/// On failure, returns the task's end.
pub(super) async fn prepare(
    backend: &dyn AgentBackend,
    spec: &TaskSpec,
    data: &DataDirectory,
    freshness: Freshness,
    journal: &mut Journal,
) -> Result<Prepared, Box<RunEnd>> {
    let project = project(spec).await?;
    let found = wait_until_installed(backend, &data.probes, freshness, project.as_ref(), journal).await;
    let (program, installed) = found.map_err(|problem| not_usable(problem, backend))?;
    let Admitted { directory, to_close } = admit(backend, spec, &data.reader).await?;
    // The agent finds this path for its directory, so the request has to contain the same one.
    let request = AgentRequest { working_directory: directory.real_path().to_owned(), ..spec.request.clone() };
    let launch = backend.launch(&request, &installed).map_err(|refusal| {
        Box::new(RunEnd::not_started(NotStarted::Refused, refusal.to_string(), Some(refusal.next())))
    })?;
    let close =
        |launch, area| backend.close_area(area, launch).expect("an area that cannot be closed was rejected before");
    let launch = to_close.into_iter().fold(launch, close);
    let ours: Vec<(OsString, OsString)> = env::vars_os().collect();
    let (mut environment, left_out) = environment(backend.environment(), ours.iter().cloned(), project.as_ref());
    for entry in left_out {
        journal.entry(&format!("NOT PASSED ON: {entry}, which leads into the project"));
    }
    if !backend.environment().set.contains_key("PWD") {
        environment.insert("PWD".into(), request.working_directory.clone().into());
    }
    let recorded_variables = recorded_variables(&ours, &environment);
    environment.insert(TASK_MARKER.into(), marker(&spec.id));
    let stdin = match launch.prompt {
        PromptDelivery::Stdin | PromptDelivery::Session => StdinKind::Pipe,
        PromptDelivery::Argument => StdinKind::Empty,
    };
    let command = AgentCommand { program, args: launch.args.clone(), directory, environment, stdin, group: None };
    let usage_scope = backend.usage_scope(&installed);
    Ok(Prepared { request, command, launch, version: installed.version, usage_scope, environment: recorded_variables })
}

/// The project that contains the working directory, for a task in a restricted sandbox.
async fn project(spec: &TaskSpec) -> Result<Option<Project>, Box<RunEnd>> {
    let (sandbox, directory) = (spec.request.sandbox, spec.request.working_directory.clone());
    let found = CALLER_PATHS.run(PATH_DEADLINE, move || Project::of(sandbox, &directory)).await;
    found.map_err(|BlockingTimeout| {
        Box::new(directory_unavailable(&spec.request.working_directory, &DirectoryProblem::TimedOut))
    })
}

/// How long to wait for a program that is being replaced, and how often to look for it.
const UPDATE_TIMEOUT: Duration = Duration::from_secs(30);
const UPDATE_POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Finds the program. If an update is replacing it, waits. The wait can be dropped at any time.
async fn wait_until_installed(
    backend: &dyn AgentBackend,
    probes: &ProbeCache,
    freshness: Freshness,
    project: Option<&Project>,
    journal: &mut Journal,
) -> Result<(PathBuf, Installed), NotUsable> {
    let mut since = None;
    loop {
        match installed(backend, probes, freshness, project).await {
            Err(problem) if problem.is_transient() => {
                if since.is_none() {
                    journal.entry(&format!("WAITING: {problem}; looking for it for {}", span(UPDATE_TIMEOUT)));
                    journal.flush();
                }
                if since.get_or_insert_with(Instant::now).elapsed() >= UPDATE_TIMEOUT {
                    return Err(problem);
                }
                sleep(UPDATE_POLL_INTERVAL).await;
            }
            found => return found,
        }
    }
}

/// The directory that a task may work in.
struct Admitted {
    directory: Arc<Directory>,
    /// The areas that the agent's sandbox leaves open and that must be closed.
    to_close: Vec<OpenArea>,
}

/// Why a task may not start in its directory.
enum NotAdmitted {
    Directory(DirectoryProblem),
    AboveCeiling(AboveCeiling),
    Exposed(Exposed),
}

/// Opens the task's directory if the ceiling admits it and the agent cannot change our files from there. The ceiling
/// was checked at submit, but the path may lead elsewhere by now. The agent starts in the directory that is opened
/// here.
async fn admit(backend: &dyn AgentBackend, spec: &TaskSpec, reader: &Reader) -> Result<Admitted, Box<RunEnd>> {
    let (ceiling, request, timeout) = (spec.ceiling.clone(), spec.request.clone(), spec.policy.timeout);
    let exposure = Exposure::of(backend, request.sandbox, reader, &spec.trusted_files);
    let admitted = CALLER_PATHS.run(PATH_DEADLINE, move || {
        let directory = Directory::open(&request.working_directory).map_err(NotAdmitted::Directory)?;
        let real = directory.real_path();
        let by = ChosenBy::Call;
        let asked = TaskRequest { request: &request, sandbox_by: SandboxChoice::Call, timeout, timeout_by: by };
        ceiling.admit(asked, real, Path::canonicalize).map_err(NotAdmitted::AboveCeiling)?;
        let to_close = exposure.map_or(Ok(vec![]), |exposure| exposure.check(real)).map_err(NotAdmitted::Exposed)?;
        Ok(Admitted { directory: Arc::new(directory), to_close })
    });
    let forbidden = |said: String, next| Box::new(RunEnd::not_started(NotStarted::Forbidden, said, Some(next)));
    admitted.await.unwrap_or(Err(NotAdmitted::Directory(DirectoryProblem::TimedOut))).map_err(|why| match why {
        NotAdmitted::Directory(problem) => Box::new(directory_unavailable(&spec.request.working_directory, &problem)),
        NotAdmitted::AboveCeiling(above) => forbidden(above.to_string(), above.next()),
        NotAdmitted::Exposed(exposed) => forbidden(exposed.to_string(), exposed.next()),
    })
}

/// The end of a task whose directory can no longer be used. It existed at submit.
pub(super) fn directory_unavailable(directory: &Path, problem: &DirectoryProblem) -> RunEnd {
    let why = match problem {
        DirectoryProblem::NotFound => "no longer exists".to_owned(),
        DirectoryProblem::NotADirectory => "is no longer a directory".to_owned(),
        DirectoryProblem::NotOpened(error) => format!("can no longer be entered: {error}"),
        other => other.to_string(),
    };
    let said = format!("the working directory {} {why}", directory.display());
    let advice = "start the task again with a `workingDirectory` that exists".to_owned();
    RunEnd::not_started(NotStarted::NoDirectory { errno: problem.errno().to_owned() }, said, Some(advice))
}

/// The end of a task whose agent the operating system could not start.
pub(super) fn not_spawned(error: &SpawnError, backend: &dyn AgentBackend) -> RunEnd {
    let advice = advice_for(&error.errno()).map_or_else(|| backend.install_hint(), str::to_owned);
    RunEnd::unusable(&error.errno(), error.to_string(), Some(advice))
}

/// The end of a task that requires a directory watch, which could not be started.
pub(super) fn not_watched(error: &io::Error) -> RunEnd {
    let said = format!("the working directory cannot be watched, as `ceiling.roots` requires: {error}");
    let advice =
        "check whether a limit on processes (`ulimit -u`, or the container's) is reached, and start the task again";
    RunEnd::unusable(&errno_of(error), said, Some(advice.to_owned()))
}

fn not_usable(problem: NotUsable, backend: &dyn AgentBackend) -> Box<RunEnd> {
    let said = format!("cannot start backend `{}`: {problem}", backend.name());
    let advice = Some(problem.next(backend));
    Box::new(match &problem {
        NotUsable::Program(problem) => RunEnd::unusable(problem.errno(), said, advice),
        NotUsable::Placeholder { .. } => RunEnd::unusable("ENOEXEC", said, advice),
        NotUsable::Probe(ProbeError::NotStarted { error, .. }) => RunEnd::unusable(&errno_of(error), said, advice),
        NotUsable::Probe(ProbeError::TimedOut { .. }) => RunEnd::unusable("ETIMEDOUT", said, advice),
        NotUsable::Problem(ProbeProblem::NotUnderstood { exit, .. }) => RunEnd::failed(Some(*exit), said, advice),
        NotUsable::Problem(ProbeProblem::TooOld { .. } | ProbeProblem::NotAsked { .. }) => {
            RunEnd::unusable("ENOTSUP", said, advice)
        }
    })
}

/// The value of the marker variable. If this supervisor itself runs inside a task, the value contains that task's ID
/// too.
fn marker(id: &TaskId) -> OsString {
    let mut ids = env::var_os(TASK_MARKER).filter(|ids| !ids.is_empty()).unwrap_or_default();
    if !ids.is_empty() {
        ids.push(",");
    }
    ids.push(id.as_str());
    ids
}

/// The environment variables for the record, without values.
fn recorded_variables(
    ours: &[(OsString, OsString)],
    theirs: &BTreeMap<OsString, OsString>,
) -> BTreeMap<String, String> {
    let name = |name: &OsString| name.to_string_lossy().into_owned();
    let unset = RECORDED_VARIABLES.into_iter().map(|variable| (variable.to_owned(), "not set".to_owned()));
    let removed = ours.iter().map(|(variable, _)| (name(variable), "removed".to_owned()));
    let set = theirs.keys().map(|variable| (name(variable), "set".to_owned()));
    unset.chain(removed).chain(set).collect()
}

/// The command line, quoted for a shell.
pub(super) fn quoted(command: &AgentCommand) -> String {
    let program = command.program.to_string_lossy();
    let words = std::iter::once(&*program).chain(command.args.iter().map(String::as_str));
    shlex::try_join(words).unwrap_or_else(|_| program.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_contains_names_of_variables_and_never_values() {
        let ours = [("SECRET".into(), "s3cret".into()), ("PATH".into(), "/bin".into())];
        let theirs = BTreeMap::from([("PATH".into(), "/bin".into()), ("ADDED".into(), "v4lue".into())]);
        let recorded_variables = recorded_variables(&ours, &theirs);
        assert_eq!((recorded_variables["SECRET"].as_str(), recorded_variables["PATH"].as_str()), ("removed", "set"));
        assert_eq!(
            (recorded_variables["ADDED"].as_str(), recorded_variables["CODEX_HOME"].as_str()),
            ("set", "not set")
        );
        assert!(recorded_variables.values().all(|word| !word.contains("s3cret") && !word.contains("v4lue")));
    }
}
