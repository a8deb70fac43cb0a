//! Reports of ends that the broker's callers make: see `store::reports`.
//!
//! An *answer* was asked for, so it is always given. If it is the report of a task's end, nobody announces the end too:
//! its claim is taken before the wait begins, confirmed once the answer is known, and given back if the wait is
//! abandoned. An *announcement* was not asked for, and is made only with a claim.

use std::time::Duration;

use chrono::Utc;
use tokio::{runtime::Handle, time::sleep};

use super::Broker;
use crate::{
    store::{ClaimedReport, Listener, PresentSession, ReportClaim, ReportedBy, Reports, Sessions, StoreError},
    task::{TaskId, TaskRecord},
};

/// How often an announcement tries again while another process holds the claim.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// An answer or announcement that is being prepared. Without a confirmation, the end counts as unreported.
#[derive(Debug)]
pub struct PendingReport {
    broker: Broker,
    id: TaskId,
    by: ReportedBy,
    /// The session that asked; by default, the one that submitted the task.
    session: Option<String>,
    /// `None` if another process has the claim, or the end was reported.
    claim: Option<ReportClaim>,
}

impl PendingReport {
    /// Records that the end was reported. A failure is only logged: then the end is reported again.
    pub async fn confirm(mut self) {
        let (claim, reports, id) = (self.claim.take(), Reports::of(&self.broker.upkeep), self.id.clone());
        let (by, session) = (self.by, self.session.clone());
        let confirm = move |broker: &Broker| {
            let session = session.or_else(|| broker.record(&id).ok()?.start.submitter.session);
            // Another process may have given its claim back.
            let claim = match claim {
                Some(claim) => Some(claim),
                None => claimed(&reports, &id)?,
            };
            claim.map_or(Ok(()), |claim| claim.confirm(by, session.as_deref(), Utc::now()))
        };
        let confirmed = self.broker.on_disk(confirm).await;
        if let Ok(Err(error)) = confirmed {
            tracing::warn!(%error, task = %self.id, "the end of a task may be reported again");
        }
    }
}

impl Drop for PendingReport {
    fn drop(&mut self) {
        // Giving a claim back accesses the disk.
        if let (Some(claim), Ok(runtime)) = (self.claim.take(), Handle::try_current()) {
            runtime.spawn_blocking(move || drop(claim));
        }
    }
}

fn claimed(reports: &Reports, id: &TaskId) -> Result<Option<ReportClaim>, StoreError> {
    match reports.claim(id)? {
        ClaimedReport::Ours(claim) => Ok(Some(claim)),
        ClaimedReport::Theirs | ClaimedReport::Done => Ok(None),
    }
}

impl Broker {
    /// Begins an answer to the client that submitted the task.
    pub async fn answer_to_submitter(&self, id: &TaskId, by: ReportedBy) -> PendingReport {
        let task = id.clone();
        let claim = self.on_disk(move |broker| claimed(&Reports::of(&broker.upkeep), &task)).await;
        let claim = claim.ok().and_then(|claim| {
            claim.inspect_err(|error| tracing::warn!(%error, "the end of a task may be reported twice")).ok()?
        });
        PendingReport { broker: self.clone(), id: id.clone(), by, session: None, claim }
    }

    /// Begins an answer to anyone who asks for a task. Returns `None` if the answer does not count as a report, because
    /// a session must still learn of the task's end.
    pub async fn answer_to(&self, listener: &Listener, id: &TaskId, by: ReportedBy) -> Option<PendingReport> {
        let (task, asking) = (id.clone(), listener.clone());
        let counts = move |broker: &Broker| {
            let record = broker.record(&task).ok()?;
            Some(Sessions::of(&broker.upkeep).is_told_by_answer(&asking, &record))
        };
        let counts = self.on_disk(counts).await.ok().flatten().unwrap_or(false);
        if !counts {
            return None;
        }
        let mut report = self.answer_to_submitter(id, by).await;
        report.session.clone_from(&listener.session);
        Some(report)
    }

    /// Records that an answer to the client that submitted the task shows this record. It may still be running.
    pub async fn answered_submitter(&self, record: &TaskRecord, by: ReportedBy) {
        if record.is_final() {
            self.answer_to_submitter(&record.id, by).await.confirm().await;
        }
    }

    /// The same for an answer to anyone who asked.
    pub async fn answered(&self, listener: &Listener, record: &TaskRecord, by: ReportedBy) {
        if record.is_final()
            && let Some(report) = self.answer_to(listener, &record.id, by).await
        {
            report.confirm().await;
        }
    }

    /// Waits until this process may announce the end of a task. Returns `None` if it was reported.
    pub async fn announce(&self, id: &TaskId, by: ReportedBy) -> Option<PendingReport> {
        loop {
            let task = id.clone();
            let claimed = self.on_disk(move |broker| Reports::of(&broker.upkeep).claim(&task)).await;
            let claim = match claimed {
                Ok(Ok(ClaimedReport::Done)) => return None,
                Ok(Ok(ClaimedReport::Ours(claim))) => Some(claim),
                Ok(Ok(ClaimedReport::Theirs)) => {
                    sleep(RETRY_INTERVAL).await;
                    continue;
                }
                // It is better to announce an end twice than never.
                Ok(Err(_)) | Err(_) => None,
            };
            return Some(PendingReport { broker: self.clone(), id: id.clone(), by, session: None, claim });
        }
    }

    /// Keeps a session in a window present for as long as the returned value exists.
    pub async fn enter_session(&self, session: String, window: Option<String>) -> Option<PresentSession> {
        let entered =
            self.on_disk(move |broker| Sessions::of(&broker.upkeep).enter(&session, window.as_deref())).await.ok()?;
        let failed =
            |error: &StoreError| tracing::warn!(%error, "other sessions may report the ends of this one's tasks");
        entered.inspect_err(failed).ok()?
    }
}
