//! Waiting in line: at most so many tasks run at a time, first come first served, across all servers of a data directory.
//!
//! There is nobody who hands out turns. A task that waits has a *ticket* in its run directory, which tells since when; a
//! task that runs holds a *place*, one of as many locked files as tasks may run. Whoever waits takes a free place when no
//! more tasks are ahead than places are free. The kernel frees the place, and the lease that makes a ticket count, of
//! whoever dies.

use std::fs::{self, File, TryLockError};

use chrono::{DateTime, Utc};

use super::{
    Store, StoreError,
    atomic::{Durability, replace},
    files, if_there,
};
use crate::task::TaskId;

/// The right to run, for as long as this value lives.
#[derive(Debug)]
pub struct Place {
    _locked: File,
}

/// What came of asking for a place.
#[derive(Debug)]
pub enum Turn {
    /// It is ours.
    Now(Place),
    /// Others are first.
    Later {
        /// How many tasks wait that came before.
        ahead: usize,
        /// Whether a place is free, which one of them is about to take.
        is_free: bool,
    },
}

impl Store {
    /// Puts a task, whose lease we hold, at the end of the line.
    pub fn take_ticket(&self, id: &TaskId, now: DateTime<Utc>) -> Result<(), StoreError> {
        replace(&self.layout.ticket(id), now.timestamp_micros().to_string().as_bytes(), Durability::Volatile)
    }

    /// Takes one of `places`, if it is this task's turn. `passed_over` is how many of those ahead are not waited for any
    /// longer, because they did not take a place that was free.
    pub fn take_place(&self, id: &TaskId, places: usize, passed_over: usize) -> Result<Turn, StoreError> {
        let waiting = self.waiting()?;
        let ahead = waiting.iter().position(|waiting| waiting == id).unwrap_or(0);
        let before = ahead.saturating_sub(passed_over);
        // Those far behind need not look; the first of them does, in case those ahead leave a free place alone.
        if before > places {
            return Ok(Turn::Later { ahead, is_free: false });
        }
        let mut free = self.free_places(places)?;
        if free.len() <= before {
            return Ok(Turn::Later { ahead, is_free: !free.is_empty() });
        }
        let ticket = self.layout.ticket(id);
        if_there(fs::remove_file(&ticket)).map_err(StoreError::at("remove", ticket))?;
        Ok(Turn::Now(Place { _locked: free.swap_remove(0) }))
    }

    /// The tasks that wait, those that came first at the front.
    pub fn waiting(&self) -> Result<Vec<TaskId>, StoreError> {
        let mut tickets: Vec<(i64, TaskId)> = Vec::new();
        for id in self.running_ids()? {
            let since = files::read(&self.layout.ticket(&id)).ok().and_then(|ticket| String::from_utf8(ticket).ok());
            // The ticket of one that died counts for nothing.
            if let Some(since) = since.and_then(|since| since.parse().ok())
                && self.is_leased(&id)?
            {
                tickets.push((since, id));
            }
        }
        tickets.sort();
        Ok(tickets.into_iter().map(|(_, id)| id).collect())
    }

    /// The free ones among the first `places`, locked.
    fn free_places(&self, places: usize) -> Result<Vec<File>, StoreError> {
        let root = self.layout.places();
        files::make_private_dir(&root)?;
        let mut free = Vec::new();
        for number in 0..places {
            let path = root.join(number.to_string());
            let file = files::mark(&path)?;
            match file.try_lock() {
                Ok(()) => free.push(file),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(StoreError::at("lock", path)(error)),
            }
        }
        Ok(free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Claim, Lease, tests::store};

    fn wait_in(store: &Store, second: i64) -> (TaskId, Lease) {
        let id = TaskId::random();
        let Ok(Claim::Taken(lease)) = store.claim(&id) else { panic!("a new id is free") };
        store.take_ticket(&id, DateTime::from_timestamp(second, 0).expect("a time")).expect("it is writable");
        (id, lease)
    }

    fn ask(store: &Store, id: &TaskId, passed_over: usize) -> Turn {
        store.take_place(id, 1, passed_over).expect("it is writable")
    }

    #[test]
    fn who_came_first_runs_first_and_the_next_one_when_the_place_is_free() {
        let (_dir, store) = store();
        let (second, _second_lease) = wait_in(&store, 2);
        let (first, _first_lease) = wait_in(&store, 1);
        assert!(matches!(ask(&store, &second, 0), Turn::Later { ahead: 1, is_free: true }));
        let Turn::Now(place) = ask(&store, &first, 0) else { panic!("the first one runs") };
        assert!(matches!(ask(&store, &second, 0), Turn::Later { ahead: 0, is_free: false }));
        drop(place);
        assert!(matches!(ask(&store, &second, 0), Turn::Now(_)));
        assert!(store.waiting().expect("it is readable").is_empty());
    }

    #[test]
    fn nobody_waits_for_one_that_died_and_not_for_ever_for_one_that_is_stopped() {
        let (_dir, store) = store();
        let (_dead, dead_lease) = wait_in(&store, 1);
        let (_stopped, _stopped_lease) = wait_in(&store, 2);
        let (third, _third_lease) = wait_in(&store, 3);
        drop(dead_lease);
        assert!(matches!(ask(&store, &third, 0), Turn::Later { ahead: 1, .. }));
        assert!(matches!(ask(&store, &third, 1), Turn::Now(_)));
    }

    #[test]
    fn as_many_run_as_there_are_places() {
        let (_dir, store) = store();
        let waiting: Vec<_> = (0..4).map(|second| wait_in(&store, second)).collect();
        let turns: Vec<_> = waiting.iter().map(|(id, _)| store.take_place(id, 3, 0).expect("it is writable")).collect();
        assert!(turns[..3].iter().all(|turn| matches!(turn, Turn::Now(_))), "{turns:?}");
        assert!(matches!(turns[3], Turn::Later { ahead: 0, is_free: false }));
    }
}
