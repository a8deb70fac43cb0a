//! Other tasks that change files in the same work tree.
//!
//! Tasks are compared by the top of their work tree, not by their directory in it. `workspace.parallel`
//! determines what happens to the second one: it runs with a warning, it waits for the others to end, or it gets its own
//! worktree.
//!
//! The files that say who works where are locked by other processes for a moment, or for longer if one of them is
//! suspended. So they are read and written on other threads, and the task can be stopped meanwhile.

use std::{path::PathBuf, sync::Arc, time::Duration};

use connector_api::{Sandbox, Warning};
use tokio::time::sleep;

use super::{
    Task,
    external::ExternalEvents,
    journal::{Journal, Queue},
};
use crate::{
    blocking::{CALLER_PATHS, Lane, PATH_DEADLINE},
    directory::is_repository,
    store::{StoreError, WorkTreeWriter, WorkTrees},
    task::{Parallel, StopCause, TaskId, TreeUse},
};

/// How often to check whether the other tasks have ended.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How long the files of a work tree may take. Longer than they wait for locks.
const FILES_DEADLINE: Duration = Duration::from_secs(15);

/// The threads for these files.
static WORK_TREES: Lane = Lane::new(4);

/// Maximum number of other tasks that a warning names.
const MAX_NAMED: usize = 5;

impl Task {
    /// Waits until it is this task's turn, in its work tree and among all running tasks. Fails with the reason if the
    /// task is stopped first.
    pub(super) async fn wait_for_turn(
        &mut self,
        journal: &mut Journal,
        external: &mut ExternalEvents,
    ) -> Result<(), StopCause> {
        // A task that waits for its work tree must not keep a slot from others.
        let is_queue = self.spec.workspace.parallel == Parallel::Queue;
        if is_queue {
            self.enter(journal, external).await?;
            self.wait_for_others(journal, external).await?;
        }
        self.wait_for_slot(journal, external).await?;
        if !is_queue {
            self.enter(journal, external).await?;
        }
        self.begin_workspace();
        Ok(())
    }

    /// Enters the user's work tree, if the task may change files there, and decides how to treat the other tasks in it.
    /// Fails with the reason if the task is stopped first.
    async fn enter(&mut self, journal: &mut Journal, external: &mut ExternalEvents) -> Result<(), StopCause> {
        let request = &self.spec.request;
        if request.sandbox == Sandbox::ReadOnly || self.spec.workspace.tree == TreeUse::Always {
            return Ok(());
        }
        let directory = request.working_directory.clone();
        let top = move || directory.ancestors().find(|level| is_repository(level)).map(PathBuf::from);
        let Ok(Some(top)) = CALLER_PATHS.run(PATH_DEADLINE, top).await else { return Ok(()) };
        let entered = tokio::select! {
            entered = enter(self.files.work_trees(), top) => entered,
            cause = self.stop_requested(external) => return Err(cause),
        };
        let Some((earlier, writer)) = entered else { return Ok(()) };
        if !earlier.is_empty() {
            match self.spec.workspace.parallel {
                Parallel::Queue => {}
                Parallel::Warn => {
                    journal.warning("SHARED WORK TREE", &beside(&earlier));
                    self.beside = earlier;
                }
                Parallel::Tree => {
                    let entry =
                        format!("WORKTREE: it gets its own, because of {} (workspace.parallel)", names(&earlier));
                    journal.entry(&entry);
                    self.spec.workspace.tree = TreeUse::Always;
                    return Ok(());
                }
            }
        }
        self.writer = Some(writer);
        Ok(())
    }

