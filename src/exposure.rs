//! Whether a sandboxed agent could change the files of codex-connector itself.
//!
//! Records and run directories decide which processes a later server stops, and results and logs are what it reports. An
//! agent that can change them is no longer confined to its sandbox: it has others act for it. Where the data or log
//! directory is in a place that `workspace-write` leaves open, that place is closed to the agent; where that is impossible,
//! the task is refused.
//!
//! A directory of ours is where its path leads, so every place that the path passes counts: an agent that can replace a
//! symbolic link on the way can put a directory of its own in the place of ours.
//!
//! Files are looked at, so this blocks. Only what the kind of the backend says about its sandbox is known here: directories
//! that users open in the agent's own settings are not.

use std::{
    env,
    path::{Path, PathBuf},
};

use connector_api::{AgentBackend, Launch, OpenArea, PoliteSignal, PromptDelivery, Sandbox};

use crate::{
    directory::{Route, is_repository},
    store::Reader,
};

/// The paths to compare for tasks in `workspace-write`.
#[derive(Debug, Clone)]
pub struct Exposure {
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
    /// The check to make before `backend` gets a task in `sandbox`; `None` if the sandbox allows no writes or all
    /// writes.
    pub fn of(backend: &dyn AgentBackend, sandbox: Sandbox, store: &Reader) -> Option<Self> {
        match sandbox {
            Sandbox::WorkspaceWrite => Some(Self::of_backend(backend, store)),
            Sandbox::ReadOnly | Sandbox::DangerFullAccess => None,
        }
    }

    /// The same for any task of `backend`.
    pub fn of_backend(backend: &dyn AgentBackend, store: &Reader) -> Self {
        let areas = backend.open_areas();
        let is_open = |area| areas.contains(&area);
        let theirs = backend.environment().apply(env::vars_os()).remove(std::ffi::OsStr::new("TMPDIR"));
        let temporary = [Some("/tmp".into()), theirs].into_iter().flatten().filter(|_| is_open(OpenArea::Temporary));
        Self {
            temporary: temporary.map(PathBuf::from).filter(|dir| dir.is_absolute()).collect(),
            is_repository_open: is_open(OpenArea::Repository),
            closable: areas.iter().copied().filter(|area| backend.close_area(*area, nothing()).is_some()).collect(),
            own: [("data directory", store.data_dir().to_owned()), ("log directory", store.log_dir().to_owned())],
        }
    }

