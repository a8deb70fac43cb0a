//! Waits for a condition with a deadline, instead of sleeping and hoping.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How often [`eventually`] checks.
const INTERVAL: Duration = Duration::from_millis(10);

/// Calls `check` repeatedly until it returns a value, and returns that value.
///
/// # Panics
///
/// Panics if there is no value within `deadline`: "`what` did not happen within …".
pub fn eventually<T>(what: &str, deadline: Duration, mut check: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline;
    loop {
        // The last check comes after the deadline, so a busy machine does not turn a success into a failure.
        let is_over = Instant::now() >= end;
        if let Some(found) = check() {
            return found;
        }
        assert!(!is_over, "{what} did not happen within {deadline:?}");
        thread::sleep(INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_found_value_is_returned() {
        let mut checks = 0;
        let found = eventually("the third check", Duration::from_secs(5), || {
            checks += 1;
            (checks == 3).then_some(checks)
        });
        assert_eq!(found, 3);
    }

    #[test]
    #[should_panic(expected = "a miracle did not happen within 20ms")]
    fn a_missed_deadline_panics_with_a_sentence() {
        eventually("a miracle", Duration::from_millis(20), || None::<()>);
    }
}
