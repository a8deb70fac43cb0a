//! Properties of the line reader.

use super::{parts::parts, trickle::each_chunk};
use crate::process::{LineChunk, LineLimits};

/// A line as it was read.
#[derive(Debug)]
enum ReadLine {
    /// The reader returned the line as a whole.
    Short(Vec<u8>),
    /// The reader returned the line in pieces. `head` and `length` come from the last one.
    Long { line: Vec<u8>, head: Vec<u8>, length: u64 },
}

/// Parts: a stream; bytes that control the reading. The first three are the limits of the reader, the fourth is the
/// number of reads after which the reader is ended (255: never), and the others are the sizes of the pieces that are
/// read.
///
/// The lines do not depend on the sizes of the pieces, and the reader returns no more bytes at once than the limits
/// allow.
pub fn line_reader(input: &[u8]) {
    let [stream, control] = parts(input);
    let byte = |at: usize| control.get(at).copied().map_or(255, usize::from);
    let held = byte(0) + 1;
    let limits = LineLimits { held, head: (byte(1) + 1).min(held), read: byte(2) + 1 };
    let max_reads = if byte(3) == 255 { usize::MAX } else { byte(3) };

    let (mut lines, mut open) = (vec![], None::<Vec<u8>>);
    let received = each_chunk(stream, control.get(4..).unwrap_or_default(), limits, max_reads, |chunk| match chunk {
        LineChunk::Line(line) => {
            assert!(open.is_none(), "a line inside a long line");
            assert!(line.len() < held + limits.read, "{} bytes at once", line.len());
            lines.push(ReadLine::Short(line.to_vec()));
        }
        LineChunk::LongStart(part) => {
            assert!((held..held + limits.read).contains(&part.len()), "{} bytes begin a long line", part.len());
            assert!(open.replace(part.to_vec()).is_none(), "a long line inside a long line");
        }
        LineChunk::LongPart(part) => {
            assert!((1..held + limits.read).contains(&part.len()), "{} bytes continue a long line", part.len());
            open.as_mut().expect("a long line has begun").extend_from_slice(part);
        }
        LineChunk::LongEnd { head, length } => {
            let line = open.take().expect("a long line has begun");
            lines.push(ReadLine::Long { line, head: head.clone(), length: *length });
        }
    });
    assert!(open.is_none(), "a long line without an end");
    compare(&lines, &stream[..received], limits);
    assert!(max_reads < usize::MAX || received == stream.len(), "{received} of {} bytes were received", stream.len());
}

/// Compares the lines with those of a simple implementation that splits the whole stream.
fn compare(lines: &[ReadLine], stream: &[u8], limits: LineLimits) {
    let mut expected: Vec<_> = stream.split(|byte| *byte == b'\n').collect();
    expected.pop_if(|last| last.is_empty());
    assert_eq!(lines.len(), expected.len(), "the number of lines differs");
    for (line, expected) in lines.iter().zip(expected) {
        match line {
            ReadLine::Short(line) => assert_eq!(line, expected.strip_suffix(b"\r").unwrap_or(expected)),
            ReadLine::Long { line, head, length } => {
                assert_eq!(line, expected);
                assert_eq!(*length, line.len() as u64);
                assert_eq!(head, &line[..limits.head]);
            }
        }
    }
}
