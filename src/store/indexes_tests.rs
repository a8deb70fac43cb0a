//! Tests of both lists: shared with version 2.0.0, damaged, locked, and rebuilt.

use std::{fs, os::unix::fs::symlink, path::Path};

use chrono::DateTime;
use rusqlite::TransactionBehavior;
use serde_json::json;

use super::*;
use crate::{
    store::{
        Filter, Upkeep,
        catalog::ChangedTasks,
        tests::{LIMITS, claimed, index, record, upkeep, write},
    },
    task::{Page, TaskStatus},
};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_000, 0).expect("a valid time")
}

/// The record of an ended task that is in both lists.
pub(super) fn ended(upkeep: &Upkeep, second: i64) -> TaskId {
    let record = record(second, TaskStatus::Completed);
    write(upkeep, &record);
    index(upkeep, &record);
    record.id
}

/// Writes a record like a supervisor of version 2.0.0, which has no catalog and a longer `tasks.json`.
fn run_by_2_0_0(upkeep: &Upkeep, record: &TaskRecord, entries: usize) {
    write(upkeep, record);
    let limits = IndexLimits { entries, text: 20 };
    upkeep.indexes().newest().upsert(record, limits, None).expect("it is writable");
}

pub(super) fn listed(upkeep: &Upkeep) -> Vec<TaskId> {
    let listing = upkeep.reader().list(None, usize::MAX).expect("it is readable");
    assert_eq!(listing.total, listing.records.len());
    listing.records.into_iter().map(|record| record.id).collect()
}

/// The tasks in the catalog itself.
pub(super) fn stored(upkeep: &Upkeep) -> usize {
    let catalog = Catalog::open_to_read(&upkeep.layout().catalog()).expect("it exists");
    let page = catalog.page(&Filter::default(), Page::first(usize::MAX), &ChangedTasks::default());
    page.expect("it is readable").tasks.len()
}

pub(super) fn set_aside_in(files: &Path) -> Vec<String> {
    let names = fs::read_dir(files).expect("it exists").flatten();
    let names = names.map(|file| file.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains("-damaged-") && !name.ends_with("-wal") && !name.ends_with("-shm")).collect()
}

#[test]
fn all_tasks_are_listed_even_if_the_index_is_small() {
    let (_dir, upkeep) = upkeep();
    let ids: Vec<_> = (0..10).map(|second| ended(&upkeep, second)).collect();
    let newest_first: Vec<_> = ids.iter().rev().cloned().collect();
    assert_eq!(listed(&upkeep), newest_first);
    let page = upkeep.reader().list(Some(TaskStatus::Completed), 4).expect("it is readable");
    assert_eq!((page.records.len(), page.total), (4, 10));
    assert_eq!(upkeep.reader().list(Some(TaskStatus::Failed), 4).expect("it is readable").total, 0);
    assert_eq!(upkeep.notices().take(), Vec::<String>::new());
}

