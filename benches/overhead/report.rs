//! Numbers, and the table of them.

use std::{
    io::{self, Write},
    time::Duration,
};

/// What was measured several times.
#[derive(Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// A time, in milliseconds.
    pub(crate) fn time(&mut self, time: Duration) {
        self.push(time.as_secs_f64() * 1e3);
    }

    pub(crate) fn median(&self) -> f64 {
        self.at(0.5)
    }

    /// The value below which this part of all values lies.
    fn at(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is at most `last`")]
        let index = (part * f64::from(u32::try_from(last).unwrap_or(u32::MAX))).round() as usize;
        sorted.get(index).copied().unwrap_or(f64::NAN)
    }
}

/// How a number is meant to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// At most this.
    Most(f64),
    /// It stands here to explain another.
    None,
}

/// Prints each row as soon as it is known.
#[derive(Debug, Default)]
pub(crate) struct Report {
    missed: usize,
}

impl Report {
    /// Begins a part: under which condition its numbers hold.
    pub(crate) fn part(&mut self, condition: &str) -> io::Result<()> {
        writeln!(io::stdout().lock(), "\n{condition}")
    }

    /// One number: the median, the range of nine tenths of the samples, and the target.
    pub(crate) fn row(&mut self, what: &str, samples: &Samples, unit: &str, target: Target) -> io::Result<()> {
        let median = samples.median();
        let judged = match target {
            Target::Most(most) if median <= most => format!("at most {most} {unit}: met"),
            Target::Most(most) => {
                self.missed += 1;
                format!("at most {most} {unit}: MISSED")
            }
            Target::None => String::new(),
        };
        let range = format!("{:.2} to {:.2}", samples.at(0.05), samples.at(0.95));
        writeln!(io::stdout().lock(), "  {what:<54} {median:>9.2} {unit:<5} {range:<20} {judged}")
    }

    /// How many targets were missed.
    pub(crate) fn end(&self) -> io::Result<()> {
        writeln!(io::stdout().lock(), "\n{} targets missed", self.missed)
    }
}
