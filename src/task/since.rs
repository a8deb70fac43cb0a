//! Points in time as a person types them.

use chrono::{DateTime, TimeDelta, Utc};

/// The time that `text` names: a period that ends now, such as `2d`, or a time such as `2026-01-02T03:04:05Z`. `None` if
/// it is neither.
pub fn since(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let period = humantime::parse_duration(text).ok().and_then(|period| TimeDelta::from_std(period).ok());
    let time = || DateTime::parse_from_rfc3339(text).ok().map(Into::into);
    period.and_then(|period| now.checked_sub_signed(period)).or_else(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_period_until_now_or_absolute() {
        let now = DateTime::from_timestamp(1_767_323_045, 0).expect("a valid time");
        assert_eq!(since("2h", now), Some(now - TimeDelta::hours(2)));
        assert_eq!(since("2026-01-02T03:04:05Z", now + TimeDelta::days(3)), Some(now));
        for wrong in ["", "2", "yesterday", "2026-01-02", "999999999999999y", "999999y"] {
            assert_eq!(since(wrong, now), None, "{wrong}");
        }
    }
}
