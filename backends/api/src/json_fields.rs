//! Reading a line of plain JSON into borrowed values, without a [`Value`](serde_json::Value) in between.
//!
//! For the events that an agent prints by the thousand. A session tries [`read_fields`] first, and reads everything for which
//! that returns `None` with [`JsonReader`](crate::JsonReader). Both agree on the lines that both can read:
//!
//! - Only a line that is one object of valid JSON and UTF-8 is read here, and only if every field has the expected type.
//! - Of a repeated key, the last value counts, as in a `Value`. The structs that serde derives refuse such an object.
//! - Values of unknown keys are checked like those of known ones. serde's `IgnoredAny` would accept `1e999`, halves of
//!   surrogate pairs, and nesting of any depth, which the other reader reports.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

/// The prefix of keys to which serde_json gives a special meaning in a `Value`.
const RESERVED: &str = "$serde_json";

/// The fields of an object that matter.
pub trait JsonFields<'a>: Default {
    /// Takes the next value of `object`, which belongs to `key`, and returns true; or returns false if the key is unknown. A
    /// repeated key is to replace what was read before.
    ///
    /// Values are [`JsonText`], `Option<JsonText>`, numbers, or [`JsonFieldsOf`] another object. A type that
    /// accepts anything, such as `serde_json::Value`, would hide a difference between the two readers.
    fn read<A: MapAccess<'a>>(&mut self, key: &str, object: &mut A) -> Result<bool, A::Error>;
}

/// The fields of the object on this line; `None` if it has to be read with [`JsonReader`](crate::JsonReader).
pub fn read_fields<'a, T: JsonFields<'a>>(line: &'a str) -> Option<T> {
    // Most lines of other programs are ruled out here.
    if !line.starts_with('{') {
        return None;
    }
    serde_json::from_str(line).ok().map(|JsonFieldsOf(fields)| fields)
}

/// A string, borrowed from the line unless it has escapes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JsonText<'a>(pub Cow<'a, str>);

/// An object with these fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JsonFieldsOf<T>(pub T);

impl<'de> Deserialize<'de> for JsonText<'de> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_str(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text))
    }
}

impl<'de, T: JsonFields<'de>> Deserialize<'de> for JsonFieldsOf<T> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_map(FieldsVisitor(PhantomData)).map(Self)
    }
}

struct FieldsVisitor<T>(PhantomData<T>);

impl<'de, T: JsonFields<'de>> Visitor<'de> for FieldsVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<T, A::Error> {
        let mut fields = T::default();
        while let Some(key) = object.next_key_seed(Key)? {
            if !fields.read(&key, &mut object)? {
                check_key(&key)?;
                object.next_value::<Checked>()?;
            }
        }
        Ok(fields)
    }
}

/// Reads a key without a copy.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(TextVisitor)
    }
}

/// Rejects a key that has a special meaning to serde_json.
fn check_key<E: Error>(key: &str) -> Result<(), E> {
    if key.starts_with(RESERVED) { Err(E::custom("a reserved key")) } else { Ok(()) }
}

/// A value of any type, read like a [`Value`](serde_json::Value) and dropped.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(CheckedVisitor)
    }
}

struct CheckedVisitor;

impl<'de> Visitor<'de> for CheckedVisitor {
    type Value = Checked;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_str<E>(self, _: &str) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Checked, A::Error> {
        while list.next_element::<Checked>()?.is_some() {}
        Ok(Checked)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Checked, A::Error> {
        while let Some(key) = object.next_key_seed(Key)? {
            check_key(&key)?;
            object.next_value::<Checked>()?;
        }
        Ok(Checked)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::JsonLine;

    #[derive(Debug, Default, PartialEq)]
    struct Outer<'a> {
        kind: Option<JsonText<'a>>,
        count: Option<i64>,
        inner: Option<Inner<'a>>,
    }

    #[derive(Debug, Default, PartialEq)]
    struct Inner<'a> {
        text: Option<JsonText<'a>>,
    }

