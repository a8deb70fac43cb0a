//! Reading the last lines of a log from its end, so that the log's size does not matter.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use super::Reader;
use crate::{
    store::{
        error::{StoreError, if_exists},
        files,
    },
    task::{LogTail, TaskId, Untrusted},
};

/// Maximum number of bytes to read from the end. Answers show much less.
const MAX_TAIL_BYTES: u64 = 1 << 20;
const BLOCK_BYTES: u64 = 64 << 10;

impl Reader {
    /// The last lines of the task's log, up to `max`, from at most its last MiB. Empty if there is no log.
    pub fn tail_log(&self, id: &TaskId, max: usize) -> Result<LogTail, StoreError> {
        let path = self.layout.log(id);
        let read = || if_exists(files::open(&path).and_then(|file| tail(file, max)));
        // The log may lose its middle while it is read, and be shorter afterwards.
        let shrunk = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
        let tail = read().or_else(|error| if shrunk(&error) { read() } else { Err(error) });
        Ok(tail.map_err(StoreError::at("read", path))?.unwrap_or_default())
    }
}

fn tail(mut file: File, max: usize) -> io::Result<LogTail> {
    let end = file.metadata()?.len();
    let floor = end.saturating_sub(MAX_TAIL_BYTES);
    let mut start = end;
    let mut bytes: Vec<u8> = Vec::new();
    // Look for one line break more than lines: the log ends with one, and one precedes the first line to show.
    while start > floor && bytes.iter().filter(|byte| **byte == b'\n').count() <= max {
        let block = BLOCK_BYTES.min(start - floor);
        start -= block;
        let mut before = vec![0; usize::try_from(block).expect("a block is small")];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut before)?;
        before.append(&mut bytes);
        bytes = before;
    }
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<&str> = text.lines().collect();
    if start > 0 && lines.len() > 1 {
        lines.remove(0);
    }
    let skipped = lines.len().saturating_sub(max);
    Ok(LogTail { lines: lines.drain(skipped..).map(Untrusted::from).collect(), has_more: start > 0 || skipped > 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::reader;

    fn tail_of(content: &str, max: usize) -> LogTail {
        let (_dir, reader) = reader();
        let id = TaskId::random();
        std::fs::write(reader.log_path(&id), content).expect("the log directory is writable");
        reader.tail_log(&id, max).expect("it is readable")
    }

    #[test]
    fn the_last_lines_are_returned_oldest_first() {
        assert_eq!(tail_of("a\nb\nc\n", 2), LogTail { lines: vec!["b".into(), "c".into()], has_more: true });
        assert_eq!(tail_of("a\nb", 5), LogTail { lines: vec!["a".into(), "b".into()], has_more: false });
        assert_eq!(tail_of("", 5), LogTail::default());
    }

    #[test]
    fn lines_that_span_blocks_are_complete() {
        let long = "x".repeat(100_000);
        let tail = tail_of(&format!("first\n{long}\nlast\n"), 2);
        assert_eq!((tail.lines.len(), tail.lines[0].raw().len(), tail.lines[1].raw()), (2, 100_000, "last"));
    }

    #[test]
    fn only_the_end_of_a_very_long_line_is_shown() {
        let tail = tail_of(&"y".repeat(3 << 20), 2);
        assert_eq!((tail.lines.len(), tail.lines[0].raw().len(), tail.has_more), (1, 1 << 20, true));
    }
}
