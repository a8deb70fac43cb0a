//! A task's changes in answers about the task.

use super::{
    fields::Page,
    markdown,
    operations::{file_count, kind_word, task_names},
    text::{one_line, path_line},
};
use crate::task::{
    ChangedPath, Changes, ChangesPlace, GitPath, Omission, OmissionReason, TaskId, TaskRecord, WorkspaceState,
};

/// Maximum length of the list of changed files and the notes about it, in characters.
pub(super) const MAX_CHANGES_CHARACTERS: usize = 2_400;

/// Maximum length of the fields about a task's workspace, in characters.
#[cfg(test)]
pub(super) const MAX_WORKSPACE_CHARACTERS: usize = 2_000;

/// Space for the heading of the list, its last line, and the lines around it, in characters.
const FRAME_CHARACTERS: usize = 60;

/// Maximum length of a path, in characters, before it is escaped.
const MAX_PATH_CHARACTERS: usize = 120;

/// Maximum length of the reason why there is no snapshot, in characters.
const MAX_REASON_CHARACTERS: usize = 200;

/// Maximum number of omitted files that are named.
const MAX_NAMED_OMISSIONS: usize = 3;

impl Page {
    /// Adds where the task works, if it has its own worktree, and, for an ended task, how much it changed.
    pub(super) fn workspace(&mut self, record: &TaskRecord) {
        let Some(state) = &record.progress.workspace else { return };
        if let Some(worktree) = &state.worktree {
            self.path("Worktree", Some(worktree));
            let continues = record.standing.as_ref().and_then(|standing| standing.continues.as_ref());
            self.field_if("Continues in the worktree of", continues.map(TaskId::as_str));
            self.line(&format!("**Based on:** {}", markdown::value(&one_line(&base(state), MAX_REASON_CHARACTERS))));
        }
        if let Some(end) = &record.end {
            let summary = match (&end.changes, &state.not_covered) {
                (Some(changes), _) => {
                    match record.standing.as_ref().and_then(|standing| place_words(&standing.place)) {
                        Some(place) => format!("{} ({place})", totals(changes)),
                        None => totals(changes),
                    }
                }
                (None, Some(why)) => format!("unknown, because {}", one_line(why, MAX_REASON_CHARACTERS)),
                (None, None) => "unknown, because there is no snapshot of the end of the task".to_owned(),
            };
            self.line(&format!("**Changes:** {}", markdown::value(&summary)));
        }
    }

    /// Adds the changed files of an ended task, and notes about them, in at most [`MAX_CHANGES_CHARACTERS`].
    pub(super) fn changed_files(&mut self, record: &TaskRecord) {
        let Some(changes) = record.end.as_ref().and_then(|end| end.changes.as_ref()) else { return };
        if changes.files == 0 && changes.omitted_files == 0 {
            return;
        }
        let mut text = "### Changes".to_owned();
        let notes = notes(record, changes);
        let length: usize = notes.iter().map(|note| note.chars().count() + 1).sum();
        let mut room = MAX_CHANGES_CHARACTERS.saturating_sub(length + FRAME_CHARACTERS);
        let mut listed = 0;
        for line in changes.paths.iter().map(changed_file) {
            let Some(remaining) = room.checked_sub(line.chars().count() + 1) else { break };
            (room, listed) = (remaining, listed + 1);
            text.push_str(&format!("\n{line}"));
        }
        if let Some(more @ 1..) = changes.files.checked_sub(listed) {
            text.push_str(&format!("\n- and {more} more"));
        }
        if !notes.is_empty() {
            text.push_str(&format!("\n\n{}", notes.join("\n")));
        }
        self.part(&text);
    }
}

/// The numbers of changed files and lines, on one line.
pub(super) fn totals(changes: &Changes) -> String {
    match changes.files {
        0 => "none".to_owned(),
        files => format!("{}, +{} −{}", counted(files), changes.added, changes.removed),
    }
}

/// Where the changes are now, in a few words; `None` if they are where the task made them.
pub(super) fn place_words(place: &ChangesPlace) -> Option<String> {
    Some(match place {
        ChangesPlace::Made => return None,
        ChangesPlace::Worktree => "not applied".to_owned(),
        ChangesPlace::Branch(name) => format!("on branch {}", path_line(name)),
        ChangesPlace::Applied => "applied".to_owned(),
        ChangesPlace::PartlyApplied { files: number } => format!("{} applied", counted(*number)),
        ChangesPlace::Redone => "redone".to_owned(),
        ChangesPlace::Undone => "undone".to_owned(),
        ChangesPlace::PartlyUndone { files: number } => format!("{} undone", counted(*number)),
    })
}

/// The base of a worktree, such as `main @63b59dd + your 3 uncommitted files`. The branch is not escaped.
pub(super) fn base(state: &WorkspaceState) -> String {
    let branch = state.branch.as_ref().map(|branch| format!("{} ", path_line(branch))).unwrap_or_default();
    let commit = match &state.head {
        Some(head) => format!("@{}", head.short()),
        None => "(no commit yet)".to_owned(),
    };
    let uncommitted = match state.uncommitted {
        0 => String::new(),
        1 => " + your uncommitted file".to_owned(),
        files => format!(" + your {files} uncommitted files"),
    };
    format!("{branch}{commit}{uncommitted}")
}

