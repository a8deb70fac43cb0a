//! `tasks.json`: the newest tasks in one file, for listing.
//!
//! The index is never the truth: each entry is a record with its long texts cut, and the whole can be rebuilt. It is
//! replaced under a lock that is held for one read and one write, and that nobody waits for longer than two seconds.
//!
//! Reading it changes nothing. A reader that finds it damaged reports that, and shows the records; the next writer, or an
//! [`Upkeep`](super::Upkeep), sets the damaged file aside.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::{self, File},
    io::{BufWriter, Write},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    archive,
    aside::set_aside,
    atomic::{Durability, replace, replace_by},
    error::{StoreError, if_there},
    fault, files,
    layout::{Layout, RECORD_SUFFIX},
    notices::{Damage, Notices},
    records,
};
use crate::task::{IndexLimits, RECORD_FORMAT, TaskId, TaskRecord, TaskStatus, Untrusted, cut_middle};

/// Who holds the lock longer than this is stopped, or worse: the writer goes on without the index.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// As much of a text as an entry has that is not written for a task with limits of its own.
const CUT: usize = 2_000;

/// As much as is written at once.
const BLOCK: usize = 64 << 10;

/// Entries by id, most of them as they lie in the file's content: a long history is not copied to add one task to it.
type Entries<'a> = BTreeMap<String, Cow<'a, RawValue>>;

/// As much of an entry as the index itself needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(default)]
    format: u32,
    #[serde(default)]
    status: Option<TaskStatus>,
    #[serde(default)]
    started_at: Option<DateTime<Utc>>,
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

    /// Puts a record into the index, in the place of an older one of the same task.
    ///
    /// When the lock cannot be had in time, the index is marked as lacking something, and the next writer mends it.
    pub(super) fn upsert(&self, record: &TaskRecord, limits: IndexLimits) -> Result<(), StoreError> {
        let Some(_lock) = self.lock(LOCK_PATIENCE)? else {
            self.mark_dirty()?;
            self.notices
                .add("tasks.json is locked by a process that does not let go; it is out of date for now".to_owned());
            return Ok(());
        };
        self.put(record, limits).inspect_err(|_| {
            // The next writer mends what this one could not, unless not even a mark can be written.
            let _ = self.mark_dirty();
        })
    }

    /// Does it, under the lock. What the index lacks is taken from the records, and nothing that it has is dropped.
    fn put(&self, record: &TaskRecord, limits: IndexLimits) -> Result<(), StoreError> {
        // A mark that is made from now on is for the next writer: it may be about a record that we do not see yet.
        let (dirty, mending) = (self.layout.index_dirty(), self.layout.index_mending());
        if dirty.symlink_metadata().is_ok() {
            fault::point("mend").map_err(StoreError::at("write", &mending))?;
            files::mark(&mending)?;
            files::unmark(&dirty)?;
        }
        let content = self.read()?;
        let on_disk = content.as_deref().and_then(parse);
        if content.is_some() && on_disk.is_none() {
            self.set_aside()?;
        }
        let lacks = on_disk.is_none() || mending.exists();
        let mut entries = on_disk.unwrap_or_default();
        self.archive_the_original(&mut entries)?;
        if lacks {
            entries.extend(self.rebuilt(limits.text)?);
        }
        // A running task may have ended while its entry waited for the lock, and another may have told so already.
        let ended = if record.is_final() { None } else { records::own(&self.layout, &record.id)? };
        let record = ended.as_ref().filter(|ended| ended.is_final()).unwrap_or(record);
        entries.insert(record.id.to_string(), Cow::Owned(entry(record, limits.text)));
        bound(&mut entries, limits.entries);
        // Durable it need not be. Its task's run directory is removed later, so that a power cut that takes the new index
        // leaves the directory too, and the next server indexes the task again; and a torn index is rebuilt.
        self.write(&entries)?;
        files::unmark(&mending)
    }

    fn write(&self, entries: &Entries<'_>) -> Result<(), StoreError> {
        replace_by(&self.layout.index(), Durability::Volatile, |file| {
            let mut file = BufWriter::with_capacity(BLOCK, file);
            serde_json::to_writer(&mut file, entries)?;
            file.flush()
        })
    }

    /// Takes tasks out of the index whose records are gone. `false`: the lock cannot be had in time, and they stay.
    pub(super) fn remove(&self, ids: &[TaskId]) -> Result<bool, StoreError> {
        let Some(_lock) = self.lock(LOCK_PATIENCE)? else { return Ok(false) };
        // A damaged index is rebuilt from the records, and so without them.
        let content = self.read()?.unwrap_or_default();
        let Some(mut entries) = parse(&content) else { return Ok(true) };
        let dropped = ids.iter().filter(|id| entries.remove(id.as_str()).is_some()).count();
        if dropped > 0 {
            self.archive_the_original(&mut entries)?;
            self.write(&entries)?;
        }
        Ok(true)
    }

    pub(super) fn mark_dirty(&self) -> Result<(), StoreError> {
        files::mark(&self.layout.index_dirty()).map(drop)
    }

    /// All tasks that the index knows, or that the records have and it lacks.
    pub(super) fn list(&self) -> Result<BTreeMap<TaskId, TaskRecord>, StoreError> {
        let content = self.read()?;
        let known = content.as_deref().map(parse);
        if matches!(known, Some(None)) {
            self.notices.report(Damage::Index);
        }
        let mut entries = match known.flatten() {
            Some(entries) => entries,
            None => self.shown_instead()?,
        };
        if self.layout.index_dirty().exists() || self.layout.index_mending().exists() {
            self.notices.add("tasks.json is out of date; the records of the tasks are shown instead".to_owned());
            entries.extend(self.shown_instead()?);
        }
        let records = entries.into_iter().filter_map(|(id, raw)| archive::understand(&id, &raw));
        Ok(records.map(|record| (record.id.clone(), record)).collect())
    }

    /// The entries as the records have them, for a reader: a log directory that does not exist has none.
    fn shown_instead(&self) -> Result<Entries<'static>, StoreError> {
        let logs = &self.layout.logs;
        let found = if_there(logs.metadata()).map_err(StoreError::at("read", logs))?;
        if found.is_some() { self.rebuilt(CUT) } else { Ok(Entries::new()) }
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
        records::read_as_it_is(&self.layout.index())
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
            "tasks.json was damaged, or of a later version; it is kept as {} and was rebuilt from the records of the tasks",
            aside.display()
        );
        self.notices.add_repaired(&Damage::Index, notice);
        Ok(())
    }

    /// The entries as the records have them.
    fn rebuilt(&self, text: usize) -> Result<Entries<'static>, StoreError> {
        let logs = &self.layout.logs;
        let mut entries = Entries::new();
        for file in fs::read_dir(logs).map_err(StoreError::at("read", logs))?.flatten() {
            let name = file.file_name();
            let Some(id) = name.to_str().and_then(|name| name.strip_suffix(RECORD_SUFFIX)) else { continue };
            let Ok(content) = files::read(&file.path()) else { continue };
            let Ok(record) = serde_json::from_slice::<TaskRecord>(&content) else { continue };
            if record.id.as_str() == id && record.format <= RECORD_FORMAT {
                entries.insert(id.to_owned(), Cow::Owned(entry(&record, text)));
            }
        }
        Ok(entries)
    }

    /// Keeps an index of the original program whole, before it is replaced for the first time.
    fn archive_the_original(&self, entries: &mut Entries<'_>) -> Result<(), StoreError> {
        // What we write begins with its format: one look, where the whole history would have to be read.
        let ours = format!("{{\"format\":{RECORD_FORMAT},");
        let original = |raw: &RawValue| {
            !raw.get().starts_with(&ours)
                && serde_json::from_str::<Head>(raw.get()).map_or(true, |head| head.format == 0)
        };
        if !entries.values().any(|raw| original(raw)) || !self.layout.index().exists() {
            return Ok(());
        }
        let archive = self.layout.archive(Utc::now());
        let content = files::read(&self.layout.index()).map_err(StoreError::at("read", self.layout.index()))?;
        replace(&archive, &content, Durability::Durable)?;
        entries.retain(|id, raw| {
            if original(raw) {
                let Some(record) = archive::understand(id, raw) else { return false };
                *raw = Cow::Owned(entry(&TaskRecord { format: RECORD_FORMAT, from_original: true, ..record }, CUT));
            }
            true
        });
        Ok(())
    }

    fn lock(&self, patience: Duration) -> Result<Option<File>, StoreError> {
        files::lock(&self.layout.index_lock(), patience)
    }
}

