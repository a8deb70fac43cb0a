//! Sizes as the user writes them: strings with a unit, such as `"500MB"` or `"1GiB"`.

use std::borrow::Cow;

use bytesize::ByteSize;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

/// Minimum for a log's maximum size. A smaller log would keep too little of its beginning and end.
const MIN_LOG_BYTES: u64 = 64_000;

/// Maximum size of a log in bytes, or no limit, written `"off"` or `"none"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct LogSizeLimit(pub(super) Option<u64>);

/// A number of bytes that is not zero, or no limit, written `"off"` or `"none"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct SizeLimit(pub(super) Option<u64>);

/// Why a value is not a valid size: the end of a message that begins with the key and the value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidSize {
    #[error("missing unit; expected for example `\"500MB\"` or `\"1GiB\"`, or `\"off\"` for no limit")]
    NoUnit,
    #[error("not a size; expected `\"off\"`, or a number with a unit, such as `\"500MB\"` or `\"1GiB\"`")]
    NotASize,
    #[error("must be larger than zero, such as `\"500MB\"` or `\"1GiB\"`, or `\"off\"` for no limit")]
    Zero,
    #[error("must be at least `\"64KB\"`, or `\"off\"` for no limit")]
    TooSmall,
    #[error("must be at most a million TB, or `\"off\"` for no limit")]
    TooLarge,
}

const MAX_SIZE_BYTES: u64 = 1_000_000_000_000_000_000;

/// Parses a size such as `1.5GB` into a number of bytes.
///
/// The full unit is required. `bytesize` alone would read a bare number as bytes, and `M` as `MB`.
fn parse_bytes(text: &str) -> Result<u64, InvalidSize> {
    let number_ends = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(number_ends);
    let (integer, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number(integer) || !is_number(fraction) {
        return Err(InvalidSize::NotASize);
    }
    if unit.trim().is_empty() {
        return Err(InvalidSize::NoUnit);
    }
    let size = text.parse::<ByteSize>().ok().filter(|_| unit.ends_with(['b', 'B']));
    let ByteSize(bytes) = size.ok_or(InvalidSize::NotASize)?;
    if bytes <= MAX_SIZE_BYTES { Ok(bytes) } else { Err(InvalidSize::TooLarge) }
}

impl TryFrom<Value> for SizeLimit {
    type Error = InvalidSize;

    fn try_from(written: Value) -> Result<Self, InvalidSize> {
        let text = match &written {
            Value::Number(_) => return Err(InvalidSize::NoUnit),
            Value::String(text) => text.trim(),
            _ => return Err(InvalidSize::NotASize),
        };
        match text {
            "off" | "none" => Ok(Self(None)),
            text => match parse_bytes(text)? {
                0 => Err(InvalidSize::Zero),
                bytes => Ok(Self(Some(bytes))),
            },
        }
    }
}

impl TryFrom<Value> for LogSizeLimit {
    type Error = InvalidSize;

    fn try_from(written: Value) -> Result<Self, InvalidSize> {
        match SizeLimit::try_from(written) {
            Ok(SizeLimit(Some(bytes))) if bytes < MIN_LOG_BYTES => Err(InvalidSize::TooSmall),
            Ok(SizeLimit(bytes)) => Ok(Self(bytes)),
            Err(InvalidSize::Zero) => Err(InvalidSize::TooSmall),
            Err(other) => Err(other),
        }
    }
}

macro_rules! string_schema {
    ($($size:ty)*) => {
        $(impl JsonSchema for $size {
            fn schema_name() -> Cow<'static, str> {
                stringify!($size).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string"})
            }
        })*
    };
}

string_schema!(LogSizeLimit SizeLimit);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_size_has_a_decimal_or_binary_unit() {
        for (text, bytes) in [
            ("1B", 1),
            ("64KB", 64_000),
            ("64KiB", 65_536),
            ("500MB", 500_000_000),
            ("1 GiB", 1 << 30),
            ("1.5gb", 1_500_000_000),
            ("0.5kib", 512),
            ("2TB", 2_000_000_000_000),
            ("1.00000000000000000001KB", 1_000),
        ] {
            assert_eq!(SizeLimit::try_from(json!(text)), Ok(SizeLimit(Some(bytes))), "{text}");
        }
    }

    #[test]
    fn a_size_without_a_unit_is_rejected() {
        for bare in [json!(0), json!(500), json!(1.5), json!("500"), json!("1.5")] {
            assert_eq!(SizeLimit::try_from(bare.clone()), Err(InvalidSize::NoUnit), "{bare}");
        }
        for nonsense in ["", "much", "MB", "1..5MB", ".5MB", "5.MB", "-1MB", "1 parsec", "1e3MB", "٣MB"] {
            assert_eq!(SizeLimit::try_from(json!(nonsense)), Err(InvalidSize::NotASize), "{nonsense:?}");
        }
        assert_eq!(SizeLimit::try_from(json!(true)), Err(InvalidSize::NotASize));
    }

    #[test]
    fn a_size_can_be_off_but_not_zero() {
        for off in ["off", "none"] {
            assert_eq!(SizeLimit::try_from(json!(off)), Ok(SizeLimit(None)));
            assert_eq!(LogSizeLimit::try_from(json!(off)), Ok(LogSizeLimit(None)));
        }
        assert_eq!(SizeLimit::try_from(json!("0MB")), Err(InvalidSize::Zero));
    }

    #[test]
    fn a_log_limit_has_a_minimum() {
        assert_eq!(LogSizeLimit::try_from(json!("64KB")), Ok(LogSizeLimit(Some(64_000))));
        for small in ["63.9KB", "1B", "0B"] {
            assert_eq!(LogSizeLimit::try_from(json!(small)), Err(InvalidSize::TooSmall), "{small}");
        }
    }

    #[test]
    fn more_than_any_disk_holds_is_rejected() {
        for large in ["1000001TB", "18446744073709551615TiB", "99999999999999999999B"] {
            assert_eq!(SizeLimit::try_from(json!(large)), Err(InvalidSize::TooLarge), "{large}");
        }
    }
}
