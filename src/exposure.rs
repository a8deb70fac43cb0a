//! Whether a sandboxed agent could change the files of codex-connector itself.
//!
//! Records and run directories decide which processes a later server stops, and results and logs are what it reports. An
//! agent that can change them is no longer confined to its sandbox: it has others act for it. Where the data or log
//! directory is in a place that `workspace-write` leaves open, that place is closed to the agent; where that is impossible,
//! the task is refused.
//!
//! A directory of ours is where its path leads, so every place that the path passes counts: an agent that can replace a
//! symbolic link on the way can put a directory of its own in the place of ours. The same is true of a link in the data
//! directory, such as one from `run` to another disk.
//!
//! Files are looked at, so this blocks. Only what the kind of the backend says about its sandbox is known here: directories
//! that users open in the agent's own settings are not.

use std::{
    env, fmt, fs,
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
    own: [(Own, PathBuf); 2],
}

/// What belongs to codex-connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Own {
    Data,
    Log,
    /// A symbolic link in the data directory.
    Link,
}

/// How the agent can reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reach {
    /// It contains the working directory.
    Around(PathBuf),
    /// The path of ours is in `root`, or passes `through` a place in it.
    Within { area: Area, root: PathBuf, through: Option<PathBuf> },
}

/// Directories that the sandbox leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Area {
    Working,
    Temporary,
    Repository,
}

/// A directory of codex-connector is open to the agent. `Display` says which, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sandbox `workspace-write` would let the agent change the files of codex-connector: the {which}, {}, {reach}", own.display())]
pub struct Exposed {
    which: Own,
    own: PathBuf,
    reach: Reach,
}

impl Exposed {
    /// How to fix it.
    pub fn next(&self) -> String {
        let which = self.which;
        let set = match which {
            Own::Data => "set `data_dir` in config.toml (or --data-dir) to a directory",
            Own::Log => "set `log_dir` in config.toml (or --set log_dir=DIR) to a directory",
            Own::Link => "replace it with a directory, or with a link to one",
        };
        let fix = match &self.reach {
            Reach::Around(_) => format!("work in a directory outside of the {which}"),
            Reach::Within { area: Area::Working | Area::Repository, root, .. } => format!(
                "work in a directory that does not contain the {which}, such as a single project, or {set} outside of {}",
                root.display()
            ),
            Reach::Within { area: Area::Temporary, root, .. } => format!("{set} outside of {}", root.display()),
        };
        format!("{fix}, or ask for `read-only`")
    }
}

impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "data directory",
            Self::Log => "log directory",
            Self::Link => "link in the data directory",
        })
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Around(working) => write!(f, "contains the working directory, {}", working.display()),
            Self::Within { area, root, through } => {
                match through {
                    Some(place) => write!(f, "is reached through {}, in ", place.display())?,
                    None => f.write_str("is in ")?,
                }
                match area {
                    Area::Working => write!(f, "the working directory, {}", root.display()),
                    Area::Temporary => write!(f, "{}, which this sandbox leaves open", root.display()),
                    Area::Repository => write!(f, "the working directory's repository, {}", root.display()),
                }
            }
        }
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
            own: [(Own::Data, store.data_dir().to_owned()), (Own::Log, store.log_dir().to_owned())],
        }
    }

    /// Compares every place on the way to our directories with the places that are open to the agent, which works in
    /// `working_directory`, a real path. Returns the areas that have to be closed to the agent.
    ///
    /// Fails with the first directory of ours that the agent could write in, or replace, even so.
    pub fn check(&self, working_directory: &Path) -> Result<Vec<OpenArea>, Exposed> {
        self.check_from(Some(working_directory))
    }

    /// The same for a task that works far from our directories: only what is open to every task counts.
    pub fn check_anywhere(&self) -> Result<Vec<OpenArea>, Exposed> {
        self.check_from(None)
    }

    fn check_from(&self, working: Option<&Path>) -> Result<Vec<OpenArea>, Exposed> {
        let from = working.filter(|_| self.is_repository_open);
        let repository = from.and_then(|from| from.ancestors().find(|dir| is_repository(dir)));
        let mut to_close = vec![];
        for (which, own) in self.own.iter().cloned().chain(self.links()) {
            let route = Route::of(&own);
            let exposed = |reach| Exposed { which, own: own.clone(), reach };
            let within = |area, root: &Path, end: &Path| {
                let place = route.place_in(end)?;
                let through = (!route.end().starts_with(end)).then(|| place.to_owned());
                Some(exposed(Reach::Within { area, root: root.to_owned(), through }))
            };
            if let Some(working) = working {
                if let Some(exposed) = within(Area::Working, working, working) {
                    return Err(exposed);
                }
                if working.starts_with(route.end()) {
                    return Err(exposed(Reach::Around(working.to_owned())));
                }
            }
            let of_temporary = |open: &PathBuf| within(Area::Temporary, open, Route::of(open).end());
            let open = [
                self.temporary.iter().find_map(of_temporary).map(|exposed| (OpenArea::Temporary, exposed)),
                repository
                    .and_then(|root| within(Area::Repository, root, root))
                    .map(|exposed| (OpenArea::Repository, exposed)),
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

    /// The symbolic links in the data directory. Our files are never opened through one, but directories are.
    fn links(&self) -> impl Iterator<Item = (Own, PathBuf)> {
        let data = self.own.iter().filter(|(which, _)| *which == Own::Data);
        let entries = data.flat_map(|(_, dir)| fs::read_dir(dir).into_iter().flatten().flatten());
        let is_link = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_symlink());
        entries.filter(is_link).map(|entry| (Own::Link, entry.path()))
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
        for sub in [
            "project/sub/.cc",
            "project/.git",
            ".git",
            "home/.codex-connector/logs",
            "home/x",
            "tmp/data",
            "project-2",
            "linked",
            "split",
        ] {
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
            ("linked/run", "project/sub"),
            ("split/run", "home/x"),
        ] {
            symlink(root.join(target), root.join(link)).expect("it is writable");
        }
        let exposure = Exposure {
            temporary: temporary.iter().map(|sub| root.join(sub)).collect(),
            is_repository_open,
            closable: vec![],
            own: [(Own::Data, root.join(data)), (Own::Log, root.join(data).join("logs"))],
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
            ("project", "linked", &[], false, "linked/run, is in the working directory"),
            ("home", "linked", &["project"], false, "linked/run, is in "),
        ] {
            let said = said(working, data, temporary, is_repository_open);
            assert!(said.as_ref().is_some_and(|said| said.contains(word)), "{working} {data}: {said:?}");
        }
    }

    #[test]
    fn our_files_are_safe_everywhere_else() {
        for (working, data, temporary, is_repository_open) in [
            ("project", "home/.codex-connector", &["tmp"][..], true),
            ("project", "project-3", &[], true),
            ("project/sub", "project/data", &[], false),
            ("home/x", "home/.codex-connector", &["nowhere"], true),
            ("project", "tmp/data", &[], true),
            ("project", "safe", &["tmp"], true),
            ("project", "split", &["tmp"], true),
            ("project", "tmp/state", &[], true),
            ("project/sub", "project/state", &[], false),
        ] {
            assert_eq!(said(working, data, temporary, is_repository_open), None, "{working} {data}");
        }
    }

    #[test]
    fn the_advice_fits_the_directory_in_which_our_files_are() {
        let exposure = |data: &str| Exposure {
            temporary: vec!["/tmp".into()],
            is_repository_open: false,
            closable: vec![],
            own: [(Own::Data, data.into()), (Own::Log, "/nowhere/logs".into())],
        };
        let next = |data: &str, working: Option<&str>| {
            let exposed = exposure(data).check_from(working.map(Path::new)).expect_err("it is exposed");
            exposed.next()
        };
        let home = next("/nowhere/me/.codex-connector", Some("/nowhere/me"));
        assert!(home.contains("such as a single project") && home.contains("outside of /nowhere/me,"), "{home}");
        assert!(!home.contains("~/.codex-connector"), "that is where it is: {home}");
        let inside = next("/nowhere/me", Some("/nowhere/me/project"));
        assert!(inside.contains("outside of the data directory"), "{inside}");
        let temporary = next("/tmp/data", None);
        assert!(temporary.contains("set `data_dir`") && temporary.contains("outside of /tmp,"), "{temporary}");
        assert_eq!(exposure("/nowhere/me").check_anywhere(), Ok(vec![]));
    }

    #[test]
    fn an_area_that_the_agent_can_close_is_no_reason_to_refuse() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let project = dir.path().canonicalize().expect("it is there").join("project");
        let exposure = |closable: &[OpenArea]| Exposure {
            temporary: vec![dir.path().to_owned()],
            is_repository_open: false,
            closable: closable.to_owned(),
            own: [(Own::Data, dir.path().join("data")), (Own::Log, dir.path().join("data/logs"))],
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
            own: [(Own::Data, "/elsewhere".into()), (Own::Log, dir.path().join("project/logs"))],
        };
        let project = dir.path().canonicalize().expect("it is there").join("project");
        let exposed = exposure.check(&project).expect_err("the logs are in the project");
        assert!(exposed.to_string().contains("the log directory"), "{exposed}");
    }
}
