//! The name of a configured backend.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name under which one backend is configured: the `NAME` of `[backends.NAME]`.
///
/// It starts with a lower-case letter, continues with lower-case letters, digits, `-` or `_`, and has at most 32
/// characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackendName(String);

impl BackendName {
    /// Checks `name`. Fails with [`BadName`] if it breaks the rule above.
    pub fn new(name: impl Into<String>) -> Result<Self, BadName> {
        let name = name.into();
        let mut letters = name.chars();
        let has_valid_start = letters.next().is_some_and(|c| c.is_ascii_lowercase());
        let has_valid_letters = letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
        if has_valid_start && has_valid_letters && name.len() <= 32 { Ok(Self(name)) } else { Err(BadName(name)) }
    }

    /// The name as written in the configuration.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for BackendName {
    type Error = BadName;

    fn try_from(name: String) -> Result<Self, BadName> {
        Self::new(name)
    }
}

impl From<BackendName> for String {
    fn from(name: BackendName) -> Self {
        name.0
    }
}

/// An invalid name for a backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid backend name `{0}`: expected a lower-case letter, then up to 31 lower-case letters, digits, `-` or `_`"
)]
pub struct BadName(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_lower_case_words() {
        for good in ["codex", "fast-codex", "c2", "my_agent"] {
            assert_eq!(BackendName::new(good).map(String::from).as_deref(), Ok(good));
        }
        for bad in ["", "Codex", "2fast", "a b", "a/b", "../x", &"x".repeat(33)] {
            assert!(BackendName::new(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
