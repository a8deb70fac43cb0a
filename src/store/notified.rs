//! Which ends of tasks each session has been told of, for `notify`.
//!
//! An end is remembered by its task's id, never by its time: a task's record becomes visible some time after the
//! `completedAt` in it, and clocks are set back. `notified.json` lists the tasks that were seen to have ended, in the order in
//! which they were first seen, and for each session how much of that list it has been told. An end that becomes visible
//! late is appended late, and so it is ahead of every session all the same.
//!
//! A task that is seen running is remembered too: by the time it has ended, so many newer tasks may have begun that the
//! index has no room for it.
//!
//! Version 2.0.0 kept a time for each session in `told.json`. That file is read once, when `notified.json` is made, and never
//! written, so that a 2.0.0 that shares the data directory can go on using it.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs::{self, File},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    aside::set_aside,
    atomic::{Durability, replace},
    error::{StoreError, if_there},
    files,
    layout::{Layout, RECORD_SUFFIX},
    reader::Reader,
    records,
    upkeep::Upkeep,
};
use crate::task::{TaskId, TaskRecord};

/// The format of `notified.json` that this version writes.
const FORMAT: u32 = 1;

/// How many sessions are remembered. The one whose last sign of life is oldest is forgotten first.
const REMEMBERED: usize = 200;

/// Maximum length of a session's name, in characters.
const KEY: usize = 200;

/// The lock is held for one look at the tasks and one write.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// The ended tasks that a look at the data directory finds.
type Visible = BTreeMap<TaskId, TaskRecord>;

/// The content of `notified.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    format: u32,
    /// Tasks that were seen to have ended, in the order in which that was first seen.
    ended: Vec<TaskId>,
    /// Tasks that were running at the last look.
    running: BTreeSet<TaskId>,
    sessions: BTreeMap<String, Session>,
    /// How many signs of life sessions have given, which is the clock that [`Session::sign`] is read from.
    signs: u64,
    /// How long `ended` was when it was last [swept](NotifiedEnds::sweep).
    swept: usize,
}

/// The ends that one session has been told about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Session {
    /// How much of [`Told::ended`].
    told: usize,
    /// When it last gave a sign of life, by [`Told::signs`].
    sign: u64,
}

/// The ends that a session has not been told of yet. Nobody else is told anything until this is dropped.
#[derive(Debug)]
pub struct Untold<'a> {
    layout: &'a Layout,
    /// The tasks, in the order in which they were seen to have ended.
    pub records: Vec<TaskRecord>,
    /// The new content of the file, to be written once the session has been told; none if it is up to date.
    told: Option<Told>,
    _lock: File,
}

impl Untold<'_> {
    /// The session has been told. Until this is called, the next call for the session gets the same ends again.
    pub fn confirm(self) -> Result<(), StoreError> {
        let Some(told) = &self.told else { return Ok(()) };
        let path = self.layout.notified();
        let content = serde_json::to_vec(told).expect("ids and session names are strings");
        if fs::symlink_metadata(&path).is_ok_and(|there| !there.is_file()) {
            set_aside(&path)?;
        }
        replace(&path, &content, Durability::Volatile)
    }
}

/// Remembers which ends each session has been told of, in `notified.json`.
#[derive(Debug)]
pub struct NotifiedEnds {
    layout: Arc<Layout>,
    reader: Reader,
}

impl NotifiedEnds {
    /// The ends in this data directory.
    pub fn of(upkeep: &Upkeep) -> Self {
        Self { layout: Arc::clone(upkeep.layout()), reader: upkeep.reader().clone() }
    }

