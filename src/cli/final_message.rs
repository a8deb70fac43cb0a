//! Prints the agent's final message, which may be long.

use std::io::{self, Write};

use super::{context::refused, exit::Exit, output::end_quietly};
use crate::{
    broker::Broker,
    present::terminal::{Screen, result_text},
    store::{ByteRange, TaskFile},
    task::TaskRecord,
};

/// How much is read at once, in bytes.
const CHUNK_BYTES: u64 = 256 << 10;

/// The end of a message that does not end with a newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessageEnd {
    /// A newline is added on a terminal only. In a pipe, the message is exact.
    Exact,
    /// A newline is added.
    Newline,
}

/// Prints the task's final message on stdout: escaped on a terminal, and otherwise unchanged. Returns whether there is
/// one.
pub(super) async fn print_final_message(
    broker: &Broker,
    record: &TaskRecord,
    screen: Screen,
    end: MessageEnd,
) -> Result<bool, Exit> {
    let (mut offset, mut ends_line) = (Some(0), true);
    while let Some(start) = offset {
        let range = ByteRange { offset: start, length: CHUNK_BYTES };
        let chunk = broker.read_chunk(record, TaskFile::Result, range).await;
        let Some(chunk) = chunk.map_err(|refusal| refused(broker, &refusal))? else { return Ok(false) };
        let text = result_text(&chunk.text, screen);
        ends_line = text.last().map_or(ends_line, |last| *last == b'\n');
        end_quietly(io::stdout().write_all(&text))?;
        offset = chunk.next;
    }
    let adds_newline = !ends_line && (end == MessageEnd::Newline || screen.is_terminal());
    let line_end: &[u8] = if adds_newline { b"\n" } else { b"" };
    let mut stdout = io::stdout().lock();
    end_quietly(stdout.write_all(line_end).and_then(|()| stdout.flush()))?;
    Ok(true)
}
