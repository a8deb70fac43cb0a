//! The page Tasks: counts, filters, and the list.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::{
    axis::axis,
    frame::Page,
    links::{self, Tab},
    problem::explanation,
    query::TaskListQuery,
    state::{filter_state, line_counts, task_state, time_ago},
    text::{line, repository},
    viewer::{ElementId, Viewer},
};
use crate::{
    present::{
        Refused,
        task_changes::place_words,
        terminal::{LocalTime, elapsed, grouped, length, step, tokens, used},
    },
    task::{StateFilter, Summaries, TaskCounts, TaskState, TaskSummary},
};

/// Maximum length of a task's text in the list, in characters.
const MAX_TASK_CHARACTERS: usize = 160;

/// Maximum length of a step in the list, in characters.
const MAX_STEP_CHARACTERS: usize = 200;

/// Maximum number of repositories, and of backends, that can be chosen. The most used ones come first.
const MAX_CHOICES: usize = 200;

/// The content of the page.
pub(crate) struct TaskList<'a> {
    /// The filters and the number of the page.
    pub(crate) query: &'a TaskListQuery,
    /// The numbers of tasks that all filters but the one for the state select.
    pub(crate) counts: TaskCounts,
    /// The tasks on this page, newest first, and the number of all that the filters select.
    pub(crate) found: Summaries,
    /// Maximum number of tasks on a page.
    pub(crate) page_size: usize,
    /// The repositories in which tasks ran, each with their number.
    pub(crate) repositories: Vec<(String, u64)>,
    /// The backends that ran tasks, each with their number.
    pub(crate) backends: Vec<(String, u64)>,
    /// Why a filter was ignored.
    pub(crate) problem: Option<Refused>,
    /// The user's time zone.
    pub(crate) zone: LocalTime,
    /// The current time.
    pub(crate) now: DateTime<Utc>,
}

/// The page.
pub(crate) fn tasks(list: &TaskList<'_>, viewer: &Viewer) -> Markup {
    let live = links::tasks_live(list.query);
    let main = html! {
        h1 { "Tasks" }
        @if let Some(problem) = &list.problem { (explanation(problem)) }
        div id=(ElementId::Counts.as_str()) aria-live="polite" { (counts(list)) }
        (filters(list))
        div id=(ElementId::Tasks.as_str()) { (rows(list)) }
        div id=(ElementId::Axis.as_str()) { (axis(&list.found.tasks, list.zone, list.now)) }
    };
    Page { title: "Tasks", live: Some(&live), main }.render(Some(viewer))
}

/// The contents of its elements that change.
pub(crate) fn tasks_fragments(list: &TaskList<'_>) -> Vec<(ElementId, Markup)> {
    vec![
        (ElementId::Counts, counts(list)),
        (ElementId::Tasks, rows(list)),
        (ElementId::Axis, axis(&list.found.tasks, list.zone, list.now)),
    ]
}

/// The number of tasks in each state, as links that select them.
fn counts(list: &TaskList<'_>) -> Markup {
    let link = |state| links::tasks(&TaskListQuery { state, page: 1, ..list.query.clone() });
    let current = |state| (list.query.state == state).then_some("true");
    let states = StateFilter::ALL.into_iter().filter(|state| {
        *state != StateFilter::State(TaskState::Ended)
            && (list.counts.of(*state) > 0 || list.query.state == Some(*state))
    });
    html! {
        ul.counts {
            li { a href=(link(None)) aria-current=[current(None)] { "all " span.number { (grouped(list.counts.total())) } } }
            @for state in states {
                li {
                    a href=(link(Some(state))) aria-current=[current(Some(state))] {
                        (filter_state(state)) " " span.number { (grouped(list.counts.of(state))) }
                    }
                }
            }
        }
    }
}

/// The form with the other filters. It is sent with GET, so that the filters are in the address.
fn filters(list: &TaskList<'_>) -> Markup {
    let TaskListQuery { state, repository: place, backend, since, page: _ } = list.query;
    html! {
        form.filters method="get" action=(links::tasks(&TaskListQuery::default())) role="search" aria-label="Filter tasks" {
            label {
                span { "State" }
                select name="state" {
                    option value="" { "any" }
                    @for choice in StateFilter::ALL {
                        option value=(choice.as_str()) selected[*state == Some(choice)] {
                            (choice.as_str().replace('_', " "))
                        }
                    }
                }
            }
            (choice("Repository", "repo", place.as_deref(), &list.repositories))
            (choice("Agent", "backend", backend.as_deref(), &list.backends))
            label {
                span { "Since" }
                input type="text" name="since" value=(since.as_deref().unwrap_or_default()) placeholder="90m, 2d" size="8"
                    autocomplete="off";
            }
            button type="submit" { "Filter" }
            @if list.query.has_filter() { a href=(links::tasks(&TaskListQuery::default())) { "Remove all filters" } }
        }
    }
}

fn choice(title: &str, name: &str, chosen: Option<&str>, choices: &[(String, u64)]) -> Markup {
    let choices = &choices[..choices.len().min(MAX_CHOICES)];
    let unknown = chosen.filter(|chosen| choices.iter().all(|(choice, _)| choice != chosen));
    html! {
        label {
            span { (title) }
            select name=(name) {
                option value="" { "any" }
                @if let Some(unknown) = unknown { option value=(unknown) selected { (repository(unknown, MAX_TASK_CHARACTERS)) } }
                @for (choice, _) in choices.iter().filter(|(choice, _)| !choice.is_empty()) {
                    option value=(choice) selected[chosen == Some(choice.as_str())] {
                        (repository(choice, MAX_TASK_CHARACTERS))
                    }
                }
            }
        }
    }
}