    /// The tasks that ended since the session `key` was last told, and none at its first call.
    ///
    /// Fails when the files cannot be read, or another process holds the lock for longer than two seconds.
    pub fn untold(&self, key: &str) -> Result<Untold<'_>, StoreError> {
        let lock = self.layout.notified_lock();
        let Some(lock) = files::lock(&lock, LOCK_PATIENCE)? else {
            return Err(StoreError::at("lock", lock)(std::io::ErrorKind::TimedOut.into()));
        };
        let key: String = key.chars().take(KEY).collect();
        let known = self.read_told()?;
        let records = self.reader.list(None, usize::MAX)?.records;
        let (ended, running): (Vec<_>, Vec<_>) = records.into_iter().partition(|record| record.is_final());
        let mut visible: Visible = ended.into_iter().map(|record| (record.id.clone(), record)).collect();
        let running = running.into_iter().map(|record| record.id).collect();
        let mut told = match &known {
            Some(told) => {
                let mut told = told.clone();
                self.follow_up(&mut told, running, &mut visible)?;
                told
            }
            None => self.nothing_told(running, &visible)?,
        };
        told.append_new(&visible);
        let all = told.ended.len();
        // One that the index has dropped since another session was told of it is found by its record.
        let find = |id| visible.remove(id).or_else(|| self.reader.record(id).ok().flatten());
        let place = told.sessions.get(&key).map_or(all, |session| session.told.min(all));
        let records = told.ended[place..].iter().filter_map(find).collect();
        told.sees(key, all);
        self.sweep(&mut told);
        let told = (known.as_ref() != Some(&told)).then_some(told);
        Ok(Untold { layout: &self.layout, records, told, _lock: lock })
    }

    /// Looks after the tasks that were running at the last look and are not listed any more: the index may have no room for
    /// one that has ended.
    fn follow_up(
        &self,
        told: &mut Told,
        mut running: BTreeSet<TaskId>,
        visible: &mut Visible,
    ) -> Result<(), StoreError> {
        let unlisted = told.running.iter().filter(|id| !visible.contains_key(id) && !running.contains(id));
        for id in unlisted.cloned().collect::<Vec<_>>() {
            match self.reader.record(&id)? {
                Some(record) if record.is_final() => drop(visible.insert(id, record)),
                Some(_) => drop(running.insert(id)),
                // It has been removed.
                None => {}
            }
        }
        told.running = running;
        Ok(())
    }

    /// The state in which everything that has ended so far was seen to have ended. That includes tasks which the index has
    /// dropped: should it be rebuilt from the records, they would look new.
    fn nothing_told(&self, running: BTreeSet<TaskId>, visible: &Visible) -> Result<Told, StoreError> {
        let logs = &self.layout.logs;
        let files = if_there(fs::read_dir(logs)).map_err(StoreError::at("read", logs))?;
        let names = files.into_iter().flatten().flatten().map(|file| file.file_name());
        let ids = names.filter_map(|name| TaskId::parse(name.to_str()?.strip_suffix(RECORD_SUFFIX)?).ok());
        let is_unlisted = |id: &TaskId| !visible.contains_key(id) && !running.contains(id);
        let ended: Vec<_> = ids.filter(|id| is_unlisted(id) && !self.layout.run(id).exists()).collect();
        let unlisted = ended.len();
        let mut told = Told { format: FORMAT, swept: unlisted, ended, running, sessions: BTreeMap::new(), signs: 0 };
        told.append_new(visible);
        let content = files::read(&self.layout.told(), files::LARGE).unwrap_or_default();
        let before: BTreeMap<String, DateTime<Utc>> = serde_json::from_slice(&content).unwrap_or_default();
        let mut before: Vec<_> = before.into_iter().collect();
        before.sort_by_key(|(_, at)| *at);
        for (key, at) in before {
            let was_told =
                |id: &&TaskId| visible.get(id).and_then(TaskRecord::completed_at).is_none_or(|end| end <= at);
            told.sees(key, told.ended.iter().take_while(was_told).count());
        }
        Ok(told)
    }

    /// The file; `None` when there is none yet, or a damaged one, which is set aside.
    fn read_told(&self) -> Result<Option<Told>, StoreError> {
        let path = self.layout.notified();
        let Some(content) = records::read_as_it_is(&path)? else { return Ok(None) };
        match serde_json::from_slice::<Told>(&content) {
            Ok(told) if told.format == FORMAT => Ok(Some(told)),
            Ok(_) | Err(_) => {
                let aside = set_aside(&path)?;
                self.reader.notices().add(format!(
                    "notified.json was damaged, too large, or of a later version; it is kept as {}, and sessions begin anew",
                    aside.display()
                ));
                Ok(None)
            }
        }
    }

    /// Forgets tasks that are gone for good, once the list has doubled.
    fn sweep(&self, told: &mut Told) {
        const SLACK: usize = 1_000;
        if told.ended.len() <= 2 * told.swept + SLACK {
            return;
        }
        let kept: Vec<bool> = told.ended.iter().map(|id| self.layout.record(id).exists()).collect();
        told.keep(&kept);
    }
}

impl Told {
    /// Appends the ends that are visible for the first time, in the order of their times.
    fn append_new(&mut self, visible: &Visible) {
        let mut new: HashSet<_> = visible.keys().collect();
        for id in &self.ended {
            new.remove(id);
        }
        let mut new: Vec<_> = new.into_iter().map(|id| (visible[id].completed_at(), id.clone())).collect();
        new.sort();
        self.ended.extend(new.into_iter().map(|(_, id)| id));
    }

    /// The session has been told everything up to `all`.
    fn sees(&mut self, key: String, all: usize) {
        let before = self.sessions.get(&key).copied();
        // A session that is told nothing new gives a sign of life only now and then, so that nothing is written.
        let is_fresh = |session: &Session| self.signs - session.sign.min(self.signs) < REMEMBERED as u64 / 2;
        if before.is_some_and(|session| session.told == all && is_fresh(&session)) {
            return;
        }
        self.signs += 1;
        self.sessions.insert(key, Session { told: all, sign: self.signs });
        if self.sessions.len() > REMEMBERED {
            let oldest = self.sessions.iter().min_by_key(|(_, session)| session.sign).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| self.sessions.remove(&oldest));
        }
    }

    /// Keeps the tasks of which `kept` says so, and each session's place between them.
    fn keep(&mut self, kept: &[bool]) {
        let mut places = vec![0];
        places.extend(kept.iter().scan(0, |place, kept| {
            *place += usize::from(*kept);
            Some(*place)
        }));
        for session in self.sessions.values_mut() {
            session.told = places[session.told.min(kept.len())];
        }
        let mut kept = kept.iter();
        self.ended.retain(|_| kept.next().copied().unwrap_or(true));
        self.swept = self.ended.len();
    }
}

#[cfg(test)]
#[path = "notified_tests.rs"]
mod tests;
