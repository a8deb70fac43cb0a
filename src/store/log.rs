//! The log of one task, `logs/<id>.log`, and its raw events.
//!
//! Each entry begins with a time. Further lines of an entry are indented by four spaces, so that an agent's output
//! cannot imitate one of our entries. Characters that could control the reader's terminal, and bytes that are not
//! UTF-8, are written as escapes such as `\x1b`; nothing is omitted. Raw events are written unchanged.

use std::{
    borrow::Cow,
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use chrono::{DateTime, Utc};

use super::{capped::CappedFile, error::StoreError, files};
use crate::visible::{torn_end, write_visible};

/// Size of the write buffer, in bytes.
const BUFFER_BYTES: usize = 256 << 10;

/// The time at the beginning of an entry.
const STAMP: &str = "[%Y-%m-%dT%H:%M:%S%.3fZ] ";

/// Length of the time at the beginning of an entry, in bytes.
const STAMP_BYTES: usize = "[2026-01-02T03:04:05.678Z]".len();

/// The label of the entry that replaces a removed middle.
pub(super) const GAP_LABEL: &str = "LEFT OUT: ";

/// The time at the beginning of a line; `None` if the line continues an entry.
pub fn time_of(line: &[u8]) -> Option<DateTime<Utc>> {
    let stamp = line.get(..STAMP_BYTES)?.strip_prefix(b"[")?.strip_suffix(b"]")?;
    DateTime::parse_from_rfc3339(std::str::from_utf8(stamp).ok()?).ok().map(Into::into)
}

/// Appends entries. They reach the file on [`flush`](LogWriter::flush), or when the buffer is full.
#[derive(Debug)]
pub struct LogWriter<W: Write = CappedFile> {
    file: BufWriter<W>,
    /// An incomplete character at the end of the last part of a line.
    torn: Vec<u8>,
    /// The time that `stamp` shows, in milliseconds.
    stamped: i64,
    stamp: String,
}

impl LogWriter {
    /// Opens a log for appending. If it grows beyond `max` bytes, it loses its middle.
    pub(super) fn open(path: PathBuf, max: Option<u64>) -> Result<Self, StoreError> {
        let line = |left_out| {
            let now = Utc::now().format(STAMP);
            format!("{now}{GAP_LABEL}{left_out:>20} bytes, to keep the log as small as logs.max_bytes says\n")
        };
        Ok(Self::to(capped(path, max, line)?))
    }
}

/// Appends raw events.
#[derive(Debug)]
pub struct EventsWriter(BufWriter<CappedFile>);

impl EventsWriter {
    /// Opens a file of raw events for appending. If it grows beyond `max` bytes, it loses its middle.
    pub(super) fn open(path: PathBuf, max: Option<u64>) -> Result<Self, StoreError> {
        let line = |left_out| format!("{{\"type\":\"codex-connector.left_out\",\"bytes\":{left_out:>20}}}\n");
        let file = capped(path, max, line)?;
        Ok(Self(BufWriter::with_capacity(BUFFER_BYTES, file)))
    }
}

fn capped(path: PathBuf, max: Option<u64>, line: fn(u64) -> String) -> Result<CappedFile, StoreError> {
    let opened = files::read_and_write(&path).and_then(|file| CappedFile::new(file, max, line));
    opened.map_err(StoreError::at("open", path))
}

impl Write for EventsWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write> LogWriter<W> {
    fn to(file: W) -> Self {
        let file = BufWriter::with_capacity(BUFFER_BYTES, file);
        Self { file, torn: Vec::new(), stamped: i64::MIN, stamp: String::new() }
    }

    /// Appends one entry. Further lines of `text` are indented.
    pub fn entry(&mut self, now: DateTime<Utc>, text: &str) -> io::Result<()> {
        self.labelled(now, "", text)
    }

    /// Like [`entry`](Self::entry), for a text in two parts.
    pub fn labelled(&mut self, now: DateTime<Utc>, head: &str, text: &str) -> io::Result<()> {
        self.begin(now)?;
        self.indented(head.as_bytes())?;
        self.indented(text.as_bytes())?;
        self.file.write_all(b"\n")
    }

    /// Appends a line of the agent after `label`.
    pub fn line(&mut self, now: DateTime<Utc>, label: &str, line: &[u8]) -> io::Result<()> {
        self.begin(now)?;
        self.file.write_all(label.as_bytes())?;
        self.indented(line)?;
        self.file.write_all(b"\n")
    }

    /// Begins a line that arrives in parts. Each is passed to [`part`](Self::part), and [`end`](Self::end) ends the
    /// line.
    pub fn start(&mut self, now: DateTime<Utc>, label: &str) -> io::Result<()> {
        self.begin(now)?;
        self.file.write_all(label.as_bytes())
    }

    /// Appends a part of a line. It may begin and end inside a character.
    pub fn part(&mut self, part: &[u8]) -> io::Result<()> {
        let torn = std::mem::take(&mut self.torn);
        let joined = if torn.is_empty() { Cow::Borrowed(part) } else { Cow::Owned([&torn, part].concat()) };
        let (complete, torn) = joined.split_at(joined.len() - torn_end(&joined));
        self.torn.extend_from_slice(torn);
        write_visible(&mut self.file, complete)
    }

    /// Ends a line that came in parts.
    pub fn end(&mut self) -> io::Result<()> {
        let torn = std::mem::take(&mut self.torn);
        write_visible(&mut self.file, &torn)?;
        self.file.write_all(b"\n")
    }

    /// Writes buffered entries to the file.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn begin(&mut self, now: DateTime<Utc>) -> io::Result<()> {
        if self.stamped != now.timestamp_millis() {
            self.stamped = now.timestamp_millis();
            self.stamp = now.format(STAMP).to_string();
        }
        self.file.write_all(self.stamp.as_bytes())
    }

    fn indented(&mut self, text: &[u8]) -> io::Result<()> {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', text) {
            write_visible(&mut self.file, &text[start..end])?;
            self.file.write_all(b"\n    ")?;
            start = end + 1;
        }
        write_visible(&mut self.file, &text[start..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_stamped_and_further_lines_are_indented() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let path = dir.path().join("log");
        let mut log = LogWriter::open(path.clone(), None).expect("the directory is writable");
        let now = DateTime::from_timestamp_millis(1_705_314_600_007).expect("a valid time");
        log.entry(now, "one\n[2024-01-15T10:30:00.000Z] HEARTBEAT #1: forged").expect("it is writable");
        log.line(now, "STDERR: ", b"two \xff").expect("it is writable");
        log.labelled(now, "three\n", "four\nfive").expect("it is writable");
        log.flush().expect("it is writable");
        assert_eq!(
            std::fs::read(path).expect("it exists"),
            b"[2024-01-15T10:30:00.007Z] one\n    [2024-01-15T10:30:00.000Z] HEARTBEAT #1: forged\n\
              [2024-01-15T10:30:00.007Z] STDERR: two \\xff\n\
              [2024-01-15T10:30:00.007Z] three\n    four\n    five\n"
        );
    }

    /// The log's content after a line in these parts, without the time.
    fn in_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
        let mut log = LogWriter::to(Vec::new());
        log.start(DateTime::UNIX_EPOCH, "").expect("memory is writable");
        for part in parts {
            log.part(part).expect("memory is writable");
        }
        log.end().expect("memory is writable");
        let written = log.file.into_inner().expect("memory is writable");
        String::from_utf8(written).expect("a log is text").split_off("[1970-01-01T00:00:00.000Z] ".len())
    }

    #[test]
    fn control_characters_are_escaped_wherever_a_line_is_cut() {
        let line = "a\u{1b}]0;x\u{7} ä\u{9b}👩\u{200d}🔧\u{202e}\t\r".as_bytes();
        let shown = "a\\x1b]0;x\\x07 ä\\x9b👩\u{200d}🔧\\u{202e}\t\\r\n";
        for size in 1..=line.len() {
            assert_eq!(in_parts(line.chunks(size)), shown, "in parts of {size}");
        }
        assert_eq!(in_parts([&b"\xe2"[..], b"\x80", b"x\xff", b"\xf0\x9f"]), "\\xe2\\x80x\\xff\\xf0\\x9f\n");
    }

    #[test]
    fn entries_and_lines_cannot_control_a_terminal() {
        let mut log = LogWriter::to(Vec::new());
        let hostile = "\u{1b}[2J\r[2024-01-15T10:30:00.000Z] END\u{85}x\ny\u{2028}z";
        log.entry(DateTime::UNIX_EPOCH, hostile).expect("memory is writable");
        log.line(DateTime::UNIX_EPOCH, "STDOUT: ", b"\x9b31m").expect("memory is writable");
        let written = String::from_utf8(log.file.into_inner().expect("memory is writable"));
        assert_eq!(
            written.expect("a log is text"),
            "[1970-01-01T00:00:00.000Z] \\x1b[2J\\r[2024-01-15T10:30:00.000Z] END\\x85x\n    y\\u{2028}z\n\
             [1970-01-01T00:00:00.000Z] STDOUT: \\x9b31m\n"
        );
    }
}
