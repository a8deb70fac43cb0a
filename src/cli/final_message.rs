//! Prints the agent's final message, which may be long.

use std::io::{self, IsTerminal, Write};

use super::{context::refused, exit::Exit, output::end_quietly};
use crate::{
    broker::Broker,
    present::verbatim,
    store::{ByteRange, TaskFile},
    task::TaskRecord,
    visible::visible,
};

/// How much is read at once, in bytes.
const CHUNK_BYTES: u64 = 256 << 10;

/// Prints the task's final message on stdout, if there is one: escaped on a terminal, and otherwise as it is. Ends with
/// a newline.
pub(super) async fn print_final_message(broker: &Broker, record: &TaskRecord) -> Result<(), Exit> {
    let is_terminal = io::stdout().is_terminal();
    let (mut offset, mut ends_line) = (Some(0), true);
    while let Some(start) = offset {
        let range = ByteRange { offset: start, length: CHUNK_BYTES };
        let chunk = broker.read_chunk(record, TaskFile::Result, range).await;
        let Some(chunk) = chunk.map_err(|refusal| refused(broker, &refusal))? else { return Ok(()) };
        let text = verbatim(chunk.text);
        let text = if is_terminal { visible(&text) } else { text.as_str().into() };
        ends_line = if text.is_empty() { ends_line } else { text.ends_with('\n') };
        end_quietly(io::stdout().write_all(text.as_bytes()))?;
        offset = chunk.next;
    }
    let line_end: &[u8] = if ends_line { b"" } else { b"\n" };
    let mut stdout = io::stdout().lock();
    end_quietly(stdout.write_all(line_end).and_then(|()| stdout.flush()))
}
