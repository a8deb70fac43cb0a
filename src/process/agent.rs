//! Starts an agent.

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
    /// The program's absolute path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its current directory.
    pub directory: Arc<Directory>,
    /// Its whole environment; nothing is inherited.
    pub environment: BTreeMap<OsString, OsString>,
    /// The kind of its stdin.
    pub stdin: StdinKind,
    /// The cgroup for its process tree, if one could be created.
    pub group: Option<Cgroup>,
}

/// The kind of an agent's stdin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StdinKind {
    /// `/dev/null`.
    Empty,
    /// A pipe that we write to.
    Pipe,
}

/// A running agent, in its own process group.
#[derive(Debug)]
pub struct RunningAgent {
    /// Its PID.
    pub pid: u32,
    /// Its identity beyond the PID; `None` if the operating system does not report it.
    pub identity: Option<ProcessIdentity>,
    /// The agent and everything it starts. The caller still has to [move](ProcessTree::move_into_cgroup) it into its
    /// cgroup.
    pub tree: ProcessTree,
    /// The agent's process. The only owner waits for it; if this is dropped, the process keeps running.
    pub process: AgentProcess,
    /// Its stdin, if that is a pipe.
    pub stdin: Option<ChildStdin>,
    /// Its stdout.
    pub stdout: ChildStdout,
    /// Its stderr.
    pub stderr: ChildStderr,
}

impl RunningAgent {
    /// Starts the program. Fails with [`SpawnError`] if the operating system cannot start it.
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
        // By descriptor: a path could lead elsewhere by now.
        let mut child = command.directory.with_current_dir(|| program.spawn()).flatten().map_err(SpawnError)?;
        let pid = child.id().expect("a child that was not waited for has a PID");
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

/// Capacity of the pipes for an agent's output: 256 KiB instead of Linux's default of 64 KiB. With larger pipes, the
/// agent and this process wait for each other less often.
#[cfg(target_os = "linux")]
const PIPE_BYTES: usize = 256 << 10;

#[cfg(target_os = "linux")]
fn widen(pipe: impl std::os::fd::AsFd) {
    // Fails if the user's pipes are too large already. Then the pipe keeps the default size.
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE_BYTES);
}

#[cfg(not(target_os = "linux"))]
fn widen(_: impl std::os::fd::AsFd) {}

/// The agent's own process.
#[derive(Debug)]
pub struct AgentProcess(Child);

impl AgentProcess {
    /// Waits for the process to end. Cancel-safe: it can be dropped and called again.
    pub async fn wait(&mut self) -> io::Result<Exit> {
        self.0.wait().await.map(exit)
    }
}

/// How a process ended, as a type of the backend contract.
pub(super) fn exit(status: std::process::ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or_default()),
    }
}

/// The operating system could not start the program.
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
