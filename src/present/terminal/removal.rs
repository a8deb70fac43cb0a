//! Texts of `rm` and `prune` about the tasks to remove.

use super::{Line, Screen, Tone, state::word};
use crate::task::{Outcome, TaskId, TaskSummary};

/// Maximum number of tasks that the question names.
pub(crate) const MAX_NAMED: usize = 10;

/// Maximum length of a task's text in the question, in columns.
const MAX_TEXT_COLUMNS: usize = 50;

/// The question before `total` tasks are removed, below the first of them with their outcomes and first words. `lost` is
/// the text of [`lost_changes`] about all of them.
pub(crate) fn removal_question(first: &[TaskSummary], total: usize, lost: Option<&str>, screen: Screen) -> String {
    let named = first.iter().take(MAX_NAMED).map(|task| {
        let text = Line::of(Tone::Plain, &task.record.start.task).cut(MAX_TEXT_COLUMNS, screen.symbols);
        let outcome = word(task.state, Outcome::of(&task.record));
        let line = Line::of(Tone::Plain, "  ").with(Tone::Plain, task.record.id.as_str());
        line.with(Tone::Plain, "  ").with(Tone::Plain, outcome).with(Tone::Plain, "  ").then(text).text() + "\n"
    });
    let more = total.saturating_sub(first.len().min(MAX_NAMED));
    let more = if more > 0 { format!("  and {more} more\n") } else { String::new() };
    let count = if total == 1 { "1 task".to_owned() } else { format!("{total} tasks") };
    let named: String = named.collect();
    let lost = lost.map_or_else(String::new, |lost| format!("{lost}\n"));
    format!("{named}{more}{lost}Remove {count} with all files (logs, results, records)? [y/N] ")
}

/// Says which changes can no longer be shown or undone when these tasks are removed, if there are any, and
/// which of them were never applied. Names at most [`MAX_NAMED`] tasks.
pub(crate) fn lost_changes(tasks: &[TaskSummary]) -> Option<String> {
    let changed = tasks.iter().filter(|task| task.record.file_changes().is_some());
    let ids: Vec<_> = changed.map(|task| task.record.id.as_str()).collect();
    let (named, unapplied) = (ids.join(", "), unapplied(tasks));
    match ids.len() {
        0 => None,
        number if number > MAX_NAMED => {
            Some(format!("The changes of {number} tasks can then no longer be shown or undone.{unapplied}"))
        }
        1 => Some(format!("The changes of task {named} can then no longer be shown or undone.{unapplied}")),
        _ => Some(format!("The changes of tasks {named} can then no longer be shown or undone.{unapplied}")),
    }
}

/// Says how many tasks worked in their own worktree and were never applied, and how to save their changes.
fn unapplied(tasks: &[TaskSummary]) -> String {
    let is_unapplied = |task: &&TaskSummary| task.record.standing.as_ref().is_some_and(|its| its.place.is_unapplied());
    let mut unapplied = tasks.iter().filter(is_unapplied);
    let Some(first) = unapplied.next() else { return String::new() };
    let were = match 1 + unapplied.count() {
        1 => "1 of them was".to_owned(),
        number => format!("{number} of them were"),
    };
    format!(
        "\n{were} never applied: `codex-connector apply {} --commit BRANCH` saves the changes on a branch.",
        first.record.id
    )
}

/// A removed task.
pub(crate) fn id_line(id: &TaskId) -> String {
    format!("{id}\n")
}

/// No task is to be removed. In a pipe, that is an empty list.
pub(crate) fn nothing_to_remove(screen: Screen) -> String {
    if screen.is_terminal() { "Nothing to remove.\n".to_owned() } else { String::new() }
}
