//! The tab Activity: the steps of the agent.
//!
//! Entries of the same kind in a row are folded into one. Failures are never folded.

use std::collections::HashMap;

use maud::{Markup, html};

use super::{
    links::{self, Tab},
    state::{class, clock},
    text::{block, line},
    viewer::ElementId,
};
use crate::{
    present::terminal::{LocalTime, Tone, detail, event_tone, step},
    task::{CommandOutcome, TaskId, TimelineEntry, TimelineEvent, WarningSource},
};

/// Maximum length of an entry's first line, in characters.
const MAX_LINE_CHARACTERS: usize = 300;

/// Minimum number of entries of a kind in a row that are folded.
const MIN_FOLDED: usize = 3;

/// The entries that the tab shows.
#[derive(Debug, Clone)]
pub(crate) struct ActivityTab<'a> {
    /// The entries, oldest first.
    pub(crate) entries: &'a [TimelineEntry],
    /// Whether there are earlier ones.
    pub(crate) has_earlier: bool,
    /// Whether there are later ones, because the reader went back.
    pub(crate) has_later: bool,
    /// The user's time zone.
    pub(crate) zone: LocalTime,
}

/// The tab.
pub(super) fn activity(id: &TaskId, tab: &ActivityTab<'_>) -> Markup {
    let earlier = tab.entries.first().filter(|_| tab.has_earlier);
    html! {
        @if let Some(first) = earlier {
            p { a href=(links::earlier(id, Tab::Activity, first.seq)) { "Earlier activity" } }
        }
        ol.activity id=(ElementId::Activity.as_str()) { (activity_items(tab.entries, tab.zone)) }
        // Directly after the list: the style sheet hides it as soon as the list has an item.
        @if tab.entries.is_empty() { p.empty { "There is no activity yet, or this task has no timeline." } }
        @if tab.has_later { p { a href=(links::task(id, Tab::Activity)) { "Newest activity" } } }
    }
}

/// The entries as items of the list.
pub(crate) fn activity_items(entries: &[TimelineEntry], zone: LocalTime) -> Markup {
    let shown = shown(entries);
    html! {
        @for run in shown.chunk_by(|one, other| is_same_fold(one, other)) {
            @match Fold::of(&run[0].event).filter(|_| run.len() >= MIN_FOLDED) {
                Some(fold) => (folded(fold, run, zone)),
                None => { @for entry in run { (item(entry, zone)) } },
            }
        }
    }
}

/// The content of the list if it only has the newest entries, because too many were added at once.
pub(crate) fn newest_activity(id: &TaskId, entries: &[TimelineEntry], zone: LocalTime) -> Markup {
    html! {
        @if let Some(first) = entries.first() {
            li.event.attention {
                a href=(links::earlier(id, Tab::Activity, first.seq)) { "Earlier activity" }
            }
        }
        (activity_items(entries, zone))
    }
}

/// The tokens that a task has used so far, input and output together, if its agent reported them in these entries.
pub(crate) fn tokens_so_far(entries: &[TimelineEntry]) -> Option<u64> {
    entries.iter().rev().find_map(|entry| {
        let TimelineEvent::Usage { usage } = &entry.event else { return None };
        Some(usage.input_tokens.saturating_add(usage.output_tokens))
    })
}

/// The entries that a person needs to see. The beginning of a command is left out if its end is among them.
fn shown(entries: &[TimelineEntry]) -> Vec<&TimelineEntry> {
    let mut finished: HashMap<&str, usize> = HashMap::new();
    let mut shown = Vec::new();
    for entry in entries.iter().rev() {
        if let TimelineEvent::CommandFinished { command, .. } = &entry.event {
            *finished.entry(command).or_default() += 1;
        }
        if let TimelineEvent::CommandStarted { command } = &entry.event
            && let Some(ends) = finished.get_mut(command.as_str()).filter(|ends| **ends > 0)
        {
            *ends -= 1;
            continue;
        }
        if label(&entry.event).is_some() {
            shown.push(entry);
        }
    }
    shown.reverse();
    shown
}

/// The first line of an entry, not escaped; `None` if a person need not see it.
fn label(event: &TimelineEvent) -> Option<String> {
    let is_end = matches!(event, TimelineEvent::Ended { .. });
    if is_end { Some(format!("ended: {}", detail(event))) } else { step(event) }
}

/// The kinds of entries that are folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fold {
    Commands,
    Edits,
    Tools,
    Reasoning,
    Output,
    Plan,
    Warnings,
}

