//! The periods of thinking, commands, edits and so on in a timeline.

use std::{fs::File, io};

use chrono::{DateTime, Utc};

use super::{
    Reader,
    timeline_block::{MAX_READ_BYTES, read_at},
};
use crate::{
    store::{
        error::{StoreError, if_exists},
        files,
    },
    task::{ActivityMark, ActivitySpan, SpanBuilder, TaskRecord},
};

impl Reader {
    /// The activity of a task from its start to its end, or to `now` while it runs, in at most `limit` spans. Reads the whole
    /// timeline. Without one, the whole time is a single span.
    pub fn activity_spans(
        &self,
        record: &TaskRecord,
        now: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<ActivitySpan>, StoreError> {
        let path = self.layout.timeline(&record.id);
        let mut builder = SpanBuilder::new(record.start.started_at, limit);
        let read = files::open(&path).and_then(|file| each_mark(&file, |mark| builder.add(mark)));
        if_exists(read).map_err(StoreError::at("read", path))?;
        Ok(builder.spans(record.completed_at().unwrap_or(now)))
    }
}

fn each_mark(file: &File, mut add: impl FnMut(ActivityMark)) -> io::Result<()> {
    let length = file.metadata()?.len();
    let mut offset = 0;
    while offset < length {
        let block = read_at(file, offset, length - offset)?;
        match memchr::memrchr(b'\n', &block) {
            Some(end) => {
                block[..end].split(|byte| *byte == b'\n').filter_map(ActivityMark::read).for_each(&mut add);
                offset += end as u64 + 1;
            }
            // No entry is that long, so skip the block.
            None if block.len() == MAX_READ_BYTES => offset += block.len() as u64,
            None => break,
        }
    }
    Ok(())
}
