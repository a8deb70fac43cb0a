//! `logs`: lines of a log, and entries of a timeline.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{Line, LocalTime, Screen, Tone, step::detail, time::local};
use crate::{
    task::{CommandOutcome, TimelineEntry, TimelineEvent, WarningSource},
    visible::{fully_visible, write_visible},
};

/// Width of the column with the kind of an event.
const KIND_WIDTH: usize = 17;

/// A line of a log without its line ending. `at` is the time at its beginning, if it begins an entry. On a terminal,
/// that time is shown in the user's time zone.
pub(crate) fn log_line(line: &[u8], at: Option<DateTime<Utc>>, screen: Screen, zone: LocalTime) -> String {
    let mut visible = Vec::with_capacity(line.len() + 1);
    write_visible(&mut visible, line).expect("writing to memory cannot fail");
    let text = String::from_utf8_lossy(&visible);
    let text = fully_visible(&text);
    match at.filter(|_| screen.is_terminal()).zip(text.split_once("] ")) {
        Some((at, (_, rest))) => {
            let line = Line::of(Tone::Faint, &local(at, zone)).with(Tone::Plain, " ").with_exact(Tone::Plain, rest);
            // A log is not a table: a terminal wraps its lines.
            line.render(Screen { width: None, ..screen }) + "\n"
        }
        None => match at.and_then(|_| text.split_at_checked(text.find("] ")? + 1)) {
            Some((at, rest)) => {
                format!("{}{rest}\n", Line::of(Tone::Faint, at).render(Screen { width: None, ..screen }))
            }
            None => format!("{text}\n"),
        },
    }
}

/// Lines of a log as they are.
pub(crate) fn raw_lines(lines: &[Vec<u8>]) -> Vec<u8> {
    lines.iter().flat_map(|line| line.iter().copied().chain([b'\n'])).collect()
}

/// An entry of a timeline. In a pipe, the columns are: time, kind, text.
pub(crate) fn event_line(entry: &TimelineEntry, screen: Screen, zone: LocalTime) -> String {
    let kind = entry.event.kind().replace('_', " ");
    let text = detail(&entry.event);
    let line = match screen.is_terminal() {
        true => Line::of(Tone::Faint, &local(entry.at, zone))
            .with(Tone::Plain, " ")
            .then(Line::of(event_tone(&entry.event), &kind).padded(KIND_WIDTH))
            .with(Tone::Plain, " ")
            .with(Tone::Plain, &text),
        false => {
            let at = entry.at.to_rfc3339_opts(SecondsFormat::Millis, true);
            let cells = [(Tone::Faint, &*at), (event_tone(&entry.event), entry.event.kind()), (Tone::Plain, &text)];
            return cells.map(|(tone, cell)| Line::of(tone, cell).render(screen)).join("\t") + "\n";
        }
    };
    line.render(screen) + "\n"
}

/// The tone of an event's kind.
pub(crate) fn event_tone(event: &TimelineEvent) -> Tone {
    match event {
        TimelineEvent::Message { .. } => Tone::Strong,
        TimelineEvent::CommandStarted { .. } | TimelineEvent::Started { .. } => Tone::Active,
        TimelineEvent::CommandFinished { status: CommandOutcome::Completed, .. }
        | TimelineEvent::FilesChanged { .. } => Tone::Good,
        TimelineEvent::CommandFinished { .. } | TimelineEvent::Tool { error: Some(_), .. } => Tone::Bad,
        TimelineEvent::Warning { source: WarningSource::AgentError, .. } => Tone::Bad,
        TimelineEvent::Warning { .. }
        | TimelineEvent::Silence { .. }
        | TimelineEvent::Fallback { .. }
        | TimelineEvent::Stopping { .. }
        | TimelineEvent::Omitted { .. } => Tone::Attention,
        TimelineEvent::Queued { .. }
        | TimelineEvent::Session { .. }
        | TimelineEvent::Reasoning { .. }
        | TimelineEvent::Tool { .. }
        | TimelineEvent::Plan { .. }
        | TimelineEvent::Usage { .. }
        | TimelineEvent::Output { .. }
        | TimelineEvent::Changes { .. }
        | TimelineEvent::Ended { .. }
        | TimelineEvent::Unknown { .. } => Tone::Plain,
    }
}
