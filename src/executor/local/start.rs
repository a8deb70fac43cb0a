//! Starts supervisors.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::watch,
    time::timeout,
};

use crate::{
    executor::{LatestHint, StartError, Started},
    supervisor::{Hint, Readiness},
    task::{TaskId, TaskSpec},
};

/// How long a supervisor may take to report whether it has claimed its task. It normally does so at once.
const READY_DEADLINE: Duration = Duration::from_secs(30);

/// How long a supervisor without a task may take to exit, before and after it is killed.
const EXIT_DEADLINE: Duration = Duration::from_secs(2);

/// The supervisors that this process started, as its children. Each of them starts its own session.
///
/// Holds the write end of each supervisor's stdin, its lifeline. When this process ends in any way, the kernel closes
/// it.
#[derive(Debug)]
pub(super) struct Supervisors {
    program: PathBuf,
    data_dir: PathBuf,
    log_dir: PathBuf,
    children: Arc<Mutex<HashMap<TaskId, Supervised>>>,
}

#[derive(Debug)]
struct Supervised {
    _lifeline: ChildStdin,
    hints: watch::Receiver<LatestHint>,
}

impl Supervisors {
    /// Runs `program` as supervisor; by default, this program.
    pub(super) fn new(program: Option<PathBuf>, data_dir: &Path, log_dir: &Path) -> Self {
        let program = program.unwrap_or_else(this_program);
        Self { program, data_dir: data_dir.to_owned(), log_dir: log_dir.to_owned(), children: Arc::default() }
    }

    fn spawn(&self, id: &TaskId) -> Result<Child, StartError> {
        let mut command = Command::new(&self.program);
        command.arg0("codex-connector");
        command.arg("supervise").arg(id.as_str());
        command.arg("--data-dir").arg(&self.data_dir).arg("--log-dir").arg(&self.log_dir);
        // It must not inherit our stderr: our parent may wait until every process that has it open is gone.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).current_dir("/");
        let program = || self.program.display().to_string();
        command.spawn().map_err(|error| StartError::NotStarted { program: program(), error })
    }

    /// Starts a supervisor for this task, and waits until it reports whether the task exists.
    pub(super) async fn start(&self, spec: &TaskSpec) -> Result<Started, StartError> {
        let mut child = self.spawn(&spec.id)?;
        let mut lifeline = child.stdin.take().expect("stdin is piped");
        let mut parsed = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let mut line = serde_json::to_vec(spec).expect("a spec has only string keys");
        line.push(b'\n');
        let readiness = timeout(READY_DEADLINE, async {
            // Writing fails if the supervisor exits before it has read its spec. It may still report the reason.
            let _ = lifeline.write_all(&line).await;
            parsed.next_line().await.ok().flatten().and_then(|line| serde_json::from_str(&line).ok())
        });
        match readiness.await {
            Ok(Some(Readiness::Ready)) => {
                let (sender, hints) = watch::channel(LatestHint::default());
                locked(&self.children).insert(spec.id.clone(), Supervised { _lifeline: lifeline, hints });
                tokio::spawn(watch_supervisor(child, parsed, sender, spec.id.clone(), Arc::clone(&self.children)));
                Ok(Started::Task)
            }
            Ok(Some(Readiness::InUse)) => {
                dismiss(child).await;
                Ok(Started::IdInUse)
            }
            Ok(Some(Readiness::Refused(problem))) => {
                dismiss(child).await;
                Err(StartError::Refused(problem))
            }
            Ok(None) | Err(_) => {
                // If it already has the task, the task ends with it, and the next process to look at the task finalizes
                // it.
                let _ = child.start_kill();
                dismiss(child).await;
                Err(StartError::Silent)
            }
        }
    }

    /// The hints of a supervisor that is still running.
    pub(super) fn hints(&self, id: &TaskId) -> Option<watch::Receiver<LatestHint>> {
        locked(&self.children).get(id).map(|supervised| supervised.hints.clone())
    }
}

/// Waits for a supervisor without a task to exit, and kills it if it does not. If it still hangs in the kernel, for
/// example on a dead mount, tokio reaps it later.
async fn dismiss(mut child: Child) {
    if timeout(EXIT_DEADLINE, child.wait()).await.is_err() {
        let _ = child.start_kill();
        let _ = timeout(EXIT_DEADLINE, child.wait()).await;
    }
}

/// Forwards a supervisor's hints until it is gone, and reaps it.
async fn watch_supervisor(
    mut child: Child,
    mut parsed: Lines<BufReader<ChildStdout>>,
    hints: watch::Sender<LatestHint>,
    id: TaskId,
    children: Arc<Mutex<HashMap<TaskId, Supervised>>>,
) {
    while let Ok(Some(line)) = parsed.next_line().await {
        match serde_json::from_str(&line) {
            Ok(Hint::Timeline(newest)) => hints.send_modify(|hints| hints.newest = newest),
            Ok(Hint::Ended) => {
                hints.send_modify(|hints| hints.has_ended = true);
                break;
            }
            // The supervisor drops a line, or a part of it, that does not fit into the pipe.
            Err(error) => tracing::debug!(%error, task = %id, "a hint was lost"),
        }
    }
    // A supervisor that was killed holds its lease until its process is completely gone.
    let _ = child.wait().await;
    hints.send_modify(|hints| hints.has_ended = true);
    locked(&children).remove(&id);
}

/// Locks the map even if a thread has panicked while it held the lock: no statement leaves the map inconsistent.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// This program. On Linux, `/proc/self/exe` is used, which works even if the file is replaced while the server runs.
fn this_program() -> PathBuf {
    if cfg!(target_os = "linux") {
        PathBuf::from("/proc/self/exe")
    } else {
        std::env::current_exe().unwrap_or_else(|_| PathBuf::from("codex-connector"))
    }
}
