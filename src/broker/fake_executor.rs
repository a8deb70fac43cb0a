//! An executor without processes, so that tests of the broker's policy take milliseconds.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use chrono::Utc;
use tokio::{sync::watch, time::Instant};

use crate::{
    executor::{Executor, LatestHint, SettleError, Settled, StartError, Started},
    store::{Claim, OpenTask, StoreError, Upkeep},
    task::{EndStatus, FailureReason, IndexLimits, TaskEnd, TaskId, TaskRecord, TaskSpec},
};

const LIMITS: IndexLimits = IndexLimits { entries: 100, text: 100 };

/// When a fake task ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopsWhen {
    /// When it is asked to stop.
    Asked,
    /// When it is forced to stop.
    Forced,
    /// Only when the test calls [`FakeExecutor::end`].
    EndedByTest,
}

/// A call from the broker to the executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExecutorCall {
    Start,
    AskToStop,
    ForceStop,
}

/// Runs tasks by holding their leases.
#[derive(Debug)]
pub(super) struct FakeExecutor {
    data: Upkeep,
    ends: StopsWhen,
    state: Mutex<FakeState>,
}

#[derive(Debug)]
struct FakeState {
    begun: Instant,
    running: BTreeMap<TaskId, (OpenTask, watch::Sender<LatestHint>)>,
    calls: Vec<(ExecutorCall, Duration)>,
    /// How many more IDs are to be reported as in use.
    in_use: usize,
    ids: BTreeSet<TaskId>,
    unsettleable: BTreeSet<TaskId>,
}

impl FakeExecutor {
    pub(super) fn new(data: Upkeep, ends: StopsWhen) -> Self {
        let state = FakeState {
            begun: Instant::now(),
            running: BTreeMap::new(),
            calls: vec![],
            in_use: 0,
            ids: BTreeSet::new(),
            unsettleable: BTreeSet::new(),
        };
        Self { data, ends, state: Mutex::new(state) }
    }

    /// Makes the executor report the next `count` IDs as in use.
    pub(super) fn refuse_ids(&self, count: usize) {
        self.state().in_use = count;
    }

    /// The number of IDs that were tried.
    pub(super) fn ids_tried(&self) -> usize {
        self.state().ids.len()
    }

    /// Makes attempts to finalize the task fail, as if the disk were full.
    pub(super) fn make_unsettleable(&self, id: &TaskId) {
        self.state().unsettleable.insert(id.clone());
    }

    /// All calls, in order.
    pub(super) fn calls(&self) -> Vec<ExecutorCall> {
        self.state().calls.iter().map(|(call, _)| *call).collect()
    }

    /// The time of this call since the executor was created; `None` if it was not called.
    pub(super) fn time_of(&self, wanted: ExecutorCall) -> Option<Duration> {
        self.state().calls.iter().find(|(call, _)| *call == wanted).map(|(_, at)| *at)
    }

    /// Completes the task.
    pub(super) fn end(&self, id: &TaskId) {
        let Some((task, hints)) = self.state().running.remove(id) else { return };
        finalize(task, &self.data, Some((EndStatus::Completed, None))).expect("it is writable");
        hints.send_modify(|hints| hints.has_ended = true);
    }

    /// Behaves as if the task's supervisor was killed.
    pub(super) fn lose(&self, id: &TaskId) {
        let Some((task, hints)) = self.state().running.remove(id) else { return };
        let reader = task.reader();
        drop(task);
        // A process that another test has forked holds the lease too, until it executes its program.
        while reader.is_leased(id).expect("the lease can be read") {
            std::thread::yield_now();
        }
        hints.send_modify(|hints| hints.has_ended = true);
    }

    fn note(&self, call: ExecutorCall) {
        let mut state = self.state();
        let at = state.begun.elapsed();
        state.calls.push((call, at));
    }

    fn state(&self) -> MutexGuard<'_, FakeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Executor for FakeExecutor {
    async fn start(&self, spec: &TaskSpec) -> Result<Started, StartError> {
        self.note(ExecutorCall::Start);
        let mut state = self.state();
        state.ids.insert(spec.id.clone());
        if state.in_use > 0 {
            state.in_use -= 1;
            return Ok(Started::IdInUse);
        }
        let refused = |error: StoreError| StartError::Refused(error.to_string());
        let Claim::Claimed(task) = self.data.claim(&spec.id).map_err(refused)? else { return Ok(Started::IdInUse) };
        let mut record = TaskRecord::new(spec, Utc::now());
        record.progress.pid = Some(1);
        task.write_policy(&spec.policy).and_then(|()| task.write_record(&record)).map_err(refused)?;
        task.index(&record, LIMITS).map_err(refused)?;
        state.running.insert(spec.id.clone(), (task, watch::channel(LatestHint::default()).0));
        Ok(Started::Task)
    }

    fn hints(&self, id: &TaskId) -> Option<watch::Receiver<LatestHint>> {
        self.state().running.get(id).map(|(_, hints)| hints.subscribe())
    }

    async fn settle(&self, id: &TaskId) -> Result<Settled, SettleError> {
        if self.state().unsettleable.contains(id) {
            let full = io::Error::from(io::ErrorKind::StorageFull);
            return Err(StoreError { doing: "write", path: "/full".into(), source: full }.into());
        }
        match self.data.take_over(id)? {
            Some(task) => Ok(finalize(task, &self.data, None)?),
            None => Ok(Settled::Untouched),
        }
    }

    async fn settle_all(&self) -> Result<(), SettleError> {
        for id in self.data.candidates()? {
            self.settle(&id).await?;
        }
        Ok(())
    }

    async fn ask_to_stop(&self, record: &TaskRecord) {
        self.note(ExecutorCall::AskToStop);
        if self.ends == StopsWhen::Asked {
            self.lose(&record.id);
        }
    }

    async fn force_stop(&self, record: &TaskRecord) {
        self.note(ExecutorCall::ForceStop);
        if self.ends != StopsWhen::EndedByTest {
            self.lose(&record.id);
        }
    }
}

/// Ends a running task: as given by `how`, or by the requests in its run directory.
fn finalize(
    task: OpenTask,
    data: &Upkeep,
    how: Option<(EndStatus, Option<FailureReason>)>,
) -> Result<Settled, StoreError> {
    let (reader, id) = (task.reader(), task.id());
    let Some(mut record) = data.reader().record(id)?.filter(|record| !record.is_final()) else {
        task.close()?;
        return Ok(Settled::Untouched);
    };
    let (elapsed, limit) = (Duration::from_secs(1), Duration::from_secs(1));
    let (status, reason) = match how {
        Some(how) => how,
        None if reader.is_cancel_requested(id) => (EndStatus::Failed, Some(FailureReason::Cancelled)),
        None if reader.is_overdue(id) => (EndStatus::Failed, Some(FailureReason::Timeout { elapsed, limit })),
        None => (EndStatus::Interrupted, Some(FailureReason::ServerRestarted)),
    };
    record.end = Some(TaskEnd::new(status, reason, Utc::now(), elapsed));
    task.write_record(&record)?;
    task.index(&record, LIMITS)?;
    task.close()?;
    Ok(Settled::Finalized)
}
