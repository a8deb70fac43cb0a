//! Waiting until something is so, with a deadline, instead of sleeping and hoping.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How often [`eventually`] looks.
const INTERVAL: Duration = Duration::from_millis(10);

/// Looks again and again until `look` finds something, and returns that.
///
/// # Panics
///
/// When nothing was found within `deadline`: "`what` did not happen within …".
pub fn eventually<T>(what: &str, deadline: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline;
    loop {
        // The last look comes after the end, so that a busy machine does not turn a success into a failure.
        let is_over = Instant::now() >= end;
        if let Some(found) = look() {
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
        let mut looks = 0;
        let found = eventually("the third look", Duration::from_secs(5), || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(found, 3);
    }

    #[test]
    #[should_panic(expected = "a miracle did not happen within 20ms")]
    fn a_missed_deadline_panics_with_a_sentence() {
        eventually("a miracle", Duration::from_millis(20), || None::<()>);
    }
}
