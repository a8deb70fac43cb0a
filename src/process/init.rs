//! Being the first process of a container.
//!
//! `docker run -i image codex-connector` makes this program process 1. Every process whose parent is gone becomes a child of
//! that one and stays a zombie until it is waited for. So process 1 runs the server as a child of its own and does nothing
//! but wait: a server that waited for any child would take the exit status of its supervisors.
//!
//! It passes signals on. When the server has ended, supervisors get a moment to finish their records before the kernel kills
//! everything in the container.

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

/// How long what is left may go on once the server has ended. `docker stop` kills everything after 10 seconds.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(8);

/// Runs this program again with the same arguments if it is process 1, and returns its exit code when all is over. `None`
/// when it is not process 1, or could not be run again: then it can go on by itself.
pub fn run_as_init() -> Option<ExitCode> {
    if !getpid().is_init() {
        return None;
    }
    match run() {
        Ok(code) => Some(code),
        Err(error) => {
            tracing::warn!(%error, "ended processes of this container are not cleaned up");
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
            let told = tokio::select! {
                _ = ended.recv() => continue,
                _ = terminate.recv() => Signal::TERM,
                _ = interrupt.recv() => Signal::INT,
                () = sleep_until(rest), if code.is_some() => continue,
            };
            // Once it has ended nobody else has its pid: no new process is started here.
            if code.is_none() {
                let _ = kill_process(server, told);
            }
        }
    })
}

/// Waits for every child that has ended. Returns whether there is none left.
fn reap(mut ended: impl FnMut(Pid, WaitStatus)) -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => ended(pid, status),
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

/// The code of a shell: 128 and the signal for one that a signal ended.
fn exit_code(status: WaitStatus) -> u8 {
    let code = status.exit_status().or(status.terminating_signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

/// Only the server reads and writes: its client has to see when it is gone.
fn close_stdio() {
    if let Ok(nothing) = File::options().read(true).write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&nothing);
        let _ = rustix::stdio::dup2_stdout(&nothing);
    }
}
