//! What one client was last told of each task, so that the next status can begin with what is new.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{present::Look, store::TimelinePosition, task::TaskId};

/// The last look at each of the tasks that were looked at lately.
#[derive(Debug, Clone, Default)]
pub(super) struct Looks(Arc<Mutex<HashMap<TaskId, Seen>>>);

#[derive(Debug)]
struct Seen {
    look: Look,
    /// The end of the timeline then, if the task has one.
    place: Option<TimelinePosition>,
}

/// Looks at more tasks than these are forgotten, the oldest first.
const REMEMBERED: usize = 200;

impl Looks {
    /// The end of the task's timeline at the last look at it.
    pub(super) fn place(&self, id: &TaskId) -> Option<TimelinePosition> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id)?.place
    }

    /// Remembers this look at a task, and returns the one before.
    pub(super) fn remember(&self, id: &TaskId, look: Look, place: Option<TimelinePosition>) -> Option<Look> {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = looks.insert(id.clone(), Seen { look, place });
        if looks.len() > REMEMBERED {
            let oldest = looks.iter().min_by_key(|(_, seen)| seen.look.at).map(|(id, _)| id.clone());
            oldest.and_then(|oldest| looks.remove(&oldest));
        }
        before.map(|before| before.look)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::task::{Steps, TaskStatus};

    #[test]
    fn each_look_is_told_of_the_one_before_and_old_ones_are_forgotten() {
        let looks = Looks::default();
        let look = |second| Look {
            at: DateTime::UNIX_EPOCH + TimeDelta::seconds(second),
            status: TaskStatus::Running,
            output: 0,
            last_line: None,
            steps: Steps::default(),
        };
        let id = TaskId::random();
        assert_eq!(looks.remember(&id, look(1), None), None);
        assert_eq!(looks.remember(&id, look(2), None), Some(look(1)));
        for second in 3..=202 {
            assert_eq!(
                looks.remember(&TaskId::parse(&format!("{second:08x}")).expect("an id"), look(second), None),
                None
            );
        }
        assert_eq!(looks.remember(&id, look(300), None), None, "it was the oldest");
    }
}
