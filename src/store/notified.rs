//! Remembers which ends of tasks `notify` has reported to each session.
//!
//! The catalog gives each ended task the next sequence number, and `notified.json` stores, for each session, the number
//! up to which ends were reported. Times would not work: a task's record becomes visible some time after the
//! `completedAt` in it, and clocks can be set back. An end that becomes visible late gets its number late, so it is
//! still new to every session.
//!
//! A rebuilt catalog has another *generation* and numbers the ends again. So `notified.json` also stores the IDs of the
//! latest ended tasks, which connect the old numbers to the new ones: see [`NotifiedState::carried_over`].
//!
//! The catalog is brought up to date first, so tasks that ended while it could not be written get their numbers now. If
//! it still cannot be written, a later call reports those ends.
//!
//! Version 2.0.0 stored a time for each session in `told.json`. That file is read when `notified.json` is created, and
//! never written, so version 2.0.0 can still use it in a shared data directory.

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

/// Maximum number of remembered sessions. The session that has been silent longest is forgotten first.
const MAX_SESSIONS: usize = 200;

/// Maximum length of a session's name, in characters.
const MAX_KEY_CHARS: usize = 200;

/// How many ended tasks are stored with their IDs, in case the catalog is rebuilt. If a session has more unreported
/// ends than that, only these are reported after a rebuild.
const MAX_RECENT_ENDS: usize = 1_000;

/// How long to wait for the lock, which is held for one query and one write.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// The content of `notified.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct NotifiedState {
    format: u32,
    /// The generation of the catalog that gave the numbers.
    generation: String,
    /// The latest ended tasks with their numbers, in that order.
    recent: Vec<(Seq, TaskId)>,
    sessions: BTreeMap<String, NotifiedSession>,
    /// A clock for [`NotifiedSession::sign`]: it advances each time a session gives a sign of life.
    signs: u64,
}

/// The ends that were reported to one session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct NotifiedSession {
    /// All ends up to this number were reported.
    #[serde(rename = "told")]
    reported: Seq,
    /// The session's last sign of life, on the clock [`NotifiedState::signs`].
    sign: u64,
    /// Ends with a greater number that were nevertheless reported, before the catalog was rebuilt.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    also: BTreeSet<TaskId>,
}

/// The ends that were not reported to a session yet. It holds a lock: other sessions wait until it is dropped.
#[derive(Debug)]
pub struct NewEnds<'a> {
    layout: &'a Layout,
    /// The tasks, in the order in which the catalog saw them end.
    pub records: Vec<TaskRecord>,
    /// The new content of the file, to be written after the report; `None` if nothing changed.
    state: Option<NotifiedState>,
    _lock: File,
}

impl NewEnds<'_> {
    /// Records that the ends were reported. Without this call, the session's next call gets the same ends again.
    pub fn confirm(self) -> Result<(), StoreError> {
        let Some(state) = &self.state else { return Ok(()) };
        let path = self.layout.notified();
        let content = serde_json::to_vec(state).expect("IDs and session names are strings");
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            set_aside(&path)?;
        }
        replace(&path, &content, Durability::Volatile)
    }
}

