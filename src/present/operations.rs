//! Answers about a task's changes, and about undoing, redoing and applying them, for a model.

use super::{
    fields::Page,
    markdown,
    text::{fenced, path_line},
};
use crate::task::{
    ChangeKind, ChangedPath, Compared, ConflictReason, GitPath, OperationKind, OperationResult, RecoveredOperation,
    RecoveryState, TaskDiff, TaskId, Untrusted,
};

/// Maximum number of files that an answer names.
const MAX_NAMED_FILES: usize = 50;

/// Maximum number of files that a note names.
const MAX_LEFT_FILES: usize = 10;

/// Maximum length of a path in an answer, in characters.
const MAX_PATH_CHARACTERS: usize = 300;

/// A number of files in words.
pub(super) fn file_count(number: usize) -> String {
    if number == 1 { "1 file".to_owned() } else { format!("{number} files") }
}

/// The kind of a change in one word.
pub(super) fn kind_word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Added => "added",
        ChangeKind::Modified => "modified",
        ChangeKind::Deleted => "deleted",
        ChangeKind::Renamed => "renamed",
        ChangeKind::Mode => "mode",
        ChangeKind::Type => "type",
    }
}

/// Why an operation cannot change a file, as the end of a sentence that begins with the path.
pub(super) fn conflict_words(reason: ConflictReason) -> &'static str {
    match reason {
        ConflictReason::Content => "you and the task changed the same lines",
        ConflictReason::Removed => "changed on one side, and removed or renamed on the other",
        ConflictReason::InTheWay => "another file or directory is in the way",
        ConflictReason::BehindLink => "a directory of its path is a symbolic link",
        ConflictReason::ChangedMeanwhile => "changed while this command ran",
        ConflictReason::NotWritable => "its directory does not permit changes",
    }
}

/// A part of a task's patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PatchPart {
    /// The text.
    pub(crate) text: Untrusted,
    /// Where it begins, in bytes.
    pub(crate) offset: u64,
    /// Where the next part begins, unless this is the last one.
    pub(crate) next: Option<u64>,
    /// The length of the whole patch, in bytes.
    pub(crate) size: u64,
}

/// The answer of `codex_diff`. The list of files appears only at the beginning of a patch.
pub(crate) fn diff(diff: &TaskDiff, patch: Option<&PatchPart>) -> String {
    let id = &diff.id;
    if let Some(part) = patch.filter(|part| part.offset > part.size) {
        return format!("`offset` {} is past the end: the patch of task {id} has {} bytes.", part.offset, part.size);
    }
    let mut page = Page::begin("Task Changes");
    page.field("Task ID", id.as_str());
    page.line(&format!("**Changes:** {}, +{} −{}", file_count(diff.files.len()), diff.added(), diff.removed()));
    match diff.compared {
        Compared::End => {}
        Compared::Running => page.line("**Note:** the task is still running; these are its changes so far"),
        Compared::NoSnapshot => page.line(
            "**Note:** no snapshot was taken at the end of the task; this compares the files before it with the current ones",
        ),
    }
    match (diff.undone, diff.files.len()) {
        (0, _) => {}
        (undone, files) if undone < files => {
            page.line(&format!("**Note:** {undone} of these {files} files were undone"))
        }
        (_, _) => page.line("**Note:** these changes were undone"),
    }
    if let Some(operation) = &diff.interrupted {
        page.line(&format!("**Note:** {}", unfinished(operation)));
    }
    if patch.is_none_or(|part| part.offset == 0) {
        list(&mut page, diff.files.iter().map(changed_file), diff.files.len());
    }
    if let Some(part) = patch.filter(|part| part.size > 0) {
        let next = match part.next {
            Some(next) => {
                format!("To continue, call `codex_diff` with the same arguments and `offset` {next}, or with `paths`.")
            }
            None => "This is the end of the patch.".to_owned(),
        };
        let (from, to) = (part.offset, part.next.unwrap_or(part.size));
        page.part(&format!("Bytes {from} to {to} of {}. {next}\n\n{}", part.size, fenced(&part.text)));
    }
    page.end()
}

fn changed_file(file: &ChangedPath) -> String {
    let numbers = match (file.added, file.removed) {
        (Some(added), Some(removed)) => format!("+{added} −{removed}"),
        (None, _) | (_, None) => "binary".to_owned(),
    };
    let old = file.old_path.as_ref().map_or_else(String::new, |old| format!(" from {}", path(old)));
    format!("{} ({}{old}, {numbers})", path(&file.path), kind_word(file.kind))
}

/// A path as Markdown, at the beginning of a list item or after a label.
fn path(path: &GitPath) -> String {
    let mut line = path_line(path);
    if let Some((end, _)) = line.char_indices().nth(MAX_PATH_CHARACTERS) {
        line.truncate(end);
        line.push('…');
    }
    let code = markdown::code(&line);
    if code.starts_with('`') { code } else { markdown::sentence(&line) }
}

/// Adds a list of `total` items, of which only the first are named.
fn list(page: &mut Page, items: impl Iterator<Item = String>, total: usize) {
    if total == 0 {
        return;
    }
    page.part(&items.take(MAX_NAMED_FILES).map(|item| format!("- {item}")).collect::<Vec<_>>().join("\n"));
    if let Some(more @ 1..) = total.checked_sub(MAX_NAMED_FILES) {
        page.line(&format!("- and {more} more"));
    }
}

