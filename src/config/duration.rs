//! Durations as the user writes them: strings with a unit, such as `"30s"` or `"1h 30m"`.

use std::{borrow::Cow, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

/// Upper bound on a duration, so that adding it to a point in time never overflows.
const MAX_DURATION: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A duration that is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct PositiveDuration(pub(super) Duration);

/// A duration that may be zero, for grace periods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct DurationOrZero(pub(super) Duration);

/// A duration that is not zero, or no limit, written `"none"` or `"off"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct DurationLimit(pub(super) Option<Duration>);

/// Why a value is not a valid duration: the end of a message that begins with the key and the value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidDuration {
    #[error("missing unit; expected for example `\"30s\"` or `\"2m\"`")]
    NoUnit,
    #[error("not a duration; expected a number with a unit, such as `\"500ms\"`, `\"30s\"` or `\"1h 30m\"`")]
    NotADuration,
    #[error("not a duration; expected `\"none\"`, or a number with a unit, such as `\"30s\"` or `\"1h 30m\"`")]
    NotALimit,
    #[error("must be longer than zero, such as `\"30s\"` or `\"2m\"`")]
    Zero,
    #[error("must be longer than zero, such as `\"30s\"` or `\"2m\"`, or `\"none\"` for no limit")]
    ZeroLimit,
    #[error("must be at most 100 years")]
    TooLong,
}

impl TryFrom<Value> for DurationOrZero {
    type Error = InvalidDuration;

    fn try_from(written: Value) -> Result<Self, InvalidDuration> {
        let text = match &written {
            Value::Number(_) => return Err(InvalidDuration::NoUnit),
            Value::String(text) => text.trim(),
            _ => return Err(InvalidDuration::NotADuration),
        };
        if text.parse::<f64>().is_ok() {
            return Err(InvalidDuration::NoUnit);
        }
        let duration = humantime::parse_duration(text).map_err(|_| InvalidDuration::NotADuration)?;
        if duration <= MAX_DURATION { Ok(Self(duration)) } else { Err(InvalidDuration::TooLong) }
    }
}

impl TryFrom<Value> for PositiveDuration {
    type Error = InvalidDuration;

    fn try_from(written: Value) -> Result<Self, InvalidDuration> {
        let DurationOrZero(duration) = written.try_into()?;
        if duration.is_zero() { Err(InvalidDuration::Zero) } else { Ok(Self(duration)) }
    }
}

impl TryFrom<Value> for DurationLimit {
    type Error = InvalidDuration;

    fn try_from(written: Value) -> Result<Self, InvalidDuration> {
        if written == "none" || written == "off" {
            return Ok(Self(None));
        }
        match written.try_into() {
            Ok(PositiveDuration(duration)) => Ok(Self(Some(duration))),
            Err(InvalidDuration::NotADuration) => Err(InvalidDuration::NotALimit),
            Err(InvalidDuration::Zero) => Err(InvalidDuration::ZeroLimit),
            Err(other) => Err(other),
        }
    }
}

macro_rules! string_schema {
    ($($duration:ty)*) => {
        $(impl JsonSchema for $duration {
            fn schema_name() -> Cow<'static, str> {
                stringify!($duration).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string"})
            }
        })*
    };
}

string_schema!(PositiveDuration DurationOrZero DurationLimit);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_duration_is_a_number_with_a_unit() {
        for (text, millis) in [("500ms", 500), ("30s", 30_000), ("1.5s", 1_500), ("2m", 120_000), ("1h 30m", 5_400_000)]
        {
            assert_eq!(
                PositiveDuration::try_from(json!(text)),
                Ok(PositiveDuration(Duration::from_millis(millis))),
                "{text}"
            );
        }
    }

    #[test]
    fn a_duration_without_a_unit_is_rejected() {
        for bare in [json!(30), json!(0), json!(1.5), json!("30"), json!("0"), json!("1.5")] {
            assert_eq!(PositiveDuration::try_from(bare.clone()), Err(InvalidDuration::NoUnit), "{bare}");
        }
        for nonsense in [json!("soon"), json!("30 parsecs"), json!(""), json!(true), json!("-3s"), json!("none")] {
            assert_eq!(PositiveDuration::try_from(nonsense.clone()), Err(InvalidDuration::NotADuration), "{nonsense}");
        }
    }

    #[test]
    fn zero_is_a_valid_grace_period_but_not_a_valid_interval_or_limit() {
        assert_eq!(DurationOrZero::try_from(json!("0s")), Ok(DurationOrZero(Duration::ZERO)));
        assert_eq!(PositiveDuration::try_from(json!("0s")), Err(InvalidDuration::Zero));
        assert_eq!(DurationLimit::try_from(json!("0ms")), Err(InvalidDuration::ZeroLimit));
    }

    #[test]
    fn only_a_limit_can_be_none() {
        assert_eq!(DurationLimit::try_from(json!("none")), Ok(DurationLimit(None)));
        assert_eq!(DurationLimit::try_from(json!("off")), Ok(DurationLimit(None)));
        assert_eq!(DurationLimit::try_from(json!("5m")), Ok(DurationLimit(Some(Duration::from_secs(300)))));
        assert_eq!(DurationLimit::try_from(json!("never")), Err(InvalidDuration::NotALimit));
    }

    #[test]
    fn more_than_a_century_is_rejected() {
        assert_eq!(DurationLimit::try_from(json!("18446744073709551615s")), Err(InvalidDuration::TooLong));
    }
}
