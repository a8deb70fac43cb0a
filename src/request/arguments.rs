//! Reads the arguments of a call one by one.
//!
//! rmcp does not validate arguments against a schema, and its own errors do not say how to fix a call. So this module
//! checks all arguments before anything is created.
//!
//! Some hosts change the arguments that the model wrote, and the model cannot prevent it. These changes are accepted:
//!
//! | sent | read as |
//! |---|---|
//! | `null`, or `""` for an optional argument | absent |
//! | `"true"`, `"false"` | a boolean |
//! | `"50"` | a number |
//! | a parameter that some host adds to every call | ignored |

use serde_json::{Map, Value};

use crate::present::{Refused, arguments as refusals};

/// Parameters that hosts add to calls of any tool: Cursor adds the first to tools without required parameters, and some
/// gateways add the second as a progress note.
const PARAMETERS_ADDED_BY_HOSTS: [&str; 2] = ["random_string", "task_progress"];

/// The arguments of a call that have not been read yet.
#[derive(Debug)]
pub(super) struct Arguments {
    tool: &'static str,
    remaining: Map<String, Value>,
}

/// A whole number of any size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum WholeNumber {
    /// A number that fits into 64 bits.
    Small(u64),
    /// A larger number.
    Huge(f64),
}

impl Arguments {
    /// The arguments of a call of `tool`. Fails if one of them is not in `known`.
    pub(super) fn new(tool: &'static str, mut raw: Map<String, Value>, known: &[&str]) -> Result<Self, Refused> {
        raw.retain(|name, _| known.contains(&name.as_str()) || !PARAMETERS_ADDED_BY_HOSTS.contains(&name.as_str()));
        if let Some(unknown) = raw.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(refusals::unknown(tool, unknown, known));
        }
        Ok(Self { tool, remaining: raw })
    }

    /// A required string, which must not be blank.
    pub(super) fn required_text(&mut self, name: &str) -> Result<String, Refused> {
        let value = self.take(name);
        match self.read_text(name, value)? {
            Some(text) => Ok(text),
            None => Err(refusals::missing(self.tool, name, "a string")),
        }
    }

    /// An optional string, which must not be blank.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Refused> {
        let value = self.take_optional(name);
        self.read_text(name, value)
    }

    fn read_text(&self, name: &str, value: Option<Value>) -> Result<Option<String>, Refused> {
        match value {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text)),
            Some(Value::String(_)) => Err(refusals::empty(self.tool, name)),
            Some(other) => Err(refusals::wrong_type(self.tool, name, &other, "a string")),
        }
    }

    /// A required list of 1 to `max` task IDs, unparsed.
    pub(super) fn required_texts(&mut self, name: &str, max: usize) -> Result<Vec<String>, Refused> {
        let expected = format!("a list of 1 to {max} task IDs");
        let Some(value) = self.take(name) else {
            return Err(refusals::missing(self.tool, name, &expected));
        };
        let Value::Array(values) = &value else { return Err(refusals::wrong_type(self.tool, name, &value, &expected)) };
        let texts: Option<Vec<_>> = values.iter().map(|value| value.as_str().map(str::to_owned)).collect();
        match texts.filter(|texts| !texts.is_empty() && texts.len() <= max) {
            Some(texts) => Ok(texts),
            None => Err(refusals::invalid_list(self.tool, name, &expected)),
        }
    }

    /// An optional list of up to `max` strings, none of which is empty; empty if it is absent.
    pub(super) fn texts(&mut self, name: &str, max: usize) -> Result<Vec<String>, Refused> {
        let expected = format!("a list of up to {max} strings that are not empty");
        let values = match self.take_optional(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(values)) => values,
            Some(value) => return Err(refusals::wrong_type(self.tool, name, &value, &expected)),
        };
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let texts: Option<Vec<_>> = values.iter().map(text).collect();
        texts.filter(|texts| texts.len() <= max).ok_or_else(|| refusals::invalid_list(self.tool, name, &expected))
    }

    /// An optional string that must be one of `words`; `find` converts it.
    pub(super) fn word<T>(
        &mut self,
        name: &str,
        words: &[&str],
        find: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Refused> {
        let allowed = format!("`{}`", words.join("`, `"));
        match self.take_optional(name) {
            None => Ok(None),
            Some(Value::String(word)) => {
                find(&word).map(Some).ok_or_else(|| refusals::invalid_choice(self.tool, name, &word, &allowed))
            }
            Some(other) => {
                Err(refusals::wrong_type(self.tool, name, &other, &format!("one of these strings: {allowed}")))
            }
        }
    }

    /// An optional boolean.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Refused> {
        match self.take_optional(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(Value::String(word)) if word == "true" => Ok(Some(true)),
            Some(Value::String(word)) if word == "false" => Ok(Some(false)),
            Some(other) => Err(refusals::wrong_type(self.tool, name, &other, "true or false")),
        }
    }

    /// An optional whole number of at least `min`. Accepts `50.0` and `"50"` as well.
    pub(super) fn whole_number(&mut self, name: &str, min: u64) -> Result<Option<WholeNumber>, Refused> {
        let Some(value) = self.take_optional(name) else { return Ok(None) };
        let expected = format!("a whole number of at least {min}");
        let number = match &value {
            Value::Number(number) => match (number.as_u64(), number.as_f64()) {
                (Some(small), _) => Some(WholeNumber::Small(small)),
                (None, Some(float)) => from_float(float),
                (None, None) => None,
            },
            Value::String(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => match digits.parse() {
                Ok(small) => Some(WholeNumber::Small(small)),
                Err(_) => digits.parse().ok().and_then(from_float),
            },
            _ => return Err(refusals::wrong_type(self.tool, name, &value, &expected)),
        };
        match number {
            Some(WholeNumber::Small(small)) if small < min => {
                Err(refusals::wrong_value(self.tool, name, &value, &expected))
            }
            Some(number) => Ok(Some(number)),
            None => Err(refusals::wrong_value(self.tool, name, &value, &expected)),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.remaining.shift_remove(name).filter(|value| !value.is_null())
    }

    /// Takes an optional argument. Some hosts send the empty string if it is absent.
    fn take_optional(&mut self, name: &str) -> Option<Value> {
        self.take(name).filter(|value| value.as_str() != Some(""))
    }
}

fn from_float(float: f64) -> Option<WholeNumber> {
    if !float.is_finite() || float.fract() != 0.0 || float < 0.0 {
        return None;
    }
    // Every float beyond 2^53 is whole, and 2^63 can be represented exactly. So below 2^63 the conversion is exact.
    Some(if float < 9_223_372_036_854_775_808.0 { WholeNumber::Small(float as u64) } else { WholeNumber::Huge(float) })
}
