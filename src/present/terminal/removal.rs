//! Texts of `rm` and `prune` about the tasks to remove.

use super::{Line, Screen, Tone, state::word};
use crate::task::{Outcome, TaskId, TaskSummary};

/// Maximum number of tasks that the question names.
pub(crate) const MAX_NAMED: usize = 10;

/// Maximum length of a task's text in the question, in columns.
const MAX_TEXT_COLUMNS: usize = 50;

/// The question before `total` tasks are removed, below the first of them with their outcomes and first words.
pub(crate) fn removal_question(tasks: &[TaskSummary], total: usize, screen: Screen) -> String {
    let named = tasks.iter().take(MAX_NAMED).map(|task| {
        let text = Line::of(Tone::Plain, &task.record.start.task).cut(MAX_TEXT_COLUMNS, screen.symbols);
        let outcome = word(task.state, Outcome::of(&task.record));
        let line = Line::of(Tone::Plain, "  ").with(Tone::Plain, task.record.id.as_str());
        line.with(Tone::Plain, "  ").with(Tone::Plain, outcome).with(Tone::Plain, "  ").then(text).text() + "\n"
    });
    let more = total.saturating_sub(tasks.len().min(MAX_NAMED));
    let more = if more > 0 { format!("  and {more} more\n") } else { String::new() };
    let count = if total == 1 { "1 task".to_owned() } else { format!("{total} tasks") };
    let named: String = named.collect();
    format!("{named}{more}Remove {count} with all files (logs, results, records)? [y/N] ")
}

/// A removed task.
pub(crate) fn id_line(id: &TaskId) -> String {
    format!("{id}\n")
}

/// No task is to be removed. In a pipe, that is an empty list.
pub(crate) fn nothing_to_remove(screen: Screen) -> String {
    if screen.is_terminal() { "Nothing to remove.\n".to_owned() } else { String::new() }
}
