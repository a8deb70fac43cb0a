//! Ends that become visible late, out of order, or with odd times; files of other versions; and several listeners.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::*;
use crate::{
    store::{
        listener::ListenedDirectory,
        tests::{claimed, upkeep, write},
    },
    task::IndexLimits,
};

const LIMITS: IndexLimits = IndexLimits { entries: 100, text: 100 };

/// The repository of all tasks here.
const HERE: &str = "/home/user/project";

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_800_000_000 + second)
}

/// The present, unless a test says otherwise.
const NOW: i64 = 1_000;

/// A task that a session started in the background, and that began and ended at these times, which need not be
/// plausible.
fn record(began: i64, ended: i64) -> TaskRecord {
    of(json!({"by": "async", "session": "gone"}), began, ended)
}

fn of(submitter: Value, began: i64, ended: i64) -> TaskRecord {
    serde_json::from_value(json!({
        "format": 1, "id": TaskId::random(), "status": "completed", "startedAt": at(began), "completedAt": at(ended),
        "workingDirectory": HERE, "repository": HERE, "submitter": submitter
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

fn listener(session: &str) -> Listener {
    let here = ListenedDirectory { directory: HERE.into(), repository: HERE.into() };
    Listener { session: Some(session.to_owned()), here: Some(here), ..Listener::default() }
}

fn claim_at(upkeep: &Upkeep, session: &str, now: i64) -> NewEnds {
    UnreportedEnds::of(upkeep).claim(&listener(session), at(now)).expect("the files are ours")
}

/// The ends that are reported to a session.
fn notify_at(upkeep: &Upkeep, session: &str, now: i64) -> Vec<TaskId> {
    let new = claim_at(upkeep, session, now);
    let ids = new.records.iter().map(|record| record.id.clone()).chain(new.unclaimed.ids.clone()).collect();
    new.confirm(ReportedBy::Hook, &listener(session), at(now)).expect("it is writable");
    ids
}

fn notify(upkeep: &Upkeep, session: &str) -> Vec<TaskId> {
    notify_at(upkeep, session, NOW)
}

fn state(upkeep: &Upkeep) -> Unreported {
    UnreportedEnds::of(upkeep).read().expect("it is readable").expect("it exists")
}

#[test]
fn each_end_is_reported_to_one_session() {
    let (_dir, upkeep) = upkeep();
    let first = end(&upkeep, 1, 2);
    assert_eq!(notify(&upkeep, "a"), [first], "it was not reported before the first call");
    let (second, third) = (end(&upkeep, 3, 4), end(&upkeep, 3, 5));
    assert_eq!(notify(&upkeep, "b"), [second, third]);
    let fourth = end(&upkeep, 3, 6);
    assert_eq!(notify(&upkeep, "a"), [fourth]);
    assert_eq!((notify(&upkeep, "b"), notify(&upkeep, "a")), (vec![], vec![]));
    assert_eq!(state(&upkeep).pending, []);
}

#[test]
fn the_morning_after_one_session_in_the_repository_learns_of_the_end() {
    let (_dir, upkeep) = upkeep();
    let evening = Sessions::of(&upkeep).enter("evening", None).expect("it is writable");
    assert_eq!(notify(&upkeep, "evening"), []);
    let id = put(&upkeep, &of(json!({"by": "async", "session": "evening"}), 3, 4));
    assert_eq!(notify(&upkeep, "other"), [], "its own session is present");
    assert_eq!(claim_at(&upkeep, "other", NOW).pending, 1);
    drop(evening);
    let there = ListenedDirectory { directory: "/b".into(), repository: "/b".into() };
    let elsewhere = Listener { here: Some(there), ..listener("elsewhere") };
    let new = UnreportedEnds::of(&upkeep).claim(&elsewhere, at(NOW)).expect("the files are ours");
    assert_eq!(new.records, []);
    assert_eq!(notify(&upkeep, "morning"), [id]);
    assert_eq!((notify(&upkeep, "other"), notify(&upkeep, "evening")), (vec![], vec![]));
}

#[test]
fn the_session_that_started_a_task_learns_of_its_end() {
    let (_dir, upkeep) = upkeep();
    let sessions = Sessions::of(&upkeep);
    let _present =
        (sessions.enter("a", None).expect("it is writable"), sessions.enter("b", None).expect("it is writable"));
    let of_a = put(&upkeep, &of(json!({"by": "async", "session": "a"}), 3, 4));
    let of_b = put(&upkeep, &of(json!({"by": "async", "session": "b"}), 3, 4));
    assert_eq!((notify(&upkeep, "b"), notify(&upkeep, "a")), (vec![of_b], vec![of_a]));
}

#[test]
fn an_end_that_is_too_old_or_was_shown_is_forgotten() {
    let (_dir, upkeep) = upkeep();
    end(&upkeep, 1, 2);
    put(&upkeep, &of(json!({"by": "terminal"}), 1, 2));
    let call = of(json!({"by": "call"}), 1, 2).with(json!({"status": "failed", "failureReason": "Cancelled by user"}));
    put(&upkeep, &call);
    let later = NOW + MAX_AGE.num_seconds();
    let _busy = Sessions::of(&upkeep).enter("busy", None).expect("it is writable");
    put(&upkeep, &of(json!({"by": "async", "session": "busy"}), 1, 2));
    assert_eq!(notify(&upkeep, "a").len(), 1);
    assert_eq!(state(&upkeep).pending.len(), 2, "one is being reported, and one belongs to a session");
    assert_eq!(notify_at(&upkeep, "a", later), []);
    assert_eq!(state(&upkeep).pending, []);
}

#[test]
fn an_end_that_is_already_claimed_is_left_alone_and_reported_if_the_claim_is_given_back() {
    let (_dir, upkeep) = upkeep();
    let running = record(0, 0).with(json!({"status": "running", "completedAt": null}));
    put(&upkeep, &running);
    // A call waits for the task.
    let Ok(ClaimedReport::Ours(call)) = Reports::of(&upkeep).claim(&running.id) else { panic!("nobody has it") };
    put(&upkeep, &running.clone().with(json!({"status": "completed", "completedAt": at(9)})));
    assert_eq!(notify(&upkeep, "a"), []);
    drop(call);
    assert_eq!(notify(&upkeep, "a"), [running.id]);
}

#[test]
fn an_end_reported_in_another_way_is_not_reported_again() {
    for by in [ReportedBy::Call, ReportedBy::Handle, ReportedBy::Channel, ReportedBy::Wait, ReportedBy::Monitor] {
        let (_dir, upkeep) = upkeep();
        let id = end(&upkeep, 1, 2);
        let Ok(ClaimedReport::Ours(claim)) = Reports::of(&upkeep).claim(&id) else { panic!("nobody has it") };
        claim.confirm(by, None, at(3)).expect("it is writable");
        assert_eq!(notify(&upkeep, "a"), [], "{by:?}");
        fs::remove_file(upkeep.layout().catalog()).expect("it exists");
        assert_eq!(notify(&upkeep, "a"), [], "{by:?}");
    }
}

#[test]
fn an_end_that_becomes_visible_late_is_reported_regardless_of_its_time() {
    let (_dir, upkeep) = upkeep();
    notify(&upkeep, "a");
    end(&upkeep, 10, 20);
    assert_eq!(notify(&upkeep, "a").len(), 1);
    // These tasks became visible after the previous one was reported, but their times may be earlier: clocks can be set
    // back.
    for time in [15, 20, -100_000, 1_000_000, 21] {
        let late = end(&upkeep, time - 5, time);
        assert_eq!(notify(&upkeep, "a"), [late], "at {time}");
    }
    assert_eq!(notify(&upkeep, "a"), []);
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
fn ends_are_reported_although_the_catalog_is_damaged() {
    let (_dir, upkeep) = upkeep();
    assert_eq!(end(&upkeep, 0, 1), notify(&upkeep, "a")[0]);
    let new = [end(&upkeep, 1, 2), end(&upkeep, 2, 3)];
    let other = rusqlite::Connection::open(upkeep.layout().catalog()).expect("it exists");
    other.execute_batch("UPDATE tasks SET id = 'zzzzzzzz' WHERE seq = 2").expect("it is writable");
    drop(other);
    assert_eq!(notify(&upkeep, "a"), new);
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
    let newer: Vec<_> = (1..=150).map(|second| end(&upkeep, second, second)).collect();
    let ended = running.with(json!({"status": "completed", "completedAt": at(200)}));
    put(&ended);
    task.close().expect("it is writable");
    assert_eq!(upkeep.indexes().newest().entry(&ended.id).expect("it is readable"), None, "the index dropped it");
    let notified = notify(&upkeep, "a");
    assert!(notified.contains(&ended.id));
    assert_eq!(notified.len(), 1 + newer.len());
    assert_eq!(notify(&upkeep, "a"), []);
}

#[test]
fn a_rebuilt_catalog_loses_and_repeats_no_end() {
    let (_dir, upkeep) = upkeep();
    // These tasks become visible in another order than that of their times.
    let reported = [end(&upkeep, 0, 30), end(&upkeep, 0, 20)];
    assert_eq!(notify(&upkeep, "a"), reported);
    let generation = state(&upkeep).generation;
    let third = end(&upkeep, 0, 10);
    fs::remove_file(upkeep.layout().catalog()).expect("it exists");
    // No process has indexed this one, and the catalog numbers it between the others.
    let unseen = record(0, 25);
    write(&upkeep, &unseen);
    assert_eq!(notify(&upkeep, "a"), [third, unseen.id]);
    assert_ne!(state(&upkeep).generation, generation);
    let fourth = end(&upkeep, 0, 40);
    let pending = put(&upkeep, &of(json!({"by": "async", "session": "busy"}), 0, 41));
    let busy = Sessions::of(&upkeep).enter("busy", None).expect("it is writable");
    assert_eq!(notify(&upkeep, "a"), [fourth]);
    fs::remove_file(upkeep.layout().catalog()).expect("it exists");
    assert_eq!(notify(&upkeep, "a"), []);
    drop(busy);
    assert_eq!(notify(&upkeep, "a"), [pending]);
    assert_eq!(notify(&upkeep, "a"), []);
}

#[test]
fn unconfirmed_ends_are_reported_again() {
    let (_dir, upkeep) = upkeep();
    let id = end(&upkeep, 1, 2);
    let unconfirmed = claim_at(&upkeep, "a", NOW);
    assert_eq!(unconfirmed.records.len(), 1);
    assert_eq!(notify(&upkeep, "b"), [], "it is being reported");
    drop(unconfirmed);
    assert_eq!(notify(&upkeep, "b"), [id]);
}

#[test]
fn any_number_of_ends_is_reported_with_a_limited_number_of_claims() {
    let (_dir, upkeep) = upkeep();
    let ids: Vec<_> = (0..2 * MAX_CLAIMS as i64 + 3).map(|second| end(&upkeep, second, second)).collect();
    let new = claim_at(&upkeep, "a", NOW);
    assert_eq!(new.claims.len(), MAX_CLAIMS, "each claim is an open file");
    assert_eq!(new.records.len() + new.unclaimed.number(), ids.len());
    drop(new);
    let reports = Reports::of(&upkeep);
    let other = reports.claim(&ids[MAX_CLAIMS + 1]).expect("the directory is writable");
    let new = claim_at(&upkeep, "a", NOW);
    assert_eq!((new.unclaimed.number(), new.pending), (ids.len() - MAX_CLAIMS - 1, 1), "another process reports one");
    drop((new, other));
    // A reporter that lists every end confirms the claimed ones only, and calls again.
    let (claimed, unclaimed) = claim_at(&upkeep, "a", NOW).into_each();
    for (_, claim) in claimed {
        claim.confirm(ReportedBy::Monitor, None, at(NOW)).expect("it is writable");
    }
    assert_eq!(unclaimed.ids, ids[MAX_CLAIMS..]);
    assert_eq!(notify(&upkeep, "a"), ids[MAX_CLAIMS..]);
    assert_eq!((notify(&upkeep, "a"), state(&upkeep).pending), (vec![], vec![]));
}

#[test]
fn calls_that_find_nothing_new_write_nothing() {
    let (_dir, upkeep) = upkeep();
    end(&upkeep, 1, 2);
    notify(&upkeep, "a");
    // This call drops the reported end.
    notify(&upkeep, "a");
    let facts = || fs::metadata(upkeep.layout().unreported()).and_then(|file| file.modified()).expect("it exists");
    let (before, lists) = (facts(), UnreportedEnds::of(&upkeep).lists_state());
    for _ in 0..3 {
        assert_eq!(notify(&upkeep, "a"), []);
    }
    assert_eq!((facts(), UnreportedEnds::of(&upkeep).lists_state()), (before, lists.clone()));
    end(&upkeep, 3, 4);
    assert_ne!(UnreportedEnds::of(&upkeep).lists_state(), lists);
}

#[test]
fn tasks_of_an_older_version_are_reported_from_the_first_call_on() {
    for (told, reported) in [
        (json!({}), 4..4),
        (json!({"a": at(1), "b": at(2)}), 2..4),
        // A time in the future does not suppress later ends.
        (json!({"a": at(3), "future": at(1_000_000)}), 3..4),
    ] {
        let (_dir, upkeep) = upkeep();
        let old = |second| put(&upkeep, &of(json!({}), 0, second));
        let ids: Vec<_> = (1..=4).map(old).collect();
        fs::write(upkeep.layout().told_2_0_0(), told.to_string()).expect("it is writable");
        assert_eq!(notify(&upkeep, "a"), ids[reported], "{told}");
        let later = old(NOW + 1);
        assert_eq!(notify_at(&upkeep, "b", NOW + 2), [later]);
        assert_eq!(fs::read_to_string(upkeep.layout().told_2_0_0()).expect("it stays"), told.to_string());
    }
}

#[test]
fn an_unreadable_file_is_kept_and_replaced() {
    for content in ["{torn", "", "[]", r#"{"format":2,"later":true}"#, r#"{"a":"2024-01-15T10:30:00Z"}"#] {
        let (_dir, upkeep) = upkeep();
        let reported = end(&upkeep, 1, 2);
        assert_eq!(notify(&upkeep, "a"), [reported], "{content}");
        fs::write(upkeep.layout().unreported(), content).expect("it is writable");
        assert_eq!(notify(&upkeep, "a"), [], "{content}");
        assert_eq!(upkeep.notices().take().len(), 1, "{content}");
        let id = end(&upkeep, 1, 3);
        assert_eq!(notify(&upkeep, "a"), [id], "{content}");
    }
}
