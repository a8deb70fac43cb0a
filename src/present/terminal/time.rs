//! Times and numbers in few characters.

use std::time::Duration;

use chrono::{DateTime, FixedOffset, Utc};

/// Converts a time to the user's time zone.
pub(crate) type LocalTime = fn(DateTime<Utc>) -> DateTime<FixedOffset>;

/// A time in the user's time zone: `2026-01-02 03:04:05`.
pub(crate) fn local(at: DateTime<Utc>, zone: LocalTime) -> String {
    zone(at).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A duration: `12s`, `3m12s`, `2h05m`, `3d04h`.
pub(crate) fn length(length: Duration) -> String {
    let seconds = length.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, _, _) => format!("{hours}h{:02}m", minutes % 60),
        (_, _, _) => format!("{days}d{:02}h", hours % 24),
    }
}

/// How long ago `then` was: `12s`, `3m`, `2h`, `3d`, `5w`. Zero for a time in the future.
pub(crate) fn age(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - then).to_std().unwrap_or_default().as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        86_400..1_209_600 => format!("{}d", seconds / 86_400),
        _ => format!("{}w", seconds / 604_800),
    }
}

/// A number of tokens: `950`, `9.5k`, `84k`, `1.2M`.
pub(crate) fn tokens(count: u64) -> String {
    let scaled = |unit: u64, name: char| {
        let tenths = count / (unit / 10);
        if tenths < 100 { format!("{}.{}{name}", tenths / 10, tenths % 10) } else { format!("{}{name}", tenths / 10) }
    };
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => scaled(1_000, 'k'),
        1_000_000..1_000_000_000 => scaled(1_000_000, 'M'),
        _ => scaled(1_000_000_000, 'G'),
    }
}
