//! The output: progress, violations as they are found, and the table at the end.

use std::{
    collections::BTreeMap,
    fmt::{Display, Write as _},
    io::{self, IsTerminal, Write as _},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// Without a terminal, a progress line is printed this often.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(15);

/// A kind of measured time, with its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timing {
    /// Its line in the table.
    pub(crate) name: &'static str,
    /// The limit for the times.
    pub(crate) limit: TimeBound,
}

/// A limit for a series of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TimeBound {
    /// At least half of them must be shorter.
    Median(Duration),
    /// All of them must be shorter.
    Most(Duration),
}

/// Collects results from all threads.
#[derive(Debug)]
pub(crate) struct TrialReport {
    bar: ProgressBar,
    begun: Instant,
    state: Mutex<ReportState>,
}

#[derive(Debug, Default)]
struct ReportState {
    violations: Vec<String>,
    scenarios: BTreeMap<&'static str, Tally>,
    notes: BTreeMap<String, u64>,
    times: BTreeMap<Timing, Vec<Duration>>,
    last_line: Option<Instant>,
    done: u64,
}

#[derive(Debug, Default)]
struct Tally {
    rounds: u64,
    tasks: u64,
    violations: u64,
    time: Duration,
}

impl TrialReport {
    /// A report of this many rounds.
    pub(crate) fn new(rounds: u64) -> TrialReport {
        let bar = if io::stderr().is_terminal() { ProgressBar::new(rounds) } else { ProgressBar::hidden() };
        bar.set_length(rounds);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} rounds, {elapsed} ({eta} left)  {msg}") {
            bar.set_style(style);
        }
        TrialReport { bar, begun: Instant::now(), state: Mutex::default() }
    }

    /// Prints a line that is not part of the table.
    pub(crate) fn say(&self, line: impl Display) {
        // It does not matter if no one reads it.
        self.bar.suspend(|| drop(writeln!(io::stderr().lock(), "{line}")));
    }

    /// Shows what is being done now.
    pub(crate) fn begin(&self, what: &str) {
        self.bar.set_message(what.to_owned());
        self.bar.tick();
    }

    /// Reports a violation.
    pub(crate) fn violation(&self, scenario: &'static str, text: String) {
        self.say(format_args!("VIOLATION in {text}"));
        let mut state = self.state();
        state.scenarios.entry(scenario).or_default().violations += 1;
        state.violations.push(text);
    }

    /// Records a finished round.
    pub(crate) fn round(&self, scenario: &'static str, tasks: u64, time: Duration) {
        self.bar.inc(1);
        let mut state = self.state();
        let tally = state.scenarios.entry(scenario).or_default();
        tally.rounds += 1;
        tally.tasks += tasks;
        tally.time += time;
        state.done += 1;
        let is_due = state.last_line.is_none_or(|last| last.elapsed() > PROGRESS_INTERVAL);
        if self.bar.is_hidden() && is_due {
            state.last_line = Some(Instant::now());
            let (done, all, bad) = (state.done, self.bar.length().unwrap_or_default(), state.violations.len());
            let seconds = self.begun.elapsed().as_secs();
            self.say(format_args!("{done} of {all} rounds, {seconds} s, {bad} violations"));
        }
    }

    /// Counts something of interest.
    pub(crate) fn note(&self, what: impl Into<String>, count: u64) {
        *self.state().notes.entry(what.into()).or_default() += count;
    }

    /// Records a measured time.
    pub(crate) fn time(&self, timing: Timing, time: Duration) {
        self.state().times.entry(timing).or_default().push(time);
    }

    /// The times that exceed their limits, as text.
    pub(crate) fn slow(&self) -> Vec<String> {
        let mut state = self.state();
        let slow = state.times.iter_mut().filter_map(|(timing, times)| {
            times.sort_unstable();
            let (what, time, limit) = match timing.limit {
                TimeBound::Median(limit) => ("median", quantile(times, 0.5), limit),
                TimeBound::Most(limit) => ("longest", quantile(times, 1.0), limit),
            };
            (time > limit).then(|| {
                format!("{}: the {what} is {} ms, the limit {} ms", timing.name, time.as_millis(), limit.as_millis())
            })
        });
        slow.collect()
    }

    pub(crate) fn violations(&self) -> usize {
        self.state().violations.len()
    }

    /// The table of all results.
    pub(crate) fn table(&self) -> String {
        self.bar.finish_and_clear();
        let mut state = self.state();
        let mut table = String::new();
        let mut line = |text: std::fmt::Arguments<'_>| writeln!(table, "{text}").expect("a string takes all text");
        line(format_args!("{:<34}{:>8}{:>8}{:>10}{:>12}", "scenario", "rounds", "tasks", "seconds", "violations"));
        for (name, tally) in &state.scenarios {
            let Tally { rounds, tasks, violations, time } = tally;
            line(format_args!("{name:<34}{rounds:>8}{tasks:>8}{:>10.1}{violations:>12}", time.as_secs_f64()));
        }
        line(format_args!(
            "\n{:<34}{:>8}{:>8}{:>8}{:>8}{:>8}",
            "cancel to empty tree, in ms", "n", "min", "median", "p99", "max"
        ));
        for (timing, times) in &mut state.times {
            times.sort_unstable();
            let [min, median, p99, max] = [0.0, 0.5, 0.99, 1.0].map(|share| quantile(times, share).as_millis());
            let (name, count) = (timing.name, times.len());
            line(format_args!("{name:<34}{count:>8}{min:>8}{median:>8}{p99:>8}{max:>8}"));
        }
        line(format_args!(""));
        for (what, count) in &state.notes {
            line(format_args!("{what:<34}{count:>8}"));
        }
        table
    }

    fn state(&self) -> MutexGuard<'_, ReportState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time below which this share of the sorted times lies.
fn quantile(sorted: &[Duration], share: f64) -> Duration {
    // The result is always in range, because the share is at most one.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies between 0 and the length")]
    #[expect(clippy::cast_precision_loss, reason = "there are never 2^52 times")]
    let at = ((sorted.len().saturating_sub(1)) as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}
