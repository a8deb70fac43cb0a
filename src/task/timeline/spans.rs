//! Periods of thinking, commands, edits and so on, for a bar on a time axis.
//!
//! An entry of a timeline says what has just happened. A [`SpanBuilder`] derives from it what the task did *until* then:
//!
//! | period | kind |
//! |---|---|
//! | while a command runs | [`SpanKind::Command`] |
//! | from a place in the queue, or a report that the network is unavailable, to the agent's next step | [`SpanKind::Waiting`] |
//! | without any entry for more than a minute | [`SpanKind::Silence`] |
//! | before changed files are reported | [`SpanKind::Edit`] |
//! | everything else | [`SpanKind::Thinking`] |
//!
//! The first line that applies counts. The spans are in order, do not overlap, and cover the whole time.

use std::borrow::Cow;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::Deserialize;

/// After which time without an entry the agent counts as silent.
const SILENCE_AFTER: TimeDelta = TimeDelta::minutes(1);

/// A period in which a task did one kind of thing, or mostly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActivitySpan {
    /// The kind of thing.
    pub kind: SpanKind,
    /// When this began; to the millisecond, like all times.
    pub start: DateTime<Utc>,
    /// When it ended. The next span begins then.
    pub end: DateTime<Utc>,
}

/// The kinds of things that a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpanKind {
    /// The agent reasons or writes, or does something else that is not listed here.
    Thinking,
    /// It runs commands.
    Command,
    /// It edits files.
    Edit,
    /// The task waits in the queue, or the agent waits for the network.
    Waiting,
    /// Nothing is known.
    Silence,
}

impl SpanKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Thinking, Self::Command, Self::Edit, Self::Waiting, Self::Silence];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Thinking => "thinking",
            Self::Command => "command",
            Self::Edit => "edit",
            Self::Waiting => "waiting",
            Self::Silence => "silence",
        }
    }
}

/// The part of a timeline entry from which spans are derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActivityMark {
    at: DateTime<Utc>,
    event: MarkEvent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MarkEvent {
    /// The task waits in the queue, or the agent for the network.
    Waits,
    CommandStarted,
    /// With its duration, if known.
    CommandFinished(Option<TimeDelta>),
    Edited,
    /// Nothing was written for this time.
    Silent(TimeDelta),
    /// An agent was started, or entries are missing. No command that was reported before is known to run.
    Restarted,
    /// Not a step of the agent.
    Aside,
    /// Another step of the agent.
    Step,
}

/// The fields of a line that matter here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MarkLine<'a> {
    at: DateTime<Utc>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    offline: bool,
    #[serde(default)]
    duration_ms: Option<u64>,
}

impl ActivityMark {
    /// Parses a line of a timeline. Returns `None` if the line is incomplete or damaged.
    pub fn read(line: &[u8]) -> Option<Self> {
        let MarkLine { at, kind, offline, duration_ms } = serde_json::from_slice(line).ok()?;
        let took = duration_ms.and_then(|millis| TimeDelta::try_milliseconds(i64::try_from(millis).ok()?));
        let event = match &*kind {
            "queued" => MarkEvent::Waits,
            "warning" if offline => MarkEvent::Waits,
            "command_started" => MarkEvent::CommandStarted,
            "command_finished" => MarkEvent::CommandFinished(took),
            "files_changed" => MarkEvent::Edited,
            "silence" => MarkEvent::Silent(took.unwrap_or_default()),
            "started" | "fallback" | "omitted" => MarkEvent::Restarted,
            "warning" | "output" => MarkEvent::Aside,
            _ => MarkEvent::Step,
        };
        Some(Self { at, event })
    }
}

/// Derives spans from a timeline.
#[derive(Debug, Clone)]
pub struct SpanBuilder {
    start: DateTime<Utc>,
    limit: usize,
    parts: Vec<Part>,
    /// The end of the last part.
    end: DateTime<Utc>,
    /// The number of commands that run.
    commands: u64,
    waits: bool,
    is_silent: bool,
}

/// A period, and how much of it was spent on each kind, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    spent: [i64; SpanKind::ALL.len()],
}

impl Part {
    fn of(kind: SpanKind, millis: i64) -> Self {
        let mut spent = [0; SpanKind::ALL.len()];
        spent[kind as usize] = millis;
        Self { spent }
    }

    fn millis(&self) -> i64 {
        self.spent.iter().sum()
    }

    /// The kind that most of it was spent on.
    fn kind(&self) -> SpanKind {
        SpanKind::ALL.into_iter().rev().max_by_key(|kind| self.spent[*kind as usize]).unwrap_or(SpanKind::Thinking)
    }

    fn absorb(&mut self, other: Self) {
        self.spent.iter_mut().zip(other.spent).for_each(|(sum, more)| *sum += more);
    }
}

