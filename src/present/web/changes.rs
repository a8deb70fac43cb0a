//! The tab Changes: the changed files, and the patch of each.

use maud::{Markup, html};

use super::{
    links::{self, Download, Tab},
    patch::{FilePatch, LineKind, lines, split},
    state::{file_counts, line_counts},
    text::{line, path},
};
use crate::{
    present::{
        operations::{PatchPart, file_count, kind_word},
        terminal::diff_notes,
    },
    task::{ChangedPath, GitPath, TaskDiff},
};

/// Maximum number of files in the table.
const MAX_FILES: usize = 1_000;

/// Maximum number of lines of patches on a page.
const MAX_LINES: usize = 2_000;

/// Up to this number of lines, all patches are open.
const MAX_OPEN_LINES: usize = 400;

/// Maximum length of a note, in characters.
const MAX_NOTE_CHARACTERS: usize = 1_000;

/// Maximum length of a line, in characters.
const MAX_LINE_CHARACTERS: usize = 5_000;

/// The changes of a task.
#[derive(Debug)]
pub(crate) struct ChangesTab {
    /// The changed files; if one is selected, only this one.
    pub(crate) diff: TaskDiff,
    /// The beginning of the patch.
    pub(crate) patch: PatchPart,
    /// The selected file.
    pub(crate) selected: Option<GitPath>,
}

/// The tab.
pub(super) fn changes(tab: &ChangesTab) -> Markup {
    let ChangesTab { diff, patch, selected } = tab;
    let parts = split(patch.text.raw(), &diff.files, MAX_LINES);
    let shown: usize = parts.iter().map(|part| part.lines.len()).sum();
    let is_cut = patch.next.is_some() || parts.len() < diff.files.len() || parts.iter().any(|part| part.more > 0);
    html! {
        @for note in diff_notes(diff) { p.warning { (line(&note, MAX_NOTE_CHARACTERS)) } }
        @if let Some(file) = selected {
            p { "Only " code { (path(file)) } ". "
                a href=(links::task(&diff.id, Tab::Changes)) { "All changed files" } }
        }
        @if diff.files.is_empty() { p.empty { "No changes." } }
        @else {
            (table(diff))
            p { a href=(links::download(&diff.id, Download::Patch)) download { "Download the complete patch" } }
            @for part in &parts { (file_patch(part, shown <= MAX_OPEN_LINES || selected.is_some())) }
            @if is_cut {
                p.warning {
                    "The patch is too long for one page. Choose a file in the table, or download the patch."
                }
            }
        }
    }
}

fn table(diff: &TaskDiff) -> Markup {
    let more = diff.files.len().saturating_sub(MAX_FILES);
    html! {
        div.scroll {
            table.files {
                caption { (file_count(diff.files.len())) ", " (line_counts(diff.added(), diff.removed())) }
                thead { tr { th scope="col" { "File" } th scope="col" { "Change" } th.number scope="col" { "Lines" } } }
                tbody {
                    @for file in diff.files.iter().take(MAX_FILES) {
                        tr {
                            th scope="row" { a href=(links::changed_file(&diff.id, &file.path)) { (name(file)) } }
                            td { (kind_word(file.kind)) }
                            td.number { (file_counts(file)) }
                        }
                    }
                }
            }
        }
        @if more > 0 { p.faint { "and " (more) " more files" } }
    }
}

/// The path of a file, after the one that it had before it was renamed.
fn name(file: &ChangedPath) -> Markup {
    html! {
        @if let Some(old) = &file.old_path { (path(old)) " → " }
        (path(&file.path))
    }
}

fn file_patch(part: &FilePatch<'_>, is_open: bool) -> Markup {
    html! {
        details.patch open[is_open] {
            summary {
                span.path { bdi { (part.name) } }
                @if let Some(file) = part.file { " " (file_counts(file)) }
            }
            pre.diff tabindex="0" {
                "\n"
                @for (kind, text) in lines(part) {
                    span.(line_class(kind)) { (cut(&text)) "\n" }
                }
            }
            @if part.more > 0 { p.warning { (part.more) " more lines are left out." } }
        }
    }
}

/// The beginning of a long line.
fn cut(text: &str) -> Markup {
    let end = text.char_indices().nth(MAX_LINE_CHARACTERS).map_or(text.len(), |(end, _)| end);
    let more = text[end..].chars().count();
    html! { (text[..end]) @if more > 0 { span.faint { "… " (more) " more characters" } } }
}

fn line_class(kind: LineKind) -> &'static str {
    match kind {
        LineKind::Head => "line-head",
        LineKind::Hunk => "line-hunk",
        LineKind::Added => "line-added",
        LineKind::Removed => "line-removed",
        LineKind::Context => "line-context",
    }
}
