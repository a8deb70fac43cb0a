//! Times on the command line.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{
    present::{EXPECTED_TIME, terminal_refusals::EXPECTED_SINCE},
    task,
};

/// Parses a time limit.
pub(super) fn time_limit(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text).map_err(|_| EXPECTED_TIME)
}

/// Parses a point in time, written as such or as a period that ends now.
pub(super) fn since(text: &str) -> Result<DateTime<Utc>, &'static str> {
    task::since(text, Utc::now()).ok_or(EXPECTED_SINCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_time_limit_is_answered_with_examples() {
        assert_eq!(time_limit("30m"), Ok(Duration::from_secs(1_800)));
        for wrong in ["", "x", "90", "90x"] {
            assert_eq!(time_limit(wrong), Err("expected a time such as 90s, 30m or 2h"), "{wrong}");
        }
    }

    #[test]
    fn a_time_is_a_period_until_now_or_absolute() {
        let hours = Utc::now() - since("2h").expect("a period");
        assert!((hours.num_seconds() - 7_200).abs() < 60, "{hours}");
        assert_eq!(since("2026-01-02T03:04:05Z").map(|at| at.timestamp()), Ok(1_767_323_045));
        for wrong in ["", "2", "yesterday", "2026-01-02", "999999999999999y", "999999y"] {
            assert_eq!(since(wrong), Err(EXPECTED_SINCE), "{wrong}");
        }
    }
}