    /// Waits until no earlier task works in the same work tree.
    async fn wait_for_others(&mut self, journal: &mut Journal, external: &mut ExternalEvents) -> Result<(), StopCause> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let mut has_waited = false;
        let waited = loop {
            let ahead = tokio::select! {
                earlier = earlier(&writer) => earlier.map_or(0, |earlier| earlier.len()),
                cause = self.stop_requested(external) => break Err(cause),
            };
            if ahead == 0 {
                break Ok(());
            }
            if !has_waited {
                has_waited = true;
                set_waits(self.files.work_trees(), true).await;
            }
            journal.queued(ahead, Queue::WorkTree);
            tokio::select! {
                () = sleep(POLL_INTERVAL) => {}
                cause = self.stop_requested(external) => break Err(cause),
            }
        };
        if has_waited {
            set_waits(self.files.work_trees(), false).await;
            if waited.is_ok() {
                journal.begins();
            }
        }
        self.writer = waited.is_ok().then_some(writer);
        waited
    }

    /// The warning that other tasks worked in the same work tree, so that their changes may be among this task's.
    pub(super) fn shared_work_tree(&self) -> Option<Warning> {
        (!self.beside.is_empty()).then(|| Warning {
            message: beside(&self.beside),
            advice: Some("set `workspace.parallel` to \"queue\" or \"tree\" to separate such tasks".to_owned()),
        })
    }
}

/// Enters a work tree, and returns the tasks that are there already. `None` if that is unknown.
async fn enter(work_trees: WorkTrees, top: PathBuf) -> Option<(Vec<TaskId>, Arc<WorkTreeWriter>)> {
    let entered = move || work_trees.enter(&top).and_then(|writer| Ok((writer.earlier()?, Arc::new(writer))));
    on_thread(entered).await
}

/// The tasks that entered the work tree before this one. `None` if they are unknown.
async fn earlier(writer: &Arc<WorkTreeWriter>) -> Option<Vec<TaskId>> {
    let writer = Arc::clone(writer);
    on_thread(move || writer.earlier()).await
}

async fn set_waits(work_trees: WorkTrees, waits: bool) {
    on_thread(move || work_trees.set_waits(waits)).await;
}

/// Does something with the files that say who works where. They only prevent mix-ups: without them, the task runs.
async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T, StoreError> + Send + 'static) -> Option<T> {
    match WORK_TREES.run(FILES_DEADLINE, work).await {
        Ok(Ok(done)) => return Some(done),
        Ok(Err(error)) => tracing::warn!(%error, "other tasks in the same work tree are unknown"),
        Err(error) => tracing::warn!(%error, "other tasks in the same work tree are unknown"),
    }
    None
}

fn beside(others: &[TaskId]) -> String {
    format!("{} worked in the same work tree at the same time, so their changes can overlap", names(others))
}

/// The tasks, as a person would list them.
fn names(others: &[TaskId]) -> String {
    let listed = others.iter().take(MAX_NAMED).map(TaskId::as_str).collect::<Vec<_>>().join(", ");
    let more = if others.len() > MAX_NAMED { ", …" } else { "" };
    let noun = if others.len() == 1 { "task" } else { "tasks" };
    format!("{noun} {listed}{more}")
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, time::Instant};

    use super::*;
    use crate::store::{Claim, Upkeep};

    /// The lock file of the only work tree in a data directory.
    fn lock_file(data: &Path) -> fs::File {
        let work_trees = fs::read_dir(data.join("writers")).expect("a task entered one").flatten();
        let lock = work_trees.map(|entry| entry.path().join("lock")).next().expect("a task entered one");
        fs::File::options().write(true).open(lock).expect("it is writable")
    }

    #[tokio::test]
    async fn a_lock_that_another_process_holds_does_not_block_the_runtime() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let data = dir.path().join("data");
        let upkeep = Upkeep::open(&data, &data.join("logs")).expect("it is writable");
        let claim = || match upkeep.claim(&TaskId::random()) {
            Ok(Claim::Claimed(task)) => task,
            other => panic!("a new ID is free: {other:?}"),
        };
        let (one, two) = (claim(), claim());
        let (_, first) = enter(one.work_trees(), "/a".into()).await.expect("it is writable");
        let (others, second) = enter(two.work_trees(), "/a".into()).await.expect("it is writable");
        assert_eq!(others, [one.id().clone()]);
        let locked = lock_file(&data);
        locked.lock().expect("nobody else has it");
        let begun = Instant::now();
        tokio::select! {
            earlier = earlier(&second) => panic!("the directory is locked: {earlier:?}"),
            () = sleep(Duration::from_millis(50)) => {}
        }
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        drop(locked);
        drop(first);
        assert_eq!(earlier(&second).await, Some(vec![]));
    }
}