/// Remembers in `notified.json` which ends were reported to each session.
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

    /// The tasks that ended since the last report to the session `key`; none at its first call.
    ///
    /// Fails if the files cannot be read, or if another process holds the lock for longer than two seconds.
    pub fn new_ends(&self, key: &str, now: DateTime<Utc>) -> Result<NewEnds<'_>, StoreError> {
        let lock = self.layout.notified_lock();
        let Some(lock) = files::lock(&lock, LOCK_TIMEOUT)? else {
            return Err(StoreError::at("lock", lock)(std::io::ErrorKind::TimedOut.into()));
        };
        let key: String = key.chars().take(MAX_KEY_CHARS).collect();
        let known = self.read_state()?;
        let find = || {
            let catalog = self.catalog(now)?;
            Ok::<_, IndexesError>(self.new_ends_in(&catalog, &key, known.as_ref())?)
        };
        let found = match find() {
            Err(IndexesError::Catalog(error)) if error.needs_rebuild() => {
                self.indexes.repair().map_err(IndexesError::from).and_then(|()| find())
            }
            found => found,
        };
        let (records, state) = found.map_err(|error| match error {
            IndexesError::Catalog(error) => error.about(&self.layout.catalog()),
            IndexesError::Store(error) => error,
        })?;
        let state = (known.as_ref() != Some(&state)).then_some(state);
        Ok(NewEnds { layout: &self.layout, records, state, _lock: lock })
    }

    fn new_ends_in(
        &self,
        catalog: &Catalog,
        key: &str,
        known: Option<&NotifiedState>,
    ) -> Result<(Vec<TaskRecord>, NotifiedState), CatalogError> {
        let mut state = match known {
            Some(state) if state.generation == catalog.generation() => state.clone(),
            Some(state) => state.carried_over(catalog)?,
            None => self.initial_state(catalog)?,
        };
        let Some(session) = state.sessions.get(key) else {
            state.mark_notified(key, catalog.last_seq()?, catalog)?;
            return Ok((Vec::new(), state));
        };
        let ended = catalog.ended_since(session.reported, usize::MAX)?;
        let all = ended.last().and_then(|last| last.seq).unwrap_or(session.reported);
        let is_new = ended.iter().filter(|ended| !session.also.contains(&ended.row.id));
        let records = is_new.map(|ended| record_of(&ended.row)).collect::<Result<_, _>>()?;
        state.mark_notified(key, all, catalog)?;
        Ok((records, state))
    }

    /// The catalog, brought up to date if it can be written.
    fn catalog(&self, now: DateTime<Utc>) -> Result<Catalog, IndexesError> {
        match self.indexes.catch_up(now) {
            Ok(catalog) => Ok(catalog),
            Err(IndexesError::Store(error)) => Err(error.into()),
            Err(IndexesError::Catalog(error)) => {
                tracing::warn!(%error, "ends that are missing in index.sqlite will be reported later");
                Ok(Catalog::open_to_read(&self.layout.catalog())?)
            }
        }
    }

    /// The state before the first report: all ends so far count as reported, except for sessions of version 2.0.0.
    fn initial_state(&self, catalog: &Catalog) -> Result<NotifiedState, CatalogError> {
        let generation = catalog.generation().to_owned();
        let mut state =
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
            state.mark_notified(&key, all, catalog)?;
        }
        Ok(state)
    }

    /// Reads the file. Returns `None` if it does not exist, or if it was damaged and is set aside now.
    fn read_state(&self) -> Result<Option<NotifiedState>, StoreError> {
        let path = self.layout.notified();
        let Some(content) = records::read_raw(&path)? else { return Ok(None) };
        match serde_json::from_slice::<NotifiedState>(&content) {
            Ok(state) if state.format == FORMAT => Ok(Some(state)),
            Ok(_) | Err(_) => {
                let aside = set_aside(&path)?;
                self.notices.add(format!(
                    "notified.json was damaged, too large, or from a later version; it is kept as {}, and only ends from now on are reported",
                    aside.display()
                ));
                Ok(None)
            }
        }
    }
}

impl NotifiedState {
    /// Records that all ends up to `all` were reported to the session.
    fn mark_notified(&mut self, key: &str, all: Seq, catalog: &Catalog) -> Result<(), CatalogError> {
        let before = self.sessions.get(key);
        // A session without news refreshes its sign of life only occasionally, so that most calls write nothing.
        let is_fresh = |session: &NotifiedSession| self.signs - session.sign.min(self.signs) < MAX_SESSIONS as u64 / 2;
        if before.is_some_and(|session| session.reported == all && is_fresh(session)) {
            return Ok(());
        }
        self.signs += 1;
        self.sessions
            .insert(key.to_owned(), NotifiedSession { reported: all, sign: self.signs, also: BTreeSet::new() });
        if self.sessions.len() > MAX_SESSIONS {
            let oldest = self.sessions.iter().min_by_key(|(_, session)| session.sign).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| self.sessions.remove(&oldest));
        }
        self.recent = catalog.last_ended(MAX_RECENT_ENDS)?;
        Ok(())
    }

    /// Converts the state to the numbers of a rebuilt catalog.
    ///
    /// A rebuilt catalog numbers tasks by their end times, so the ends reported to a session need not have the lowest
    /// numbers. If `recent` is full, it does not contain all ended tasks. Then a task that is not in it counts as new
    /// only if its number is greater than the lowest number of those that are.
    fn carried_over(&self, catalog: &Catalog) -> Result<Self, CatalogError> {
        let last = catalog.last_seq()?;
        let mut first = if self.recent.len() < MAX_RECENT_ENDS { 1 } else { last + 1 };
        for (_, id) in &self.recent {
            first = first.min(catalog.seq_of(id)?.unwrap_or(first));
        }
        let since: Vec<_> = catalog.ended_since(first - 1, usize::MAX)?;
        let since: Vec<_> = since.into_iter().filter_map(|ended| Some((ended.seq?, ended.row.id))).collect();
        let carry = |session: &NotifiedSession| {
            let mut reported: BTreeSet<_> = session.also.clone();
            reported.extend(self.recent.iter().filter(|(seq, _)| *seq <= session.reported).map(|(_, id)| id.clone()));
            match since.iter().find(|(_, id)| !reported.contains(id)) {
                Some((first_new, _)) => {
                    let later = since.iter().filter(|(seq, id)| seq > first_new && reported.contains(id));
                    let also = later.map(|(_, id)| id.clone()).collect();
                    NotifiedSession { reported: first_new - 1, sign: session.sign, also }
                }
                None => NotifiedSession { reported: last, sign: session.sign, also: BTreeSet::new() },
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