impl SpanBuilder {
    /// For a task that began at `start`. If there are more than `limit` spans, short neighbors are merged; a merged span
    /// has the kind that took most of its time.
    pub fn new(start: DateTime<Utc>, limit: usize) -> Self {
        let start = start.trunc_subsecs(3);
        Self { start, limit: limit.max(1), parts: Vec::new(), end: start, commands: 0, waits: false, is_silent: false }
    }

    /// Adds the next entry.
    pub fn add(&mut self, mark: ActivityMark) {
        match mark.event {
            MarkEvent::CommandFinished(Some(took)) if self.commands == 0 => {
                self.idle_until(mark.at - took.min(mark.at - self.start), None);
                self.extend(SpanKind::Command, mark.at);
            }
            MarkEvent::Silent(lasting) if self.commands == 0 && !self.waits => {
                self.idle_until(mark.at - lasting.min(mark.at - self.start), None);
                self.extend(SpanKind::Silence, mark.at);
            }
            MarkEvent::Edited => self.idle_until(mark.at, Some(SpanKind::Edit)),
            MarkEvent::Waits if self.parts.is_empty() => self.idle_until(mark.at, Some(SpanKind::Waiting)),
            _ => self.idle_until(mark.at, None),
        }
        self.is_silent = matches!(mark.event, MarkEvent::Silent(_));
        match mark.event {
            MarkEvent::Waits => self.waits = true,
            MarkEvent::Silent(_) | MarkEvent::Aside => {}
            MarkEvent::CommandStarted => (self.waits, self.commands) = (false, self.commands + 1),
            MarkEvent::CommandFinished(_) => (self.waits, self.commands) = (false, self.commands.saturating_sub(1)),
            MarkEvent::Restarted => (self.waits, self.commands) = (false, 0),
            MarkEvent::Edited | MarkEvent::Step => self.waits = false,
        }
    }

    /// The spans from the start to `end`: of the task, or now.
    pub fn spans(&self, end: DateTime<Utc>) -> Vec<ActivitySpan> {
        let end = end.trunc_subsecs(3);
        let mut all = self.clone();
        all.idle_until(end, None);
        all.compact();
        let mut spans: Vec<ActivitySpan> = Vec::with_capacity(all.parts.len());
        let mut start = self.start;
        for part in all.parts {
            // Entries may be newer than the end, because clocks are set.
            let until = (start + TimeDelta::milliseconds(part.millis())).min(end);
            match spans.last_mut() {
                Some(last) if last.kind == part.kind() => last.end = until,
                _ if until > start => spans.push(ActivitySpan { kind: part.kind(), start, end: until }),
                Some(_) | None => {}
            }
            start = until;
        }
        spans
    }

    /// Extends the spans to `at`. `kind` is what an agent that runs no command did.
    fn idle_until(&mut self, at: DateTime<Utc>, kind: Option<SpanKind>) {
        let kind = match kind {
            _ if self.commands > 0 => SpanKind::Command,
            _ if self.waits => SpanKind::Waiting,
            _ if self.is_silent || at - self.end > SILENCE_AFTER => SpanKind::Silence,
            Some(kind) => kind,
            None => SpanKind::Thinking,
        };
        self.extend(kind, at);
    }

    fn extend(&mut self, kind: SpanKind, at: DateTime<Utc>) {
        let millis = (at - self.end).num_milliseconds();
        if millis <= 0 {
            return;
        }
        self.end += TimeDelta::milliseconds(millis);
        let part = Part::of(kind, millis);
        match self.parts.last_mut().filter(|last| last.kind() == kind) {
            Some(last) => last.absorb(part),
            None => self.parts.push(part),
        }
        if self.parts.len() > 2 * self.limit {
            self.compact();
        }
    }

    /// Merges short parts until there are few enough.
    fn compact(&mut self) {
        let mut grain: i64 = 1;
        while self.parts.len() > self.limit {
            grain = grain.saturating_mul(2);
            let is_short = |part: &Part| part.millis() < grain;
            self.merge(|last, part| is_short(last) && is_short(part));
            self.merge(|last, part| last.kind() == part.kind());
        }
    }

    /// Merges each part with the one before if `belongs` says so.
    fn merge(&mut self, belongs: impl Fn(&Part, &Part) -> bool) {
        let mut merged: Vec<Part> = Vec::with_capacity(self.parts.len());
        for part in self.parts.drain(..) {
            match merged.last_mut().filter(|last| belongs(last, &part)) {
                Some(last) => last.absorb(part),
                None => merged.push(part),
            }
        }
        self.parts = merged;
    }
}

#[cfg(test)]
#[path = "spans_tests.rs"]
mod tests;
