//! An append-only file with a size limit.
//!
//! When the file reaches its limit, the bytes between its first half and its last quarter are removed, and a line
//! reports how many were removed. The first half stays in place, so at most a quarter of the limit is copied for each
//! quarter that is written:
//!
//! ```text
//! |        first half        |   removed   | last quarter |
//! |        first half        | line | last quarter |  room |
//! ```

use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::FileExt,
};

use super::fault;

/// Size of the copy buffer, in bytes.
const COPY_BLOCK_BYTES: usize = 1 << 20;

/// How far to search for the end of a line. A longer line is cut anywhere.
const MAX_LINE_BYTES: u64 = 64 << 10;

/// Appends to a file that has no other writer.
#[derive(Debug)]
pub struct CappedFile {
    file: File,
    length: u64,
    cap: Option<Cap>,
}

/// The size limit, and the gap that it caused so far.
#[derive(Debug)]
struct Cap {
    max: u64,
    /// Formats the line that reports the number of removed bytes. Its length must not depend on the number.
    line: fn(u64) -> String,
    gap: Option<RemovedBytes>,
}

/// The gap in the middle of the file.
#[derive(Debug, Clone, Copy)]
struct RemovedBytes {
    at: u64,
    left_out: u64,
}

impl CappedFile {
    /// Appends to `file`, which may grow to `max` bytes, or without limit if `max` is `None`.
    pub(super) fn new(file: File, max: Option<u64>, line: fn(u64) -> String) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file, length, cap: max.map(|max| Cap { max, line, gap: None }) })
    }

    /// Removes the middle of the file.
    fn shrink(&mut self) -> io::Result<()> {
        let Some(cap) = &mut self.cap else { return Ok(()) };
        let known = |cap: &Cap| (cap.line)(0).len() as u64;
        let (at, left_out, after) = match cap.gap {
            Some(gap) => (gap.at, gap.left_out, gap.at + known(cap)),
            None => {
                let at = line_end(&self.file, (cap.max / 2).min(self.length), self.length)?;
                (at, 0, at)
            }
        };
        let tail = line_end(&self.file, self.length.saturating_sub(cap.max / 4).max(after), self.length)?;
        if tail <= after {
            return Ok(());
        }
        let gap = RemovedBytes { at, left_out: left_out + (tail - after) };
        let line = (cap.line)(gap.left_out);
        let begin = at + line.len() as u64;
        // The gap already contains a line, so the tail only moves towards the start and never overwrites unread bytes.
        let (mut from, mut to) = (tail, begin);
        if begin > tail {
            return Ok(());
        }
        let mut block = vec![0; COPY_BLOCK_BYTES];
        while from < self.length {
            let count = self.file.read_at(&mut block, from)?;
            if count == 0 {
                break;
            }
            self.file.write_all_at(&block[..count], to)?;
            from += count as u64;
            to += count as u64;
        }
        self.file.write_all_at(line.as_bytes(), at)?;
        fault::point("cut")?;
        self.file.set_len(to)?;
        self.length = to;
        cap.gap = Some(gap);
        Ok(())
    }
}

impl Write for CappedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        fault::point("append")?;
        let mut bytes = bytes;
        if let Some(max) = self.cap.as_ref().map(|cap| cap.max) {
            // A single write may be larger than the space that shrinking frees.
            bytes = &bytes[..bytes.len().min(usize::try_from(max / 4).unwrap_or(usize::MAX))];
            if self.length + bytes.len() as u64 > max {
                self.shrink()?;
            }
        }
        let count = self.file.write_at(bytes, self.length)?;
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The end of the line that contains `offset`, or `offset` itself if that line is too long.
fn line_end(file: &File, offset: u64, length: u64) -> io::Result<u64> {
    let reach = usize::try_from(MAX_LINE_BYTES.min(length - offset)).expect("at most MAX_LINE_BYTES");
    let mut bytes = vec![0; reach];
    let count = file.read_at(&mut bytes, offset)?;
    let end = memchr::memchr(b'\n', &bytes[..count]);
    Ok(end.map_or(offset, |end| offset + end as u64 + 1))
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    fn line(left_out: u64) -> String {
        format!("<{left_out:>20}>\n")
    }

    /// The lines of a file with this limit after `count` numbered lines of 100 bytes, and the file's maximum size.
    fn written(max: u64, count: usize) -> (Vec<String>, u64) {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let path = dir.path().join("log");
        let file = OpenOptions::new().create_new(true).read(true).write(true).open(&path).expect("it is writable");
        let mut capped = CappedFile::new(file, Some(max), line).expect("its metadata is readable");
        let mut longest = 0;
        for number in 0..count {
            capped.write_all(format!("{number:099}\n").as_bytes()).expect("it is writable");
            longest = longest.max(std::fs::metadata(&path).expect("it exists").len());
        }
        let content = std::fs::read_to_string(&path).expect("it is text");
        (content.lines().map(str::to_owned).collect(), longest)
    }

    #[test]
    fn a_file_below_its_limit_is_complete() {
        let (lines, _) = written(10_000, 100);
        assert_eq!(lines.len(), 100);
        assert!(lines.iter().all(|line| line.len() == 99));
    }

    #[test]
    fn a_line_states_exactly_how_many_bytes_were_removed_from_the_middle() {
        for count in [101, 150, 1_000, 5_003] {
            let (lines, longest) = written(10_000, count);
            assert!(longest <= 10_000, "{longest} bytes after {count} lines");
            let gap = lines.iter().position(|line| line.starts_with('<')).expect("the middle was removed");
            let number = |line: &String| line.parse::<usize>().expect("a complete line");
            let (head, tail) = (&lines[..gap], &lines[gap + 1..]);
            assert!(head.len() >= 50 && head.iter().map(number).eq(0..head.len()), "after {count} lines");
            assert!(tail.len() >= 24 && tail.iter().map(number).eq(count - tail.len()..count), "after {count} lines");
            let left_out: usize = lines[gap].trim_matches(['<', '>']).trim().parse().expect("a number");
            assert_eq!(left_out, (count - head.len() - tail.len()) * 100);
        }
    }

    #[test]
    fn an_endless_line_is_cut_at_any_byte() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let path = dir.path().join("log");
        let file = OpenOptions::new().create_new(true).read(true).write(true).open(&path).expect("it is writable");
        let mut capped = CappedFile::new(file, Some(300_000), line).expect("its metadata is readable");
        for _ in 0..1_000 {
            capped.write_all(&[b'x'; 1_000]).expect("it is writable");
        }
        let content = std::fs::read_to_string(&path).expect("it is text");
        assert!(content.len() <= 300_000 && content.contains('<'), "{} bytes", content.len());
    }
}
