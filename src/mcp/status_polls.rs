//! Remembers the state of each task when the client last asked for it, so that the next status can begin with the
//! changes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{present::StatusPoll, store::TimelinePosition, task::TaskId};

/// The client's last poll of each recently polled task.
#[derive(Debug, Clone, Default)]
pub(super) struct StatusPolls(Arc<Mutex<HashMap<TaskId, LastPoll>>>);

#[derive(Debug)]
struct LastPoll {
    poll: StatusPoll,
    /// The end of the timeline at that time, if the task has one.
    position: Option<TimelinePosition>,
}

/// Maximum number of tasks to remember. The one that was polled longest ago is forgotten first.
const MAX_TASKS: usize = 200;

impl StatusPolls {
    /// The end of the task's timeline at the last poll.
    pub(super) fn position(&self, id: &TaskId) -> Option<TimelinePosition> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id)?.position
    }

    /// Remembers this poll of a task, and returns the previous one.
    pub(super) fn remember(
        &self,
        id: &TaskId,
        poll: StatusPoll,
        position: Option<TimelinePosition>,
    ) -> Option<StatusPoll> {
        let mut polls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = polls.insert(id.clone(), LastPoll { poll, position });
        if polls.len() > MAX_TASKS {
            let oldest = polls.iter().min_by_key(|(_, last)| last.poll.at).map(|(id, _)| id.clone());
            oldest.and_then(|oldest| polls.remove(&oldest));
        }
        before.map(|before| before.poll)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::task::{Steps, TaskStatus};

    #[test]
    fn each_poll_returns_the_previous_one_and_old_ones_are_forgotten() {
        let polls = StatusPolls::default();
        let poll = |second| StatusPoll {
            at: DateTime::UNIX_EPOCH + TimeDelta::seconds(second),
            status: TaskStatus::Running,
            output: 0,
            last_line: None,
            steps: Steps::default(),
        };
        let id = TaskId::random();
        assert_eq!(polls.remember(&id, poll(1), None), None);
        assert_eq!(polls.remember(&id, poll(2), None), Some(poll(1)));
        for second in 3..=202 {
            assert_eq!(
                polls.remember(&TaskId::parse(&format!("{second:08x}")).expect("valid task ID"), poll(second), None),
                None
            );
        }
        assert_eq!(polls.remember(&id, poll(300), None), None, "the oldest poll is forgotten");
    }
}
