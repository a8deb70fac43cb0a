//! The tables, in Markdown, as `docs/performance.md` has them.

use std::io::{self, Write};

use crate::{samples::Samples, sides::Sides};

/// The target for a number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// At most this.
    Most(f64),
    /// None: the number explains another one.
    None,
}

/// Prints each row as soon as it is known.
#[derive(Debug)]
pub(crate) struct Report {
    is_compared: bool,
    missed: usize,
}

impl Report {
    /// `is_compared`: there are columns for a second build.
    pub(crate) fn new(is_compared: bool) -> Self {
        Self { is_compared, missed: 0 }
    }

    /// Number of missed targets.
    pub(crate) fn missed(&self) -> usize {
        self.missed
    }

    /// Begins a part: its name, and the conditions under which its numbers hold.
    pub(crate) fn part(&mut self, name: &str, conditions: &str) -> io::Result<()> {
        line(&format!("\n### {name}\n\n{conditions}"))
    }

    /// Begins a table with a row for each number.
    pub(crate) fn table(&mut self) -> io::Result<()> {
        if self.is_compared {
            line("\n| what | median | range | baseline | range | ratio | target | |\n|---|---|---|---|---|---|---|---|")
        } else {
            line("\n| what | median | range | target | |\n|---|---|---|---|---|")
        }
    }

    /// One number: its median, the range of nine tenths of the values, and the target for this build.
    pub(crate) fn row(&mut self, what: &str, numbers: &Sides<Samples>, unit: &str, target: Target) -> io::Result<()> {
        let cells = |samples: &Samples| {
            let range = format!("{}–{}", short(samples.at(0.05)), short(samples.at(0.95)));
            format!("{} | {range}", with_unit(samples.median(), unit))
        };
        let mut row = format!("| {what} | {} |", cells(&numbers.this));
        if self.is_compared {
            let baseline = numbers.baseline.as_ref().map_or_else(|| " | ".to_owned(), cells);
            let ratio = numbers.ratio().map(short).unwrap_or_default();
            row = format!("{row} {baseline} | {ratio} |");
        }
        let judged = self.judge(numbers.this.median(), unit, target);
        line(&format!("{row} {judged} |"))
    }

    /// Begins a table with a column for each of several conditions. Two more columns compare the last condition with the
    /// first one: the median of the ratios, and the ratio of the least values.
    pub(crate) fn grid(&mut self, first: &str, columns: &[String]) -> io::Result<()> {
        let names = columns.join(" | ");
        let rule = "---|".repeat(columns.len() + 5);
        let (last, base) = (columns.last().map_or("", String::as_str), columns.first().map_or("", String::as_str));
        line(&format!("\n| {first} | {names} | {last} / {base} | of the least | target | |\n|{rule}"))
    }

    /// One number under each condition: its medians, and how it grows from the first to the last one. The target is about the
    /// ratio of the least values, because work of others only ever adds time. A second build gets two more rows.
    pub(crate) fn grid_row(
        &mut self,
        what: &str,
        numbers: &[Sides<Samples>],
        unit: &str,
        floor: f64,
        target: Target,
    ) -> io::Result<()> {
        let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else { return Ok(()) };
        let medians = |side: fn(&Sides<Samples>) -> Option<&Samples>| {
            let cells = numbers.iter().filter_map(side).map(|samples| with_unit(samples.median(), unit));
            cells.collect::<Vec<_>>().join(" | ")
        };
        let growth = |last: &Samples, first: &Samples| {
            [last.ratio_to(first, floor).median(), last.least() / first.least().max(floor)]
        };
        let [usual, least] = growth(&last.this, &first.this);
        let judged = self.judge(least, "times", target);
        let this = medians(|sides| Some(&sides.this));
        line(&format!("| {what} | {this} | {} | {} | {judged} |", short(usual), short(least)))?;
        if let Some((last, first)) = last.baseline.as_ref().zip(first.baseline.as_ref()) {
            let [usual, least] = growth(last, first).map(short);
            let baseline = medians(|sides| sides.baseline.as_ref());
            line(&format!("| {what}, baseline | {baseline} | {usual} | {least} | | |"))?;
            let ratios: Vec<_> = numbers.iter().filter_map(Sides::ratio).map(short).collect();
            line(&format!("| {what}, ratio to the baseline | {} | | | | |", ratios.join(" | ")))?;
        }
        Ok(())
    }

    /// The number of missed targets, as the last line.
    pub(crate) fn end(&self) -> io::Result<()> {
        line(&format!("\nTargets missed: {}", self.missed))
    }

    fn judge(&mut self, value: f64, unit: &str, target: Target) -> String {
        match target {
            Target::Most(most) if value <= most => format!("{} | met", with_unit(most, unit)),
            Target::Most(most) => {
                self.missed += 1;
                format!("{} | **missed**", with_unit(most, unit))
            }
            Target::None => " | ".to_owned(),
        }
    }
}

fn line(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

fn with_unit(value: f64, unit: &str) -> String {
    format!("{} {unit}", short(value)).trim_end().to_owned()
}

/// A number with two or three digits that count.
fn short(value: f64) -> String {
    if value.abs() < 0.1 {
        format!("{value:.4}")
    } else if value.abs() < 10.0 {
        let text = format!("{value:.2}");
        text.strip_suffix(".00").map_or(text.clone(), str::to_owned)
    } else if value.abs() < 100.0 {
        let text = format!("{value:.1}");
        text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
    } else {
        format!("{value:.0}")
    }
}
