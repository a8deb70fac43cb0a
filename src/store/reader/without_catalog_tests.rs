//! Tests of listing a long history while there is no catalog.

use std::{
    fs::{self, FileTimes},
    time::Duration,
};

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::{
    store::{
        Upkeep,
        tests::{claimed, record, upkeep},
    },
    task::TaskStatus,
};

/// The number of tasks of a history that is just too long to be read for a listing.
const LONG: i64 = 51;

/// The number of the newest tasks that are in `tasks.json`.
const INDEXED: i64 = 5;

/// A data directory without a catalog, with `count` ended tasks. Returns their IDs, oldest first.
fn history(count: i64) -> (TempDir, Upkeep, Vec<TaskId>) {
    let (dir, upkeep) = upkeep();
    let mut entries = serde_json::Map::new();
    let mut ids = Vec::new();
    for second in 0..count {
        let record = record(second, TaskStatus::Completed).with(json!({"sessionId": format!("session {second}")}));
        let path = upkeep.layout().record(&record.id);
        let content = serde_json::to_vec(&record).expect("it is JSON");
        fs::write(&path, content).expect("it is writable");
        let written = SystemTime::from(record.start.started_at) - Duration::from_secs(1 << 20);
        let file = fs::File::options().write(true).open(path).expect("it exists");
        file.set_times(FileTimes::new().set_modified(written)).expect("it is ours");
        if second >= count - INDEXED {
            entries.insert(record.id.to_string(), json!(record));
        }
        ids.push(record.id);
    }
    fs::write(upkeep.layout().index(), json!(entries).to_string()).expect("it is writable");
    (dir, upkeep, ids)
}

fn ids(listing: &Listing) -> Vec<TaskId> {
    listing.records.iter().map(|record| record.id.clone()).collect()
}

#[test]
fn while_the_catalog_of_a_long_history_is_built_its_newest_tasks_are_listed() {
    let (_dir, upkeep, mut all) = history(LONG);
    let reader = upkeep.reader();
    let indexed: Vec<_> = all.iter().rev().take(5).cloned().collect();
    let listing = reader.list(None, 100).expect("it is readable");
    assert_eq!((ids(&listing), listing.total, listing.is_partial), (indexed, 5, true));

    // Running tasks are listed, however old they are, and so are tasks that ended during the rebuild.
    let running = record(-9, TaskStatus::Running);
    let task = claimed(&upkeep, &running.id);
    task.write_record(&running).expect("it is writable");
    crate::store::catalog::mark(&upkeep.layout().catalog_pending(), &all[7]).expect("it is writable");
    let listing = reader.list(None, 100).expect("it is readable");
    assert_eq!(ids(&listing)[5..], [all[7].clone(), running.id.clone()]);
    let listing = reader.list(Some(TaskStatus::Running), 100).expect("it is readable");
    assert_eq!((ids(&listing), listing.is_partial), (vec![running.id.clone()], true));
    assert!(!upkeep.layout().catalog().exists(), "listing did not build the catalog");

    upkeep.catch_up(chrono::Utc::now());
    let listing = reader.list(None, usize::MAX).expect("it is readable");
    all.reverse();
    all.push(running.id);
    assert_eq!((ids(&listing), listing.is_partial), (all, false));
}

#[test]
fn without_the_index_the_tasks_that_were_written_last_are_listed() {
    let (_dir, upkeep, all) = history(LONG);
    fs::remove_file(upkeep.layout().index()).expect("it exists");
    let listing = upkeep.reader().list(None, 3).expect("it is readable");
    let newest: Vec<_> = all.iter().rev().take(3).cloned().collect();
    assert_eq!((ids(&listing), listing.total, listing.is_partial), (newest, MAX_TASKS_READ, true));
}

#[test]
fn a_short_history_is_listed_completely_without_a_catalog() {
    let (_dir, upkeep, all) = history(LONG - 1);
    let listing = upkeep.reader().list(None, 1).expect("it is readable");
    assert_eq!((listing.total, listing.is_partial), (all.len(), false));
}

#[test]
fn a_long_history_of_the_original_program_is_not_read_for_a_listing() {
    let (_dir, upkeep) = upkeep();
    let entry = |second| {
        let record = record(second, TaskStatus::Completed);
        (record.id.to_string(), json!({"status": "completed", "startedAt": (1_700_000_000 + second) * 1_000}))
    };
    let entries: serde_json::Map<_, _> = (0..LONG).map(entry).collect();
    let content = json!(entries).to_string();
    fs::write(upkeep.layout().index(), &content).expect("it is writable");
    let listing = upkeep.reader().list(None, 2).expect("it is readable");
    let newest = listing.records.iter().map(|it| it.start.started_at.timestamp() - 1_700_000_000);
    assert_eq!((newest.collect::<Vec<_>>(), listing.is_partial), (vec![LONG - 1, LONG - 2], true));

    fs::rename(upkeep.layout().index(), upkeep.layout().archive(chrono::Utc::now())).expect("it exists");
    assert!(!upkeep.reader().list(None, 2).expect("it is readable").is_partial, "the archive is small");
    let archive = upkeep.layout().archive(chrono::Utc::now() + chrono::TimeDelta::seconds(1));
    let content = content + &" ".repeat(usize::try_from(MAX_ARCHIVE_BYTES).expect("it is small"));
    fs::write(archive, content).expect("it is writable");
    assert!(upkeep.reader().list(None, 2).expect("it is readable").is_partial);
}

#[test]
fn one_task_and_its_session_are_found_without_a_catalog() {
    let (_dir, upkeep, all) = history(LONG);
    let oldest = upkeep.reader().record(&all[0]).expect("it is readable").expect("the task exists");
    assert_eq!(oldest.id, all[0]);
    let found = upkeep.reader().newest_of_session("session 0", 1).expect("it is readable").pop();
    assert_eq!(found.map(|found| found.id), Some(all[0].clone()));
    assert_eq!(upkeep.reader().newest_of_session("another", 1).expect("it is readable"), []);
    assert!(!upkeep.layout().catalog().exists());
}

#[test]
fn a_catalog_that_cannot_be_read_now_does_not_make_a_listing_partial() {
    let (_dir, upkeep, all) = history(LONG);
    let listing = upkeep.reader().find_without_catalog(&CatalogError::Locked, &Filter::default(), Page::first(9));
    let listing = listing.expect("it is readable");
    assert_eq!((listing.records.len(), listing.total, listing.is_partial), (9, all.len(), false));
}
