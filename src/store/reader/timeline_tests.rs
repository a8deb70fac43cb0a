//! Tests that each entry is read exactly once and in order, whatever the writer does between reads.

use std::{fs, path::PathBuf};

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::*;
use crate::{
    store::{TimelineWriter, Upkeep, tests::upkeep},
    task::TimelineEvent,
};

/// Maximum size of the timelines in these tests, in bytes. It is small, so that their middle is often removed.
const MAX_BYTES: u64 = 4_000;

fn message(number: u64) -> TimelineEvent {
    TimelineEvent::Message { text: format!("number {number}") }
}

struct World {
    _dir: tempfile::TempDir,
    upkeep: Upkeep,
    id: TaskId,
    path: PathBuf,
    writer: TimelineWriter,
}

impl World {
    fn new() -> Self {
        let (dir, upkeep) = upkeep();
        let id = TaskId::random();
        let path = upkeep.layout().timeline(&id);
        let writer = Self::writer(&path);
        Self { _dir: dir, upkeep, id, path, writer }
    }

    fn writer(path: &Path) -> TimelineWriter {
        TimelineWriter::open(path.to_owned(), MAX_BYTES).expect("it is writable")
    }

    fn reader(&self, seq: u64) -> TimelineReader {
        self.upkeep.reader().timeline(&self.id, seq)
    }

    fn append(&mut self, event: TimelineEvent) {
        self.writer.append(DateTime::<Utc>::UNIX_EPOCH, event);
    }

    fn flush(&mut self) {
        self.writer.flush().expect("it is writable");
    }

    fn write(&mut self, count: u64) {
        for _ in 0..count {
            self.append(message(self.writer.newest() + 1));
            self.flush();
        }
    }
}

/// All entries that can be read now.
fn rest(reader: &mut TimelineReader) -> Vec<TimelineEntry> {
    let mut all = Vec::new();
    while let Some(TimelineEntries { entries, has_more }) = reader.read().expect("it is readable") {
        all.extend(entries);
        if !has_more {
            break;
        }
    }
    all
}

fn numbers(entries: &[TimelineEntry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.seq).collect()
}

#[test]
fn a_timeline_is_read_as_soon_as_it_exists() {
    let (_dir, upkeep) = upkeep();
    let id = TaskId::random();
    let mut reader = upkeep.reader().timeline(&id, 0);
    assert_eq!(reader.read().expect("a missing timeline is not an error"), None);
    let mut writer = World::writer(&upkeep.layout().timeline(&id));
    assert_eq!(reader.read().expect("it is readable"), Some(TimelineEntries::default()));
    writer.append(DateTime::UNIX_EPOCH, message(1));
    writer.flush().expect("it is writable");
    assert_eq!(numbers(&rest(&mut reader)), [1]);
}

#[test]
fn a_reader_begins_after_any_entry_or_with_the_newest() {
    let mut timeline = World::new();
    timeline.write(20);
    assert_eq!(numbers(&rest(&mut timeline.reader(17))), [18, 19, 20]);
    assert_eq!(rest(&mut timeline.upkeep.reader().newest_timeline(&timeline.id)).len(), 20, "it is short");

    let many: Vec<u8> = (1..=5_000)
        .flat_map(|seq| TimelineEntry { seq, at: DateTime::UNIX_EPOCH, event: message(seq) }.to_line())
        .collect();
    fs::write(&timeline.path, many).expect("it is writable");
    let newest = rest(&mut timeline.upkeep.reader().newest_timeline(&timeline.id));
    assert!(newest.len() < 1_000, "{} entries", newest.len());
    assert!(numbers(&newest).into_iter().eq(5_001 - newest.len() as u64..=5_000));
}

#[test]
fn half_a_line_is_read_once_complete_and_otherwise_skipped() {
    let mut timeline = World::new();
    timeline.write(1);
    let mut reader = timeline.reader(0);
    assert_eq!(numbers(&rest(&mut reader)), [1]);
    let line = TimelineEntry { seq: 2, at: DateTime::UNIX_EPOCH, event: message(2) }.to_line();
    let complete = fs::read(&timeline.path).expect("it exists");
    fs::write(&timeline.path, [&complete, &line[..9]].concat()).expect("it is writable");
    assert_eq!(rest(&mut reader), []);
    fs::write(&timeline.path, [&complete[..], &line].concat()).expect("it is writable");
    assert_eq!(numbers(&rest(&mut reader)), [2]);
    fs::write(&timeline.path, [&complete[..], &line, b"{\"v\":1,\n\0\0\n"].concat()).expect("it is writable");
    assert_eq!(rest(&mut reader), []);
    let mut later = World::writer(&timeline.path);
    later.append(DateTime::UNIX_EPOCH, message(3));
    later.flush().expect("it is writable");
    assert_eq!(numbers(&rest(&mut reader)), [3]);
}

