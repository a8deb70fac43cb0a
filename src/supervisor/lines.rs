//! The lines of an agent: each goes to the session, and into the log as events or as it came.

use connector_api::{Line, Step};
use tokio::io::AsyncRead;

use super::{clock::Moment, drive::Run, journal::Journal, machine::Input, redaction::Clean, stream::Stream};
use crate::process::{LineReader, Piece};

impl Run {
    /// Gives every piece of what was read to the session and to the journal.
    pub(super) fn came<R: AsyncRead + Unpin>(
        &mut self,
        stream: Stream,
        reader: &mut LineReader<R>,
        count: usize,
        journal: &mut Journal,
    ) -> Vec<Input> {
        let now = self.clock.now();
        journal.came(stream, count, now.time);
        let mut inputs = vec![Input::Output];
        while let Some(piece) = reader.cut() {
            let steps = match (stream, &piece) {
                (Stream::Stdout, Piece::Line(line)) => self.stdout_line(line, journal, now),
                (Stream::Stderr, _)
                | (Stream::Stdout, Piece::LongStart(_) | Piece::LongPart(_) | Piece::LongEnd { .. }) => {
                    self.raw_piece(stream, &piece, journal, now)
                }
            };
            inputs.extend(self.carry_out(steps, journal, now));
        }
        journal.seen(&std::mem::take(&mut self.last_raw));
        inputs
    }

    /// A line of stdout that was understood stands in the log in words; every other one as it came.
    fn stdout_line(&mut self, line: &[u8], journal: &mut Journal, now: Moment) -> Vec<Step> {
        let steps = self.session.stdout(Line::Whole(line));
        // Events are redacted by themselves: a line of which nothing else is written is not looked through as well.
        if steps.is_empty() || journal.keeps_raw() {
            let clean = journal.clean(Stream::Stdout, &Piece::Line(line));
            journal.keep_raw(&clean);
            if steps.is_empty() {
                journal.raw(Stream::Stdout, &clean, now.time);
                self.remember_raw(&clean);
            }
        }
        steps
    }

    /// A line of stderr, or a piece of a line that is too long to hold.
    fn raw_piece(&mut self, stream: Stream, piece: &Piece<'_>, journal: &mut Journal, now: Moment) -> Vec<Step> {
        let clean = journal.clean(stream, piece);
        if stream == Stream::Stdout {
            journal.keep_raw(&clean);
        }
        let steps = match (piece, &clean) {
            (Piece::LongEnd { head, length }, _) => {
                let head = journal.clean_head(head);
                let line = Line::TooLong { head: &head, length: *length };
                match stream {
                    Stream::Stdout => self.session.stdout(line),
                    Stream::Stderr => self.session.stderr(line),
                }
            }
            (_, Clean::Line(line)) => {
                self.watch.hear_stderr(Line::Whole(line));
                self.session.stderr(Line::Whole(line))
            }
            (_, Clean::LongStart(_) | Clean::LongPart(_) | Clean::LongEnd(_)) => vec![],
        };
        journal.raw(stream, &clean, now.time);
        self.remember_raw(&clean);
        steps
    }

    fn remember_raw(&mut self, piece: &Clean<'_>) {
        if let Clean::Line(line) | Clean::LongStart(line) = piece {
            self.last_raw.clear();
            self.last_raw.extend_from_slice(&line[..line.len().min(256)]);
        }
    }
}
