//! Files of the data directory: ours, damaged, and those of the original program.

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

/// Nothing falls out of such an index.
const LOOSE_LIMITS: IndexLimits = IndexLimits { entries: usize::MAX, text: 20 };

/// Everything falls out of such an index that may.
const TIGHT_LIMITS: IndexLimits = IndexLimits { entries: 1, text: 20 };

/// The task whose record is in the input.
const TASK: &str = "0123abcd";

/// Tasks of ours that the input knows nothing of.
const OTHERS: [&str; 3] = ["fffffff0", "fffffff1", "fffffff2"];

/// Parts: the record of a task; an index.
///
/// A good record is read as it stands. Any other one is kept byte for byte under some name, and what is not even JSON
/// stands in the way of no new one. The task is itself, wherever it was found, and looking changes nothing but once.
pub fn records(input: &[u8]) {
    let [content, index] = parts(input);
    in_a_data_dir(|upkeep| {
        let reader = upkeep.reader();
        let id = TaskId::parse(TASK).expect("it is an id");
        write(&reader.record_path(&id), content);
        write(&reader.data_dir().join("tasks.json"), index);
        let read = reader.record(&id).expect("every file can be read");
        upkeep.repair();
        assert!(read.as_ref().is_none_or(|record| record.id == id), "another task's record");
        assert!(is_kept(content, reader.log_dir()), "the record is lost");
        match serde_json::from_slice::<TaskRecord>(content) {
            Ok(good) if good.id == id => assert_eq!(read.as_ref(), Some(&good), "the record is not what it says"),
            Ok(_) => {}
            Err(_) => {
                let is_json = serde_json::from_slice::<&RawValue>(content).is_ok();
                assert!(is_json || !reader.record_path(&id).exists(), "what is no record is taken for one");
            }
        }
        assert_eq!(reader.record(&id).expect("every file can be read"), read, "another look shows another record");
        assert!(upkeep.notices().take().len() <= 2, "too much is said about two files");

        if let Some(record) = read {
            opened(upkeep, &id).write_record(&record).expect("the directory is writable");
            assert_eq!(reader.record(&id).expect("it can be read"), Some(record), "a record does not read back");
        }
    });
}

/// Parts: an index; the record of a task.
///
/// Whatever the index holds, it can be listed and written. Nothing is lost by that: an entry stays as it is, or else the
/// whole file is kept byte for byte; a task that was listed stays listed, under its id; an id that it has is taken.
pub fn index(input: &[u8]) {
    let [content, record] = parts(input);
    if OTHERS.iter().any(|other| memchr::memmem::find(input, other.as_bytes()).is_some()) {
        return;
    }
    in_a_data_dir(|upkeep| {
        let reader = upkeep.reader();
        let file = reader.data_dir().join("tasks.json");
        write(&file, content);
        write(&reader.record_path(&TaskId::parse(TASK).expect("it is an id")), record);
        let before: Option<BTreeMap<String, Box<RawValue>>> = serde_json::from_slice(content).ok();
        let listed = list(reader);
        upkeep.repair();

        for id in before.iter().flatten().filter_map(|(id, _)| TaskId::parse(id).ok()).take(4) {
            let known = reader.record(&id).expect("every file can be read");
            assert!(known.is_none_or(|known| known.id == id), "another task's record");
            // One that is damaged, or of a later version, is out of the way by now, and its ids are free.
            let index = fs::read(&file).unwrap_or_default();
            let is_plain = memchr::memmem::find(&index, id.as_str().as_bytes()).is_some();
            let claimed = upkeep.claim(&id).expect("the directory is writable");
            assert!(!is_plain || matches!(claimed, Claim::InUse), "an id is given away twice");
        }

        let mut expected = listed;
        for (at, other) in OTHERS.into_iter().enumerate() {
            let limits = if at < 2 { LOOSE_LIMITS } else { TIGHT_LIMITS };
            let task = opened(upkeep, &TaskId::parse(other).expect("it is an id"));
            task.index(&completed(other), limits).and_then(|()| task.close()).expect("the directory is writable");
            expected.insert(TaskId::parse(other).expect("it is an id"));
            if at < 2 {
                let now = list(reader);
                upkeep.repair();
                assert!(now.is_superset(&expected), "{:?} are listed no more", expected.difference(&now));
            }
            let written = fs::read(&file).expect("the index was written");
            let after: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(&written).expect("ours is sound");
            assert!(at == 2 || after.contains_key(other), "what was put into the index is not in it");
            let all_stay = before.as_ref().is_some_and(|before| {
                before.iter().all(|(id, raw)| after.get(id).is_some_and(|now| now.get() == raw.get()))
            });
            assert!(at == 2 || all_stay || is_kept(content, reader.data_dir()), "entries of the index are lost");
        }
        // Lock files are empty too.
        assert!(content.is_empty() || copies(content, reader.data_dir()) <= 1, "the same file is kept twice");
        assert!(upkeep.notices().take().len() <= 2, "too much is said about one file");
    });
}

/// The ids of all tasks that are listed.
fn list(reader: &Reader) -> BTreeSet<TaskId> {
    let all = reader.list(None, usize::MAX).expect("whatever the index is, there is a list");
    assert_eq!(all.records.len(), all.total, "all tasks are all tasks");
    assert!(all.records.is_sorted_by_key(|record| std::cmp::Reverse(record.start.started_at)), "the newest come first");
    let ids: BTreeSet<_> = all.records.into_iter().map(|record| record.id).collect();
    assert_eq!(ids.len(), all.total, "a task is listed twice");
    ids
}

fn opened(upkeep: &Upkeep, id: &TaskId) -> OpenTask {
    upkeep.take_over(id).expect("the directory is writable").expect("nobody else has it open")
}

fn completed(id: &str) -> TaskRecord {
    let status = TaskStatus::Completed;
    let record = json!({"format": 1, "id": id, "task": "new", "status": status, "startedAt": "2026-01-01T00:00:00Z"});
    serde_json::from_value(record).expect("these fields are enough")
}

/// Nothing is written where there is nothing to write: then there is no file.
fn write(path: &Path, content: &[u8]) {
    if !content.is_empty() {
        fs::write(path, content).expect("the directory is writable");
    }
}

/// Whether a file of this directory has this content. Nothing is always there.
fn is_kept(content: &[u8], dir: &Path) -> bool {
    content.is_empty() || copies(content, dir) > 0
}

fn copies(content: &[u8], dir: &Path) -> usize {
    let files = fs::read_dir(dir).expect("the directory can be read").flatten();
    let is_file = |file: &fs::DirEntry| file.file_type().is_ok_and(|kind| kind.is_file());
    files.filter(is_file).filter(|file| fs::read(file.path()).is_ok_and(|found| found == content)).count()
}

thread_local! {
    /// Where the stores of this thread are made: in memory, unless TMPDIR says where. It is made once, and emptied for
    /// each store. A fuzzer ends without clearing up after itself, so whoever runs one sets TMPDIR.
    static SCRATCH: RefCell<tempfile::TempDir> = RefCell::new({
        let memory = PathBuf::from("/dev/shm");
        let root = if env::var_os("TMPDIR").is_none() && memory.is_dir() { memory } else { env::temp_dir() };
        let named = tempfile::Builder::new().prefix("codex-connector-fuzzing-").tempdir_in(root);
        named.expect("a temporary directory can be made")
    });
}

/// Runs `test` with a directory that is empty.
pub(super) fn in_a_directory(test: impl FnOnce(&Path)) {
    SCRATCH.with_borrow(|scratch| {
        let dir = scratch.path().join("data");
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                panic!("the last data directory stays: {error}")
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
