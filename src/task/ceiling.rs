//! What whoever runs this machine allows at most.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use connector_api::{NamePattern, Sandbox};
use serde::{Deserialize, Serialize};

use super::optional_millis;

/// What a call may ask of one backend at most, frozen at submit. The default is no ceiling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Ceiling {
    /// The sandbox that allows most.
    pub sandbox: Sandbox,
    /// The directories in which agents may work, absolute; none means anywhere.
    pub roots: Vec<PathBuf>,
    /// The longest time limit; none means that a task needs no limit.
    #[serde(with = "optional_millis")]
    pub timeout: Option<Duration>,
    /// The models that a call may name; none means any.
    pub models: Vec<NamePattern>,
    /// Where each rule was written, by its key in `[ceiling]`.
    pub origins: BTreeMap<String, RuleOrigin>,
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

impl Default for Ceiling {
    fn default() -> Self {
        Self {
            sandbox: Sandbox::DangerFullAccess,
            roots: vec![],
            timeout: None,
            models: vec![],
            origins: BTreeMap::new(),
        }
    }
}
