//! The page Check.

use maud::{Markup, html};

use super::{frame::Page, text::message, viewer::Viewer};
use crate::present::check::CheckFinding;

/// How urgent a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Urgency {
    /// No task can run until it is fixed.
    Problem,
    /// Something is unknown, incomplete or ignored.
    Attention,
    /// For information.
    Fine,
}

impl Urgency {
    const ALL: [Self; 3] = [Self::Problem, Self::Attention, Self::Fine];

    fn of(word: &str) -> Self {
        match word {
            "ok" | "set" | "kept" => Self::Fine,
            "?" | "todo" | "ignored" => Self::Attention,
            _ => Self::Problem,
        }
    }

    /// The heading of its group.
    fn title(self) -> &'static str {
        match self {
            Self::Problem => "Problems",
            Self::Attention => "Needs attention",
            Self::Fine => "In order",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Problem => "bad",
            Self::Attention => "attention",
            Self::Fine => "good",
        }
    }
}

/// The findings of `codex-connector check`, problems first.
pub(crate) fn check(findings: &[CheckFinding], viewer: &Viewer) -> Markup {
    let problems = findings.iter().filter(|finding| Urgency::of(finding.word) == Urgency::Problem).count();
    let attention = findings.iter().filter(|finding| Urgency::of(finding.word) == Urgency::Attention).count();
    let summary = match problems {
        0 if attention == 0 => "Everything that tasks need is in order.".to_owned(),
        0 => "No problems, but something needs attention.".to_owned(),
        1 => "1 problem.".to_owned(),
        _ => format!("{problems} problems."),
    };
    let main = html! {
        h1 { "Check" }
        p { (summary) " The same in a terminal: " code { "codex-connector check" } }
        @for urgency in Urgency::ALL { (group(findings, urgency)) }
    };
    Page { title: "Check", live: None, main }.render(Some(viewer))
}

fn group(findings: &[CheckFinding], urgency: Urgency) -> Markup {
    let group: Vec<_> = findings.iter().filter(|finding| Urgency::of(finding.word) == urgency).collect();
    html! {
        @if !group.is_empty() {
            div.scroll {
                table.findings {
                    caption { h2 { (urgency.title()) } }
                    thead { tr { th scope="col" { "Checked" } th scope="col" { "Result" } th scope="col" { "Details" } } }
                    tbody {
                        @for finding in group {
                            tr {
                                th scope="row" { (finding.label) }
                                td { span.state.(urgency.class()) { (finding.word) } }
                                td { @for line in &finding.lines { p { (message(line)) } } }
                            }
                        }
                    }
                }
            }
        }
    }
}
