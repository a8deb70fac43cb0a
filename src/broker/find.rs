//! Finds tasks for a person: lists them, and turns what a person types into an ID.

use std::collections::BTreeSet;

use super::{
    Broker, Refusal,
    not_one_task::{MIN_PREFIX, NotOneTask},
};
use crate::{
    store::Filter,
    task::{
        Outcome, StateFilter, Summaries, TaskCounts, TaskId, TaskRecord, TaskState, TaskStatus, TaskSummary,
        TimelineEntry,
    },
};

/// Number of tasks that an error lists for an ambiguous prefix.
const MAX_CANDIDATES: usize = 8;

/// A word that may name a task.
#[derive(Debug, Clone, PartialEq, Eq)]
enum TaskWord {
    /// The `N`th row of a list, starting at 1.
    Row(usize),
    /// The beginning of an ID, or all of it.
    Prefix(String),
}

impl TaskWord {
    fn parse(word: &str) -> Result<Self, NotOneTask> {
        if let Some(number) = word.strip_prefix('@') {
            let row = number.parse().ok().filter(|row| *row > 0);
            return row.map(Self::Row).ok_or_else(|| NotOneTask::Malformed(word.to_owned()));
        }
        let prefix = word.to_ascii_lowercase();
        let is_hex = prefix.chars().all(|digit| digit.is_ascii_hexdigit());
        match prefix.len() {
            _ if !is_hex => Err(NotOneTask::Malformed(word.to_owned())),
            0..MIN_PREFIX => Err(NotOneTask::TooShort(word.to_owned())),
            MIN_PREFIX..=8 => Ok(Self::Prefix(prefix)),
            _ => Err(NotOneTask::Malformed(word.to_owned())),
        }
    }
}

impl Broker {
    /// The task that `word` names: a prefix of its ID, or `@N`, the `N`th newest task that `scope` selects.
    pub async fn resolve(&self, word: &str, scope: &Filter) -> Result<TaskId, Refusal> {
        match TaskWord::parse(word).map_err(Refusal::NotOneTask)? {
            TaskWord::Row(row) => {
                let (scope, is_everywhere) = (scope.clone(), scope.repository.is_none());
                let place = self.on_disk(move |broker| broker.reader.at_place(&scope, row)).await??;
                let (word, total) = (word.to_owned(), place.total);
                place.id.ok_or(Refusal::NotOneTask(NotOneTask::BeyondList { word, total, is_everywhere }))
            }
            TaskWord::Prefix(prefix) => {
                // A whole ID also names a task whose files are in another log directory.
                if let Ok(id) = TaskId::parse(&prefix) {
                    return match self.check_exists(&id).await {
                        Ok(()) => Ok(id),
                        Err(Refusal::NoSuchTask(_)) => Err(Refusal::NotOneTask(NotOneTask::Unknown(prefix))),
                        Err(refusal) => Err(refusal),
                    };
                }
                let wanted = prefix.clone();
                let found = self.on_disk(move |broker| broker.reader.with_prefix(&wanted, MAX_CANDIDATES)).await??;
                match <[TaskRecord; 1]>::try_from(found.records) {
                    Ok([only]) => Ok(only.id),
                    Err(newest) if newest.is_empty() => Err(Refusal::NotOneTask(NotOneTask::Unknown(prefix))),
                    Err(newest) => {
                        let newest = newest.into_iter().map(|record| self.clean(record)).collect();
                        Err(Refusal::NotOneTask(NotOneTask::Ambiguous { prefix, newest, total: found.total }))
                    }
                }
            }
        }
    }

    /// The newest tasks that `filter` selects, up to `limit`. Finalizes tasks whose supervisor has died.
    pub async fn find(&self, filter: &Filter, limit: usize) -> Result<Summaries, Refusal> {
        self.settle_running().await?;
        let filter = filter.clone();
        self.on_disk(move |broker| {
            let listing = broker.reader.find(&filter, limit)?;
            let has_running = listing.records.iter().any(|record| !record.is_final());
            let queued = if has_running { broker.reader.queued()? } else { Vec::new() };
            let queued: BTreeSet<_> = queued.into_iter().collect();
            let tasks = listing.records.into_iter().map(|record| broker.summary_of(record, &queued)).collect();
            Ok(Summaries { tasks, total: listing.total, is_partial: listing.is_partial })
        })
        .await?
    }

    /// Like [`find`](Self::find), but only tasks that `state` selects as well.
    pub async fn find_in_state(
        &self,
        filter: &Filter,
        state: Option<StateFilter>,
        limit: usize,
    ) -> Result<Summaries, Refusal> {
        let Some(state) = state else { return self.find(filter, limit).await };
        let status = match state {
            StateFilter::State(TaskState::Queued | TaskState::Running) => Some(TaskStatus::Running),
            StateFilter::State(TaskState::Ended) => None,
            StateFilter::Outcome(Outcome::Completed) => Some(TaskStatus::Completed),
            StateFilter::Outcome(Outcome::Failed | Outcome::Cancelled | Outcome::TimedOut) => Some(TaskStatus::Failed),
            StateFilter::Outcome(Outcome::Interrupted) => Some(TaskStatus::Interrupted),
        };
        let filter = Filter { state: status, ..filter.clone() };
        if matches!(state, StateFilter::Outcome(Outcome::Completed | Outcome::Interrupted)) {
            return self.find(&filter, limit).await;
        }
        // The index does not tell these apart, so read them all.
        let mut found = self.find(&filter, usize::MAX).await?;
        found.tasks.retain(|task| state.selects(task));
        found.total = found.tasks.len();
        found.tasks.truncate(limit);
        Ok(found)
    }

