//! A task's workspace and its changes.

use connector_api::Sandbox;

use super::{Line, Screen, Tone, fields::Fields};
use crate::{
    present::{
        operations::{file_count, kind_word, task_names},
        task_changes::{base, omission_reason, place_words},
        text::path_line,
    },
    task::{ChangedPath, Changes, TaskRecord},
};

/// Adds the task's worktree, its changes, and why something about them is unknown.
pub(super) fn workspace_fields(record: &TaskRecord, fields: &mut Fields, screen: Screen) {
    let Some(state) = &record.progress.workspace else {
        if record.start.sandbox == Some(Sandbox::ReadOnly) {
            fields.add("snapshot", Line::of(Tone::Plain, "none, because the sandbox is read-only"));
        }
        return;
    };
    if let Some(worktree) = &state.worktree {
        fields.add("worktree", Line::of(Tone::Plain, &worktree.to_string_lossy().into_owned()));
        fields.add("based on", Line::of(Tone::Plain, &base(state)));
    }
    if let Some(why) = &state.not_covered {
        fields.add("snapshot", Line::of(Tone::Attention, &format!("none, because {why}")));
    }
    let Some(changes) = record.end.as_ref().and_then(|end| end.changes.as_ref()) else { return };
    let standing = record.standing.as_ref();
    if let Some(earlier) = standing.and_then(|standing| standing.continues.as_ref()) {
        fields.add("continues", Line::of(Tone::Plain, &format!("in the worktree of task {earlier}, with its changes")));
    }
    let mut total = Line::of(Tone::Plain, &totals(changes, screen));
    if let Some(words) = standing.and_then(|standing| place_words(&standing.place)) {
        total = total.with(Tone::Plain, ", ").with(Tone::Attention, &words);
    }
    let mut lines = vec![total];
    lines.extend(changes.paths.iter().map(|file| changed_file(file, screen)));
    let listed = u64::try_from(changes.paths.len()).unwrap_or(u64::MAX);
    if let Some(more @ 1..) = changes.files.checked_sub(listed) {
        let marker = screen.symbols.choose("… ", "... ");
        let rest = format!("{more} more: codex-connector diff {} --stat", record.id);
        lines.push(Line::of(Tone::Faint, marker).with(Tone::Faint, &rest));
    }
    if changes.unnamed > 0 {
        let others = match standing.and_then(|standing| task_names(&standing.beside)) {
            Some(tasks) => format!("{tasks} or somebody else"),
            None => "somebody else".to_owned(),
        };
        let unnamed = format!("not named by the agent, so perhaps changed by {others}: {}", counted(changes.unnamed));
        lines.push(Line::of(Tone::Attention, &unnamed));
    }
    fields.add_all("changes", lines);
    let named = usize::try_from(changes.omitted_named).unwrap_or(usize::MAX);
    let omitted = changes.omitted.iter().enumerate().map(|(number, omission)| {
        let path = Line::default().with_exact(Tone::Plain, &path_line(&omission.path));
        let path = path.with(Tone::Faint, &format!(" ({})", omission_reason(omission.reason).replace('`', "")));
        if number < named { path.with(Tone::Attention, ", changed by the agent") } else { path }
    });
    fields.add_all("uncovered", omitted.collect());
}

/// The numbers of changed files and lines.
pub(super) fn totals(changes: &Changes, screen: Screen) -> String {
    match changes.files {
        0 => "none".to_owned(),
        files => format!("{}, {}", counted(files), line_counts(changes.added, changes.removed, screen)),
    }
}

/// Numbers of added and removed lines, such as `+41 −7`.
pub(super) fn line_counts(added: u64, removed: u64, screen: Screen) -> String {
    format!("+{added} {}{removed}", screen.symbols.choose("−", "-"))
}

fn counted(files: u64) -> String {
    file_count(usize::try_from(files).unwrap_or(usize::MAX))
}

fn changed_file(file: &ChangedPath, screen: Screen) -> Line {
    let counts = match (file.added, file.removed) {
        (Some(added), Some(removed)) => line_counts(added, removed, screen),
        (None, _) | (_, None) => "binary".to_owned(),
    };
    let old = file.old_path.as_ref().map_or_else(String::new, |old| format!(" from {}", path_line(old)));
    Line::of(Tone::Plain, kind_word(file.kind))
        .with(Tone::Plain, " ")
        .with_exact(Tone::Plain, &(path_line(&file.path) + &old))
        .with(Tone::Faint, " ")
        .with(Tone::Faint, &counts)
}
