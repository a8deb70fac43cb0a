//! The outputs of a run for people and other processes: log, raw events, timeline, live view, and hints.
//!
//! The log is complete. The timeline and the live view are bounded. A hint only says that the timeline has grown.

use std::{
    borrow::Cow,
    io::{self, Write},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use connector_api::{AgentEvent, BackendName};

use super::{
    clock::Moment,
    entries::{entry_of, is_work},
    failures::Failures,
    hints::{Hint, HintWriter},
    live::Live,
    redaction::{RedactedChunk, Redaction},
    render::{Renderer, summary},
    stream::OutputStream,
    timeline::TimelineRecorder,
};
use crate::{
    process::{LineChunk, Member},
    redact::Redactor,
    store::{EventsWriter, LogWriter, OpenTask, StoreError},
    task::{
        Changes, StopCause, TaskRecord, TaskSpec, TimelineEvent, Untrusted, WarningSource, cut_middle, excerpt,
        first_line, span,
    },
};

/// How long a line may stay in memory before it is written to the log.
pub(super) const FLUSH_AFTER: Duration = Duration::from_millis(100);

/// Why a task waits for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queue {
    /// At most this number of tasks may run at the same time.
    MaxRunning(usize),
    /// They write in the same work tree.
    WorkTree,
}

/// Maximum length of the prompt in the log, in characters. The record has all of it.
const MAX_PROMPT_CHARS: usize = 20_000;

/// Records everything that happens in one task.
pub(super) struct Journal {
    log: Option<LogWriter>,
    events: Option<EventsWriter>,
    timeline: TimelineRecorder,
    live: Live,
    hints: HintWriter,
    redaction: Redaction,
    renderer: Renderer,
    has_prompt: bool,
    has_worked: bool,
    unflushed: bool,
    log_gaps: Failures,
}

impl Journal {
    /// Opens the files. If one cannot be opened, the task runs without it, and the supervisor's own log reports that.
    pub(super) fn open(files: &OpenTask, spec: &TaskSpec, hints: HintWriter, redactor: Redactor) -> Self {
        let complain = |error| tracing::error!(%error, "the task continues without this file");
        let max_bytes = spec.policy.log_bytes;
        let events = spec.policy.keep_events.then(|| files.open_events(max_bytes).map_err(complain).ok()).flatten();
        Self {
            log: files.open_log(max_bytes).map_err(complain).ok(),
            events,
            timeline: TimelineRecorder::new(files.open_timeline()),
            live: Live::begin(files.live_view()),
            hints,
            redaction: Redaction::new(redactor),
            renderer: Renderer::default(),
            has_prompt: false,
            has_worked: false,
            unflushed: false,
            log_gaps: Failures::of("the log has a gap"),
        }
    }

    /// Writes the header of the log.
    pub(super) fn header(&mut self, spec: &TaskSpec, record: Option<&TaskRecord>) {
        let command =
            record.and_then(|record| record.progress.command.as_ref()).map_or("(not started)", Untrusted::raw);
        let version =
            record.and_then(|record| record.progress.agent_version.as_ref()).map_or("unknown version", Untrusted::raw);
        let model = spec.request.model.as_deref().map(|model| self.redaction.text(model));
        let model = model.as_deref().unwrap_or("(the agent's own default)");
        let timeout = spec.policy.timeout.map_or("none".to_owned(), |limit| format!("{}ms", limit.as_millis()));
        let header = format!(
            "TASK {}\nBackend: {} ({version})\nCommand: {command}\nWorking directory: {}\nSandbox: {}\nModel: {model}\n\
             Timeout: {timeout}",
            spec.id,
            spec.backend.name,
            spec.request.working_directory.display(),
            spec.request.sandbox,
        );
        self.clean_entry(&header);
        // A fallback gets its own header, but has the same prompt.
        if !std::mem::replace(&mut self.has_prompt, true) {
            let prompt = cut_middle(&self.redaction.text(&spec.request.prompt), MAX_PROMPT_CHARS);
            self.clean_entry(&format!("PROMPT: {prompt}"));
        }
    }

