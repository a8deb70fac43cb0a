//! The page Task: its head, its tabs, and what each tab shows.

use maud::{Markup, html};

use super::{
    activity::{ActivityTab, activity},
    bar::{Spans, bar},
    changes::{ChangesTab, changes},
    frame::Page,
    head::{TaskHead, head},
    links::{self, Download, Tab},
    log::log,
    problem::explanation,
    state::class,
    tasks::current_step,
    text::{block, line},
    viewer::{ElementId, Viewer},
};
use crate::{
    present::{Refused, terminal::Line},
    task::{LogPage, Outcome, ResultText, TaskState, TaskSummary, Untrusted},
};

/// Maximum length of the prompt below the heading, in characters.
const MAX_PROMPT_CHARACTERS: usize = 300;

/// A tab with its content.
#[derive(Debug)]
pub(crate) enum TabContent<'a> {
    /// The steps of the agent.
    Activity(ActivityTab<'a>),
    /// The changes of the task, or the reason why they are unknown.
    Changes(Result<Box<ChangesTab>, Refused>),
    /// A part of its log.
    Log(LogPage),
    /// The agent's final message.
    Result(Option<ResultText>),
    /// Facts, each with a name and lines.
    Details(Vec<(&'static str, Vec<Line>)>),
}

/// The content of the page.
#[derive(Debug)]
pub(crate) struct TaskPage<'a> {
    /// The head.
    pub(crate) head: TaskHead<'a>,
    /// The periods of the timeline bar.
    pub(crate) spans: Spans,
    /// The chosen tab.
    pub(crate) content: TabContent<'a>,
    /// The address of the stream by which the page updates itself.
    pub(crate) live: Option<String>,
}

impl TabContent<'_> {
    fn tab(&self) -> Tab {
        match self {
            Self::Activity(_) => Tab::Activity,
            Self::Changes(_) => Tab::Changes,
            Self::Log(_) => Tab::Log,
            Self::Result(_) => Tab::Result,
            Self::Details(_) => Tab::Details,
        }
    }
}

/// The page.
pub(crate) fn task(page: &TaskPage<'_>, viewer: &Viewer) -> Markup {
    let task = page.head.task;
    let id = &task.record.id;
    let main = html! {
        h1 { "Task " (id) }
        p.prompt { (line(&task.record.start.task, MAX_PROMPT_CHARACTERS)) }
        div id=(ElementId::Head.as_str()) { (head(&page.head, viewer)) }
        div id=(ElementId::Bar.as_str()) { (bar(id, &page.spans, page.head.zone)) }
        div id=(ElementId::Step.as_str()) { (step(task, &page.head)) }
        nav.tabs aria-label="Task" {
            ul {
                @for tab in Tab::ALL {
                    li {
                        a href=(links::task(id, tab)) aria-current=[(tab == page.content.tab()).then_some("page")] {
                            (tab.title())
                        }
                    }
                }
            }
        }
        section aria-labelledby="tab-heading" {
            h2 #tab-heading { (page.content.tab().title()) }
            (content(page))
        }
    };
    Page { title: &title(task), live: page.live.as_deref(), main }.render(Some(viewer))
}

/// The title of the page in the browser.
pub(crate) fn title(task: &TaskSummary) -> String {
    let word = crate::present::terminal::word(task.state, Outcome::of(&task.record)).replace('_', " ");
    format!("{} {word}", task.record.id)
}

/// The contents of its elements that change.
pub(crate) fn task_fragments(head_of: &TaskHead<'_>, spans: &Spans, viewer: &Viewer) -> Vec<(ElementId, Markup)> {
    vec![
        (ElementId::Head, head(head_of, viewer)),
        (ElementId::Bar, bar(&head_of.task.record.id, spans, head_of.zone)),
        (ElementId::Step, step(head_of.task, head_of)),
    ]
}

/// The current step of a task that has not ended.
fn step(task: &TaskSummary, head: &TaskHead<'_>) -> Markup {
    html! { @if task.state != TaskState::Ended { p.now { (current_step(task, head.now)) } } }
}

fn content(page: &TaskPage<'_>) -> Markup {
    let record = &page.head.task.record;
    let id = &record.id;
    match &page.content {
        TabContent::Activity(tab) => activity(id, tab),
        TabContent::Changes(Ok(tab)) => changes(tab),
        TabContent::Changes(Err(refused)) => explanation(refused),
        TabContent::Log(tab) => log(id, tab),
        TabContent::Result(Some(text)) => html! {
            p { a href=(links::download(id, Download::Result)) download { "Download the message" } }
            (block(&text.head))
            @if text.left_out > 0 {
                p.warning { (text.left_out) " bytes are left out here. The download is complete." }
                (block(&text.tail))
            }
        },
        TabContent::Result(None) => html! {
            p.empty {
                @if record.is_final() { "This task has no final message." }
                @else { "There is no final message yet, because the task has not ended." }
            }
        },
        TabContent::Details(fields) => details(fields, &record.start.task),
    }
}

fn details(fields: &[(&'static str, Vec<Line>)], prompt: &Untrusted) -> Markup {
    html! {
        dl.details {
            // The whole prompt follows.
            @for (name, lines) in fields.iter().filter(|(name, _)| *name != "task") {
                div {
                    dt { (name) }
                    @for line in lines { dd { (toned(line)) } }
                }
            }
        }
        h3 { "Prompt" }
        (block(prompt))
    }
}

/// A line of a terminal, with classes in place of colors.
fn toned(line: &Line) -> Markup {
    html! { bdi { @for (tone, text) in line.pieces() { span.(class(tone)) { (text) } } } }
}
