//! Tests of removed tasks, kept tasks, and interrupted removals.

use std::{num::NonZeroUsize, os::unix::fs::symlink, path::Path, thread, time::Duration};

use serde_json::{Value, json};

use super::*;
use crate::{
    store::{
        Claim,
        tests::{upkeep, write},
    },
    task::{IndexLimits, TaskStatus},
};

const LIMITS: IndexLimits = IndexLimits { entries: 100, text: 20 };

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).expect("a valid time")
}

/// A task that ended at this time, with all files that a task can have, and in both lists.
fn ended(upkeep: &Upkeep, second: i64) -> TaskId {
    let record = record(second, TaskStatus::Completed);
    let layout = upkeep.layout();
    let files = [layout.log(&record.id), layout.result(&record.id), layout.events(&record.id)];
    for file in files.into_iter().chain([layout.timeline(&record.id)]) {
        fs::write(file, "x".repeat(1_000)).expect("it is writable");
    }
    write(upkeep, &record);
    upkeep.indexes().upsert(&record, LIMITS).expect("it is writable");
    record.id
}

fn record(second: i64, status: TaskStatus) -> TaskRecord {
    serde_json::from_value(json!({
        "format": 1, "id": TaskId::random(), "status": status, "startedAt": at(second - 5), "completedAt": at(second)
    }))
    .expect("these fields are enough")
}

fn at_most(tasks: usize) -> Retention {
    Retention { max_tasks: NonZeroUsize::new(tasks), ..Retention::default() }
}

fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).expect("it exists").flatten();
    let mut names: Vec<_> = names.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn in_index(upkeep: &Upkeep, id: &TaskId) -> bool {
    upkeep.indexes().newest().entry(id).expect("it is readable").is_some()
}

/// Asserts that no file and no list mentions the task.
fn assert_gone(upkeep: &Upkeep, id: &TaskId) {
    let left: Vec<_> =
        names(upkeep.reader().log_dir()).into_iter().filter(|name| name.starts_with(id.as_str())).collect();
    assert_eq!(left, Vec::<String>::new());
    assert!(!in_index(upkeep, id) && !upkeep.layout().run(id).exists());
    assert_eq!(upkeep.reader().record(id).expect("it is readable"), None);
}

#[test]
fn each_rule_removes_the_oldest() {
    let day = 24 * 60 * 60;
    let (_dir, upkeep) = upkeep();
    // Tasks of about 3 kB that ended 1, 2, 3 and 4 days ago, and one that ends tomorrow.
    let ids: Vec<_> = [-1, 1, 2, 3, 4].map(|days| ended(&upkeep, -days * day)).into();
    let each = upkeep.bytes_of(&ids[0]);
    assert!(ids.iter().all(|id| upkeep.bytes_of(id) == each));
    let age = |days: u64| Retention { max_age: Some(Duration::from_secs(days * 86_400)), ..Retention::default() };
    let size = |max: u64| Retention { max_bytes: Some(max), ..Retention::default() };
    let both = Retention { max_tasks: NonZeroUsize::new(3), ..age(2) };
    for (rules, gone) in [
        (Retention::default(), &[][..]),
        (at_most(5), &[]),
        (at_most(2), &[(4, Rule::Number), (3, Rule::Number), (2, Rule::Number)]),
        (age(2), &[(4, Rule::Age), (3, Rule::Age)]),
        (both, &[(4, Rule::Age), (3, Rule::Age)]),
        (Retention { max_tasks: NonZeroUsize::new(2), ..both }, &[(4, Rule::Age), (3, Rule::Age), (2, Rule::Number)]),
        (size(5 * each), &[]),
        (size(5 * each - 1), &[(4, Rule::Size)]),
        (size(2 * each), &[(4, Rule::Size), (3, Rule::Size), (2, Rule::Size)]),
        (size(1), &[(4, Rule::Size), (3, Rule::Size), (2, Rule::Size), (1, Rule::Size)]),
    ] {
        let gone: Vec<_> = gone.iter().map(|(at, rule)| (ids[*at].clone(), *rule)).collect();
        assert_eq!(upkeep.tasks_to_remove(rules, at(0)).expect("it is readable"), gone, "{rules:?}");
    }
}

