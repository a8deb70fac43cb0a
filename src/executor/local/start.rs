//! Starting supervisors.

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

/// A supervisor says at once whether it has its task; only a machine in trouble takes longer.
const READY_DEADLINE: Duration = Duration::from_secs(30);

/// How long a supervisor without a task may take to exit, before and after it is killed.
const EXIT_DEADLINE: Duration = Duration::from_secs(2);

/// The supervisors that this process started, as its children, each in a session of its own.
///
/// Holds the write end of each supervisor's stdin, its lifeline: when this process ends, however it does, the kernel
/// closes it.
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
    /// Starts `program` as supervisor, or without one this very program.
    pub(super) fn new(program: Option<PathBuf>, data_dir: &Path, log_dir: &Path) -> Self {
        let program = program.unwrap_or_else(this_program);
        Self { program, data_dir: data_dir.to_owned(), log_dir: log_dir.to_owned(), children: Arc::default() }
    }

    fn spawn(&self, id: &TaskId) -> Result<Child, StartError> {
        let mut command = Command::new(&self.program);
        command.arg0("codex-connector");
        command.arg("supervise").arg(id.as_str());
        command.arg("--data-dir").arg(&self.data_dir).arg("--log-dir").arg(&self.log_dir);
        // Not our stderr: our parent may wait until every process that has it open is gone.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).current_dir("/");
        let program = || self.program.display().to_string();
        command.spawn().map_err(|error| StartError::NotStarted { program: program(), error })
    }

    /// Starts a supervisor for this task, and returns when the task exists, or does not.
    pub(super) async fn start(&self, spec: &TaskSpec) -> Result<Started, StartError> {
        let mut child = self.spawn(&spec.id)?;
        let mut lifeline = child.stdin.take().expect("stdin is piped");
        let mut parsed = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let mut line = serde_json::to_vec(spec).expect("a spec has only string keys");
        line.push(b'\n');
        let readiness = timeout(READY_DEADLINE, async {
            // A supervisor that ends before it has read its spec says why, or nothing.
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
                // It has no task yet, or the task ends with it, and is finalized by the next one to look at it.
                let _ = child.start_kill();
                dismiss(child).await;
                Err(StartError::Silent)
            }
        }
    }

    /// The hints of one of them that still runs.
    pub(super) fn hints(&self, id: &TaskId) -> Option<watch::Receiver<LatestHint>> {
        locked(&self.children).get(id).map(|supervised| supervised.hints.clone())
    }
}

/// Waits for the exit of a supervisor that has no task, and kills one that does not exit. One that even then hangs in the
/// kernel, on a dead mount for example, is left to tokio, which takes its exit status later.
async fn dismiss(mut child: Child) {
    if timeout(EXIT_DEADLINE, child.wait()).await.is_err() {
        let _ = child.start_kill();
        let _ = timeout(EXIT_DEADLINE, child.wait()).await;
    }
}

/// Passes on what a supervisor tells until it is gone, and takes its exit status.
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
            // A line that did not fit into the pipe was dropped, perhaps in part.
            Err(error) => tracing::debug!(%error, task = %id, "a hint was lost"),
        }
    }
    // One that died holds its lease until it is quite gone.
    let _ = child.wait().await;
    hints.send_modify(|hints| hints.has_ended = true);
    locked(&children).remove(&id);
}

/// A lock that a panic elsewhere cannot take away: the map is whole between any two statements.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// On Linux the running program by its handle, so that an upgrade under a running server is harmless.
fn this_program() -> PathBuf {
    if cfg!(target_os = "linux") {
        PathBuf::from("/proc/self/exe")
    } else {
        std::env::current_exe().unwrap_or_else(|_| PathBuf::from("codex-connector"))
    }
}
