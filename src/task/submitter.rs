//! The submitter of a task. It determines where the task's end is reported, and whether the task outlives its server.

use serde::{Deserialize, Deserializer, Serialize};

/// The submitter of a task. Unknown for tasks of older versions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Submitter {
    /// The way in which the task was submitted.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "if_known")]
    pub by: Option<SubmittedBy>,
    /// The ID of the Claude Code session (`CLAUDE_CODE_SESSION_ID`) that submitted it, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

impl Submitter {
    /// Whether nothing is known about the submitter.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// The way in which a task was submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubmittedBy {
    /// A tool call that waits for the task's end.
    Call,
    /// A tool call that returned as soon as the task had started.
    Async,
    /// A tool call that returned a task handle, with which the client follows the task.
    Handle,
    /// A person or script, with `codex-connector run` or `resume`.
    Terminal,
    /// The same, with `--detach`.
    Detached,
}

/// Reads a later version's way as none, so that its records stay readable.
fn if_known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SubmittedBy>, D::Error> {
    let word = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(word).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submitter_of_a_later_version_is_readable() {
        let read = |text: &str| serde_json::from_str::<Submitter>(text).expect("it is readable");
        assert_eq!(read(r#"{"by": "telepathy", "session": "s", "new": 1}"#).by, None);
        assert_eq!(read(r#"{"by": "handle"}"#).by, Some(SubmittedBy::Handle));
        assert!(read("{}").is_unknown());
    }
}
