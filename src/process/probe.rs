//! Runs a program to find out what it can do, for example with `--version`.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io,
    path::Path,
    pin::pin,
    process::Stdio,
    thread,
    time::Duration,
};

use connector_api::{ProbeAnswer, ProbeCommand, without_colours};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    task::spawn_blocking,
    time::timeout,
};

use super::{
    TASK_MARKER,
    agent::exit,
    identity_of,
    tree::{self, kill_left_behind},
};
use crate::task::TaskId;

/// How long a program may take to answer.
const PROBE_DEADLINE: Duration = Duration::from_secs(10);

/// Maximum number of bytes that are read from stdout, and from stderr: 1 MiB each.
const MAX_ANSWER_BYTES: u64 = 1 << 20;

/// How long to read output after the program has ended. A process that it started may keep its pipes open.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// Runs `program` with the arguments of `question`, an empty stdin and this environment, and returns its output.
///
/// Fails with [`ProbeError`] if it cannot be started or does not exit within 10 s. Every process that it started is
/// killed, even if the future is dropped. A process that leaves its group, clears its environment and loses its parents
/// is not found.
pub async fn probe(
    program: &Path,
    question: &ProbeCommand,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<ProbeAnswer, ProbeError> {
    run_within(PROBE_DEADLINE, program, question, environment).await
}

/// Like [`probe`], for a command that needs more time, such as one that installs something.
pub async fn run_within(
    deadline: Duration,
    program: &Path,
    question: &ProbeCommand,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<ProbeAnswer, ProbeError> {
    let not_started = |error| ProbeError::NotStarted { program: program.display().to_string(), error };
    let id = TaskId::random();
    let mut child = Command::new(program)
        .args(&question.args)
        .env_clear()
        .envs(environment)
        .env(TASK_MARKER, marker(environment.get(OsStr::new(TASK_MARKER)), &id))
        .current_dir("/")
        .env("PWD", "/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(not_started)?;
    let processes = ProbeProcesses { leader: child.id(), id, are_stopped: false, is_reaped: false };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let status = {
        let pipes = (child.stdout.take(), child.stderr.take());
        let mut reading = pin!(async { tokio::join!(read(pipes.0, &mut stdout), read(pipes.1, &mut stderr)) });
        let mut is_read = false;
        let ended = timeout(deadline, async {
            loop {
                tokio::select! {
                    _ = &mut reading, if !is_read => is_read = true,
                    status = child.wait() => return status,
                }
            }
        });
        let status = ended.await;
        processes.stop(&child).await;
        if status.is_ok() && !is_read {
            let _ = timeout(DRAIN_TIMEOUT, reading).await;
        }
        status
    };
    match status {
        Ok(status) => {
            // Some wrappers print colors even if stdout is not a terminal.
            let text = |bytes: Vec<u8>| without_colours(&String::from_utf8_lossy(&bytes));
            let exit = exit(status.map_err(not_started)?);
            Ok(ProbeAnswer { args: question.args.clone(), exit, stdout: text(stdout), stderr: text(stderr) })
        }
        Err(_) => {
            let words = std::iter::once(program.display().to_string()).chain(question.args.iter().cloned());
            Err(ProbeError::TimedOut { question: words.collect::<Vec<_>>().join(" "), deadline })
        }
    }
}

/// The marker in the environment, if any, extended by an ID.
pub(super) fn marker(tasks: Option<&OsString>, id: &TaskId) -> OsString {
    let mut ids = tasks.filter(|ids| !ids.is_empty()).cloned().unwrap_or_default();
    if !ids.is_empty() {
        ids.push(",");
    }
    ids.push(id.as_str());
    ids
}

/// Everything that a probe started, such as a background update: its process group, and all processes with its marker.
/// They are stopped when the probe has ended, or when this is dropped.
struct ProbeProcesses {
    leader: Option<u32>,
    /// The ID in their marker, like that of a task.
    id: TaskId,
    are_stopped: bool,
    /// Whether the leader was waited for.
    is_reaped: bool,
}

impl ProbeProcesses {
    async fn stop(mut self, child: &Child) {
        self.is_reaped = child.id().is_none();
        self.are_stopped = true;
        self.stop_process_group();
        let id = self.id.clone();
        let _ = spawn_blocking(move || kill_left_behind(&id, None, None)).await;
    }

    /// A PID is not reused as long as a process group has it as its ID. So if the leader was reaped and a process with
    /// its PID exists, then that is another process, and our group has no members.
    fn stop_process_group(&self) {
        let is_ours = |leader: &u32| !self.is_reaped || identity_of(*leader).is_none();
        if let Some(leader) = self.leader.filter(is_ours) {
            tree::kill_leader_group(leader);
        }
    }
}

impl Drop for ProbeProcesses {
    fn drop(&mut self) {
        if !self.are_stopped {
            self.stop_process_group();
            let id = self.id.clone();
            let _ = thread::Builder::new().spawn(move || kill_left_behind(&id, None, None));
        }
    }
}

/// Ignores errors: the bytes read before one are the answer.
async fn read(stream: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    if let Some(stream) = stream {
        let _ = stream.take(MAX_ANSWER_BYTES).read_to_end(into).await;
    }
}

/// The program gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The operating system did not start it.
    #[error("cannot start {program}: {error}")]
    NotStarted {
        /// The program's path.
        program: String,
        /// The reason.
        error: io::Error,
    },
    /// It did not exit in time.
    #[error("`{question}` did not exit within {} s", deadline.as_secs())]
    TimedOut {
        /// The command line.
        question: String,
        /// The time it had.
        deadline: Duration,
    },
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

    use connector_api::Exit;
    use connector_testing::eventually;

    use super::*;

    /// The answer of a shell script to `--version`, and the PIDs that it wrote, one per line.
    async fn asked(script: &str) -> (Result<ProbeAnswer, ProbeError>, Vec<u32>) {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let (program, pids) = (dir.path().join("agent"), dir.path().join("pids"));
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("it is writable");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("the test owns it");
        let environment = [("PATH", "/usr/local/bin:/usr/bin:/bin".as_ref()), ("PIDS", pids.as_os_str())];
        let environment = environment.map(|(name, value)| (name.into(), value.to_owned())).into();
        let answer = probe(&program, &ProbeCommand::new(["--version"]), &environment).await;
        let pids = fs::read_to_string(pids).unwrap_or_default();
        (answer, pids.lines().filter_map(|pid| pid.parse().ok()).collect())
    }

    #[tokio::test]
    async fn processes_started_by_a_probe_are_stopped_after_its_answer() {
        for script in [
            "sleep 300 & echo $! >>$PIDS; echo 1.0.0",
            "sleep 300 >/dev/null 2>&1 & echo $! >>$PIDS; echo 1.0.0",
            "setsid sleep 300 >/dev/null 2>&1 & echo $! >>$PIDS; echo 1.0.0",
            "env -i sleep 300 >/dev/null 2>&1 & echo $! >>$PIDS; echo 1.0.0",
        ] {
            let (answer, pids) = asked(script).await;
            assert_eq!(answer.expect("it answers").bare_version(), Some("1.0.0"), "{script}");
            let [pid] = pids[..] else { panic!("{script}: {pids:?}") };
            // It may remain a zombie until its new parent waits for it.
            eventually("its end", Duration::from_secs(30), || {
                crate::process::stat::stat(pid).is_none_or(|stat| stat.is_zombie).then_some(())
            });
        }
    }

    #[tokio::test]
    async fn colours_are_removed_from_an_answer() {
        let (answer, _) =
            asked("printf '\\033[1mcodex-cli 0.171.0\\033[0m\\r\\n'; printf '\\033[31mno\\033[m' >&2").await;
        let answer = answer.expect("it answers");
        assert_eq!(answer.exit, Exit::Code(0));
        assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("codex-cli 0.171.0\r\n", "no"));
    }
}
