use std::io::Write;

use super::*;
use crate::store::{
    log::LogWriter,
    tests::{claimed, upkeep},
};

/// The text of the lines that `reader` returns until there are no more.
fn rest(reader: &mut LogReader) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let read = reader.read().expect("it is readable").expect("it exists");
        lines.extend(read.lines.into_iter().map(|line| String::from_utf8_lossy(&line).into_owned()));
        if !read.has_more {
            return lines;
        }
    }
}

fn reader_of(content: &str, start: LogStart) -> (tempfile::TempDir, LogReader) {
    let (dir, upkeep) = upkeep();
    let id = TaskId::random();
    std::fs::write(upkeep.reader().log_path(&id), content).expect("it is writable");
    let reader = upkeep.reader().log(&id, start);
    (dir, reader)
}

#[test]
fn reading_starts_where_it_was_asked_to() {
    let text = "[2026-01-02T03:04:05.000Z] one\n    more\n[2026-01-02T03:04:06.000Z] two\n";
    let from = |start| rest(&mut reader_of(text, start).1);
    assert_eq!(from(LogStart::Beginning).len(), 3);
    assert_eq!(from(LogStart::Last(0)), Vec::<String>::new());
    assert_eq!(from(LogStart::Last(2)), ["    more", "[2026-01-02T03:04:06.000Z] two"]);
    assert_eq!(from(LogStart::Last(9)).len(), 3);
    let since = |time: &str| from(LogStart::Since(time.parse().expect("a valid time")));
    assert_eq!(since("2026-01-02T03:04:05.5Z"), ["[2026-01-02T03:04:06.000Z] two"]);
    assert_eq!((since("2026-01-02T03:04:05Z").len(), since("2027-01-01T00:00:00Z").len()), (3, 0));
    let long = "x".repeat(300_000);
    let (_dir, mut reader) = reader_of(&format!("{long}\nlast\n"), LogStart::Last(2));
    assert_eq!(rest(&mut reader).concat(), format!("{long}last"));
}

#[test]
fn an_incomplete_line_is_read_when_it_is_complete_or_at_the_end() {
    let (_dir, mut reader) = reader_of("one\ntw", LogStart::Beginning);
    assert_eq!(rest(&mut reader), ["one"]);
    let mut file = std::fs::OpenOptions::new().append(true).open(reader.path()).expect("it exists");
    file.write_all(b"o\nthr").expect("it is writable");
    assert_eq!(rest(&mut reader), ["two"]);
    assert_eq!(reader.read_to_end().expect("it is readable").expect("it exists").lines, [b"thr"]);
    assert_eq!(rest(&mut reader), Vec::<String>::new());
}

/// Writes numbered entries to a log that loses its middle several times, and reads every `step` entries.
fn numbers_read(step: u64, count: u64) -> Vec<String> {
    let (_dir, upkeep) = upkeep();
    let task = claimed(&upkeep, &TaskId::random());
    let path = upkeep.reader().log_path(task.id());
    let mut log = LogWriter::open(path, Some(100_000)).expect("it is writable");
    let mut reader = upkeep.reader().log(task.id(), LogStart::Beginning);
    let mut lines = Vec::new();
    for number in 0..count {
        log.entry(Utc::now(), &format!("number {number} {}", "x".repeat(100))).expect("it is writable");
        if number % step == step - 1 {
            log.flush().expect("it is writable");
            lines.extend(rest(&mut reader));
        }
    }
    lines.into_iter().map(|line| line.split(' ').take(3).skip(1).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn a_reader_that_keeps_up_reads_each_line_once_although_the_middle_is_removed() {
    let expected: Vec<_> = (0..5_000).map(|number| format!("number {number}")).collect();
    assert_eq!(numbers_read(10, 5_000), expected);
}

#[test]
fn a_reader_that_falls_behind_reads_the_line_about_the_removed_bytes_and_continues_after_it() {
    let lines = numbers_read(2_500, 5_000);
    let gaps = lines.iter().filter(|line| *line == "LEFT OUT:").count();
    assert_eq!(gaps, 2, "{lines:?}");
    let numbers = lines.iter().filter_map(|line| line.strip_prefix("number ")?.parse().ok());
    let numbers: Vec<u64> = numbers.collect();
    assert!(numbers.is_sorted_by(|a, b| a < b) && numbers.last() == Some(&4_999), "{numbers:?}");
}
