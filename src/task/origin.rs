//! Where the values and the rules of a task come from.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The origin of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChosenBy {
    /// The call.
    Call,
    /// Nobody: it is the configured default.
    Default,
}

/// Where a rule of a ceiling was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleOrigin {
    /// Its key with dots, as in `backends.codex.ceiling.sandbox`.
    pub key: String,
    /// The file, variable or flag, in words for people.
    pub place: String,
}

impl fmt::Display for RuleOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, from {}", self.key, self.place)
    }
}