#[test]
fn a_reader_that_was_behind_learns_what_was_omitted() {
    let mut timeline = World::new();
    timeline.write(5);
    let mut reader = timeline.reader(0);
    assert_eq!(numbers(&rest(&mut reader)), [1, 2, 3, 4, 5]);
    timeline.write(500);
    let read = rest(&mut reader);
    let omitted: Vec<_> = read.iter().filter(|entry| matches!(entry.event, TimelineEvent::Omitted { .. })).collect();
    assert_eq!(omitted.len(), 1);
    assert!(read.is_sorted_by_key(|entry| entry.seq) && numbers(&read).last() == Some(&505));
}

#[test]
fn a_position_leads_to_the_next_entry_even_in_a_replaced_file() {
    let mut timeline = World::new();
    let mut reader = timeline.reader(0);
    timeline.write(10);
    rest(&mut reader);
    let position = reader.position();
    let continued =
        |timeline: &World| numbers(&rest(&mut timeline.upkeep.reader().timeline_from(&timeline.id, &position)));
    assert_eq!(continued(&timeline), Vec::<u64>::new());
    timeline.write(2);
    assert_eq!(continued(&timeline), [11, 12]);
    timeline.write(500);
    let after = continued(&timeline);
    assert!(after.is_sorted() && after.first() == Some(&11) && after.last() == Some(&512), "{after:?}");
    fs::remove_file(&timeline.path).expect("it exists");
    assert_eq!(continued(&timeline), Vec::<u64>::new());
}

/// An action of the writer or a reader.
#[derive(Debug, Clone)]
enum TimelineAction {
    Append(u8),
    AppendExempt,
    Flush,
    Reopen,
    Tear,
    Read(usize),
}

fn action() -> impl Strategy<Value = TimelineAction> {
    prop_oneof![
        4 => (1..40_u8).prop_map(TimelineAction::Append),
        1 => Just(TimelineAction::AppendExempt),
        4 => Just(TimelineAction::Flush),
        1 => Just(TimelineAction::Reopen),
        1 => Just(TimelineAction::Tear),
        4 => (0..3_usize).prop_map(TimelineAction::Read),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_entry_is_read_once_and_in_order(actions in prop::collection::vec(action(), 1..150)) {
        let mut timeline = World::new();
        let mut readers: Vec<_> = (0..3).map(|_| (timeline.reader(0), Vec::new())).collect();
        let mut exempt = Vec::new();
        for action in actions {
            match action {
                TimelineAction::Append(count) => (0..count).for_each(|_| timeline.append(message(0))),
                TimelineAction::AppendExempt => {
                    timeline.append(TimelineEvent::Stopping { cause: String::new() });
                    exempt.push(timeline.writer.newest());
                }
                TimelineAction::Flush => timeline.flush(),
                TimelineAction::Reopen => {
                    timeline.flush();
                    timeline.writer = World::writer(&timeline.path);
                }
                // A writer that was killed during a write.
                TimelineAction::Tear => {
                    timeline.flush();
                    let mut content = fs::read(&timeline.path).expect("it exists");
                    content.extend_from_slice(b"{\"v\":1,\"seq\":");
                    fs::write(&timeline.path, content).expect("it is writable");
                    timeline.writer = World::writer(&timeline.path);
                }
                TimelineAction::Read(which) => {
                    let (reader, read) = &mut readers[which];
                    read.extend(reader.read().expect("it is readable").unwrap_or_default().entries);
                }
            }
        }
        timeline.flush();
        for (reader, read) in &mut readers {
            read.extend(rest(reader));
            let numbers = numbers(read);
            prop_assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
            prop_assert_eq!(numbers.last().copied().unwrap_or(0), timeline.writer.newest());
            let seen_exempt: Vec<_> = read.iter().filter(|entry| entry.event.is_exempt()).map(|entry| entry.seq).collect();
            prop_assert_eq!(&seen_exempt, &exempt);
            // An entry may be missing only if it was removed before it could be read, and then it must be counted.
            let missing = (1..=timeline.writer.newest()).filter(|seq| numbers.binary_search(seq).is_err()).count() as u64;
            let omitted = read.iter().map(|entry| match entry.event {
                TimelineEvent::Omitted { count } => count,
                _ => 0,
            });
            let (positions, omitted) = omitted.filter(|count| *count > 0).fold((0, 0), |(n, sum), count| (n + 1, sum + count));
            prop_assert!(missing + positions <= omitted, "{missing} entries are missing, {omitted} are counted in {positions} omissions");
            prop_assert!(missing == 0 || omitted > 0);
        }
    }
}
