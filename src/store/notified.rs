//! Which ends of tasks each session has been told of, for `notify`.
//!
//! The catalog gives each task that ends the next sequence number. Times would not do: a task's record becomes visible some
//! time after the `completedAt` in it, and clocks are set back. `notified.json` keeps for each session the number up to
//! which it has been told. An end that becomes visible late gets its number late, and so it is ahead of every session all
//! the same.
//!
//! A catalog that was rebuilt counts anew, and has another *generation*. So the IDs of the last ended tasks are kept too,
//! and a file of another generation is carried over by them: see [`NotifiedState::carried_over`].
//!
//! Before the catalog is asked, it is brought up to date: a task that ended while it could not be written gets its number
//! then. If it still cannot be written, such ends are told by a later call.
//!
//! Version 2.0.0 kept a time for each session in `told.json`. That file is read once, when `notified.json` is made, and never
//! written, so that a 2.0.0 that shares the data directory can go on using it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    aside::set_aside,
    atomic::{Durability, replace},
    catalog::{Catalog, CatalogError, Seq},
    delta::IndexesError,
    entry::record_of,
    error::StoreError,
    files,
    indexes::Indexes,
    layout::Layout,
    notices::Notices,
    records,
    upkeep::Upkeep,
};
use crate::task::{TaskId, TaskRecord};

/// The format of `notified.json` that this version writes.
const FORMAT: u32 = 2;

/// How many sessions are remembered. The one whose last sign of life is oldest is forgotten first.
const MAX_SESSIONS: usize = 200;

/// Maximum length of a session's name, in characters.
const MAX_KEY_CHARS: usize = 200;

/// How many ended tasks are known by their IDs, for the day on which the catalog is rebuilt. A session that has not been
/// told of more than that is then told of these alone.
const MAX_RECENT_ENDS: usize = 1_000;

/// The lock is held for one look at the tasks and one write.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// The content of `notified.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct NotifiedState {
    format: u32,
    /// The generation of the catalog that gave the numbers.
    generation: String,
    /// The last ended tasks, with their numbers, in that order.
    recent: Vec<(Seq, TaskId)>,
    sessions: BTreeMap<String, NotifiedSession>,
    /// How many signs of life sessions have given, which is the clock that [`NotifiedSession::sign`] is read from.
    signs: u64,
}

/// The ends that one session has been told about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct NotifiedSession {
    /// All up to this number.
    told: Seq,
    /// When it last gave a sign of life, by [`NotifiedState::signs`].
    sign: u64,
    /// Those with a greater number that it has been told about all the same, before the catalog was rebuilt.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    also: BTreeSet<TaskId>,
}

/// The ends that a session has not been told of yet. Nobody else is told anything until this is dropped.
#[derive(Debug)]
pub struct NewEnds<'a> {
    layout: &'a Layout,
    /// The tasks, in the order in which they were seen to end.
    pub records: Vec<TaskRecord>,
    /// The new content of the file, to be written once the session has been told; none if it is up to date.
    told: Option<NotifiedState>,
    _lock: File,
}

impl NewEnds<'_> {
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
    indexes: Indexes,
    notices: Notices,
}

impl NotifiedEnds {
    /// The ends in this data directory.
    pub fn of(upkeep: &Upkeep) -> Self {
        let (layout, indexes) = (Arc::clone(upkeep.layout()), upkeep.indexes().clone());
        Self { layout, indexes, notices: upkeep.notices().clone() }
    }

