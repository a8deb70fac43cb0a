//! Logging of repeated failures, with a bounded number of lines.

use std::fmt::Display;

/// Logs the first, tenth, hundredth and so on of a kind of failure, so that reports about a full disk do not fill it
/// further.
#[derive(Debug)]
pub(super) struct Failures {
    consequence: &'static str,
    count: u64,
}

impl Failures {
    /// A counter at zero. `consequence` is what a failure means for the user.
    pub(super) fn of(consequence: &'static str) -> Self {
        Self { consequence, count: 0 }
    }

    /// Counts a failure, and logs it if it is due. Returns whether it was logged.
    pub(super) fn count(&mut self, error: &impl Display) -> bool {
        self.count += 1;
        let is_reported = 10_u64.pow(self.count.ilog10()) == self.count;
        if is_reported {
            tracing::error!(%error, failures = self.count, "{}", self.consequence);
        }
        is_reported
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_failures_are_logged_seven_times() {
        let mut failures = Failures::of("the log has a gap");
        let reported = (0..1_000_000).filter(|_| failures.count(&"no space left on device")).count();
        assert_eq!(reported, 7);
    }
}
