//! The live view of a running task: its current activity.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use connector_api::AgentEvent;

use super::{entries::entry_of, failures::Failures, network::NetworkState, stream::OutputStream};
use crate::{
    store::LiveWriter,
    task::{ActivityKind, LiveView, RECORD_FORMAT, TaskRecord, TimelineEvent, Untrusted, cut_middle, span},
};

/// Time between two live views.
const LIVE_VIEW_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum length of the problem that the agent tries to recover from, in characters.
const MAX_TROUBLE_CHARS: usize = 2_000;

/// Collects changes to the live view and writes it.
#[derive(Debug)]
pub(super) struct Live {
    view: LiveView,
    /// The agent's latest step, with the duration of a finished command. It is converted to text when the view is
    /// written.
    newest: Option<(AgentEvent, Option<Duration>)>,
    writer: LiveWriter,
    /// When the view was last written. A monotonic time, so setting the clock back cannot freeze the view.
    written: Option<Instant>,
    last_activity: Instant,
    is_changed: bool,
    stale: Failures,
}

impl Live {
    /// The view of a task that begins.
    pub(super) fn begin(writer: LiveWriter) -> Self {
        let view = LiveView {
            format: RECORD_FORMAT,
            phase: "starting".into(),
            last_event: None,
            trouble: None,
            offline_since: None,
            stdout_bytes: 0,
            stderr_bytes: 0,
            last_activity_at: Utc::now(),
            last_activity_type: ActivityKind::Started,
            heartbeat_count: 0,
        };
        Self {
            view,
            newest: None,
            writer,
            written: None,
            last_activity: Instant::now(),
            is_changed: true,
            stale: Failures::of("the live view is outdated"),
        }
    }

    /// Sets the phase. Returns whether it changed.
    pub(super) fn phase(&mut self, phase: &str) -> bool {
        let is_new = self.view.phase != phase;
        if is_new {
            self.view.phase = phase.into();
            self.is_changed = true;
        }
        is_new
    }

    /// Shows a line about something that the agent did not do.
    pub(super) fn line(&mut self, line: String) {
        self.newest = None;
        self.view.last_event = Some(line.into());
        self.is_changed = true;
    }

    /// Removes the last line. Returns whether there was one.
    pub(super) fn clear_line(&mut self) -> bool {
        self.newest = None;
        self.view.last_event.take().is_some()
    }

    /// The agent was just started.
    pub(super) fn working(&mut self) {
        self.phase("working");
        (self.view.trouble, self.view.offline_since) = (None, None);
        self.view.last_activity_at = Utc::now();
        self.last_activity = Instant::now();
        self.is_changed = true;
    }

    /// Counts bytes received at `now`.
    pub(super) fn received(&mut self, stream: OutputStream, count: u64, now: DateTime<Utc>) {
        let (bytes, kind) = match stream {
            OutputStream::Stdout => (&mut self.view.stdout_bytes, ActivityKind::Stdout),
            OutputStream::Stderr => (&mut self.view.stderr_bytes, ActivityKind::Stderr),
        };
        *bytes += count;
        self.view.last_activity_type = kind;
        self.view.last_activity_at = now;
        self.last_activity = Instant::now();
        self.is_changed = true;
    }

    /// Shows a step that the agent took at `now`.
    pub(super) fn event(&mut self, event: AgentEvent, took: Option<Duration>, now: DateTime<Utc>) {
        self.view.offline_since = match NetworkState::after(&event) {
            Some(NetworkState::Waiting) => self.view.offline_since.or(Some(now)),
            Some(NetworkState::Working) => None,
            None => self.view.offline_since,
        };
        self.view.trouble = match &event {
            AgentEvent::TransientError { message, .. } => Some(cut_middle(message, MAX_TROUBLE_CHARS).into()),
            AgentEvent::Other { .. } | AgentEvent::Warning { .. } => self.view.trouble.take(),
            AgentEvent::SessionStarted { .. }
            | AgentEvent::Message { .. }
            | AgentEvent::Reasoning { .. }
            | AgentEvent::CommandStarted { .. }
            | AgentEvent::CommandFinished { .. }
            | AgentEvent::FilesChanged { .. }
            | AgentEvent::McpToolCall { .. }
            | AgentEvent::TodoList { .. }
            | AgentEvent::Usage(_)
            | AgentEvent::FatalError { .. } => None,
        };
        self.is_changed = true;
        match event {
            // These have no headline, so keep showing the previous step.
            AgentEvent::SessionStarted { .. } | AgentEvent::Usage(_) | AgentEvent::Other { .. } => {}
            event => self.newest = Some((event, took)),
        }
    }

    /// Counts a heartbeat. Returns its documented log line.
    pub(super) fn heartbeat(&mut self, number: u64, elapsed: Duration) -> String {
        self.view.heartbeat_count = number;
        self.is_changed = true;
        format!(
            "HEARTBEAT #{number}: elapsed={}, lastActivity={} ago ({}), stdout={}B, stderr={}B",
            span(elapsed),
            span(self.last_activity.elapsed()),
            self.view.last_activity_type,
            self.view.stdout_bytes,
            self.view.stderr_bytes
        )
    }

    /// Copies the view's counters into the record.
    pub(super) fn count_into(&self, record: &mut TaskRecord) {
        self.view.overlay(record);
    }

    /// The problem that the agent is trying to recover from.
    pub(super) fn trouble(&self) -> Option<String> {
        self.view.trouble.clone().map(Untrusted::into_raw)
    }

    /// Whether the view has changed since it was written.
    pub(super) fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// Replaces the view on disk if it has changed, at most once a second.
    pub(super) fn flush(&mut self) {
        if !self.is_changed || self.written.is_some_and(|written| written.elapsed() < LIVE_VIEW_INTERVAL) {
            return;
        }
        if let Some((event, took)) = self.newest.take() {
            let headline = entry_of(&event, took).as_ref().and_then(TimelineEvent::headline);
            self.view.last_event = headline.map(Untrusted::from);
        }
        (self.is_changed, self.written) = (false, Some(Instant::now()));
        if let Err(error) = self.writer.write(&self.view) {
            self.stale.count(&error);
        }
    }
}
