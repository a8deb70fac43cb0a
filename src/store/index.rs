//! `tasks.json`: the newest tasks in one file, for other programs and for version 2.0.0, which lists tasks from it.
//!
//! Each entry is a copy of a record with its long texts cut, so the file can be rebuilt. It is replaced under a lock,
//! which is held for one read and one write. Nobody waits for the lock longer than two seconds.
//!
//! Reading changes nothing. A reader that finds the file damaged reports that; the next writer, or an
//! [`Upkeep`](super::Upkeep), sets the damaged file aside.
//!
//! This version lists tasks from the catalog, which has all of them. A version without a catalog writes only this file.
//! Each replacement of the file is a new *edition*, and an edition that the catalog does not know is compared with the
//! catalog.

use std::{
    borrow::Cow,
    io::{BufWriter, Write},
    os::unix::fs::MetadataExt,
    sync::Arc,
    time::Duration,
};

use chrono::Utc;
use serde_json::value::RawValue;

use super::{
    archive,
    aside::set_aside,
    atomic::{Durability, replace, replace_by},
    catalog::Catalog,
    delta::{IndexDelta, IndexesError},
    entries::{self, IndexEntries, IndexEntryHead, bound, parse},
    entry::{MAX_TEXT_CHARS, entry},
    error::{StoreError, if_exists},
    fault, files,
    layout::Layout,
    lock_file::LockFile,
    notices::{Damage, Notices},
    records,
};
use crate::task::{IndexLimits, RECORD_FORMAT, TaskId, TaskRecord, TaskStatus};

/// How long to wait for the lock. A holder that takes longer is probably suspended, and the writer continues without
/// the index.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// Size of the write buffer, in bytes.
const WRITE_BUFFER_BYTES: usize = 64 << 10;

/// Information for the catalog after a change of `tasks.json`.
#[derive(Debug, Default)]
pub(super) struct IndexUpdate {
    /// The edition that was written; `None` if the file was not changed.
    pub(super) edition: Option<String>,
    /// The tasks of the previous edition that the catalog lacks.
    pub(super) delta: IndexDelta,
    /// The name of the archive, if an index of the original program was archived and all of its tasks are in the
    /// catalog or in `delta`.
    pub(super) archive: Option<String>,
    /// The tasks that were dropped. If the catalog cannot be written now, they must be marked.
    pub(super) dropped: Vec<TaskId>,
}

/// The index of one data directory.
#[derive(Debug, Clone)]
pub(super) struct Index {
    layout: Arc<Layout>,
    notices: Notices,
}

impl Index {
    pub(super) fn new(layout: Arc<Layout>, notices: Notices) -> Self {
        Self { layout, notices }
    }

    /// Adds a record to the index, or replaces the task's older entry. The entries are compared with `catalog`.
    ///
    /// If the lock is not free in time, the index is marked as incomplete, and the next writer repairs it.
    pub(super) fn upsert(
        &self,
        record: &TaskRecord,
        limits: IndexLimits,
        catalog: Option<&Catalog>,
    ) -> Result<IndexUpdate, StoreError> {
        let Some(_lock) = self.lock(LOCK_TIMEOUT)? else {
            self.mark_dirty()?;
            self.notices.add(
                "tasks.json is locked by another process that does not release it; until it does, other programs see an outdated file",
            );
            return Ok(IndexUpdate::default());
        };
        self.put(record, limits, catalog).inspect_err(|_| {
            // The next writer repairs the index, unless not even a mark can be written.
            let _ = self.mark_dirty();
        })
    }

    /// The same, under the lock. Missing entries are read from the records.
    fn put(
        &self,
        record: &TaskRecord,
        limits: IndexLimits,
        catalog: Option<&Catalog>,
    ) -> Result<IndexUpdate, StoreError> {
        // A mark made from now on is for the next writer: it may concern a record that is not visible yet.
        let (dirty, repairing) = (self.layout.index_dirty(), self.layout.index_repairing());
        if dirty.symlink_metadata().is_ok() {
            fault::point("repair index").map_err(StoreError::at("write", &repairing))?;
            files::mark(&repairing)?;
            files::unmark(&dirty)?;
        }
        let before = self.edition()?;
        let content = self.read()?;
        let on_disk = content.as_deref().and_then(parse);
        if content.is_some() && on_disk.is_none() {
            self.set_aside()?;
        }
        let lacks = on_disk.is_none() || repairing.exists();
        let mut entries = on_disk.unwrap_or_default();
        let archive = self.archive_the_original(&mut entries)?;
        let mut dropped = Vec::new();
        if lacks {
            dropped = self.add_from_records(&mut entries, limits)?;
        }
        let delta = catalog.and_then(|catalog| IndexDelta::of(&entries, &before, lacks, catalog).ok());
        // The task may have ended while this record waited for the lock, and its end may be in the index already.
        let ended = if record.is_final() { None } else { records::own(&self.layout, &record.id)? };
        let record = ended.as_ref().filter(|ended| ended.is_final()).unwrap_or(record);
        entries.insert(record.id.to_string(), Cow::Owned(entry(record, limits.text)));
        dropped.extend(bound(&mut entries, limits.entries));
        // This write need not be durable. The task's run directory is removed later, so if a power cut undoes the
        // write, the directory is still there, and the next server indexes the task again. A torn index is rebuilt.
        self.write(&entries)?;
        files::unmark(&repairing)?;
        let archive = archive.filter(|_| delta.is_some());
        Ok(IndexUpdate { edition: Some(self.edition()?), delta: delta.unwrap_or_default(), archive, dropped })
    }

