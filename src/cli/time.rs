//! Times on the command line.

use std::time::Duration;

use crate::present::EXPECTED_TIME;

/// Parses a time limit, or how far to look back.
pub(super) fn time_limit(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text).map_err(|_| EXPECTED_TIME)
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
}