#[test]
fn a_removed_task_leaves_nothing_behind_and_is_reported() {
    let (_dir, upkeep) = upkeep();
    let (old, new) = (ended(&upkeep, 0), ended(&upkeep, 10));
    assert_eq!(upkeep.remove_old(at_most(1), at(20)).expect("it can be removed"), 1);
    assert_gone(&upkeep, &old);
    assert_eq!(names(upkeep.reader().log_dir()).len(), 5);
    assert!(in_index(&upkeep, &new));
    assert_eq!(
        upkeep.notices().take(),
        ["1 old task was removed with all its files: 1 because of `retention.max_tasks`"]
    );

    assert_eq!(upkeep.remove_old(at_most(1), at(20)).expect("it is readable"), 0);
    assert!(upkeep.notices().take().is_empty() && matches!(upkeep.claim(&old), Ok(Claim::Claimed(_))));
}

#[test]
fn running_tasks_foreign_files_and_files_set_aside_are_kept() {
    let (_dir, upkeep) = upkeep();
    let running = record(0, TaskStatus::Running);
    write(&upkeep, &running);
    let (closing, theirs, later) = (ended(&upkeep, 1), ended(&upkeep, 2), ended(&upkeep, 3));
    fs::create_dir(upkeep.layout().run(&closing)).expect("it is writable");
    for (id, format) in [(&theirs, 0), (&later, 99)] {
        let content = fs::read(upkeep.reader().record_path(id)).expect("it exists");
        let mut record: Value = serde_json::from_slice(&content).expect("a record is JSON");
        record["format"] = json!(format);
        fs::write(upkeep.reader().record_path(id), record.to_string()).expect("it is writable");
    }
    let (data, logs) = (upkeep.reader().data_dir(), upkeep.reader().log_dir());
    fs::write(data.join("tasks-archive-2026.json"), "{}").expect("it is writable");
    let tasks_to_remove = ended(&upkeep, 4);
    for neighbor in [
        format!("{tasks_to_remove}.debug-damaged-2026.json"),
        format!("{tasks_to_remove}.log.bak"),
        "notes.log".to_owned(),
    ] {
        fs::write(logs.join(neighbor), "").expect("it is writable");
    }
    let newest = ended(&upkeep, 5);

    assert_eq!(upkeep.remove_old(at_most(1), at(20)).expect("it can be removed"), 1);
    for id in [&running.id, &closing, &theirs, &later, &newest] {
        assert!(upkeep.reader().record_path(id).exists(), "{id}");
    }
    let names = names(logs);
    let neighbors: Vec<_> = names.iter().filter(|name| name.starts_with(tasks_to_remove.as_str())).collect();
    assert_eq!(
        neighbors,
        [&format!("{tasks_to_remove}.debug-damaged-2026.json"), &format!("{tasks_to_remove}.log.bak")]
    );
    assert!(names.contains(&"notes.log".to_owned()) && data.join("tasks-archive-2026.json").exists());
}

#[test]
fn an_interrupted_removal_is_finished_by_the_next() {
    let (_dir, upkeep) = upkeep();
    // The removal has begun, and none, some or all of the files are gone.
    for files_gone in 0..=5 {
        let id = ended(&upkeep, 0);
        let lease = upkeep.take_over(&id).expect("the lease can be tried");
        fs::write(upkeep.layout().removing(&id), "").expect("it is writable");
        let files = records::files_of(upkeep.layout(), &id);
        files.iter().take(files_gone).for_each(|file| fs::remove_file(file).expect("it exists"));
        drop(lease);

        upkeep.remove_old(Retention::default(), at(20)).expect("it can be finished");
        assert_gone(&upkeep, &id);
    }
}

#[test]
fn a_task_that_another_process_is_removing_is_skipped() {
    let (_dir, upkeep) = upkeep();
    let id = ended(&upkeep, 0);
    let _lease = upkeep.take_over(&id).expect("the lease can be tried").expect("the lease is free");
    fs::write(upkeep.layout().removing(&id), "").expect("it is writable");
    assert_eq!(upkeep.remove_old(Retention::default(), at(20)).expect("it is readable"), 0);
    assert!(upkeep.reader().record_path(&id).exists());
}

#[test]
fn a_task_removed_in_the_meantime_is_not_removed_again() {
    let (_dir, upkeep) = upkeep();
    let id = ended(&upkeep, 0);
    let task = upkeep.begin_removal(&id).expect("the removal can begin").expect("the task exists");
    upkeep.finish_removal(task).expect("it can be finished");
    assert!(upkeep.begin_removal(&id).expect("the lease can be tried").is_none());
    assert_gone(&upkeep, &id);
}

