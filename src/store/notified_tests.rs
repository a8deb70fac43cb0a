//! Ends that become visible late, out of order, or with odd times; and files of other versions.

use chrono::TimeDelta;
use serde_json::json;

use super::*;
use crate::{
    store::tests::{claimed, upkeep, write},
    task::IndexLimits,
};

const LIMITS: IndexLimits = IndexLimits { entries: 100, text: 100 };

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_800_000_000 + second)
}

/// A task that began and ended at these times, which need not be plausible.
fn record(began: i64, ended: i64) -> TaskRecord {
    serde_json::from_value(json!({
        "format": 1, "id": TaskId::random(), "status": "completed", "startedAt": at(began), "completedAt": at(ended)
    }))
    .expect("these fields are enough")
}

fn put(upkeep: &Upkeep, record: &TaskRecord) -> TaskId {
    write(upkeep, record);
    upkeep.indexes().upsert(record, LIMITS).expect("it is writable");
    record.id.clone()
}

fn end(upkeep: &Upkeep, began: i64, ended: i64) -> TaskId {
    put(upkeep, &record(began, ended))
}

/// The ends that are reported to a session.
fn notify(upkeep: &Upkeep, key: &str) -> Vec<TaskId> {
    let notified = NotifiedEnds::of(upkeep);
    let new_ends = notified.new_ends(key, at(0)).expect("the files are ours");
    let ids = new_ends.records.iter().map(|record| record.id.clone()).collect();
    new_ends.confirm().expect("it is writable");
    ids
}

#[test]
fn each_session_is_notified_once_of_each_end_after_its_first_call() {
    let (_dir, upkeep) = upkeep();
    end(&upkeep, 1, 2);
    assert_eq!(notify(&upkeep, "a"), [], "it ended before the session's first call");
    let (second, third) = (end(&upkeep, 3, 4), end(&upkeep, 3, 5));
    assert_eq!(notify(&upkeep, "b"), []);
    let fourth = end(&upkeep, 3, 6);
    assert_eq!(notify(&upkeep, "a"), [second, third, fourth.clone()]);
    assert_eq!((notify(&upkeep, "b"), notify(&upkeep, "a"), notify(&upkeep, "b")), (vec![fourth], vec![], vec![]));
}

#[test]
fn an_end_that_becomes_visible_late_is_reported_regardless_of_its_time() {
    let (_dir, upkeep) = upkeep();
    notify(&upkeep, "a");
    end(&upkeep, 10, 20);
    assert_eq!(notify(&upkeep, "a").len(), 1);
    // These tasks became visible after the previous one was reported, but their times may be earlier: clocks can be set
    // back.
    for time in [15, 20, -1_000_000, 1_000_000, 21] {
        let late = end(&upkeep, time - 5, time);
        assert_eq!(notify(&upkeep, "a"), [late], "at {time}");
    }
    assert_eq!(notify(&upkeep, "a"), []);
}

#[test]
fn an_end_is_reported_even_if_the_index_is_full() {
    let (_dir, upkeep) = upkeep();
    let running = record(0, 0).with(json!({"status": "running", "completedAt": null}));
    let task = claimed(&upkeep, &running.id);
    let put = |record: &TaskRecord| {
        task.write_record(record).and_then(|()| task.index(record, LIMITS)).expect("it is writable");
    };
    put(&running);
    notify(&upkeep, "a");
    notify(&upkeep, "b");
    let newer: Vec<_> = (1..=150).map(|second| end(&upkeep, second, second)).collect();
    let ended = running.with(json!({"status": "completed", "completedAt": at(200)}));
    put(&ended);
    task.close().expect("it is writable");
    assert_eq!(upkeep.indexes().newest().entry(&ended.id).expect("it is readable"), None, "the index dropped it");
    for key in ["a", "b"] {
        let notified = notify(&upkeep, key);
        assert!(notified.contains(&ended.id), "{key}");
        assert_eq!(notified.len(), 1 + newer.len(), "{key}");
        assert_eq!(notify(&upkeep, key), []);
    }
}

