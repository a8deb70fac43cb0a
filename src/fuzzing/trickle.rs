//! A stream that comes as pipes bring it: in pieces of any size, with waits between them.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::FutureExt;
use tokio::io::{AsyncRead, ReadBuf};

use crate::process::{LineChunk, LineLimits, LineReader};

/// Brings `left` in pieces of the given sizes, over and over. A size of 0 is a wait.
struct Trickle<'a> {
    left: &'a [u8],
    sizes: &'a [u8],
    at: usize,
    has_waited: bool,
}

impl AsyncRead for Trickle<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let size = match self.sizes {
            [] => self.left.len(),
            sizes => usize::from(sizes[self.at % sizes.len()]),
        };
        self.at += 1;
        if size == 0 && !std::mem::replace(&mut self.has_waited, true) {
            return Poll::Pending;
        }
        self.has_waited = false;
        let (now, later) = self.left.split_at(size.max(1).min(into.remaining()).min(self.left.len()));
        into.put_slice(now);
        self.left = later;
        Poll::Ready(Ok(()))
    }
}

/// Reads a stream as the supervisor does, and gives each piece of it to `took`. After `most` reads no more bytes are
/// wanted. Returns how many bytes came.
pub(super) fn each_chunk(
    stream: &[u8],
    sizes: &[u8],
    limits: LineLimits,
    most: usize,
    mut took: impl FnMut(&LineChunk<'_>),
) -> usize {
    let trickle = Trickle { left: stream, sizes, at: 0, has_waited: false };
    let mut reader = LineReader::with_limits(trickle, limits);
    let mut came = 0;
    for read in 0.. {
        let count = if read < most {
            // Other things happen while the supervisor waits: then the future is dropped, and made anew.
            let Some(count) = reader.fill().now_or_never() else { continue };
            count.expect("memory can be read")
        } else {
            reader.end();
            0
        };
        came += count;
        while let Some(chunk) = reader.cut() {
            took(&chunk);
        }
        if count == 0 {
            break;
        }
    }
    assert_eq!(reader.cut(), None, "a stream that has ended has no further pieces");
    came
}
