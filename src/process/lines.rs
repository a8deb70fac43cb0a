//! Splits a stream of bytes into lines, with bounded memory.

use std::{io, mem};

use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest line held in memory: 8 MiB. A longer line is returned in parts.
pub const MAX_LINE_BYTES: usize = 8 << 20;

/// Minimum number of bytes requested in one read: the capacity of an agent's pipe.
const READ_BYTES: usize = 256 << 10;

/// Number of bytes that are kept from the beginning of a longer line, for the session.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// Limits on how much of a stream is in memory at once, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineLimits {
    /// [`MAX_LINE_BYTES`].
    pub(crate) held: usize,
    /// [`MAX_HEAD_BYTES`].
    pub(crate) head: usize,
    /// [`READ_BYTES`].
    pub(crate) read: usize,
}

/// Reads lines in batches: [`fill`](Self::fill) waits for bytes, and [`cut`](Self::cut) returns the lines in them.
#[derive(Debug)]
pub struct LineReader<R> {
    from: R,
    limits: LineLimits,
    buffer: Vec<u8>,
    /// Bytes before this position have been returned.
    used: usize,
    /// Bytes between `used` and this position contain no newline.
    searched: usize,
    long: Option<LongLine>,
    is_at_end: bool,
    unterminated: Unterminated,
}

/// Whether the last line is returned before its newline has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unterminated {
    No,
    /// It is to be returned.
    ToCut,
    /// It was returned. If its newline follows alone, that is not another line.
    Cut,
}

/// A line longer than [`MAX_LINE_BYTES`], of which some parts have been returned.
#[derive(Debug)]
struct LongLine {
    head: Vec<u8>,
    length: u64,
}

