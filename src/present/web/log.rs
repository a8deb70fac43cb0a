//! The tab Log: the end of the log, or an earlier part of it.

use maud::{Markup, html};

use super::links::{self, Download, Tab};
use crate::{
    present::terminal::grouped,
    task::{LogPage, TaskId},
    visible::fully_visible,
};

/// The tab.
pub(super) fn log(id: &TaskId, page: &LogPage) -> Markup {
    html! {
        p.tools {
            @if page.start > 0 {
                a href=(links::earlier(id, Tab::Log, page.start)) { "Earlier lines" }
                span.faint { " (" (grouped(page.start)) " bytes come before)" }
                " "
            }
            @if page.end < page.size { a href=(links::task(id, Tab::Log)) { "Newest lines" } " " }
            a href=(links::download(id, Download::Log)) download { "Download the log" }
            span.faint { " Times in the log are in UTC." }
        }
        @if page.lines.is_empty() { p.empty { "The log is empty." } }
        @else {
            pre.log tabindex="0" {
                "\n"
                @for line in &page.lines {
                    // A carriage return in a line is shown as an escape; the line ending itself is not part of it.
                    (fully_visible(line.text.raw()))
                    @if line.omitted > 0 { span.faint { "… " (grouped(line.omitted)) " more bytes" } }
                    "\n"
                }
            }
        }
    }
}
