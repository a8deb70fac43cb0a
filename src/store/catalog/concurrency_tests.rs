//! Tests with several connections and processes on one catalog.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Child, Command},
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use rusqlite::{Connection, TransactionBehavior};

use super::{
    aside::set_aside,
    error::CatalogError,
    open::{Catalog, LOCK_TIMEOUT},
    pending::{mark, marked},
    rebuild::{Check, rebuild},
    row::{ChangedTasks, Filter, Row, Seq},
    tests::{World, assert_counts_are_correct, id, numbers, row},
};
use crate::task::{Page, TaskId, TaskStatus};

/// Variables that give a child process its directory and its first number.
const WHERE: &str = "CATALOG_TEST_DIRECTORY";
const FROM: &str = "CATALOG_TEST_FROM";

const EACH: u32 = 40;

fn write_some(path: &Path, from: u32) -> Vec<Seq> {
    let mut seqs = Vec::new();
    for number in from..from + EACH {
        // Open and close the catalog for each write, like a supervisor.
        let mut catalog = Catalog::open_to_write(path).expect("it exists");
        assert_eq!(catalog.upsert(&row(number, TaskStatus::Running)).expect("locks are held only briefly"), None);
        drop(catalog);
        let mut catalog = Catalog::open_to_write(path).expect("it exists");
        seqs.extend(catalog.upsert(&row(number, TaskStatus::Completed)).expect("locks are held only briefly"));
    }
    seqs
}

fn start(world: &World, from: u32) -> Child {
    Command::new(std::env::current_exe().expect("the test's own path is known"))
        .args(["--exact", "store::catalog::concurrency_tests::processes_and_threads_write_at_the_same_time", "--quiet"])
        .env(WHERE, world.dir.path())
        .env(FROM, from.to_string())
        .spawn()
        .expect("the test can be run again")
}