/// A line, or a part of one that is too long for memory.
#[derive(Debug, PartialEq, Eq)]
pub enum LineChunk<'a> {
    /// A complete line, without its line ending.
    Line(&'a [u8]),
    /// The first part of a long line.
    LongStart(&'a [u8]),
    /// A further part of it.
    LongPart(&'a [u8]),
    /// The long line has ended.
    LongEnd {
        /// Its first bytes.
        head: Vec<u8>,
        /// Its total length in bytes.
        length: u64,
    },
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// A reader of `from`.
    pub fn new(from: R) -> Self {
        Self::with_limits(from, LineLimits { held: MAX_LINE_BYTES, head: MAX_HEAD_BYTES, read: READ_BYTES })
    }

    /// A reader with other limits, so that tests need no large inputs.
    pub(crate) fn with_limits(from: R, limits: LineLimits) -> Self {
        Self {
            from,
            limits,
            buffer: Vec::new(),
            used: 0,
            searched: 0,
            long: None,
            is_at_end: false,
            unterminated: Unterminated::No,
        }
    }

    /// Waits for more bytes and returns their number; 0 means the end of the stream. Cancel-safe.
    pub async fn fill(&mut self) -> io::Result<usize> {
        self.buffer.drain(..self.used);
        self.searched -= self.used;
        self.used = 0;
        if self.buffer.is_empty() && self.buffer.capacity() > 1 << 20 {
            self.buffer = Vec::new();
        }
        let LineLimits { held, read, .. } = self.limits;
        if self.buffer.capacity() - self.buffer.len() < read {
            // Doubles the buffer, as `Vec` does by itself, but never beyond the limit.
            let length = self.buffer.len();
            self.buffer.reserve_exact(length.min(held.saturating_sub(length)).max(read));
        }
        let count = self.from.read_buf(&mut self.buffer).await?;
        self.is_at_end = count == 0;
        Ok(count)
    }

    /// Treats the bytes read so far as the whole stream.
    pub fn end(&mut self) {
        self.is_at_end = true;
    }

    /// The last line, if its newline has not arrived yet and it is not too long for memory.
    pub fn unterminated(&self) -> Option<&[u8]> {
        (self.long.is_none() && self.used < self.buffer.len()).then(|| &self.buffer[self.used..])
    }

    /// Makes [`cut`](Self::cut) return the last line before its newline has arrived. If the newline arrives later, it
    /// does not count as a blank line.
    pub fn end_line(&mut self) {
        self.unterminated = Unterminated::ToCut;
    }

    /// The next line or part of one. `None` if more bytes are needed, or if the whole stream has been returned.
    pub fn cut(&mut self) -> Option<LineChunk<'_>> {
        let found = memchr::memchr(b'\n', &self.buffer[self.searched..]);
        match found {
            Some(offset) => {
                let end = self.searched + offset;
                let is_late_end = matches!(&self.buffer[self.used..end], b"" | b"\r");
                if mem::replace(&mut self.unterminated, Unterminated::No) == Unterminated::Cut && is_late_end {
                    (self.used, self.searched) = (end + 1, end + 1);
                    return self.cut();
                }
                Some(self.ended_by(end, end + 1))
            }
            None if self.unterminated == Unterminated::ToCut => {
                self.unterminated = Unterminated::Cut;
                Some(self.ended_by(self.buffer.len(), self.buffer.len()))
            }
            None if self.is_at_end && self.used < self.buffer.len() => {
                Some(self.ended_by(self.buffer.len(), self.buffer.len()))
            }
            None if self.is_at_end => {
                self.long.take().map(|long| LineChunk::LongEnd { head: long.head, length: long.length })
            }
            None => {
                self.searched = self.buffer.len();
                let waiting = self.searched - self.used;
                (self.long.is_some() && waiting > 0 || waiting >= self.limits.held).then(|| self.part(self.searched))
            }
        }
    }

    /// The line, or the rest of the long line, up to `end`. The next line begins at `next`.
    fn ended_by(&mut self, end: usize, next: usize) -> LineChunk<'_> {
        let start = self.used;
        if self.long.is_some() {
            if start < end {
                return self.part(end);
            }
            (self.used, self.searched) = (next, next);
            let long = self.long.take().expect("it was checked above");
            return LineChunk::LongEnd { head: long.head, length: long.length };
        }
        (self.used, self.searched) = (next, next);
        let line = &self.buffer[start..end];
        LineChunk::Line(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// Returns everything up to `end` as a part of a long line.
    fn part(&mut self, end: usize) -> LineChunk<'_> {
        let start = self.used;
        (self.used, self.searched) = (end, end);
        let part = &self.buffer[start..end];
        let length = u64::try_from(part.len()).expect("a length fits into 64 bits");
        match &mut self.long {
            Some(long) => {
                long.length += length;
                LineChunk::LongPart(part)
            }
            None => {
                self.long = Some(LongLine { head: part[..part.len().min(self.limits.head)].to_vec(), length });
                LineChunk::LongStart(part)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines in `input`; for a line that is too long for memory, its length.
    async fn chunks_of(input: &[u8]) -> Vec<String> {
        let mut reader = LineReader::new(input);
        let mut chunks = Vec::new();
        let mut long = 0;
        loop {
            let count = reader.fill().await.expect("memory can be read");
            while let Some(chunk) = reader.cut() {
                match chunk {
                    LineChunk::Line(line) => chunks.push(String::from_utf8_lossy(line).into_owned()),
                    LineChunk::LongStart(part) | LineChunk::LongPart(part) => long += part.len(),
                    LineChunk::LongEnd { head, length } => {
                        assert_eq!((long as u64, head.len()), (length, MAX_HEAD_BYTES));
                        chunks.push(format!("<{length}>"));
                    }
                }
            }
            if count == 0 {
                return chunks;
            }
        }
    }

    #[tokio::test]
    async fn lines_are_complete_and_an_unterminated_last_line_is_returned() {
        assert_eq!(chunks_of(b"one\r\n\ntwo\nthr").await, ["one", "", "two", "thr"]);
        assert_eq!(chunks_of(b"").await, Vec::<String>::new());
        assert_eq!(chunks_of(b"\n").await, [""]);
    }

    #[tokio::test]
    async fn a_line_too_long_for_memory_is_returned_in_parts() {
        let mut input = vec![b'x'; MAX_LINE_BYTES + 100_000];
        input.extend_from_slice(b"\nnext\n");
        assert_eq!(chunks_of(&input).await, [format!("<{}>", MAX_LINE_BYTES + 100_000), "next".into()]);
        assert_eq!(chunks_of(&input[..MAX_LINE_BYTES + 5]).await, [format!("<{}>", MAX_LINE_BYTES + 5)]);
    }

    #[tokio::test]
    async fn a_line_of_the_maximum_length_is_returned_at_once() {
        let mut input = vec![b'x'; MAX_LINE_BYTES - 1];
        input.push(b'\n');
        assert_eq!(chunks_of(&input).await, [String::from_utf8_lossy(&input[..MAX_LINE_BYTES - 1]).into_owned()]);
    }

    #[tokio::test]
    async fn an_unterminated_line_can_be_cut_and_its_late_newline_is_not_a_line() {
        for (late, expected) in
            [(&b"\n\nnext\n"[..], &["", "next"][..]), (b"\r\nnext\n", &["next"]), (b"next\n\n", &["next", ""])]
        {
            let mut reader = LineReader::new(&b"one\ntwo"[..]);
            reader.fill().await.expect("memory can be read");
            assert_eq!(reader.cut(), Some(LineChunk::Line(b"one")));
            assert_eq!(reader.cut(), None);
            assert_eq!(reader.unterminated(), Some(&b"two"[..]));
            reader.end_line();
            assert_eq!(reader.cut(), Some(LineChunk::Line(b"two")));
            assert_eq!(reader.cut(), None);
            assert_eq!(reader.unterminated(), None);
            reader.from = late;
            reader.fill().await.expect("memory can be read");
            for line in expected {
                assert_eq!(reader.cut(), Some(LineChunk::Line(line.as_bytes())), "{late:?}");
            }
            assert_eq!(reader.cut(), None);
        }
    }

    #[tokio::test]
    async fn memory_is_released_after_a_long_line() {
        let mut input = vec![b'x'; MAX_LINE_BYTES + 1];
        input.push(b'\n');
        let mut reader = LineReader::new(&input[..]);
        while reader.fill().await.expect("memory can be read") > 0 {
            while reader.cut().is_some() {}
        }
        assert!(reader.buffer.capacity() < 1 << 20, "{} bytes are kept", reader.buffer.capacity());
    }
}
