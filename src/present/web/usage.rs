//! The page Usage: tokens by day and backend, as a chart and as a table.

use maud::{Markup, html};

use super::{
    chart::chart,
    frame::Page,
    links,
    problem::explanation,
    state::{known, tokens},
    viewer::Viewer,
};
use crate::{
    present::{Refused, terminal::grouped},
    task::{DailyUsage, DayUsage, Totals},
};

/// Maximum number of days in the table.
const MAX_DAYS: usize = 400;

/// Periods that can be chosen with one click: the parameter, and the name.
const PERIODS: [(&str, &str); 5] =
    [("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days"), ("1y", "1 year"), ("100y", "everything")];

/// The content of the page.
#[derive(Debug)]
pub(crate) struct UsagePage<'a> {
    /// The totals.
    pub(crate) usage: DailyUsage,
    /// The beginning, as a person typed it.
    pub(crate) since: &'a str,
    /// Why the beginning was ignored.
    pub(crate) problem: Option<Refused>,
}

/// The page.
pub(crate) fn usage(page: &UsagePage<'_>, viewer: &Viewer) -> Markup {
    let total = page.usage.total();
    let main = html! {
        h1 { "Usage" }
        @if let Some(problem) = &page.problem { (explanation(problem)) }
        (periods(page.since))
        @if page.usage.days.is_empty() {
            p.empty { "No tasks began in this period. " a href=(links::usage(Some("100y"))) { "Show everything" } }
        } @else {
            p {
                strong { (grouped(tokens(&total))) " tokens" } " in " (grouped(total.tasks)) " tasks. "
                @if total.unreported > 0 {
                    "The tokens of " (grouped(total.unreported)) " of them are unknown: running, or not reported by the agent."
                }
            }
            (chart(&page.usage))
            (backends(&page.usage, &total))
            (days(&page.usage.days))
        }
        h2 { "Quota" }
        p {
            "Unknown. The agents do not report here how much of an account's quota is left. Codex shows it with "
            code { "/status" } ", Claude Code with " code { "/usage" } "."
        }
        p { "In a terminal: " code { "codex-connector usage --all" } }
    };
    Page { title: "Usage", live: None, main }.render(Some(viewer))
}

fn periods(since: &str) -> Markup {
    html! {
        nav aria-label="Period" {
            ul.counts {
                @for (period, name) in PERIODS {
                    li { a href=(links::usage(Some(period))) aria-current=[(period == since).then_some("true")] { (name) } }
                }
            }
        }
    }
}

fn backends(usage: &DailyUsage, total: &Totals) -> Markup {
    html! {
        (table("By agent", "Agent", html! {
            @for (name, totals) in usage.backends() { tr { th scope="row" { (known(&name)) } (cells(&totals)) } }
        }, Some(total)))
    }
}

fn days(days: &[DayUsage]) -> Markup {
    let more = days.len().saturating_sub(MAX_DAYS);
    html! {
        (table("By day and agent, newest first", "Day", html! {
            @for day in days.iter().rev().take(MAX_DAYS) {
                @for (name, totals) in &day.backends {
                    tr { th scope="row" { (day.day.to_string()) " " (known(name)) } (cells(totals)) }
                }
            }
        }, None))
        @if more > 0 { p.faint { "and " (more) " earlier days" } }
    }
}

fn table(caption: &str, first: &str, rows: Markup, total: Option<&Totals>) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { h2 { (caption) } }
                thead {
                    tr {
                        th scope="col" { (first) }
                        @for name in ["Tasks", "Input", "Cached", "Output", "Total"] { th.number scope="col" { (name) } }
                    }
                }
                tbody { (rows) }
                @if let Some(total) = total { tfoot { tr { th scope="row" { "Total" } (cells(total)) } } }
            }
        }
    }
}

fn cells(totals: &Totals) -> Markup {
    let usage = totals.usage;
    let numbers = [totals.tasks, usage.input_tokens, usage.cached_input_tokens, usage.output_tokens, tokens(totals)];
    html! { @for number in numbers { td.number { (grouped(number)) } } }
}
