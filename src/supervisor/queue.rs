//! Waiting in the queue, if the number of running tasks is limited.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use chrono::Utc;
use tokio::time::timeout;

use super::{
    Task,
    external::ExternalEvents,
    journal::{Journal, Queue},
};
use crate::{
    store::{Admission, StoreError},
    task::{StopCause, TaskId},
};

/// How often the queue is checked.
const QUEUE_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How long a task ahead may leave a free slot unused before it is skipped. Its supervisor may be suspended.
const SKIP_AFTER: Duration = Duration::from_secs(2);

impl Task {
    /// Waits until the task may run. Fails with the reason if it is stopped first.
    ///
    /// If the queue's files cannot be used, the task runs anyway, because the limit only protects the machine from
    /// overload.
    pub(super) async fn wait_for_slot(
        &mut self,
        journal: &mut Journal,
        external: &mut ExternalEvents,
    ) -> Result<(), StopCause> {
        if self.spec.max_running == 0 {
            return Ok(());
        }
        if let Err(error) = self.files.take_ticket(Utc::now()) {
            report_queue_failure(journal, &error);
            return Ok(());
        }
        let (mut passed_over, mut suspect) = (BTreeSet::new(), None::<(TaskId, Instant)>);
        loop {
            match self.files.take_slot(self.spec.max_running, &passed_over) {
                Err(error) => {
                    report_queue_failure(journal, &error);
                    return Ok(());
                }
                Ok(Admission::Granted(slot)) => {
                    self.slot = Some(slot);
                    journal.begins();
                    return Ok(());
                }
                Ok(Admission::Waiting { ahead, not_taken_by }) => {
                    journal.queued(ahead, Queue::MaxRunning(self.spec.max_running));
                    suspect = not_taken_by.map(|other| match suspect.take() {
                        Some((same, since)) if same == other => (same, since),
                        Some(_) | None => (other, Instant::now()),
                    });
                    passed_over
                        .extend(suspect.take_if(|(_, since)| since.elapsed() >= SKIP_AFTER).map(|(other, _)| other));
                }
            }
            let received = timeout(QUEUE_POLL_INTERVAL, external.next()).await.ok().flatten();
            if let Some(cause) = self.asked_to_stop(received) {
                return Err(cause);
            }
        }
    }
}

fn report_queue_failure(journal: &mut Journal, error: &StoreError) {
    journal.warning("NOT QUEUED", &format!("{error}; the task runs at once"));
}
