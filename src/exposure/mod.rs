//! Checks whether a sandboxed agent could change files that later servers and tasks trust.
//!
//! Records and run directories determine which processes a later server stops, and a server reports results and logs.
//! The configuration file contains the ceiling. Programs and the agents' own settings determine which code runs outside
//! of the sandbox. An agent that can change any of these can escape from its sandbox, because other processes would act
//! for it. If `workspace-write` leaves a directory open that contains one of them, that directory is closed to the
//! agent. If this is impossible, the task is refused.
//!
//! The whole path to a protected directory is checked, not only its end: an agent that can replace a symbolic link on
//! the path can substitute its own directory. Links inside the data directory are checked too, such as one from `run`
//! to another disk.
//!
//! These checks read the file system, so they block. They know only the open directories that the backend's kind
//! declares, and not those that users open in the agent's own settings.

mod exposed;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
};

use connector_api::{AgentBackend, Launch, OpenArea, PromptDelivery, Sandbox, StopSignal};

use exposed::{Area, ProtectedKind, Reach};

pub use exposed::Exposed;

use crate::{
    agent_environment::environment,
    directory::{Route, is_repository},
    process::find_program,
    store::Reader,
    task::{TrustedFile, TrustedKind},
};

/// Variables that name directories with settings of agents, or of programs that they run. The settings contain hooks,
/// MCP servers and permissions.
const HOME_VARIABLES: [&str; 8] = [
    "CODEX_HOME",
    "CLAUDE_CONFIG_DIR",
    "GEMINI_CLI_HOME",
    "OPENCODE_CONFIG",
    "OPENCODE_CONFIG_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "HOME",
];

/// The open and the protected paths for tasks of one backend.
#[derive(Debug, Clone)]
pub struct Exposure {
    /// The temporary directories that the sandbox leaves open.
    temporary: Vec<PathBuf>,
    is_repository_open: bool,
    /// The areas that the backend can close to the agent.
    closable: Vec<OpenArea>,
    /// The paths that must not be open to the agent.
    protected: Vec<(ProtectedKind, PathBuf)>,
    /// One of [`HOME_VARIABLES`] that has a relative path in the agent's environment, if any.
    relative: Option<(&'static str, PathBuf)>,
}

impl Exposure {
    /// The check to make before `backend` runs a task in `sandbox`, or `None` for `danger-full-access`.
    pub fn of(backend: &dyn AgentBackend, sandbox: Sandbox, store: &Reader, trusted: &[TrustedFile]) -> Option<Self> {
        let exposure = || Self::of_backend(backend, store, trusted);
        match sandbox {
            Sandbox::WorkspaceWrite => Some(exposure()),
            // This sandbox opens no directory, but a relative path still leads into the project.
            Sandbox::ReadOnly => Some(Self { protected: vec![], ..exposure() }),
            Sandbox::DangerFullAccess => None,
        }
    }

    /// The check for any task of `backend` in `workspace-write`.
    pub fn of_backend(backend: &dyn AgentBackend, store: &Reader, trusted: &[TrustedFile]) -> Self {
        let areas = backend.open_areas();
        let is_open = |area| areas.contains(&area);
        let agent_variables = environment(backend.environment(), env::vars_os(), None).0;
        let named = agent_variables.get(OsStr::new("TMPDIR")).map(PathBuf::from);
        // A relative TMPDIR is removed from the agent's environment, unless the user configured it in `set`.
        let is_set = backend.environment().set.contains_key("TMPDIR");
        let named = named.filter(|dir| is_set || dir.is_absolute());
        let temporary = [Some("/tmp".into()), named].into_iter().flatten().filter(|_| is_open(OpenArea::Temporary));
        let protected =
            [(ProtectedKind::Data, store.data_dir().to_owned()), (ProtectedKind::Log, store.log_dir().to_owned())];
        let trusted = trusted.iter().map(|file| (ProtectedKind::Trusted(file.kind), file.path.clone()));
        // Other agents may read the server's own variables.
        let own_variables = env::vars_os().collect();
        let named = homes(&agent_variables).chain(homes(&own_variables)).filter(|(_, home)| home.is_absolute());
        let protected = protected
            .into_iter()
            .chain(trusted)
            .chain(named.map(|(variable, home)| (ProtectedKind::Home(variable), home)));
        Self {
            temporary: temporary.collect(),
            is_repository_open: is_open(OpenArea::Repository),
            closable: areas
                .iter()
                .copied()
                .filter(|area| backend.close_area(*area, empty_launch()).is_some())
                .collect(),
            protected: protected.collect(),
            relative: homes(&agent_variables).find(|(_, home)| home.is_relative()),
        }
    }

