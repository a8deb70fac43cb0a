//! The patch of a task's changes, in a temporary file.

use std::io::{self, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

use crate::{
    redact::{Redactor, StreamRedactor},
    store::{ByteRange, FileChunk},
};

/// The size up to which a patch is kept in memory, in bytes.
const MAX_BYTES_IN_MEMORY: usize = 4 << 20;

/// A patch. It is removed when this value is dropped.
#[derive(Debug)]
pub struct TaskPatch {
    file: SpooledTempFile,
    size: u64,
}

impl TaskPatch {
    /// The bytes that `write` writes. With a `redactor`, secrets in them are redacted. Fails if `write` does, or if the
    /// disk is full.
    pub(super) fn spool<E>(
        redactor: Option<&Redactor>,
        write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<Self, E>
    where
        E: From<io::Error>,
    {
        let mut spool = Spool {
            redactor: redactor.cloned().map(StreamRedactor::new),
            file: SpooledTempFile::new(MAX_BYTES_IN_MEMORY),
        };
        write(&mut spool)?;
        let Spool { redactor, mut file } = spool;
        if let Some(mut redactor) = redactor {
            file.write_all(&redactor.end())?;
        }
        let size = file.stream_position()?;
        Ok(Self { file, size })
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// A part of it. Fails if the temporary file cannot be read.
    pub fn chunk(&mut self, range: ByteRange) -> io::Result<FileChunk> {
        FileChunk::of_file(&mut self.file, self.size, range)
    }

    /// Writes all of it to `to`.
    pub fn copy_to(&mut self, to: &mut impl Write) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        io::copy(&mut self.file, to)?;
        to.flush()
    }
}

/// Redacts what is written to it.
struct Spool {
    redactor: Option<StreamRedactor>,
    file: SpooledTempFile,
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.redactor {
            Some(redactor) => self.file.write_all(&redactor.part(bytes))?,
            None => self.file.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_redacted_wherever_the_patch_is_split() {
        let secret = "Sup3rS3cretV4lue-0123456789";
        let redactor = Redactor::of([("API_TOKEN".into(), secret.into())]);
        let patch = format!("+token = {secret}\n-other\n");
        for at in 0..patch.len() {
            let mut spooled = TaskPatch::spool(Some(&redactor), |to| {
                to.write_all(&patch.as_bytes()[..at])?;
                to.write_all(&patch.as_bytes()[at..])
            })
            .expect("memory can be written");
            let mut copied = Vec::new();
            spooled.copy_to(&mut copied).expect("memory can be read");
            assert_eq!(String::from_utf8_lossy(&copied), "+token = [redacted:API_TOKEN]\n-other\n", "{at}");
            assert_eq!(spooled.size(), copied.len() as u64);
        }
    }

    #[test]
    fn a_patch_is_read_in_parts() {
        let mut patch = TaskPatch::spool::<io::Error>(None, |to| to.write_all(b"one\ntwo\nthree\n")).expect("it fits");
        let mut parts = Vec::new();
        let mut offset = Some(0);
        while let Some(at) = offset {
            let chunk = patch.chunk(ByteRange { offset: at, length: 9 }).expect("memory can be read");
            parts.push(chunk.text.raw().to_owned());
            offset = chunk.next;
        }
        assert_eq!(parts, ["one\ntwo\n", "three\n"]);
    }
}
