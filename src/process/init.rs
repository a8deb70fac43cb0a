//! Runs as the first process of a container.
//!
//! `docker run -i image codex-connector` makes this program process 1. It becomes the parent of every orphan, and has
//! to wait for each of them; otherwise, they remain as zombies. The server cannot do that itself, because waiting for
//! any child would take the exit statuses of its supervisors. So process 1 runs the server as a child, and only waits
//! and forwards signals.
//!
//! When process 1 exits, the kernel kills everything in the container. So after the server has exited, supervisors get
//! a moment to finish their records.

use std::{
    env,
    fs::File,
    io,
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, wait};
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep_until},
};

/// How long other processes may keep running after the server has exited. `docker stop` kills everything after 10
/// seconds.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(8);

/// If this is process 1, runs this program again with the same arguments as a child, and returns the child's exit code
/// after all processes have ended. Returns `None` if this is not process 1, or if the child could not be started; then
/// the caller continues by itself.
pub fn run_as_init() -> Option<ExitCode> {
    if !getpid().is_init() {
        return None;
    }
    match run() {
        Ok(code) => Some(code),
        Err(error) => {
            tracing::warn!(%error, "cannot run as process 1: zombies in this container will not be reaped");
            None
        }
    }
}

fn run() -> io::Result<ExitCode> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut ended = signal(SignalKind::child())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut arguments = env::args_os();
        let mut command = Command::new("/proc/self/exe");
        command.arg0(arguments.next().unwrap_or_default()).args(arguments);
        let server = Pid::from_child(&command.spawn()?);
        close_stdio();
        let mut code = None;
        let mut rest = Instant::now() + Duration::from_secs(365 * 24 * 3600);
        loop {
            let is_alone = reap(|pid, status| {
                if pid == server {
                    code = Some(exit_code(status));
                    rest = Instant::now() + SHUTDOWN_TIMEOUT;
                }
            });
            if let Some(code) = code.filter(|_| is_alone || Instant::now() >= rest) {
                return Ok(ExitCode::from(code));
            }
            let received = tokio::select! {
                _ = ended.recv() => continue,
                _ = terminate.recv() => Signal::TERM,
                _ = interrupt.recv() => Signal::INT,
                () = sleep_until(rest), if code.is_some() => continue,
            };
            // Its PID cannot have been reused: `code` is set as soon as the server has been waited for.
            if code.is_none() {
                let _ = kill_process(server, received);
            }
        }
    })
}

/// Reaps every child that has ended, and passes its status to `ended`. Returns whether no child is left.
fn reap(mut ended: impl FnMut(Pid, WaitStatus)) -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => ended(pid, status),
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

/// The exit code that a shell would report: 128 plus the signal's number if a signal ended the process.
fn exit_code(status: WaitStatus) -> u8 {
    let code = status.exit_status().or(status.terminating_signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

/// Closes this process's copies of stdin and stdout, so that the client notices when the server has exited.
fn close_stdio() {
    if let Ok(nothing) = File::options().read(true).write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&nothing);
        let _ = rustix::stdio::dup2_stdout(&nothing);
    }
}
