//! The pages of the web UI as HTML. Pure templates: data in, markup out.
//!
//! `maud` escapes all text, so none of it can become an element or an attribute. Outside text is put into pages by
//! `text`, which also shows control and invisible characters as escapes. There are no scripts and no styles inside a
//! page; the widths of bars are attributes of SVG elements.
//!
//! Every page works without the script. With it, the elements that [`ElementId`] names change while the page is open.

mod activity;
pub(crate) mod answers;
pub(crate) mod assets;
mod axis;
mod bar;
mod changes;
mod chart;
mod check;
#[cfg(test)]
mod checker_tests;
mod confirm;
#[cfg(test)]
mod fixtures_tests;
mod frame;
#[cfg(test)]
mod golden_tests;
mod head;
#[cfg(test)]
mod hostile_tests;
pub(crate) mod links;
mod log;
mod patch;
mod problem;
mod query;
mod state;
mod svg;
mod task;
mod tasks;
mod text;
mod usage;
mod viewer;

pub(crate) use activity::{ActivityTab, activity_items, newest_activity, tokens_so_far};
pub(crate) use bar::Spans;
pub(crate) use changes::ChangesTab;
pub(crate) use check::check;
pub(crate) use confirm::{Confirmation, Plan, confirm};
pub(crate) use frame::full_title;
pub(crate) use head::TaskHead;
pub(crate) use links::{Action, Download, Tab};
pub(crate) use problem::{SignedOut, invalid_since, problem, signed_out};
pub(crate) use query::{TabQuery, TaskListQuery};
pub(crate) use task::{TabContent, TaskPage, task, task_fragments, title};
pub(crate) use tasks::{TaskList, tasks, tasks_fragments};
pub(crate) use usage::{UsagePage, usage};
pub(crate) use viewer::{ElementId, NavItem, Viewer};
