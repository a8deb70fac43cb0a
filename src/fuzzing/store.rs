//! Properties of the store, with valid files, damaged ones and those of the original Node program.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
};

use serde_json::{json, value::RawValue};

use super::parts::parts;
use crate::{
    store::{Claim, OpenTask, Reader, Upkeep},
    task::{IndexLimits, TaskId, TaskRecord, TaskStatus},
};

/// Limits with which no entry is removed from the index.
const LOOSE_LIMITS: IndexLimits = IndexLimits { entries: usize::MAX, text: 20 };

/// Limits with which every entry is removed that may be.
const TIGHT_LIMITS: IndexLimits = IndexLimits { entries: 1, text: 20 };

/// The task whose record is in the input.
const TASK: &str = "0123abcd";

/// Tasks that are not in the input.
const OTHERS: [&str; 3] = ["fffffff0", "fffffff1", "fffffff2"];

/// Parts: the record of a task; an index.
///
/// A valid record is read unchanged. An invalid one is kept byte for byte under some name, and if it is not even JSON,
/// a new record can take its place. A record never has another task's ID. After the first repair, reading again gives
/// the same result.
pub fn records(input: &[u8]) {
    let [content, index] = parts(input);
    in_a_data_dir(|upkeep| {
        let reader = upkeep.reader();
        let id = TaskId::parse(TASK).expect("the ID is valid");
        write(&reader.record_path(&id), content);
        write(&reader.data_dir().join("tasks.json"), index);
        let read = reader.record(&id).expect("the files can be read");
        upkeep.repair();
        assert!(read.as_ref().is_none_or(|record| record.id == id), "another task's record");
        assert!(is_kept(content, reader.log_dir()), "the record is lost");
        match serde_json::from_slice::<TaskRecord>(content) {
            Ok(valid) if valid.id == id => assert_eq!(read.as_ref(), Some(&valid), "a valid record is read unchanged"),
            Ok(_) => {}
            Err(_) => {
                let is_json = serde_json::from_slice::<&RawValue>(content).is_ok();
                assert!(is_json || !reader.record_path(&id).exists(), "an invalid file has been moved out of the way");
            }
        }
        assert_eq!(reader.record(&id).expect("the files can be read"), read, "reading again gives another record");
        assert!(upkeep.notices().take().len() <= 2, "two files cause more than two notices");

        if let Some(record) = read {
            opened(upkeep, &id).write_record(&record).expect("the directory is writable");
            assert_eq!(
                reader.record(&id).expect("the record can be read"),
                Some(record),
                "a record is read as it was written"
            );
        }
    });
}

/// Parts: an index; the record of a task.
///
/// Any index can be listed and written, and nothing is lost: either its entries stay unchanged or the whole file is
/// kept byte for byte; a listed task stays listed under its ID; an ID in the index is in use.
pub fn index(input: &[u8]) {
    let [content, record] = parts(input);
    if OTHERS.iter().any(|other| memchr::memmem::find(input, other.as_bytes()).is_some()) {
        return;
    }
    in_a_data_dir(|upkeep| {
        let reader = upkeep.reader();
        let file = reader.data_dir().join("tasks.json");
        write(&file, content);
        write(&reader.record_path(&TaskId::parse(TASK).expect("the ID is valid")), record);
        let before: Option<BTreeMap<String, Box<RawValue>>> = serde_json::from_slice(content).ok();
        let listed = list(reader);
        upkeep.repair();

        for id in before.iter().flatten().filter_map(|(id, _)| TaskId::parse(id).ok()).take(4) {
            let known = reader.record(&id).expect("the files can be read");
            assert!(known.is_none_or(|known| known.id == id), "another task's record");
            // If the index is damaged or of a later version, it has been set aside by now, and its IDs are free.
            let index = fs::read(&file).unwrap_or_default();
            let is_in_index = memchr::memmem::find(&index, id.as_str().as_bytes()).is_some();
            let claimed = upkeep.claim(&id).expect("the directory is writable");
            assert!(!is_in_index || matches!(claimed, Claim::InUse), "an ID is assigned twice");
        }

        let mut expected = listed;
        for (at, other) in OTHERS.into_iter().enumerate() {
            let limits = if at < 2 { LOOSE_LIMITS } else { TIGHT_LIMITS };
            let task = opened(upkeep, &TaskId::parse(other).expect("the ID is valid"));
            task.index(&completed(other), limits).and_then(|()| task.close()).expect("the directory is writable");
            expected.insert(TaskId::parse(other).expect("the ID is valid"));
            if at < 2 {
                let now = list(reader);
                upkeep.repair();
                assert!(now.is_superset(&expected), "{:?} are no longer listed", expected.difference(&now));
            }
            let written = fs::read(&file).expect("the index was written");
            let after: BTreeMap<String, Box<RawValue>> =
                serde_json::from_slice(&written).expect("a written index is valid");
            assert!(at == 2 || after.contains_key(other), "the new task is not in the index");
            let are_all_kept = before.as_ref().is_some_and(|before| {
                before.iter().all(|(id, raw)| after.get(id).is_some_and(|now| now.get() == raw.get()))
            });
            assert!(at == 2 || are_all_kept || is_kept(content, reader.data_dir()), "entries of the index are lost");
        }
        // Lock files are empty too.
        assert!(content.is_empty() || copies(content, reader.data_dir()) <= 1, "the same file is kept twice");
        assert!(upkeep.notices().take().len() <= 2, "one file causes more than two notices");
    });
}

