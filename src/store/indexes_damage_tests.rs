//! Tests with a catalog that SQLite accepts but whose content is damaged.

use std::path::Path;

use super::{
    tests::{ended, listed, set_aside_in, stored},
    *,
};
use crate::store::tests::upkeep;

/// Changes the catalog like a failing disk, or another program, could.
fn change(catalog: &Path, sql: &str) {
    let other = rusqlite::Connection::open(catalog).expect("it exists");
    other.execute_batch(&format!("PRAGMA wal_checkpoint(TRUNCATE); {sql}")).expect("it is writable");
}

const ONE: &str = "WHERE id = (SELECT id FROM tasks ORDER BY started_at LIMIT 1 OFFSET 3)";

/// Checks that no task is hidden after this change, that it is reported, and that it is repaired.
fn assert_noticed_and_repaired(sql: &str) {
    let (_dir, upkeep) = upkeep();
    let mut ids: Vec<_> = (0..10).map(|second| ended(&upkeep, second)).collect();
    ids.reverse();
    change(&upkeep.layout().catalog(), sql);
    assert_eq!(listed(&upkeep), ids, "{sql}");
    let reported = upkeep.notices().take();
    assert!(reported.iter().any(|notice| notice.contains("index.sqlite is damaged")), "{sql}: {reported:?}");
    upkeep.indexes().repair().expect("it is writable");
    let reported = upkeep.notices().take();
    assert!(reported.iter().any(|notice| notice.contains("rebuilt from the task records")), "{sql}: {reported:?}");
    assert_eq!(set_aside_in(upkeep.reader().data_dir()).len(), 1, "{sql}");
    assert_eq!((stored(&upkeep), listed(&upkeep)), (ids.len(), ids), "{sql}");
    assert_eq!(upkeep.notices().take(), Vec::<String>::new(), "{sql}");
}

#[test]
fn a_catalog_with_an_unreadable_record_is_rebuilt() {
    for change in [
        "record = 'torn'",
        r#"record = replace(record, '"startedAt":"20', '"startedAt":"x0')"#,
        r#"record = replace(record, '"status":"c', '"status":"x')"#,
        "record = cast(replace(cast(record AS BLOB), x'7374617475', x'ff74617475') AS TEXT)",
    ] {
        assert_noticed_and_repaired(&format!("UPDATE tasks SET {change} {ONE}"));
    }
}