#[test]
fn tasks_are_found_by_backend_repository_and_time() {
    let (dir, upkeep) = upkeep();
    let project = dir.path().join("project");
    fs::create_dir_all(project.join("src"))
        .and_then(|()| fs::create_dir(project.join(".git")))
        .expect("it is writable");
    fs::write(project.join(".git/HEAD"), "ref: refs/heads/main\n").expect("it is writable");
    let here = record(1, TaskStatus::Completed)
        .with(json!({"backend": "codex", "workingDirectory": project.join("src"), "sessionId": "s"}));
    let there = record(2, TaskStatus::Completed).with(json!({"backend": "claude", "workingDirectory": dir.path()}));
    // It is running, so it is not read from the catalog.
    let running = record(3, TaskStatus::Running).with(json!({"backend": "codex", "workingDirectory": project}));
    let task = claimed(&upkeep, &running.id);
    task.write_record(&running).and_then(|()| task.index(&running, LIMITS)).expect("it is writable");
    for record in [&here, &there] {
        write(&upkeep, record);
        index(&upkeep, record);
    }
    let all = Filter::default();
    let repository = Some(crate::directory::repository_of(&project).to_string_lossy().into_owned());
    for (filter, expected) in [
        (Filter { backend: Some("codex".to_owned()), ..all.clone() }, vec![&running.id, &here.id]),
        (Filter { repository: repository.clone(), ..all.clone() }, vec![&running.id, &here.id]),
        (Filter { repository, state: Some(TaskStatus::Completed), ..all.clone() }, vec![&here.id]),
        (Filter { since: Some(there.start.started_at), ..all.clone() }, vec![&running.id, &there.id]),
        (Filter { until: Some(there.start.started_at), ..all }, vec![&here.id]),
    ] {
        let found = upkeep.reader().find(&filter, 9).expect("it is readable");
        assert_eq!(found.records.iter().map(|record| &record.id).collect::<Vec<_>>(), expected, "{filter:?}");
        assert_eq!(found.total, expected.len(), "{filter:?}");
    }
    let newest = |session| upkeep.reader().newest_of_session(session, 1).expect("it is readable").pop();
    assert_eq!((newest("s").map(|found| found.id), newest("t")), (Some(here.id), None));
}

/// A kind of damage, and a function that causes it.
type CorruptedCatalog = (&'static str, fn(&Path));

#[test]
fn an_unusable_catalog_hides_no_task_and_is_reported_and_rebuilt() {
    let cases: [CorruptedCatalog; 5] = [
        ("removed", |path| fs::remove_file(path).expect("it exists")),
        ("truncated", |path| {
            fs::OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(20_000)).expect("it exists");
        }),
        ("other text", |path| fs::write(path, "tasks and tasks ".repeat(500)).expect("it is writable")),
        ("later", |path| {
            let other = rusqlite::Connection::open(path).expect("it exists");
            other.execute_batch("PRAGMA user_version = 99").expect("it is writable");
        }),
        ("link", |path| {
            fs::remove_file(path).and_then(|()| symlink("/etc/passwd", path)).expect("it is writable");
        }),
    ];
    for (name, damage) in cases {
        for by_writer in [false, true] {
            let (_dir, upkeep) = upkeep();
            let mut ids: Vec<_> = (0..30).map(|second| ended(&upkeep, second)).collect();
            damage(&upkeep.layout().catalog());
            assert_eq!(listed(&upkeep).len(), 30, "{name}");
            let reported = upkeep.notices().take();
            assert!(reported.iter().any(|notice| notice.contains("index.sqlite")), "{name}: {reported:?}");
            // A writer that does not notice the damage leaves it to the repair that the reader requested.
            if by_writer {
                ids.push(ended(&upkeep, 30));
            }
            upkeep.indexes().repair().expect("it is writable");
            let reported = upkeep.notices().take();
            assert!(reported.iter().any(|notice| notice.contains("rebuilt")), "{name}: {reported:?}");
            ids.reverse();
            assert_eq!((stored(&upkeep), listed(&upkeep)), (ids.len(), ids), "{name}");
            assert_eq!(set_aside_in(upkeep.reader().data_dir()).is_empty(), name == "removed", "{name}");
            assert_eq!(upkeep.notices().take(), Vec::<String>::new(), "{name}");
        }
    }
}

#[test]
fn damage_found_by_a_query_is_repaired_and_the_query_answered() {
    let (_dir, upkeep) = upkeep();
    let ids: Vec<_> = (0..30).map(|second| ended(&upkeep, second)).collect();
    let path = upkeep.layout().catalog();
    let other = rusqlite::Connection::open(&path).expect("it exists");
    other.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); UPDATE tasks SET record = 'torn'").expect("it is writable");
    drop(other);
    assert_eq!(listed(&upkeep).len(), ids.len());
    upkeep.repair();
    let is_rebuilt = || upkeep.notices().take().iter().any(|notice| notice.contains("rebuilt from"));
    connector_testing::eventually("a rebuilt catalog", std::time::Duration::from_secs(30), || {
        is_rebuilt().then_some(())
    });
    assert_eq!((stored(&upkeep), listed(&upkeep).len()), (ids.len(), ids.len()));
}