    /// Identifies the current file. Each replacement is a new edition, and so is a missing file.
    pub(super) fn edition(&self) -> Result<String, StoreError> {
        let path = self.layout.index();
        let found = if_exists(path.symlink_metadata()).map_err(StoreError::at("inspect", path))?;
        Ok(found.map_or_else(String::new, |found| {
            format!("{}-{}-{}.{:09}", found.ino(), found.len(), found.mtime(), found.mtime_nsec())
        }))
    }

    /// The current edition, and its tasks that the catalog lacks.
    pub(super) fn delta(&self, catalog: &Catalog) -> Result<(String, IndexDelta), IndexesError> {
        let edition = self.edition()?;
        if catalog.sources()?.edition.as_ref() == Some(&edition) {
            return Ok((edition, IndexDelta::default()));
        }
        let content = self.read()?;
        let entries = content.as_deref().and_then(|content| self.parsed(content));
        let is_damaged = entries.is_none();
        let delta = IndexDelta::of(&entries.unwrap_or_default(), &edition, is_damaged, catalog)?;
        Ok((edition, delta))
    }

    fn write(&self, entries: &IndexEntries<'_>) -> Result<(), StoreError> {
        replace_by(&self.layout.index(), Durability::Volatile, |file| {
            let mut file = BufWriter::with_capacity(WRITE_BUFFER_BYTES, file);
            serde_json::to_writer(&mut file, entries)?;
            file.flush()
        })
    }

    /// Removes tasks whose records are gone. Returns `None`, and removes nothing, if the lock is not free in time.
    pub(super) fn remove(&self, ids: &[TaskId], catalog: Option<&Catalog>) -> Result<Option<IndexUpdate>, StoreError> {
        let Some(_lock) = self.lock(LOCK_TIMEOUT)? else { return Ok(None) };
        let before = self.edition()?;
        // A damaged index is rebuilt from the records, so these tasks will not be in it.
        let content = self.read()?.unwrap_or_default();
        let Some(mut entries) = parse(&content) else { return Ok(Some(IndexUpdate::default())) };
        let count = ids.iter().filter(|id| entries.remove(id.as_str()).is_some()).count();
        if count == 0 {
            return Ok(Some(IndexUpdate::default()));
        }
        let archive = self.archive_the_original(&mut entries)?;
        let delta = catalog.and_then(|catalog| IndexDelta::of(&entries, &before, false, catalog).ok());
        self.write(&entries)?;
        let archive = archive.filter(|_| delta.is_some());
        Ok(Some(IndexUpdate {
            edition: Some(self.edition()?),
            delta: delta.unwrap_or_default(),
            archive,
            dropped: Vec::new(),
        }))
    }

    pub(super) fn mark_dirty(&self) -> Result<(), StoreError> {
        files::mark(&self.layout.index_dirty()).map(drop)
    }

    /// Whether a writer failed to add something to the index.
    pub(super) fn is_dirty(&self) -> bool {
        self.layout.index_dirty().exists() || self.layout.index_repairing().exists()
    }

    /// All entries; none if the file is damaged. They are parsed one at a time.
    pub(super) fn each(&self) -> Result<impl Iterator<Item = TaskRecord> + use<>, StoreError> {
        let mut content = self.read()?;
        if content.as_deref().is_some_and(|content| self.parsed(content).is_none()) {
            content = None;
        }
        let entries = content.and_then(entries::each).into_iter().flatten();
        Ok(entries.filter_map(|(id, raw)| archive::understand(&id, &raw)))
    }

    /// The number of entries, and the newest of them, up to `max`. Running tasks count as the newest. No entries if the
    /// file is damaged.
    pub(super) fn newest_entries(&self, max: usize) -> Result<(usize, Vec<TaskRecord>), StoreError> {
        let Some(content) = self.read()? else { return Ok((0, Vec::new())) };
        let entries = self.parsed(&content).unwrap_or_default();
        let order = |(id, raw): (&String, &Cow<'_, RawValue>)| {
            let (is_running, started_at) = match serde_json::from_str::<IndexEntryHead>(raw.get()) {
                Ok(head) => (head.status == Some(TaskStatus::Running), head.started_at.unwrap_or_default()),
                // The original program wrote some fields differently.
                Err(_) => archive::understand(id, raw).map(|it| (!it.is_final(), it.start.started_at))?,
            };
            Some((is_running, started_at, id.clone()))
        };
        let mut newest: Vec<_> = entries.iter().filter_map(order).collect();
        let number = newest.len();
        newest.sort_unstable_by(|a, b| b.cmp(a));
        newest.truncate(max);
        let understood = newest.iter().filter_map(|(.., id)| archive::understand(id, entries.get(id)?));
        Ok((number, understood.collect()))
    }

