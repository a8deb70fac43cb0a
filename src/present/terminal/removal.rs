//! `rm` and `prune`: what is said about tasks that are removed.

use super::Screen;
use crate::task::TaskId;

/// The question before tasks are removed.
pub(crate) fn removal_question(count: usize) -> String {
    let tasks = if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") };
    format!("Remove {tasks} with all files (logs, results, records)? [y/N] ")
}

/// A removed task.
pub(crate) fn id_line(id: &TaskId) -> String {
    format!("{id}\n")
}

/// No task is to be removed. In a pipe, that is an empty list.
pub(crate) fn nothing_to_remove(screen: Screen) -> String {
    if screen.is_terminal() { "Nothing to remove.\n".to_owned() } else { String::new() }
}
