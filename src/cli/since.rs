//! The values of `--since` and similar flags.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{broker::Broker, present::terminal_refusals::EXPECTED_SINCE};

/// A time, written as such or as a period that ends now.
pub(super) fn since(text: &str) -> Result<DateTime<Utc>, &'static str> {
    let period: Option<Duration> = humantime::parse_duration(text).ok();
    let time = || DateTime::parse_from_rfc3339(text).ok().map(Into::into);
    period.and_then(Broker::since).or_else(time).ok_or(EXPECTED_SINCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_period_until_now_or_absolute() {
        let hours = Utc::now() - since("2h").expect("a period");
        assert!((hours.num_seconds() - 7_200).abs() < 60, "{hours}");
        assert_eq!(since("2026-01-02T03:04:05Z").map(|at| at.timestamp()), Ok(1_767_323_045));
        for wrong in ["", "2", "yesterday", "2026-01-02", "999999999999999y"] {
            assert_eq!(since(wrong), Err(EXPECTED_SINCE), "{wrong}");
        }
    }
}
