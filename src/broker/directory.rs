//! Checks the working directory of a request when the task is submitted.

use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use connector_api::{AgentBackend, AgentRequest};

use super::Refusal;
use crate::{
    blocking::{BlockingTimeout, CALLER_PATHS, PATH_DEADLINE},
    directory::{Directory, DirectoryProblem, absolute, check_repository, repository_of},
    exposure::{Exposure, trusted_files},
    store::Reader,
    task::{Ceiling, ChosenBy, SandboxChoice, TaskRequest, TrustedFile},
};

/// Everything that is needed to check a request and its directory.
pub(super) struct Conditions {
    pub(super) ceiling: Ceiling,
    pub(super) sandbox_by: SandboxChoice,
    pub(super) timeout: Option<Duration>,
    pub(super) timeout_by: ChosenBy,
    pub(super) backend: Arc<dyn AgentBackend>,
    pub(super) reader: Reader,
    pub(super) config_file: PathBuf,
    /// The programs of all backends.
    pub(super) programs: Vec<String>,
}

/// A request that was checked.
pub(super) struct Checked {
    /// The request, with the real path of its directory.
    pub(super) request: AgentRequest,
    /// The directory's repository.
    pub(super) repository: PathBuf,
    /// Our trusted files outside the data directory.
    pub(super) trusted_files: Vec<TrustedFile>,
}

impl Conditions {
    /// Checks that the request is within the ceiling, that git could work in the directory if the backend requires it,
    /// and that the agent could not change our own files.
    ///
    /// The supervisor checks again, because the path may lead elsewhere by then.
    pub(super) async fn check(self, request: AgentRequest) -> Result<Checked, Refusal> {
        let path = request.working_directory.clone();
        let checked = CALLER_PATHS.run(PATH_DEADLINE, move || self.check_now(request)).await;
        checked.map_err(|BlockingTimeout| Refusal::WorkingDirectory { path, problem: DirectoryProblem::TimedOut })?
    }

    fn check_now(self, request: AgentRequest) -> Result<Checked, Refusal> {
        let refuse = |problem| Refusal::WorkingDirectory { path: request.working_directory.clone(), problem };
        let path = absolute(&request.working_directory, env::var_os("HOME").as_deref()).map_err(refuse)?;
        let directory = Directory::open(&path).map_err(refuse)?;
        let asked = TaskRequest {
            request: &request,
            sandbox_by: self.sandbox_by.clone(),
            timeout: self.timeout,
            timeout_by: self.timeout_by,
        };
        self.ceiling.admit(asked, directory.real_path(), Path::canonicalize)?;
        if self.backend.capabilities().requires_git {
            check_repository(directory.real_path()).map_err(refuse)?;
        }
        let request = AgentRequest { working_directory: directory.real_path().to_owned(), ..request };
        let repository = repository_of(directory.real_path());
        let trusted_files = trusted_files(self.config_file, self.programs.iter().map(String::as_str));
        if let Some(exposure) = Exposure::of(&*self.backend, request.sandbox, &self.reader, &trusted_files) {
            exposure.check(directory.real_path())?;
        }
        Ok(Checked { request, repository, trusted_files })
    }
}