#[test]
fn a_rebuilt_index_causes_no_new_reports() {
    let (_dir, upkeep) = upkeep();
    for second in 0..150 {
        end(&upkeep, second, second);
    }
    notify(&upkeep, "a");
    fs::remove_file(upkeep.layout().index()).expect("it exists");
    assert_eq!(upkeep.reader().list(None, usize::MAX).expect("it is readable").total, 150);
    assert_eq!(notify(&upkeep, "a"), []);
    upkeep.indexes().newest().mark_dirty().expect("it is writable");
    assert_eq!(notify(&upkeep, "a"), []);
    fs::remove_file(upkeep.layout().catalog()).expect("it exists");
    assert_eq!(notify(&upkeep, "a"), []);
}

#[test]
fn each_session_keeps_its_position_when_the_catalog_is_rebuilt() {
    let (_dir, upkeep) = upkeep();
    notify(&upkeep, "a");
    notify(&upkeep, "b");
    // These tasks become visible in another order than that of their times.
    let first = end(&upkeep, 0, 30);
    let second = end(&upkeep, 0, 20);
    assert_eq!(notify(&upkeep, "a"), [first.clone(), second.clone()]);
    let third = end(&upkeep, 0, 10);
    fs::remove_file(upkeep.layout().catalog()).expect("it exists");
    // No process has indexed this one, and the catalog numbers it between the others.
    let unseen = record(0, 25);
    write(&upkeep, &unseen);
    notify(&upkeep, "new");
    let generation = || NotifiedEnds::of(&upkeep).read_state().expect("it is readable").expect("it exists").generation;
    let rebuilt = generation();
    let fourth = end(&upkeep, 0, 40);
    assert_eq!(notify(&upkeep, "new"), std::slice::from_ref(&fourth));
    assert_eq!(notify(&upkeep, "a"), [third.clone(), unseen.id.clone(), fourth.clone()]);
    fs::remove_file(upkeep.layout().catalog()).expect("it exists");
    assert_eq!(notify(&upkeep, "a"), []);
    assert_ne!(generation(), rebuilt);
    assert_eq!(notify(&upkeep, "b"), [third, second, unseen.id, first, fourth]);
    assert_eq!((notify(&upkeep, "a"), notify(&upkeep, "b")), (vec![], vec![]));
}

#[test]
fn an_end_missing_from_the_catalog_is_reported_once_it_is_stored() {
    let (_dir, upkeep) = upkeep();
    notify(&upkeep, "a");
    let mut other = rusqlite::Connection::open(upkeep.layout().catalog()).expect("it exists");
    let held = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).expect("the lock is free");
    let id = end(&upkeep, 1, 2);
    assert_eq!(notify(&upkeep, "a"), [], "it has no number yet");
    drop(held);
    assert_eq!(notify(&upkeep, "a"), [id]);
}

#[test]
fn unconfirmed_ends_are_reported_again() {
    let (_dir, upkeep) = upkeep();
    notify(&upkeep, "a");
    let id = end(&upkeep, 1, 2);
    drop(NotifiedEnds::of(&upkeep).new_ends("a", at(0)).expect("the files are ours"));
    assert_eq!(notify(&upkeep, "a"), [id]);
}

#[test]
fn calls_that_find_nothing_new_write_nothing() {
    let (_dir, upkeep) = upkeep();
    end(&upkeep, 1, 2);
    notify(&upkeep, "a");
    let facts = || fs::metadata(upkeep.layout().notified()).and_then(|file| file.modified()).expect("it exists");
    let before = facts();
    for _ in 0..3 {
        assert_eq!(notify(&upkeep, "a"), []);
    }
    assert_eq!(facts(), before);
}

