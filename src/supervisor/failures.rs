//! Failures that come again and again, told in a bounded number of words.

use std::fmt::Display;

/// Tells the first, the tenth, the hundredth of the failures of one kind, so that a log that reports a full disk does not
/// fill it.
#[derive(Debug)]
pub(super) struct Failures {
    what: &'static str,
    count: u64,
}

impl Failures {
    /// None yet. `what` is what a failure means for the user.
    pub(super) fn of(what: &'static str) -> Self {
        Self { what, count: 0 }
    }

    /// Counts a failure and logs it if it is time. Returns whether it was logged.
    pub(super) fn count(&mut self, error: &impl Display) -> bool {
        self.count += 1;
        let is_reported = 10_u64.pow(self.count.ilog10()) == self.count;
        if is_reported {
            tracing::error!(%error, failures = self.count, "{}", self.what);
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