#[test]
fn a_catalog_locked_by_a_suspended_process_delays_no_task_and_catches_up() {
    let (_dir, upkeep) = upkeep();
    let first = ended(&upkeep, 0);
    let mut other = rusqlite::Connection::open(upkeep.layout().catalog()).expect("it exists");
    let held = other.transaction_with_behavior(TransactionBehavior::Immediate).expect("the lock is free");
    let running = record(1, TaskStatus::Running);
    let task = claimed(&upkeep, &running.id);
    task.write_record(&running).and_then(|()| task.index(&running, LIMITS)).expect("a task can begin");
    assert!(upkeep.notices().take().iter().any(|notice| notice.contains("locked by another process")));
    let done = running.clone().with(json!({"status": "completed"}));
    task.write_record(&done).and_then(|()| task.index(&done, LIMITS)).expect("a task can end");
    task.close().expect("it is writable");
    let _ = upkeep.notices().take();
    let states = || {
        let records = upkeep.reader().list(None, 9).expect("it is readable").records;
        records.into_iter().map(|record| (record.id.clone(), record.status())).collect::<Vec<_>>()
    };
    let expected = vec![(running.id, TaskStatus::Completed), (first, TaskStatus::Completed)];
    assert_eq!((states(), stored(&upkeep)), (expected.clone(), 1));
    assert_eq!(upkeep.notices().take(), Vec::<String>::new(), "a reader needs no lock");
    drop(held);
    let next = ended(&upkeep, 2);
    assert_eq!(states()[1..], expected);
    assert_eq!((stored(&upkeep), listed(&upkeep).contains(&next)), (3, true));
    assert!(!upkeep.layout().catalog_pending().exists());
}

#[test]
fn a_task_that_is_neither_in_the_catalog_nor_in_the_index_is_found_by_its_mark() {
    let (_dir, upkeep) = upkeep();
    let newest: Vec<_> = (100..103).map(|second| ended(&upkeep, second)).collect();
    let mut other = rusqlite::Connection::open(upkeep.layout().catalog()).expect("it exists");
    let held = other.transaction_with_behavior(TransactionBehavior::Immediate).expect("the lock is free");
    // It began before all tasks in the index, which is full.
    let marked = ended(&upkeep, 1);
    assert_eq!(upkeep.indexes().newest().entry(&marked).expect("it is readable"), None);
    assert_eq!(listed(&upkeep).len(), newest.len() + 1);
    drop(held);
    upkeep.catch_up(now());
    assert_eq!((listed(&upkeep).last(), stored(&upkeep)), (Some(&marked), newest.len() + 1));
}

#[test]
fn a_replaced_edition_is_not_remembered() {
    let (_dir, upkeep) = upkeep();
    ended(&upkeep, 0);
    let indexes = upkeep.indexes();
    let mut catalog = Catalog::open_to_write(&upkeep.layout().catalog()).expect("it exists");
    let known = catalog.sources().expect("it is readable").edition;
    assert_eq!(known, indexes.newest().edition().ok());
    let sources = CatalogSources { edition: Some("an earlier one".to_owned()), ..CatalogSources::default() };
    indexes.store(&mut catalog, Vec::new(), Lag { sources, ..Lag::default() }).expect("it is writable");
    assert_eq!(catalog.sources().expect("it is readable").edition, known);
}

#[test]
fn a_suspended_rebuild_delays_no_task() {
    let (_dir, upkeep) = upkeep();
    let first = ended(&upkeep, 0);
    let lock = fs::File::open(upkeep.layout().catalog_lock()).expect("it exists");
    lock.lock().expect("the lock is free");
    fs::remove_file(upkeep.layout().catalog()).expect("it exists");
    let second = ended(&upkeep, 1);
    assert_eq!(listed(&upkeep), [second.clone(), first.clone()]);
    drop(lock);
    let third = ended(&upkeep, 2);
    assert_eq!(listed(&upkeep), [third, second, first]);
    assert_eq!(stored(&upkeep), 3);
}

