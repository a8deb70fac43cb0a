//! Tests with a catalog that is damaged, not ours, or temporarily unusable.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use rusqlite::Connection;

use super::{
    aside::set_aside,
    error::CatalogError,
    open::{Catalog, companion},
    row::{Filter, Row},
    tests::{World, assert_counts_are_correct, numbers, row},
};
use crate::{store::entry::record_of, task::TaskStatus};

#[test]
fn a_catalog_that_cannot_be_used_is_kept_and_replaced() {
    type Corruption = fn(&Path);
    let newer: Corruption = |path| {
        Connection::open(path).and_then(|db| db.pragma_update(None, "user_version", 99)).expect("it is writable");
    };
    let no_table: Corruption =
        |path| Connection::open(path).and_then(|db| db.execute_batch("DROP TABLE meta")).expect("it is writable");
    let cases: [(&str, Corruption); 7] = [
        ("removed", |path| fs::remove_file(path).expect("it exists")),
        ("emptied", |path| fs::write(path, "").expect("it is writable")),
        ("truncated", |path| {
            fs::OpenOptions::new()
                .write(true)
                .open(path)
                .and_then(|file| file.set_len(20_000))
                .expect("it is writable");
        }),
        ("other text", |path| fs::write(path, "tasks and tasks ".repeat(500)).expect("it is writable")),
        ("link", |path| {
            fs::remove_file(path).and_then(|()| symlink("/etc/passwd", path)).expect("it is writable");
        }),
        ("newer", newer),
        ("no table", no_table),
    ];
    for (name, damage) in cases {
        let world = World::new();
        world.rebuild((0..50).map(|number| row(number, TaskStatus::Completed)));
        damage(&world.path());
        let error = Catalog::open_to_read(&world.path()).and_then(|catalog| catalog.verify(record_of)).expect_err(name);
        let is_expected = match name {
            "removed" => matches!(error, CatalogError::Missing),
            "link" => matches!(error, CatalogError::Foreign(_)),
            "newer" => matches!(error, CatalogError::Newer(99)),
            _ => matches!(error, CatalogError::Damaged(_)),
        };
        assert!(is_expected && error.needs_rebuild(), "{name}: {error:?}");
        let rebuilt = world.rebuild([row(2, TaskStatus::Failed)]);
        assert_eq!(numbers(&rebuilt.catalog, &Filter::default(), 9), [2], "{name}");
        assert_counts_are_correct(&rebuilt.catalog);
        assert_eq!(rebuilt.aside.is_some_and(|aside| aside.symlink_metadata().is_ok()), name != "removed", "{name}");
    }
}

#[test]
fn a_log_without_its_database_is_never_used_with_another_database() {
    let world = World::new();
    let mut catalog = world.catalog();
    catalog.upsert(&row(1, TaskStatus::Completed)).expect("it is writable");
    drop(catalog);
    assert!(companion(&world.path(), "-wal").exists(), "the log outlives its writers");
    fs::remove_file(world.path()).expect("it exists");
    let rebuilt = world.rebuild([]);
    assert_eq!(numbers(&rebuilt.catalog, &Filter::default(), 9), Vec::<u32>::new());
    assert!(world.names().iter().any(|name| name.starts_with("index-damaged-") && name.ends_with("-wal")));

    let aside = set_aside(&world.path()).expect("it is writable").expect("it exists");
    assert!(companion(&aside, "-wal").exists() || !companion(&world.path(), "-wal").exists());
    assert!(set_aside(&world.path()).expect("it is writable").is_none());
}

#[test]
fn the_files_are_private_and_the_data_directory_may_be_behind_a_link() {
    let world = World::new();
    world.catalog();
    let mode = |path: &Path| fs::metadata(path).expect("it exists").permissions().mode() & 0o777;
    fs::set_permissions(world.path(), fs::Permissions::from_mode(0o644)).expect("we own it");
    let link = world.dir.path().join("link");
    symlink(world.dir.path(), &link).expect("it is writable");
    let mut catalog = Catalog::open_to_write(&link.join("index.sqlite")).expect("the link is above the file");
    catalog.upsert(&row(1, TaskStatus::Running)).expect("it is writable");
    for file in [world.path(), companion(&world.path(), "-wal"), companion(&world.path(), "-shm")] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_reader_creates_no_catalog_and_cannot_write() {
    let world = World::new();
    assert!(matches!(Catalog::open_to_read(&world.path()), Err(CatalogError::Missing)));
    assert_eq!(world.names(), Vec::<String>::new());
    world.catalog();
    let mut reader = Catalog::open_to_read(&world.path()).expect("it is readable");
    let error = reader.upsert(&row(1, TaskStatus::Running)).expect_err("a reader cannot write");
    assert!(matches!(error, CatalogError::ReadOnly(_)) && !error.needs_rebuild(), "{error:?}");
}

#[test]
fn a_catalog_is_unavailable_where_sqlite_cannot_create_its_files() {
    let world = World::new();
    world.catalog();
    let file = companion(&world.path(), "-shm");
    fs::remove_file(&file).and_then(|()| symlink("elsewhere", &file)).expect("it is writable");
    let error = Catalog::open_to_read(&world.path()).expect_err("the file cannot be created");
    assert!(matches!(error, CatalogError::Io(_)) && !error.needs_rebuild(), "{error:?}");
    fs::remove_file(&file).expect("it exists");
    Catalog::open_to_read(&world.path()).expect("the file can be created again");
}

#[test]
fn a_full_disk_is_distinguished_from_damage_and_changes_nothing() {
    let world = World::new();
    let mut catalog = world.catalog();
    catalog.connection.execute_batch("PRAGMA max_page_count = 1").expect("a valid setting");
    let large = Row { record: "x".repeat(1_000_000), ..row(1, TaskStatus::Completed) };
    let error = catalog.upsert(&large).expect_err("there is no space");
    assert!(matches!(error, CatalogError::Full(_)) && !error.needs_rebuild(), "{error:?}");
    drop(catalog);
    let catalog = Catalog::open_to_write(&world.path()).expect("it is unchanged");
    assert_eq!(numbers(&catalog, &Filter::default(), 9), Vec::<u32>::new());
}

#[test]
fn records_are_read_only_after_the_old_catalog_is_set_aside() {
    let world = World::new();
    fs::write(world.path(), "damaged").expect("it is writable");
    // From then on, a writer that changes a record finds no catalog, and marks the task.
    let rows = std::iter::once_with(|| {
        assert!(matches!(Catalog::open_to_write(&world.path()), Err(CatalogError::Missing)));
        row(1, TaskStatus::Completed)
    });
    assert!(world.rebuild(rows).is_new);
}