    /// The index entry of one task.
    pub(super) fn entry(&self, id: &TaskId) -> Result<Option<TaskRecord>, StoreError> {
        let Some(content) = self.read()? else { return Ok(None) };
        let entries = self.parsed(&content).unwrap_or_default();
        Ok(entries.get(id.as_str()).and_then(|raw| archive::understand(id.as_str(), raw)))
    }

    /// Parses the file's content. If it is damaged, reports that and returns `None`.
    fn parsed<'a>(&self, content: &'a [u8]) -> Option<IndexEntries<'a>> {
        let entries = parse(content);
        if entries.is_none() {
            self.notices.report(Damage::Index);
        }
        entries
    }

    /// Whether the ID appears anywhere in the index, as a key or elsewhere. In either case a new task must not use it.
    pub(super) fn mentions(&self, id: &TaskId) -> Result<bool, StoreError> {
        let content = self.read()?.unwrap_or_default();
        Ok(memchr::memmem::find(&content, format!("\"{id}\"").as_bytes()).is_some())
    }

    /// The file's content; `None` if it does not exist.
    fn read(&self) -> Result<Option<Vec<u8>>, StoreError> {
        records::read_raw(&self.layout.index())
    }

    /// Sets a damaged index aside, unless another process holds the lock. Without the lock, this could set aside a good
    /// file that has just replaced the damaged one.
    pub(super) fn repair(&self) {
        let set_aside = || {
            let Some(_lock) = self.lock(Duration::ZERO)? else { return Ok(()) };
            match self.read()? {
                Some(content) if parse(&content).is_none() => self.set_aside(),
                Some(_) | None => Ok(()),
            }
        };
        // Readers can use the records instead.
        if let Err(error) = set_aside() {
            self.notices.add(format!("tasks.json is damaged and cannot be set aside: {error}"));
        }
    }

    /// The same, under the lock.
    fn set_aside(&self) -> Result<(), StoreError> {
        let aside = set_aside(&self.layout.index())?;
        let notice = format!(
            "tasks.json was damaged, too large, or from a later version. It was rebuilt from the task records; the old file is kept as {}",
            aside.display()
        );
        self.notices.add_repaired(&Damage::Index, notice);
        Ok(())
    }

    /// Adds entries made from the records. Holds at most twice as many as are kept, and returns the IDs of those that it
    /// dropped.
    fn add_from_records(&self, entries: &mut IndexEntries<'_>, limits: IndexLimits) -> Result<Vec<TaskId>, StoreError> {
        let mut dropped = Vec::new();
        for id in records::all(&self.layout)? {
            if let Some(record) = records::own(&self.layout, &id).ok().flatten() {
                entries.insert(id.to_string(), Cow::Owned(entry(&record, limits.text)));
            }
            if entries.len() > limits.entries.saturating_mul(2) {
                dropped.extend(bound(entries, limits.entries));
            }
        }
        Ok(dropped)
    }

    /// Archives an index of the original program before it is first replaced. Returns the name of the archive.
    fn archive_the_original(&self, entries: &mut IndexEntries<'_>) -> Result<Option<String>, StoreError> {
        // Our own entries start with their format number, so most entries need no parsing.
        let ours = format!("{{\"format\":{RECORD_FORMAT},");
        let original = |raw: &RawValue| {
            !raw.get().starts_with(&ours)
                && serde_json::from_str::<IndexEntryHead>(raw.get()).map_or(true, |head| head.format == 0)
        };
        if !entries.values().any(|raw| original(raw)) || !self.layout.index().exists() {
            return Ok(None);
        }
        let archive = self.layout.archive(Utc::now());
        let content = files::read(&self.layout.index(), files::MAX_LARGE_FILE_BYTES)
            .map_err(StoreError::at("read", self.layout.index()))?;
        replace(&archive, &content, Durability::Durable)?;
        entries.retain(|id, raw| {
            if original(raw) {
                let Some(record) = archive::understand(id, raw) else { return false };
                *raw = Cow::Owned(entry(
                    &TaskRecord { format: RECORD_FORMAT, from_original: true, ..record },
                    MAX_TEXT_CHARS,
                ));
            }
            true
        });
        Ok(archive.file_name().map(|name| name.to_string_lossy().into_owned()))
    }

    fn lock(&self, max_wait: Duration) -> Result<Option<LockFile>, StoreError> {
        files::lock(&self.layout.index_lock(), max_wait)
    }
}
