//! Tests with a kill or an I/O error at each fault point. Each of them must leave a usable or a detectably unusable
//! catalog, and the next writer must complete the work.

use std::{env, fs, path::Path, process::Command};

use super::{
    aside::set_aside,
    error::CatalogError,
    open::Catalog,
    pending::{mark, marked},
    rebuild::{Check, rebuild},
    row::{Filter, Row},
    tests::{World, assert_counts_are_correct, id, numbers, row},
};
use crate::task::TaskStatus;

/// The variable that gives the child process its directory.
const WHERE: &str = "CATALOG_FAULT_DIRECTORY";

/// The rows of the existing records. Task 3 has none, because it is removed.
fn records() -> [Row; 3] {
    [row(1, TaskStatus::Completed), row(2, TaskStatus::Failed), row(4, TaskStatus::Completed)]
}

/// Uses every operation of the catalog, up to the first error, and marks the tasks that could not be stored.
fn work(dir: &Path) -> Result<(), CatalogError> {
    let (path, lock, pending) = (dir.join("index.sqlite"), dir.join("index.lock"), dir.join("index.pending"));
    let mark = |number| mark(&pending, &id(number)).map_err(|error| CatalogError::from(error.source));
    mark(2)?;
    let known = || [row(1, TaskStatus::Running), row(3, TaskStatus::Completed)];
    let mut catalog = rebuild(&path, &lock, Check::Opens, known())?.catalog;
    catalog.upsert(&row(4, TaskStatus::Running))?;
    catalog.upsert(&row(4, TaskStatus::Completed))?;
    catalog.upsert(&row(1, TaskStatus::Completed))?;
    catalog.catch_up(&pending, |_| Some(row(2, TaskStatus::Failed)))?;
    catalog.remove(&[id(3)])?;
    assert_eq!(numbers(&catalog, &Filter::default(), 9), [4, 2, 1]);
    drop(catalog);
    set_aside(&path)?;
    rebuild(&path, &lock, Check::Opens, records()).map(drop)
}

/// Runs [`work`] in a child process with this fault, and returns the fault points that it passed.
fn run(world: &World, fault: &str) -> Vec<String> {
    let points = world.dir.path().join("points");
    Command::new(env::current_exe().expect("the test's own path is known"))
        .args(["--exact", "store::catalog::fault_tests::a_fault_at_any_point_loses_nothing", "--quiet"])
        .env(WHERE, world.dir.path())
        .env("CONNECTOR_FAULT", fault)
        .env("CONNECTOR_FAULT_POINTS", &points)
        .output()
        .expect("the test can be run again");
    let passed = fs::read_to_string(&points).expect("at least one point is passed");
    fs::remove_file(points).expect("it exists");
    passed.lines().map(str::to_owned).collect()
}

#[test]
fn a_fault_at_any_point_loses_nothing() {
    if let Some(dir) = env::var_os(WHERE) {
        // In the child process; the fault may make it fail.
        let _ = work(Path::new(&dir));
        return;
    }
    let points = run(&World::new(), "serve:none");
    for name in
        ["open", "begin", "write", "commit", "committed", "read", "build", "built", "install", "mark", "catch up"]
    {
        assert!(points.iter().any(|point| *point == format!("serve:catalog {name}")), "{name}: {points:?}");
    }
    for number in 1..=points.len() {
        for fault in ["kill", "ENOSPC", "EIO"] {
            let world = World::new();
            let fault = format!("serve:{fault}@{number}");
            run(&world, &fault);
            let during = match Catalog::open_to_read(&world.path()) {
                Ok(catalog) => {
                    assert_counts_are_correct(&catalog);
                    numbers(&catalog, &Filter::default(), 9)
                }
                Err(CatalogError::Missing) => Vec::new(),
                Err(error) => panic!("{fault} at {}: {error:?}", points[number - 1]),
            };
            // The next writer finds a catalog or creates one, and stores the marked tasks.
            let rebuilt =
                rebuild(&world.path(), &world.lock(), Check::Opens, records()).expect("no fault is injected now");
            let mut catalog = rebuilt.catalog;
            catalog
                .catch_up(&world.pending(), |id| records().into_iter().find(|row| row.id == *id))
                .expect("no fault is injected now");
            assert_counts_are_correct(&catalog);
            assert_eq!(marked(&world.pending()).expect("it is readable"), [].into(), "{fault}");
            let after = numbers(&catalog, &Filter::default(), 9);
            let is_kept = during.iter().all(|number| after.contains(number));
            assert!(is_kept && (!rebuilt.is_new || after == [4, 2, 1]), "{fault}: {during:?}, {after:?}");
        }
    }
}
