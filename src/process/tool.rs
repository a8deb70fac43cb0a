//! Runs a tool such as git to its end, with a deadline.
//!
//! Not for agents, and not for programs that may leave processes behind on purpose. Blocks the calling thread.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io::{self, ErrorKind, Read, Write},
    os::{fd::AsFd, unix::process::CommandExt},
    path::Path,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use connector_api::Exit;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::ioctl_fionbio,
};

use super::{TASK_MARKER, agent::exit, probe::marker, tree};
use crate::task::TaskId;

/// How often to look whether the work was cancelled, and whether the tool has ended although its pipes are still open.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// How long to read output after the tool has ended. A process that it started may keep its pipes open.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// How much of the tool's stderr is kept, in bytes.
const MAX_STDERR_BYTES: usize = 64 << 10;

/// When work has to stop: at a point in time, or earlier if it is cancelled.
#[derive(Debug, Clone)]
pub struct Deadline {
    at: Instant,
    is_cancelled: Arc<AtomicBool>,
}

impl Deadline {
    /// Ends after `time`, or as soon as `is_cancelled` becomes true.
    pub fn new(time: Duration, is_cancelled: Arc<AtomicBool>) -> Self {
        Self { at: Instant::now() + time, is_cancelled }
    }

    /// Ends after `time` and cannot be cancelled.
    pub fn after(time: Duration) -> Self {
        Self::new(time, Arc::default())
    }

    /// The remaining time; zero if it is over or the work was cancelled.
    pub fn remaining(&self) -> Duration {
        if self.is_cancelled.load(Ordering::Relaxed) {
            return Duration::ZERO;
        }
        self.at.saturating_duration_since(Instant::now())
    }

    /// Fails if the time is over or the work was cancelled.
    pub fn check(&self) -> Result<(), ToolError> {
        if self.is_cancelled.load(Ordering::Relaxed) {
            Err(ToolError::Cancelled)
        } else if Instant::now() >= self.at {
            Err(ToolError::TimedOut)
        } else {
            Ok(())
        }
    }
}

/// A command line, ready to run.
#[derive(Debug, Clone, Copy)]
pub struct Tool<'a> {
    /// The program's absolute path.
    pub program: &'a Path,
    /// Its arguments.
    pub args: &'a [OsString],
    /// Its current directory.
    pub directory: &'a Path,
    /// Its whole environment; nothing is inherited.
    pub environment: &'a BTreeMap<OsString, OsString>,
    /// The content of its stdin.
    pub stdin: &'a [u8],
    /// The task for which it runs: its ID is in the marker of the tool's processes.
    pub task: Option<&'a TaskId>,
}

/// The end of a tool that was not killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolEnd {
    /// Its exit status.
    pub exit: Exit,
    /// The first 64 KiB of its stderr.
    pub stderr: Vec<u8>,
}

