//! A stream whose bytes arrive as they do from a pipe: in pieces of any size, with pauses between them.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::FutureExt;
use tokio::io::{AsyncRead, ReadBuf};

use crate::process::{LineChunk, LineLimits, LineReader};

/// Delivers `rest` in pieces of the given sizes, starting again after the last size. A size of 0 is a pause.
struct Trickle<'a> {
    rest: &'a [u8],
    sizes: &'a [u8],
    at: usize,
    has_paused: bool,
}

impl AsyncRead for Trickle<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let size = match self.sizes {
            [] => self.rest.len(),
            sizes => usize::from(sizes[self.at % sizes.len()]),
        };
        self.at += 1;
        if size == 0 && !std::mem::replace(&mut self.has_paused, true) {
            return Poll::Pending;
        }
        self.has_paused = false;
        let (now, later) = self.rest.split_at(size.max(1).min(into.remaining()).min(self.rest.len()));
        into.put_slice(now);
        self.rest = later;
        Poll::Ready(Ok(()))
    }
}

/// Reads a stream as the supervisor does, and passes each chunk of a line to `receive`. Ends the reader after
/// `max_reads` attempts to read. Returns the number of bytes that were read.
pub(super) fn each_chunk(
    stream: &[u8],
    sizes: &[u8],
    limits: LineLimits,
    max_reads: usize,
    mut receive: impl FnMut(&LineChunk<'_>),
) -> usize {
    let trickle = Trickle { rest: stream, sizes, at: 0, has_paused: false };
    let mut reader = LineReader::with_limits(trickle, limits);
    let mut total = 0;
    for read in 0.. {
        let count = if read < max_reads {
            // The supervisor also drops this future when something else happens, and creates a new one later.
            let Some(count) = reader.fill().now_or_never() else { continue };
            count.expect("memory can be read")
        } else {
            reader.end();
            0
        };
        total += count;
        while let Some(chunk) = reader.cut() {
            receive(&chunk);
        }
        if count == 0 {
            break;
        }
    }
    assert_eq!(reader.cut(), None, "no chunk follows the end of the stream");
    total
}