#[test]
fn only_recently_active_sessions_are_remembered() {
    let (_dir, upkeep) = upkeep();
    notify(&upkeep, "silent");
    notify(&upkeep, "asking");
    for session in 0..2 * MAX_SESSIONS {
        notify(&upkeep, &format!("session {session}"));
        assert_eq!(notify(&upkeep, "asking"), []);
    }
    let id = end(&upkeep, 1, 2);
    assert_eq!((notify(&upkeep, "silent"), notify(&upkeep, "asking")), (vec![], vec![id]));
    let state = NotifiedEnds::of(&upkeep).read_state().expect("it is readable").expect("it exists");
    assert_eq!(state.sessions.len(), MAX_SESSIONS);
}

#[test]
fn a_session_of_the_previous_version_is_notified_of_later_ends() {
    let (_dir, upkeep) = upkeep();
    let ids: Vec<_> = (1..=4).map(|second| end(&upkeep, 0, second)).collect();
    let written = json!({"a": at(2), "b": at(3), "future": at(1_000_000)});
    fs::write(upkeep.layout().notified_2_0_0(), written.to_string()).expect("it is writable");
    assert_eq!(notify(&upkeep, "a"), ids[2..]);
    let later = end(&upkeep, 0, 5);
    assert_eq!(notify(&upkeep, "b"), [ids[3].clone(), later.clone()]);
    assert_eq!(
        notify(&upkeep, "future"),
        std::slice::from_ref(&later),
        "a time in the future does not suppress later ends"
    );
    assert_eq!(notify(&upkeep, "a"), [later]);
    assert_eq!(notify(&upkeep, "new"), []);
    assert_eq!(fs::read_to_string(upkeep.layout().notified_2_0_0()).expect("it stays"), written.to_string());
}

#[test]
fn an_unreadable_file_is_kept_and_replaced() {
    for content in ["{torn", "", "[]", r#"{"format":3,"later":true}"#, r#"{"a":"2024-01-15T10:30:00Z"}"#] {
        let (_dir, upkeep) = upkeep();
        end(&upkeep, 1, 2);
        fs::write(upkeep.layout().notified(), content).expect("it is writable");
        assert_eq!(notify(&upkeep, "a"), [], "{content}");
        assert_eq!(upkeep.notices().take().len(), 1, "{content}");
        let id = end(&upkeep, 1, 3);
        assert_eq!(notify(&upkeep, "a"), [id], "{content}");
    }
}

#[test]
fn a_second_call_waits_until_the_first_is_done() {
    let (dir, upkeep) = upkeep();
    notify(&upkeep, "a");
    let id = end(&upkeep, 1, 2);
    let notified = NotifiedEnds::of(&upkeep);
    let first = notified.new_ends("a", at(0)).expect("the files are ours");
    assert_eq!(first.records.iter().map(|record| &record.id).collect::<Vec<_>>(), [&id]);
    std::thread::scope(|scope| {
        let (sender, receiver) = std::sync::mpsc::channel();
        scope.spawn(move || {
            let upkeep = Upkeep::open(&dir.path().join("data"), &dir.path().join("data/logs")).expect("we own it");
            sender.send(notify(&upkeep, "a"))
        });
        // Without the lock this would take a few milliseconds.
        assert!(receiver.recv_timeout(Duration::from_millis(300)).is_err(), "it waits");
        first.confirm().expect("it is writable");
        assert_eq!(receiver.recv_timeout(Duration::from_secs(30)), Ok(vec![]));
    });
}

#[test]
fn ends_are_reported_although_the_catalog_is_damaged() {
    let (_dir, upkeep) = upkeep();
    end(&upkeep, 0, 1);
    assert_eq!(notify(&upkeep, "a"), []);
    let new = [end(&upkeep, 1, 2), end(&upkeep, 2, 3)];
    let other = rusqlite::Connection::open(upkeep.layout().catalog()).expect("it exists");
    other.execute_batch("UPDATE tasks SET id = 'zzzzzzzz' WHERE seq = 2").expect("it is writable");
    drop(other);
    assert_eq!(notify(&upkeep, "a"), new);
}
