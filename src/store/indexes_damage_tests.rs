//! Tests with a catalog that SQLite accepts but whose content is damaged.

use std::{
    fs,
    path::Path,
    slice, thread,
    time::{Duration, Instant},
};

use rusqlite::TransactionBehavior;

use super::tests::{ended, listed, set_aside_in, stored};
use crate::store::{Upkeep, tests::upkeep};

/// Changes the catalog like a failing disk, or another program, could.
fn change(catalog: &Path, sql: &str) {
    let other = rusqlite::Connection::open(catalog).expect("it exists");
    other.execute_batch(&format!("PRAGMA wal_checkpoint(TRUNCATE); {sql}")).expect("it is writable");
}

const ONE: &str = "WHERE id = (SELECT id FROM tasks ORDER BY started_at LIMIT 1 OFFSET 3)";

/// Checks that no task is hidden by this damage, that it is reported, and that it is repaired.
fn assert_noticed_and_repaired(name: &str, damage: impl Fn(&Path)) {
    let (_dir, upkeep) = upkeep();
    let mut ids: Vec<_> = (0..10).map(|second| ended(&upkeep, second)).collect();
    ids.reverse();
    damage(&upkeep.layout().catalog());
    assert_eq!(listed(&upkeep), ids, "{name}");
    let reported = upkeep.notices().take();
    assert!(reported.iter().any(|notice| notice.contains("index.sqlite is damaged")), "{name}: {reported:?}");
    upkeep.indexes().repair().expect("it is writable");
    let reported = upkeep.notices().take();
    assert!(reported.iter().any(|notice| notice.contains("rebuilt from the task records")), "{name}: {reported:?}");
    assert_eq!(set_aside_in(upkeep.reader().data_dir()).len(), 1, "{name}");
    assert_eq!((stored(&upkeep), listed(&upkeep)), (ids.len(), ids), "{name}");
    assert_eq!(upkeep.notices().take(), Vec::<String>::new(), "{name}");
}

fn assert_changed_and_repaired(sql: &str) {
    assert_noticed_and_repaired(sql, |catalog| change(catalog, sql));
}

#[test]
fn a_catalog_with_an_unreadable_record_is_rebuilt() {
    for change in [
        "record = 'torn'",
        r#"record = replace(record, '"startedAt":"20', '"startedAt":"x0')"#,
        r#"record = replace(record, '"status":"c', '"status":"x')"#,
        "record = cast(replace(cast(record AS BLOB), x'7374617475', x'ff74617475') AS TEXT)",
    ] {
        assert_changed_and_repaired(&format!("UPDATE tasks SET {change} {ONE}"));
    }
}

#[test]
fn tasks_that_a_listing_lacks_are_noticed_and_found() {
    for change in [
        format!("UPDATE tasks SET id = 'zzzzzzzz' {ONE}"),
        format!("UPDATE tasks SET state = 'zzz' {ONE}"),
        format!("DELETE FROM tasks {ONE}"),
        "DELETE FROM tasks".to_owned(),
        "UPDATE tallies SET tasks = 8 WHERE scope = 0".to_owned(),
    ] {
        assert_changed_and_repaired(&change);
    }
}

#[test]
fn a_task_that_an_index_of_the_catalog_lacks_is_noticed_and_found() {
    assert_noticed_and_repaired("one byte", |catalog| {
        change(catalog, "");
        let other = rusqlite::Connection::open(catalog).expect("it exists");
        let root = "SELECT (rootpage - 1) * page_size FROM sqlite_schema, pragma_page_size WHERE name = 'by_state'";
        let root: u32 = other.query_row(root, [], |row| row.get(0)).expect("the index exists");
        drop(other);
        let root = usize::try_from(root).expect("a small file");
        let mut content = fs::read(catalog).expect("it is readable");
        let entry = memchr::memmem::find(&content[root..], b"completed").expect("the index has entries");
        content[root + entry] ^= 1;
        fs::write(catalog, content).expect("it is writable");
    });
}

#[test]
fn a_catalog_that_a_suspended_process_holds_exclusively_delays_all_queries_once() {
    let (_dir, upkeep) = upkeep();
    let id = ended(&upkeep, 0);
    let mut other = rusqlite::Connection::open(upkeep.layout().catalog()).expect("it exists");
    // Only this lock keeps readers out of a database with a write-ahead log.
    other
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE")
        .expect("no other process has it");
    let held = other.transaction_with_behavior(TransactionBehavior::Exclusive).expect("the lock is free");
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| assert_eq!(listed(&upkeep), slice::from_ref(&id)));
        }
    });
    assert_eq!(listed(&upkeep), slice::from_ref(&id));
    // A single wait takes two seconds.
    let took = began.elapsed();
    assert!(took < Duration::from_millis(3_500), "{took:?}");
    assert!(upkeep.notices().take().iter().any(|notice| notice.contains("locked by another process")));
    drop(held);
}

#[test]
fn another_server_reports_that_changes_wait_for_a_locked_catalog_and_stores_them() {
    let (_dir, upkeep) = upkeep();
    let first = ended(&upkeep, 0);
    let mut other = rusqlite::Connection::open(upkeep.layout().catalog()).expect("it exists");
    let held = other.transaction_with_behavior(TransactionBehavior::Immediate).expect("the lock is free");
    let second = ended(&upkeep, 1);
    let server = Upkeep::open(upkeep.reader().data_dir(), upkeep.reader().log_dir()).expect("it is writable");
    for _ in 0..2 {
        server.repair();
        let reported = server.notices().take();
        assert!(reported.iter().any(|notice| notice.contains("locked by another process")), "{reported:?}");
    }
    drop(held);
    server.repair();
    assert_eq!(server.notices().take(), Vec::<String>::new());
    assert_eq!((stored(&server), listed(&server)), (2, vec![second, first]));
}