/// The entries in the content of the index; `None` when it is damaged, or a later version wrote in it.
fn parse(content: &[u8]) -> Option<Entries<'_>> {
    let entries: BTreeMap<String, &RawValue> = serde_json::from_slice(content).ok()?;
    // What we write begins with its format: one look, where the whole history would have to be read.
    let ours = format!("{{\"format\":{RECORD_FORMAT},");
    let is_later = |raw: &RawValue| {
        !raw.get().starts_with(&ours)
            && serde_json::from_str::<Head>(raw.get()).is_ok_and(|head| head.format > RECORD_FORMAT)
    };
    if entries.values().any(|raw| is_later(raw)) {
        return None;
    }
    Some(entries.into_iter().map(|(id, raw)| (id, Cow::Borrowed(raw))).collect())
}

/// A record as it stands in the index, its texts cut to `text` characters.
fn entry(record: &TaskRecord, text: usize) -> Box<RawValue> {
    let mut record = record.clone();
    let cut = |long: &Untrusted| Untrusted::from(cut_middle(long.raw(), text));
    record.start.task = cut(&record.start.task);
    let of_end = record.end.iter_mut().flat_map(|end| [&mut end.result, &mut end.agent_said]);
    for long in [&mut record.progress.command, &mut record.progress.model].into_iter().chain(of_end) {
        *long = long.take().map(|long| cut(&long));
    }
    record.progress.environment.clear();
    serde_json::value::to_raw_value(&record).expect("a record has only string keys")
}

/// Keeps the newest `most` of the tasks that have ended, and every other.
fn bound(entries: &mut Entries<'_>, most: usize) {
    if entries.len() <= most {
        return;
    }
    let mut ended: Vec<(DateTime<Utc>, String)> = entries
        .iter()
        .filter_map(|(id, raw)| {
            let head: Head = serde_json::from_str(raw.get()).ok()?;
            head.status.is_none_or(TaskStatus::is_final).then(|| (head.started_at.unwrap_or_default(), id.clone()))
        })
        .collect();
    ended.sort_by(|a, b| b.cmp(a));
    for (_, id) in ended.drain(most.min(ended.len())..) {
        entries.remove(&id);
    }
}
