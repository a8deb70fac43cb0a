//! Tests of the store as a whole.

use std::{fs, path::Path};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;
use crate::task::{IndexLimits, TaskId, TaskRecord, TaskStatus};

pub(super) const LIMITS: IndexLimits = IndexLimits { entries: 3, text: 20 };

/// A new data directory, removed when the guard is dropped.
pub(super) fn upkeep() -> (tempfile::TempDir, Upkeep) {
    let dir = tempfile::tempdir().expect("a temporary directory can be created");
    let upkeep = Upkeep::open(&dir.path().join("data"), &dir.path().join("data/logs")).expect("it is writable");
    (dir, upkeep)
}

/// A reader of a new data directory.
pub(super) fn reader() -> (tempfile::TempDir, Reader) {
    let (dir, upkeep) = upkeep();
    (dir, upkeep.reader().clone())
}

/// A new task with this ID.
pub(super) fn claimed(upkeep: &Upkeep, id: &TaskId) -> OpenTask {
    let Ok(Claim::Claimed(task)) = upkeep.claim(id) else { panic!("a new ID is free") };
    task
}

/// Writes the record of a task that no process has open.
pub(super) fn write(upkeep: &Upkeep, record: &TaskRecord) {
    let task = upkeep.take_over(&record.id).expect("the lease can be tried").expect("no process holds the lease");
    task.write_record(record).and_then(|()| task.close()).expect("it is writable");
}

/// Adds a record to both lists.
pub(super) fn index(upkeep: &Upkeep, record: &TaskRecord) {
    upkeep.indexes().upsert(record, LIMITS).expect("both lists are written or marked");
}

/// The number of bytes that this thread has read from files, cached or not. 0 where the system does not count them.
pub(super) fn bytes_read() -> u64 {
    let counts = fs::read_to_string("/proc/thread-self/io").unwrap_or_default();
    let read = counts.lines().find_map(|line| line.strip_prefix("rchar: "));
    read.and_then(|count| count.parse().ok()).unwrap_or_default()
}

pub(super) fn record(second: i64, status: TaskStatus) -> TaskRecord {
    let started = DateTime::<Utc>::from_timestamp(1_800_000_000 + second, 0).expect("a valid time");
    serde_json::from_value(json!({
        "format": 1, "id": TaskId::random(), "task": format!("task number {second}"), "status": status,
        "startedAt": started
    }))
    .expect("these fields are enough")
}

fn index_on_disk(upkeep: &Upkeep) -> Value {
    let content = fs::read(upkeep.reader().data_dir().join("tasks.json")).expect("the index exists");
    serde_json::from_slice(&content).expect("the index is JSON")
}

#[test]
fn the_index_keeps_the_newest_and_all_running_tasks() {
    let (_dir, upkeep) = upkeep();
    let old_but_running = record(0, TaskStatus::Running);
    index(&upkeep, &old_but_running);
    for second in 1..=5 {
        index(&upkeep, &record(second, TaskStatus::Completed));
    }
    let index = index_on_disk(&upkeep);
    assert_eq!(index.as_object().map(serde_json::Map::len), Some(4));
    assert!(index.get(old_but_running.id.as_str()).is_some());
}

#[test]
fn long_texts_are_cut_in_the_index_and_complete_in_the_record() {
    let (_dir, upkeep) = upkeep();
    let record = record(0, TaskStatus::Completed).with(json!({"task": "x".repeat(5_000)}));
    write(&upkeep, &record);
    index(&upkeep, &record);
    let cut = index_on_disk(&upkeep)[record.id.as_str()]["task"].as_str().expect("a string").len();
    assert!(cut < 100, "{cut} characters");
    assert_eq!(upkeep.reader().record(&record.id).expect("it is readable"), Some(record));
}

#[test]
fn a_damaged_index_is_kept_and_rebuilt_from_the_records() {
    for damage in ["", "{\"0123abcd\": {\"id\"", "[1, 2]", "garbage"] {
        let (_dir, upkeep) = upkeep();
        let known = record(0, TaskStatus::Completed);
        write(&upkeep, &known);
        fs::write(upkeep.reader().data_dir().join("tasks.json"), damage).expect("it is writable");

        assert_eq!(upkeep.reader().list(None, 10).expect("it is readable").records[0].id, known.id, "{damage:?}");
        index(&upkeep, &record(1, TaskStatus::Completed));
        assert_eq!(upkeep.reader().list(None, 10).expect("it is readable").total, 2, "{damage:?}");

        let aside = fs::read_dir(upkeep.reader().data_dir()).expect("it exists").flatten().find_map(|file| {
            file.file_name().to_string_lossy().starts_with("tasks-damaged-").then(|| fs::read_to_string(file.path()))
        });
        assert_eq!(aside.expect("it was set aside").expect("it is readable"), damage);
        assert_eq!(upkeep.notices().take().len(), 1);
    }
}