#[test]
fn a_catalog_under_construction_is_not_damage() {
    let (_dir, upkeep) = upkeep();
    let id = ended(&upkeep, 0);
    fs::remove_file(upkeep.layout().catalog()).expect("it exists");
    let lock = fs::File::open(upkeep.layout().catalog_lock()).expect("it exists");
    lock.lock().expect("the lock is free");
    assert_eq!(listed(&upkeep), std::slice::from_ref(&id));
    assert_eq!(upkeep.notices().take(), Vec::<String>::new(), "another process is building it");
    drop(lock);
    assert_eq!(listed(&upkeep), [id]);
    assert!(upkeep.notices().take()[0].contains("index.sqlite does not exist"));
}

#[test]
fn records_are_listed_where_sqlite_cannot_create_its_files() {
    let (dir, upkeep) = upkeep();
    let ids = [ended(&upkeep, 1), ended(&upkeep, 0)];
    let shared = dir.path().join("data/index.sqlite-shm");
    fs::remove_file(&shared).and_then(|()| symlink("elsewhere", &shared)).expect("it is writable");
    let before = set_aside_in(upkeep.reader().data_dir());
    assert_eq!(listed(&upkeep), ids);
    let notices = upkeep.notices().take();
    assert!(notices.iter().any(|notice| notice.contains("the task records are listed instead")), "{notices:?}");
    let third = ended(&upkeep, 2);
    assert_eq!(set_aside_in(upkeep.reader().data_dir()), before, "the file itself may be fine");
    fs::remove_file(&shared).expect("it exists");
    assert_eq!(listed(&upkeep), [third, ids[0].clone(), ids[1].clone()]);
}

#[test]
fn tasks_of_version_2_0_0_are_seen_at_once_and_stay_after_leaving_the_index() {
    let (_dir, upkeep) = upkeep();
    let mut all: Vec<_> = (0..3).map(|second| ended(&upkeep, second)).collect();
    for second in 3..8 {
        let running = record(second, TaskStatus::Running);
        let task = claimed(&upkeep, &running.id);
        run_by_2_0_0_holding(&upkeep, &task, &running);
        all.push(running.id.clone());
        assert_eq!(listed(&upkeep).len(), all.len(), "while it runs");
        let done = running.with(json!({"status": "failed"}));
        run_by_2_0_0_holding(&upkeep, &task, &done);
        task.close().expect("it is writable");
        let failed = upkeep.reader().list(Some(TaskStatus::Failed), 9).expect("it is readable");
        assert_eq!(failed.total, all.len() - 3, "after it ended");
    }
    // This version limits the index to three entries.
    all.push(ended(&upkeep, 8));
    all.reverse();
    assert_eq!((listed(&upkeep), stored(&upkeep)), (all.clone(), all.len()));
    assert_eq!(upkeep.notices().take(), Vec::<String>::new());
}

fn run_by_2_0_0_holding(upkeep: &Upkeep, task: &crate::store::OpenTask, record: &TaskRecord) {
    task.write_record(record).expect("it is writable");
    let limits = IndexLimits { entries: 1_000, text: 20 };
    upkeep.indexes().newest().upsert(record, limits, None).expect("it is writable");
}

#[test]
fn tasks_that_version_2_0_0_dropped_from_the_index_are_found_by_their_record() {
    let (_dir, upkeep) = upkeep();
    ended(&upkeep, 0);
    // Version 2.0.0's index has room for two entries, and this version does not run in the meantime.
    for second in 1..=6 {
        run_by_2_0_0(&upkeep, &record(second, TaskStatus::Completed), 2);
    }
    assert_eq!(listed(&upkeep).len(), 7);
    ended(&upkeep, 7);
    assert_eq!((listed(&upkeep).len(), stored(&upkeep)), (8, 8));
}

