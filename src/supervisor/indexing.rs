//! Adds a running task to the lists of tasks.
//!
//! Nobody waits for this, because it takes time with a long history, and every reader finds a running task by its run
//! directory. So it begins a moment after the agent was started: while a fast agent works, it would only compete with
//! the agent for the processor and the disk, and a task that has ended by then is added with its end anyway.

use std::time::Duration;

use tokio::{
    sync::oneshot,
    task::{JoinHandle, spawn_blocking},
    time::sleep,
};

use crate::store::StoreError;

/// How long a task must have been running before it is added.
const INDEXING_DELAY: Duration = Duration::from_millis(200);

/// An update of the lists that was scheduled.
pub(super) struct Indexing {
    cancel: oneshot::Sender<()>,
    work: JoinHandle<()>,
}

impl Indexing {
    /// Schedules `update`.
    pub(super) fn schedule(update: impl FnOnce() -> Result<(), StoreError> + Send + 'static) -> Self {
        let (cancel, cancelled) = oneshot::channel();
        let work = tokio::spawn(async move {
            tokio::select! {
                () = sleep(INDEXING_DELAY) => {}
                _ = cancelled => return,
            }
            // If it panicked, that was already logged.
            if let Ok(Err(error)) = spawn_blocking(update).await {
                tracing::error!(%error, "the lists of tasks are outdated");
            }
        });
        Self { cancel, work }
    }

    /// Cancels the update if it has not begun, or else waits for it. A later update cannot be overwritten by this one.
    pub(super) async fn end(self) {
        drop(self.cancel);
        let _ = self.work.await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    };

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_ends_at_once_is_not_added_as_running() {
        let done = Arc::new(AtomicBool::new(false));
        let sets = Arc::clone(&done);
        let indexing = Indexing::schedule(move || {
            sets.store(true, Ordering::SeqCst);
            Ok(())
        });
        tokio::task::yield_now().await;
        indexing.end().await;
        sleep(INDEXING_DELAY * 2).await;
        assert!(!done.load(Ordering::SeqCst));
    }

    #[tokio::test(start_paused = true)]
    async fn an_update_that_has_begun_is_waited_for() {
        let (begun, done) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let (notifies, sets) = (Arc::clone(&begun), Arc::clone(&done));
        let (release, hold) = mpsc::channel();
        let indexing = Indexing::schedule(move || {
            notifies.notify_one();
            hold.recv().expect("the test releases it");
            sets.store(true, Ordering::SeqCst);
            Ok(())
        });
        begun.notified().await;
        let end = tokio::spawn(indexing.end());
        tokio::task::yield_now().await;
        assert!(!end.is_finished());
        release.send(()).expect("the update waits for it");
        end.await.expect("it does not panic");
        assert!(done.load(Ordering::SeqCst));
    }
}
