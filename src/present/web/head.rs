//! The head of the page Task: state, facts, and why the task failed.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::{
    links::{self, Action, Tab},
    state::{task_state, time},
    tasks::changes,
    text::{block, line},
    viewer::Viewer,
};
use crate::{
    present::terminal::{LocalTime, elapsed, length, next_operation, tokens, used, with_options},
    task::{TaskState, TaskSummary},
};

/// Maximum length of a value in the head, in characters.
const MAX_VALUE_CHARACTERS: usize = 1_000;

/// A task, as its head shows it.
#[derive(Debug, Clone)]
pub(crate) struct TaskHead<'a> {
    /// The task.
    pub(crate) task: &'a TaskSummary,
    /// The tokens that a running task has used so far, if its agent reported them.
    pub(crate) tokens_so_far: Option<u64>,
    /// Whether its session can be resumed.
    pub(crate) can_resume: bool,
    /// The user's time zone.
    pub(crate) zone: LocalTime,
    /// The current time.
    pub(crate) now: DateTime<Utc>,
}

/// The head.
pub(super) fn head(head: &TaskHead<'_>, viewer: &Viewer) -> Markup {
    let TaskHead { task, tokens_so_far, can_resume: _, zone, now } = head;
    let record = &task.record;
    let progress = &record.progress;
    let took = length(elapsed(task, *now));
    // The agent may have counted its whole session, so this does not replace the unknown tokens of an ended task.
    let count = used(task).or(tokens_so_far.filter(|_| task.state != TaskState::Ended));
    html! {
        p.headline {
            (task_state(task))
            @match task.state {
                TaskState::Ended => span { " in " (took) },
                TaskState::Queued | TaskState::Running => span { " for " (took) },
            }
        }
        dl.facts {
            @if let Some(backend) = &progress.backend {
                div {
                    dt { "Agent" }
                    dd {
                        (backend.as_str())
                        @if let Some(version) = &progress.agent_version { " " (line(version, MAX_VALUE_CHARACTERS)) }
                    }
                }
            }
            @if let Some(model) = &progress.model { div { dt { "Model" } dd { (line(model, MAX_VALUE_CHARACTERS)) } } }
            @if let Some(sandbox) = record.start.sandbox { div { dt { "Sandbox" } dd { (sandbox.as_str()) } } }
            div {
                dt { "Directory" }
                dd { (line(&progress.working_directory.to_string_lossy().into_owned(), MAX_VALUE_CHARACTERS)) }
            }
            div { dt { "Started" } dd { (time(record.start.started_at, *zone)) } }
            @if let Some(count) = count { div { dt { "Tokens" } dd { (tokens(count)) } } }
            @if record.file_changes().is_some() {
                div { dt { "Changes" } dd { a href=(links::task(&record.id, Tab::Changes)) { (changes(task)) } } }
            }
        }
        (failure(task))
        (actions(head, viewer))
    }
}

/// Why the task failed: the documented reason, the agent's own words, and advice; then the warnings.
fn failure(task: &TaskSummary) -> Markup {
    let Some(end) = &task.record.end else { return Markup::default() };
    html! {
        @if let Some(reason) = &end.failure_reason {
            div.problem {
                p { strong { (line(reason, MAX_VALUE_CHARACTERS)) } }
                @if let Some(said) = &end.agent_said { (block(said)) }
                @if let Some(advice) = &end.advice {
                    p { strong { "Next: " } (line(&*with_options(advice.raw()), MAX_VALUE_CHARACTERS)) }
                }
            }
        }
        @for warning in &end.warnings {
            div.warning {
                p { (line(&warning.message, MAX_VALUE_CHARACTERS)) }
                @if let Some(advice) = &warning.advice { p { (line(&*with_options(advice), MAX_VALUE_CHARACTERS)) } }
            }
        }
    }
}

/// The actions that are possible now, each with its command.
fn actions(head: &TaskHead<'_>, viewer: &Viewer) -> Markup {
    let record = &head.task.record;
    let possible = possible_actions(head);
    html! {
        @if !possible.is_empty() {
            ul.actions aria-label="Actions" {
                @for action in possible {
                    li {
                        @if viewer.can_act && !viewer.csrf.is_empty() {
                            a.button href=(links::action(&record.id, action)) { (action.title()) }
                        }
                        code { (action.command(&record.id)) }
                    }
                }
            }
        }
    }
}

fn possible_actions(head: &TaskHead<'_>) -> Vec<Action> {
    if head.task.state != TaskState::Ended {
        return vec![Action::Cancel];
    }
    let record = &head.task.record;
    let operation =
        next_operation(record).and_then(|verb| Action::ALL.into_iter().find(|action| action.as_str() == verb));
    let resume = (head.can_resume && record.progress.session_id.is_some()).then_some(Action::Resume);
    operation.into_iter().chain(resume).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::present::web::{
        checker_tests::assert_fragment,
        fixtures_tests::{summary, utc},
    };

    #[test]
    fn unknown_tokens_of_an_ended_task_are_not_taken_from_its_timeline() {
        let facts = |mut task: TaskSummary| {
            if let Some(end) = &mut task.record.end {
                end.usage = None;
            }
            let now = crate::present::answer_reader::now();
            let head = TaskHead { task: &task, tokens_so_far: Some(950), can_resume: false, zone: utc, now };
            let html = super::head(&head, &Viewer::default()).into_string();
            assert_fragment(&html);
            html
        };
        assert!(facts(summary("running", "x")).contains("<dt>Tokens</dt>"));
        assert!(!facts(summary("completed", "x")).contains("<dt>Tokens</dt>"));
    }
}
