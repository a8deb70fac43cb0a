//! Tasks whose logs, results and records are in another log directory than ours.
//!
//! One data directory may be opened with two values of `log_dir`: by a server that has one from its environment, and by a
//! shell that does not know it. Whoever opens it with the wrong one does not see the task's record, and must neither
//! write one nor remove what the run directory still says.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use super::Reader;
use crate::{store::StoreError, task::TaskId};

impl Reader {
    /// The log directory that has the files of the task, if it is not ours.
    ///
    /// While a task lives its run directory says so. 2.0.0 wrote no such note, but the lists of tasks name the record's file.
    pub fn other_log_dir(&self, id: &TaskId) -> Result<Option<PathBuf>, StoreError> {
        if self.layout.record(id).symlink_metadata().is_ok() {
            return Ok(None);
        }
        let noted = self.small(&self.layout.log_dir_of(id)).map(|path| PathBuf::from(OsString::from_vec(path)));
        let of_record = || -> Result<Option<PathBuf>, StoreError> {
            let entry = self.listed(id)?.filter(|entry| entry.format > 0 && !entry.from_original);
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

/// Whether both are one directory, as far as they exist.
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
        assert_eq!(other_log_dir(&wrong, &noted.id), None, "nothing is known of it yet");
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