#[test]
fn a_damaged_record_is_kept_and_replaced_from_the_index() {
    let (_dir, upkeep) = upkeep();
    let known = record(0, TaskStatus::Completed);
    index(&upkeep, &known);
    fs::write(upkeep.reader().record_path(&known.id), "{\"format\": 1, \"id\"").expect("it is writable");
    let read = upkeep.reader().record(&known.id).expect("it is readable").expect("the index has it");
    assert_eq!(read.id, known.id);
    upkeep.repair();
    assert!(!upkeep.reader().record_path(&known.id).exists());
    assert!(
        upkeep.reader().running_ids().expect("it is readable").is_empty(),
        "the repair left a run directory behind"
    );
}

#[test]
fn repairing_a_damaged_record_leaves_the_run_directory_of_a_task_that_died() {
    let (_dir, upkeep) = upkeep();
    let id = TaskId::random();
    let task = claimed(&upkeep, &id);
    Requests::of(&upkeep).cancel(&id).expect("it is writable");
    drop(task);
    fs::write(upkeep.reader().record_path(&id), "{").expect("it is writable");
    assert_eq!(upkeep.reader().record(&id).expect("it is readable"), None);
    upkeep.repair();
    assert!(
        upkeep.reader().is_cancel_requested(&id),
        "the cancel request is gone, but it is needed to finalize the task"
    );
}

#[test]
fn the_last_words_of_a_supervisor_are_read_from_the_end_of_its_log() {
    let (_dir, upkeep) = upkeep();
    let id = TaskId::random();
    let task = claimed(&upkeep, &id);
    let mut log = task.open_supervisor_log().expect("it is writable");
    // A sparse file: reading all of it would need more memory than the machine has.
    log.set_len(1 << 40).expect("it is writable");
    std::io::Write::write_all(&mut log, "\nthe fault: ä".as_bytes()).expect("it is writable");
    let words = upkeep.reader().last_words(&id).expect("the log ends with text");
    assert!(words.ends_with("\nthe fault: ä") && words.chars().count() <= 2_001, "{} characters", words.len());
}

#[test]
fn an_unreadable_task_hides_no_other() {
    let (_dir, upkeep) = upkeep();
    let (good, bad) = (record(0, TaskStatus::Completed), record(1, TaskStatus::Running));
    for record in [&good, &bad] {
        write(&upkeep, record);
        index(&upkeep, record);
    }
    // The damaged record cannot be set aside, because its lease cannot be created.
    fs::write(upkeep.reader().record_path(&bad.id), "{\"format\": 1").expect("it is writable");
    fs::write(upkeep.reader().data_dir().join("run").join(bad.id.as_str()), "in the way").expect("it is writable");
    let listed = upkeep.reader().list(None, 10).expect("it is readable");
    assert_eq!(listed.total, 2);
    upkeep.repair();
    assert!(upkeep.notices().take().iter().any(|notice| notice.contains(bad.id.as_str())));
}

#[test]
fn an_index_of_the_original_is_archived_completely_and_its_tasks_stay_listed() {
    let (_dir, upkeep) = upkeep();
    let original = original_index(10);
    fs::write(upkeep.reader().data_dir().join("tasks.json"), &original).expect("it is writable");

    assert_eq!(upkeep.reader().list(None, 100).expect("it is readable").total, 10);
    for second in 0..2 {
        index(&upkeep, &record(second, TaskStatus::Completed));
    }

    let archives: Vec<_> = fs::read_dir(upkeep.reader().data_dir())
        .expect("it exists")
        .flatten()
        .filter(|file| file.file_name().to_string_lossy().starts_with("tasks-archive-"))
        .collect();
    assert_eq!(archives.len(), 1, "the original is archived once");
    assert_eq!(fs::read_to_string(archives[0].path()).expect("it is readable"), original);
    assert_eq!(upkeep.reader().list(None, 100).expect("it is readable").total, 12);
    let oldest = TaskId::parse("00000000").expect("a valid ID");
    assert_eq!(
        upkeep.reader().record(&oldest).expect("it is readable").map(|old| old.start.task),
        Some("old 0".into())
    );
}

