//! `tasks.json`: the newest tasks in one file, for programs of others and for version 2.0.0, which list from it.
//!
//! The file is never the truth: each entry is a record with its long texts cut, and the whole can be rebuilt. It is
//! replaced under a lock that is held for one read and one write, and that nobody waits for longer than two seconds.
//!
//! Reading it changes nothing. A reader that finds it damaged reports that; the next writer, or an
//! [`Upkeep`](super::Upkeep), sets the damaged file aside.
//!
//! The catalog has every task and is what this version lists from. A version that does not know the catalog only writes
//! this file, so each *edition* of it (one replaced file) that the catalog does not know is compared with the catalog.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::File,
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
    entries::{IndexEntries, IndexEntryHead, bound, parse},
    entry::{MAX_TEXT_CHARS, entry},
    error::{StoreError, if_exists},
    fault, files,
    layout::Layout,
    notices::{Damage, Notices},
    records,
};
use crate::task::{IndexLimits, RECORD_FORMAT, TaskId, TaskRecord};

/// How long to wait for the lock. A holder that takes longer is probably suspended; the writer then continues without the
/// index.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// Size of the write buffer, in bytes.
const WRITE_BUFFER_BYTES: usize = 64 << 10;

/// The news for the catalog after `tasks.json` was replaced.
#[derive(Debug, Default)]
pub(super) struct IndexUpdate {
    /// The edition that was written; none if the file stayed as it was.
    pub(super) edition: Option<String>,
    /// The tasks of the edition before that the catalog lacked.
    pub(super) delta: IndexDelta,
    /// The archive that was made of an index of the original program, if the catalog has or gets all of its tasks by `delta`.
    pub(super) archive: Option<String>,
    /// The tasks that fell out. Whoever cannot reach the catalog now has to mark them.
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

    /// Puts a record into the index, in the place of an older one of the same task. `catalog` is asked which entries it
    /// lacks.
    ///
    /// When the lock cannot be had in time, the index is marked as lacking something, and the next writer repairs it.
    pub(super) fn upsert(
        &self,
        record: &TaskRecord,
        limits: IndexLimits,
        catalog: Option<&Catalog>,
    ) -> Result<IndexUpdate, StoreError> {
        let Some(_lock) = self.lock(LOCK_TIMEOUT)? else {
            self.mark_dirty()?;
            self.notices.add(
                "tasks.json is locked by a process that does not let go; for other programs it is out of date for now",
            );
            return Ok(IndexUpdate::default());
        };
        self.put(record, limits, catalog).inspect_err(|_| {
            // The next writer repairs what this one could not, unless not even a mark can be written.
            let _ = self.mark_dirty();
        })
    }

