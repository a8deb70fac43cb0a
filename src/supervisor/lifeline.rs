//! The supervisor's stdin: one line with the spec, and then nothing until its end, which means that the server is gone.

use std::io::{BufRead, BufReader, ErrorKind, Read};

use tokio::sync::oneshot;

use super::threads;
use crate::task::{TaskId, TaskSpec};

/// Maximum length of a spec, in bytes. It contains a prompt, which Codex limits to 1 Mi characters, in any JSON
/// encoding.
const MAX_SPEC_BYTES: u64 = 64 << 20;

/// Reads the spec. Also returns a receiver that is notified when stdin ends.
///
/// Fails with a message if the first line is not a spec, or if no thread can be started.
pub(super) fn take(id: &TaskId) -> Result<(TaskSpec, oneshot::Receiver<()>), String> {
    let mut stdin = BufReader::new(std::io::stdin());
    let mut line = Vec::new();
    let read = (&mut stdin).take(MAX_SPEC_BYTES).read_until(b'\n', &mut line);
    read.map_err(|error| format!("cannot read the spec of task {id} from stdin: {error}"))?;
    let spec = serde_json::from_slice(&line).map_err(|error| {
        format!("the first line of stdin is not a spec of task {id}: {error}; supervisors are started by the server")
    })?;
    let (gone, lifeline) = oneshot::channel();
    // A thread, because stdin may be a file or a terminal, for which the runtime cannot wait. It runs until the process
    // exits.
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
