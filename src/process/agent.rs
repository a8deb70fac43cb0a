//! Starting an agent.

use std::{
    collections::BTreeMap, ffi::OsString, io, os::unix::process::ExitStatusExt, path::PathBuf, process::Stdio,
    sync::Arc,
};

use connector_api::Exit;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::{Cgroup, ProcessTree, identity_of};
use crate::{directory::Directory, task::ProcessIdentity};

/// A command line, ready to run.
#[derive(Debug, Clone)]
pub struct AgentCommand {
    /// An absolute path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Where it runs.
    pub directory: Arc<Directory>,
    /// Its whole environment.
    pub environment: BTreeMap<OsString, OsString>,
    /// What its stdin is.
    pub stdin: StdinKind,
    /// The cgroup for it and all it starts, if there can be one.
    pub group: Option<Cgroup>,
}

/// What an agent's stdin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StdinKind {
    /// Nothing to read.
    Empty,
    /// A pipe that we write to.
    Pipe,
}

/// A running agent, in a process group of its own.
#[derive(Debug)]
pub struct RunningAgent {
    /// Its pid.
    pub pid: u32,
    /// Who it is, beyond its pid; `None` where the operating system does not tell.
    pub identity: Option<ProcessIdentity>,
    /// It and everything it starts. To be [gathered](ProcessTree::move_into_cgroup) in its cgroup.
    pub tree: ProcessTree,
    /// Its process. Its one owner waits for it; dropping it leaves it running.
    pub process: AgentProcess,
    /// What it reads, unless that is nothing.
    pub stdin: Option<ChildStdin>,
    /// What it prints.
    pub stdout: ChildStdout,
    /// What it complains.
    pub stderr: ChildStderr,
}

impl RunningAgent {
    /// Starts the program. Fails with [`SpawnError`] when the operating system does not.
    pub fn spawn(command: &AgentCommand) -> Result<Self, SpawnError> {
        let mut program = Command::new(&command.program);
        program
            .args(&command.args)
            .env_clear()
            .envs(&command.environment)
            .stdin(match command.stdin {
                StdinKind::Empty => Stdio::null(),
                StdinKind::Pipe => Stdio::piped(),
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        // By its descriptor: a path could lead elsewhere by now.
        let mut child = command.directory.with_current_dir(|| program.spawn()).flatten().map_err(SpawnError)?;
        let pid = child.id().expect("a child that was not waited for has a pid");
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        widen(&stdout);
        widen(&stderr);
        Ok(Self {
            pid,
            identity: identity_of(pid),
            tree: ProcessTree::of(pid, command.group.clone()),
            stdin: child.stdin.take(),
            stdout,
            stderr,
            process: AgentProcess(child),
        })
    }
}

/// As much as an agent can print while we are busy: 256 KiB, where Linux has 64 KiB. With more in each read, the two of
/// us wait for each other less.
#[cfg(target_os = "linux")]
const PIPE_BYTES: usize = 256 << 10;

#[cfg(target_os = "linux")]
fn widen(pipe: impl std::os::fd::AsFd) {
    // A user whose pipes hold too much already is refused, and has the usual size.
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE_BYTES);
}

#[cfg(not(target_os = "linux"))]
fn widen(_: impl std::os::fd::AsFd) {}

/// The agent's own process.
#[derive(Debug)]
pub struct AgentProcess(Child);

impl AgentProcess {
    /// Waits for it to end. Can be dropped while it waits, and called again.
    pub async fn wait(&mut self) -> io::Result<Exit> {
        self.0.wait().await.map(exit)
    }
}

/// How a process ended, in the words of the backend contract.
pub(super) fn exit(status: std::process::ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or_default()),
    }
}

/// Why a program was not started.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SpawnError(io::Error);

impl SpawnError {
    /// The operating system's name for the error, such as `ENOENT`.
    pub fn errno(&self) -> String {
        errno_of(&self.0)
    }
}

/// The operating system's name for an error, such as `ENOENT`.
pub fn errno_of(error: &io::Error) -> String {
    use rustix::io::Errno;
    let Some(errno) = error.raw_os_error().map(Errno::from_raw_os_error) else { return "EINVAL".into() };
    match errno {
        Errno::NOENT => "ENOENT".into(),
        Errno::ACCESS => "EACCES".into(),
        Errno::NOEXEC => "ENOEXEC".into(),
        Errno::TOOBIG => "E2BIG".into(),
        Errno::NOMEM => "ENOMEM".into(),
        Errno::AGAIN => "EAGAIN".into(),
        Errno::MFILE => "EMFILE".into(),
        Errno::NFILE => "ENFILE".into(),
        Errno::NOTDIR => "ENOTDIR".into(),
        Errno::ISDIR => "EISDIR".into(),
        Errno::LOOP => "ELOOP".into(),
        Errno::PERM => "EPERM".into(),
        Errno::TXTBSY => "ETXTBSY".into(),
        Errno::INVAL => "EINVAL".into(),
        other => format!("errno {}", other.raw_os_error()),
    }
}
