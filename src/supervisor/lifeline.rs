//! The supervisor's stdin: one line of spec, then nothing until its end, which means that the server is gone.

use std::io::{BufRead, BufReader, ErrorKind, Read};

use tokio::sync::oneshot;

use super::threads;
use crate::task::{TaskId, TaskSpec};

/// A spec holds a prompt, which Codex limits to 1 Mi characters; this leaves room for every way to write them.
const MAX_SPEC_BYTES: u64 = 64 << 20;

/// Reads the spec, and returns with it a receiver that is told of the end of stdin.
///
/// Fails with a message when the first line is no spec, or there is no room for another thread.
pub(super) fn take(id: &TaskId) -> Result<(TaskSpec, oneshot::Receiver<()>), String> {
    let mut stdin = BufReader::new(std::io::stdin());
    let mut line = Vec::new();
    let read = (&mut stdin).take(MAX_SPEC_BYTES).read_until(b'\n', &mut line);
    read.map_err(|error| format!("cannot read the spec of task {id} from stdin: {error}"))?;
    let spec = serde_json::from_slice(&line).map_err(|error| {
        format!("the first line of stdin is no spec of task {id}: {error}; a supervisor is started by the server")
    })?;
    let (gone, lifeline) = oneshot::channel();
    // A thread, because stdin may be a file or a terminal, for which the runtime cannot wait. It ends with the process.
    threads::begin(move || {
        let mut rest = [0; 512];
        loop {
            match stdin.read(&mut rest) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let _ = gone.send(());
    })?;
    Ok((spec, lifeline))
}
