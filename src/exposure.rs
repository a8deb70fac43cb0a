//! Whether a sandboxed agent could change the files of codex-connector itself.
//!
//! Records and run directories decide which processes a later server stops, and results and logs are what it reports. An
//! agent that can change them is no longer confined to its sandbox: it has others act for it. Where the data or log
//! directory is in a place that `workspace-write` leaves open, that place is closed to the agent; where that is impossible,
//! the task is refused.
//!
//! Files are looked at, so this blocks. Only what the kind of the backend says about its sandbox is known here: directories
//! that users open in the agent's own settings are not.

use std::{
    env,
    path::{Path, PathBuf},
};

use connector_api::{AgentBackend, AgentRequest, Launch, OpenArea, PoliteSignal, PromptDelivery, Sandbox};

use crate::{directory::is_repository, store::Reader};

/// The paths to compare for one task in `workspace-write`.
#[derive(Debug, Clone)]
pub struct Exposure {
    working_directory: PathBuf,
    /// The temporary directories that the sandbox leaves open.
    temporary: Vec<PathBuf>,
    is_repository_open: bool,
    /// The areas that the agent can be told to close.
    closable: Vec<OpenArea>,
    own: [(&'static str, PathBuf); 2],
}

/// A directory of codex-connector is open to the agent. `Display` says which, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sandbox `workspace-write` would let the agent change the files of codex-connector: the {which}, {}, {place}", own.display())]
pub struct Exposed {
    which: &'static str,
    own: PathBuf,
    place: String,
}

impl Exposed {
    /// How to fix it.
    pub fn next(&self) -> String {
        "move it elsewhere, such as ~/.codex-connector (`data_dir` and `log_dir` in config.toml, or --data-dir and \
         --log-dir), or ask for `read-only`"
            .to_owned()
    }
}

impl Exposure {
    /// The check to make before `backend` gets `request`; none if its sandbox lets it write nowhere, or anywhere.
    pub fn of(backend: &dyn AgentBackend, request: &AgentRequest, store: &Reader) -> Option<Self> {
        match request.sandbox {
            Sandbox::WorkspaceWrite => Some(Self::in_directory(&request.working_directory, backend, store)),
            Sandbox::ReadOnly | Sandbox::DangerFullAccess => None,
        }
    }

    /// The same for any task of `backend` in this directory.
    pub fn in_directory(directory: &Path, backend: &dyn AgentBackend, store: &Reader) -> Self {
        let areas = backend.open_areas();
        let is_open = |area| areas.contains(&area);
        let theirs = backend.environment().apply(env::vars_os()).remove(std::ffi::OsStr::new("TMPDIR"));
        let temporary = [Some("/tmp".into()), theirs].into_iter().flatten().filter(|_| is_open(OpenArea::Temporary));
        Self {
            working_directory: directory.to_owned(),
            temporary: temporary.map(PathBuf::from).filter(|dir| dir.is_absolute()).collect(),
            is_repository_open: is_open(OpenArea::Repository),
            closable: areas.iter().copied().filter(|area| backend.close_area(*area, nothing()).is_some()).collect(),
            own: [("data directory", store.data_dir().to_owned()), ("log directory", store.log_dir().to_owned())],
        }
    }

    /// Compares real paths. Returns the areas that have to be closed to the agent.
    ///
    /// Fails with the first directory of ours that the agent could write in even so.
    pub fn check(&self) -> Result<Vec<OpenArea>, Exposed> {
        let working = real(&self.working_directory);
        let mut to_close = vec![];
        for (which, own) in &self.own {
            let exposed = |place: String| Exposed { which, own: own.clone(), place };
            let own = real(own);
            if own.starts_with(&working) {
                return Err(exposed(format!("is in the working directory, {}", working.display())));
            }
            if working.starts_with(&own) {
                return Err(exposed(format!("contains the working directory, {}", working.display())));
            }
            let temporary = self.temporary.iter().find(|open| own.starts_with(real(open)));
            let repository = working.ancestors().find(|dir| is_repository(dir)).filter(|root| own.starts_with(root));
            let open = [
                temporary.map(|open| {
                    let place = format!("is in {}, which this sandbox leaves open", open.display());
                    (OpenArea::Temporary, exposed(place))
                }),
                repository.filter(|_| self.is_repository_open).map(|root| {
                    let place = format!("is in the working directory's repository, {}", root.display());
                    (OpenArea::Repository, exposed(place))
                }),
            ];
            for (area, exposed) in open.into_iter().flatten() {
                if !self.closable.contains(&area) {
                    return Err(exposed);
                }
                if !to_close.contains(&area) {
                    to_close.push(area);
                }
            }
        }
        Ok(to_close)
    }
}

/// A launch to ask a backend about.
fn nothing() -> Launch {
    Launch { args: vec![], prompt: PromptDelivery::Stdin, polite_signal: PoliteSignal::Interrupt }
}

/// The path without symbolic links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    /// The message about a task in `working` with the data directory at `data`, both below a directory of the test.
    fn said(working: &str, data: &str, temporary: &[&str], is_repository_open: bool) -> Option<String> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let root = dir.path();
        for sub in
            ["project/sub/.cc", "project/.git", ".git", "home/.codex-connector/logs", "home/x", "tmp/data", "project-2"]
        {
            fs::create_dir_all(root.join(sub)).expect("it is writable");
        }
        fs::write(root.join("project/.git/HEAD"), "ref: refs/heads/main\n").expect("it is writable");
        symlink(root.join("project"), root.join("link")).expect("it is writable");
        let exposure = Exposure {
            working_directory: root.join(working),
            temporary: temporary.iter().map(|sub| root.join(sub)).collect(),
            is_repository_open,
            closable: vec![],
            own: [("data directory", root.join(data)), ("log directory", root.join(data).join("logs"))],
        };
        exposure.check().err().map(|exposed| exposed.to_string())
    }

