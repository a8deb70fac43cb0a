//! Excerpts of long texts, short enough for an answer.

use std::path::Path;

use super::{
    markdown::code,
    text::{fence_length, fenced, fenced_length, head, one_line, tail},
};
use crate::{
    task::{LogTail, ResultText, TaskRecord, Untrusted},
    visible::visible,
};

/// Maximum length of one log line, in characters.
const MAX_LOG_LINE_CHARACTERS: usize = 200;

/// The agent's final message in a fence. The middle is left out if the message does not fit into `room` characters.
pub(super) fn result(result: &ResultText, record: &TaskRecord, room: usize) -> String {
    let (beginning, end) = (result.head.raw(), result.tail.raw());
    if result.left_out == 0 && fits(beginning, room) {
        return fenced(beginning);
    }
    let total = beginning.len() as u64 + result.left_out + end.len() as u64;
    let end = if result.left_out == 0 { beginning } else { end };
    let cut = |half: usize| {
        let (head, tail) = (head(beginning, half), tail(end, half));
        let left_out = total.saturating_sub((head.len() + tail.len()) as u64);
        format!("{head}\n[… {left_out} bytes left out …]\n{tail}")
    };
    let note = record.start.result_file.as_deref().map_or(String::new(), |file| {
        format!("The complete result is in {} (resource `task://{}/result`).\n\n", name(file), record.id)
    });
    format!("{note}{}", fenced(&cut_to_fit(cut, room)))
}

/// A text of the agent in a fence. Only its end is shown if it does not fit into `room` characters.
pub(super) fn agent_text(text: &Untrusted, room: usize) -> String {
    let text = text.raw();
    if fits(text, room) {
        return fenced(text);
    }
    fenced(&cut_to_fit(|half| format!("[…]\n{}", tail(text, half * 2)), room))
}

/// Number of lines of `log` after the line `last`; all of them if the log no longer contains that line.
pub(super) fn lines_after(log: &LogTail, last: Option<&Untrusted>) -> usize {
    let after = |last| log.lines.iter().rev().position(|line| line == last);
    last.and_then(after).unwrap_or(log.lines.len())
}

/// The end of a log below its heading, in about `room` characters. The heading contains `new`, the number of new lines,
/// if it is known.
pub(super) fn log(log: &LogTail, new: Option<usize>, file: Option<&Path>, room: usize) -> String {
    if log.lines.is_empty() {
        return "### Recent log (last 0 lines)\n(nothing yet)".to_owned();
    }
    let lines: Vec<String> = log.lines.iter().map(|line| log_line(line.raw())).collect();
    let newest = |characters: usize| {
        let mut remaining = characters;
        let fitting = lines.iter().rev().take_while(|line| {
            let needed = line.chars().count() + 1;
            let fits = needed <= remaining;
            remaining = remaining.saturating_sub(needed);
            fits
        });
        fitting.count()
    };
    let joined = |count: usize| lines[lines.len() - count..].join("\n");
    let mut shown = newest(room.saturating_sub(fence_length("")));
    if !fits(&joined(shown), room) {
        shown = newest(room / 3);
    }
    let cut = match (shown < lines.len(), file) {
        (false, _) => String::new(),
        (true, Some(file)) => format!("Older lines do not fit here; the complete log is {}.\n\n", name(file)),
        (true, None) => "Older lines do not fit here.\n\n".to_owned(),
    };
    let plural = if shown == 1 { "" } else { "s" };
    let new = new.map_or(String::new(), |new| format!(", {} new", new.min(shown)));
    format!("### Recent log (last {shown} line{plural}{new})\n{cut}{}", fenced(&joined(shown)))
}

fn log_line(line: &str) -> String {
    let line = &*visible(line);
    let length = line.chars().count();
    if length <= MAX_LOG_LINE_CHARACTERS {
        return line.to_owned();
    }
    /// Space for the note at the end.
    const NOTE_CHARACTERS: usize = 30;
    let shown = MAX_LOG_LINE_CHARACTERS - NOTE_CHARACTERS;
    format!("{} … ({} more characters)", head(line, shown), length - shown)
}

/// The path of a file as a code span.
fn name(file: &Path) -> String {
    /// Maximum length of a path, in characters.
    const MAX_NAME_CHARACTERS: usize = 500;
    code(&one_line(&file.display().to_string(), MAX_NAME_CHARACTERS))
}

fn fits(text: &str, room: usize) -> bool {
    fenced_length(text) <= room
}

/// Calls `cut` with the number of characters to keep at either end, and returns a result that fits into `room`.
///
/// The length of the result is unknown in advance: a text of backticks needs fences as long as itself, and the escape
/// for a control character has up to eight characters.
fn cut_to_fit(cut: impl Fn(usize) -> String, room: usize) -> String {
    /// Space for the note between the halves, and for an ordinary fence.
    const NOTE_CHARACTERS: usize = 100;
    let room_for_text = room.saturating_sub(NOTE_CHARACTERS);
    let cuts = [2, 6].map(|part| room_for_text / part);
    cuts.into_iter().map(&cut).find(|text| fits(text, room)).unwrap_or_else(|| cut(room_for_text / 16))
}

#[cfg(test)]
#[path = "excerpt_tests.rs"]
mod tests;
