//! How states, outcomes, times and numbers look in pages.

use chrono::{DateTime, SecondsFormat, Utc};
use maud::{Markup, html};

use super::text::line;
use crate::{
    present::terminal::{LocalTime, Symbols, Tone, age, local, tone, word},
    task::{ChangedPath, Outcome, StateFilter, TaskState, TaskSummary, Totals},
};

/// Maximum length of a backend's name, in characters.
const MAX_NAME_CHARACTERS: usize = 80;

/// The class of elements with this tone.
pub(super) fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "plain",
        Tone::Strong => "strong",
        Tone::Faint => "faint",
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Active => "active",
        Tone::Attention => "attention",
    }
}

/// The state of a task, or its outcome if it has ended: a symbol and the word.
pub(super) fn task_state(task: &TaskSummary) -> Markup {
    state(task.state, Outcome::of(&task.record))
}

/// The same for tasks that a filter selects.
pub(super) fn filter_state(filter: StateFilter) -> Markup {
    match filter {
        StateFilter::State(TaskState::Ended) => html! { "ended" },
        StateFilter::State(selected) => state(selected, None),
        StateFilter::Outcome(outcome) => state(TaskState::Ended, Some(outcome)),
    }
}

fn state(state: TaskState, outcome: Option<Outcome>) -> Markup {
    html! {
        span.state.(class(tone(state, outcome))) {
            span.symbol aria-hidden="true" { (Symbols::Unicode.of(state, outcome)) }
            " "
            (word(state, outcome).replace('_', " "))
        }
    }
}

/// A time in the user's time zone.
pub(super) fn time(at: DateTime<Utc>, zone: LocalTime) -> Markup {
    html! { time datetime=(exact(at)) { (local(at, zone)) } }
}

/// How long ago a time was; the time itself is its title.
pub(super) fn time_ago(at: DateTime<Utc>, zone: LocalTime, now: DateTime<Utc>) -> Markup {
    html! { time datetime=(exact(at)) title=(local(at, zone)) { (age(at, now)) } }
}

fn exact(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Numbers of added and removed lines.
pub(super) fn line_counts(added: u64, removed: u64) -> Markup {
    html! {
        span.added { "+" (added) } " " span.removed { "−" (removed) }
    }
}

/// The same for a file; `binary` if it has no lines.
pub(super) fn file_counts(file: &ChangedPath) -> Markup {
    match (file.added, file.removed) {
        (Some(added), Some(removed)) => line_counts(added, removed),
        (None, _) | (_, None) => html! { "binary" },
    }
}

/// The time of day in the user's time zone; the date is in its title.
pub(super) fn clock(at: DateTime<Utc>, zone: LocalTime) -> Markup {
    html! { time datetime=(exact(at)) title=(local(at, zone)) { (zone(at).format("%H:%M:%S").to_string()) } }
}

/// Input and output tokens together.
pub(super) fn tokens(totals: &Totals) -> u64 {
    totals.usage.input_tokens.saturating_add(totals.usage.output_tokens)
}

/// The name of a backend.
pub(super) fn known(name: &str) -> Markup {
    html! { @if name.is_empty() { "(unknown)" } @else { (line(name, MAX_NAME_CHARACTERS)) } }
}
