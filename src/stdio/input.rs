//! Reports the end of stdin at once.
//!
//! When its input ends, rmcp waits up to five seconds for calls in progress. The server must react earlier.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::sync::CancellationToken;

/// A reader that reports its end, and terminates the last line if its newline is missing.
#[derive(Debug)]
pub(crate) struct InputReader<R> {
    reader: R,
    ended: CancellationToken,
    last: u8,
}

impl<R> InputReader<R> {
    /// Cancels `ended` when `reader` has ended or failed.
    pub(crate) fn new(reader: R, ended: CancellationToken) -> Self {
        Self { reader, ended, last: b'\n' }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for InputReader<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.reader).poll_read(cx, buf));
        if let Some(last) = buf.filled()[before..].last() {
            self.last = *last;
        } else if read.is_ok() && self.last != b'\n' && buf.remaining() > 0 {
            // A last request without a newline, as `printf` sends it, is still a request.
            self.last = b'\n';
            buf.put_slice(b"\n");
        } else {
            self.ended.cancel();
        }
        Poll::Ready(read)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn read_all(text: &[u8]) -> (Vec<u8>, bool) {
        let ended = CancellationToken::new();
        let mut read = Vec::new();
        InputReader::new(text, ended.clone()).read_to_end(&mut read).await.expect("memory can be read");
        (read, ended.is_cancelled())
    }

    #[tokio::test]
    async fn the_end_is_reported() {
        assert_eq!(read_all(b"{}\n").await, (b"{}\n".to_vec(), true));
        assert_eq!(read_all(b"").await, (Vec::new(), true));
    }

    #[tokio::test]
    async fn an_unterminated_last_line_gets_a_newline() {
        assert_eq!(read_all(b"{}\n{}").await, (b"{}\n{}\n".to_vec(), true));
    }
}
