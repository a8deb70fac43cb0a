//! Positions on bars.
//!
//! Bars are SVG elements that are stretched to the width of the page, because styles inside a page are not allowed.
//! They contain no text, which would be stretched too.

use chrono::{DateTime, Utc};

/// The width of a bar, in its own units.
pub(super) const SCALE: u64 = 1_000;

/// The position of a time on a bar from `begin` to `end`.
pub(super) fn position(at: DateTime<Utc>, begin: DateTime<Utc>, end: DateTime<Utc>) -> u64 {
    let millis = |from: DateTime<Utc>, to: DateTime<Utc>| u64::try_from((to - from).num_milliseconds()).unwrap_or(0);
    share(millis(begin, at), millis(begin, end))
}

/// The length of a part on a bar that shows the whole.
pub(super) fn share(part: u64, whole: u64) -> u64 {
    let scaled = u128::from(part.min(whole)) * u128::from(SCALE) / u128::from(whole.max(1));
    u64::try_from(scaled).unwrap_or(SCALE)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_position_is_never_outside_the_bar() {
        let at = |seconds| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(seconds);
        for (time, expected) in [(-5, 0), (0, 0), (5, 500), (10, 1_000), (15, 1_000)] {
            assert_eq!(position(at(time), at(0), at(10)), expected, "{time}");
        }
        assert_eq!(position(at(0), at(0), at(0)), 0);
        assert_eq!(share(u64::MAX, u64::MAX), 1_000);
    }
}
