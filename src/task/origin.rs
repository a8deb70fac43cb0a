//! Where the values and rules of a task come from.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether the call or the configuration chose a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChosenBy {
    /// The call named it.
    Call,
    /// The call did not name it, so the configured default applies.
    Default,
}

/// The source of a task's sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SandboxChoice {
    /// The call named it.
    Call,
    /// It is that of the earlier task whose session is resumed.
    EarlierTask,
    /// It is the default that this key sets.
    Default {
        /// `tasks.default_sandbox`, or the key of a backend.
        key: String,
    },
}

/// Where a rule of a ceiling was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleOrigin {
    /// Its full key, such as `backends.codex.ceiling.sandbox`.
    pub key: String,
    /// The file, variable or flag, as text for people.
    pub place: String,
}

impl fmt::Display for RuleOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, from {}", self.key, self.place)
    }
}