/// The list, or why it is empty.
fn rows(list: &TaskList<'_>) -> Markup {
    let tasks = &list.found.tasks;
    html! {
        @if tasks.is_empty() { (nothing(list)) }
        @else {
            table.tasks {
                caption { (caption(list)) }
                thead {
                    tr {
                        th scope="col" { "State" }
                        th scope="col" { "ID" }
                        th scope="col" { "Agent" }
                        th scope="col" { "Task" }
                        th.number scope="col" { "Age" }
                        th.number scope="col" { "Time" }
                        th.number scope="col" { "Tokens" }
                        th.number scope="col" { "Changes" }
                    }
                }
                tbody { @for task in tasks { (row(task, list)) } }
            }
            (pages(list))
        }
        @if list.found.is_partial {
            p.faint { "Older tasks may be missing: the list of a long history is being rebuilt." }
        }
    }
}

fn row(task: &TaskSummary, list: &TaskList<'_>) -> Markup {
    let record = &task.record;
    html! {
        tr {
            td.cell-state { (task_state(task)) }
            th.cell-id scope="row" { a.task-link href=(links::task(&record.id, Tab::Activity)) { (record.id) } }
            td.cell-agent { @if let Some(backend) = &record.progress.backend { (backend.as_str()) } }
            td.cell-task {
                span.prompt { (line(&record.start.task, MAX_TASK_CHARACTERS)) }
                (current_step(task, list.now))
            }
            td.cell-age.number { (time_ago(record.start.started_at, list.zone, list.now)) }
            td.cell-time.number { (length(elapsed(task, list.now))) }
            td.cell-tokens.number { @if let Some(count) = used(task) { (tokens(count)) } }
            td.cell-changes.number { (changes(task)) }
        }
    }
}

/// The current step of a running task's agent, and its trouble if it has some.
pub(super) fn current_step(task: &TaskSummary, now: DateTime<Utc>) -> Markup {
    let text = task.step.as_ref().and_then(|entry| step(&entry.event));
    html! {
        @if task.state != TaskState::Ended {
            @if let Some(text) = text { span.step { (line(&text, MAX_STEP_CHARACTERS)) } }
            @if let Some(trouble) = &task.trouble {
                span.step.attention {
                    @if let Some(since) = trouble.offline_since {
                        "waiting for the network, " (length((now - since).to_std().unwrap_or_default())) ": "
                    }
                    (line(&trouble.text, MAX_STEP_CHARACTERS))
                }
            }
        }
    }
}

/// The numbers of added and removed lines, and where they are now.
pub(super) fn changes(task: &TaskSummary) -> Markup {
    let standing = task.record.standing.as_ref().and_then(|standing| place_words(&standing.place));
    html! {
        @if let Some(changes) = task.record.file_changes() { (line_counts(changes.added, changes.removed)) }
        @if let Some(words) = standing { " " span.faint { (line(&words, MAX_TASK_CHARACTERS)) } }
    }
}

/// Which tasks the list shows.
fn caption(list: &TaskList<'_>) -> Markup {
    let (shown, total) = (list.found.tasks.len(), list.found.total);
    let first = (list.query.page.max(1) - 1).saturating_mul(list.page_size);
    let number = |number: usize| grouped(u64::try_from(number).unwrap_or(u64::MAX));
    html! {
        @if shown == total { (number(total)) @if total == 1 { " task" } @else { " tasks" } }
        @else { "Tasks " (number(first + 1)) " to " (number(first + shown)) " of " (number(total)) ", newest first" }
    }
}

/// Links to the pages before and after this one.
fn pages(list: &TaskList<'_>) -> Markup {
    let page = list.query.page.max(1);
    let to = |page| links::tasks(&TaskListQuery { page, ..list.query.clone() });
    let has_next = page.saturating_mul(list.page_size) < list.found.total;
    html! {
        @if page > 1 || has_next {
            nav.pages aria-label="Pages of the list" {
                @if page > 1 { a rel="prev" href=(to(page - 1)) { "← Newer" } }
                span { "Page " (page) " of " (list.found.total.div_ceil(list.page_size.max(1))) }
                @if has_next { a rel="next" href=(to(page + 1)) { "Older →" } }
            }
        }
    }
}

/// Why there is nothing to show, and what to do about it.
fn nothing(list: &TaskList<'_>) -> Markup {
    let all = links::tasks(&TaskListQuery::default());
    html! {
        @if list.query.page > 1 && list.found.total > 0 {
            p.empty {
                "There is no page " (list.query.page) ": the list has " (list.found.total) " tasks. "
                a href=(links::tasks(&TaskListQuery { page: 1, ..list.query.clone() })) { "Show the first page" }
            }
        } @else if list.query.has_filter() {
            p.empty { "No task matches these filters. " a href=(all) { "Remove all filters" } }
        } @else {
            p.empty {
                "There are no tasks yet. Delegate one from Claude Code, or start one in a terminal: "
                code { "codex-connector run \"…\"" }
            }
        }
    }
}
