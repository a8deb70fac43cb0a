//! Runs git in a guarded environment.
//!
//! Bytes go in and come out. There is no shell, no terminal and no prompt, every command has a deadline, and no variable
//! of the caller's environment changes what git does.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    io::{self, Write},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread,
};

use connector_api::{EnvRules, Exit, Sandbox};

use super::{git_error::GitError, git_version::GitVersion, unblocking::Fifos};
use crate::{
    agent_environment::Project,
    process::{Deadline, Tool, ToolError, find_program, run_tool},
    task::{TaskId, Untrusted},
};

/// The maximum size of output that is kept in memory, in bytes: 1 GiB.
const MAX_OUTPUT_BYTES: usize = 1 << 30;

/// Settings that take precedence over every configuration file, so that git runs no other program and does no work in
/// the background.
const GUARDS: [(&str, &str); 13] = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.untrackedCache", "false"),
    ("core.quotePath", "true"),
    ("core.safecrlf", "false"),
    ("core.pager", "cat"),
    ("commit.gpgSign", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("submodule.recurse", "false"),
    // A merge changes only files that a side changed.
    ("merge.directoryRenames", "false"),
    ("advice.detachedHead", "false"),
    ("credential.helper", ""),
];

/// Variables that every command gets.
const VARIABLES: [(&str, &str); 16] = [
    ("LC_ALL", "C"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_LITERAL_PATHSPECS", "1"),
    // No object is fetched: the remote could be a program (`ext::`).
    ("GIT_ALLOW_PROTOCOL", "none"),
    ("GIT_NO_LAZY_FETCH", "1"),
    // A snapshot contains the objects themselves.
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_ASKPASS", "/bin/false"),
    ("GIT_EDITOR", "/bin/false"),
    ("GIT_PAGER", "cat"),
    ("GIT_AUTHOR_NAME", "codex-connector"),
    ("GIT_AUTHOR_EMAIL", "codex-connector@localhost"),
    ("GIT_COMMITTER_NAME", "codex-connector"),
    ("GIT_COMMITTER_EMAIL", "codex-connector@localhost"),
    // A filter in Python must not import a module from the work tree, where git runs it.
    ("PYTHONSAFEPATH", "1"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
];

/// The installed git, and the deadline for the commands that it runs. A clone shares everything.
#[derive(Debug, Clone)]
pub struct Git {
    program: Arc<Path>,
    version: GitVersion,
    environment: Arc<BTreeMap<OsString, OsString>>,
    deadline: Deadline,
    task: Option<TaskId>,
    fifos: Arc<Fifos>,
}

impl Git {
    /// Finds git on `PATH`, without the entries that lead into the project around `directory`, and asks for its version.
    ///
    /// Must be called before an agent starts in the directory. Fails with [`GitError`] if git is not installed or does
    /// not answer.
    pub fn find(directory: &Path, deadline: Deadline) -> Result<Self, GitError> {
        Self::find_with(std::env::vars_os(), directory, deadline)
    }

    /// Like [`find`](Self::find), with these variables as the environment.
    pub(super) fn find_with(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        directory: &Path,
        deadline: Deadline,
    ) -> Result<Self, GitError> {
        Self::locate_with(variables, directory, deadline)?.with_version()
    }

    /// Like [`find`](Self::find), without asking for the version.
    pub(super) fn locate(directory: &Path, deadline: Deadline) -> Result<Self, GitError> {
        Self::locate_with(std::env::vars_os(), directory, deadline)
    }

    fn locate_with(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        directory: &Path,
        deadline: Deadline,
    ) -> Result<Self, GitError> {
        let mut environment: BTreeMap<OsString, OsString> = variables.into_iter().collect();
        // In every sandbox: an agent without one must not choose what runs after it has been stopped.
        if let Some(project) = Project::of(Sandbox::WorkspaceWrite, directory) {
            project.confine(&mut environment, &EnvRules::default());
        }
        environment.retain(|name, _| !name.as_bytes().starts_with(b"GIT_") && name != "LANGUAGE");
        environment.extend(VARIABLES.map(|(name, value)| (name.into(), value.into())));
        environment.insert("GIT_CONFIG_COUNT".into(), GUARDS.len().to_string().into());
        for (number, (key, value)) in GUARDS.into_iter().enumerate() {
            environment.insert(format!("GIT_CONFIG_KEY_{number}").into(), key.into());
            environment.insert(format!("GIT_CONFIG_VALUE_{number}").into(), value.into());
        }
        let path = environment.get(OsStr::new("PATH"));
        let program = find_program("git", path.map(OsString::as_os_str), None).map_err(|_| GitError::NotInstalled)?;
        Ok(Self {
            program: program.into(),
            version: GitVersion(0, 0),
            environment: Arc::new(environment),
            deadline,
            task: None,
            fifos: Arc::default(),
        })
    }

    /// Asks for the version, which is `0.0` before.
    pub(super) fn with_version(&self) -> Result<Self, GitError> {
        let answer = self.command(["version"]).run()?;
        let version = GitVersion::parse(&answer).ok_or(GitError::Unexpected { command: "version".into() })?;
        Ok(Self { version, ..self.clone() })
    }

    /// The same git with another deadline.
    pub fn with_deadline(&self, deadline: Deadline) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// The same git, which works for a task: its processes have the marker of the task.
    pub fn for_task(&self, task: &TaskId) -> Self {
        Self { task: Some(task.clone()), ..self.clone() }
    }

    /// The deadline of its commands.
    pub fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// The FIFOs for which its commands waited.
    pub(super) fn fifos(&self) -> BTreeSet<PathBuf> {
        self.fifos.paths()
    }

    /// Its version.
    pub fn version(&self) -> GitVersion {
        self.version
    }

    /// Fails with [`GitError::TooOld`] if git is older than `needed`.
    pub fn require(&self, needed: GitVersion) -> Result<(), GitError> {
        if self.version >= needed { Ok(()) } else { Err(GitError::TooOld { found: self.version, needed }) }
    }

    /// A variable of its environment, if that is not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// A command with these arguments, the first of which is git's subcommand. It runs in `/`, and reads the user's
    /// configuration.
    pub fn command<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> GitCommand {
        GitCommand {
            git: self.clone(),
            settings: Vec::new(),
            args: args.into_iter().map(Into::into).collect(),
            directory: "/".into(),
            environment: BTreeMap::new(),
            stdin: Vec::new(),
        }
    }
}

/// One command, ready to run.
#[derive(Debug, Clone)]
#[must_use = "nothing happens before `run`, `output` or `stream`"]
pub struct GitCommand {
    git: Git,
    settings: Vec<OsString>,
    args: Vec<OsString>,
    directory: PathBuf,
    environment: BTreeMap<OsString, OsString>,
    stdin: Vec<u8>,
}

impl GitCommand {
    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a setting for this command, given as `key=value`.
    pub fn setting(mut self, setting: impl Into<OsString>) -> Self {
        self.settings.extend(["-c".into(), setting.into()]);
        self
    }

    /// Runs it in this directory.
    pub fn directory(mut self, directory: &Path) -> Self {
        self.directory = directory.to_owned();
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Works in this git directory, and does not search for one.
    pub fn git_dir(self, git_dir: &Path) -> Self {
        self.env("GIT_DIR", git_dir)
    }

    /// Works on the files of this work tree, and runs in its top.
    pub fn work_tree(self, top: &Path) -> Self {
        self.env("GIT_WORK_TREE", top).directory(top)
    }

    /// Uses this index.
    pub fn index(self, index: &Path) -> Self {
        self.env("GIT_INDEX_FILE", index)
    }

    /// Reads neither the system's configuration nor the user's, only that of the git directory.
    pub fn without_user_settings(self) -> Self {
        self.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null")
    }

    /// Passes these bytes to its stdin, which is otherwise empty.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Runs it and returns its stdout. Fails with [`GitError`] unless it exits with code 0.
    pub fn run(self) -> Result<Vec<u8>, GitError> {
        let command = self.name();
        self.output()?.success(&command)
    }

    /// Runs it and returns its output, regardless of its exit code. Fails with [`GitError`] if it does not end by itself,
    /// or prints more than 1 GiB.
    pub fn output(self) -> Result<GitOutput, GitError> {
        let mut stdout = Bounded(Vec::new());
        let (code, stderr) = self.run_into(&mut stdout)?;
        Ok(GitOutput { code, stdout: stdout.0, stderr })
    }

    /// Runs it and passes its stdout to `stdout` as it is printed. Fails with [`GitError`] unless it exits with code 0,
    /// and with [`GitError::Output`] if `stdout` fails.
    pub fn stream(self, stdout: &mut dyn Write) -> Result<(), GitError> {
        let command = self.name();
        let (code, stderr) = self.run_into(stdout)?;
        GitOutput { code, stdout: Vec::new(), stderr }.success(&command).map(drop)
    }

    fn run_into(self, stdout: &mut dyn Write) -> Result<(i32, Vec<u8>), GitError> {
        let command = self.name();
        let mut environment = (*self.git.environment).clone();
        environment.extend(self.environment);
        let args = [self.settings, self.args].concat();
        let tool = Tool {
            program: &self.git.program,
            args: &args,
            directory: &self.directory,
            environment: &environment,
            stdin: &self.stdin,
            task: self.git.task.as_ref(),
        };
        let path = |name: &str| environment.get(OsStr::new(name)).map(PathBuf::from);
        let (git_dir, work_tree) = (path("GIT_DIR"), path("GIT_WORK_TREE"));
        let end = thread::scope(|scope| {
            let (running, finished) = mpsc::channel::<()>();
            if git_dir.is_some() {
                let fifos = &self.git.fifos;
                scope.spawn(move || fifos.unblock(work_tree.as_deref(), git_dir.as_deref(), &finished));
            }
            let end = run_tool(&tool, &self.git.deadline, stdout);
            drop(running);
            end
        });
        let end = end.map_err(|error| match error {
            ToolError::NotStarted(source) => GitError::NotStarted { source },
            ToolError::TimedOut => GitError::TimedOut { command: command.clone() },
            ToolError::Cancelled => GitError::Cancelled,
            ToolError::Output(source) => GitError::Output { command: command.clone(), source },
        })?;
        match end.exit {
            Exit::Code(code) => Ok((code, end.stderr)),
            Exit::Signal(_) => Err(GitError::Failed { command, exit: end.exit, stderr: text(&end.stderr) }),
        }
    }

    /// The subcommand.
    fn name(&self) -> String {
        self.args.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// The output of a command that ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitOutput {
    /// Its exit code.
    pub code: i32,
    /// Its stdout.
    pub stdout: Vec<u8>,
    /// The beginning of its stderr. Untrusted text.
    pub stderr: Vec<u8>,
}

impl GitOutput {
    /// Its stdout if it exited with code 0. `command` is the name of the subcommand, for the error.
    pub fn success(self, command: &str) -> Result<Vec<u8>, GitError> {
        if self.code == 0 {
            return Ok(self.stdout);
        }
        Err(GitError::Failed { command: command.into(), exit: Exit::Code(self.code), stderr: text(&self.stderr) })
    }
}

fn text(bytes: &[u8]) -> Untrusted {
    String::from_utf8_lossy(bytes).trim().to_owned().into()
}

/// Collects output up to [`MAX_OUTPUT_BYTES`].
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT_BYTES {
            return Err(io::Error::other("the output is too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "git_tests.rs"]
mod tests;
