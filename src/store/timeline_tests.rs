//! Tests of numbering, the size limit, and files left by an earlier writer.

use std::{fs, time::Duration};

use super::*;
use crate::task::TaskStatus;

/// Maximum size of the timelines in these tests, in bytes.
const MAX_BYTES: u64 = 10_000;

fn dir() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a temporary directory can be created");
    let path = dir.path().join("1a2b3c4d.timeline.jsonl");
    (dir, path)
}

fn open(path: &Path) -> TimelineWriter {
    TimelineWriter::open(path.to_owned(), MAX_BYTES).expect("it is writable")
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_768_473_000_007).expect("a valid time")
}

fn message(text: &str) -> TimelineEvent {
    TimelineEvent::Message { text: text.to_owned() }
}

fn write(writer: &mut TimelineWriter, event: TimelineEvent) {
    writer.append(now(), event);
    writer.flush().expect("it is writable");
}

fn entries(path: &Path) -> Vec<TimelineEntry> {
    let content = fs::read(path).expect("it exists");
    content.split(|byte| *byte == b'\n').filter_map(TimelineEntry::read).collect()
}

/// The number of entries that a timeline contains or counts as omitted.
fn accounted_for(entries: &[TimelineEntry]) -> u64 {
    let of = |entry: &TimelineEntry| if let TimelineEvent::Omitted { count } = entry.event { count } else { 1 };
    entries.iter().map(of).sum()
}

#[test]
fn numbering_continues_after_an_earlier_writer() {
    let (_dir, path) = dir();
    let mut first = open(&path);
    write(&mut first, message("one"));
    first.append(now(), message("two"));
    first.append(now(), TimelineEvent::Stopping { cause: "cancelled by user".into() });
    assert!(first.is_waiting() && entries(&path).len() == 1, "entries wait until they are flushed");
    first.flush().expect("it is writable");
    let mut second = open(&path);
    assert_eq!((second.newest(), second.has_ended()), (3, false));
    let ended = TimelineEvent::Ended {
        status: TaskStatus::Failed,
        reason: None,
        exit_code: None,
        exit_signal: None,
        took: None,
    };
    write(&mut second, ended);
    assert_eq!(entries(&path).iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(open(&path).has_ended());
}

#[test]
fn a_torn_last_line_is_terminated_before_the_next_entry() {
    let (_dir, path) = dir();
    write(&mut open(&path), message("one"));
    let complete = fs::read(&path).expect("it exists");
    for torn in [&complete[..7], &complete[..complete.len() - 1], b"\0\0\0\0", b"{\"v\":1,\"seq\":99"] {
        fs::write(&path, [&complete[..], torn].concat()).expect("it is writable");
        write(&mut open(&path), message("two"));
        let read = entries(&path);
        assert_eq!(read.last().map(|entry| (entry.seq, &entry.event)), Some((2, &message("two"))), "{torn:?}");
    }
}

#[test]
fn a_long_timeline_loses_its_middle_and_counts_the_omitted_entries() {
    for count in [100, 400, 3_000] {
        let (_dir, path) = dir();
        let (mut writer, mut longest) = (open(&path), 0);
        for number in 1..=count {
            write(&mut writer, message(&format!("number {number:040}")));
            longest = longest.max(fs::metadata(&path).expect("it exists").len());
        }
        assert!(longest <= MAX_BYTES, "{longest} bytes");
        let left = entries(&path);
        assert_eq!(accounted_for(&left), count);
        assert!(left.is_sorted_by_key(|entry| entry.seq) && left.last().map(|last| last.seq) == Some(count));
        let gaps = left.iter().filter(|entry| matches!(entry.event, TimelineEvent::Omitted { .. })).count();
        let is_early = |entry: &&TimelineEntry| entry.seq <= 40;
        assert_eq!((gaps, left.iter().filter(is_early).count()), (1, 40), "the first half is kept");
        assert_eq!(open(&path).newest(), count);
    }
}

#[test]
fn exempt_entries_are_never_removed() {
    let (_dir, path) = dir();
    let mut writer = open(&path);
    for number in 1..=2_000_u64 {
        let event = match number % 500 {
            250 => TimelineEvent::Stopping { cause: number.to_string() },
            0 => TimelineEvent::Omitted { count: 10 },
            _ => message(&format!("number {number:040}")),
        };
        write(&mut writer, event);
    }
    let left = entries(&path);
    let is_exempt = |entry: &&TimelineEntry| entry.event.is_exempt();
    let exempt: Vec<_> = left.iter().filter(is_exempt).map(|entry| entry.seq).collect();
    assert_eq!(exempt, [250, 750, 1_250, 1_750]);
    assert!(left.is_sorted_by_key(|entry| entry.seq));
    assert_eq!(accounted_for(&left), 1_996 + 40, "an omission in the middle counts the entries that it replaced");
}

#[test]
fn a_timeline_that_cannot_be_shortened_waits_and_loses_nothing() {
    let (dir, path) = dir();
    let mut writer = open(&path);
    while writer.length + 200 < MAX_BYTES {
        write(&mut writer, message(&"x".repeat(50)));
    }
    let before = entries(&path);
    let away = dir.path().with_extension("away");
    fs::rename(dir.path(), &away).expect("we own it");
    (0..20).for_each(|_| writer.append(now(), message(&"y".repeat(50))));
    writer.flush().expect_err("the directory does not exist");
    assert_eq!(entries(&away.join("1a2b3c4d.timeline.jsonl")), before);
    fs::rename(&away, dir.path()).expect("we own it");
    writer.flush().expect("it is writable again");
    assert_eq!(accounted_for(&entries(&path)), before.len() as u64 + 20);
}

#[test]
fn the_number_of_waiting_entries_is_limited() {
    let (_dir, path) = dir();
    let mut writer = open(&path);
    let mut taken = 0;
    while writer.has_room() {
        writer.append(now(), message(&"x".repeat(4_000)));
        taken += 1;
    }
    assert!((60..70).contains(&taken), "{taken} entries of 4 kB");
}

#[test]
fn only_a_task_with_a_timeline_gets_its_end() {
    let (_dir, upkeep) = crate::store::tests::upkeep();
    let record = crate::store::tests::record(0, TaskStatus::Completed);
    let task = crate::store::tests::claimed(&upkeep, &record.id);
    task.end_timeline(&record).expect("there is no timeline to end");
    let path = upkeep.layout().timeline(&record.id);
    assert!(!path.exists(), "an older version ran it without a timeline");
    let mut timeline = task.open_timeline().expect("it is writable");
    write(&mut timeline, TimelineEvent::Silence { lasting: Duration::from_secs(1) });
    task.end_timeline(&record).expect("it is writable");
    task.end_timeline(&record).expect("it has ended");
    let kinds: Vec<_> = entries(&path).iter().map(|entry| entry.event.kind().to_owned()).collect();
    assert_eq!(kinds, ["silence", "ended"]);
}
