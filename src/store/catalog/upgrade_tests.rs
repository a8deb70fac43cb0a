//! Tests of catalogs that the version before left.

use std::thread;

use rusqlite::Connection;

use super::{
    error::CatalogError,
    open::Catalog,
    row::{EndFilter, Filter, Row, StoredState},
    schema::ALL_TALLIES,
    tests::{World, assert_counts_are_correct, id, numbers, row},
    upgrade::UPGRADABLE,
};
use crate::task::{Outcome, TaskStatus};

/// A catalog of version 3 with `tasks` tasks in all states.
fn left_by_version_3(tasks: u32) -> World {
    let world = World::new();
    let unreadable = Row { record: "{".to_owned(), ..row(tasks, TaskStatus::Failed) };
    let rows = (0..tasks).map(|number| row(number, StoredState::ALL[number as usize % 6]));
    world.rebuild(rows.chain([unreadable]));
    let database = Connection::open(world.path()).expect("it exists");
    database
        .execute_batch(&format!(
            "UPDATE tasks SET state = 'failed' WHERE state IN ('cancelled', 'timed_out');
             DELETE FROM tallies; INSERT INTO tallies {ALL_TALLIES}; PRAGMA user_version = {UPGRADABLE};"
        ))
        .expect("it is writable");
    world
}

#[test]
fn a_writer_upgrades_an_older_catalog_in_place() {
    let world = left_by_version_3(18);
    let before = Connection::open(world.path()).and_then(|database| {
        database.query_row("SELECT generation, last_seq FROM meta", [], |row| Ok((row.get(0)?, row.get(1)?)))
    });
    let (generation, last_seq): (String, i64) = before.expect("it is readable");
    let error = Catalog::open_to_read(&world.path()).expect_err("a reader cannot upgrade it");
    assert!(matches!(error, CatalogError::Older) && error.needs_rebuild(), "{error:?}");

    let catalog = Catalog::open_to_write(&world.path()).expect("it is upgraded");
    assert_eq!((catalog.generation(), catalog.last_seq().expect("it is readable")), (generation.as_str(), last_seq));
    let of = |outcome| Filter { end: Some(EndFilter::Outcome(outcome)), ..Filter::default() };
    assert_eq!(numbers(&catalog, &of(Outcome::Cancelled), 9), [15, 9, 3]);
    assert_eq!(numbers(&catalog, &of(Outcome::TimedOut), 9), [16, 10, 4]);
    assert_eq!(numbers(&catalog, &of(Outcome::Failed), 9), [18, 14, 8, 2], "18 has an unreadable record");
    assert_eq!(catalog.ended_since(0, 99).expect("it is readable").len(), 16);
    catalog.connection.execute("DELETE FROM tasks WHERE id = ?1", [id(18).as_str()]).expect("it is writable");
    catalog
        .connection
        .execute_batch(&format!("DELETE FROM tallies; INSERT INTO tallies {ALL_TALLIES}"))
        .expect("valid");
    assert_counts_are_correct(&catalog);
    Catalog::open_to_read(&world.path()).expect("it has this version's format");
}

#[test]
fn a_rebuild_upgrades_an_older_catalog_and_reads_no_record() {
    let world = left_by_version_3(6);
    let rebuilt = world.rebuild(std::iter::from_fn(|| panic!("the rows are not needed")));
    assert_eq!((rebuilt.is_new, rebuilt.aside), (false, None));
    assert_eq!(numbers(&rebuilt.catalog, &Filter::default(), 9), [6, 5, 4, 3, 2, 1, 0]);
}

#[test]
fn several_processes_upgrade_it_once() {
    let world = left_by_version_3(600);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let catalog = Catalog::open_to_write(&world.path()).expect("the others hold the lock only briefly");
                let cancelled = Filter { end: Some(EndFilter::Outcome(Outcome::Cancelled)), ..Filter::default() };
                assert_eq!(numbers(&catalog, &cancelled, 999).len(), 100);
            });
        }
    });
}
