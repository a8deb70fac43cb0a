//! The time zone of pages.

use chrono::{DateTime, FixedOffset, Local, NaiveDate, Utc};

/// A time in the time zone of this machine.
pub(super) fn local_time(at: DateTime<Utc>) -> DateTime<FixedOffset> {
    at.with_timezone(&Local).fixed_offset()
}

/// The day of a time in that time zone.
pub(super) fn local_day(at: DateTime<Utc>) -> NaiveDate {
    local_time(at).date_naive()
}