impl Fold {
    /// The kind of an event; `None` if it is never folded.
    fn of(event: &TimelineEvent) -> Option<Self> {
        if is_failure(event) {
            return None;
        }
        Some(match event {
            TimelineEvent::CommandFinished { .. } => Self::Commands,
            TimelineEvent::FilesChanged { .. } => Self::Edits,
            TimelineEvent::Tool { .. } => Self::Tools,
            TimelineEvent::Reasoning { .. } => Self::Reasoning,
            TimelineEvent::Output { .. } => Self::Output,
            TimelineEvent::Plan { .. } => Self::Plan,
            TimelineEvent::Warning { .. } => Self::Warnings,
            TimelineEvent::Queued { .. }
            | TimelineEvent::Started { .. }
            | TimelineEvent::Session { .. }
            | TimelineEvent::Message { .. }
            | TimelineEvent::CommandStarted { .. }
            | TimelineEvent::Usage { .. }
            | TimelineEvent::Silence { .. }
            | TimelineEvent::Fallback { .. }
            | TimelineEvent::Stopping { .. }
            | TimelineEvent::Changes { .. }
            | TimelineEvent::Ended { .. }
            | TimelineEvent::Omitted { .. }
            | TimelineEvent::Unknown { .. } => return None,
        })
    }

    /// The number of entries, in words.
    fn count(self, number: usize) -> String {
        let noun = match self {
            Self::Commands => "commands",
            Self::Edits => "edits",
            Self::Tools => "tool calls",
            Self::Reasoning => "thoughts",
            Self::Output => "lines of output",
            Self::Plan => "updates of the plan",
            Self::Warnings => "warnings",
        };
        format!("{number} {noun}")
    }
}

fn is_same_fold(one: &TimelineEntry, other: &TimelineEntry) -> bool {
    Fold::of(&one.event).is_some_and(|fold| Fold::of(&other.event) == Some(fold))
}

/// Whether something failed.
fn is_failure(event: &TimelineEvent) -> bool {
    matches!(
        event,
        TimelineEvent::CommandFinished { status: CommandOutcome::Failed | CommandOutcome::Declined, .. }
            | TimelineEvent::FilesChanged { applied: false, .. }
            | TimelineEvent::Tool { error: Some(_), .. }
            | TimelineEvent::Warning { source: WarningSource::AgentError, .. }
    )
}

/// Entries of one kind as one item that can be opened.
fn folded(fold: Fold, entries: &[&TimelineEntry], zone: LocalTime) -> Markup {
    let (first, last) = (entries[0], entries[entries.len() - 1]);
    html! {
        li.event.group id={ "e" (first.seq) } {
            (clock(first.at, zone))
            details {
                summary { (fold.count(entries.len())) span.faint { " until " (clock(last.at, zone)) } }
                ol { @for (position, entry) in entries.iter().enumerate() { (entry_item(entry, position > 0, zone)) } }
            }
        }
    }
}

fn item(entry: &TimelineEntry, zone: LocalTime) -> Markup {
    entry_item(entry, true, zone)
}

/// An entry. Its first line is visible; the rest of a long text, and the output of a command, can be opened.
fn entry_item(entry: &TimelineEntry, has_id: bool, zone: LocalTime) -> Markup {
    let label = label(&entry.event).unwrap_or_default();
    let is_failure = is_failure(&entry.event);
    let rest = rest(&entry.event, &label);
    html! {
        li.event.(class(tone(&entry.event))) id=[has_id.then(|| format!("e{}", entry.seq))] {
            (clock(entry.at, zone))
            div.what {
                @match rest {
                    Some((title, text)) => {
                        p { (line(&label, MAX_LINE_CHARACTERS)) }
                        details open[is_failure] {
                            summary { (title) }
                            (block(text))
                        }
                    },
                    None => p { (line(&label, MAX_LINE_CHARACTERS)) },
                }
            }
        }
    }
}

/// The text that does not fit on the first line, and its title.
fn rest<'a>(event: &'a TimelineEvent, label: &str) -> Option<(&'static str, &'a str)> {
    if let TimelineEvent::CommandFinished { output, .. } = event
        && !output.trim().is_empty()
    {
        return Some(("Output", output));
    }
    let (TimelineEvent::CommandFinished { command: text, .. }
    | TimelineEvent::CommandStarted { command: text }
    | TimelineEvent::Message { text }
    | TimelineEvent::Reasoning { text }
    | TimelineEvent::Output { text }
    | TimelineEvent::Warning { text, .. }
    | TimelineEvent::Tool { error: Some(text), .. }) = event
    else {
        return None;
    };
    let is_long = label.chars().count() > MAX_LINE_CHARACTERS || text.trim_end().contains('\n');
    is_long.then_some(("Full text", text))
}

fn tone(event: &TimelineEvent) -> Tone {
    if is_failure(event) { Tone::Bad } else { event_tone(event) }
}

#[cfg(test)]
#[path = "activity_tests.rs"]
mod tests;