#[test]
fn tasks_that_version_2_0_0_failed_to_index_are_found_by_their_record() {
    let (_dir, upkeep) = upkeep();
    ended(&upkeep, 0);
    let skipped = record(1, TaskStatus::Completed);
    write(&upkeep, &skipped);
    upkeep.indexes().newest().mark_dirty().expect("it is writable");
    assert_eq!(listed(&upkeep).len(), 2);
    ended(&upkeep, 2);
    assert_eq!((listed(&upkeep).len(), stored(&upkeep)), (3, 3));
}

#[test]
fn an_unreferenced_record_is_found_within_an_hour() {
    let (_dir, upkeep) = upkeep();
    ended(&upkeep, 0);
    upkeep.catch_up(now());
    write(&upkeep, &record(1, TaskStatus::Completed));
    upkeep.catch_up(now() + TimeDelta::minutes(59));
    assert_eq!(stored(&upkeep), 1);
    upkeep.catch_up(now() + TimeDelta::minutes(60));
    assert_eq!((stored(&upkeep), listed(&upkeep).len()), (2, 2));
}

/// An index of the original program with this number of tasks.
fn original(tasks: usize) -> String {
    let entry = |number: usize| {
        let id = format!("{number:08x}");
        let started = 1_705_314_600_000_i64 + i64::try_from(number).expect("a small number");
        let text = "long text ".repeat(500);
        (id.clone(), json!({"id": id, "task": text, "status": "completed", "startedAt": started, "sandbox": "odd"}))
    };
    serde_json::Value::Object((0..tasks).map(entry).collect()).to_string()
}

#[test]
fn tasks_of_the_original_program_are_listed_completely_from_the_start() {
    let (_dir, upkeep) = upkeep();
    fs::write(upkeep.layout().index(), original(20)).expect("it is writable");
    assert_eq!(listed(&upkeep).len(), 20, "before there is a catalog");
    ended(&upkeep, 0);
    assert_eq!((listed(&upkeep).len(), stored(&upkeep)), (21, 21));
    let oldest = TaskId::parse("00000000").expect("an ID");
    let complete =
        |upkeep: &Upkeep| upkeep.reader().record(&oldest).expect("it is readable").expect("the task is listed");
    assert_eq!(complete(&upkeep).start.task.raw().len(), 5_000);
    // Now only the archive has it, and the catalog has already read the archive.
    fs::remove_file(upkeep.layout().catalog()).expect("it exists");
    assert_eq!(listed(&upkeep).len(), 21);
    upkeep.catch_up(now());
    assert_eq!((listed(&upkeep).len(), stored(&upkeep)), (21, 21));
    assert_eq!(complete(&upkeep).start.task.raw().len(), 5_000);
    assert!(matches!(upkeep.claim(&oldest), Ok(crate::store::Claim::InUse)), "an ID was used twice");
}

#[test]
fn an_archive_that_appears_later_is_read() {
    let (_dir, upkeep) = upkeep();
    ended(&upkeep, 0);
    let archive = upkeep.layout().archive(now());
    fs::write(archive, original(5)).expect("it is writable");
    assert_eq!(listed(&upkeep).len(), 6);
    ended(&upkeep, 1);
    assert_eq!((listed(&upkeep).len(), stored(&upkeep)), (7, 7));
}

#[test]
fn a_link_in_place_of_the_marks_file_is_moved_away() {
    let (_dir, upkeep) = upkeep();
    ended(&upkeep, 0);
    let path = upkeep.layout().catalog();
    let shared = path.with_extension("sqlite-shm");
    fs::remove_file(&shared).and_then(|()| symlink("elsewhere", &shared)).expect("it is writable");
    let data = upkeep.reader().data_dir().to_owned();
    symlink("/proc/version", upkeep.layout().catalog_pending()).expect("it is writable");
    ended(&upkeep, 1);
    assert!(set_aside_in(&data).iter().any(|name| name.starts_with("index-damaged-")));
    assert_eq!(listed(&upkeep).len(), 2);
}
