//! Reading the agent's final message, which may be long.

use std::{
    fs,
    io::{self, Read, Seek, SeekFrom},
};

use super::Reader;
use crate::{
    store::{
        error::{StoreError, if_exists},
        files,
    },
    task::{ResultText, TaskId, Untrusted},
};

impl Reader {
    /// The agent's final message, limited to about `max` bytes: a longer one is reduced to its beginning, its end, and
    /// the number of bytes omitted between them. `None` if there is no result.
    pub fn result(&self, id: &TaskId, max: u64) -> Result<Option<ResultText>, StoreError> {
        let path = self.layout.result(id);
        if_exists(files::open(&path).and_then(|file| shortened(file, max))).map_err(StoreError::at("read", path))
    }
}

fn shortened(mut file: fs::File, max: u64) -> io::Result<ResultText> {
    let length = file.metadata()?.len();
    let mut head = Vec::new();
    if length <= max {
        file.read_to_end(&mut head)?;
        return Ok(ResultText { head: lossy(head).into(), left_out: 0, tail: Untrusted::default() });
    }
    let half = max / 2;
    (&mut file).take(half).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(length - half))?;
    let mut tail = Vec::new();
    file.take(half).read_to_end(&mut tail)?;
    Ok(ResultText { head: lossy(head).into(), left_out: length - 2 * half, tail: lossy(tail).into() })
}

/// Converts text that was cut at any byte. Removes an incomplete character at either end.
fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).trim_matches(char::REPLACEMENT_CHARACTER).to_owned()
}
