//! From a spec to a command line.

use std::{collections::BTreeMap, env, ffi::OsString, path::Path};

use connector_api::{AgentBackend, AgentRequest, Launch, ProbeProblem, PromptDelivery, UsageScope};

use super::ending::End;
use crate::{
    exposure::Exposure,
    probing::{Freshness, NotUsable, installed},
    process::{AgentCommand, ProbeError, StdinKind, TASK_MARKER},
    store::Store,
    task::{Asked, ChosenBy, TaskId, TaskSpec},
};

/// Everything that is known before an agent starts.
#[derive(Debug)]
pub(super) struct Prepared {
    /// What the agent is asked, in the directory that it works in.
    pub(super) request: AgentRequest,
    pub(super) command: AgentCommand,
    pub(super) launch: Launch,
    pub(super) version: String,
    /// What the tokens are counted over that the agent reports.
    pub(super) usage_scope: UsageScope,
    /// Names of variables, and whether they are set. Never a value.
    pub(super) environment: BTreeMap<String, String>,
}

/// Variables that matter to agents so often that a record tells when they are not set.
const OFTEN_ASKED_FOR: [&str; 8] =
    ["HOME", "PATH", "SHELL", "CODEX_HOME", "OPENAI_API_KEY", "HTTP_PROXY", "HTTPS_PROXY", "SSL_CERT_FILE"];

/// Finds the program, asks it what it can do, and builds its command line.
///
/// Fails with the end that the task has then.
pub(super) async fn prepare(
    backend: &dyn AgentBackend,
    spec: &TaskSpec,
    store: &Store,
    freshness: Freshness,
) -> Result<Prepared, Box<End>> {
    let (program, installed) =
        installed(backend, store, freshness).await.map_err(|problem| not_usable(problem, backend))?;
    let request = in_real_directory(below_ceiling(spec)?);
    if let Some(exposure) = Exposure::of(backend, &request, store) {
        exposure.check().map_err(|exposed| Box::new(End::forbidden(exposed.to_string(), exposed.next())))?;
    }
    let launch = backend
        .launch(&request, &installed)
        .map_err(|refusal| Box::new(End::not_started("ENOTSUP", refusal.to_string(), Some(backend.install_hint()))))?;
    let ours: Vec<(OsString, OsString)> = env::vars_os().collect();
    let mut environment = backend.environment().apply(ours.iter().cloned());
    let told = told(&ours, &environment);
    environment.insert(TASK_MARKER.into(), marker(&spec.id));
    let stdin = match launch.prompt {
        PromptDelivery::Stdin | PromptDelivery::Session => StdinKind::Pipe,
        PromptDelivery::Argument => StdinKind::Empty,
    };
    let working_directory = request.working_directory.clone();
    let command =
        AgentCommand { program, args: launch.args.clone(), working_directory, environment, stdin, group: None };
    let usage_scope = backend.usage_scope(&installed);
    Ok(Prepared { request, command, launch, version: installed.version, usage_scope, environment: told })
}

/// The request as the ceiling admits it. It was admitted at submit; since then a symbolic link in the path of its
/// directory may have been turned elsewhere. From here on the directory is the one that was looked at.
fn below_ceiling(spec: &TaskSpec) -> Result<AgentRequest, Box<End>> {
    let by = ChosenBy::Call;
    let asked = Asked { request: &spec.request, sandbox_by: by, timeout: spec.policy.timeout, timeout_by: by };
    match spec.ceiling.admit(asked, Path::canonicalize) {
        Ok(working_directory) => Ok(AgentRequest { working_directory, ..spec.request.clone() }),
        Err(above) => Err(Box::new(End::forbidden(above.to_string(), above.next()))),
    }
}

/// The request with the path that the agent itself finds for its directory: what is said to it about that directory has
/// to mean the same. One that cannot be found fails at the start, with better words.
fn in_real_directory(request: AgentRequest) -> AgentRequest {
    match request.working_directory.canonicalize() {
        Ok(working_directory) => AgentRequest { working_directory, ..request },
        Err(_) => request,
    }
}

fn not_usable(problem: NotUsable, backend: &dyn AgentBackend) -> Box<End> {
    let said = format!("cannot start backend `{}`: {problem}", backend.name());
    let advice = Some(format!("{}, or set backends.{}.program", backend.install_hint(), backend.name()));
    Box::new(match &problem {
        NotUsable::Program(problem) => End::not_started(problem.errno(), said, advice),
        NotUsable::Probe(ProbeError::NotStarted { error, .. }) => {
            let errno = match error.kind() {
                std::io::ErrorKind::PermissionDenied => "EACCES",
                std::io::ErrorKind::NotFound => "ENOENT",
                _ => "ENOEXEC",
            };
            End::not_started(errno, said, advice)
        }
        NotUsable::Probe(ProbeError::NoAnswer { .. }) => End::not_started("ETIMEDOUT", said, advice),
        NotUsable::Problem(ProbeProblem::NotUnderstood { exit, .. }) => End::failed(Some(*exit), said, advice),
        NotUsable::Problem(ProbeProblem::TooOld { .. } | ProbeProblem::NotAsked { .. }) => {
            End::not_started("ENOTSUP", said, advice)
        }
    })
}

/// The marker for an agent of this task, which may itself run on behalf of another.
fn marker(id: &TaskId) -> OsString {
    let mut ids = env::var_os(TASK_MARKER).filter(|ids| !ids.is_empty()).unwrap_or_default();
    if !ids.is_empty() {
        ids.push(",");
    }
    ids.push(id.as_str());
    ids
}

/// What a record tells of the agent's environment.
fn told(ours: &[(OsString, OsString)], theirs: &BTreeMap<OsString, OsString>) -> BTreeMap<String, String> {
    let name = |name: &OsString| name.to_string_lossy().into_owned();
    let unset = OFTEN_ASKED_FOR.into_iter().map(|variable| (variable.to_owned(), "not set".to_owned()));
    let removed = ours.iter().map(|(variable, _)| (name(variable), "removed".to_owned()));
    let set = theirs.keys().map(|variable| (name(variable), "set".to_owned()));
    unset.chain(removed).chain(set).collect()
}

/// The command line as one would type it.
pub(super) fn quoted(command: &AgentCommand) -> String {
    let program = command.program.to_string_lossy();
    let words = std::iter::once(&*program).chain(command.args.iter().map(String::as_str));
    shlex::try_join(words).unwrap_or_else(|_| program.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_names_variables_and_never_tells_a_value() {
        let ours = [("SECRET".into(), "s3cret".into()), ("PATH".into(), "/bin".into())];
        let theirs = BTreeMap::from([("PATH".into(), "/bin".into()), ("ADDED".into(), "v4lue".into())]);
        let told = told(&ours, &theirs);
        assert_eq!((told["SECRET"].as_str(), told["PATH"].as_str()), ("removed", "set"));
        assert_eq!((told["ADDED"].as_str(), told["CODEX_HOME"].as_str()), ("set", "not set"));
        assert!(told.values().all(|word| !word.contains("s3cret") && !word.contains("v4lue")));
    }
}
