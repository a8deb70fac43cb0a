//! A shell command that really runs, in a session of its own, as agents run theirs.

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

/// How long output is read for after the command has ended: something that it started may hold its pipe.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(200);

/// Runs `command` and returns what it printed, and its exit code as a shell has it.
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

/// What this program does in the role: it becomes a shell.
pub(crate) fn run_role(command: &str) -> Result<ExitCode, FakeAgentError> {
    setsid()?;
    // Both in one pipe, in the order in which they come.
    rustix::stdio::dup2_stderr(io::stdout())?;
    Err(Command::new("sh").args(["-c", command]).exec().into())
}

fn read(mut pipe: impl Read, into: &Mutex<Vec<u8>>) {
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = pipe.read(&mut piece) {
        into.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..length]);
    }
}
