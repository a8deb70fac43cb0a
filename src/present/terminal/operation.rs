//! `undo`, `redo` and `apply`: the question before an undo, and what was written.

use super::{Line, Screen, Tone};
use crate::{
    present::{
        operations::{file_count, recovery, them},
        text::path_line,
    },
    task::{GitPath, OperationKind, OperationResult, TaskId},
};

/// Maximum number of files that the question names.
const MAX_NAMED: usize = 10;

/// The question before an undo, below the files that it would change.
pub(crate) fn undo_question(id: &TaskId, files: &[GitPath]) -> String {
    let named: String = files.iter().take(MAX_NAMED).map(|path| format!("  {}\n", path_line(path))).collect();
    let more = match files.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!("  and {more} more\n"),
    };
    format!("{named}{more}Revert the changes of task {id} in {}? [y/N] ", file_count(files.len()))
}

/// Notes about an operation for stderr: interrupted ones that were finished first, and the work tree, unless it is the
/// current one.
pub(crate) fn operation_notes(result: &OperationResult, is_current: bool) -> Vec<String> {
    let recovered = result.recovered.iter().map(|recovered| format!("Note: {}", recovery(recovered)));
    let elsewhere = (!is_current && result.branch.is_none()).then(|| {
        format!("Note: the files are in {}, not in the current work tree", path_line(&result.top.as_path().into()))
    });
    recovered.chain(elsewhere).collect()
}

/// The files that an operation changed or would change. In a pipe, each line is `changed`, `would change` or
/// `skipped`, a tab and a path.
pub(crate) fn operation(id: &TaskId, result: &OperationResult, screen: Screen) -> String {
    let OperationResult { kind, top: _, is_check, files, unnamed, branch, recovered: _ } = result;
    if !screen.is_terminal() {
        let rows = |word: &'static str, files: &[GitPath]| -> String {
            files.iter().map(|path| format!("{word}\t{}\n", path_line(path))).collect()
        };
        return rows(if *is_check { "would change" } else { "changed" }, files) + &rows("skipped", unnamed);
    }
    let list = |files: &[GitPath]| -> String {
        files
            .iter()
            .map(|path| {
                Line::default().with_exact(Tone::Plain, &format!("  {}", path_line(path))).render(screen) + "\n"
            })
            .collect()
    };
    let summary = operation_summary(id, result);
    let mut text = Line::of(Tone::Strong, &summary).render(Screen { width: None, ..screen }) + "\n" + &list(files);
    if !unnamed.is_empty() {
        let note = unnamed_note(unnamed.len());
        text += &(Line::of(Tone::Attention, &note).render(Screen { width: None, ..screen }) + "\n");
        text += &list(unnamed);
    }
    let next = match (kind, is_check, branch) {
        _ if files.is_empty() => None,
        (_, true, _) => None,
        (OperationKind::Undo, false, _) => Some(format!("to make them again: codex-connector redo {id}")),
        (OperationKind::Redo | OperationKind::Apply, false, None) => {
            Some(format!("to revert them: codex-connector undo {id}"))
        }
        (OperationKind::Redo | OperationKind::Apply, false, Some(_)) => None,
    };
    text + &next.map_or_else(String::new, |next| Line::of(Tone::Faint, &next).render(screen) + "\n")
}

/// The result of an operation or of a check, in a sentence that a list of files can follow.
pub(crate) fn operation_summary(id: &TaskId, result: &OperationResult) -> String {
    let OperationResult { kind, is_check, files, branch, .. } = result;
    let count = file_count(files.len());
    match (kind, is_check) {
        _ if files.is_empty() && branch.is_none() => "Nothing to do: no file has to be changed.".to_owned(),
        (OperationKind::Undo, true) => format!("Would revert the changes of task {id} in {count}:"),
        (OperationKind::Redo, true) => format!("Would make the changes of task {id} again in {count}:"),
        (OperationKind::Apply, true) => format!("Would apply the changes of task {id} to {count}:"),
        (OperationKind::Undo, false) => format!("Reverted the changes of task {id} in {count}:"),
        (OperationKind::Redo, false) => format!("Made the changes of task {id} again in {count}:"),
        (OperationKind::Apply, false) => match branch {
            Some(branch) => {
                format!("Created branch {} with the changes of task {id} in {count}:", path_line(&branch.name))
            }
            None => format!("Applied the changes of task {id} to {count}:"),
        },
    }
}

/// Why an undo skips this number of files, in a sentence that a list of them can follow.
pub(crate) fn unnamed_note(number: usize) -> String {
    format!(
        "Skipped {} that the agent did not report changing; somebody else may have changed {} (--all reverts {} too):",
        file_count(number),
        them(number),
        them(number),
    )
}