    /// Writes one of our own log entries.
    pub(super) fn entry(&mut self, text: &str) {
        let text = self.redaction.text(text).into_owned();
        self.clean_entry(&text);
    }

    fn clean_entry(&mut self, text: &str) {
        self.write(|log| log.entry(Utc::now(), text));
    }

    /// Writes one of our own log entries, and adds a warning to the timeline.
    pub(super) fn warning(&mut self, label: &str, text: &str) {
        self.entry(&format!("{label}: {text}"));
        let text = excerpt(&self.redaction.text(text));
        self.timeline.add(TimelineEvent::Warning { source: WarningSource::Connector, text, offline: false });
    }

    /// Records that the task waits behind `ahead` others.
    pub(super) fn queued(&mut self, ahead: usize, queue: Queue) {
        let (max, rule, why) = match queue {
            Queue::WorkTree => (
                0,
                r#"workspace.parallel = "queue""#.to_owned(),
                " in the same work tree (workspace.parallel)".to_owned(),
            ),
            Queue::MaxRunning(max) => (
                max,
                format!("limits.max_running = {max}"),
                format!(", and at most {max} run at a time (limits.max_running)"),
            ),
        };
        let phase = format!("queued: {ahead} ahead ({rule})");
        if self.live.phase(&phase) {
            self.entry(&format!("QUEUED: {ahead} ahead{why}"));
            self.live.line(phase);
            let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
            self.timeline.add(TimelineEvent::Queued { ahead: count(ahead), max_running: count(max) });
        }
        self.flush();
    }

    /// Records that the task may run now, if it waited.
    pub(super) fn begins(&mut self) {
        if self.live.clear_line() {
            self.entry("QUEUED: it is this task's turn");
            self.live.phase("starting");
        }
    }

    /// Records that the agent is running.
    pub(super) fn working(&mut self, record: &TaskRecord) {
        self.live.working();
        let progress = &record.progress;
        if let Some(backend) = &progress.backend {
            self.timeline.add(TimelineEvent::Started {
                backend: backend.clone(),
                version: progress.agent_version.clone().map(Untrusted::into_raw),
                attempt: progress.attempt,
            });
        }
    }

    /// Counts bytes received at `now`. The end of a stream, with a count of 0, is not an activity of the agent.
    pub(super) fn received(&mut self, stream: OutputStream, count: usize, now: DateTime<Utc>) {
        if count > 0 {
            self.live.received(stream, u64::try_from(count).expect("a length fits into 64 bits"), now);
        }
    }