    impl<'a> JsonFields<'a> for Outer<'a> {
        fn read<A: MapAccess<'a>>(&mut self, key: &str, object: &mut A) -> Result<bool, A::Error> {
            match key {
                "kind" => self.kind = Some(object.next_value()?),
                "count" => self.count = object.next_value()?,
                "inner" => self.inner = Some(object.next_value::<JsonFieldsOf<_>>()?.0),
                _ => return Ok(false),
            }
            Ok(true)
        }
    }

    impl<'a> JsonFields<'a> for Inner<'a> {
        fn read<A: MapAccess<'a>>(&mut self, key: &str, object: &mut A) -> Result<bool, A::Error> {
            let is_known = key == "text";
            if is_known {
                self.text = Some(object.next_value()?);
            }
            Ok(is_known)
        }
    }

    /// The same, of a `Value`.
    fn slowly(line: &str) -> Option<Value> {
        let read = JsonLine::read(line.as_bytes());
        assert_eq!((read.objects.len(), read.problem_events()), (1, vec![]), "{line}");
        let value = &read.objects[0].value;
        Some(json!({"kind": value["kind"], "count": value["count"], "text": value["inner"]["text"]}))
    }

    fn quickly(line: &str) -> Option<Value> {
        let Outer { kind, count, inner } = read_fields(line)?;
        let text = inner.and_then(|inner| inner.text);
        Some(json!({"kind": kind.map(|kind| kind.0), "count": count, "text": text.map(|text| text.0)}))
    }

    #[test]
    fn both_readers_agree_on_plain_json() {
        for line in [
            r#"{}"#,
            r#"{"kind":"x","count":-3,"inner":{"text":"a\n\"b\" \ud83d\ude00 ä"}}"#,
            r#"{"inner":{"more":[1,{"text":2}],"text":"a"},"kind":"x","other":{"kind":1.5e3}} "#,
            r#"{"k\u0069nd":"x","count":null}"#,
        ] {
            assert_eq!(quickly(line), slowly(line), "{line}");
        }
    }

    #[test]
    fn of_a_repeated_key_the_last_value_counts() {
        for line in [
            r#"{"kind":"x","kind":"y","count":1,"count":null}"#,
            r#"{"inner":{"text":"a"},"inner":{}}"#,
            r#"{"inner":{"text":"a","text":"b"},"other":1,"other":2}"#,
        ] {
            assert!(quickly(line).is_some(), "{line}");
            assert_eq!(quickly(line), slowly(line), "{line}");
        }
    }

    #[test]
    fn text_is_borrowed_unless_it_has_escapes() {
        let read: Outer<'_> = read_fields(r#"{"kind":"plain"}"#).expect("it is plain JSON");
        assert!(matches!(read.kind, Some(JsonText(Cow::Borrowed("plain")))));
    }

    #[test]
    fn everything_unusual_is_left_to_the_other_reader() {
        let nested = format!(r#"{{"kind":"x","other":{}{}}}"#, "[".repeat(127), "]".repeat(127));
        for line in [
            "",
            "text",
            "[1]",
            r#" {"kind":"x"}"#,
            r#"{"kind":"x"}{"kind":"y"}"#,
            r#"{"kind":"x","other":NaN}"#,
            r#"{"kind":"x","other":1e999}"#,
            r#"{"kind":"x","other":"\ud83d"}"#,
            r#"{"kind":"x","other":{"\ud83d":1}}"#,
            "{\"kind\":\"x\",\"other\":\"\u{1b}\"}",
            &nested,
            r#"{"kind":1}"#,
            r#"{"kind":null}"#,
            r#"{"count":1.0}"#,
            r#"{"inner":[]}"#,
            r#"{"kind":1,"kind":"x"}"#,
            r#"{"$serde_json::private::RawValue":"{}"}"#,
        ] {
            assert_eq!(quickly(line), None, "{line}");
        }
        assert!(quickly(&nested.replacen("[]", "0", 1)).is_some(), "one level less");
    }
}
