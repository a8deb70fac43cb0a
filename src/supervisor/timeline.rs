//! Writes the task's timeline.
//!
//! An agent can produce more events than anyone wants to read. At most [`MAX_PER_SECOND`](super::rate::MAX_PER_SECOND)
//! entries are written per second, followed by one entry that counts the omitted ones. Entries about the task's
//! lifecycle are always written. Omitted entries are never built, so a flood of events costs little more than a
//! trickle.
//!
//! The task is more important than its timeline: if the timeline cannot be written, the task continues without it.

use std::time::{Duration, Instant};

use chrono::Utc;

use super::{failures::Failures, rate::Rate};
use crate::{
    store::{StoreError, TimelineWriter},
    task::TimelineEvent,
};

/// Time between two lines of output.
const OUTPUT_INTERVAL: Duration = Duration::from_secs(1);

/// Writes the timeline of one task.
#[derive(Debug)]
pub(super) struct TimelineRecorder {
    writer: Option<TimelineWriter>,
    rate: Rate,
    /// The newest line of output that has not been written yet.
    output: Option<String>,
    output_written: Option<Instant>,
    /// The number of the newest entry that was returned as written.
    reported: u64,
    /// Whether the last write failed. The next write is tried when there is something new to write.
    is_stuck: bool,
    gaps: Failures,
}

impl TimelineRecorder {
    /// If the timeline could not be opened, continues without it.
    pub(super) fn new(opened: Result<TimelineWriter, StoreError>) -> Self {
        let writer = opened.inspect_err(|error| tracing::error!(%error, "the task continues without a timeline")).ok();
        let reported = writer.as_ref().map_or(0, TimelineWriter::newest);
        let gaps = Failures::of("the timeline has a gap");
        Self { writer, rate: Rate::new(), output: None, output_written: None, reported, is_stuck: false, gaps }
    }

    /// Adds an entry if the limits admit it. Only then calls `entry`, which may still return nothing.
    pub(super) fn offer(&mut self, now: Instant, entry: impl FnOnce() -> Option<TimelineEvent>) {
        if self.writer.is_none() {
            return;
        }
        self.write_omission(now);
        let has_room = self.writer.as_ref().is_some_and(TimelineWriter::has_room);
        if !has_room {
            self.rate.omit();
        } else if self.rate.admits(now)
            && let Some(event) = entry()
        {
            self.append(event);
        }
    }

    /// Adds an entry. Unless it is exempt, limits apply.
    pub(super) fn add(&mut self, event: TimelineEvent) {
        if event.is_exempt() {
            self.append(event);
        } else {
            self.offer(Instant::now(), || Some(event));
        }
    }

    /// Sets the newest line of output that is not an event. At most one line per second is written.
    pub(super) fn output(&mut self, line: &str) {
        if self.writer.is_some() {
            self.output = Some(line.to_owned());
        }
    }

    /// Adds the task's last entry.
    pub(super) fn end(&mut self, event: TimelineEvent) {
        if let Some(text) = self.output.take() {
            self.add(TimelineEvent::Output { text });
        }
        if let Some(count) = self.rate.take_all_omitted() {
            self.append(TimelineEvent::Omitted { count });
        }
        self.append(event);
    }

    /// Whether [`flush`](Self::flush) has anything to do, now or when the current second is over.
    pub(super) fn is_unflushed(&self) -> bool {
        let is_waiting = self.writer.as_ref().is_some_and(TimelineWriter::is_waiting);
        !self.is_stuck && (is_waiting || self.output.is_some() || self.rate.has_omitted())
    }

    /// Writes the waiting entries. Returns the number of the newest entry, if it is new since the last call.
    pub(super) fn flush(&mut self, now: Instant) -> Option<u64> {
        let is_due = self.output_written.is_none_or(|written| now.duration_since(written) >= OUTPUT_INTERVAL);
        if is_due && let Some(text) = self.output.take() {
            self.output_written = Some(now);
            self.offer(now, || Some(TimelineEvent::Output { text }));
        }
        self.write_omission(now);
        let writer = self.writer.as_mut()?;
        let flushed = writer.flush();
        self.is_stuck = flushed.is_err();
        if let Err(error) = flushed {
            self.gaps.count(&error);
            return None;
        }
        let newest = writer.newest();
        (newest > self.reported).then(|| {
            self.reported = newest;
            newest
        })
    }

    fn write_omission(&mut self, now: Instant) {
        if self.rate.has_omitted()
            && self.writer.as_ref().is_some_and(TimelineWriter::has_room)
            && let Some(count) = self.rate.take_omitted(now)
        {
            self.append(TimelineEvent::Omitted { count });
        }
    }

