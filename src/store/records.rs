//! One record and one result file for each task.

use std::{
    fs,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::{
    Store, StoreError,
    aside::set_aside,
    atomic::{Durability, replace},
    files, if_there,
};
use crate::task::{RECORD_FORMAT, TaskId, TaskRecord};

impl Store {
    /// Puts down the truth about a task, durably, and with it the names of all files beside it that were written
    /// before. Only the holder of its lease does this.
    pub fn write_record(&self, record: &TaskRecord) -> Result<(), StoreError> {
        self.put_record(record, Durability::Durable)
    }

    /// Brings the record of a running task up to date. After a power cut it is this one or the one before: either says
    /// that the task ran, and there is no process left to know more about.
    pub fn update_record(&self, record: &TaskRecord) -> Result<(), StoreError> {
        self.put_record(record, Durability::Whole)
    }

    fn put_record(&self, record: &TaskRecord, durability: Durability) -> Result<(), StoreError> {
        let content = serde_json::to_vec_pretty(record).expect("a record has only string keys");
        replace(&self.layout.record(&record.id), &content, durability)
    }

    /// The task's record; `None` when there is no such task. A running task's record is not brought up to this
    /// moment: that is what [`read_live`](Store::read_live) is for.
    ///
    /// A record that does not parse is set aside, and what the index knows takes its place.
    pub fn read_record(&self, id: &TaskId) -> Result<Option<TaskRecord>, StoreError> {
        if let Some(content) = self.read_as_it_is(&self.layout.record(id))? {
            if let Some(record) = parse(id, &content) {
                return Ok(Some(record));
            }
            // The original program's file says much the same in its own way; the index is read instead.
            if is_ours(&content)
                && let Err(error) = self.set_damaged_record_aside(id)
            {
                // A full disk is no reason not to answer.
                self.notice(format!("the record of task {id} is damaged, and cannot be set aside: {error}"));
            }
        }
        Ok(self.index_entry(id)?.or_else(|| self.archived(id)))
    }

    /// Sets a damaged record aside, unless somebody holds the task's lease and is about to write a good one.
    fn set_damaged_record_aside(&self, id: &TaskId) -> Result<(), StoreError> {
        let path = self.layout.record(id);
        let Some(lease) = self.take_over(id)? else { return Ok(()) };
        if let Some(content) = self.read_as_it_is(&path)?
            && parse(id, &content).is_none()
        {
            let aside = set_aside(&path)?;
            let what = if is_later(&content) { "of a later version" } else { "damaged" };
            self.notice(format!("the record of task {id} was {what}; it is kept as {}", aside.display()));
        }
        self.hand_back(id, lease)
    }

    /// What the task's record says, and nothing else does; `None` where it says nothing.
    pub(super) fn own_record(&self, id: &TaskId) -> Result<Option<TaskRecord>, StoreError> {
        let content = self.read_as_it_is(&self.layout.record(id))?;
        Ok(content.and_then(|content| parse(id, &content)))
    }

    /// The content of a file of ours; nothing at all where there is something that is no such file. `None`: nothing is
    /// there.
    pub(super) fn read_as_it_is(&self, path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        match if_there(files::read(path)) {
            Err(error) if files::is_foreign(&error) => Ok(Some(Vec::new())),
            read => read.map_err(StoreError::at("read", path)),
        }
    }

    /// Whether any file speaks of a task with this id.
    pub(super) fn knows(&self, id: &TaskId) -> Result<bool, StoreError> {
        // Whatever it is that has the name.
        let has = |path: PathBuf| path.symlink_metadata().is_ok();
        let layout = &self.layout;
        let names = [layout.record(id), layout.log(id), layout.result(id), layout.events(id)];
        Ok(names.into_iter().any(has) || self.index_mentions(id)?)
    }

    /// Keeps the agent's final message whole. The record that is [written](Store::write_record) after it, in the same
    /// directory, makes its name durable.
    pub fn write_result(&self, id: &TaskId, answer: &str) -> Result<(), StoreError> {
        replace(&self.layout.result(id), answer.as_bytes(), Durability::Whole)
    }

    /// The agent's final message with at most about `most` bytes: of a longer one the beginning and the end, and how
    /// many bytes are left out between them. `None` when there is no result.
    pub fn read_result(&self, id: &TaskId, most: u64) -> Result<Option<ResultText>, StoreError> {
        let path = self.layout.result(id);
        let read = |mut file: fs::File| -> io::Result<ResultText> {
            let length = file.metadata()?.len();
            let mut head = Vec::new();
            if length <= most {
                file.read_to_end(&mut head)?;
                return Ok(ResultText { head: lossy(head), left_out: 0, tail: String::new() });
            }
            let half = most / 2;
            (&mut file).take(half).read_to_end(&mut head)?;
            file.seek(SeekFrom::Start(length - half))?;
            let mut tail = Vec::new();
            file.take(half).read_to_end(&mut tail)?;
            Ok(ResultText { head: lossy(head), left_out: length - 2 * half, tail: lossy(tail) })
        };
        if_there(files::open(&path).and_then(read)).map_err(StoreError::at("read", path))
    }

    /// Where the task's log is.
    pub fn log_path(&self, id: &TaskId) -> PathBuf {
        self.layout.log(id)
    }

    /// Where the task's result is.
    pub fn result_path(&self, id: &TaskId) -> PathBuf {
        self.layout.result(id)
    }

    /// Where the task's record is.
    pub fn record_path(&self, id: &TaskId) -> PathBuf {
        self.layout.record(id)
    }
}

/// The agent's final message, with its middle left out when it is long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultText {
    /// The whole message, or its beginning.
    pub head: String,
    /// Bytes between `head` and `tail`.
    pub left_out: u64,
    /// The end of a long message.
    pub tail: String,
}

/// Text cut at any byte: what is left of a character at either end goes.
fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).trim_matches(char::REPLACEMENT_CHARACTER).to_owned()
}

fn parse(id: &TaskId, content: &[u8]) -> Option<TaskRecord> {
    let is_known = |record: &TaskRecord| record.id == *id && record.format <= RECORD_FORMAT;
    serde_json::from_slice(content).ok().filter(is_known)
}

/// Whether the bytes are JSON of a format that this version does not know.
fn is_later(content: &[u8]) -> bool {
    let format = serde_json::from_slice::<serde_json::Value>(content).ok().and_then(|value| value["format"].as_u64());
    format.is_some_and(|format| format > u64::from(RECORD_FORMAT))
}

/// Whether the bytes are, or were meant to be, a record of this program, of this version or of a later one. The original
/// wrote none of its records' format.
fn is_ours(content: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(content).map_or(true, |value| !value["format"].is_null())
}