    /// The number of tasks that `filter` selects, by state and outcome.
    pub async fn counts(&self, filter: &Filter) -> Result<TaskCounts, Refusal> {
        let found = self.find(filter, usize::MAX).await?;
        let count = |filter: StateFilter| found.tasks.iter().filter(|task| filter.selects(task)).count() as u64;
        Ok(TaskCounts {
            queued: count(StateFilter::State(TaskState::Queued)),
            running: count(StateFilter::State(TaskState::Running)),
            completed: count(StateFilter::Outcome(Outcome::Completed)),
            failed: count(StateFilter::Outcome(Outcome::Failed)),
            cancelled: count(StateFilter::Outcome(Outcome::Cancelled)),
            timed_out: count(StateFilter::Outcome(Outcome::TimedOut)),
            interrupted: count(StateFilter::Outcome(Outcome::Interrupted)),
        })
    }

    /// One task, as a list shows it. If its supervisor has died, this finalizes the task.
    pub async fn summary(&self, id: &TaskId) -> Result<TaskSummary, Refusal> {
        self.check_exists(id).await?;
        let ended = self.ended_if_possible(id).await;
        let id = id.clone();
        self.on_disk(move |broker| {
            let record = ended.map_or_else(|| broker.record(&id), Ok)?;
            let queued = if record.is_final() { Vec::new() } else { broker.reader.queued()? };
            Ok(broker.summary_of(record, &queued.into_iter().collect()))
        })
        .await?
    }

    /// Several tasks, as a list shows them. Leaves out tasks that do not exist any more. Their number should be small.
    pub async fn summaries(&self, ids: &[TaskId]) -> Result<Vec<TaskSummary>, Refusal> {
        let ids = ids.to_vec();
        self.on_disk(move |broker| {
            let queued: BTreeSet<_> = broker.reader.waiting()?.into_iter().collect();
            let mut tasks = Vec::new();
            for id in &ids {
                tasks.extend(broker.reader.record(id)?.map(|record| broker.summary_of(record, &queued)));
            }
            Ok(tasks)
        })
        .await?
    }

    /// Finalizes the tasks that no process runs any more.
    pub(super) async fn settle_running(&self) -> Result<(), Refusal> {
        let running = self.on_disk(|broker| broker.reader.list(Some(TaskStatus::Running), usize::MAX)).await??;
        for record in running.records {
            self.ended_if_possible(&record.id).await;
        }
        Ok(())
    }

    fn summary_of(&self, mut record: TaskRecord, queued: &BTreeSet<TaskId>) -> TaskSummary {
        let state = match (record.is_final(), queued.contains(&record.id)) {
            (true, _) => TaskState::Ended,
            (false, true) => TaskState::Queued,
            (false, false) => TaskState::Running,
        };
        let (mut step, mut trouble) = (None, None);
        if state != TaskState::Ended {
            step = self.newest_step(&record.id);
            if let Some(live) = self.reader.live(&record.id) {
                live.overlay(&mut record);
                trouble = live.trouble();
            }
        }
        let redactor = self.redactor_for(&record);
        trouble.iter_mut().for_each(|trouble| redactor.redact(trouble.text.raw_mut()));
        TaskSummary { record: self.clean(record), state, step, trouble }
    }

    /// The newest entry of the task's timeline that describes a step.
    fn newest_step(&self, id: &TaskId) -> Option<TimelineEntry> {
        let mut timeline = self.reader.newest_timeline(id);
        let mut newest = None;
        while let Ok(Some(read)) = timeline.read() {
            let step = read.entries.into_iter().rev().find(|entry| entry.event.headline().is_some());
            newest = step.or(newest);
            if !read.has_more {
                break;
            }
        }
        newest
    }

    /// The number of tasks that `filter` selects and that have not ended.
    pub async fn count_unfinished(&self, filter: &Filter) -> Result<usize, Refusal> {
        let filter = Filter { state: Some(TaskStatus::Running), ..filter.clone() };
        self.on_disk(move |broker| Ok(broker.reader.find(&filter, 0)?.total)).await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_prefix_or_the_number_of_a_row() {
        let parse = |word: &str| TaskWord::parse(word).ok();
        assert_eq!(parse("@12"), Some(TaskWord::Row(12)));
        assert_eq!(parse("1a"), Some(TaskWord::Prefix("1a".to_owned())));
        assert_eq!(parse("1A2B3C4D"), Some(TaskWord::Prefix("1a2b3c4d".to_owned())));
        for word in ["", "a", "@", "@0", "@-1", "@x", "1a2b3c4d5", "xy", "../x", "ä1"] {
            assert_eq!(parse(word), None, "{word}");
        }
        assert!(matches!(TaskWord::parse("a"), Err(NotOneTask::TooShort(_))));
    }
}