/// The tool did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The operating system did not start it.
    #[error("it could not be started: {0}")]
    NotStarted(#[source] io::Error),
    /// The deadline passed. The tool's processes were killed.
    #[error("it did not finish in time")]
    TimedOut,
    /// The work was cancelled. The tool's processes were killed.
    #[error("it was cancelled")]
    Cancelled,
    /// Its pipes failed, or its output could not be written. The tool's processes were killed.
    #[error("its output could not be passed on: {0}")]
    Output(#[source] io::Error),
}

/// Runs a tool in its own process group, and passes its stdout to `stdout` as it is printed.
///
/// Fails with [`ToolError`] if it cannot be started, exceeds its deadline, is cancelled, or if writing to `stdout` fails.
/// Then its process group, and every process with its marker, is killed.
pub fn run_tool(tool: &Tool<'_>, deadline: &Deadline, stdout: &mut dyn Write) -> Result<ToolEnd, ToolError> {
    deadline.check()?;
    let run = TaskId::random();
    let mut marks = tool.environment.get(OsStr::new(TASK_MARKER)).cloned();
    for id in tool.task.into_iter().chain([&run]) {
        marks = Some(marker(marks.as_ref(), id));
    }
    let mut child = Command::new(tool.program)
        .args(tool.args)
        .env_clear()
        .envs(tool.environment)
        .envs(marks.map(|marks| (TASK_MARKER, marks)))
        .current_dir(tool.directory)
        .stdin(if tool.stdin.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(ToolError::NotStarted)?;
    let ended = Pipes::of(&mut child, tool.stdin).and_then(|pipes| pipes.pump(&mut child, deadline, stdout));
    ended.inspect_err(|_| {
        // The child has not been waited for, so its PID, which is the group's ID, was not reused.
        tree::kill_leader_group(child.id());
        let _ = child.wait();
        tree::kill_left_behind(&run, None, None);
    })
}

/// Kills the tools with this ID in their marker, and everything that they started. They may still run if the process that
/// ran them was killed. Waits up to ten seconds for them to end.
pub fn kill_abandoned_tools(marker: &TaskId) {
    tree::kill_left_behind(marker, None, None);
}

/// Our ends of the tool's pipes; `None` once closed.
struct Pipes<'a> {
    input: &'a [u8],
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

impl<'a> Pipes<'a> {
    fn of(child: &mut Child, input: &'a [u8]) -> Result<Self, ToolError> {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        for pipe in
            [stdin.as_ref().map(AsFd::as_fd), stdout.as_ref().map(AsFd::as_fd), stderr.as_ref().map(AsFd::as_fd)]
        {
            pipe.map_or(Ok(()), |pipe| ioctl_fionbio(pipe, true)).map_err(|error| ToolError::Output(error.into()))?;
        }
        Ok(Self { input, stdin, stdout, stderr })
    }

    /// Passes bytes in both directions until the tool has ended.
    fn pump(mut self, child: &mut Child, deadline: &Deadline, output: &mut dyn Write) -> Result<ToolEnd, ToolError> {
        let mut stderr = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        let mut status: Option<(ExitStatus, Instant)> = None;
        let mut checked = Instant::now();
        while self.stdout.is_some() || self.stderr.is_some() {
            self.wait()?;
            self.write_input()?;
            if let Some(bytes) = read_from(&mut self.stdout, &mut buffer)? {
                output.write_all(bytes).map_err(ToolError::Output)?;
            }
            if let Some(bytes) = read_from(&mut self.stderr, &mut buffer)? {
                let room = MAX_STDERR_BYTES.saturating_sub(stderr.len());
                stderr.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            if checked.elapsed() >= CHECK_INTERVAL {
                checked = Instant::now();
                match status {
                    Some((_, since)) if since.elapsed() > DRAIN_TIMEOUT => break,
                    Some(_) => {}
                    None => {
                        deadline.check()?;
                        status = child.try_wait().map_err(ToolError::Output)?.map(|status| (status, Instant::now()));
                    }
                }
            }
        }
        drop(self);
        let status = match status {
            Some((status, _)) => status,
            None => wait(child, deadline)?,
        };
        Ok(ToolEnd { exit: exit(status), stderr })
    }

    /// Waits until a pipe is ready, at most for [`CHECK_INTERVAL`].
    fn wait(&self) -> Result<(), ToolError> {
        let mut ready = Vec::with_capacity(3);
        ready.extend(self.stdin.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::OUT)));
        ready.extend(self.stdout.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        ready.extend(self.stderr.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        let interval = Timespec { tv_sec: 0, tv_nsec: CHECK_INTERVAL.as_nanos().try_into().unwrap_or(0) };
        match poll(&mut ready, Some(&interval)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(ToolError::Output(error.into())),
        }
    }

    /// Writes as much input as the pipe takes, and closes it after the last byte, or if the tool does not read it.
    fn write_input(&mut self) -> Result<(), ToolError> {
        let Some(pipe) = &mut self.stdin else { return Ok(()) };
        match pipe.write(self.input) {
            Ok(written) => self.input = &self.input[written..],
            Err(error) if is_transient(&error) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => self.input = &[],
            Err(error) => return Err(ToolError::Output(error)),
        }
        if self.input.is_empty() {
            self.stdin = None;
        }
        Ok(())
    }
}

/// Reads the available bytes. Closes the pipe at its end.
fn read_from<'b>(pipe: &mut Option<impl Read>, buffer: &'b mut [u8]) -> Result<Option<&'b [u8]>, ToolError> {
    let Some(open) = pipe else { return Ok(None) };
    match open.read(buffer) {
        Ok(0) => *pipe = None,
        Ok(read) => return Ok(Some(&buffer[..read])),
        Err(error) if is_transient(&error) => {}
        Err(error) => return Err(ToolError::Output(error)),
    }
    Ok(None)
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Waits for a tool that has closed its output. Normally it exits at once.
fn wait(child: &mut Child, deadline: &Deadline) -> Result<ExitStatus, ToolError> {
    let mut pause = Duration::from_micros(20);
    loop {
        if let Some(status) = child.try_wait().map_err(ToolError::Output)? {
            return Ok(status);
        }
        deadline.check()?;
        thread::sleep(pause);
        pause = (pause * 2).min(CHECK_INTERVAL);
    }
}

#[cfg(test)]
#[path = "tool_tests.rs"]
mod tests;
