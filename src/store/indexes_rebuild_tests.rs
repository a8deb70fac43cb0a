//! Tests of building both lists from the records.

use std::fs;

use super::*;
use crate::{
    store::{
        indexes::tests::{ended, listed, stored},
        tests::{record, upkeep, write},
    },
    task::TaskStatus,
};

#[test]
fn a_rebuild_reads_all_records_so_the_next_comparison_can_wait() {
    let (_dir, upkeep) = upkeep();
    ended(&upkeep, 0);
    fs::remove_file(upkeep.layout().catalog()).expect("it exists");
    let before = Utc::now() - TimeDelta::seconds(1);
    upkeep.indexes().repair().expect("it is writable");
    let catalog = Catalog::open_to_read(&upkeep.layout().catalog()).expect("it exists");
    let swept_at = catalog.sources().expect("it is readable").swept_at;
    assert!(swept_at.is_some_and(|at| at >= before), "{swept_at:?}");
}

#[test]
fn a_catalog_is_not_built_if_the_records_cannot_be_listed() {
    let (_dir, upkeep) = upkeep();
    let id = ended(&upkeep, 0);
    fs::remove_file(upkeep.layout().catalog()).expect("it exists");
    let (logs, elsewhere) = (upkeep.reader().log_dir().to_owned(), upkeep.reader().data_dir().join("elsewhere"));
    fs::rename(&logs, &elsewhere).and_then(|()| fs::write(&logs, "not a directory")).expect("it is writable");
    assert!(upkeep.indexes().repair().is_err());
    assert!(!upkeep.layout().catalog().exists());
    fs::remove_file(&logs).and_then(|()| fs::rename(&elsewhere, &logs)).expect("it is writable");
    upkeep.indexes().repair().expect("it is readable again");
    assert_eq!((stored(&upkeep), listed(&upkeep)), (1, vec![id]));
}

#[test]
fn an_index_made_from_many_records_has_the_newest_of_them() {
    let (_dir, upkeep) = upkeep();
    // The order of records in a directory is random.
    let records: Vec<_> = (0..40).map(|second| record(second, TaskStatus::Completed)).collect();
    records.iter().for_each(|record| write(&upkeep, record));
    let limits = IndexLimits { entries: 3, text: 20 };
    let update = upkeep.indexes().newest().upsert(&records[0], limits, None).expect("it is writable");
    let dropped: BTreeSet<_> = update.dropped.into_iter().collect();
    let kept: BTreeSet<_> = records[37..].iter().map(|record| record.id.clone()).collect();
    assert_eq!(dropped.len(), 37);
    assert!(dropped.is_disjoint(&kept), "{dropped:?}");
    let (number, newest) = upkeep.indexes().newest().newest_entries(9).expect("it is readable");
    assert_eq!((number, newest.into_iter().map(|it| it.id).collect()), (3, kept));
}
