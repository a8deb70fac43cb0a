//! Tasks whose logs, results and records are in another log directory than this reader's.
//!
//! The same data directory may be used with two values of `log_dir`, such as by a server that has one in its
//! environment and by a shell that does not. A process with the wrong value does not find the task's record. It must
//! neither write a record nor remove the run directory.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use super::Reader;
use crate::{store::StoreError, task::TaskId};

impl Reader {
    /// The log directory of the task, if it is not this reader's.
    ///
    /// The run directory of an unfinished task contains the path. Version 2.0.0 did not write it, but the lists of
    /// tasks contain the record's path.
    pub fn other_log_dir(&self, id: &TaskId) -> Result<Option<PathBuf>, StoreError> {
        if self.layout.record(id).symlink_metadata().is_ok() {
            return Ok(None);
        }
        let noted = self.small(&self.layout.log_dir_of(id)).map(|path| PathBuf::from(OsString::from_vec(path)));
        let of_record = || -> Result<Option<PathBuf>, StoreError> {
            let entry = self.listed(id)?.filter(|entry| !entry.is_original());
            let record = entry.and_then(|entry| entry.start.debug_file);
            Ok(record.as_deref().and_then(Path::parent).map(Path::to_owned))
        };
        let logs = match noted {
            Some(noted) => Some(noted),
            None => of_record()?,
        };
        Ok(logs.filter(|logs| !is_same(logs, &self.layout.logs)))
    }
}

/// Whether both paths lead to the same directory.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    one == other || real(one) == real(other)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        store::tests::{claimed, upkeep},
        task::{IndexLimits, TaskRecord},
    };

    fn running(store: &Reader) -> TaskRecord {
        let id = TaskId::random();
        let record = store.record_path(&id);
        serde_json::from_value(json!({
            "format": 1, "id": id, "status": "running", "startedAt": "2026-01-15T10:30:00Z", "debugFile": record
        }))
        .expect("these fields are enough")
    }

    #[test]
    fn a_task_is_elsewhere_if_its_run_directory_or_the_index_says_so() {
        let (dir, upkeep) = upkeep();
        let right = upkeep.reader();
        let wrong = Reader::new(right.data_dir(), &dir.path().join("other"));
        let limits = IndexLimits { entries: 10, text: 100 };
        let other_log_dir = |store: &Reader, id: &TaskId| store.other_log_dir(id).expect("it is readable");

        let noted = running(right);
        let task = claimed(&upkeep, &noted.id);
        assert_eq!(other_log_dir(&wrong, &noted.id), None, "no file names the log directory yet");
        task.write_log_dir().expect("it is writable");
        assert_eq!(other_log_dir(&wrong, &noted.id).as_deref(), Some(right.log_dir()));
        assert_eq!(other_log_dir(right, &noted.id), None);

        let indexed = running(right);
        let task = claimed(&upkeep, &indexed.id);
        task.write_record(&indexed).expect("it is writable");
        task.index(&indexed, limits).expect("it is writable");
        assert_eq!(other_log_dir(&wrong, &indexed.id).as_deref(), Some(right.log_dir()));
        assert_eq!(other_log_dir(right, &indexed.id), None);

        assert_eq!(other_log_dir(&wrong, &TaskId::random()), None);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(right.log_dir(), &link).expect("it is writable");
        let linked = Reader::new(right.data_dir(), &link);
        assert_eq!((other_log_dir(&linked, &noted.id), other_log_dir(&linked, &indexed.id)), (None, None));
    }
}
