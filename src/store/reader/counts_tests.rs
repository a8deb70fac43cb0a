//! Tests of numbers of tasks, with the catalog and without it, and of a catalog that the version before left.

use std::fs;

use serde_json::json;

use super::*;
use crate::{
    store::{
        EndFilter, OpenTask, Upkeep,
        tests::{claimed, index, record, upkeep, write},
    },
    task::{Page, StateFilter, TaskStatus},
};

/// Ended tasks with each outcome, in two directories and of two backends, one running task, and one that ended since it
/// was stored in the catalog.
fn tasks(upkeep: &Upkeep) -> OpenTask {
    for (second, status, reason, backend, directory) in [
        (0, TaskStatus::Completed, None, "codex", "/a"),
        (1, TaskStatus::Failed, Some("Exited with code 1"), "codex", "/b"),
        (2, TaskStatus::Failed, Some("Cancelled by user"), "codex", "/a"),
        (3, TaskStatus::Failed, Some("Cancelled by user"), "claude", "/a"),
        (4, TaskStatus::Failed, Some("Timeout after 60s"), "codex", "/a"),
        (5, TaskStatus::Interrupted, None, "codex", "/a"),
    ] {
        let fields = json!({"failureReason": reason, "backend": backend, "workingDirectory": directory});
        let record = record(second, status).with(fields);
        write(upkeep, &record);
        index(upkeep, &record);
    }
    let of = |second, status| record(second, status).with(json!({"backend": "codex", "workingDirectory": "/a"}));
    let running = of(6, TaskStatus::Running);
    let task = claimed(upkeep, &running.id);
    task.write_record(&running).expect("it is writable");
    index(upkeep, &running);
    let ended = of(7, TaskStatus::Running);
    index(upkeep, &ended);
    let reason = json!({"id": ended.id, "failureReason": "Cancelled by user"});
    write(upkeep, &of(7, TaskStatus::Failed).with(reason));
    task
}

#[test]
fn tasks_are_counted_by_outcome_repository_and_backend_with_the_catalog_and_without_it() {
    let (_dir, upkeep) = upkeep();
    let _running = tasks(&upkeep);
    let reader = upkeep.reader();
    let expected =
        TaskCounts { queued: 0, running: 1, completed: 1, failed: 1, cancelled: 3, timed_out: 1, interrupted: 1 };
    for with_catalog in [true, false] {
        assert_eq!(upkeep.layout().catalog().exists(), with_catalog);
        let counts = |filter: &Filter| reader.counts(filter).expect("it is readable");
        assert_eq!(counts(&Filter::default()), expected, "with a catalog: {with_catalog}");
        let claude = Filter { backend: Some("claude".to_owned()), ..Filter::default() };
        assert_eq!(counts(&claude), TaskCounts { cancelled: 1, ..TaskCounts::default() });
        let numbers = |found: Vec<(String, u64)>| found.into_iter().map(|(_, tasks)| tasks).collect::<Vec<_>>();
        assert_eq!(numbers(reader.repositories().expect("it is readable")), [7, 1]);
        let backends = reader.seen_backends().expect("it is readable");
        assert_eq!(backends, [("codex".to_owned(), 7), ("claude".to_owned(), 1)]);
        for outcome in Outcome::ALL {
            let filter = Filter { end: Some(EndFilter::Outcome(outcome)), ..Filter::default() };
            let found = reader.find(&filter, 99).expect("it is readable");
            assert!(found.records.iter().all(|record| Outcome::of(record) == Some(outcome)));
            assert_eq!(found.total as u64, expected.of(StateFilter::Outcome(outcome)), "{outcome:?}");
        }
        let ids = |page| -> Vec<_> {
            let found = reader.find_page(&Filter::default(), page).expect("it is readable");
            assert_eq!(found.total, 8);
            found.records.into_iter().map(|record| record.id).collect()
        };
        let all = ids(Page::first(99));
        let pages: Vec<_> = [0, 3, 6, 9].into_iter().flat_map(|skip| ids(Page { skip, limit: 3 })).collect();
        assert_eq!(pages, all);
        let _ = fs::remove_file(upkeep.layout().catalog());
    }
}

#[test]
fn an_older_catalog_hides_no_task_and_is_upgraded_without_a_notice() {
    let (_dir, upkeep) = upkeep();
    let _running = tasks(&upkeep);
    let before = upkeep.reader().counts(&Filter::default()).expect("it is readable");
    let path = upkeep.layout().catalog();
    let database = rusqlite::Connection::open(&path).expect("it exists");
    database
        .execute_batch(
            "UPDATE tasks SET state = 'failed' WHERE state IN ('cancelled', 'timed_out'); DELETE FROM tallies;
             INSERT INTO tallies SELECT 0, '', '', state, count(*) FROM tasks GROUP BY state; PRAGMA user_version = 3;",
        )
        .expect("it is writable");
    drop(database);
    // A process that opens it now.
    let reader = upkeep.reader();
    let upkeep = Upkeep::open(reader.data_dir(), reader.log_dir()).expect("it exists");
    let version = || {
        let database = rusqlite::Connection::open(&path).expect("it exists");
        database.query_row("PRAGMA user_version", [], |row| row.get::<_, i32>(0)).expect("it is readable")
    };
    assert_eq!(upkeep.reader().counts(&Filter::default()).expect("it is readable"), before);
    assert_eq!((version(), upkeep.notices().take()), (3, vec![]), "a reader changes nothing");
    upkeep.rebuild_if_needed().expect("it is readable");
    upkeep.finish_rebuild().expect("it was begun").expect("it is upgraded");
    assert_eq!((version(), upkeep.notices().take()), (4, vec![]));
    assert_eq!(upkeep.reader().counts(&Filter::default()).expect("it is readable"), before);
}
