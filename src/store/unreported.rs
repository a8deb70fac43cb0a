//! Finds the ends of tasks that nobody has reported, for `notify`.
//!
//! The catalog gives each ended task the next sequence number, so new ends are those with a greater number than the last
//! one that was seen. Times would not work: a task's record becomes visible some time after the `completedAt` in it, and
//! clocks can be set back. `unreported.json` stores this number, and the seen ends that are not reported yet:
//!
//! ```text
//! catalog ── ends after `seen` ──▶ pending ── the listener's turn, and the claim is free ──▶ claimed by this process
//!                                     │
//!                                     └── reported, too old, or removed ──▶ dropped
//! ```
//!
//! An end is dropped only once its [report](super::reports) is confirmed, so the file needs no second write after the
//! output, and an end whose reporter was killed is found again. A rebuilt catalog has another *generation* and numbers
//! the ends again: then all recent ends are pending once more, and those that were reported are dropped immediately.
//!
//! If the file is missing or damaged, the same happens, except that tasks of older versions, which have no reports,
//! count as reported. Version 2.0.0 stored in `told.json` up to which time it reported ends to each session. That file
//! is read once and never written, so version 2.0.0 can still use it in a shared data directory.
//!
//! The catalog is brought up to date first, so tasks that ended while it could not be written get their numbers now. If
//! it still cannot be written, a later call reports those ends.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
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
    listener::{EndedTask, Listener, MAX_AGE, Moment, Turn},
    notices::Notices,
    records,
    reports::{ClaimedReport, ReportClaim, ReportedBy, Reports},
    sessions::Sessions,
    upkeep::Upkeep,
};
use crate::task::{TaskId, TaskRecord};

/// The format of `unreported.json` that this version writes.
const FORMAT: u32 = 1;

/// How long to wait for the lock, which is held for a few queries and one write.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum number of ends that a process claims at once. Each claim is an open file, and their number is limited.
const MAX_CLAIMS: usize = 64;

/// The content of `unreported.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Unreported {
    format: u32,
    /// The generation of the catalog that gave the numbers.
    generation: String,
    /// All ends up to this number are in `pending`, or need no report.
    seen: Seq,
    /// Ends that were not reported at the last check, in the order of their numbers.
    pending: Vec<TaskId>,
    /// Tasks of older versions that ended by then count as reported.
    since: DateTime<Utc>,
}

/// The state of the lists of tasks. If it has not changed, no task has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListsState(Vec<Option<(u64, u64, i64, i64)>>);

/// New ends, of which this process has claimed the first `MAX_CLAIMS`, to report them.
#[derive(Debug)]
pub struct NewEnds {
    /// The tasks whose ends are claimed, in the order in which the catalog saw them end.
    pub records: Vec<TaskRecord>,
    claims: Vec<ReportClaim>,
    /// Later ends that could be reported now too.
    pub unclaimed: UnclaimedEnds,
    /// The number of ends that could be announced to this listener later.
    pub pending: usize,
}

/// Ends that are not claimed, but are reported as a number, or by a later call. Another process may report them too.
#[derive(Debug)]
pub struct UnclaimedEnds {
    ids: Vec<TaskId>,
    reports: Reports,
}

impl NewEnds {
    /// Records that all of them were reported, also those not claimed. Without this call, they are reported again.
    pub fn confirm(self, by: ReportedBy, listener: &Listener, now: DateTime<Utc>) -> Result<(), StoreError> {
        let session = listener.session.as_deref();
        self.claims.into_iter().try_for_each(|claim| claim.confirm(by, session, now))?;
        self.unclaimed.confirm(by, session, now)
    }

    /// Each claimed task with its claim, to report them one by one, and the other ends.
    pub fn into_each(self) -> (impl Iterator<Item = (TaskRecord, ReportClaim)>, UnclaimedEnds) {
        (self.records.into_iter().zip(self.claims), self.unclaimed)
    }
}

impl UnclaimedEnds {
    /// The number of ends.
    pub fn number(&self) -> usize {
        self.ids.len()
    }

    /// Records that they were reported, unless another process has claimed or reported them meanwhile. Claims only one
    /// at a time.
    pub fn confirm(&self, by: ReportedBy, session: Option<&str>, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.ids.iter().try_for_each(|id| match self.reports.claim(id)? {
            ClaimedReport::Ours(claim) => claim.confirm(by, session, now),
            ClaimedReport::Theirs | ClaimedReport::Done => Ok(()),
        })
    }
}

/// Finds the ends that nobody has reported.
#[derive(Debug)]
pub struct UnreportedEnds {
    layout: Arc<Layout>,
    indexes: Indexes,
    notices: Notices,
    reports: Reports,
    sessions: Sessions,
}

impl UnreportedEnds {
    /// The ends in this data directory.
    pub fn of(upkeep: &Upkeep) -> Self {
        Self {
            layout: Arc::clone(upkeep.layout()),
            indexes: upkeep.indexes().clone(),
            notices: upkeep.notices().clone(),
            reports: Reports::of(upkeep),
            sessions: Sessions::of(upkeep),
        }
    }

    /// The present state of the lists of tasks. Reads no file's content.
    pub fn lists_state(&self) -> ListsState {
        let layout = &self.layout;
        let state = |path| {
            let found = fs::symlink_metadata(path).ok()?;
            Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
        };
        ListsState([layout.catalog(), layout.catalog_log(), layout.index(), layout.catalog_pending()].map(state).into())
    }

