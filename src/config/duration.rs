//! Lengths of time as the user writes them: a text with a unit, such as `"30s"` or `"1h 30m"`.

use std::{borrow::Cow, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

/// No length is longer, so that adding one to a point in time never overflows.
const MAX_DURATION: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A length that is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct PositiveDuration(pub(super) Duration);

/// A length that may be zero: a time of patience.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct DurationOrZero(pub(super) Duration);

/// A length that is not zero, or `"none"`, which can be written `"off"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct DurationLimit(pub(super) Option<Duration>);

/// What is wrong with a length: the end of a sentence that begins with what was found.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidDuration {
    #[error("which has no unit; write it with one, such as `\"30s\"` or `\"2m\"`")]
    NoUnit,
    #[error(
        "which is no length of time; allowed: a number with a unit, such as `\"500ms\"`, `\"30s\"` or `\"1h 30m\"`"
    )]
    NotADuration,
    #[error(
        "which is no length of time; allowed: `\"none\"`, or a number with a unit, such as `\"30s\"` or `\"1h 30m\"`"
    )]
    NotALimit,
    #[error("which is too short; allowed: more than nothing, such as `\"30s\"` or `\"2m\"`")]
    Zero,
    #[error("which is too short; allowed: `\"none\"`, or more than nothing, such as `\"30s\"` or `\"2m\"`")]
    ZeroLimit,
    #[error("which is too long; allowed: at most 100 years")]
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
        let length = humantime::parse_duration(text).map_err(|_| InvalidDuration::NotADuration)?;
        if length <= MAX_DURATION { Ok(Self(length)) } else { Err(InvalidDuration::TooLong) }
    }
}

impl TryFrom<Value> for PositiveDuration {
    type Error = InvalidDuration;

    fn try_from(written: Value) -> Result<Self, InvalidDuration> {
        let DurationOrZero(length) = written.try_into()?;
        if length.is_zero() { Err(InvalidDuration::Zero) } else { Ok(Self(length)) }
    }
}

impl TryFrom<Value> for DurationLimit {
    type Error = InvalidDuration;

    fn try_from(written: Value) -> Result<Self, InvalidDuration> {
        if written == "none" || written == "off" {
            return Ok(Self(None));
        }
        match written.try_into() {
            Ok(PositiveDuration(length)) => Ok(Self(Some(length))),
            Err(InvalidDuration::NotADuration) => Err(InvalidDuration::NotALimit),
            Err(InvalidDuration::Zero) => Err(InvalidDuration::ZeroLimit),
            Err(other) => Err(other),
        }
    }
}

macro_rules! string_schema {
    ($($length:ty)*) => {
        $(impl JsonSchema for $length {
            fn schema_name() -> Cow<'static, str> {
                stringify!($length).into()
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
    fn a_number_without_a_unit_is_refused_with_advice() {
        for bare in [json!(30), json!(0), json!(1.5), json!("30"), json!("0"), json!("1.5")] {
            assert_eq!(PositiveDuration::try_from(bare.clone()), Err(InvalidDuration::NoUnit), "{bare}");
        }
        for nonsense in [json!("soon"), json!("30 parsecs"), json!(""), json!(true), json!("-3s"), json!("none")] {
            assert_eq!(PositiveDuration::try_from(nonsense.clone()), Err(InvalidDuration::NotADuration), "{nonsense}");
        }
    }

    #[test]
    fn zero_is_a_valid_wait_but_not_a_valid_length_or_limit() {
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
    fn more_than_a_century_is_refused() {
        assert_eq!(DurationLimit::try_from(json!("18446744073709551615s")), Err(InvalidDuration::TooLong));
    }
}
