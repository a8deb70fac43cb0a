//! The timeline bar: what the agent was doing when, and for how long.

use std::time::Duration;

use maud::{Markup, html};

use super::{
    links::{self, Tab},
    state::time,
    svg::{SCALE, position},
};
use crate::{
    present::terminal::{LocalTime, length, local},
    task::{ActivitySpan, SpanKind, TaskId},
};

/// The periods of a task, if they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spans {
    /// The periods, in order.
    Known(Vec<ActivitySpan>),
    /// The timeline is so long that they are only read for the tab Details.
    Long,
}

/// The bar, the total of each kind, and the times at its ends. Empty if nothing is known.
pub(super) fn bar(id: &TaskId, spans: &Spans, zone: LocalTime) -> Markup {
    match spans {
        Spans::Known(spans) => drawn(spans, zone),
        Spans::Long => html! {
            p.faint { "This task has a long timeline. " a href=(links::task(id, Tab::Details)) { "Show it as a bar" } }
        },
    }
}

fn drawn(spans: &[ActivitySpan], zone: LocalTime) -> Markup {
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return Markup::default() };
    let (begin, end) = (first.start, last.end);
    let totals = SpanKind::ALL.map(|kind| (kind, total(spans, kind)));
    let shown = || totals.iter().filter(|(_, total)| !total.is_zero());
    let words: Vec<String> = shown().map(|(kind, total)| format!("{} {}", name(*kind), length(*total))).collect();
    html! {
        figure.timeline {
            svg role="img" aria-label={ "Timeline: " (words.join(", ")) } viewBox={ "0 0 " (SCALE) " 24" }
                preserveAspectRatio="none" focusable="false" {
                @for span in spans {
                    @let (from, to) = (position(span.start, begin, end), position(span.end, begin, end));
                    rect.(class(span.kind)) x=(from) y="0" width=((to - from).max(1)) height="24" {
                        title { (name(span.kind)) ", " (local(span.start, zone)) ", " (length(took(span))) }
                    }
                }
            }
            figcaption {
                ul.legend {
                    @for (kind, total) in shown() {
                        li {
                            svg.swatch viewBox="0 0 10 10" aria-hidden="true" focusable="false" {
                                rect.(class(*kind)) width="10" height="10" {}
                            }
                            " " (name(*kind)) " " span.number { (length(*total)) }
                        }
                    }
                }
                p.scale { (time(begin, zone)) " " (time(end, zone)) }
            }
        }
    }
}

fn took(span: &ActivitySpan) -> Duration {
    (span.end - span.start).to_std().unwrap_or_default()
}

fn total(spans: &[ActivitySpan], kind: SpanKind) -> Duration {
    spans.iter().filter(|span| span.kind == kind).map(took).sum()
}

fn name(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Thinking => "Thinking",
        SpanKind::Command => "Commands",
        SpanKind::Edit => "Edits",
        SpanKind::Waiting => "Waiting",
        SpanKind::Silence => "Silence",
    }
}

fn class(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Thinking => "span-thinking",
        SpanKind::Command => "span-command",
        SpanKind::Edit => "span-edit",
        SpanKind::Waiting => "span-waiting",
        SpanKind::Silence => "span-silence",
    }
}
