//! What one client was last told of each task, so that the next status can begin with what is new.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};

use crate::{
    broker::{Steps, TaskView},
    store::TimelinePlace,
    task::{TaskId, TaskStatus},
};

/// The last look at each of the tasks that were looked at lately.
#[derive(Debug, Clone, Default)]
pub(super) struct Looks(Arc<Mutex<HashMap<TaskId, Look>>>);

/// What a status told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    /// When.
    pub(super) at: DateTime<Utc>,
    /// The status of the task then.
    pub(super) status: TaskStatus,
    /// Bytes of output until then.
    pub(super) output: u64,
    /// The last line of the log then. Lines begin with the time, so that no two are the same.
    pub(super) last_line: Option<String>,
    /// The end of the timeline then, if the task has one.
    pub(super) place: Option<TimelinePlace>,
    /// The agent's steps since then, as the next status shows them.
    pub(super) steps: Steps,
}

/// Looks at more tasks than these are forgotten, the oldest first.
const REMEMBERED: usize = 200;

impl Look {
    /// What `view` tells at `now`.
    pub(super) fn of(view: &TaskView, now: DateTime<Utc>) -> Self {
        let record = &view.record;
        Self {
            at: now,
            status: record.status(),
            output: record.progress.stdout_bytes + record.progress.stderr_bytes,
            last_line: view.tail.lines.last().cloned(),
            place: None,
            steps: Steps::default(),
        }
    }
}

impl Looks {
    /// The end of the task's timeline at the last look at it.
    pub(super) fn place(&self, id: &TaskId) -> Option<TimelinePlace> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id)?.place
    }

    /// Remembers this look at a task, and returns the one before.
    pub(super) fn remember(&self, id: &TaskId, look: Look) -> Option<Look> {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = looks.insert(id.clone(), look);
        if looks.len() > REMEMBERED {
            let oldest = looks.iter().min_by_key(|(_, look)| look.at).map(|(id, _)| id.clone());
            oldest.and_then(|oldest| looks.remove(&oldest));
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn each_look_is_told_of_the_one_before_and_old_ones_are_forgotten() {
        let looks = Looks::default();
        let look = |second| Look {
            at: DateTime::UNIX_EPOCH + TimeDelta::seconds(second),
            status: TaskStatus::Running,
            output: 0,
            last_line: None,
            place: None,
            steps: Steps::default(),
        };
        let id = TaskId::random();
        assert_eq!(looks.remember(&id, look(1)), None);
        assert_eq!(looks.remember(&id, look(2)), Some(look(1)));
        for second in 3..=202 {
            assert_eq!(looks.remember(&TaskId::parse(&format!("{second:08x}")).expect("an id"), look(second)), None);
        }
        assert_eq!(looks.remember(&id, look(300)), None, "it was the oldest");
    }
}
