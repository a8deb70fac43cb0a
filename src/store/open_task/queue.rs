//! The queue: limits the number of tasks that run at the same time, across all servers of a data directory. First come,
//! first served.
//!
//! There is no coordinator. A waiting task has a *ticket* in its run directory, which contains the time when it began
//! to wait. A running task holds a *slot*: a locked file whose number is below the limit. A task takes a slot once more
//! slots are free than tasks are ahead of it. If a process dies, the kernel releases its slot, and also its lease,
//! without which its ticket does not count.

use std::{collections::BTreeSet, fs::TryLockError};

use chrono::{DateTime, Utc};

use super::OpenTask;
use crate::{
    store::{
        atomic::{Durability, replace},
        error::StoreError,
        files,
        lock_file::LockFile,
    },
    task::TaskId,
};

/// The right to run. It ends when this value is dropped.
#[derive(Debug)]
pub struct RunSlot {
    _locked: LockFile,
}

/// The result of asking for a slot.
#[derive(Debug)]
pub enum Admission {
    /// We have a slot.
    Granted(RunSlot),
    /// Other tasks are ahead.
    Waiting {
        /// Number of tasks ahead in the queue.
        ahead: usize,
        /// The first of them, if a slot is free that it has not taken yet.
        not_taken_by: Option<TaskId>,
    },
}

impl OpenTask {
    /// Puts the task at the end of the queue.
    pub fn take_ticket(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        replace(&self.layout.ticket(&self.id), now.timestamp_micros().to_string().as_bytes(), Durability::Volatile)
    }

    /// Takes one of `slots` if it is this task's turn. Tasks in `passed_over` are skipped, because they left a free
    /// slot unused for too long.
    pub fn take_slot(&self, slots: usize, passed_over: &BTreeSet<TaskId>) -> Result<Admission, StoreError> {
        let waiting = self.reader().waiting()?;
        let ahead = waiting.iter().position(|waiting| *waiting == self.id).unwrap_or(0);
        let mut before = waiting[..ahead].iter().filter(|other| !passed_over.contains(*other));
        let first = before.next().cloned();
        let before = usize::from(first.is_some()) + before.count();
        // Tasks far back in the queue need not check the slots. The next `slots` tasks do, in case those ahead leave a
        // free slot unused.
        if before > slots {
            return Ok(Admission::Waiting { ahead, not_taken_by: None });
        }
        let free = self.find_free_slots(slots, before)?;
        match free.lowest {
            Some(slot) if free.count > before => {
                let ticket = self.layout.ticket(&self.id);
                files::remove(&ticket).map_err(StoreError::at("remove", ticket))?;
                Ok(Admission::Granted(RunSlot { _locked: slot }))
            }
            Some(_) | None => Ok(Admission::Waiting { ahead, not_taken_by: first.filter(|_| free.count > 0) }),
        }
    }

    /// Checks the slots from the lowest number up, until more than `before` free ones are found.
    ///
    /// A slot's file is created only when all lower slots are taken. So the number of files is the highest number of
    /// tasks that ever ran at the same time, even if the limit is much higher. Version 2.0.0 creates all files, and
    /// locks the same ones.
    fn find_free_slots(&self, slots: usize, before: usize) -> Result<FreeSlots, StoreError> {
        let root = self.layout.slots();
        files::make_private_dir(&root)?;
        let mut free = FreeSlots { lowest: None, count: 0 };
        for number in 0..slots {
            let path = root.join(number.to_string());
            let is_new = path.symlink_metadata().is_err();
            if is_new && free.lowest.is_some() {
                // Neither this slot nor any above it was ever taken.
                free.count += slots - number;
                break;
            }
            let file = LockFile::from(files::mark(&path)?);
            match file.try_lock() {
                Ok(()) => {
                    free.count += 1;
                    // Keep only the lowest locked; the others are just counted, and unlocked again for other processes.
                    free.lowest.get_or_insert(file);
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(StoreError::at("lock", path)(error)),
            }
            if free.count > before {
                break;
            }
        }
        Ok(free)
    }
}

/// The free slots that were found.
struct FreeSlots {
    /// The lowest one, locked.
    lowest: Option<LockFile>,
    /// Their number; counting stops when there are enough.
    count: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        Upkeep,
        tests::{claimed, upkeep},
    };

    fn wait_in(upkeep: &Upkeep, second: i64) -> OpenTask {
        let task = claimed(upkeep, &TaskId::random());
        task.take_ticket(DateTime::from_timestamp(second, 0).expect("a time")).expect("it is writable");
        task
    }

    fn ask(task: &OpenTask, passed_over: &[&TaskId]) -> Admission {
        let passed_over = passed_over.iter().map(|id| (*id).clone()).collect();
        task.take_slot(1, &passed_over).expect("it is writable")
    }

