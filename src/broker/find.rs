//! Finds tasks for a person: lists them, and turns what a person types into an ID.

use std::collections::BTreeSet;

use super::{
    Broker, Refusal,
    not_one_task::{MIN_PREFIX, NotOneTask},
};
use crate::{
    store::{EndFilter, Filter},
    task::{
        Page, StateFilter, Summaries, TaskCounts, TaskId, TaskRecord, TaskState, TaskStatus, TaskSummary, TimelineEntry,
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
        self.find_page(filter, None, Page::first(limit)).await
    }

    /// Like [`find`](Self::find), but only tasks that `state` selects as well.
    pub async fn find_in_state(
        &self,
        filter: &Filter,
        state: Option<StateFilter>,
        limit: usize,
    ) -> Result<Summaries, Refusal> {
        self.find_page(filter, state, Page::first(limit)).await
    }

    /// A page of the list of the tasks that both filters select, newest first. `state` replaces the `end` of `filter`.
    /// Finalizes tasks whose supervisor has died.
    pub async fn find_page(
        &self,
        filter: &Filter,
        state: Option<StateFilter>,
        page: Page,
    ) -> Result<Summaries, Refusal> {
        self.settle_running().await?;
        let filter = filter.clone();
        self.on_disk(move |broker| {
            let end = match state {
                None => None,
                Some(StateFilter::State(TaskState::Ended)) => Some(EndFilter::Any),
                Some(StateFilter::Outcome(outcome)) => Some(EndFilter::Outcome(outcome)),
                Some(StateFilter::State(state @ (TaskState::Queued | TaskState::Running))) => {
                    return broker.unfinished_page(&filter, state, page);
                }
            };
            let listing = broker.reader.find_page(&Filter { end: end.or(filter.end), ..filter }, page)?;
            let has_running = listing.records.iter().any(|record| !record.is_final());
            let queued = if has_running { broker.reader.queued()? } else { Vec::new() };
            let queued: BTreeSet<_> = queued.into_iter().collect();
            let tasks = listing.records.into_iter().map(|record| broker.summary_of(record, &queued)).collect();
            Ok(Summaries { tasks, total: listing.total, is_partial: listing.is_partial })
        })
        .await?
    }

    /// A page of the tasks that have not ended and are in this state.
    fn unfinished_page(&self, filter: &Filter, state: TaskState, page: Page) -> Result<Summaries, Refusal> {
        // There are few, so read them all: the catalog does not know which of them are queued.
        let filter = Filter { state: Some(TaskStatus::Running), ..filter.clone() };
        let listing = self.reader.find(&filter, usize::MAX)?;
        let queued: BTreeSet<_> = self.reader.queued()?.into_iter().collect();
        let mut records = listing.records;
        records.retain(|record| state_of(record, &queued) == state);
        let total = records.len();
        let records = records.into_iter().skip(page.skip).take(page.limit);
        let tasks = records.map(|record| self.summary_of(record, &queued)).collect();
        Ok(Summaries { tasks, total, is_partial: listing.is_partial })
    }

    /// The number of tasks that `filter` selects, by state and outcome. Finalizes tasks whose supervisor has died.
    pub async fn counts(&self, filter: &Filter) -> Result<TaskCounts, Refusal> {
        self.settle_running().await?;
        let filter = filter.clone();
        self.on_disk(move |broker| Ok(broker.reader.counts(&filter)?)).await?
    }

    /// The repositories in which tasks were submitted, each with the number of its tasks, most tasks first.
    pub async fn repositories(&self) -> Result<Vec<(String, u64)>, Refusal> {
        self.on_disk(|broker| Ok(broker.reader.repositories()?)).await?
    }

    /// The backends of all tasks, each with the number of its tasks, most tasks first. Not all of them need be configured.
    /// The name is empty if it is unknown.
    pub async fn seen_backends(&self) -> Result<Vec<(String, u64)>, Refusal> {
        self.on_disk(|broker| Ok(broker.reader.seen_backends()?)).await?
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
        let state = state_of(&record, queued);
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

fn state_of(record: &TaskRecord, queued: &BTreeSet<TaskId>) -> TaskState {
    match (record.is_final(), queued.contains(&record.id)) {
        (true, _) => TaskState::Ended,
        (false, true) => TaskState::Queued,
        (false, false) => TaskState::Running,
    }
}

#[cfg(test)]
#[path = "find_tests.rs"]
mod tests;
