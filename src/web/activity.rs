//! Placeholder.

use maud::{Markup, html};

use crate::{
    present::web::{Tab, links},
    task::{TaskId, TimelineEntry},
};

pub(super) fn activity_items(entries: &[TimelineEntry]) -> Markup {
    html! { @for entry in entries { li id={ "e" (entry.seq) } { (format!("{:?}", entry.event)) } } }
}

pub(super) fn newest_activity(id: &TaskId, entries: &[TimelineEntry]) -> Markup {
    let first = entries.first().map_or(0, |entry| entry.seq);
    html! { li { a href=(links::earlier(id, Tab::Activity, first)) { "Earlier activity" } } (activity_items(entries)) }
}
