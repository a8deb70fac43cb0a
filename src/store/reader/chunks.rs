//! Reading chunks of a task's files, which may be large.

use std::{
    io::{self, Read, Seek, SeekFrom},
    time::SystemTime,
};

use super::Reader;
use crate::{
    store::{
        error::{StoreError, if_exists},
        files,
    },
    task::{TaskId, Untrusted},
};

/// One of a task's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskFile {
    /// Its record.
    Record,
    /// Its log.
    Log,
    /// The agent's final message.
    Result,
    /// The agent's raw event stream, where it is kept.
    Events,
    /// Its live view.
    Live,
    /// Its timeline.
    Timeline,
    /// Its workspace file.
    Workspace,
}

/// The range of a chunk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte; limited to the end of the file.
    pub offset: u64,
    /// Maximum length.
    pub length: u64,
}

/// A chunk of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChunk {
    /// The text. It ends after a line if possible, and never inside a character. Bytes that are not UTF-8 are replaced.
    pub text: Untrusted,
    /// Offset of the next chunk; `None` if this is the last one.
    pub next: Option<u64>,
    /// Size of the whole file, in bytes.
    pub size: u64,
}

/// Size and modification time of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMetadata {
    /// Its size in bytes.
    pub size: u64,
    /// When it was last modified.
    pub modified: SystemTime,
}

impl Reader {
    /// A chunk of one of the task's files; `None` if the file does not exist.
    pub fn read_chunk(&self, id: &TaskId, file: TaskFile, range: ByteRange) -> Result<Option<FileChunk>, StoreError> {
        let path = self.task_file(id, file);
        let read = files::open(&path).and_then(|file| chunk_of(file.metadata()?.len(), file, range));
        if_exists(read).map_err(StoreError::at("read", path))
    }

    /// Size and modification time of one of the task's files; `None` if it does not exist.
    pub fn file_metadata(&self, id: &TaskId, file: TaskFile) -> Option<FileMetadata> {
        metadata(&self.task_file(id, file))
    }

    /// Size and modification time of `tasks.json`.
    pub fn index_metadata(&self) -> Option<FileMetadata> {
        metadata(&self.layout.index())
    }

    fn task_file(&self, id: &TaskId, file: TaskFile) -> std::path::PathBuf {
        match file {
            TaskFile::Record => self.layout.record(id),
            TaskFile::Log => self.layout.log(id),
            TaskFile::Result => self.layout.result(id),
            TaskFile::Events => self.layout.events(id),
            TaskFile::Live => self.layout.live(id),
            TaskFile::Timeline => self.layout.timeline(id),
            TaskFile::Workspace => self.layout.workspace(id),
        }
    }
}

fn metadata(path: &std::path::Path) -> Option<FileMetadata> {
    let found = path.symlink_metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some(FileMetadata { size: found.len(), modified: found.modified().ok()? })
}

impl FileChunk {
    /// A chunk of a text that is not in a file.
    pub fn of_text(text: &str, range: ByteRange) -> Self {
        let size = u64::try_from(text.len()).expect("a length fits into 64 bits");
        chunk_of(size, io::Cursor::new(text), range).expect("memory can be read")
    }

    /// A chunk of an open file with this size, in bytes. Fails if it cannot be read.
    pub fn of_file(file: impl Read + Seek, size: u64, range: ByteRange) -> io::Result<Self> {
        chunk_of(size, file, range)
    }
}

fn chunk_of(size: u64, mut file: impl Read + Seek, range: ByteRange) -> io::Result<FileChunk> {
    let offset = range.offset.min(size);
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(range.length).read_to_end(&mut bytes)?;
    let is_continued = |byte: &u8| byte & 0xC0 == 0x80;
    // The chunk may begin inside a character, which belongs to the previous chunk.
    let skipped = bytes.iter().take(3).take_while(|byte| offset > 0 && is_continued(byte)).count();
    let end = offset + bytes.len() as u64;
    let mut kept = bytes.len();
    if end < size {
        let line_end = bytes[skipped..].iter().rposition(|byte| *byte == b'\n').map(|at| skipped + at + 1);
        let between = || {
            let start = bytes.iter().rposition(|byte| !is_continued(byte)).filter(|start| kept - start < 4);
            // Cut before the last character: it may be incomplete. If it is complete, the next chunk begins with it.
            start.filter(|start| *start > skipped).unwrap_or(kept)
        };
        kept = line_end.unwrap_or_else(between);
    }
    let text = String::from_utf8_lossy(&bytes[skipped.min(kept)..kept]).into_owned().into();
    let next = offset + kept as u64;
    Ok(FileChunk { text, next: (next < size && kept > 0).then_some(next), size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::reader;

    fn read(content: &[u8], offset: u64, length: u64) -> FileChunk {
        let (_dir, reader) = reader();
        let id = TaskId::random();
        std::fs::write(reader.log_path(&id), content).expect("the log directory is writable");
        let chunk = reader.read_chunk(&id, TaskFile::Log, ByteRange { offset, length }).expect("it is readable");
        chunk.expect("it exists")
    }

    #[test]
    fn a_chunk_ends_between_lines_and_says_where_the_next_begins() {
        let text = b"one\ntwo\nthree\n";
        let first = read(text, 0, 6);
        assert_eq!(first, FileChunk { text: "one\n".into(), next: Some(4), size: 14 });
        assert_eq!(read(text, 4, 100), FileChunk { text: "two\nthree\n".into(), next: None, size: 14 });
        assert_eq!(read(text, 99, 100), FileChunk { text: "".into(), next: None, size: 14 });
    }

    #[test]
    fn joined_chunks_equal_the_file_at_any_chunk_size() {
        let text = "äöü €uro 😀\n".repeat(20) + &"ß".repeat(50);
        for length in [4, 5, 7, 16, 1_000] {
            let (mut joined, mut offset) = (String::new(), Some(0));
            while let Some(at) = offset {
                let chunk = read(text.as_bytes(), at, length);
                joined.push_str(chunk.text.raw());
                assert!(chunk.next.is_none_or(|next| next > at), "each chunk begins after the last");
                offset = chunk.next;
            }
            assert_eq!(joined, text, "in chunks of {length} bytes");
        }
    }

    #[test]
    fn text_is_split_like_a_file() {
        let text = "one\ntwo\nthree\n";
        for (offset, length) in [(0, 6), (4, 100), (99, 100), (5, 4)] {
            assert_eq!(FileChunk::of_text(text, ByteRange { offset, length }), read(text.as_bytes(), offset, length));
        }
    }

    #[test]
    fn a_missing_file_has_no_chunk() {
        let (_dir, reader) = reader();
        let id = TaskId::random();
        assert_eq!(
            reader.read_chunk(&id, TaskFile::Events, ByteRange { offset: 0, length: 1 }).expect("no error"),
            None
        );
        assert_eq!(reader.file_metadata(&id, TaskFile::Events), None);
    }
}
