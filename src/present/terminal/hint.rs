//! A task in a few words, next to its ID in the completions of a shell.

use super::{Line, Symbols, Tone};
use crate::{
    present::text::one_line,
    task::{Outcome, TaskRecord},
};

/// Maximum length of the task's text, in characters.
const MAX_CHARACTERS: usize = 80;

/// Space between a candidate and its description.
const GAP: usize = 2;

/// The task's outcome, or `running`, and its text.
pub(crate) fn hint(record: &TaskRecord) -> String {
    let state = Outcome::of(record).map_or("running", Outcome::as_str);
    format!("{state}: {}", one_line(&record.start.task, MAX_CHARACTERS))
}

/// A candidate with its description behind it, padded to `value_width` columns and cut to `width`.
pub(crate) fn described(value: &str, value_width: usize, help: &str, width: usize) -> String {
    if help.is_empty() {
        return value.to_owned();
    }
    let line = Line::of(Tone::Plain, value).padded(value_width + GAP).with(Tone::Plain, &format!("({help})"));
    line.cut(width, Symbols::Unicode).text()
}