#[test]
fn processes_and_threads_write_at_the_same_time() {
    // In a child process, the test is one of the writers.
    if let Some(dir) = std::env::var_os(WHERE) {
        let from = std::env::var(FROM).expect("`start` sets it").parse().expect("a number");
        write_some(&Path::new(&dir).join("index.sqlite"), from);
        return;
    }
    let world = World::new();
    let server = world.catalog();
    let children: Vec<_> = (1..4).map(|child| start(&world, child * 1_000)).collect();
    let path = world.path();
    let seqs: Vec<Seq> = thread::scope(|scope| {
        let threads: Vec<_> = (5..8)
            .map(|thread| {
                scope.spawn({
                    let path = &path;
                    move || write_some(path, thread * 1_000)
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it does not panic")).collect()
    });
    for mut child in children {
        assert!(child.wait().expect("our child can be waited for").success());
    }
    assert_eq!(server.last_seq().expect("it is readable"), i64::from(6 * EACH));
    assert_eq!(seqs.iter().collect::<BTreeSet<_>>().len(), 3 * EACH as usize, "every sequence number is unique");
    let ended = server.ended_since(0, usize::MAX).expect("it is readable");
    assert_eq!(ended.len(), 6 * EACH as usize);
    assert_counts_are_correct(&server);
}

#[test]
fn a_lock_that_is_not_released_stops_writers_for_two_seconds_and_readers_not_at_all() {
    let world = World::new();
    let mut catalog = world.catalog();
    catalog.upsert(&row(1, TaskStatus::Completed)).expect("it is writable");
    let mut other = Connection::open(world.path()).expect("it exists");
    let held = other.transaction_with_behavior(TransactionBehavior::Immediate).expect("the lock is free");

    let began = Instant::now();
    let error = catalog.upsert(&row(2, TaskStatus::Completed)).expect_err("the lock is held");
    assert!(matches!(error, CatalogError::Locked) && !error.needs_rebuild(), "{error:?}");
    assert!((LOCK_TIMEOUT..2 * LOCK_TIMEOUT).contains(&began.elapsed()), "{:?}", began.elapsed());
    mark(&world.pending(), &id(2)).expect("a mark needs no lock");

    let reader = Catalog::open_to_read(&world.path()).expect("readers do not need the lock");
    assert_eq!(numbers(&reader, &Filter::default(), 9), [1]);
    assert_eq!(marked(&world.pending()).expect("it is readable"), [id(2)].into());

    drop(held);
    catalog.catch_up(&world.pending(), |_| Some(row(2, TaskStatus::Completed))).expect("the lock is free");
    assert_eq!(numbers(&reader, &Filter::default(), 9), [2, 1]);
}

#[test]
fn a_catalog_that_is_removed_or_replaced_while_open_is_noticed_and_the_new_one_is_unharmed() {
    let world = World::new();
    let mut old = world.catalog();
    old.upsert(&row(1, TaskStatus::Completed)).expect("it is writable");
    fs::remove_file(world.path()).expect("it exists");
    assert!(matches!(old.page(&Filter::default(), Page::first(1), &ChangedTasks::default()), Err(CatalogError::Moved)));

    let mut new = world.rebuild([row(3, TaskStatus::Completed)]).catalog;
    new.upsert(&row(4, TaskStatus::Completed)).expect("it is writable");
    let error = old.upsert(&row(2, TaskStatus::Completed)).expect_err("its file is gone");
    assert!(matches!(error, CatalogError::Moved), "{error:?}");
    // On close, SQLite may remove the companion files of its database, which have the same names as those of the new
    // one.
    drop(old);
    let again = Catalog::open_to_write(&world.path()).expect("it exists");
    assert_eq!(numbers(&again, &Filter::default(), 9), [4, 3]);
    assert_counts_are_correct(&again);
}

#[test]
fn a_write_to_a_catalog_that_is_set_aside_before_its_end_is_reported() {
    let world = World::new();
    let mut catalog = world.catalog();
    let path = world.path();
    let written = catalog.writing(|_| set_aside(&path));
    assert!(matches!(written, Err(CatalogError::Moved)), "{written:?}");
}

#[test]
fn one_of_several_rebuilds_creates_the_catalog_and_the_others_open_it() {
    let world = World::new();
    fs::write(world.path(), "damaged").expect("it is writable");
    let (path, lock, barrier) = (world.path(), world.lock(), Barrier::new(4));
    let made: Vec<_> = thread::scope(|scope| {
        let build = || {
            barrier.wait();
            rebuild(&path, &lock, Check::Opens, (0..500).map(|number| row(number, TaskStatus::Completed)))
                .expect("it is writable")
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(build)).collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    });
    assert_eq!(made.iter().filter(|made| made.is_new).count(), 1);
    assert_eq!(made.iter().filter(|made| made.aside.is_some()).count(), 1);
    assert_eq!(made.iter().map(|made| made.catalog.generation()).collect::<BTreeSet<_>>().len(), 1);
}

#[test]
fn no_mark_is_lost_while_the_catalog_catches_up() {
    let world = World::new();
    world.catalog();
    let (path, pending) = (world.path(), world.pending());
    let is_marked = AtomicBool::new(false);
    thread::scope(|scope| {
        let catching = scope.spawn(|| {
            let mut catalog = Catalog::open_to_write(&path).expect("it exists");
            let mut find = |id: &TaskId| Some(Row { id: TaskId::clone(id), ..row(0, TaskStatus::Completed) });
            while !is_marked.load(Ordering::SeqCst) {
                catalog.catch_up(&pending, &mut find).expect("it is writable");
            }
            catalog.catch_up(&pending, &mut find).expect("it is writable");
        });
        let marking = (0..3).map(|thread| {
            let pending = &pending;
            scope.spawn(move || {
                (0..300).for_each(|number| mark(pending, &id(thread * 1_000 + number)).expect("it is writable"))
            })
        });
        let marking: Vec<_> = marking.collect();
        let marked: Vec<_> = marking.into_iter().map(|thread| thread.join()).collect();
        is_marked.store(true, Ordering::SeqCst);
        assert!(marked.iter().all(Result::is_ok), "{marked:?}");
        catching.join().expect("it does not panic");
    });
    let catalog = Catalog::open_to_read(&path).expect("it exists");
    let counts = catalog.counts(&Filter::default(), &BTreeSet::new()).expect("it is readable");
    assert_eq!(counts.values().sum::<u64>(), 900);
}
