//! Writes the end of a task.

use std::time::{Duration, Instant};

use chrono::Utc;
use connector_api::UsageScope;
use tokio::time::sleep;

use super::{Task, ending::RunEnd, join, journal::Journal, redaction, worktree};

/// How long, and how often, a supervisor tries to write the end of its task if writing fails.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(60);
const CLOSE_RETRY_INTERVAL: Duration = Duration::from_secs(1);

impl Task {
    /// Writes the end of the task, in this order: result, log, record, timeline, lease, index, run directory.
    ///
    /// Retries for a while if writing fails, because a full disk may be freed. If the record cannot be written, the
    /// task keeps its run directory, which contains the supervisor's own log.
    pub(super) async fn close(mut self, mut end: RunEnd, mut journal: Journal) {
        redaction::verdict(&self.redactor, &mut end.verdict);
        redaction::warnings(&self.redactor, &mut end.warnings);
        let deadline = Instant::now() + CLOSE_TIMEOUT;
        if let Some(answer) = &end.verdict.answer {
            while let Err(error) = self.files.write_result(answer) {
                journal.stuck(&error);
                if Instant::now() > deadline {
                    break;
                }
                sleep(CLOSE_RETRY_INTERVAL).await;
            }
        }
        journal.count_into(&mut self.record);
        end.write_into(&mut self.record, journal.trouble(), Utc::now(), self.started.elapsed());
        if self.usage_scope == UsageScope::Session
            && self.spec.request.resume.is_some()
            && let Some(end) = &mut self.record.end
        {
            end.count_since(self.spec.session_usage);
        }
        journal.summary(&self.record);
        while let Err(error) = self.files.write_record(&self.record) {
            tracing::error!(%error, "the record could not be written");
            journal.stuck(&error);
            if Instant::now() > deadline {
                return;
            }
            sleep(CLOSE_RETRY_INTERVAL).await;
        }
        // After the record, so that the timeline never contains more than the record.
        journal.ended(&self.record);
        // The task has now ended for every reader. Nobody waits for the rest, which may take longer with a long
        // history; any process that finds the run directory can do it too.
        let released = self.files.release();
        drop((self.slot, self.writer));
        journal.closed();
        if let Some(indexing) = self.indexing.take() {
            indexing.end().await;
        }
        join(self.gathering.take()).await;
        if let Some(group) = self.group.take() {
            group.remove();
        }
        match released.clean_up(&self.record, self.spec.index) {
            Ok(()) => worktree::clean_up(&self.record, &self.spec, &self.data).await,
            Err(error) => tracing::error!(%error, "the run directory could not be removed"),
        }
    }
}
