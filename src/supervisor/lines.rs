//! Passes an agent's lines to the session, and writes them to the log: as events if the session understood them, and
//! otherwise unchanged.

use connector_api::{Line, Step};
use tokio::io::AsyncRead;

use super::{
    clock::Moment, drive::AgentRun, journal::Journal, machine::MachineInput, redaction::RedactedChunk,
    stream::OutputStream,
};
use crate::process::{LineChunk, LineReader};

impl AgentRun {
    /// Passes every chunk that was read to the session and to the journal.
    pub(super) fn received<R: AsyncRead + Unpin>(
        &mut self,
        stream: OutputStream,
        reader: &mut LineReader<R>,
        count: usize,
        journal: &mut Journal,
    ) -> Vec<MachineInput> {
        let now = self.clock.now();
        journal.received(stream, count, now.time);
        let mut inputs = vec![MachineInput::Output];
        while let Some(chunk) = reader.cut() {
            let steps = match (stream, &chunk) {
                (OutputStream::Stdout, LineChunk::Line(line)) => self.stdout_line(line, journal, now),
                (OutputStream::Stderr, _)
                | (
                    OutputStream::Stdout,
                    LineChunk::LongStart(_) | LineChunk::LongPart(_) | LineChunk::LongEnd { .. },
                ) => self.raw_chunk(stream, &chunk, journal, now),
            };
            inputs.extend(self.carry_out(steps, journal, now));
        }
        journal.seen(&std::mem::take(&mut self.last_raw));
        inputs
    }

    /// Handles a line of stdout. If the session understood it, the log gets its events instead of the line.
    fn stdout_line(&mut self, line: &[u8], journal: &mut Journal, now: Moment) -> Vec<Step> {
        let steps = self.session.stdout(Line::Whole(line));
        // Events are redacted separately, so redact the line only if the line itself is written.
        if steps.is_empty() || journal.keeps_raw() {
            let redacted = journal.clean(OutputStream::Stdout, &LineChunk::Line(line));
            journal.keep_raw(&redacted);
            if steps.is_empty() {
                journal.raw(OutputStream::Stdout, &redacted, now.time);
                self.remember_raw(&redacted);
            }
        }
        steps
    }

    /// Handles a line of stderr, or a chunk of a line that is too long to keep.
    fn raw_chunk(
        &mut self,
        stream: OutputStream,
        chunk: &LineChunk<'_>,
        journal: &mut Journal,
        now: Moment,
    ) -> Vec<Step> {
        let redacted = journal.clean(stream, chunk);
        if stream == OutputStream::Stdout {
            journal.keep_raw(&redacted);
        }
        let steps = match (chunk, &redacted) {
            (LineChunk::LongEnd { head, length }, _) => {
                let head = journal.clean_head(head);
                let line = Line::TooLong { head: &head, length: *length };
                match stream {
                    OutputStream::Stdout => self.session.stdout(line),
                    OutputStream::Stderr => self.session.stderr(line),
                }
            }
            (_, RedactedChunk::Line(line)) => {
                self.watch.observe_stderr(Line::Whole(line));
                self.session.stderr(Line::Whole(line))
            }
            (_, RedactedChunk::LongStart(_) | RedactedChunk::LongPart(_) | RedactedChunk::LongEnd(_)) => vec![],
        };
        journal.raw(stream, &redacted, now.time);
        self.remember_raw(&redacted);
        steps
    }

    fn remember_raw(&mut self, chunk: &RedactedChunk<'_>) {
        if let RedactedChunk::Line(line) | RedactedChunk::LongStart(line) = chunk {
            self.last_raw.clear();
            self.last_raw.extend_from_slice(&line[..line.len().min(256)]);
        }
    }
}
