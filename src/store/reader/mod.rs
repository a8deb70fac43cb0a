//! Looking at the data directory.
//!
//! A [`Reader`] changes nothing. It works on a directory that does not exist (and shows no tasks), on one that cannot be
//! written to, and on one that other processes write to at the same time. What it finds damaged it reports to its
//! [`Notices`], and shows the next best source instead: the records for the index, the index for a record.

mod elsewhere;
mod listing;
mod pieces;
mod result;
mod run;
mod tail;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub use pieces::{Extent, FileFacts, Piece, TaskFile};

use super::{
    archive,
    error::StoreError,
    index::Index,
    layout::Layout,
    notices::{Damage, Notices},
    records,
};
use crate::task::{TaskId, TaskRecord};

/// Reads one data directory.
#[derive(Debug, Clone)]
pub struct Reader {
    layout: Arc<Layout>,
    index: Index,
    notices: Notices,
}

impl Reader {
    /// A reader of these directories, which need not exist. Both paths are absolute.
    pub fn new(data_dir: &Path, log_dir: &Path) -> Self {
        Self::of(Arc::new(Layout::new(data_dir, log_dir)), Notices::default())
    }

    /// A reader that shares its paths and notices with others.
    pub(super) fn of(layout: Arc<Layout>, notices: Notices) -> Self {
        Self { index: Index::new(Arc::clone(&layout), notices.clone()), layout, notices }
    }

    /// The task's record; `None` when there is no such task. It is not brought up to this moment while the task runs: that
    /// is what [`live`](Self::live) is for.
    ///
    /// Where the record cannot be understood, the answer is what the index knows, and a notice says so.
    pub fn record(&self, id: &TaskId) -> Result<Option<TaskRecord>, StoreError> {
        if let Some(content) = records::read_as_it_is(&self.layout.record(id))? {
            if let Some(record) = records::parse(id, &content) {
                return Ok(Some(record));
            }
            // The original program's file says much the same in its own way; the index is read instead.
            if records::is_ours(&content) {
                self.notices.report(Damage::Record(id.clone()));
            }
        }
        Ok(self.index.entry(id)?.or_else(|| archive::archived(&self.layout, id)))
    }

    /// The problems that were found, and what was done about them.
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        &self.layout.data
    }

    /// Where logs, results and records are.
    pub fn log_dir(&self) -> &Path {
        &self.layout.logs
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

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use super::*;
    use crate::{
        store::tests::{claimed, index, record, upkeep, write},
        task::TaskStatus,
    };

    /// Every file below `dir` with its content, and every directory.
    fn everything(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(dir).expect("it is there").flatten() {
            let path = entry.path();
            if path.is_dir() {
                found.extend(everything(&path));
            }
            found.insert(path.clone(), fs::read(&path).unwrap_or_default());
        }
        found
    }

    fn use_everything(reader: &Reader, id: &TaskId) {
        let _ =
            (reader.record(id), reader.list(None, 10), reader.running_ids(), reader.waiting(), reader.elsewhere(id));
        let _ =
            (reader.is_leased(id), reader.live(id), reader.policy(id), reader.result(id, 9), reader.tail_log(id, 9));
        let extent = Extent { offset: 0, length: 9 };
        let _ =
            (reader.piece(id, TaskFile::Log, extent), reader.index_facts(), reader.cgroup(id), reader.last_words(id));
    }

    #[test]
    fn a_directory_that_does_not_exist_has_no_tasks_and_is_not_created() {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let data = dir.path().join("data");
        let reader = Reader::new(&data, &data.join("logs"));
        let id = TaskId::random();
        use_everything(&reader, &id);
        assert_eq!(reader.list(None, 10).expect("there is nothing to read").total, 0);
        assert_eq!(reader.record(&id).expect("there is nothing to read"), None);
        assert_eq!(reader.tail_log(&id, 9).expect("there is nothing to read"), crate::task::Tail::default());
        assert_eq!(reader.notices().take(), Vec::<String>::new());
        assert!(!data.exists());
    }

    #[test]
    fn a_reader_changes_nothing_whatever_is_damaged() {
        let (dir, upkeep) = upkeep();
        let (good, bad) = (record(0, TaskStatus::Completed), record(1, TaskStatus::Running));
        for record in [&good, &bad] {
            write(&upkeep, record);
            index(&upkeep, record);
        }
        drop(claimed(&upkeep, &TaskId::random()));
        let reader = upkeep.reader();
        fs::write(reader.record_path(&bad.id), "{\"format\": 1").expect("it is writable");
        fs::write(reader.data_dir().join("tasks.json"), "garbage").expect("it is writable");

        let before = everything(dir.path());
        [&good.id, &bad.id].into_iter().for_each(|id| use_everything(reader, id));
        assert_eq!(everything(dir.path()), before);

        let notices = reader.notices().take();
        assert!(notices.len() == 2 && notices.iter().all(|notice| notice.contains("damaged")), "{notices:?}");
    }

    #[test]
    fn a_repair_tells_where_the_damaged_files_are_kept_and_the_damage_is_told_no_more() {
        let (_dir, upkeep) = upkeep();
        fs::write(upkeep.reader().data_dir().join("tasks.json"), "garbage").expect("it is writable");
        upkeep.reader().list(None, 10).expect("there are no records");
        upkeep.repair();
        let notices = upkeep.notices().take();
        assert!(notices.len() == 1 && notices[0].contains("tasks-damaged-"), "{notices:?}");
    }
}
