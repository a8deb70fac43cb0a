//! Keeps the newest of many tasks.

use std::{cmp::Reverse, collections::BTreeMap};

use chrono::{DateTime, Utc};

use crate::task::{Listing, TaskId, TaskRecord};

/// The order of a listing: newest first; tasks that began at the same time are ordered by ID.
type ListingOrder = (Reverse<DateTime<Utc>>, TaskId);

/// The newest of the tasks that were added, up to a limit, and the number of all of them. Holds no others.
#[derive(Debug)]
pub(super) struct NewestTasks {
    limit: usize,
    kept: BTreeMap<ListingOrder, TaskRecord>,
    total: usize,
}

impl NewestTasks {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, kept: BTreeMap::new(), total: 0 }
    }

    /// Adds a task, which must not have been added before.
    pub(super) fn add(&mut self, task: TaskRecord) {
        self.total += 1;
        self.kept.insert((Reverse(task.start.started_at), task.id.clone()), task);
        if self.kept.len() > self.limit {
            self.kept.pop_last();
        }
    }

    /// The listing. `is_partial` is whether older tasks may be missing.
    pub(super) fn listing(self, is_partial: bool) -> Listing {
        Listing { records: self.kept.into_values().collect(), total: self.total, is_partial, waiting: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{store::tests::record, task::TaskStatus};

    #[test]
    fn only_the_newest_tasks_are_held() {
        let mut newest = NewestTasks::new(3);
        for second in [5, 1, 9, 3, 7, 2, 8] {
            newest.add(record(second, TaskStatus::Completed));
            assert!(newest.kept.len() <= 3);
        }
        let listing = newest.listing(false);
        let seconds: Vec<_> = listing.records.iter().map(|it| it.start.started_at.timestamp() % 100).collect();
        assert_eq!((seconds, listing.total), (vec![9, 8, 7], 7));
    }
}