    fn slot_files(upkeep: &Upkeep) -> usize {
        std::fs::read_dir(upkeep.layout().slots()).expect("it exists").count()
    }

    #[test]
    fn tasks_run_in_the_order_of_their_tickets() {
        let (_dir, upkeep) = upkeep();
        let second = wait_in(&upkeep, 2);
        let first = wait_in(&upkeep, 1);
        let Admission::Waiting { ahead: 1, not_taken_by } = ask(&second, &[]) else { panic!("the second task waits") };
        assert_eq!(not_taken_by.as_ref(), Some(first.id()));
        let Admission::Granted(slot) = ask(&first, &[]) else { panic!("the first task runs") };
        assert!(matches!(ask(&second, &[]), Admission::Waiting { ahead: 0, not_taken_by: None }));
        drop(slot);
        assert!(matches!(ask(&second, &[]), Admission::Granted(_)));
        assert!(upkeep.reader().waiting().expect("it is readable").is_empty());
    }

    #[test]
    fn dead_and_suspended_tasks_do_not_block_the_queue() {
        let (_dir, upkeep) = upkeep();
        let dead = wait_in(&upkeep, 1);
        let stopped = wait_in(&upkeep, 2);
        let third = wait_in(&upkeep, 3);
        drop(dead);
        assert!(matches!(ask(&third, &[]), Admission::Waiting { ahead: 1, .. }));
        assert!(matches!(ask(&third, &[stopped.id()]), Admission::Granted(_)));
    }

    #[test]
    fn a_skipped_task_that_is_gone_does_not_change_the_order() {
        let (_dir, upkeep) = upkeep();
        let stopped = wait_in(&upkeep, 1);
        let second = wait_in(&upkeep, 2);
        let third = wait_in(&upkeep, 3);
        let gone = stopped.id().clone();
        drop(stopped);
        assert!(matches!(ask(&third, &[&gone]), Admission::Waiting { ahead: 1, .. }));
        assert!(matches!(ask(&second, &[&gone]), Admission::Granted(_)));
    }

    #[test]
    fn a_bad_lease_does_not_block_the_queue() {
        let (_dir, upkeep) = upkeep();
        let lease = upkeep.layout().lease(wait_in(&upkeep, 1).id());
        std::fs::remove_file(&lease).and_then(|()| std::fs::create_dir(&lease)).expect("it is writable");
        let second = wait_in(&upkeep, 2);
        assert!(matches!(ask(&second, &[]), Admission::Granted(_)));
    }

    #[test]
    fn the_number_of_running_tasks_is_limited_by_the_slots() {
        let (_dir, upkeep) = upkeep();
        let waiting: Vec<_> = (0..4).map(|second| wait_in(&upkeep, second)).collect();
        let take = |task: &OpenTask| task.take_slot(3, &BTreeSet::new()).expect("it is writable");
        let admissions: Vec<_> = waiting.iter().map(take).collect();
        assert!(admissions[..3].iter().all(|admission| matches!(admission, Admission::Granted(_))), "{admissions:?}");
        assert!(matches!(admissions[3], Admission::Waiting { ahead: 0, not_taken_by: None }));
    }

    #[test]
    fn slot_files_are_created_only_when_needed() {
        let (_dir, upkeep) = upkeep();
        let waiting: Vec<_> = (0..3).map(|second| wait_in(&upkeep, second)).collect();
        let ask = |task: &OpenTask| task.take_slot(100_000, &BTreeSet::new()).expect("it is writable");
        // Even the last task gets a slot, although those ahead have not taken theirs.
        let admissions: Vec<_> = waiting.iter().rev().map(ask).collect();
        assert!(admissions.iter().all(|admission| matches!(admission, Admission::Granted(_))), "{admissions:?}");
        assert_eq!(slot_files(&upkeep), 3);
    }

    #[test]
    fn slots_are_shared_with_version_2_0_0() {
        let (_dir, upkeep) = upkeep();
        // Version 2.0.0 creates the files of all slots, and locks one of them.
        let slots = upkeep.layout().slots();
        std::fs::create_dir_all(&slots).expect("it is writable");
        let old: Vec<_> = (0..2).map(|number| files::mark(&slots.join(number.to_string()))).collect();
        let old: Vec<_> = old.into_iter().map(|file| file.expect("it is writable")).collect();
        old[0].try_lock().expect("the slot is free");
        let first = wait_in(&upkeep, 1);
        let second = wait_in(&upkeep, 2);
        let take = |task: &OpenTask| task.take_slot(2, &BTreeSet::new()).expect("it is writable");
        let _ours = take(&first);
        assert!(matches!(take(&second), Admission::Waiting { ahead: 0, not_taken_by: None }));
        assert!(matches!(old[1].try_lock(), Err(TryLockError::WouldBlock)));
    }
}