    /// Does it, under the lock. What the index lacks is taken from the records, and nothing that it has is dropped.
    fn put(
        &self,
        record: &TaskRecord,
        limits: IndexLimits,
        catalog: Option<&Catalog>,
    ) -> Result<IndexUpdate, StoreError> {
        // A mark that is made from now on is for the next writer: it may be about a record that we do not see yet.
        let (dirty, repairing) = (self.layout.index_dirty(), self.layout.index_repairing());
        if dirty.symlink_metadata().is_ok() {
            fault::point("mend").map_err(StoreError::at("write", &repairing))?;
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
        if lacks {
            entries.extend(self.rebuilt(limits.text)?);
        }
        let delta = catalog.and_then(|catalog| IndexDelta::of(&entries, &before, lacks, catalog).ok());
        // A running task may have ended while its entry waited for the lock, and another may have told so already.
        let ended = if record.is_final() { None } else { records::own(&self.layout, &record.id)? };
        let record = ended.as_ref().filter(|ended| ended.is_final()).unwrap_or(record);
        entries.insert(record.id.to_string(), Cow::Owned(entry(record, limits.text)));
        let dropped = bound(&mut entries, limits.entries);
        // Durable it need not be. Its task's run directory is removed later, so that a power cut that takes the new index
        // leaves the directory too, and the next server indexes the task again; and a torn index is rebuilt.
        self.write(&entries)?;
        files::unmark(&repairing)?;
        let archive = archive.filter(|_| delta.is_some());
        Ok(IndexUpdate { edition: Some(self.edition()?), delta: delta.unwrap_or_default(), archive, dropped })
    }

    /// Names the file that there is now: each replacement has another edition, and no file at all is one too.
    pub(super) fn edition(&self) -> Result<String, StoreError> {
        let path = self.layout.index();
        let found = if_exists(path.symlink_metadata()).map_err(StoreError::at("look at", path))?;
        Ok(found.map_or_else(String::new, |found| {
            format!("{}-{}-{}.{:09}", found.ino(), found.len(), found.mtime(), found.mtime_nsec())
        }))
    }

    /// The edition that there is now, and the tasks in it that the catalog lacks.
    pub(super) fn delta(&self, catalog: &Catalog) -> Result<(String, IndexDelta), IndexesError> {
        let edition = self.edition()?;
        if catalog.sources()?.edition.as_ref() == Some(&edition) {
            return Ok((edition, IndexDelta::default()));
        }
        let content = self.read()?;
        let entries = content.as_deref().map(parse);
        if matches!(entries, Some(None)) {
            self.notices.report(Damage::Index);
        }
        let entries = entries.flatten();
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

    /// Takes tasks out of the index whose records are gone. `None`: the lock cannot be had in time, and they stay.
    pub(super) fn remove(&self, ids: &[TaskId], catalog: Option<&Catalog>) -> Result<Option<IndexUpdate>, StoreError> {
        let Some(_lock) = self.lock(LOCK_TIMEOUT)? else { return Ok(None) };
        let before = self.edition()?;
        // A damaged index is rebuilt from the records, and so without them.
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

    /// Whether the records have something that the index lacks, as a writer noted that could not write it.
    pub(super) fn is_dirty(&self) -> bool {
        self.layout.index_dirty().exists() || self.layout.index_repairing().exists()
    }

    /// All tasks that the records have, or that the index has and the records lack: what can be listed without the catalog.
    pub(super) fn list(&self) -> Result<BTreeMap<TaskId, TaskRecord>, StoreError> {
        let content = self.read()?;
        let known = content.as_deref().map(parse);
        if matches!(known, Some(None)) {
            self.notices.report(Damage::Index);
        }
        let mut entries = known.flatten().unwrap_or_default();
        entries.extend(self.rebuilt(MAX_TEXT_CHARS)?);
        let records = entries.into_iter().filter_map(|(id, raw)| archive::understand(&id, &raw));
        Ok(records.map(|record| (record.id.clone(), record)).collect())
    }

    /// The entries as they are, for a rebuild of the catalog; none of a damaged file.
    pub(super) fn entries(&self) -> Result<Vec<TaskRecord>, StoreError> {
        let content = self.read()?.unwrap_or_default();
        let entries = parse(&content).unwrap_or_default();
        Ok(entries.iter().filter_map(|(id, raw)| archive::understand(id, raw)).collect())
    }

    /// What the index knows of one task.
    pub(super) fn entry(&self, id: &TaskId) -> Result<Option<TaskRecord>, StoreError> {
        let Some(content) = self.read()? else { return Ok(None) };
        match parse(&content) {
            Some(entries) => Ok(entries.get(id.as_str()).and_then(|raw| archive::understand(id.as_str(), raw))),
            None => {
                self.notices.report(Damage::Index);
                Ok(None)
            }
        }
    }

    /// Whether the index has an entry of this id, or says the id anywhere else, which is all the same to a new task.
    pub(super) fn mentions(&self, id: &TaskId) -> Result<bool, StoreError> {
        let content = self.read()?.unwrap_or_default();
        Ok(memchr::memmem::find(&content, format!("\"{id}\"").as_bytes()).is_some())
    }

    /// The file as it is; `None` when there is none.
    fn read(&self) -> Result<Option<Vec<u8>>, StoreError> {
        records::read_raw(&self.layout.index())
    }

    /// Sets a damaged index aside, unless another process holds its lock and is about to. Only under the lock is it certain
    /// that this, and not a good one, is set aside.
    pub(super) fn repair(&self) {
        let set_aside = || {
            let Some(_lock) = self.lock(Duration::ZERO)? else { return Ok(()) };
            match self.read()? {
                Some(content) if parse(&content).is_none() => self.set_aside(),
                Some(_) | None => Ok(()),
            }
        };
        // Readers manage without it: they have the records.
        if let Err(error) = set_aside() {
            self.notices.add(format!("tasks.json is damaged, and cannot be set aside: {error}"));
        }
    }

    /// Does it, under the lock.
    fn set_aside(&self) -> Result<(), StoreError> {
        let aside = set_aside(&self.layout.index())?;
        let notice = format!(
            "tasks.json was damaged, too large, or of a later version; it is kept as {} and was rebuilt from the records of the tasks",
            aside.display()
        );
        self.notices.add_repaired(&Damage::Index, notice);
        Ok(())
    }

    /// The entries as the records have them.
    fn rebuilt(&self, text: usize) -> Result<IndexEntries<'static>, StoreError> {
        let mut entries = IndexEntries::new();
        for id in records::all(&self.layout)? {
            if let Some(record) = records::own(&self.layout, &id).ok().flatten() {
                entries.insert(id.to_string(), Cow::Owned(entry(&record, text)));
            }
        }
        Ok(entries)
    }

    /// Keeps an index of the original program whole, before it is replaced for the first time. Returns the name of
    /// the archive.
    fn archive_the_original(&self, entries: &mut IndexEntries<'_>) -> Result<Option<String>, StoreError> {
        // Our own entries begin with their format: one look, where the whole history would have to be read.
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

    fn lock(&self, max_wait: Duration) -> Result<Option<File>, StoreError> {
        files::lock(&self.layout.index_lock(), max_wait)
    }
}
