//! Limits the rate of timeline entries.

use std::time::{Duration, Instant};

/// Maximum number of entries per second, not counting those that are exempt.
pub(super) const MAX_PER_SECOND: u32 = 50;

const SECOND: Duration = Duration::from_secs(1);

/// Admits [`MAX_PER_SECOND`] entries per second and counts the others. Does not read a clock.
#[derive(Debug)]
pub(super) struct Rate {
    /// When the current second began.
    began: Option<Instant>,
    admitted: u32,
    omitted: u64,
}

impl Rate {
    /// The state before the first entry.
    pub(super) fn new() -> Self {
        Self { began: None, admitted: 0, omitted: 0 }
    }

    /// Whether an entry may be written at `now`. If not, it is counted as omitted.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        if self.is_over(now) {
            (self.began, self.admitted) = (Some(now), 0);
        }
        let is_admitted = self.admitted < MAX_PER_SECOND;
        if is_admitted {
            self.admitted += 1;
        } else {
            self.omitted += 1;
        }
        is_admitted
    }

    /// Counts an entry that was omitted for another reason.
    pub(super) fn omit(&mut self) {
        self.omitted += 1;
    }

    /// Whether there are omitted entries that [`take_omitted`](Self::take_omitted) has not returned yet.
    pub(super) fn has_omitted(&self) -> bool {
        self.omitted > 0
    }

    /// The number of omitted entries, if their second is over.
    pub(super) fn take_omitted(&mut self, now: Instant) -> Option<u64> {
        if self.is_over(now) { self.take_all_omitted() } else { None }
    }

    /// The number of omitted entries, even if their second is not over. For use when no more entries follow.
    pub(super) fn take_all_omitted(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.omitted)).filter(|omitted| *omitted > 0)
    }

    fn is_over(&self, now: Instant) -> bool {
        self.began.is_none_or(|began| now.saturating_duration_since(began) >= SECOND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_in_a_second_are_admitted_and_the_others_are_counted_once() {
        let (mut rate, began) = (Rate::new(), Instant::now());
        let admitted = |rate: &mut Rate, now, of: u32| (0..of).filter(|_| rate.admits(now)).count();
        assert_eq!(admitted(&mut rate, began, 40), 40);
        assert_eq!(admitted(&mut rate, began + SECOND / 2, 40), 10);
        assert_eq!(rate.take_omitted(began + SECOND / 2), None, "the second is not over");
        assert!(rate.has_omitted());
        assert_eq!(rate.take_omitted(began + SECOND), Some(30));
        assert_eq!(rate.take_omitted(began + SECOND), None);
        assert_eq!(admitted(&mut rate, began + SECOND, 60), 50);
        assert_eq!(rate.take_all_omitted(), Some(10));
        assert!(!rate.has_omitted());
    }
}