    #[test]
    fn our_files_are_exposed_wherever_the_sandbox_lets_the_agent_write() {
        for (working, data, temporary, is_repository_open, word) in [
            ("project", "project/sub/.cc", &[][..], false, "is in the working directory"),
            ("link", "project/sub/.cc", &[], false, "is in the working directory"),
            ("project", "link/sub/.cc", &[], false, "is in the working directory"),
            ("home", "home/.codex-connector", &[], false, "is in the working directory"),
            ("home/.codex-connector", "home/.codex-connector", &[], false, "is in the working directory"),
            ("home/.codex-connector/logs", "home/.codex-connector", &[], false, "contains the working directory"),
            ("project", "tmp/data", &["tmp"], false, "which this sandbox leaves open"),
            ("project/sub", "project/data", &[], true, "repository"),
        ] {
            let said = said(working, data, temporary, is_repository_open);
            assert!(said.as_ref().is_some_and(|said| said.contains(word)), "{working} {data}: {said:?}");
        }
    }

    #[test]
    fn our_files_are_safe_everywhere_else() {
        for (working, data, temporary, is_repository_open) in [
            ("project", "home/.codex-connector", &["tmp"][..], true),
            ("project", "project-2", &[], true),
            ("project/sub", "project/data", &[], false),
            ("home/x", "home/.codex-connector", &["nowhere"], true),
            ("project", "tmp/data", &[], true),
        ] {
            assert_eq!(said(working, data, temporary, is_repository_open), None, "{working} {data}");
        }
    }

    #[test]
    fn an_area_that_the_agent_can_close_is_no_reason_to_refuse() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let exposure = |closable: &[OpenArea]| Exposure {
            working_directory: dir.path().join("project"),
            temporary: vec![dir.path().to_owned()],
            is_repository_open: false,
            closable: closable.to_owned(),
            own: [("data directory", dir.path().join("data")), ("log directory", dir.path().join("data/logs"))],
        };
        assert_eq!(exposure(&[OpenArea::Temporary]).check(), Ok(vec![OpenArea::Temporary]));
        assert!(exposure(&[OpenArea::Repository]).check().is_err());
    }

    #[test]
    fn a_log_directory_of_its_own_is_looked_at_too() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let exposure = Exposure {
            working_directory: dir.path().join("project"),
            temporary: vec![],
            is_repository_open: false,
            closable: vec![OpenArea::Temporary],
            own: [("data directory", "/elsewhere".into()), ("log directory", dir.path().join("project/logs"))],
        };
        let exposed = exposure.check().expect_err("the logs are in the project");
        assert!(exposed.to_string().contains("the log directory"), "{exposed}");
    }
}