    fn append(&mut self, event: TimelineEvent) {
        if let Some(writer) = &mut self.writer {
            writer.append(Utc::now(), event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        store::{Claim, Upkeep},
        task::{TaskId, TaskStatus, TimelineEntry},
    };

    struct World {
        _dir: tempfile::TempDir,
        upkeep: Upkeep,
        id: TaskId,
        timeline: TimelineRecorder,
        began: Instant,
    }

    impl World {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a temporary directory can be created");
            let upkeep = Upkeep::open(dir.path(), &dir.path().join("logs")).expect("it is writable");
            let id = TaskId::random();
            let Ok(Claim::Claimed(task)) = upkeep.claim(&id) else { panic!("a new ID is free") };
            let timeline = TimelineRecorder::new(task.open_timeline());
            Self { _dir: dir, upkeep, id, timeline, began: Instant::now() }
        }

        fn flood(&mut self, after: Duration, count: usize) {
            for _ in 0..count {
                self.timeline.offer(self.began + after, || Some(TimelineEvent::Message { text: "x".into() }));
            }
        }

        fn entries(&self) -> Vec<TimelineEvent> {
            let mut reader = self.upkeep.reader().timeline(&self.id, 0);
            let mut events = Vec::new();
            while let Some(read) = reader.read().expect("it is readable") {
                events.extend(read.entries.into_iter().map(|TimelineEntry { event, .. }| event));
                if !read.has_more {
                    break;
                }
            }
            events
        }
    }

    fn stopping() -> TimelineEvent {
        TimelineEvent::Stopping { cause: "cancelled by user".into() }
    }

    #[test]
    fn a_flood_is_limited_to_fifty_entries_a_second_and_the_rest_counted() {
        let mut written = World::new();
        written.flood(Duration::ZERO, 1_000);
        written.timeline.add(stopping());
        assert_eq!(written.timeline.flush(written.began), Some(51));
        assert!(written.timeline.is_unflushed(), "the omission has not been written yet");
        let after = written.began + Duration::from_secs(1);
        assert_eq!(written.timeline.flush(after), Some(52));
        assert!(!written.timeline.is_unflushed());
        assert_eq!(written.timeline.flush(after), None, "there is nothing new");
        written.flood(Duration::from_secs(2), 60);
        written.flood(Duration::from_secs(3), 1);
        written.timeline.flush(written.began + Duration::from_secs(3));
        let entries = written.entries();
        assert_eq!(entries[50..52], [stopping(), TimelineEvent::Omitted { count: 950 }]);
        assert_eq!(entries[102], TimelineEvent::Omitted { count: 10 });
        assert_eq!(entries.len(), 104);
    }

    #[test]
    fn the_end_is_written_after_all_waiting_entries() {
        let mut written = World::new();
        written.flood(Duration::ZERO, 60);
        written.timeline.output("50 %");
        let ended = TimelineEvent::Ended {
            status: TaskStatus::Completed,
            reason: None,
            exit_code: Some(0),
            exit_signal: None,
            took: None,
        };
        written.timeline.end(ended.clone());
        written.timeline.flush(Instant::now());
        assert_eq!(written.entries().split_off(50), [TimelineEvent::Omitted { count: 11 }, ended]);
    }

    #[test]
    fn only_the_newest_output_line_of_each_second_is_written() {
        let mut written = World::new();
        for (line, after) in [("one", 0), ("two", 100), ("three", 900), ("four", 1_000)] {
            written.timeline.output(line);
            written.timeline.flush(written.began + Duration::from_millis(after));
        }
        let output = |text: &str| TimelineEvent::Output { text: text.into() };
        assert_eq!(written.entries(), [output("one"), output("four")]);
    }

    #[test]
    fn entries_that_cannot_be_written_wait_in_bounded_memory() {
        let mut written = World::new();
        for second in 0..100 {
            for _ in 0..50 {
                let message = || Some(TimelineEvent::Message { text: "x".repeat(4_000) });
                written.timeline.offer(written.began + Duration::from_secs(second), message);
            }
        }
        written.timeline.add(stopping());
        let later = written.began + Duration::from_secs(200);
        written.timeline.flush(later);
        written.timeline.flush(later);
        let entries = written.entries();
        let shown = entries.iter().filter(|event| matches!(event, TimelineEvent::Message { .. })).count();
        assert!(shown < 80 && entries.contains(&stopping()), "{shown} messages");
        let omitted = TimelineEvent::Omitted { count: 5_000 - u64::try_from(shown).expect("a small number") };
        assert_eq!(entries.last(), Some(&omitted));
        assert!(!written.timeline.is_unflushed());
    }

    #[test]
    fn without_a_file_nothing_is_kept() {
        let mut written = World::new();
        written.timeline.writer = None;
        written.flood(Duration::ZERO, 100);
        written.timeline.output("x");
        written.timeline.add(stopping());
        assert!(!written.timeline.is_unflushed());
        assert_eq!(written.timeline.flush(written.began), None);
    }
}