#[test]
fn a_writer_gives_up_on_a_locked_index_and_the_next_one_repairs_it() {
    let (_dir, upkeep) = upkeep();
    let lock = fs::File::create(upkeep.reader().data_dir().join("tasks.lock")).expect("it is writable");
    lock.lock().expect("the lock is free");
    let (skipped, next) = (record(0, TaskStatus::Completed), record(1, TaskStatus::Completed));
    write(&upkeep, &skipped);
    index(&upkeep, &skipped);
    assert!(!upkeep.notices().take().is_empty());
    drop(lock);

    index(&upkeep, &next);
    assert!(index_on_disk(&upkeep).get(skipped.id.as_str()).is_some(), "the next writer did not repair the index");
}

#[test]
fn an_old_task_keeps_its_id() {
    let (_dir, upkeep) = upkeep();
    let known = record(0, TaskStatus::Completed);
    write(&upkeep, &known);
    assert!(matches!(upkeep.claim(&known.id), Ok(Claim::InUse)));
}

#[test]
fn only_the_two_ends_of_a_long_result_are_read() {
    let (_dir, upkeep) = upkeep();
    let id = TaskId::random();
    let task = claimed(&upkeep, &id);
    task.write_result(&format!("head{}tail", "é".repeat(1_000))).expect("it is writable");
    let read = upkeep.reader().result(&id, 101).expect("it is readable").expect("it exists");
    assert!(
        read.head.raw().starts_with("head") && read.tail.raw().ends_with("tail") && read.left_out > 1_800,
        "{read:?}"
    );
}

/// An index in the original program's format with this number of tasks.
fn original_index(tasks: usize) -> String {
    let entries = (0..tasks).map(|n| {
        let id = format!("{n:08x}");
        let entry = json!({
            "id": id, "task": format!("old {n}"), "status": if n == 0 { "running" } else { "completed" },
            "startedAt": format!("2024-01-15T10:{n:02}:00.000Z"), "somethingElse": [1, 2]
        });
        (id, entry)
    });
    Value::Object(entries.collect()).to_string()
}

#[test]
fn an_original_index_survives_a_first_write_that_had_to_be_skipped() {
    let (_dir, upkeep) = upkeep();
    fs::write(upkeep.reader().data_dir().join("tasks.json"), original_index(10)).expect("it is writable");
    let lock = fs::File::create(upkeep.reader().data_dir().join("tasks.lock")).expect("it is writable");
    lock.lock().expect("the lock is free");
    let (skipped, next) = (record(0, TaskStatus::Completed), record(1, TaskStatus::Completed));
    write(&upkeep, &skipped);
    index(&upkeep, &skipped);
    drop(lock);
    index(&upkeep, &next);
    assert_eq!(upkeep.reader().list(None, 100).expect("it is readable").total, 12);
}

#[test]
fn running_tasks_of_the_original_are_interrupted_even_if_the_index_is_full() {
    let (_dir, upkeep) = upkeep();
    fs::write(upkeep.reader().data_dir().join("tasks.json"), original_index(10)).expect("it is writable");
    for second in 0..3 {
        index(&upkeep, &record(second, TaskStatus::Completed));
    }
    let id = TaskId::parse("00000000").expect("a valid ID");
    let mut running = upkeep.reader().record(&id).expect("it is readable").expect("the index has all running tasks");
    assert_eq!(running.status(), TaskStatus::Running);

    running.end = Some(crate::task::TaskEnd::bare(crate::task::EndStatus::Interrupted));
    index(&upkeep, &running);

    assert!(index_on_disk(&upkeep).get(id.as_str()).is_none(), "the full index did not drop the ended task");
    let closed = upkeep.reader().record(&id).expect("it is readable").expect("the catalog has it");
    assert_eq!(closed.status(), TaskStatus::Interrupted);
}

#[test]
fn many_readers_of_a_damaged_index_all_get_an_answer() {
    let (_dir, upkeep) = upkeep();
    let known = record(0, TaskStatus::Completed);
    write(&upkeep, &known);
    for _ in 0..20 {
        fs::write(upkeep.reader().data_dir().join("tasks.json"), "garbage").expect("it is writable");
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let listed = upkeep.reader().list(None, 10);
                        upkeep.repair();
                        listed
                    })
                })
                .collect();
            for reader in readers {
                let listed = reader.join().expect("a reader does not panic").expect("every reader gets an answer");
                assert_eq!(listed.total, 1);
            }
        });
    }
}

#[test]
fn long_command_lines_are_cut_in_the_index_too() {
    let (_dir, upkeep) = upkeep();
    let long = record(0, TaskStatus::Completed).with(json!({"command": "x".repeat(100_000)}));
    index(&upkeep, &long);
    assert!(fs::read(upkeep.reader().data_dir().join("tasks.json")).expect("it exists").len() < 2_000);
}

