//! Waiting in line: at most so many tasks run at a time, first come first served, across all servers of a data directory.
//!
//! There is nobody who hands out turns. A task that waits has a *ticket* in its run directory, which tells since when; a
//! task that runs holds a *place*, a locked file whose number is below the limit. Whoever waits takes a free place when
//! fewer tasks are ahead than places are free. The kernel frees the place, and the lease that makes a ticket count, of
//! whoever dies.

use std::{
    collections::BTreeSet,
    fs::{File, TryLockError},
};

use chrono::{DateTime, Utc};

use super::{
    Store, StoreError,
    atomic::{Durability, replace},
    files,
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
        /// The first of them, if a place is free that it has not taken yet.
        left_alone_by: Option<TaskId>,
    },
}

impl Store {
    /// Puts a task, whose lease we hold, at the end of the line.
    pub fn take_ticket(&self, id: &TaskId, now: DateTime<Utc>) -> Result<(), StoreError> {
        replace(&self.layout.ticket(id), now.timestamp_micros().to_string().as_bytes(), Durability::Volatile)
    }

    /// Takes one of `places`, if it is this task's turn. Those in `passed_over` are not waited for: they left a free place
    /// alone for too long.
    pub fn take_place(&self, id: &TaskId, places: usize, passed_over: &BTreeSet<TaskId>) -> Result<Turn, StoreError> {
        let waiting = self.waiting()?;
        let ahead = waiting.iter().position(|waiting| waiting == id).unwrap_or(0);
        let mut before = waiting[..ahead].iter().filter(|other| !passed_over.contains(*other));
        let first = before.next().cloned();
        let before = usize::from(first.is_some()) + before.count();
        // Those far behind need not look; the first of them does, in case those ahead leave a free place alone.
        if before > places {
            return Ok(Turn::Later { ahead, left_alone_by: None });
        }
        let free = self.free_places(places, before)?;
        match free.lowest {
            Some(place) if free.count > before => {
                let ticket = self.layout.ticket(id);
                files::remove(&ticket).map_err(StoreError::at("remove", ticket))?;
                Ok(Turn::Now(Place { _locked: place }))
            }
            Some(_) | None => Ok(Turn::Later { ahead, left_alone_by: first.filter(|_| free.count > 0) }),
        }
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

    /// Looks at the places from the lowest up, until more than `before` free ones are found.
    ///
    /// The file of a place is made when every lower place is taken. So there are never more files than tasks have run at
    /// the same time, however high the limit is. Version 2.0.0 makes them all, and locks the same ones.
    fn free_places(&self, places: usize, before: usize) -> Result<Free, StoreError> {
        let root = self.layout.places();
        files::make_private_dir(&root)?;
        let mut free = Free { lowest: None, count: 0 };
        for number in 0..places {
            let path = root.join(number.to_string());
            let is_new = path.symlink_metadata().is_err();
            if is_new && free.lowest.is_some() {
                // Neither this one nor those above it were ever taken.
                free.count += places - number;
                break;
            }
            let file = files::mark(&path)?;
            match file.try_lock() {
                Ok(()) => {
                    free.count += 1;
                    // The others are only counted: a locked one looks taken to everyone else.
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

/// The result of looking for free places.
struct Free {
    /// The lowest, locked.
    lowest: Option<File>,
    /// How many there are, or enough of them.
    count: usize,
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

    fn ask(store: &Store, id: &TaskId, passed_over: &[&TaskId]) -> Turn {
        let passed_over = passed_over.iter().map(|id| (*id).clone()).collect();
        store.take_place(id, 1, &passed_over).expect("it is writable")
    }

    fn files_of_places(store: &Store) -> usize {
        std::fs::read_dir(store.layout.places()).expect("it is there").count()
    }

    #[test]
    fn who_came_first_runs_first_and_the_next_one_when_the_place_is_free() {
        let (_dir, store) = store();
        let (second, _second_lease) = wait_in(&store, 2);
        let (first, _first_lease) = wait_in(&store, 1);
        let Turn::Later { ahead: 1, left_alone_by } = ask(&store, &second, &[]) else { panic!("it waits") };
        assert_eq!(left_alone_by, Some(first.clone()));
        let Turn::Now(place) = ask(&store, &first, &[]) else { panic!("the first one runs") };
        assert!(matches!(ask(&store, &second, &[]), Turn::Later { ahead: 0, left_alone_by: None }));
        drop(place);
        assert!(matches!(ask(&store, &second, &[]), Turn::Now(_)));
        assert!(store.waiting().expect("it is readable").is_empty());
    }

    #[test]
    fn nobody_waits_for_one_that_died_and_not_for_ever_for_one_that_is_stopped() {
        let (_dir, store) = store();
        let (_dead, dead_lease) = wait_in(&store, 1);
        let (stopped, _stopped_lease) = wait_in(&store, 2);
        let (third, _third_lease) = wait_in(&store, 3);
        drop(dead_lease);
        assert!(matches!(ask(&store, &third, &[]), Turn::Later { ahead: 1, .. }));
        assert!(matches!(ask(&store, &third, &[&stopped]), Turn::Now(_)));
    }

    #[test]
    fn one_that_was_passed_over_and_has_gone_moves_nobody_ahead_of_another() {
        let (_dir, store) = store();
        let (stopped, stopped_lease) = wait_in(&store, 1);
        let (second, _second_lease) = wait_in(&store, 2);
        let (third, _third_lease) = wait_in(&store, 3);
        drop(stopped_lease);
        assert!(matches!(ask(&store, &third, &[&stopped]), Turn::Later { ahead: 1, .. }));
        assert!(matches!(ask(&store, &second, &[&stopped]), Turn::Now(_)));
    }

    #[test]
    fn one_bad_lease_keeps_nobody_from_its_turn() {
        let (_dir, store) = store();
        let (broken, _) = wait_in(&store, 1);
        let lease = store.layout.lease(&broken);
        std::fs::remove_file(&lease).and_then(|()| std::fs::create_dir(&lease)).expect("it is writable");
        let (second, _second_lease) = wait_in(&store, 2);
        assert!(matches!(ask(&store, &second, &[]), Turn::Now(_)));
    }

    #[test]
    fn as_many_run_as_there_are_places() {
        let (_dir, store) = store();
        let waiting: Vec<_> = (0..4).map(|second| wait_in(&store, second)).collect();
        let take = |id: &TaskId| store.take_place(id, 3, &BTreeSet::new()).expect("it is writable");
        let turns: Vec<_> = waiting.iter().map(|(id, _)| take(id)).collect();
        assert!(turns[..3].iter().all(|turn| matches!(turn, Turn::Now(_))), "{turns:?}");
        assert!(matches!(turns[3], Turn::Later { ahead: 0, left_alone_by: None }));
    }

    #[test]
    fn a_high_limit_makes_no_more_files_than_tasks_run() {
        let (_dir, store) = store();
        let waiting: Vec<_> = (0..3).map(|second| wait_in(&store, second)).collect();
        let ask = |id: &TaskId| store.take_place(id, 100_000, &BTreeSet::new()).expect("it is writable");
        // The last one has its turn although those ahead have not taken theirs.
        let turns: Vec<_> = waiting.iter().rev().map(|(id, _)| ask(id)).collect();
        assert!(turns.iter().all(|turn| matches!(turn, Turn::Now(_))), "{turns:?}");
        assert_eq!(files_of_places(&store), 3);
    }

    #[test]
    fn a_place_that_version_2_0_0_holds_is_taken_and_it_sees_ours() {
        let (_dir, store) = store();
        // It makes the files of all places, and locks one of them.
        std::fs::create_dir_all(store.layout.places()).expect("it is writable");
        let old: Vec<_> = (0..2).map(|number| files::mark(&store.layout.places().join(number.to_string()))).collect();
        let old: Vec<_> = old.into_iter().map(|file| file.expect("it is writable")).collect();
        old[0].try_lock().expect("it is free");
        let (first, _first_lease) = wait_in(&store, 1);
        let (second, _second_lease) = wait_in(&store, 2);
        let take = |id: &TaskId| store.take_place(id, 2, &BTreeSet::new()).expect("it is writable");
        let _ours = take(&first);
        assert!(matches!(take(&second), Turn::Later { ahead: 0, left_alone_by: None }));
        assert!(matches!(old[1].try_lock(), Err(TryLockError::WouldBlock)));
    }
}
