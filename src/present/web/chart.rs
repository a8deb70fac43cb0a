//! The chart of the page Usage: a column for each day, with a part for each backend.

use chrono::{Days, NaiveDate};
use maud::{Markup, html};

use super::{
    state::{known, tokens},
    svg::{SCALE, share},
};
use crate::{
    present::{terminal::tokens as short, text::one_line},
    task::{DailyUsage, DayUsage},
};

/// Maximum number of days in the chart, ending with the newest.
const MAX_DAYS: u64 = 120;

/// Minimum number of days in the chart, so that its columns are not too wide.
const MIN_DAYS: u64 = 14;

/// Number of colors. Further backends share the last one.
const COLORS: usize = 6;

/// Maximum length of a backend's name, in characters.
const MAX_NAME_CHARACTERS: usize = 80;

/// The chart, and what its colors mean. Empty if no tokens are known.
pub(super) fn chart(usage: &DailyUsage) -> Markup {
    let (Some(first), Some(last)) = (usage.days.first(), usage.days.last()) else { return Markup::default() };
    let before = |days| last.day.checked_sub_days(Days::new(days - 1)).unwrap_or(first.day);
    let begin = first.day.clamp(before(MAX_DAYS), before(MIN_DAYS));
    let count = u64::try_from((last.day - begin).num_days()).unwrap_or(0) + 1;
    let days: Vec<_> = usage.days.iter().filter(|day| day.day >= begin).collect();
    let highest = days.iter().map(|day| tokens(&day.total())).max().unwrap_or(0);
    let backends = usage.backends();
    let color = |name: &str| backends.iter().position(|(backend, _)| backend == name).unwrap_or(0).min(COLORS - 1);
    if highest == 0 {
        return Markup::default();
    }
    let label =
        format!("Tokens by day and agent, from {begin} to {}. The tables below have the same numbers.", last.day);
    html! {
        figure.chart {
            p.scale { span { "up to " (short(highest)) " tokens on a day" } }
            svg role="img" aria-label=(label) viewBox={ "0 0 " (SCALE) " " (SCALE) } preserveAspectRatio="none" focusable="false" {
                @for day in &days { (column(day, (begin, count), highest, &color)) }
            }
            figcaption {
                p.scale { span { (begin.to_string()) } span { (last.day.to_string()) } }
                ul.legend {
                    @for (name, _) in &backends {
                        li {
                            svg.swatch viewBox="0 0 10 10" aria-hidden="true" focusable="false" {
                                rect.{ "part-" (color(name)) } width="10" height="10" {}
                            }
                            " " (known(name))
                        }
                    }
                }
            }
        }
    }
}

/// The parts of a day, from the bottom to the top.
fn column(day: &DayUsage, (begin, count): (NaiveDate, u64), highest: u64, color: &impl Fn(&str) -> usize) -> Markup {
    let position = u64::try_from((day.day - begin).num_days()).unwrap_or(0);
    let (left, right) = (share(position, count), share(position + 1, count));
    // A gap between columns, unless they are very narrow.
    let width = (right - left).saturating_sub((right - left) / 6).max(1);
    let mut below = 0;
    html! {
        @for (name, totals) in &day.backends {
            @let from = share(below, highest);
            @let to = share(below.saturating_add(tokens(totals)), highest);
            @let () = below = below.saturating_add(tokens(totals));
            @if to > from {
                rect.{ "part-" (color(name)) } x=(left) y=(SCALE - to) width=(width) height=(to - from) {
                    title { (day.day.to_string()) ", " (title(name)) ": " (short(tokens(totals))) " tokens" }
                }
            }
        }
    }
}

fn title(name: &str) -> String {
    if name.is_empty() { "(unknown)".to_owned() } else { one_line(name, MAX_NAME_CHARACTERS) }
}
