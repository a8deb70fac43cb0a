//! What people and other processes see of a run: log, raw events, live view, hints.
//!
//! The log is complete. The other three are bounded: the live view is replaced at most once a second, a hint is given
//! at most ten times a second.

use std::{
    borrow::Cow,
    io::{self, Write},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use connector_api::AgentEvent;

use super::{
    failures::Failures,
    hints::{Hint, Hints},
    redaction::{Clean, Redaction},
    render::{Renderer, first_line, summary},
    stream::Stream,
};
use crate::{
    process::{Member, Piece},
    redact::Redactor,
    store::{EventsWriter, LiveWriter, LogWriter, OpenTask, StoreError},
    task::{ActivityKind, LiveView, RECORD_FORMAT, StopCause, TaskRecord, TaskSpec, Untrusted, cut_middle, span},
};

/// A line is in the log after this long.
pub(super) const FLUSH_AFTER: Duration = Duration::from_millis(100);

/// Time between two live views.
const LIVE_AFTER: Duration = Duration::from_secs(1);

/// As much as is shown of what the agent tries to get over.
const MOST_TROUBLE: usize = 2_000;

/// Writes down everything that happens to one task.
pub(super) struct Journal {
    live_view: LiveWriter,
    log: Option<LogWriter>,
    events: Option<EventsWriter>,
    hints: Hints,
    redaction: Redaction,
    renderer: Renderer,
    live: LiveView,
    /// By a clock that nobody sets: one that is set back must not freeze the view.
    live_written: Option<Instant>,
    last_activity: Instant,
    live_changed: bool,
    has_worked: bool,
    pending_hint: Option<String>,
    unflushed: bool,
    log_gaps: Failures,
    stale_views: Failures,
}

impl Journal {
    /// Opens the files. One that cannot be opened is done without, and the supervisor's own log says so.
    pub(super) fn open(files: &OpenTask, spec: &TaskSpec, hints: Hints, redactor: Redactor) -> Self {
        let complain = |error| tracing::error!(%error, "a task goes on without this file");
        let now = Utc::now();
        let live = LiveView {
            format: RECORD_FORMAT,
            phase: "starting".into(),
            last_event: None,
            trouble: None,
            stdout_bytes: 0,
            stderr_bytes: 0,
            last_activity_at: now,
            last_activity_type: ActivityKind::Started,
            heartbeat_count: 0,
        };
        let most = spec.policy.log_bytes;
        let events = spec.policy.keep_events.then(|| files.open_events(most).map_err(complain).ok()).flatten();
        Self {
            live_view: files.live_view(),
            log: files.open_log(most).map_err(complain).ok(),
            events,
            hints,
            redaction: Redaction::new(redactor),
            renderer: Renderer::default(),
            live,
            live_written: None,
            last_activity: Instant::now(),
            has_worked: false,
            live_changed: true,
            pending_hint: None,
            unflushed: false,
            log_gaps: Failures::of("the log has a gap"),
            stale_views: Failures::of("the live view is not up to date"),
        }
    }

    /// The beginning of the log.
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
    }

    /// Writes an entry of our own.
    pub(super) fn entry(&mut self, text: &str) {
        let text = self.redaction.text(text).into_owned();
        self.clean_entry(&text);
    }

    fn clean_entry(&mut self, text: &str) {
        self.write(|log| log.entry(Utc::now(), text));
    }

    /// The task waits for its turn behind `ahead` others; at most `most` run at a time.
    pub(super) fn queued(&mut self, ahead: usize, most: usize) {
        let phase = format!("queued: {ahead} ahead (limits.max_running = {most})");
        if self.live.phase != phase.as_str() {
            self.entry(&format!("QUEUED: {ahead} ahead, and at most {most} run at a time (limits.max_running)"));
            self.live.phase = phase.as_str().into();
            self.live.last_event = Some(phase.as_str().into());
            self.pending_hint = Some(phase);
            self.live_changed = true;
        }
        self.flush();
    }

    /// The task's turn has come, after it waited, if it did.
    pub(super) fn begins(&mut self) {
        if self.live.last_event.take().is_some() {
            self.entry("QUEUED: it is this task's turn");
            self.live.phase = "starting".into();
            self.live_changed = true;
        }
    }

    /// The agent runs.
    pub(super) fn working(&mut self) {
        self.live.phase = "working".into();
        self.live.last_activity_at = Utc::now();
        self.last_activity = Instant::now();
        self.live_changed = true;
    }

    /// Bytes came, at `now`; none at the end of the stream, which is nothing that the agent did.
    pub(super) fn came(&mut self, stream: Stream, count: usize, now: DateTime<Utc>) {
        if count == 0 {
            return;
        }
        let count = u64::try_from(count).expect("a length fits into 64 bits");
        match stream {
            Stream::Stdout => {
                self.live.stdout_bytes += count;
                self.live.last_activity_type = ActivityKind::Stdout;
            }
            Stream::Stderr => {
                self.live.stderr_bytes += count;
                self.live.last_activity_type = ActivityKind::Stderr;
            }
        }
        self.live.last_activity_at = now;
        self.last_activity = Instant::now();
        self.live_changed = true;
    }

    /// A piece of a line without secrets.
    pub(super) fn clean<'a>(&mut self, stream: Stream, piece: &Piece<'a>) -> Clean<'a> {
        self.redaction.clean(stream, piece)
    }

    /// The first bytes of a line that was too long to hold, without secrets.
    pub(super) fn clean_head<'a>(&self, head: &'a [u8]) -> Cow<'a, [u8]> {
        self.redaction.head(head)
    }

    /// A piece of a line as it came, but for secrets.
    pub(super) fn raw(&mut self, stream: Stream, piece: &Clean<'_>, now: DateTime<Utc>) {
        self.write(|log| match piece {
            Clean::Line(line) => log.line(now, stream.label(), line),
            Clean::LongStart(part) => log.start(now, stream.label()).and_then(|()| log.part(part)),
            Clean::LongPart(part) => log.part(part),
            Clean::LongEnd(part) => log.part(part).and_then(|()| log.end()),
        });
    }

    /// A line that is shown to people who look at the task, besides being in the log.
    pub(super) fn seen(&mut self, line: &[u8]) {
        let line = first_line(&String::from_utf8_lossy(&line[..line.len().min(1024)]));
        if !line.is_empty() {
            // Told as what it is: elsewhere it would stand by itself, and could be taken for words of ours.
            self.live.last_event = Some(format!("output: {line}").into());
        }
    }

    /// A piece of the raw event stream, where it is kept.
    pub(super) fn keep_raw(&mut self, piece: &Clean<'_>) {
        let Some(events) = &mut self.events else { return };
        let written = match piece {
            Clean::LongStart(part) | Clean::LongPart(part) => events.write_all(part),
            Clean::Line(part) => events.write_all(part).and_then(|()| events.write_all(b"\n")),
            Clean::LongEnd(part) => events.write_all(part).and_then(|()| events.write_all(b"\n")),
        };
        if let Err(error) = written {
            tracing::error!(%error, "raw events are no longer kept");
            self.events = None;
        }
    }

    /// An event, at `elapsed` since the agent's start.
    pub(super) fn event(&mut self, event: AgentEvent, elapsed: Duration) {
        let event = &self.redaction.event(event);
        let words = self.renderer.words(event, elapsed);
        self.has_worked |= is_work(event);
        self.clean_entry(&words.log);
        self.live.trouble = match event {
            AgentEvent::TransientError { message } => Some(cut_middle(message, MOST_TROUBLE).into()),
            AgentEvent::Other { .. } | AgentEvent::Warning { .. } => self.live.trouble.take(),
            _ => None,
        };
        if let Some(short) = words.short {
            self.live.last_event = Some(short.as_str().into());
            self.pending_hint = Some(short);
        }
        self.live_changed = true;
    }

    /// Whether the agent has said or done anything of its own.
    pub(super) fn has_worked(&self) -> bool {
        self.has_worked
    }

    /// A heartbeat, in the documented form.
    pub(super) fn heartbeat(&mut self, number: u64, elapsed: Duration) {
        self.live.heartbeat_count = number;
        self.live_changed = true;
        let now = Utc::now();
        let since = self.last_activity.elapsed();
        let line = format!(
            "HEARTBEAT #{number}: elapsed={}, lastActivity={} ago ({}), stdout={}B, stderr={}B",
            span(elapsed),
            span(since),
            self.live.last_activity_type,
            self.live.stdout_bytes,
            self.live.stderr_bytes
        );
        self.write(|log| log.entry(now, &line));
    }

    /// A warning, in the documented form.
    pub(super) fn stall_warning(&mut self, silent: Duration) {
        self.entry(&format!("WARNING: No activity for {}", span(silent)));
    }

    /// The machine was suspended for so long.
    pub(super) fn suspended(&mut self, time: Duration) {
        self.entry(&format!("SUSPENDED: the machine slept for {}, which counts towards no limit", span(time)));
    }

    /// The agent is being stopped.
    pub(super) fn stopping(&mut self, cause: StopCause) {
        let why = match cause {
            StopCause::Cancelled => "cancelled by user".to_owned(),
            StopCause::TimedOut { limit } => format!("the time limit of {} is up", span(limit)),
            StopCause::Silent { limit } => format!("the agent wrote nothing for {}", span(limit)),
            StopCause::ServerGone => "the server is gone".to_owned(),
            StopCause::Finished => "the work is done".to_owned(),
            StopCause::Displaced => "the working directory was moved".to_owned(),
        };
        self.entry(&format!("STOPPING: {why}"));
        self.live.phase = format!("stopping: {why}").into();
        self.live_changed = true;
    }

    /// Processes that outlive the agent, and what is done about them.
    pub(super) fn survivors(&mut self, survivors: &[Member], fate: &str) {
        let names: Vec<_> = survivors.iter().map(|member| format!("{} ({})", member.name, member.pid)).collect();
        self.entry(&format!("LEFT BEHIND: {fate} {}", names.join(", ")));
    }

    /// The books cannot be closed yet, for this reason.
    pub(super) fn stuck(&mut self, error: &StoreError) {
        let phase = format!("ended, but its books cannot be closed: {error}");
        if self.live.phase != phase.as_str() {
            self.entry(&format!("ERROR: {error}"));
            self.live.phase = phase.into();
            self.live_changed = true;
        }
        self.flush();
    }

    /// The end of the log.
    pub(super) fn summary(&mut self, record: &TaskRecord) {
        self.entry(&summary(record));
        self.flush();
    }

    /// Brings the record up to this moment.
    pub(super) fn count_into(&self, record: &mut TaskRecord) {
        self.live.overlay(record);
    }

    /// What the agent is trying to get over.
    pub(super) fn trouble(&self) -> Option<String> {
        self.live.trouble.clone().map(Untrusted::into_raw)
    }

    /// Whether [`flush`](Self::flush) has anything to do.
    pub(super) fn is_unflushed(&self) -> bool {
        self.unflushed || self.pending_hint.is_some() || self.live_changed
    }

    /// Hands everything to the operating system, gives the pending hint, and replaces the live view when it is time.
    pub(super) fn flush(&mut self) {
        self.unflushed = false;
        self.write(LogWriter::flush);
        self.unflushed = false;
        if let Some(events) = &mut self.events
            && let Err(error) = events.flush()
        {
            tracing::error!(%error, "raw events are no longer kept");
            self.events = None;
        }
        if let Some(hint) = self.pending_hint.take() {
            self.hints.hint(&Hint::Event(hint));
        }
        if self.live_changed && self.live_written.is_none_or(|written| written.elapsed() >= LIVE_AFTER) {
            (self.live_changed, self.live_written) = (false, Some(Instant::now()));
            if let Err(error) = self.live_view.write(&self.live) {
                self.stale_views.count(&error);
            }
        }
    }

    /// The books are closed.
    pub(super) fn ended(&self) {
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

/// Whether an event is the agent's own doing. That it began, and what went wrong, is not.
fn is_work(event: &AgentEvent) -> bool {
    match event {
        AgentEvent::Message { .. }
        | AgentEvent::Reasoning { .. }
        | AgentEvent::CommandStarted { .. }
        | AgentEvent::CommandFinished { .. }
        | AgentEvent::FilesChanged { .. }
        | AgentEvent::McpToolCall { .. }
        | AgentEvent::TodoList { .. } => true,
        AgentEvent::SessionStarted { .. }
        | AgentEvent::Usage(_)
        | AgentEvent::Warning { .. }
        | AgentEvent::TransientError { .. }
        | AgentEvent::FatalError { .. }
        | AgentEvent::Other { .. } => false,
    }
}
