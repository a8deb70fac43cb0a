//! Every address of the web UI. All are paths on the same server.

use super::query::{TabQuery, TaskListQuery, query_string};
use crate::task::{GitPath, OperationKind, TaskId};

/// A tab of the page Task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    /// The steps of the agent.
    Activity,
    /// The changes to its repository.
    Changes,
    /// Its log.
    Log,
    /// The agent's final message.
    Result,
    /// Everything else that is known.
    Details,
}

impl Tab {
    /// Every tab, in the order on the page.
    pub(crate) const ALL: [Self; 5] = [Self::Activity, Self::Changes, Self::Log, Self::Result, Self::Details];

    /// The last part of its address; empty for the first tab, which the task's own address shows.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Activity => "",
            Self::Changes => "changes",
            Self::Log => "log",
            Self::Result => "result",
            Self::Details => "details",
        }
    }

    /// Its name on the page.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Activity => "Activity",
            Self::Changes => "Changes",
            Self::Log => "Log",
            Self::Result => "Result",
            Self::Details => "Details",
        }
    }
}

/// Something that a person can do with a task. Each has a verb of the same name on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Stops it.
    Cancel,
    /// Reverts its changes.
    Undo,
    /// Makes them again.
    Redo,
    /// Writes them from its worktree to the user's files.
    Apply,
    /// Continues its session in a new task.
    Resume,
}

impl Action {
    /// Every action.
    pub(crate) const ALL: [Self; 5] = [Self::Cancel, Self::Undo, Self::Redo, Self::Apply, Self::Resume];

    /// The verb, which is also the last part of its address.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Undo => "undo",
            Self::Redo => "redo",
            Self::Apply => "apply",
            Self::Resume => "resume",
        }
    }

    /// Its name on a button.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Cancel => "Cancel",
            Self::Undo => "Undo",
            Self::Redo => "Redo",
            Self::Apply => "Apply",
            Self::Resume => "Resume",
        }
    }

    /// Its name on the button that does it, on a page where "Cancel" would be ambiguous.
    pub(super) fn confirmation(self) -> &'static str {
        match self {
            Self::Cancel => "Stop the task",
            Self::Undo => "Undo the changes",
            Self::Redo => "Redo the changes",
            Self::Apply => "Apply the changes",
            Self::Resume => "Resume the session",
        }
    }

    /// The command that does the same in a terminal.
    pub(super) fn command(self, id: &TaskId) -> String {
        let text = if self == Self::Resume { " \"…\"" } else { "" };
        format!("codex-connector {} {id}{text}", self.as_str())
    }
}

impl From<OperationKind> for Action {
    fn from(kind: OperationKind) -> Self {
        match kind {
            OperationKind::Undo => Self::Undo,
            OperationKind::Redo => Self::Redo,
            OperationKind::Apply => Self::Apply,
        }
    }
}

/// A text that belongs to a task, to download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Download {
    /// Its log.
    Log,
    /// The patch of its changes.
    Patch,
    /// The agent's final message.
    Result,
}

impl Download {
    /// Every download.
    pub(crate) const ALL: [Self; 3] = [Self::Log, Self::Patch, Self::Result];

    /// The last part of its address.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log.txt",
            Self::Patch => "changes.patch",
            Self::Result => "result.txt",
        }
    }
}

/// The page Tasks.
pub(crate) fn tasks(query: &TaskListQuery) -> String {
    with_query("/tasks".to_owned(), &query.to_query_string())
}

/// The stream of the page Tasks.
pub(crate) fn tasks_live(query: &TaskListQuery) -> String {
    with_query("/tasks/live".to_owned(), &query.to_query_string())
}

/// A tab of the page Task.
pub(crate) fn task(id: &TaskId, tab: Tab) -> String {
    match tab {
        Tab::Activity => format!("/tasks/{id}"),
        Tab::Changes | Tab::Log | Tab::Result | Tab::Details => format!("/tasks/{id}/{}", tab.as_str()),
    }
}

/// A part of a tab.
pub(crate) fn part(id: &TaskId, tab: Tab, query: &TabQuery) -> String {
    with_query(task(id, tab), &query.to_query_string())
}

/// The changes of one file.
pub(crate) fn changed_file(id: &TaskId, file: &GitPath) -> String {
    part(id, Tab::Changes, &TabQuery { file: Some(file.clone()), before: None })
}

/// The activity before the entry with this number, or the log before this byte.
pub(crate) fn earlier(id: &TaskId, tab: Tab, before: u64) -> String {
    part(id, tab, &TabQuery { file: None, before: Some(before) })
}

/// The stream of the page Task, with entries of its timeline after the one with this number.
pub(crate) fn task_live(id: &TaskId, after: u64) -> String {
    format!("/tasks/{id}/live?after={after}")
}

/// A text of a task, to download.
pub(crate) fn download(id: &TaskId, download: Download) -> String {
    format!("/tasks/{id}/{}", download.as_str())
}

/// An action: read with GET, it says what would happen; with POST, it happens.
pub(crate) fn action(id: &TaskId, action: Action) -> String {
    format!("/tasks/{id}/{}", action.as_str())
}

/// The page Usage. `since` is as in [`TaskListQuery`].
pub(crate) fn usage(since: Option<&str>) -> String {
    with_query("/usage".to_owned(), &query_string([("since", since.map(str::as_bytes))]))
}

/// The page Check.
pub(crate) fn check() -> String {
    "/check".to_owned()
}

/// Exchanges a one-time key for a cookie.
pub(crate) fn login(key: &str) -> String {
    with_query("/login".to_owned(), &query_string([("key", Some(key.as_bytes()))]))
}

/// Takes the token of a person who has none of the cookies (POST).
pub(crate) fn token_login() -> String {
    "/login".to_owned()
}

/// Ends the session of the cookie (POST).
pub(crate) fn logout() -> String {
    "/logout".to_owned()
}

/// A file that pages refer to. The version is in the address, so that browsers can keep the file.
pub(crate) fn asset(name: &str, version: u64) -> String {
    format!("/assets/{name}?v={version:016x}")
}

fn with_query(path: String, query: &str) -> String {
    if query.is_empty() { path } else { format!("{path}?{query}") }
}
