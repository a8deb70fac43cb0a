//! A shell command that really runs, in its own session, as agents run theirs.

use std::{
    io::{self, Read},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Command, ExitCode, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::process::setsid;

use super::{FakeAgentError, interrupt::Children};

/// The first argument of the role; the second is the command.
pub(crate) const ROLE: &str = "__command";

/// How long output is still read after the command has ended, because a process that it started may hold the pipe
/// open.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(200);

/// Runs `command`. Returns its output, and its exit code as a shell reports it.
pub(crate) fn run(command: &str, children: &Children) -> Result<(String, i64), FakeAgentError> {
    let mut shell = Command::new(std::env::current_exe()?);
    shell.args([ROLE, command]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let (id, stdout) = children.start(&mut shell)?;
    let printed = Arc::new(Mutex::new(Vec::new()));
    let reader = stdout.map(|stdout| {
        let printed = printed.clone();
        thread::spawn(move || read(stdout, &printed))
    });
    let status = children.wait_for(id)?;
    let end = Instant::now() + DRAIN_TIMEOUT;
    while reader.as_ref().is_some_and(|reader| !reader.is_finished()) && Instant::now() < end {
        thread::sleep(Duration::from_millis(2));
    }
    let printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok((String::from_utf8_lossy(&printed).into_owned(), code.into()))
}

/// Runs this program in this role: it becomes a shell.
pub(crate) fn run_role(command: &str) -> Result<ExitCode, FakeAgentError> {
    setsid()?;
    // Stdout and stderr share one pipe, which preserves their order.
    rustix::stdio::dup2_stderr(io::stdout())?;
    Err(Command::new("sh").args(["-c", command]).exec().into())
}

fn read(mut pipe: impl Read, into: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = pipe.read(&mut buffer) {
        into.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..length]);
    }
}