    /// Claims the ends that may be announced to this listener now, but at most `MAX_CLAIMS`.
    ///
    /// Fails if the files cannot be read, or if another process holds the lock for longer than five seconds.
    pub fn claim(&self, listener: &Listener, now: DateTime<Utc>) -> Result<NewEnds, StoreError> {
        let lock = self.layout.unreported_lock();
        let Some(_lock) = files::lock(&lock, LOCK_TIMEOUT)? else {
            return Err(StoreError::at("lock", lock)(std::io::ErrorKind::TimedOut.into()));
        };
        let known = self.read()?;
        let find = || {
            let catalog = self.catalog(now)?;
            let state = self.updated(&catalog, known.as_ref(), now)?;
            self.claimed(&catalog, state, listener, now)
        };
        let found = match find() {
            Err(IndexesError::Catalog(error)) if error.needs_rebuild() => {
                self.indexes.repair().map_err(IndexesError::from).and_then(|()| find())
            }
            found => found,
        };
        let (new, state) = found.map_err(|error| match error {
            IndexesError::Catalog(error) => error.about(&self.layout.catalog()),
            IndexesError::Store(error) => error,
        })?;
        if known.as_ref() != Some(&state) {
            self.write(&state)?;
        }
        Ok(new)
    }

    /// Claims the first pending ends, and drops those that need no report.
    fn claimed(
        &self,
        catalog: &Catalog,
        mut state: Unreported,
        listener: &Listener,
        now: DateTime<Utc>,
    ) -> Result<(NewEnds, Unreported), IndexesError> {
        let find = |session: &str| self.sessions.find(session);
        let moment = Moment { now, since: state.since, find: &find };
        let unclaimed = UnclaimedEnds { ids: Vec::new(), reports: self.reports.clone() };
        let mut new = NewEnds { records: Vec::new(), claims: Vec::new(), unclaimed, pending: 0 };
        let mut pending = Vec::new();
        for id in std::mem::take(&mut state.pending) {
            let Some(found) = catalog.get(&id)?.filter(|_| !self.reports.is_reported(&id)) else { continue };
            let record = record_of(&found.row)?;
            let task = EndedTask { record: &record, repository: Path::new(&found.row.repository) };
            let claimed = match listener.turn(&task, &moment) {
                Turn::Never => continue,
                Turn::Elsewhere => {
                    pending.push(id);
                    continue;
                }
                Turn::Later => ClaimedReport::Theirs,
                // A claim beyond the limit would be given back at once, and taking one writes to the disk.
                Turn::Now if new.claims.len() == MAX_CLAIMS => {
                    if self.reports.is_claimed(&id)? {
                        new.pending += 1;
                    } else {
                        new.unclaimed.ids.push(id.clone());
                    }
                    pending.push(id);
                    continue;
                }
                Turn::Now => self.reports.claim(&id)?,
            };
            match claimed {
                ClaimedReport::Done => continue,
                ClaimedReport::Theirs => new.pending += 1,
                ClaimedReport::Ours(claim) => {
                    new.records.push(record);
                    new.claims.push(claim);
                }
            }
            pending.push(id);
        }
        Ok((new, Unreported { pending, ..state }))
    }

    /// The state with the ends that were not seen yet.
    fn updated(
        &self,
        catalog: &Catalog,
        known: Option<&Unreported>,
        now: DateTime<Utc>,
    ) -> Result<Unreported, CatalogError> {
        let last = catalog.last_seq()?;
        let generation = catalog.generation().to_owned();
        let (seen, mut pending, since) = match known {
            Some(known) if known.generation == generation => (known.seen, known.pending.clone(), known.since),
            known => {
                let recent = catalog.first_seq_after(now - MAX_AGE)?.map_or(last, |first| first - 1);
                let since = known.map_or_else(|| self.since_2_0_0(now), |known| known.since);
                (recent, known.map_or_else(Vec::new, |known| known.pending.clone()), since)
            }
        };
        let already: BTreeSet<_> = pending.iter().cloned().collect();
        let ended = catalog.ended_since(seen, usize::MAX)?;
        let seen = ended.last().and_then(|last| last.seq).unwrap_or(seen);
        pending.extend(ended.into_iter().map(|ended| ended.row.id).filter(|id| !already.contains(id)));
        Ok(Unreported { format: FORMAT, generation, seen, pending, since })
    }

    /// The latest time up to which version 2.0.0 reported ends to a session, or now.
    fn since_2_0_0(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let content = files::read(&self.layout.told_2_0_0(), files::MAX_LARGE_FILE_BYTES).unwrap_or_default();
        let told: BTreeMap<String, DateTime<Utc>> = serde_json::from_slice(&content).unwrap_or_default();
        told.into_values().filter(|at| *at <= now).max().unwrap_or(now)
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

    /// Reads the file. Returns `None` if it does not exist, or if it was damaged and is set aside now.
    fn read(&self) -> Result<Option<Unreported>, StoreError> {
        let path = self.layout.unreported();
        let Some(content) = records::read_raw(&path)? else { return Ok(None) };
        match serde_json::from_slice::<Unreported>(&content) {
            Ok(state) if state.format == FORMAT => Ok(Some(state)),
            Ok(_) | Err(_) => {
                let aside = set_aside(&path)?;
                self.notices.add(format!(
                    "unreported.json was damaged, too large, or from a later version; it is kept as {}",
                    aside.display()
                ));
                Ok(None)
            }
        }
    }

    fn write(&self, state: &Unreported) -> Result<(), StoreError> {
        let path = self.layout.unreported();
        let content = serde_json::to_vec(state).expect("IDs and times are strings");
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            set_aside(&path)?;
        }
        replace(&path, &content, Durability::Volatile)
    }
}

#[cfg(test)]
#[path = "unreported_tests.rs"]
mod tests;