    /// Compares the whole path to each protected file or directory with the directories that are open to an agent in
    /// `working_directory`, a real path. Returns the areas that must be closed to the agent.
    ///
    /// Fails with the first protected path that the agent could still write to or replace.
    pub fn check(&self, working_directory: &Path) -> Result<Vec<OpenArea>, Exposed> {
        self.check_from(Some(working_directory))
    }

    /// The same check without a working directory: only areas that are open to every task are compared.
    pub fn check_anywhere(&self) -> Result<Vec<OpenArea>, Exposed> {
        self.check_from(None)
    }

    fn check_from(&self, working: Option<&Path>) -> Result<Vec<OpenArea>, Exposed> {
        let from = working.filter(|_| self.is_repository_open);
        let repository = from.and_then(|from| from.ancestors().find(|dir| is_repository(dir)));
        if let Some((variable, path)) = self.relative.clone() {
            return Err(Exposed { kind: ProtectedKind::Home(variable), path, reach: Reach::Relative });
        }
        let mut to_close = vec![];
        for (kind, path) in self.protected.iter().cloned().chain(self.links()) {
            let route = Route::of(&path);
            let exposed = |reach| Exposed { kind, path: path.clone(), reach };
            let within = |area, root: &Path, end: &Path| {
                let place = route.path_in(end)?;
                let through = (!route.end().starts_with(end)).then(|| place.to_owned());
                Some(exposed(Reach::Within { area, root: root.to_owned(), through }))
            };
            if let Some(working) = working {
                if let Some(exposed) = within(Area::Working, working, working) {
                    return Err(exposed);
                }
                if !matches!(kind, ProtectedKind::Home(_)) && working.starts_with(route.end()) {
                    return Err(exposed(Reach::Around(working.to_owned())));
                }
            }
            let of_temporary = |open: &PathBuf| {
                let open = if open.is_absolute() { open.clone() } else { working?.join(open) };
                within(Area::Temporary, &open, Route::of(&open).end())
            };
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

    /// The symbolic links in the data directory. The store never opens files through links, but it follows links to
    /// directories.
    fn links(&self) -> impl Iterator<Item = (ProtectedKind, PathBuf)> {
        let data = self.protected.iter().filter(|(kind, _)| *kind == ProtectedKind::Data);
        let entries = data.flat_map(|(_, dir)| fs::read_dir(dir).into_iter().flatten().flatten());
        let is_link = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_symlink());
        entries.filter(is_link).map(|entry| (ProtectedKind::Link, entry.path()))
    }
}

/// The files outside the data directory that later servers and tasks trust: the configuration file, `programs` and this
/// program. Programs that are not found are left out.
pub fn trusted_files<'a>(config_file: PathBuf, programs: impl Iterator<Item = &'a str>) -> Vec<TrustedFile> {
    let (path, home) = (env::var_os("PATH"), env::var_os("HOME"));
    let found = programs.filter_map(|program| find_program(program, path.as_deref(), home.as_deref()).ok());
    let programs = found.chain(env::current_exe()).map(|path| TrustedFile { kind: TrustedKind::Program, path });
    std::iter::once(TrustedFile { kind: TrustedKind::Config, path: config_file }).chain(programs).collect()
}

/// The directories that [`HOME_VARIABLES`] name in this environment.
fn homes(variables: &BTreeMap<OsString, OsString>) -> impl Iterator<Item = (&'static str, PathBuf)> {
    let value = |variable: &'static str| variables.get(OsStr::new(variable)).filter(|value| !value.is_empty());
    HOME_VARIABLES.into_iter().filter_map(move |variable| Some((variable, PathBuf::from(value(variable)?))))
}

/// A launch with which to ask a backend whether it can close an area.
fn empty_launch() -> Launch {
    Launch { args: vec![], prompt: PromptDelivery::Stdin, stop_signal: StopSignal::Interrupt }
}
