//! Tests of paging through timelines.

use std::fs;

use chrono::DateTime;
use proptest::prelude::*;

use super::*;
use crate::{
    store::tests::{bytes_read, reader},
    task::TimelineEvent,
};

struct World {
    _dir: tempfile::TempDir,
    reader: Reader,
    id: TaskId,
}

fn line(seq: u64, text: &str) -> Vec<u8> {
    TimelineEntry { seq, at: DateTime::UNIX_EPOCH, event: TimelineEvent::Message { text: text.to_owned() } }.to_line()
}

impl World {
    fn with(content: &[u8]) -> Self {
        let (dir, reader) = reader();
        let id = TaskId::random();
        let path = reader.layout.timeline(&id);
        fs::write(path, content).expect("the log directory is writable");
        Self { _dir: dir, reader, id }
    }

    /// The numbers of the entries on a page, and whether there are earlier ones.
    fn page(&self, before: Option<u64>, limit: usize) -> (Vec<u64>, bool) {
        let page = self.reader.activity_page(&self.id, before, limit).expect("it is readable");
        (page.entries.iter().map(|entry| entry.seq).collect(), page.has_earlier)
    }
}

#[test]
fn a_page_has_the_newest_entries_or_those_before_a_number() {
    let content: Vec<u8> = (1..=9).flat_map(|seq| line(2 * seq, "text")).collect();
    let world = World::with(&content);
    assert_eq!(world.page(None, 3), (vec![14, 16, 18], true));
    assert_eq!(world.page(Some(14), 3), (vec![8, 10, 12], true));
    assert_eq!(world.page(Some(15), 3), (vec![10, 12, 14], true), "the number need not exist");
    assert_eq!(world.page(Some(8), 3), (vec![2, 4, 6], false));
    assert_eq!(world.page(Some(2), 3), (vec![], false));
    assert_eq!(world.page(Some(99), 99).0.len(), 9);
    assert_eq!(world.page(None, 0), (vec![], true));
    let none = world.reader.activity_page(&TaskId::random(), None, 9).expect("a missing timeline is not an error");
    assert_eq!(none, ActivityPage::default());
}

#[test]
fn incomplete_and_damaged_lines_are_skipped() {
    let mut content = [line(1, "a"), b"garbage\n".to_vec(), b"\n".to_vec(), line(2, "b")].concat();
    content.extend(vec![b'x'; 2 * MAX_READ_BYTES]);
    content.extend(b"\n");
    content.extend(line(3, "c"));
    content.extend(&line(4, "incomplete")[..20]);
    let world = World::with(&content);
    assert_eq!(world.page(None, 9), (vec![1, 2, 3], false));
    assert_eq!(world.page(Some(3), 9), (vec![1, 2], false));
    assert_eq!(world.page(None, 1), (vec![3], true));
    assert_eq!(World::with(&vec![b'x'; 3 * MAX_READ_BYTES]).page(None, 9), (vec![], false));
}

#[test]
fn a_page_of_a_long_timeline_is_read_at_once_and_not_too_long() {
    let text = "some words ".repeat(1_000);
    let mut content = Vec::new();
    let mut seq = 0;
    while content.len() < 16 << 20 {
        seq += 1;
        content.extend(line(seq, &text));
    }
    let world = World::with(&content);
    let before = bytes_read();
    assert_eq!(world.page(None, 200), ((seq - 199..=seq).collect(), true));
    assert!(bytes_read() - before < 4 << 20, "{} bytes", bytes_read() - before);
    let before = bytes_read();
    assert_eq!(world.page(Some(700), 200), ((500..700).collect(), true));
    assert!(bytes_read() - before < 6 << 20, "{} bytes", bytes_read() - before);
    let (all, has_earlier) = world.page(None, usize::MAX);
    assert!(has_earlier && all.len() > 300 && all.len() < 600, "{} entries", all.len());

    let (before, mut follower) = (bytes_read(), world.reader.timeline(&world.id, 1_000));
    let first = follower.read().expect("it is readable").expect("it exists").entries;
    assert_eq!(first.first().map(|entry| entry.seq), Some(1_001));
    assert!(bytes_read() - before < 4 << 20, "{} bytes", bytes_read() - before);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pages_together_are_the_whole_timeline(
        steps in prop::collection::vec((1_u64..5, 0_usize..30_000), 0..60),
        limit in 1_usize..25,
    ) {
        let (mut seq, mut content, mut all) = (0, Vec::new(), Vec::new());
        for (step, length) in steps {
            seq += step;
            content.extend(line(seq, &"x".repeat(length)));
            all.push(seq);
        }
        let world = World::with(&content);
        let (mut page, mut has_earlier) = world.page(None, limit);
        let mut found = page.clone();
        while has_earlier {
            let before = page[0];
            (page, has_earlier) = world.page(Some(before), limit);
            found.splice(0..0, page.iter().copied());
        }
        prop_assert_eq!(&found, &all);
        // A follower that begins after any entry returns the others.
        for after in [0, seq / 3, seq / 2, seq] {
            let mut follower = world.reader.timeline(&world.id, after);
            let mut rest = Vec::new();
            while let Some(read) = follower.read().expect("it is readable") {
                rest.extend(read.entries.iter().map(|entry| entry.seq));
                if !read.has_more {
                    break;
                }
            }
            prop_assert_eq!(rest, all.iter().copied().filter(|seq| *seq > after).collect::<Vec<_>>());
        }
    }
}
