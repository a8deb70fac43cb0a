//! Streams cut into lines.

use super::{parts::parts, trickle::each_chunk};
use crate::process::{LineChunk, LineLimits};

/// A line, put together again.
#[derive(Debug)]
enum ReadLine {
    /// It came at once.
    Short(Vec<u8>),
    /// It came in parts, and these are what was said at its end.
    Long { line: Vec<u8>, head: Vec<u8>, length: u64 },
}

/// Parts: a stream; bytes that say how it comes. Of these the first three are the limits of the reader, the fourth is
/// after how many reads no more is wanted (255: never), and the others are the sizes of the pieces that are read.
///
/// However a stream comes, its lines are the same, and none has more bytes at once than the limits say.
pub fn line_reader(input: &[u8]) {
    let [stream, how] = parts(input);
    let byte = |at: usize| how.get(at).copied().map_or(255, usize::from);
    let held = byte(0) + 1;
    let limits = LineLimits { held, head: (byte(1) + 1).min(held), read: byte(2) + 1 };
    let most = if byte(3) == 255 { usize::MAX } else { byte(3) };

    let (mut lines, mut open) = (vec![], None::<Vec<u8>>);
    let came = each_chunk(stream, how.get(4..).unwrap_or_default(), limits, most, |chunk| match chunk {
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
            assert!((1..held + limits.read).contains(&part.len()), "{} bytes go on with a long line", part.len());
            open.as_mut().expect("a part is of a line that has begun").extend_from_slice(part);
        }
        LineChunk::LongEnd { head, length } => {
            let line = open.take().expect("what ends has begun");
            lines.push(ReadLine::Long { line, head: head.clone(), length: *length });
        }
    });
    assert!(open.is_none(), "a long line without an end");
    compare(&lines, &stream[..came], limits);
    assert!(most < usize::MAX || came == stream.len(), "{came} of {} bytes came", stream.len());
}

/// Compares lines with those of the whole stream, cut in the simplest way.
fn compare(lines: &[ReadLine], stream: &[u8], limits: LineLimits) {
    let mut expected: Vec<_> = stream.split(|byte| *byte == b'\n').collect();
    expected.pop_if(|last| last.is_empty());
    assert_eq!(lines.len(), expected.len(), "lines");
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
