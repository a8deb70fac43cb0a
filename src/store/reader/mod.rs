//! Reading the data directory.
//!
//! A [`Reader`] changes nothing. It works on a directory that does not exist (and shows no tasks), that is read-only,
//! or that other processes are writing to. It reports damage to its [`Notices`], and uses the next best source instead:
//! the records instead of the catalog, the lists of tasks instead of a record. Only SQLite may create its two companion
//! files next to the catalog.

mod activity;
mod chunks;
mod connection;
mod counts;
mod ids;
mod listing;
mod log;
mod log_page;
mod newest;
mod other_log_dir;
mod result;
mod run;
mod selection;
mod tail;
mod timeline;
mod timeline_block;
mod timeline_page;
mod timeline_search;
mod usage;
mod without_catalog;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub use chunks::{ByteRange, FileChunk, FileMetadata, TaskFile};
pub use ids::{EndedTask, ListPlace};
pub use log::{LogLines, LogReader, LogStart};
pub use timeline::{FileIdentity, TimelineEntries, TimelinePosition, TimelineReader};

use connection::CatalogConnection;

use super::{
    archive,
    catalog::{Catalog, CatalogError},
    entry::record_of,
    error::StoreError,
    files,
    index::Index,
    layout::Layout,
    lock_file::LockFile,
    notices::{Damage, Notices},
    records, workspace_file,
};
use crate::task::{TaskId, TaskRecord, TaskWorkspace};

/// Reads one data directory.
#[derive(Debug, Clone)]
pub struct Reader {
    layout: Arc<Layout>,
    index: Index,
    catalog: CatalogConnection,
    notices: Notices,
}

impl Reader {
    /// A reader of these directories, which need not exist. Both paths are absolute.
    pub fn new(data_dir: &Path, log_dir: &Path) -> Self {
        Self::of(Arc::new(Layout::new(data_dir, log_dir)), Notices::default())
    }

    /// A reader that shares its paths and notices with others.
    pub(super) fn of(layout: Arc<Layout>, notices: Notices) -> Self {
        Self {
            index: Index::new(Arc::clone(&layout), notices.clone()),
            catalog: CatalogConnection::to(layout.catalog()),
            layout,
            notices,
        }
    }

    /// The task's record; `None` if the task does not exist. While the task is running, the record is not current; use
    /// [`live`](Self::live).
    ///
    /// If the record is unreadable, the answer comes from the lists of tasks, and a notice reports that.
    pub fn record(&self, id: &TaskId) -> Result<Option<TaskRecord>, StoreError> {
        match records::own_or_reported(&self.layout, &self.notices, id)? {
            Some(record) => Ok(Some(record)),
            None => self.listed(id),
        }
    }

    /// Where the task works in git, and its snapshots; `None` if it has no workspace file. A notice reports a damaged one.
    pub fn workspace(&self, id: &TaskId) -> Result<Option<TaskWorkspace>, StoreError> {
        workspace_file::read(&self.layout, &self.notices, id)
    }

    /// A task's record from the lists of tasks.
    fn listed(&self, id: &TaskId) -> Result<Option<TaskRecord>, StoreError> {
        let row = self.catalog.query(|catalog| match catalog.get(id)? {
            Some(found) => Ok((Some(record_of(&found.row)?), true)),
            None => Ok((None, archive::names(&self.layout).is_subset(&catalog.sources()?.archives))),
        });
        let (row, knows_archives) = row.unwrap_or_else(|error| {
            self.report(&error);
            (None, false)
        });
        if row.as_ref().is_some_and(TaskRecord::is_final) {
            return Ok(row);
        }
        let found = self.index.entry(id)?.or(row);
        Ok(if knows_archives { found } else { found.or_else(|| archive::archived(&self.layout, id)) })
    }

    /// Keeps the catalog open, so that other processes can open it quickly: the first process that opens it reads its
    /// whole write-ahead log. An open catalog blocks no writer. If the file was replaced, it is closed, and the new one
    /// is opened.
    pub fn keep_catalog_open(&self) {
        self.catalog.keep_open();
    }

    /// Reports that the catalog cannot be read.
    fn report(&self, error: &CatalogError) {
        match error {
            CatalogError::Missing if !self.is_catalog_lost() => {}
            // The next writer upgrades it.
            CatalogError::Older => {}
            error if error.needs_rebuild() => self.notices.report(Damage::Catalog(error.to_string())),
            error => self.notices.add(format!("{error}; the task records are listed instead")),
        }
    }

    /// Whether there are tasks but no usable catalog. Reports that the catalog is damaged, if it is.
    pub(super) fn lacks_catalog(&self) -> Result<bool, StoreError> {
        match self.catalog.query(Catalog::sources) {
            Err(CatalogError::Missing) => Ok(self.all_tasks()?.next().is_some()),
            Err(error) => {
                self.report(&error);
                Ok(error.needs_rebuild())
            }
            Ok(_) => Ok(false),
        }
    }