/// The notes below the list of files. Each is one line.
fn notes(record: &TaskRecord, changes: &Changes) -> Vec<String> {
    let mut notes = vec![];
    if changes.unnamed > 0 {
        let files = counted(changes.unnamed);
        let beside = record.standing.as_ref().and_then(|standing| task_names(&standing.beside));
        notes.push(format!(
            "**Note:** the agent did not name {files} among its changes: a command of the agent may have changed {}, but \
             so may somebody else who worked here at the same time{}. Everything that changed while it ran is included.",
            if changes.unnamed == 1 { "it" } else { "them" },
            beside.map_or_else(String::new, |tasks| format!(", such as {tasks}")),
        ));
    }
    let by_agent = changes.omitted.iter().take(usize::try_from(changes.omitted_named).unwrap_or(usize::MAX));
    let others = changes.omitted.iter().skip(by_agent.len());
    if changes.omitted_named > 0 {
        let is_worktree = record.progress.workspace.as_ref().is_some_and(|state| state.worktree.is_some());
        let them = if changes.omitted_named == 1 { "it" } else { "them" };
        let rest = match is_worktree {
            true => format!("`apply` does not write {them}"),
            false => format!("`undo` cannot restore {them}"),
        };
        let files = omissions(by_agent, changes.omitted_named);
        notes.push(format!("**Not covered, but changed by the agent:** {files}. {rest}."));
    }
    if let Some(number @ 1..) = changes.omitted_files.checked_sub(changes.omitted_named) {
        notes.push(format!("**Not covered:** {}", omissions(others, number)));
    }
    if changes.files > 0 {
        let id = &record.id;
        let standing = record.standing.as_ref();
        notes.push(match standing.is_some_and(|standing| standing.diff_by_tool) {
            true => format!("To see the patch, call `codex_diff` with `taskId` `{id}`."),
            false => {
                format!("To see the patch, run `codex-connector diff {id}`, or read the resource `task://{id}/diff`.")
            }
        });
        if let Some(standing) = standing.filter(|standing| standing.place.is_unapplied()) {
            let next = match standing.apply_by_tool {
                true => format!("call `codex_apply` with `taskId` `{id}`"),
                false => format!("run `codex-connector apply {id}`"),
            };
            notes.push(format!(
                "**The changes are in a worktree of the task's own, not in the working files.** To write them there, {next}."
            ));
        }
    }
    notes
}

/// The number of omitted files, and the first of them.
fn omissions<'a>(listed: impl Iterator<Item = &'a Omission>, number: u64) -> String {
    let named = listed.take(MAX_NAMED_OMISSIONS).map(omission).collect::<Vec<_>>().join(", ");
    let more = if number > MAX_NAMED_OMISSIONS as u64 { ", …" } else { "" };
    format!("{}: {named}{more}", counted(number))
}

fn counted(files: u64) -> String {
    file_count(usize::try_from(files).unwrap_or(usize::MAX))
}

/// A changed file, as an item of a list.
fn changed_file(file: &ChangedPath) -> String {
    let old = file.old_path.as_ref().map_or_else(String::new, |old| format!(" from {}", path(old)));
    format!("- {} ({}{old}, {})", path(&file.path), kind_word(file.kind), lines(file))
}

/// The numbers of added and removed lines of a file.
pub(super) fn lines(file: &ChangedPath) -> String {
    match (file.added, file.removed) {
        (Some(added), Some(removed)) => format!("+{added} −{removed}"),
        (None, _) | (_, None) => "binary".to_owned(),
    }
}

/// A path as a code span, or escaped, at most [`MAX_PATH_CHARACTERS`] long before that.
fn path(path: &GitPath) -> String {
    let code = markdown::code(&cut(path));
    if code.starts_with('`') { code } else { markdown::sentence(&cut(path)) }
}

fn cut(path: &GitPath) -> String {
    let mut line = path_line(path);
    if let Some((end, _)) = line.char_indices().nth(MAX_PATH_CHARACTERS) {
        line.truncate(end);
        line.push('…');
    }
    line
}

fn omission(omission: &Omission) -> String {
    format!("{} ({})", path(&omission.path), omission_reason(omission.reason))
}

/// Why a snapshot does not contain a file, in a few words.
pub(super) fn omission_reason(reason: OmissionReason) -> String {
    match reason {
        OmissionReason::TooLarge { bytes } => format!("{bytes} bytes, above `workspace.max_file`"),
        OmissionReason::Secret => "its name suggests a secret".to_owned(),
        OmissionReason::NestedRepository => "a repository inside the repository".to_owned(),
        OmissionReason::Unreadable => "unreadable, or not a regular file".to_owned(),
        OmissionReason::Filter => "its git filter belongs to the project, so it is not run".to_owned(),
        OmissionReason::WasIgnored => "ignored before the task".to_owned(),
        OmissionReason::Ignored => "ignored by git".to_owned(),
        OmissionReason::TooMany { files, bytes } => format!("{files} untracked files with {bytes} bytes, too many"),
    }
}