/// The answer of `codex_undo` and `codex_apply`.
pub(crate) fn operation(id: &TaskId, result: &OperationResult) -> String {
    let OperationResult { kind, top, is_check, files, unnamed, branch, running, recovered } = result;
    let mut page = Page::begin(match (kind, is_check) {
        (OperationKind::Undo, false) => "Changes Undone",
        (OperationKind::Redo, false) => "Changes Redone",
        (OperationKind::Apply, false) => "Changes Applied",
        (_, true) => "Check Passed",
    });
    page.field("Task ID", id.as_str());
    page.path("Directory", Some(top));
    if let Some(branch) = branch {
        page.line(&format!("**Branch:** {}", path(&branch.name)));
        page.line(&format!("**Commit:** {}", branch.commit));
    }
    for line in recovered.iter().map(recovery).chain(still_running(running)) {
        page.line(&format!("**Note:** {}", markdown::value(&line)));
    }
    let count = file_count(files.len());
    page.part(&match (kind, is_check) {
        _ if files.is_empty() => "No file had to be changed.".to_owned(),
        (OperationKind::Undo, true) => format!("Undoing would change {count}. Nothing was written."),
        (OperationKind::Redo, true) => format!("Redoing would change {count}. Nothing was written."),
        (OperationKind::Apply, true) => format!("Applying would change {count}. Nothing was written."),
        (OperationKind::Undo, false) => {
            format!("Reverted the task's changes in {count}. To make them again, call `codex_undo` with `redo: true`.")
        }
        (OperationKind::Redo, false) => format!("Made the task's changes again in {count}."),
        (OperationKind::Apply, false) if branch.is_some() => {
            format!("The branch contains the task's changes in {count}. The working files were not changed.")
        }
        (OperationKind::Apply, false) => {
            format!("Wrote the task's changes to {count}. To revert them, call `codex_undo`.")
        }
    });
    list(&mut page, files.iter().map(path), files.len());
    if !unnamed.is_empty() {
        page.part(&format!(
            "{} changed too while the task ran, but the agent did not name {} among its changes, so somebody else may \
             have changed {}. Left as {}. To include {}, pass `all: true`.",
            capitalized(&file_count(unnamed.len())),
            them(unnamed.len()),
            them(unnamed.len()),
            if unnamed.len() == 1 { "it is" } else { "they are" },
            them(unnamed.len()),
        ));
        list(&mut page, unnamed.iter().map(path), unnamed.len());
    }
    page.end()
}

/// An operation as a verb.
pub(super) fn verb(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Undo => "undo",
        OperationKind::Redo => "redo",
        OperationKind::Apply => "apply",
    }
}

/// A note about tasks that are running in the work tree of an operation, if there are any.
pub(super) fn still_running(running: &[TaskId]) -> Option<String> {
    let it = if running.len() == 1 { "it" } else { "they" };
    let are = if running.len() == 1 { "is" } else { "are" };
    let tasks = task_names(running)?;
    Some(format!("{tasks} {are} running in this work tree: {it} may rely on these files, or change them again"))
}

/// Tasks, as in `tasks 1a2b3c4d and 5e6f7a8b`; `None` if there are none.
pub(super) fn task_names(ids: &[TaskId]) -> Option<String> {
    const MAX_NAMED_TASKS: usize = 3;
    let (first, others) = ids.split_first()?;
    let Some((last, middle)) = others.split_last() else { return Some(format!("task {first}")) };
    let named: String = middle.iter().take(MAX_NAMED_TASKS - 1).map(|id| format!(", {id}")).collect();
    Some(match ids.len().checked_sub(MAX_NAMED_TASKS) {
        Some(more @ 1..) => format!("tasks {first}{named} and {more} more"),
        Some(0) | None => format!("tasks {first}{named} and {last}"),
    })
}

/// A note about an operation on a task's changes that has not finished.
pub(super) fn unfinished(operation: &RecoveredOperation) -> String {
    format!(
        "the last {} of these changes has not finished, so some of the files may be incomplete ({} in all); if it was \
         interrupted, the next undo, redo or apply completes it first",
        verb(operation.kind),
        file_count(operation.files.len())
    )
}

/// A note about an interrupted operation and how it was treated.
pub(super) fn recovery(recovered: &RecoveredOperation) -> String {
    let RecoveredOperation { task, kind, state, files, left } = recovered;
    let verb = verb(*kind);
    let names = |files: &[GitPath]| files.iter().take(MAX_LEFT_FILES).map(path_line).collect::<Vec<_>>().join(", ");
    match state {
        RecoveryState::Finished => {}
        RecoveryState::Pending => {
            return format!(
                "an interrupted {verb} of task {task} has to be completed first ({}), so only its files are listed",
                file_count(files.len())
            );
        }
        RecoveryState::Abandoned => {
            return format!(
                "an interrupted {verb} of task {task} cannot be completed, because the repository no longer contains its \
                 snapshots; these files may be incomplete: {}",
                names(left)
            );
        }
    }
    let left = match left.as_slice() {
        [] => String::new(),
        left => format!(
            "; {} had changed meanwhile, and {} left as found: {}",
            file_count(left.len()),
            if left.len() == 1 { "was" } else { "were" },
            names(left)
        ),
    };
    format!("an interrupted {verb} of task {task} was completed first ({} written){left}", file_count(files.len()))
}

/// The pronoun for a number of files.
pub(super) fn them(number: usize) -> &'static str {
    if number == 1 { "it" } else { "them" }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
