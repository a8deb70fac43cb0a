//! The tasks that a filter selects, from their records.

use crate::{
    store::{
        catalog::{Filter, StoredState},
        entry::{MAX_TEXT_CHARS, row},
        repository::Repositories,
    },
    task::TaskRecord,
};

/// The tasks that a filter selects.
#[derive(Debug)]
pub(super) struct Selection<'a> {
    filter: &'a Filter,
    repositories: Repositories,
}

impl<'a> Selection<'a> {
    pub(super) fn of(filter: &'a Filter) -> Self {
        Self { filter, repositories: Repositories::default() }
    }

    /// Whether the filter selects this task.
    pub(super) fn contains(&mut self, task: &TaskRecord) -> bool {
        let Filter { state, end, .. } = *self.filter;
        if !self.filter.selects_state(StoredState::of(task)) {
            return false;
        }
        // Anything but the state has to be derived from the record first.
        *self.filter == Filter { state, end, ..Filter::default() }
            || self.filter.selects(&row(task, MAX_TEXT_CHARS, &mut self.repositories))
    }
}

/// Whether the task used this session of its agent.
pub(super) fn has_session(task: &TaskRecord, session: &str) -> bool {
    task.progress.session_id.as_ref().is_some_and(|its| its == session)
}
