//! `diff`: the patch of a task's changes, and the list of changed files.

use super::{Line, Screen, Tone};
use crate::{
    present::{
        operations::{file_count, kind_word, unfinished},
        text::path_line,
    },
    task::{ChangedPath, Compared, TaskDiff, Untrusted},
};

/// Minimum width of the column of paths in a list of changed files.
const MIN_PATH_WIDTH: usize = 10;

/// Width of a space before the path and of the separator after it.
const FRAME_WIDTH: usize = 4;

/// The lines of a patch for a terminal, with control characters as escapes, and in the usual colors.
pub(crate) fn patch_lines(patch: &Untrusted, screen: Screen) -> String {
    // A patch is not a table: a terminal wraps its lines.
    let screen = Screen { width: None, ..screen };
    patch_rows(patch).map(|line| line.render(screen) + "\n").collect()
}

/// The same lines, not rendered.
pub(crate) fn patch_rows(patch: &Untrusted) -> impl Iterator<Item = Line> {
    let mut in_head = true;
    patch.raw().split_terminator('\n').map(move |line| {
        // The lines of a hunk begin with another character.
        in_head = line.starts_with("diff --git ") || (in_head && !line.starts_with("@@ "));
        let tone = if in_head { Tone::Strong } else { tone_of(line) };
        Line::default().with_exact(tone, line)
    })
}

/// The tone of a line in a hunk.
fn tone_of(line: &str) -> Tone {
    match line.as_bytes().first() {
        Some(b'@') => Tone::Active,
        Some(b'+') => Tone::Good,
        Some(b'-') => Tone::Bad,
        Some(_) | None => Tone::Plain,
    }
}

/// The changed files with the numbers of their lines, and the totals. In a pipe, the columns are: kind, added lines,
/// removed lines, path, and the path before a renaming; numbers of binary files are empty.
pub(crate) fn diff_stat(diff: &TaskDiff, screen: Screen) -> String {
    let Some(width) = screen.width else {
        let rows = diff.files.iter().map(|file| {
            let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
            let old = file.old_path.as_ref().map_or_else(String::new, path_line);
            [kind_word(file.kind).to_owned(), number(file.added), number(file.removed), path_line(&file.path), old]
                .join("\t")
                + "\n"
        });
        return rows.collect();
    };
    if diff.files.is_empty() {
        return "No changes.\n".to_owned();
    }
    let names: Vec<String> = diff.files.iter().map(name_with_old).collect();
    let line_of = |name: &String| Line::default().with_exact(Tone::Plain, name);
    let widest = names.iter().map(|name| line_of(name).width()).max().unwrap_or(0);
    let numbers: Vec<_> = diff.files.iter().map(|file| numbers(file, screen)).collect();
    let widest_numbers = numbers.iter().map(Line::width).max().unwrap_or(0);
    let room = widest.min(width.saturating_sub(widest_numbers + FRAME_WIDTH).max(MIN_PATH_WIDTH));
    let mut text = String::new();
    for (numbers, name) in numbers.into_iter().zip(&names) {
        let line = Line::of(Tone::Plain, " ").then(line_of(name).cut(room, screen.symbols)).padded(room + 1);
        let line = line.with(Tone::Faint, " | ").then(numbers);
        text.push_str(&line.render(screen));
        text.push('\n');
    }
    let total = Line::of(Tone::Plain, " ")
        .with(Tone::Plain, &file_count(diff.files.len()))
        .with(Tone::Plain, ", ")
        .with(Tone::Good, &format!("+{}", diff.added()))
        .with(Tone::Plain, " ")
        .with(Tone::Bad, &format!("{}{}", screen.symbols.choose("−", "-"), diff.removed()));
    text + &total.render(screen) + "\n"
}

/// The numbers of lines of a file, or what else happened to it.
fn numbers(file: &ChangedPath, screen: Screen) -> Line {
    let word = kind_word(file.kind);
    let line = match (file.added, file.removed) {
        (Some(added), Some(removed)) => Line::of(Tone::Good, &format!("+{added}"))
            .with(Tone::Plain, " ")
            .with(Tone::Bad, &format!("{}{removed}", screen.symbols.choose("−", "-"))),
        (None, _) | (_, None) => Line::of(Tone::Plain, "binary"),
    };
    if word == "modified" { line } else { line.with(Tone::Faint, " ").with(Tone::Faint, word) }
}

/// The paths of the changed files, one per line.
pub(crate) fn diff_names(diff: &TaskDiff) -> String {
    diff.files.iter().map(|file| path_line(&file.path) + "\n").collect()
}

/// A patch without any line, on a terminal.
pub(crate) fn no_changes(screen: Screen) -> String {
    if screen.is_terminal() { "No changes.\n".to_owned() } else { String::new() }
}

/// Notes about a diff for stderr: which state it shows, and what was done with the changes since.
pub(crate) fn diff_notes(diff: &TaskDiff) -> Vec<String> {
    let id = &diff.id;
    let compared = match diff.compared {
        Compared::End => None,
        Compared::Running => Some(format!("Task {id} is still running. These are its changes so far.")),
        Compared::NoSnapshot => Some(format!(
            "There is no snapshot from the end of task {id}. This compares the files before it with the current ones."
        )),
    };
    let since = match (diff.undone, diff.files.len()) {
        (0, _) => None,
        (undone, files) if undone < files => {
            Some(format!("{undone} of these {files} files were undone. To make them again: codex-connector redo {id}"))
        }
        (_, _) => Some(format!("These changes were undone. To make them again: codex-connector redo {id}")),
    };
    let unfinished = diff.interrupted.as_ref().map(|operation| format!("Note: {}", unfinished(operation)));
    compared.into_iter().chain(since).chain(unfinished).collect()
}

/// The patch is longer than what is shown on a terminal.
pub(crate) fn patch_is_cut(diff: &TaskDiff, shown_bytes: u64, all_bytes: u64) -> String {
    format!(
        "The patch is cut after {shown_bytes} of {all_bytes} bytes. To see all of it: codex-connector diff {} >changes.patch",
        diff.id
    )
}

/// The path of a file, after the path that it had before it was renamed.
fn name_with_old(file: &ChangedPath) -> String {
    match &file.old_path {
        Some(old) => format!("{} => {}", path_line(old), path_line(&file.path)),
        None => path_line(&file.path),
    }
}