/// The IDs of all listed tasks.
fn list(reader: &Reader) -> BTreeSet<TaskId> {
    let all = reader.list(None, usize::MAX).expect("any index can be listed");
    assert_eq!(all.records.len(), all.total, "the listing is complete");
    assert!(all.records.is_sorted_by_key(|record| std::cmp::Reverse(record.start.started_at)), "the newest come first");
    let ids: BTreeSet<_> = all.records.into_iter().map(|record| record.id).collect();
    assert_eq!(ids.len(), all.total, "a task is listed twice");
    ids
}

fn opened(upkeep: &Upkeep, id: &TaskId) -> OpenTask {
    upkeep.take_over(id).expect("the directory is writable").expect("nobody else has the task open")
}

fn completed(id: &str) -> TaskRecord {
    let status = TaskStatus::Completed;
    let record = json!({"format": 1, "id": id, "task": "new", "status": status, "startedAt": "2026-01-01T00:00:00Z"});
    serde_json::from_value(record).expect("the record is valid")
}

/// Writes a file, unless the content is empty: an empty part means a missing file.
fn write(path: &Path, content: &[u8]) {
    if !content.is_empty() {
        fs::write(path, content).expect("the directory is writable");
    }
}

/// Whether a file in the directory has this content. Empty content counts as kept.
fn is_kept(content: &[u8], dir: &Path) -> bool {
    content.is_empty() || copies(content, dir) > 0
}

fn copies(content: &[u8], dir: &Path) -> usize {
    let files = fs::read_dir(dir).expect("the directory can be read").flatten();
    let is_file = |file: &fs::DirEntry| file.file_type().is_ok_and(|kind| kind.is_file());
    files.filter(is_file).filter(|file| fs::read(file.path()).is_ok_and(|found| found == content)).count()
}

thread_local! {
    /// The directory for the stores of this thread, which is emptied for each store. It is in memory, unless TMPDIR is
    /// set. Set TMPDIR to run a fuzzer, which exits without removing the directory.
    static SCRATCH: RefCell<tempfile::TempDir> = RefCell::new({
        let memory = PathBuf::from("/dev/shm");
        let root = if env::var_os("TMPDIR").is_none() && memory.is_dir() { memory } else { env::temp_dir() };
        let scratch = tempfile::Builder::new().prefix("codex-connector-fuzzing-").tempdir_in(root);
        scratch.expect("a temporary directory can be created")
    });
}

/// Runs `test` with an empty directory.
pub(super) fn in_a_directory(test: impl FnOnce(&Path)) {
    SCRATCH.with_borrow(|scratch| {
        let dir = scratch.path().join("data");
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                panic!("cannot remove the previous data directory: {error}")
            }
            Ok(()) | Err(_) => {}
        }
        fs::create_dir(&dir).expect("a temporary directory is writable");
        test(&dir);
    });
}

fn in_a_data_dir(test: impl FnOnce(&Upkeep)) {
    in_a_directory(|dir| {
        let upkeep = Upkeep::open(dir, &dir.join("logs")).expect("a temporary directory is writable");
        test(&upkeep);
    });
}
