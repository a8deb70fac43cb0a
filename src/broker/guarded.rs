//! Remembers which tasks of other servers this server guards, in bounded memory.

use std::collections::{HashSet, VecDeque};

use crate::task::TaskId;

/// Maximum number of tasks of other servers that are guarded at once, and of those without a limit that are remembered.
const MAX_GUARDED: usize = 1_000;

/// Tasks of other servers that this server has seen.
#[derive(Debug, Default)]
pub(super) struct GuardedTasks {
    /// Tasks whose limits are being enforced.
    guarded: HashSet<TaskId>,
    /// Tasks without a limit, oldest first. Their policies need not be read again.
    unlimited: VecDeque<TaskId>,
}

impl GuardedTasks {
    /// Begins to guard this task. Returns `false` if it is known already or too many tasks are guarded.
    pub(super) fn begin(&mut self, id: &TaskId) -> bool {
        let is_new = !self.unlimited.contains(id) && !self.guarded.contains(id);
        let begins = is_new && self.guarded.len() < MAX_GUARDED;
        if begins {
            self.guarded.insert(id.clone());
        }
        begins
    }

    /// Stops guarding a task that has ended, or for which nothing more can be done.
    pub(super) fn end(&mut self, id: &TaskId) {
        self.guarded.remove(id);
    }

    /// Stops guarding a task that has no limit.
    pub(super) fn leave_alone(&mut self, id: &TaskId) {
        self.end(id);
        if self.unlimited.len() >= MAX_GUARDED {
            self.unlimited.pop_front();
        }
        self.unlimited.push_back(id.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_guarded_once_at_a_time_and_without_a_limit_only_once() {
        let (mut tasks, limited, unlimited) = (GuardedTasks::default(), TaskId::random(), TaskId::random());
        assert!(tasks.begin(&limited) && !tasks.begin(&limited));
        tasks.end(&limited);
        assert!(tasks.begin(&limited), "guarding may have failed, and is tried again");
        assert!(tasks.begin(&unlimited));
        tasks.leave_alone(&unlimited);
        assert!(!tasks.begin(&unlimited), "it is known to have no limit");
    }

    #[test]
    fn guarded_tasks_take_bounded_memory() {
        let mut tasks = GuardedTasks::default();
        for _ in 0..2 * MAX_GUARDED {
            let id = TaskId::random();
            if tasks.begin(&id) {
                tasks.leave_alone(&id);
            }
            tasks.begin(&TaskId::random());
        }
        assert_eq!((tasks.guarded.len(), tasks.unlimited.len() <= MAX_GUARDED), (MAX_GUARDED, true));
    }
}
