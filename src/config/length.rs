//! Lengths of time as the user writes them: a text with a unit, such as `"30s"` or `"1h 30m"`.

use std::{borrow::Cow, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

/// No length is longer, so that adding one to a point in time never overflows.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A length that is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Length(pub(super) Duration);

/// A length that may be zero: a time of patience.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Patience(pub(super) Duration);

/// A length that is not zero, or `"none"`, which can be written `"off"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Limit(pub(super) Option<Duration>);

/// What is wrong with a length: the end of a sentence that begins with what was found.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadLength {
    #[error("which has no unit; write it with one, such as `\"30s\"` or `\"2m\"`")]
    NoUnit,
    #[error(
        "which is no length of time; allowed: a number with a unit, such as `\"500ms\"`, `\"30s\"` or `\"1h 30m\"`"
    )]
    NotALength,
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

impl TryFrom<Value> for Patience {
    type Error = BadLength;

    fn try_from(written: Value) -> Result<Self, BadLength> {
        let text = match &written {
            Value::Number(_) => return Err(BadLength::NoUnit),
            Value::String(text) => text.trim(),
            _ => return Err(BadLength::NotALength),
        };
        if text.parse::<f64>().is_ok() {
            return Err(BadLength::NoUnit);
        }
        let length = humantime::parse_duration(text).map_err(|_| BadLength::NotALength)?;
        if length <= LONGEST { Ok(Self(length)) } else { Err(BadLength::TooLong) }
    }
}

impl TryFrom<Value> for Length {
    type Error = BadLength;

    fn try_from(written: Value) -> Result<Self, BadLength> {
        let Patience(length) = written.try_into()?;
        if length.is_zero() { Err(BadLength::Zero) } else { Ok(Self(length)) }
    }
}

impl TryFrom<Value> for Limit {
    type Error = BadLength;

    fn try_from(written: Value) -> Result<Self, BadLength> {
        if written == "none" || written == "off" {
            return Ok(Self(None));
        }
        match written.try_into() {
            Ok(Length(length)) => Ok(Self(Some(length))),
            Err(BadLength::NotALength) => Err(BadLength::NotALimit),
            Err(BadLength::Zero) => Err(BadLength::ZeroLimit),
            Err(other) => Err(other),
        }
    }
}

macro_rules! text_in_the_schema {
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

text_in_the_schema!(Length Patience Limit);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_duration_is_a_number_with_a_unit() {
        for (text, millis) in [("500ms", 500), ("30s", 30_000), ("1.5s", 1_500), ("2m", 120_000), ("1h 30m", 5_400_000)]
        {
            assert_eq!(Length::try_from(json!(text)), Ok(Length(Duration::from_millis(millis))), "{text}");
        }
    }

    #[test]
    fn a_number_without_a_unit_is_refused_with_advice() {
        for bare in [json!(30), json!(0), json!(1.5), json!("30"), json!("0"), json!("1.5")] {
            assert_eq!(Length::try_from(bare.clone()), Err(BadLength::NoUnit), "{bare}");
        }
        for nonsense in [json!("soon"), json!("30 parsecs"), json!(""), json!(true), json!("-3s"), json!("none")] {
            assert_eq!(Length::try_from(nonsense.clone()), Err(BadLength::NotALength), "{nonsense}");
        }
    }

    #[test]
    fn zero_is_a_valid_wait_but_not_a_valid_length_or_limit() {
        assert_eq!(Patience::try_from(json!("0s")), Ok(Patience(Duration::ZERO)));
        assert_eq!(Length::try_from(json!("0s")), Err(BadLength::Zero));
        assert_eq!(Limit::try_from(json!("0ms")), Err(BadLength::ZeroLimit));
    }

    #[test]
    fn only_a_limit_can_be_none() {
        assert_eq!(Limit::try_from(json!("none")), Ok(Limit(None)));
        assert_eq!(Limit::try_from(json!("off")), Ok(Limit(None)));
        assert_eq!(Limit::try_from(json!("5m")), Ok(Limit(Some(Duration::from_secs(300)))));
        assert_eq!(Limit::try_from(json!("never")), Err(BadLength::NotALimit));
    }

    #[test]
    fn more_than_a_century_is_refused() {
        assert_eq!(Limit::try_from(json!("18446744073709551615s")), Err(BadLength::TooLong));
    }
}
