//! Tests of paging through logs of any shape.

use std::{
    fs,
    io::{Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
};

use proptest::prelude::*;

use super::*;
use crate::store::tests::{bytes_read, reader};

struct World {
    _dir: tempfile::TempDir,
    reader: Reader,
    id: TaskId,
}

impl World {
    fn with(content: &[u8]) -> Self {
        let (dir, reader) = reader();
        let id = TaskId::random();
        fs::write(reader.log_path(&id), content).expect("the log directory is writable");
        Self { _dir: dir, reader, id }
    }

    fn page(&self, before: Option<u64>, max: usize) -> LogPage {
        self.reader.log_page(&self.id, before, max, &Redactor::default()).expect("it is readable")
    }

    /// All pages with up to `max` lines, from the last to the first.
    fn pages(&self, max: usize) -> Vec<LogPage> {
        let mut pages = vec![self.page(None, max)];
        while let Some(LogPage { start: before @ 1.., .. }) = pages.last() {
            let page = self.page(Some(*before), max);
            assert!(page.start < *before && page.end == *before, "{page:?}");
            pages.push(page);
        }
        pages
    }
}

fn texts(page: &LogPage) -> Vec<&str> {
    page.lines.iter().map(|line| line.text.raw()).collect()
}

#[test]
fn the_last_lines_before_an_offset_are_returned() {
    let world = World::with(b"one\ntwo\nthree\n");
    let page = world.page(None, 2);
    assert_eq!((texts(&page), page.start, page.end, page.size), (vec!["two", "three"], 4, 14, 14));
    let page = world.page(Some(4), 2);
    assert_eq!((texts(&page), page.start, page.end, page.size), (vec!["one"], 0, 4, 14));
    assert_eq!(world.page(Some(0), 2), LogPage { size: 14, ..LogPage::default() });
    assert_eq!(world.page(Some(99), 1), world.page(None, 1), "an offset is limited to the end");
    assert!(world.page(None, 0).lines.is_empty());
    assert_eq!(texts(&World::with(b"one\nhalf a li").page(None, 9)), ["one", "half a li"]);
    let other = TaskId::random();
    let none = world.reader.log_page(&other, None, 9, &Redactor::default()).expect("a missing log is not an error");
    assert_eq!(none, LogPage::default());
}

#[test]
fn a_long_line_is_cut_and_says_how_much_is_omitted() {
    let mut content = b"before\n".to_vec();
    content.extend(vec![b'x'; 10 << 20]);
    content.extend(b"\nafter\n");
    let world = World::with(&content);
    let pages = world.pages(100);
    assert_eq!(pages.iter().map(|page| page.lines.len()).collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!((texts(&pages[0]), texts(&pages[2])), (vec!["after"], vec!["before"]));
    let line = &pages[1].lines[0];
    assert_eq!(line.text.raw(), "x".repeat(MAX_LINE_BYTES));
    assert_eq!(line.omitted, (10 << 20) - MAX_LINE_BYTES as u64);

    // Several long lines in one block, with a character at the place where they are cut.
    let text = format!("{}ä{}\n", "y".repeat(MAX_LINE_BYTES - 1), "z".repeat(9));
    let page = World::with(text.repeat(3).as_bytes()).page(None, 9);
    assert_eq!(page.lines.len(), 3);
    assert!(page.lines.iter().all(|line| line.text.raw() == "y".repeat(MAX_LINE_BYTES - 1) && line.omitted == 10));
}

#[test]
fn an_endless_line_is_shown_in_parts() {
    let world = World::with(b"");
    let file = fs::File::options().write(true).open(world.reader.log_path(&world.id)).expect("it exists");
    file.set_len(3 * MAX_LOOK_BACK).expect("a sparse file needs no space");
    assert_eq!(world.pages(9).len(), 3);
}

#[test]
fn the_end_of_a_large_log_is_read_at_once() {
    let world = World::with(b"");
    let mut file = fs::File::options().write(true).open(world.reader.log_path(&world.id)).expect("it exists");
    file.write_all_at(b"\n", (1 << 30) - 1).expect("a sparse file needs no space");
    file.seek(SeekFrom::End(0)).expect("it is a file");
    file.write_all("a line of the log\n".repeat(1_000).as_bytes()).expect("it is writable");
    let before = bytes_read();
    assert_eq!(world.page(None, 500).lines.len(), 500);
    assert!(bytes_read() - before < 256 << 10, "{} bytes", bytes_read() - before);
}

#[test]
fn a_secret_is_redacted_even_where_a_line_is_cut() {
    let secret = "s3cr3t-s3cr3t-s3cr3t-s3cr3t";
    let redactor = Redactor::of([("MY_API_KEY".into(), secret.into())]);
    for at in [10, MAX_LINE_BYTES - 10, MAX_LINE_BYTES + REDACTED_BEYOND - 10] {
        let line = format!("{}{secret}{}\n", " ".repeat(at), "more ".repeat(10_000));
        for content in [line.clone(), line.repeat(40)] {
            let world = World::with(content.as_bytes());
            let page = world.reader.log_page(&world.id, None, 9, &redactor).expect("it is readable");
            assert!(page.lines.iter().all(|line| !line.text.raw().contains("s3cr")), "at {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pages_together_are_the_whole_log(
        lines in prop::collection::vec("[a-zäß€ ]{0,12}", 0..60),
        is_complete in any::<bool>(),
        max in 1_usize..20,
    ) {
        let mut content = lines.join("\n");
        if is_complete && !content.is_empty() {
            content.push('\n');
        }
        let world = World::with(content.as_bytes());
        let pages = world.pages(max);
        prop_assert!(pages.iter().all(|page| page.lines.len() <= max));
        let found: Vec<_> = pages.iter().rev().flat_map(texts).collect();
        let expected: Vec<_> = content.strip_suffix('\n').unwrap_or(&content).split('\n').collect();
        prop_assert_eq!(found, if content.is_empty() { vec![] } else { expected });
    }
}
