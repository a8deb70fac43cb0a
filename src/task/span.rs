//! Durations: the documented form for people, and milliseconds on disk.

use std::time::Duration;

/// Formats a duration as documented: `850ms`, `15.2s`, `2m 30s` or `1h 5m`. Always rounds down.
pub fn span(length: Duration) -> String {
    let millis = length.as_millis();
    let seconds = length.as_secs();
    match seconds {
        0 => format!("{millis}ms"),
        1..60 => format!("{}.{}s", seconds, millis % 1000 / 100),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        _ => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Whole milliseconds, saturating at `u64::MAX`.
pub fn millis_of(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

/// Serde form of a `Duration`: a number of milliseconds.
pub mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes whole milliseconds.
    pub fn serialize<S: Serializer>(length: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(super::millis_of(*length))
    }

    /// Reads whole milliseconds.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

/// Serde form of an `Option<Duration>`: a number of milliseconds, or null.
pub mod optional_millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes whole milliseconds, or null.
    pub fn serialize<S: Serializer>(length: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        length.map(super::millis_of).serialize(to)
    }

    /// Reads whole milliseconds, or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Duration::from_millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_formatted_as_documented() {
        for (millis, written) in [
            (0, "0ms"),
            (850, "850ms"),
            (999, "999ms"),
            (1_000, "1.0s"),
            (15_200, "15.2s"),
            (59_999, "59.9s"),
            (150_000, "2m 30s"),
            (300_000, "5m 0s"),
            (3_599_999, "59m 59s"),
            (3_900_000, "1h 5m"),
            (90_000_000, "25h 0m"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), written);
        }
    }
}
