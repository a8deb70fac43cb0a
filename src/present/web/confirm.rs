//! The page before an action: what it would do, its command, and the form that does it.

use maud::{Markup, html};

use super::{
    frame::{Page, csrf_field},
    links::{self, Action, Tab},
    problem::explanation,
    state::task_state,
    tasks::current_step,
    text::{line, path},
    viewer::Viewer,
};
use crate::{
    present::{
        Refused,
        operations::recovery,
        terminal::{operation_summary, unnamed_note},
    },
    task::{GitPath, OperationResult, TaskId, TaskState, TaskSummary},
};

/// Maximum length of a text in one line, in characters.
const MAX_CHARACTERS: usize = 1_000;

/// Maximum number of files that are listed.
const MAX_FILES: usize = 200;

/// An action that a person may confirm.
#[derive(Debug)]
pub(crate) struct Confirmation<'a> {
    /// The task.
    pub(crate) task: &'a TaskSummary,
    /// The action.
    pub(crate) action: Action,
    /// Its effect.
    pub(crate) plan: Plan,
    /// The current time.
    pub(crate) now: chrono::DateTime<chrono::Utc>,
}

/// The effect of an action.
#[derive(Debug)]
pub(crate) enum Plan {
    /// It stops the task.
    Cancel,
    /// It writes files.
    Operation(Box<OperationResult>),
    /// It starts a task that continues the session.
    Resume,
    /// It is not possible.
    Refused(Refused),
}

/// The page.
pub(crate) fn confirm(confirmation: &Confirmation<'_>, viewer: &Viewer) -> Markup {
    let Confirmation { task, action, plan, now } = confirmation;
    let id = &task.record.id;
    let title = format!("{} task {id}?", action.title());
    let is_possible = match plan {
        Plan::Refused(_) => false,
        Plan::Operation(result) => !result.files.is_empty(),
        Plan::Cancel => task.state != TaskState::Ended,
        Plan::Resume => true,
    };
    let main = html! {
        h1 { (title) }
        p.prompt { (task_state(task)) " " (line(&task.record.start.task, MAX_CHARACTERS)) }
        @match plan {
            Plan::Refused(refused) => (explanation(refused)),
            Plan::Operation(result) => (operation(id, result)),
            Plan::Resume => p { "A new task continues the session of this one, with its agent, directory and sandbox." },
            Plan::Cancel if task.state == TaskState::Ended => p { "This task has already ended." },
            Plan::Cancel => {
                p { "The agent is interrupted, and all its processes are stopped. Files that it has already changed are kept." }
                p.now { (current_step(task, *now)) }
            },
        }
        p { "The same in a terminal: " code { (command(id, *action, plan)) } }
        @if is_possible { (form(confirmation, viewer)) }
        p { a href=(links::task(id, Tab::Activity)) { "Back to the task" } }
    };
    Page { title: &title, live: None, main }.render(Some(viewer))
}

/// The command that does the same. Where the action can change nothing because the agent named no file, it is the one that
/// includes the other files.
fn command(id: &TaskId, action: Action, plan: &Plan) -> String {
    let command = action.command(id);
    match plan {
        Plan::Operation(result) if result.files.is_empty() && !result.unnamed.is_empty() => format!("{command} --all"),
        Plan::Operation(_) | Plan::Cancel | Plan::Resume | Plan::Refused(_) => command,
    }
}

fn form(confirmation: &Confirmation<'_>, viewer: &Viewer) -> Markup {
    let Confirmation { task, action, plan, now: _ } = confirmation;
    html! {
        @if !viewer.can_act {
            p.warning {
                "This server is read-only. Run the command in a terminal, or start the server with "
                code { "codex-connector web --actions" } "."
            }
        } @else if viewer.csrf.is_empty() {
            p.warning { "Sign in with a browser to do this here." }
        } @else {
            form.stacked method="post" action=(links::action(&task.record.id, *action)) {
                (csrf_field(viewer))
                @if let Plan::Resume = plan {
                    label for="prompt" { "Next instruction for the agent" }
                    textarea #prompt name="prompt" rows="8" required {}
                }
                button.(if *action == Action::Cancel { "danger" } else { "primary" }) type="submit" { (action.confirmation()) }
            }
        }
    }
}

/// The files that an operation would change, and those that it would skip.
fn operation(id: &TaskId, result: &OperationResult) -> Markup {
    html! {
        @for recovered in &result.recovered { p.warning { "Note: " (line(&recovery(recovered), MAX_CHARACTERS)) } }
        p { (line(&operation_summary(id, result), MAX_CHARACTERS)) }
        (files(&result.files))
        @if !result.unnamed.is_empty() {
            p.warning { (unnamed_note(result.unnamed.len(), result.is_check)) }
            (files(&result.unnamed))
        }
    }
}

fn files(files: &[GitPath]) -> Markup {
    let more = files.len().saturating_sub(MAX_FILES);
    html! {
        @if !files.is_empty() {
            ul.paths {
                @for file in files.iter().take(MAX_FILES) { li { code { (path(file)) } } }
                @if more > 0 { li { "and " (more) " more" } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::OperationKind;

    #[test]
    fn the_command_includes_unnamed_files_if_there_are_no_others() {
        let id = TaskId::parse("1a2b3c4d").expect("a valid ID");
        let mut result = OperationResult {
            kind: OperationKind::Undo,
            top: "/project".into(),
            is_check: true,
            files: vec![],
            unnamed: vec![GitPath::from_bytes("a")],
            branch: None,
            recovered: vec![],
            running: vec![],
        };
        let words = |result: &OperationResult| command(&id, Action::Undo, &Plan::Operation(Box::new(result.clone())));
        assert_eq!(words(&result), "codex-connector undo 1a2b3c4d --all");
        result.files.push(GitPath::from_bytes("b"));
        assert_eq!(words(&result), "codex-connector undo 1a2b3c4d");
    }
}