    /// The tasks that ended since the session `key` was last told, and none at its first call.
    ///
    /// Fails when the files cannot be read, or another process holds the lock for longer than two seconds.
    pub fn new_ends(&self, key: &str, now: DateTime<Utc>) -> Result<NewEnds<'_>, StoreError> {
        let lock = self.layout.notified_lock();
        let Some(lock) = files::lock(&lock, LOCK_TIMEOUT)? else {
            return Err(StoreError::at("lock", lock)(std::io::ErrorKind::TimedOut.into()));
        };
        let key: String = key.chars().take(MAX_KEY_CHARS).collect();
        let known = self.read_state()?;
        let catalog = self.catalog(now)?;
        let (records, told) =
            self.new_ends_in(&catalog, &key, known.as_ref()).map_err(|error| error.about(&self.layout.catalog()))?;
        let told = (known.as_ref() != Some(&told)).then_some(told);
        Ok(NewEnds { layout: &self.layout, records, told, _lock: lock })
    }

    fn new_ends_in(
        &self,
        catalog: &Catalog,
        key: &str,
        known: Option<&NotifiedState>,
    ) -> Result<(Vec<TaskRecord>, NotifiedState), CatalogError> {
        let mut told = match known {
            Some(told) if told.generation == catalog.generation() => told.clone(),
            Some(told) => told.carried_over(catalog)?,
            None => self.initial_state(catalog)?,
        };
        let Some(session) = told.sessions.get(key) else {
            told.mark_notified(key, catalog.last_seq()?, catalog)?;
            return Ok((Vec::new(), told));
        };
        let ended = catalog.ended_since(session.told, usize::MAX)?;
        let all = ended.last().and_then(|last| last.seq).unwrap_or(session.told);
        let is_new = ended.iter().filter(|ended| !session.also.contains(&ended.row.id));
        let records = is_new.map(|ended| record_of(&ended.row)).collect::<Result<_, _>>()?;
        told.mark_notified(key, all, catalog)?;
        Ok((records, told))
    }

    /// The catalog, up to date if it can be written.
    fn catalog(&self, now: DateTime<Utc>) -> Result<Catalog, StoreError> {
        let path = self.layout.catalog();
        match self.indexes.catch_up(now) {
            Ok(catalog) => Ok(catalog),
            Err(IndexesError::Store(error)) => Err(error),
            Err(IndexesError::Catalog(error)) => {
                tracing::warn!(%error, "ends that are not in index.sqlite yet are reported later");
                Catalog::open_to_read(&path).map_err(|error| error.about(&path))
            }
        }
    }

    /// The state in which everything that has ended so far was seen to have ended, except by sessions of version 2.0.0.
    fn initial_state(&self, catalog: &Catalog) -> Result<NotifiedState, CatalogError> {
        let generation = catalog.generation().to_owned();
        let mut told =
            NotifiedState { format: FORMAT, generation, recent: Vec::new(), sessions: BTreeMap::new(), signs: 0 };
        let content = files::read(&self.layout.notified_2_0_0(), files::MAX_LARGE_FILE_BYTES).unwrap_or_default();
        let before: BTreeMap<String, DateTime<Utc>> = serde_json::from_slice(&content).unwrap_or_default();
        let mut before: Vec<_> = before.into_iter().collect();
        before.sort_by_key(|(_, at)| *at);
        for (key, at) in before {
            let all = match catalog.first_seq_after(at)? {
                Some(first) => first - 1,
                None => catalog.last_seq()?,
            };
            told.mark_notified(&key, all, catalog)?;
        }
        Ok(told)
    }

    /// The file; `None` when there is none yet, or a damaged one, which is set aside.
    fn read_state(&self) -> Result<Option<NotifiedState>, StoreError> {
        let path = self.layout.notified();
        let Some(content) = records::read_raw(&path)? else { return Ok(None) };
        match serde_json::from_slice::<NotifiedState>(&content) {
            Ok(told) if told.format == FORMAT => Ok(Some(told)),
            Ok(_) | Err(_) => {
                let aside = set_aside(&path)?;
                self.notices.add(format!(
                    "notified.json was damaged, too large, or of a later version; it is kept as {}, and sessions begin anew",
                    aside.display()
                ));
                Ok(None)
            }
        }
    }
}

impl NotifiedState {
    /// The session has been told everything up to `all`.
    fn mark_notified(&mut self, key: &str, all: Seq, catalog: &Catalog) -> Result<(), CatalogError> {
        let before = self.sessions.get(key);
        // A session that is told nothing new gives a sign of life only now and then, so that nothing is written.
        let is_fresh = |session: &NotifiedSession| self.signs - session.sign.min(self.signs) < MAX_SESSIONS as u64 / 2;
        if before.is_some_and(|session| session.told == all && is_fresh(session)) {
            return Ok(());
        }
        self.signs += 1;
        self.sessions.insert(key.to_owned(), NotifiedSession { told: all, sign: self.signs, also: BTreeSet::new() });
        if self.sessions.len() > MAX_SESSIONS {
            let oldest = self.sessions.iter().min_by_key(|(_, session)| session.sign).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| self.sessions.remove(&oldest));
        }
        self.recent = catalog.last_ended(MAX_RECENT_ENDS)?;
        Ok(())
    }

    /// The same in the numbers of a catalog that was rebuilt.
    ///
    /// A rebuilt catalog numbers tasks by the times of their ends, so those that a session has been told of need not be the
    /// first. Where `recent` has no room for all, a task that is not in it is new if it has a greater number than the first of
    /// those that are.
    fn carried_over(&self, catalog: &Catalog) -> Result<Self, CatalogError> {
        let last = catalog.last_seq()?;
        let mut first = if self.recent.len() < MAX_RECENT_ENDS { 1 } else { last + 1 };
        for (_, id) in &self.recent {
            first = first.min(catalog.seq_of(id)?.unwrap_or(first));
        }
        let since: Vec<_> = catalog.ended_since(first - 1, usize::MAX)?;
        let since: Vec<_> = since.into_iter().filter_map(|ended| Some((ended.seq?, ended.row.id))).collect();
        let carry = |session: &NotifiedSession| {
            let mut told: BTreeSet<_> = session.also.clone();
            told.extend(self.recent.iter().filter(|(seq, _)| *seq <= session.told).map(|(_, id)| id.clone()));
            match since.iter().find(|(_, id)| !told.contains(id)) {
                Some((new_ends, _)) => {
                    let later = since.iter().filter(|(seq, id)| seq > new_ends && told.contains(id));
                    let also = later.map(|(_, id)| id.clone()).collect();
                    NotifiedSession { told: new_ends - 1, sign: session.sign, also }
                }
                None => NotifiedSession { told: last, sign: session.sign, also: BTreeSet::new() },
            }
        };
        Ok(Self {
            format: FORMAT,
            generation: catalog.generation().to_owned(),
            recent: catalog.last_ended(MAX_RECENT_ENDS)?,
            sessions: self.sessions.iter().map(|(key, session)| (key.clone(), carry(session))).collect(),
            signs: self.signs,
        })
    }
}

#[cfg(test)]
#[path = "notified_tests.rs"]
mod tests;