    /// Redacts a chunk of a line.
    pub(super) fn clean<'a>(&mut self, stream: OutputStream, chunk: &LineChunk<'a>) -> RedactedChunk<'a> {
        self.redaction.clean(stream, chunk)
    }

    /// Redacts the first bytes of a line that was too long to keep.
    pub(super) fn clean_head<'a>(&self, head: &'a [u8]) -> Cow<'a, [u8]> {
        self.redaction.head(head)
    }

    /// Writes a redacted chunk of a line to the log.
    pub(super) fn raw(&mut self, stream: OutputStream, chunk: &RedactedChunk<'_>, now: DateTime<Utc>) {
        self.write(|log| match chunk {
            RedactedChunk::Line(line) => log.line(now, stream.label(), line),
            RedactedChunk::LongStart(part) => log.start(now, stream.label()).and_then(|()| log.part(part)),
            RedactedChunk::LongPart(part) => log.part(part),
            RedactedChunk::LongEnd(part) => log.part(part).and_then(|()| log.end()),
        });
    }

    /// Shows a line of output to people who look at the task. The log already contains it.
    pub(super) fn seen(&mut self, line: &[u8]) {
        let line = first_line(&String::from_utf8_lossy(&line[..line.len().min(1024)]));
        if !line.is_empty() {
            self.timeline.output(&line);
            // The label shows that this is output; without it, the line could be mistaken for our own words.
            self.live.line(format!("output: {line}"));
        }
    }

    /// A piece of the raw event stream, where it is kept.
    pub(super) fn keep_raw(&mut self, piece: &RedactedChunk<'_>) {
        let Some(events) = &mut self.events else { return };
        let written = match piece {
            RedactedChunk::LongStart(part) | RedactedChunk::LongPart(part) => events.write_all(part),
            RedactedChunk::Line(part) => events.write_all(part).and_then(|()| events.write_all(b"\n")),
            RedactedChunk::LongEnd(part) => events.write_all(part).and_then(|()| events.write_all(b"\n")),
        };
        if let Err(error) = written {
            tracing::error!(%error, "raw events are no longer kept");
            self.events = None;
        }
    }

    /// Whether raw events are kept.
    pub(super) fn keeps_raw(&self) -> bool {
        self.events.is_some()
    }

    /// Records an event that was received at `now`.
    pub(super) fn event(&mut self, event: AgentEvent, now: Moment) {
        let event = self.redaction.event(event);
        self.has_worked |= is_work(&event);
        let (words, took) = self.renderer.words(&event, now.elapsed);
        if let Some(log) = &mut self.log {
            self.unflushed = true;
            if let Err(error) = log.labelled(now.time, &words.head, words.text) {
                self.log_gaps.count(&error);
            }
        }
        if !matches!(event, AgentEvent::Other { .. }) {
            self.timeline.offer(now.instant, || entry_of(&event, took));
        }
        self.live.event(event, took, now.time);
    }

    /// Whether the agent has done any work.
    pub(super) fn has_worked(&self) -> bool {
        self.has_worked
    }

    /// Writes a heartbeat in the documented form.
    pub(super) fn heartbeat(&mut self, number: u64, elapsed: Duration) {
        let line = self.live.heartbeat(number, elapsed);
        self.write(|log| log.entry(Utc::now(), &line));
    }

    /// Writes a warning about silence in the documented form.
    pub(super) fn stall_warning(&mut self, silent: Duration) {
        self.entry(&format!("WARNING: No activity for {}", span(silent)));
        self.timeline.add(TimelineEvent::Silence { lasting: silent });
    }

    /// Records that the machine was suspended.
    pub(super) fn suspended(&mut self, time: Duration) {
        self.warning("SUSPENDED", &format!("the machine slept for {}, which counts towards no limit", span(time)));
    }

    /// Records why the current backend cannot work, and which one gets the task, if any.
    pub(super) fn fallback(&mut self, reason: &str, to: Option<&BackendName>) {
        match to {
            Some(to) => self.entry(&format!("FALLBACK: {reason}; the task goes to {to}")),
            None => self.entry(&format!("FALLBACK: {reason}; no other backend is left")),
        }
        let reason = excerpt(&self.redaction.text(reason));
        self.timeline.add(TimelineEvent::Fallback { reason, to: to.cloned() });
    }

    /// Records that the agent is being stopped.
    pub(super) fn stopping(&mut self, cause: StopCause) {
        let why = match cause {
            StopCause::Cancelled => "cancelled by user".to_owned(),
            StopCause::TimedOut { limit } => format!("the time limit of {} is up", span(limit)),
            StopCause::Silent { limit } => format!("the agent wrote nothing for {}", span(limit)),
            StopCause::Offline { limit } => format!("the agent waited for the network for {}", span(limit)),
            StopCause::ServerGone => "the server is gone".to_owned(),
            StopCause::Terminated => "the supervisor received a signal to exit".to_owned(),
            StopCause::Finished => "the work is done".to_owned(),
            StopCause::Displaced => "the working directory was moved".to_owned(),
        };
        self.entry(&format!("STOPPING: {why}"));
        self.live.phase(&format!("stopping: {why}"));
        self.timeline.add(TimelineEvent::Stopping { cause: why });
    }

    /// Records processes that outlive the agent, and what is done about them.
    pub(super) fn survivors(&mut self, survivors: &[Member], action: &str) {
        let names: Vec<_> = survivors.iter().map(|member| format!("{} ({})", member.name, member.pid)).collect();
        self.warning("LEFT BEHIND", &format!("{action} {}", names.join(", ")));
    }

    /// Shows what the supervisor is doing.
    pub(super) fn phase(&mut self, phase: &str) {
        self.live.phase(phase);
        self.flush();
    }

    /// Records what the task changed in its repository. The timeline mentions only changes.
    pub(super) fn changes(&mut self, changes: &Changes) {
        let Changes { base, head, files, added, removed, omitted_files: omitted, .. } = changes;
        self.entry(&format!("CHANGES: {files} files, +{added} -{removed}, from {} to {}", base.short(), head.short()));
        let (files, added, removed, omitted) = (*files, *added, *removed, *omitted);
        if files > 0 || omitted > 0 {
            let (base, head) = (base.to_string(), head.to_string());
            self.timeline.add(TimelineEvent::Changes { base, head, files, added, removed, omitted });
        }
    }

    /// Records why the task cannot be finalized yet.
    pub(super) fn stuck(&mut self, error: &StoreError) {
        let phase = format!("ended, but the end cannot be written: {error}");
        if self.live.phase(&phase) {
            self.entry(&format!("ERROR: {error}"));
        }
        self.flush();
    }

    /// Writes the summary at the end of the log.
    pub(super) fn summary(&mut self, record: &TaskRecord) {
        self.entry(&summary(record));
        self.flush();
    }

    /// Copies the current counters into the record.
    pub(super) fn count_into(&self, record: &mut TaskRecord) {
        self.live.count_into(record);
    }

    /// The problem that the agent is trying to recover from.
    pub(super) fn trouble(&self) -> Option<String> {
        self.live.trouble()
    }

    /// Whether [`flush`](Self::flush) has anything to do.
    pub(super) fn is_unflushed(&self) -> bool {
        self.unflushed || self.timeline.is_unflushed() || self.live.is_changed()
    }

    /// Writes everything to the files, sends a hint if the timeline has grown, and replaces the live view if it is due.
    pub(super) fn flush(&mut self) {
        if let Some(newest) = self.flush_files() {
            self.hints.hint(&Hint::Timeline(newest));
        }
    }

    /// Writes everything to the files. Returns the number of the newest entry if the timeline has grown.
    fn flush_files(&mut self) -> Option<u64> {
        self.unflushed = false;
        self.write(LogWriter::flush);
        self.unflushed = false;
        if let Some(events) = &mut self.events
            && let Err(error) = events.flush()
        {
            tracing::error!(%error, "raw events are no longer kept");
            self.events = None;
        }
        let newest = self.timeline.flush(Instant::now());
        self.live.flush();
        newest
    }

    /// Adds the task's end to the timeline, as stored in its record.
    pub(super) fn ended(&mut self, record: &TaskRecord) {
        for warning in record.end.iter().flat_map(|end| &end.warnings) {
            let text = excerpt(&warning.message);
            self.timeline.add(TimelineEvent::Warning { source: WarningSource::Connector, text, offline: false });
        }
        if let Some(end) = TimelineEvent::ended(record) {
            self.timeline.end(end);
        }
        // Without a hint: a follower that reads the end now finds the lease still held, and waits before it looks again.
        // `closed` sends one when the lease is free.
        self.flush_files();
    }

    /// Sends the hint that the task has ended.
    pub(super) fn closed(&self) {
        self.hints.hint(&Hint::Ended);
    }

    fn write(&mut self, write: impl FnOnce(&mut LogWriter) -> io::Result<()>) {
        let Some(log) = &mut self.log else { return };
        self.unflushed = true;
        if let Err(error) = write(log) {
            self.log_gaps.count(&error);
        }
    }
}
