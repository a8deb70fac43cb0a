//! Other tasks that change files in the same work tree.
//!
//! Tasks are compared by the top of their work tree, not by their directory in it. `workspace.parallel`
//! determines what happens to the second one: it runs with a warning, it waits for the others to end, or it gets its own
//! worktree.

use std::{path::PathBuf, time::Duration};

use connector_api::{Sandbox, Warning};
use tokio::time::timeout;

use super::{
    Task,
    external::ExternalEvents,
    journal::{Journal, Queue},
};
use crate::{
    blocking::{CALLER_PATHS, PATH_DEADLINE},
    directory::is_repository,
    store::{StoreError, WorkTreeWriter},
    task::{Parallel, StopCause, TaskId, TreeUse},
};

/// How often to check whether the other tasks have ended.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

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
            self.enter(journal).await;
            self.wait_for_others(journal, external).await?;
        }
        self.wait_for_slot(journal, external).await?;
        if !is_queue {
            self.enter(journal).await;
        }
        self.begin_workspace();
        Ok(())
    }

    /// Enters the user's work tree, if the task may change files there, and decides how to treat the other tasks in it.
    async fn enter(&mut self, journal: &mut Journal) {
        let request = &self.spec.request;
        if request.sandbox == Sandbox::ReadOnly || self.spec.workspace.tree == TreeUse::Always {
            return;
        }
        let directory = request.working_directory.clone();
        let top = move || directory.ancestors().find(|level| is_repository(level)).map(PathBuf::from);
        let Ok(Some(top)) = CALLER_PATHS.run(PATH_DEADLINE, top).await else { return };
        let entered = self.files.enter_work_tree(&top).and_then(|writer| Ok((writer.earlier()?, writer)));
        let (earlier, writer): (Vec<TaskId>, WorkTreeWriter) = match entered {
            Ok(entered) => entered,
            Err(error) => return report(&error),
        };
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
                    return;
                }
            }
        }
        self.writer = Some(writer);
    }

    /// Waits until no earlier task works in the same work tree.
    async fn wait_for_others(&mut self, journal: &mut Journal, external: &mut ExternalEvents) -> Result<(), StopCause> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let mut has_waited = false;
        let waited = loop {
            let ahead = match writer.earlier() {
                Ok(earlier) => earlier.len(),
                Err(error) => {
                    report(&error);
                    0
                }
            };
            if ahead == 0 {
                break Ok(());
            }
            if !has_waited {
                has_waited = true;
                self.files.set_waits_for_tree(true).unwrap_or_else(|error| report(&error));
            }
            journal.queued(ahead, Queue::WorkTree);
            let received = timeout(POLL_INTERVAL, external.next()).await.ok().flatten();
            if let Some(cause) = self.asked_to_stop(received) {
                break Err(cause);
            }
        };
        if has_waited {
            self.files.set_waits_for_tree(false).unwrap_or_else(|error| report(&error));
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

/// The files that say who works where only prevent mix-ups. Without them, the task runs.
fn report(error: &StoreError) {
    tracing::warn!(%error, "other tasks in the same work tree are unknown");
}