#[test]
fn a_record_of_a_later_version_is_kept_under_another_name() {
    let (_dir, upkeep) = upkeep();
    let id = TaskId::random();
    let later = format!("{{\"format\": 99, \"id\": \"{id}\", \"everything\": \"else\"}}");
    fs::write(upkeep.reader().record_path(&id), &later).expect("it is writable");
    assert_eq!(upkeep.reader().record(&id).expect("it is readable"), None);
    upkeep.repair();
    assert_eq!(set_aside_in(upkeep.reader().log_dir()), [later.into_bytes()]);
    assert!(upkeep.notices().take()[0].contains("from a later version"));
}

/// The contents of the files set aside in `dir`.
fn set_aside_in(dir: &Path) -> Vec<Vec<u8>> {
    let files = fs::read_dir(dir).expect("it exists").flatten();
    let aside = files.filter(|file| file.file_name().to_string_lossy().contains("-damaged-"));
    aside.map(|file| fs::read(file.path()).unwrap_or_default()).collect()
}

#[test]
fn anything_in_place_of_the_index_is_kept_and_the_tasks_stay_listed() {
    let later = json!({"0123abcd": {"format": 99, "id": "0123abcd"}}).to_string();
    for content in ["", "{", "null", "[]", "3", "{\"0123abcd\": ", "\u{0}\u{0}", &later] {
        let (_dir, upkeep) = upkeep();
        let known = record(0, TaskStatus::Completed);
        write(&upkeep, &known);
        fs::write(upkeep.reader().data_dir().join("tasks.json"), content).expect("it is writable");
        assert_eq!(upkeep.reader().list(None, 10).expect("it is readable").records.len(), 1, "with {content:?}");
        upkeep.repair();
        assert_eq!(set_aside_in(upkeep.reader().data_dir()), [content.as_bytes()], "with {content:?}");
        assert!(upkeep.notices().take()[0].contains("tasks-damaged-"), "with {content:?}");
        index(&upkeep, &record(1, TaskStatus::Completed));
        assert_eq!(index_on_disk(&upkeep).as_object().map(serde_json::Map::len), Some(2), "with {content:?}");
    }
}

#[test]
fn anything_but_a_regular_file_is_moved_away() {
    let plant: [fn(&Path); 3] = [
        |path| fs::create_dir(path).expect("it is writable"),
        |path| std::os::unix::fs::symlink("/etc/passwd", path).expect("it is writable"),
        |path| {
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0)
                .expect("it is writable");
        },
    ];
    for plant in plant {
        let (_dir, upkeep) = upkeep();
        let (known, other) = (record(0, TaskStatus::Completed), record(1, TaskStatus::Completed));
        index(&upkeep, &known);
        plant(&upkeep.reader().record_path(&known.id));
        assert_eq!(upkeep.reader().record(&known.id).expect("it is readable").map(|read| read.id), Some(known.id));
        upkeep.repair();
        for name in ["tasks.lock", "tasks.dirty"] {
            let _ = fs::remove_file(upkeep.reader().data_dir().join(name));
            plant(&upkeep.reader().data_dir().join(name));
        }
        write(&upkeep, &other);
        index(&upkeep, &other);
        fs::remove_file(upkeep.reader().data_dir().join("tasks.json")).expect("it exists");
        plant(&upkeep.reader().data_dir().join("tasks.json"));
        assert_eq!(upkeep.reader().list(None, 10).expect("it is readable").records.len(), 2);
        upkeep.repair();
        index(&upkeep, &other);
        assert!(index_on_disk(&upkeep).get(other.id.as_str()).is_some());
    }
}

#[test]
fn a_reader_shows_tasks_missing_from_the_index() {
    let (_dir, upkeep) = upkeep();
    let (indexed, skipped) = (record(0, TaskStatus::Completed), record(1, TaskStatus::Failed));
    index(&upkeep, &indexed);
    let lock = fs::File::create(upkeep.reader().data_dir().join("tasks.lock")).expect("it is writable");
    lock.lock().expect("the lock is free");
    for record in [&indexed, &skipped] {
        write(&upkeep, record);
    }
    index(&upkeep, &skipped);
    assert!(upkeep.notices().take()[0].contains("outdated"));
    assert_eq!(upkeep.reader().list(None, 10).expect("it is readable").total, 2);
    assert_eq!(upkeep.notices().take(), Vec::<String>::new(), "the catalog has everything");
}

#[test]
fn a_late_entry_of_a_running_task_does_not_undo_its_end() {
    let (_dir, upkeep) = upkeep();
    let running = record(0, TaskStatus::Running);
    let ended = running.clone().with(json!({"status": "completed"}));
    write(&upkeep, &ended);
    index(&upkeep, &ended);
    index(&upkeep, &running);
    assert_eq!(index_on_disk(&upkeep)[running.id.as_str()]["status"], "completed");
}