    /// Whether a catalog once existed and no process is building one now. A process that builds a catalog holds a lock,
    /// and leaves the lock file behind.
    fn is_catalog_lost(&self) -> bool {
        let Ok(lock) = files::open(&self.layout.catalog_lock()).map(LockFile::from) else { return false };
        // The order matters: a rebuild may finish between the two checks.
        lock.try_lock_shared().is_ok() && self.layout.catalog().symlink_metadata().is_err()
    }

    /// The problems that were found, and their repairs.
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        &self.layout.data
    }

    /// The directory of logs, results and records.
    pub fn log_dir(&self) -> &Path {
        &self.layout.logs
    }

    /// The path of the task's log.
    pub fn log_path(&self, id: &TaskId) -> PathBuf {
        self.layout.log(id)
    }

    /// The path of the task's result.
    pub fn result_path(&self, id: &TaskId) -> PathBuf {
        self.layout.result(id)
    }

    /// The path of the task's record.
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
        task::{Message, TaskStatus},
    };

    /// All files below `dir` with their content, and all directories.
    fn everything(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(dir).expect("it exists").flatten() {
            let path = entry.path();
            if path.is_dir() {
                found.extend(everything(&path));
            }
            found.insert(path.clone(), fs::read(&path).unwrap_or_default());
        }
        found
    }

    fn use_everything(reader: &Reader, id: &TaskId) {
        let _ = (
            reader.record(id),
            reader.list(None, 10),
            reader.running_ids(),
            reader.waiting(),
            reader.other_log_dir(id),
        );
        let _ =
            (reader.is_leased(id), reader.live(id), reader.policy(id), reader.result(id, 9), reader.tail_log(id, 9));
        let range = ByteRange { offset: 0, length: 9 };
        let _ = (
            reader.read_chunk(id, TaskFile::Log, range),
            reader.index_metadata(),
            reader.cgroup(id),
            reader.last_words(id),
        );
        let _ = (reader.timeline(id, 0).read(), reader.newest_timeline(id).read());
    }

    #[test]
    fn a_directory_that_does_not_exist_has_no_tasks_and_is_not_created() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let data = dir.path().join("data");
        let reader = Reader::new(&data, &data.join("logs"));
        let id = TaskId::random();
        use_everything(&reader, &id);
        assert_eq!(reader.list(None, 10).expect("no tasks is not an error").total, 0);
        assert_eq!(reader.record(&id).expect("no record is not an error"), None);
        assert_eq!(reader.tail_log(&id, 9).expect("no log is not an error"), crate::task::LogTail::default());
        assert_eq!(reader.notices().take(), Vec::<String>::new());
        assert!(!data.exists());
    }

    #[test]
    fn a_reader_never_modifies_damaged_files() {
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
    fn files_that_are_too_large_are_reported_and_not_read() {
        let (_dir, upkeep) = upkeep();
        let record = record(0, TaskStatus::Running);
        let reader = upkeep.reader();
        let task = claimed(&upkeep, &record.id);
        task.write_record(&record).expect("it is writable");
        index(&upkeep, &record);
        let run = reader.data_dir().join("run").join(record.id.as_str());
        for name in ["live.json", "policy.json", "ticket", "log-dir", "cgroup"] {
            fs::File::create(run.join(name)).and_then(|file| file.set_len(1 << 42)).expect("it is writable");
        }
        use_everything(reader, &record.id);
        assert_eq!((reader.live(&record.id), reader.policy(&record.id), reader.cgroup(&record.id)), (None, None, None));
        let notices = reader.notices().take();
        for name in ["live.json", "policy.json", "ticket", "cgroup"] {
            let is_reported = |notice: &&Message| notice.contains(name) && notice.contains("larger than 1 MiB");
            assert!(notices.iter().any(|notice| is_reported(&notice)), "{name}: {notices:?}");
        }
        drop(task);

        for path in [reader.data_dir().join("tasks.json"), reader.record_path(&record.id)] {
            fs::File::create(&path).and_then(|file| file.set_len(1 << 42)).expect("it is writable");
        }
        assert_eq!(reader.list(None, 10).expect("the catalog has it").total, 1);
        assert!(reader.record(&record.id).expect("the large file is not read").is_some(), "the catalog has it");
        upkeep.repair();
        let notices = upkeep.notices().take();
        assert!(notices.len() == 2 && notices.iter().all(|notice| notice.contains("too large")), "{notices:?}");
    }

    #[test]
    fn a_repair_says_where_the_damaged_files_are_kept_and_ends_the_damage_reports() {
        let (_dir, upkeep) = upkeep();
        fs::write(upkeep.reader().data_dir().join("tasks.json"), "garbage").expect("it is writable");
        upkeep.reader().list(None, 10).expect("there are no records");
        upkeep.repair();
        let notices = upkeep.notices().take();
        assert!(notices.len() == 1 && notices[0].contains("tasks-damaged-"), "{notices:?}");
    }
}