    /// Compares every place on the way to our directories with the places that are open to the agent, which works in
    /// `working_directory`, a real path. Returns the areas that have to be closed to the agent.
    ///
    /// Fails with the first directory of ours that the agent could write in, or replace, even so.
    pub fn check(&self, working_directory: &Path) -> Result<Vec<OpenArea>, Exposed> {
        let working = working_directory;
        let mut to_close = vec![];
        for (which, own) in &self.own {
            let route = Route::of(own);
            let exposed = |place: String| Exposed { which, own: own.clone(), place };
            let within = |root: &Path| {
                let place = route.place_in(root)?;
                let is_end = route.end().starts_with(root);
                Some(if is_end { "is in".to_owned() } else { format!("is reached through {}, in", place.display()) })
            };
            if let Some(is_in) = within(working) {
                return Err(exposed(format!("{is_in} the working directory, {}", working.display())));
            }
            if working.starts_with(route.end()) {
                return Err(exposed(format!("contains the working directory, {}", working.display())));
            }
            let temporary = self.temporary.iter().find_map(|open| Some((open, within(Route::of(open).end())?)));
            let repository = working.ancestors().find(|dir| is_repository(dir)).filter(|_| self.is_repository_open);
            let repository = repository.and_then(|root| Some((root, within(root)?)));
            let open = [
                temporary.map(|(open, is_in)| {
                    let place = format!("{is_in} {}, which this sandbox leaves open", open.display());
                    (OpenArea::Temporary, exposed(place))
                }),
                repository.map(|(root, is_in)| {
                    let place = format!("{is_in} the working directory's repository, {}", root.display());
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

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    /// The message about a task in `working` with the data directory at `data`, both below a directory of the test.
    fn said(working: &str, data: &str, temporary: &[&str], is_repository_open: bool) -> Option<String> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let root = &dir.path().canonicalize().expect("it is there");
        for sub in
            ["project/sub/.cc", "project/.git", ".git", "home/.codex-connector/logs", "home/x", "tmp/data", "project-2"]
        {
            fs::create_dir_all(root.join(sub)).expect("it is writable");
        }
        fs::write(root.join("project/.git/HEAD"), "ref: refs/heads/main\n").expect("it is writable");
        for (link, target) in [
            ("link", "project"),
            ("project/state", "home/.codex-connector"),
            ("project/home", "home"),
            ("project-2/first", "project/state"),
            ("project-2/shown", "project-2/first"),
            ("project/dangling", "nowhere/data"),
            ("project-2/dangling", "project/missing/data"),
            ("project/loop", "project-2/loop"),
            ("project-2/loop", "project/loop"),
            ("tmp/state", "home/.codex-connector"),
            ("safe", "home/.codex-connector"),
        ] {
            symlink(root.join(target), root.join(link)).expect("it is writable");
        }
        let exposure = Exposure {
            temporary: temporary.iter().map(|sub| root.join(sub)).collect(),
            is_repository_open,
            closable: vec![],
            own: [("data directory", root.join(data)), ("log directory", root.join(data).join("logs"))],
        };
        exposure
            .check(&root.join(working).canonicalize().expect("it is there"))
            .err()
            .map(|exposed| exposed.to_string())
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
            ("project/sub", "project/data", &[], true, "is in the working directory's repository"),
            ("project", "project/state", &[], false, "project/state, in the working directory"),
            ("project", "project/home/.codex-connector", &[], false, "project/home, in the working directory"),
            ("project", "project-2/shown", &[], false, "project/state, in the working directory"),
            ("project", "project/dangling", &[], false, "project/dangling, in the working directory"),
            ("project", "project-2/dangling", &[], false, "is in the working directory"),
            ("project", "project/loop", &[], false, "in the working directory"),
            ("project", "project-2/loop", &[], false, "in the working directory"),
            ("project", "project/sub/../../home/x", &[], false, "project/sub, in the working directory"),
            ("project", "tmp/state", &["tmp"], false, "tmp/state, in"),
            ("project/sub", "project/state", &[], true, "project/state, in the working directory's repository"),
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
            ("project", "safe", &["tmp"], true),
            ("project", "tmp/state", &[], true),
            ("project/sub", "project/state", &[], false),
        ] {
            assert_eq!(said(working, data, temporary, is_repository_open), None, "{working} {data}");
        }
    }

    #[test]
    fn an_area_that_the_agent_can_close_is_no_reason_to_refuse() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let project = dir.path().canonicalize().expect("it is there").join("project");
        let exposure = |closable: &[OpenArea]| Exposure {
            temporary: vec![dir.path().to_owned()],
            is_repository_open: false,
            closable: closable.to_owned(),
            own: [("data directory", dir.path().join("data")), ("log directory", dir.path().join("data/logs"))],
        };
        assert_eq!(exposure(&[OpenArea::Temporary]).check(&project), Ok(vec![OpenArea::Temporary]));
        assert!(exposure(&[OpenArea::Repository]).check(&project).is_err());
    }

    #[test]
    fn a_log_directory_of_its_own_is_looked_at_too() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let exposure = Exposure {
            temporary: vec![],
            is_repository_open: false,
            closable: vec![OpenArea::Temporary],
            own: [("data directory", "/elsewhere".into()), ("log directory", dir.path().join("project/logs"))],
        };
        let project = dir.path().canonicalize().expect("it is there").join("project");
        let exposed = exposure.check(&project).expect_err("the logs are in the project");
        assert!(exposed.to_string().contains("the log directory"), "{exposed}");
    }
}
