//! `usage`: the tokens that tasks used.

use super::{
    Line, Screen, Tone,
    show::grouped,
    table::{Column, table},
    tokens,
};
use crate::task::{Totals, TotalsBy, UsageReport};

/// On a terminal with fewer columns, numbers are rounded.
const NARROW: usize = 60;

fn columns(by: TotalsBy) -> [Column; 6] {
    let title = match by {
        TotalsBy::Day => "DAY",
        TotalsBy::Backend => "AGENT",
        TotalsBy::Model => "MODEL",
        TotalsBy::Repository => "REPOSITORY",
    };
    let number = |title, rank| Column { title, is_flexible: false, is_number: true, rank };
    [
        Column { title, is_flexible: true, is_number: false, rank: 0 },
        number("TASKS", 1),
        number("IN", 2),
        number("CACHED", 4),
        number("OUT", 3),
        number("TOTAL", 0),
    ]
}

/// The totals, one group per row. On a terminal, the last rows are the total and a note about unknown tokens.
///
/// In a pipe, the columns are: group, tasks, input tokens, cached input tokens, output tokens, total, tasks without
/// known tokens.
pub(crate) fn usage(report: &UsageReport, screen: Screen, is_everywhere: bool) -> String {
    if !screen.is_terminal() {
        let row = |(name, totals): &(String, Totals)| {
            let mut row = row(name, *totals, Tone::Plain, |number| number.to_string());
            row.push(Line::of(Tone::Plain, &totals.unreported.to_string()));
            row
        };
        return table(&columns(report.by), report.groups.iter().map(row).collect(), screen);
    }
    if report.groups.is_empty() {
        let line = match is_everywhere {
            true => "No tasks.",
            false => "No tasks here. `codex-connector usage --all` counts the tasks of all repositories.",
        };
        return line.to_owned() + "\n";
    }
    let total = report.total();
    let number = if screen.width.is_some_and(|width| width < NARROW) { tokens } else { grouped };
    let known = |name: &str| if name.is_empty() { "(unknown)".to_owned() } else { name.to_owned() };
    let mut rows: Vec<_> =
        report.groups.iter().map(|(name, totals)| row(&known(name), *totals, Tone::Plain, number)).collect();
    rows.push(row("total", total, Tone::Strong, number));
    let mut text = table(&columns(report.by), rows, screen);
    if total.unreported > 0 {
        let tasks = if total.unreported == 1 { "1 task".to_owned() } else { format!("{} tasks", total.unreported) };
        let note = format!("The tokens of {tasks} are unknown: running, or not reported by the agent.");
        for line in Line::of(Tone::Faint, &note).wrapped(screen.width.unwrap_or(80)) {
            text.push_str(&(line.render(screen) + "\n"));
        }
    }
    text
}

fn row(name: &str, totals: Totals, tone: Tone, number: impl Fn(u64) -> String) -> Vec<Line> {
    let usage = totals.usage;
    let total = usage.input_tokens.saturating_add(usage.output_tokens);
    let numbers = [totals.tasks, usage.input_tokens, usage.cached_input_tokens, usage.output_tokens, total];
    let cells = numbers.into_iter().map(|count| Line::of(tone, &number(count)));
    std::iter::once(Line::of(tone, name)).chain(cells).collect()
}