#[test]
fn a_failed_removal_does_not_block_the_others() {
    let (_dir, upkeep) = upkeep();
    let (stuck, old, newer, _newest) = (ended(&upkeep, 0), ended(&upkeep, 1), ended(&upkeep, 2), ended(&upkeep, 3));
    fs::remove_file(upkeep.layout().events(&stuck)).expect("it exists");
    fs::create_dir(upkeep.layout().events(&stuck)).expect("it is writable");
    assert_eq!(upkeep.remove_old(at_most(2), at(20)).expect("it can be removed"), 1);
    assert_gone(&upkeep, &old);
    assert!(upkeep.reader().record_path(&stuck).exists(), "the record is removed last");
    assert_eq!(upkeep.remove_old(at_most(1), at(20)).expect("it can be removed"), 1);
    assert_gone(&upkeep, &newer);
}

#[test]
fn a_removal_without_the_index_is_finished_later() {
    let (_dir, upkeep) = upkeep();
    let (old, _new) = (ended(&upkeep, 0), ended(&upkeep, 10));
    let lock = fs::File::create(upkeep.layout().index_lock()).expect("it is writable");
    lock.lock().expect("the lock is free");
    assert_eq!(upkeep.remove_old(at_most(1), at(20)).expect("a locked index is not an error"), 0);
    assert!(upkeep.reader().is_being_removed(&old) && in_index(&upkeep, &old));
    drop(lock);
    upkeep.remove_old(at_most(1), at(20)).expect("it can be finished");
    assert_gone(&upkeep, &old);
}

#[test]
fn anything_but_a_record_neither_blocks_a_removal_nor_is_removed() {
    let (_dir, upkeep) = upkeep();
    let (old, new) = (ended(&upkeep, 1), ended(&upkeep, 2));
    let ids: Vec<_> = (0..4).map(|_| TaskId::random()).collect();
    let [pipe, link, device, dir] = [0, 1, 2, 3].map(|at: usize| upkeep.layout().record(&ids[at]));
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("it is writable");
    symlink(upkeep.layout().record(&old), &link).expect("it is writable");
    symlink("/dev/zero", &device).expect("it is writable");
    fs::create_dir(&dir).expect("it is writable");

    assert_eq!(upkeep.remove_old(at_most(1), at(10)).expect("it can be removed"), 1);

    assert_gone(&upkeep, &old);
    assert!(upkeep.reader().record_path(&new).exists());
    assert!([pipe, link, device, dir].iter().all(|file| file.symlink_metadata().is_ok()));
    assert_eq!(upkeep.reader().list(None, 10).expect("it is readable").total, 1);
}

#[test]
fn concurrent_removals_remove_each_task_once() {
    let (_dir, first) = upkeep();
    let old: Vec<_> = (0..100).map(|second| ended(&first, second)).collect();
    let new = ended(&first, 1_000);
    let removed: usize = thread::scope(|scope| {
        let servers: Vec<_> = (0..5)
            .map(|_| {
                let other = Upkeep::open(first.reader().data_dir(), first.reader().log_dir()).expect("it exists");
                scope.spawn(move || other.remove_old(at_most(1), at(2_000)).expect("it can be removed"))
            })
            .collect();
        servers.into_iter().map(|server| server.join().expect("it does not panic")).sum()
    });
    // Some removals may only have begun, because another process held the index for too long. They are not counted.
    let begun = first.reader().running_ids().expect("it is readable").len();
    assert_eq!(removed + begun, 100, "a task was counted twice, or not at all");
    first.remove_old(at_most(1), at(2_000)).expect("it can be removed");
    old.iter().for_each(|id| assert_gone(&first, id));
    assert!(first.reader().record_path(&new).exists() && in_index(&first, &new));
    assert_eq!(first.reader().running_ids().expect("it is readable"), []);
}

#[test]
fn only_timelines_of_tasks_removed_by_version_2_0_0_are_removed() {
    let (_dir, upkeep) = upkeep();
    let (removed, kept) = (ended(&upkeep, 0), ended(&upkeep, 10));
    let timeline = upkeep.layout().timeline(&removed);
    for file in records::files_of(upkeep.layout(), &removed).iter().filter(|file| **file != timeline) {
        fs::remove_file(file).expect("it exists");
    }
    upkeep.remove_leftovers();
    assert!(timeline.exists(), "the index still has the task");
    upkeep.indexes().newest().remove(std::slice::from_ref(&removed), None).expect("it is writable");
    upkeep.remove_leftovers();
    assert!(!timeline.exists() && upkeep.layout().timeline(&kept).exists());
    fs::remove_file(upkeep.reader().record_path(&kept)).expect("it exists");
    upkeep.remove_leftovers();
    assert!(upkeep.layout().timeline(&kept).exists(), "other files of the task still exist");
}
